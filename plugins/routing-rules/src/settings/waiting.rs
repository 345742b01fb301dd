use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Target;

/// What is done if a customer waits for too long.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend(
    "not" = {"required": ["to_group", "to_agent"]},
    "anyOf" = [
        {"required": ["to_group"]}, {"required": ["to_agent"]}, {"required": ["tag"]}, {"required": ["alert"]}
    ]
))]
pub struct WaitingRule {
    /// Its name, for the log and the alert.
    #[schemars(length(min = 1, max = 100))]
    pub name: String,
    /// How long, minutes; decimals are allowed.
    #[schemars(range(min = 0.01, max = 1440.0))]
    pub minutes: f64,
    /// Since when: the chat's start, or the customer's first message that nobody has answered.
    #[serde(default)]
    pub since: Since,
    /// The id of the group that gets the chat.
    pub to_group: Option<i64>,
    /// The agent who gets the chat: an e-mail address, or the id of a bot.
    pub to_agent: Option<String>,
    /// A tag for the thread; it must exist in LiveChat (case counts).
    #[schemars(extend("format" = "livechat-tag"))]
    pub tag: Option<String>,
    /// Tell the team, by the connection `slack`.
    #[serde(default)]
    pub alert: bool,
}

/// Since when a customer waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Since {
    /// The chat's start: nobody has answered yet.
    #[default]
    Start,
    /// The customer's first message or file behind the last answer.
    Message,
}

impl WaitingRule {
    /// Who gets the chat; `None` if it stays where it is.
    pub fn target(&self) -> Option<Target<'_>> {
        match (self.to_group, &self.to_agent) {
            (Some(group), _) => Some(Target::Group(group)),
            (None, Some(agent)) => Some(Target::Agent(agent)),
            (None, None) => None,
        }
    }

    /// How long the customer may go on to wait who has waited for so many milliseconds. Whole milliseconds, like the times of
    /// events and timers.
    pub fn left(&self, waited_ms: u64) -> Duration {
        Duration::from_millis(((self.minutes * 60_000.0).round() as u64).saturating_sub(waited_ms))
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if !(0.01..=1440.0).contains(&self.minutes) {
            return Err("its minutes are from 0.01 to 1440".to_owned());
        }
        if self.to_group.is_some() && self.to_agent.is_some() {
            return Err("it has both to_group and to_agent; keep one".to_owned());
        }
        if self.target().is_none() && self.tag.is_none() && !self.alert {
            return Err("it does nothing; add to_group, to_agent, tag or alert".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;

    #[track_caller]
    fn check(waiting: &str, expected: Result<(), &str>) {
        let settings = serde_json::from_str::<Settings>(&format!("{{\"waiting\":[{waiting}]}}"));
        let checked = settings.map_err(|error| error.to_string()).and_then(|settings| settings.check());
        match (&checked, expected) {
            (Err(problem), Err(part)) => assert!(problem.contains(part), "{problem:?} lacks {part:?}"),
            _ => assert_eq!(checked, expected.map_err(str::to_owned), "{waiting}"),
        }
    }

    #[test]
    fn what_is_left_of_a_rules_time_is_whole_milliseconds() {
        let left = |minutes: f64, waited_ms| {
            let rule = format!(r#"{{"name":"a","minutes":{minutes},"tag":"x"}}"#);
            let rule: super::WaitingRule = serde_json::from_str(&rule).expect("a rule");
            rule.left(waited_ms).as_millis()
        };
        assert_eq!((left(2.3, 0), left(2.3, 137_999), left(2.3, 138_000)), (138_000, 1, 0));
        assert_eq!((left(0.01, 0), left(1440.0, 0), left(1.0, u64::MAX)), (600, 86_400_000, 0));
    }

    #[test]
    fn wrong_rules_say_what_is_wrong() {
        check(
            r#"{"name":"a","minutes":2,"tag":"x"}, {"name":"b","minutes":0.5,"since":"message","alert":true}"#,
            Ok(()),
        );
        check(r#"{"name":"a","minutes":2}"#, Err("rule `a` of `waiting`: it does nothing"));
        check(r#"{"name":"a","minutes":0,"tag":"x"}"#, Err("minutes are from"));
        check(r#"{"name":"a","minutes":2,"to_group":1,"to_agent":"b"}"#, Err("keep one"));
        check(
            r#"{"name":"a","minutes":2,"tag":"x"}, {"name":"a","minutes":3,"tag":"x"}"#,
            Err("two rules of `waiting`"),
        );
        check(r#"{"name":"a","minutes":2,"tag":"x","since":"end"}"#, Err("end"));
        check("", Err("neither a rule in `rules` nor one in `waiting`"));
    }
}
