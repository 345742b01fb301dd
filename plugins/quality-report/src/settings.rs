//! What an operator sets: the zone of the days, and what a score is made of.

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::score::Score;

/// The settings of quality-report.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The IANA time zone of the days, such as `Europe/Warsaw`: the account's, as in `livechat.timezone`.
    #[schemars(with = "String", extend("pattern" = "^[A-Za-z][A-Za-z0-9_+/-]*$"))]
    pub(crate) timezone: Zone,
    /// So many chats on a page of LiveChat's list. Fewer where chats are so long that a page is over a limit.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 100))]
    pub(crate) page_size: u32,
    /// How the score is made.
    #[serde(default)]
    pub(crate) score: Score,
}

fn fifty() -> u32 {
    50
}

impl Settings {
    /// What the schema can't say.
    pub(crate) fn check(&self) -> Result<(), String> {
        if !(1..=100).contains(&self.page_size) {
            return Err("settings: page_size is from 1 to 100".to_owned());
        }
        self.score.check().map_err(|problem| format!("settings: score: {problem}"))
    }
}

/// A time zone, by its IANA name. The guest has no zone files; it carries them.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Zone {
    /// Its name.
    pub(crate) name: String,
    /// The zone.
    pub(crate) zone: TimeZone,
}

impl TryFrom<String> for Zone {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        chatplug_sdk::clock::zone(&name).map(|zone| Zone { name, zone })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(settings: &str, expected: Result<(), &str>) {
        let settings = serde_json::from_str::<Settings>(settings);
        let checked = settings.map_err(|error| error.to_string()).and_then(|settings| settings.check());
        match (&checked, expected) {
            (Err(problem), Err(part)) => assert!(problem.contains(part), "{problem:?} lacks {part:?}"),
            _ => assert_eq!(checked, expected.map_err(str::to_owned)),
        }
    }

    #[test]
    fn the_schema_has_the_zone_as_text() {
        let schema = schemars::schema_for!(Settings);
        assert_eq!(schema.as_value()["properties"]["timezone"]["type"], "string");
    }

    #[test]
    fn wrong_settings_say_what_is_wrong() {
        check(r#"{"timezone":"UTC"}"#, Ok(()));
        check("{}", Err("timezone"));
        check(r#"{"timezone":"Mars/Base"}"#, Err("`Mars/Base` is not a time zone"));
        check(r#"{"timezone":"UTC","page_size":101}"#, Err("page_size is from 1 to 100"));
        let none = r#"{"ratings":0,"resolution":0,"answered":0,"first_response":0,"response":0}"#;
        check(&format!(r#"{{"timezone":"UTC","score":{{"weights":{none}}}}}"#), Err("no weight is above 0"));
        check(r#"{"timezone":"UTC","score":{"weights":{"ratings":-1}}}"#, Err("0 or more"));
        check(r#"{"timezone":"UTC","score":{"first_response_s":0}}"#, Err("above 0"));
        check(r#"{"timezone":"UTC","score":{"weights":{"smiles":1}}}"#, Err("smiles"));
    }
}
