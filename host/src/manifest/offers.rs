//! What a plugin does unasked, and what operators can ask of it.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::is_kebab_case;
use crate::schedule::Rule;

/// Schedules of one plugin, and commands.
const OFFERS_MAX: usize = 32;

/// Something that the plugin does again and again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Its name, kebab-case.
    pub name: String,
    /// When: a pattern of five fields.
    #[serde(default)]
    pub cron: Option<String>,
    /// The zone of the pattern, an IANA name; by default the account's.
    #[serde(default)]
    pub timezone: Option<String>,
    /// Or else: how often, seconds.
    #[serde(default)]
    pub every_s: Option<u64>,
    /// Whether it is done once for the times that were missed.
    #[serde(default)]
    pub catch_up: bool,
}

impl Schedule {
    /// The rule; `account` is the account's zone, which counts where the schedule names none.
    ///
    /// # Errors
    /// A sentence on what is wrong with it.
    pub fn rule(&self, account: &TimeZone) -> Result<Rule, String> {
        match (&self.cron, self.every_s, &self.timezone) {
            (Some(pattern), None, zone) => Rule::cron(pattern, zone_named(zone.as_deref(), account)?),
            (None, Some(seconds), None) => Rule::every(seconds),
            (None, Some(_), Some(_)) => Err("a timezone means something only beside cron".to_owned()),
            _ => Err("it has either cron or every_s".to_owned()),
        }
    }
}

/// A zone by its IANA name, or else `account`.
fn zone_named(name: Option<&str>, account: &TimeZone) -> Result<TimeZone, String> {
    let Some(name) = name else { return Ok(account.clone()) };
    TimeZone::get(name).map_err(|_| {
        format!("`{}` is no time zone: write an IANA name such as \"Europe/Warsaw\"", name.escape_debug())
    })
}

/// Something that an operator can ask of the plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Its name, kebab-case.
    pub name: String,
    /// One line: what it does, and its arguments.
    #[serde(default)]
    pub description: String,
}

/// Checks names and rules.
pub(super) fn check(schedules: &[Schedule], commands: &[Command]) -> Result<(), String> {
    names("schedule", schedules.iter().map(|one| one.name.as_str()))?;
    names("command", commands.iter().map(|one| one.name.as_str()))?;
    for schedule in schedules {
        let wrong = |reason| format!("the manifest's schedule `{}`: {reason}", schedule.name);
        schedule.rule(&TimeZone::UTC).map_err(wrong)?;
    }
    Ok(())
}

fn names<'a>(what: &str, all: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut known = BTreeSet::new();
    for name in all {
        if !is_kebab_case(name) {
            return Err(format!(
                "the manifest's {what} `{}` is not named in kebab-case: rename it",
                name.escape_debug()
            ));
        }
        if !known.insert(name) {
            return Err(format!("the manifest has two {what}s `{name}`: rename one"));
        }
    }
    match known.len() > OFFERS_MAX {
        true => Err(format!("the manifest has {} {what}s, at most {OFFERS_MAX} are allowed", known.len())),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::manifest::Manifest;

    fn check(fields: Value, expected: Result<(), &str>) {
        let mut manifest = json!({ "name": "a", "release": "1", "description": "d", "events": [] });
        manifest.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        let parsed = Manifest::parse(&manifest.to_string()).map(|_| ());
        match (&parsed, expected) {
            (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
            _ => assert_eq!(parsed, expected.map_err(str::to_owned), "{fields}"),
        }
    }

    #[test]
    fn schedules_and_commands_are_checked_when_a_plugin_is_loaded() {
        let schedules = |one: Value| json!({ "schedules": [one] });
        check(schedules(json!({ "name": "a", "cron": "0 3 * * *", "timezone": "Europe/Warsaw" })), Ok(()));
        check(schedules(json!({ "name": "a", "every_s": 30, "catch_up": true, "newer": 1 })), Ok(()));
        check(schedules(json!({ "name": "a" })), Err("schedule `a`: it has either cron or every_s"));
        check(schedules(json!({ "name": "a", "every_s": 1, "cron": "* * * * *" })), Err("either"));
        check(schedules(json!({ "name": "a", "every_s": 1, "timezone": "UTC" })), Err("only beside cron"));
        check(schedules(json!({ "name": "a", "cron": "0 3 * *" })), Err("4 fields, not five"));
        check(
            schedules(json!({ "name": "a", "cron": "0 3 * * *", "timezone": "Mars" })),
            Err("no time zone"),
        );
        check(schedules(json!({ "name": "A", "every_s": 1 })), Err("kebab-case"));
        let two = json!([{ "name": "a", "every_s": 1 }, { "name": "a", "every_s": 2 }]);
        check(json!({ "schedules": two }), Err("two schedules `a`"));
        check(json!({ "commands": [{ "name": "report" }, { "name": "b", "description": "c" }] }), Ok(()));
        check(json!({ "commands": [{ "name": "re port" }] }), Err("kebab-case"));
        let many: Vec<Value> = (0..33).map(|number| json!({ "name": format!("c{number}") })).collect();
        check(json!({ "commands": many }), Err("33 commands"));
    }
}
