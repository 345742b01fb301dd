//! What an operator sets: the timetables.

use std::collections::BTreeSet;

use chatplug_sdk::clock::Zone;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::hours::{Holiday, Hours, shown};

/// The settings of office-hours.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Only write to the log what would be done.
    #[serde(default)]
    pub dry_run: bool,
    /// Who works when.
    #[schemars(length(min = 1, max = 100))]
    pub timetables: Vec<Timetable>,
    /// How often everybody is looked at though no hours begin or end, minutes.
    #[serde(default = "quarter_of_an_hour")]
    #[schemars(range(min = 1, max = 1440))]
    pub look_every_minutes: u32,
    /// Tell the team in Slack what was done, by the connection `slack`.
    #[serde(default)]
    pub tell: bool,
    /// The Slack channel, by its id, where the connection `slack` is the Web API; without it it goes where the connection's
    /// incoming webhook leads.
    pub channel: Option<String>,
}

fn quarter_of_an_hour() -> u32 {
    15
}

/// When some people work.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timetable {
    /// Its name, for the log and the team.
    #[schemars(length(min = 1, max = 100))]
    pub name: String,
    /// The IANA time zone that its times are in, such as `Europe/Warsaw`.
    pub timezone: Zone,
    /// The groups whose people go by it, by their ids.
    #[serde(default)]
    pub groups: Vec<i64>,
    /// The agents who go by it, whatever their groups say: e-mail addresses, or ids of bots.
    #[serde(default)]
    pub agents: Vec<String>,
    /// The hours of work. Outside of them all, people are away.
    #[schemars(length(min = 1, max = 100))]
    pub hours: Vec<Hours>,
    /// Days without work, by the clock of the time zone.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    pub holidays: Vec<Holiday>,
}

impl Timetable {
    /// Whether it is a time of work.
    pub fn is_open(&self, at: Timestamp) -> bool {
        let shown = shown(&self.timezone, at);
        !self.holidays.contains(&Holiday(shown.date())) && self.hours.iter().any(|hours| hours.contain(shown))
    }

    /// Whether it names this agent.
    pub fn names(&self, agent_id: &str) -> bool {
        self.agents.iter().any(|named| named.eq_ignore_ascii_case(agent_id))
    }

    fn check(&self) -> Result<(), String> {
        if self.groups.is_empty() && self.agents.is_empty() {
            return Err("it is nobody's; add groups or agents".to_owned());
        }
        if self.hours.is_empty() {
            return Err("it has no hours; add some".to_owned());
        }
        if let Some(at) = self.hours.iter().position(|hours| !hours.are_forward()) {
            return Err(format!(
                "its hours number {} end before they begin; write a night as two: to 24:00, and from 00:00 on the days \
                 that follow",
                at + 1
            ));
        }
        for (number, hours) in self.hours.iter().enumerate() {
            if let Some(other) = self.hours[..number].iter().position(|other| hours.overlap(other)) {
                return Err(format!("its hours number {} and {} overlap", other + 1, number + 1));
            }
        }
        Ok(())
    }
}

impl Settings {
    /// What the schema can't say.
    pub fn check(&self) -> Result<(), String> {
        let (mut names, mut groups, mut agents) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for timetable in &self.timetables {
            let name = &timetable.name;
            if !names.insert(name) {
                return Err(format!("settings: two timetables are called `{name}`; give each its own name"));
            }
            timetable.check().map_err(|problem| format!("settings: timetable `{name}`: {problem}"))?;
            if let Some(group) = timetable.groups.iter().find(|group| !groups.insert(**group)) {
                return Err(format!("settings: timetable `{name}`: group {group} has a timetable already"));
            }
            let twice = timetable.agents.iter().find(|agent| !agents.insert(agent.to_ascii_lowercase()));
            if let Some(agent) = twice {
                return Err(format!("settings: timetable `{name}`: `{agent}` has a timetable already"));
            }
        }
        if names.is_empty() {
            return Err("settings: there is no timetable; add one".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(timetables: &str, expected: Result<(), &str>) {
        let settings = serde_json::from_str::<Settings>(&format!("{{\"timetables\":[{timetables}]}}"));
        let checked = settings.map_err(|error| error.to_string()).and_then(|settings| settings.check());
        match (&checked, expected) {
            (Err(problem), Err(part)) => assert!(problem.contains(part), "{problem:?} lacks {part:?}"),
            _ => assert_eq!(checked, expected.map_err(str::to_owned), "{timetables}"),
        }
    }

    fn timetable(name: &str, whose: &str, hours: &str) -> String {
        format!(r#"{{"name":"{name}","timezone":"UTC",{whose},"hours":[{hours}]}}"#)
    }

    #[test]
    fn wrong_timetables_say_what_is_wrong() {
        let day = r#"{"from":"09:00","to":"17:00"}"#;
        let one = timetable("a", r#""groups":[1]"#, day);
        check(&one, Ok(()));
        check("", Err("there is no timetable"));
        check(&format!("{one},{one}"), Err("two timetables are called `a`"));
        check(
            &format!("{one},{}", timetable("b", r#""groups":[2,1]"#, day)),
            Err("group 1 has a timetable already"),
        );
        let named = |name: &str, agent: &str| timetable(name, &format!(r#""agents":["{agent}"]"#), day);
        check(
            &format!("{},{}", named("a", "kim@example.com"), named("b", "Kim@example.com")),
            Err("`Kim@example.com` has a timetable already"),
        );
        check(&timetable("a", r#""groups":[]"#, day), Err("it is nobody's"));
        check(&timetable("a", r#""groups":[1]"#, ""), Err("it has no hours"));
        check(
            &timetable("a", r#""groups":[1]"#, r#"{"from":"22:00","to":"06:00"}"#),
            Err("number 1 end before they begin"),
        );
        check(
            &timetable("a", r#""groups":[1]"#, r#"{"from":"09:00","to":"09:00"}"#),
            Err("end before they begin"),
        );
        let late = r#"{"days":["mon"],"from":"16:59","to":"18:00"}"#;
        check(
            &timetable("a", r#""groups":[1]"#, &format!("{day},{late}")),
            Err("hours number 1 and 2 overlap"),
        );
        check(&one.replace("UTC", "Mars/Base"), Err("`Mars/Base` is not a time zone"));
        check(&one.replace("\"groups\"", "\"holidays\":[\"2026-13-01\"],\"groups\""), Err("`2026-13-01`"));
        check(&one.replace("groups", "group"), Err("group"));
    }

    #[test]
    fn a_holiday_is_a_day_of_the_zones_clock() {
        let text = r#"{"name":"a","timezone":"America/New_York","groups":[1],"hours":[{"from":"00:00","to":"24:00"}],
            "holidays":["2026-12-25"]}"#;
        let timetable: Timetable = serde_json::from_str(text).expect("a timetable");
        let open = |at: &str| timetable.is_open(at.parse().expect("a timestamp"));
        assert!(open("2026-12-25T04:59:00Z"));
        assert!(!open("2026-12-25T05:00:00Z") && !open("2026-12-26T04:59:00Z"));
        assert!(open("2026-12-26T05:00:00Z"));
    }

    #[test]
    fn a_holiday_begins_and_ends_once_where_clocks_go_back_at_midnight() {
        let text = r#"{"name":"a","timezone":"Asia/Beirut","groups":[1],"hours":[{"from":"00:00","to":"24:00"}],
            "holidays":["HOLIDAY"]}"#;
        let check = |holiday: &str, at: &str, expected: bool| {
            let timetable: Timetable =
                serde_json::from_str(&text.replace("HOLIDAY", holiday)).expect("a timetable");
            let at: Timestamp = at.parse().expect("a timestamp");
            assert_eq!(timetable.is_open(at), expected, "holiday on {holiday}, at {at}");
        };
        // The last hour of the 24th comes twice, from 20:00Z and from 21:00Z.
        check("2026-10-24", "2026-10-24T20:59:59Z", false);
        check("2026-10-24", "2026-10-24T21:00:00Z", false);
        check("2026-10-24", "2026-10-24T21:59:59Z", false);
        check("2026-10-24", "2026-10-24T22:00:00Z", true);
        check("2026-10-25", "2026-10-24T20:59:59Z", true);
        check("2026-10-25", "2026-10-24T21:00:00Z", true);
        check("2026-10-25", "2026-10-24T21:59:59Z", true);
        check("2026-10-25", "2026-10-24T22:00:00Z", false);
    }

    #[test]
    fn the_schema_knows_the_shape_of_days_and_times() {
        let text = schemars::schema_for!(Settings).as_value().to_string();
        for part in ["additionalProperties\":false", "24:00", "{4}-[0-9]{2}", "look_every_minutes"] {
            assert!(text.contains(part), "no {part} in {text}");
        }
    }
}
