//! office-hours: sets by a timetable who accepts chats.

pub mod duty;
pub mod hours;
mod look;
pub mod settings;
mod slack;
pub mod sweep;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chatplug_sdk::objects::{RoutingStatus, Status};
use chatplug_sdk::payload::{Commanded, TimerDue};
use chatplug_sdk::prelude::*;
use jiff::Timestamp;

use crate::look::Look;
use crate::settings::Settings;

struct OfficeHours;

chatplug_sdk::plugin!(OfficeHours);

impl Plugin for OfficeHours {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest::new("office-hours", env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_DESCRIPTION"))
            .on("routing_status_set")
            .connection(slack::CONNECTION)
            .schedule(Schedule::every("minute", Duration::from_secs(60)).catch_up())
            .command("check", "Says which timetables are open, and what the settings cost")
            .command("apply", "Sets everybody as the timetables say, now")
            .command("show", "Says which timetables are open: now, or --at 2026-12-24T17:00:00Z")
    }

    fn handle(event: Event, settings: Settings) -> Result<(), Failure> {
        settings.check().map_err(Failure::Reject)?;
        let look = Look { settings: &settings, at: now(), event_id: &event.id };
        match event.event_type.as_str() {
            "routing_status_set" => on_status(&event.payload_as()?, &look),
            "schedule" => look.if_due(),
            "timer" => on_timer(&event.payload_as()?, &look),
            "command" => on_command(&event.payload_as()?, &look),
            other => {
                Err(Failure::reject(format!("{other} is not for this plugin: leave it out of `events`")))
            }
        }
    }
}

fn on_status(set: &RoutingStatus, look: &Look<'_>) -> Result<(), Failure> {
    match set.status {
        Status::AcceptingChats => look.agent(&set.agent_id),
        _ => Ok(()),
    }
}

fn on_timer(due: &TimerDue, look: &Look<'_>) -> Result<(), Failure> {
    if due.key.starts_with(slack::TELL) {
        return slack::tell(look.settings, &due.payload_as::<String>()?);
    }
    look.go_on(due.payload_as::<Option<_>>()?.as_ref())
}

fn on_command(command: &Commanded, look: &Look<'_>) -> Result<(), Failure> {
    match command.command.as_str() {
        "apply" => return look.everybody(),
        "check" => info!("{}", cost(look.settings)),
        _ => {}
    }
    let at = match command.argument("at") {
        None => look.at,
        Some(text) => text.parse().map_err(|_| {
            Failure::reject(format!("`{text}` is not a time; write it like 2026-12-24T17:00:00Z"))
        })?,
    };
    info!("{at}: {}", duty::phase(look.settings, at));
    Ok(())
}

/// What looking costs at LiveChat's list price, without what happens at the hours' ends.
fn cost(settings: &Settings) -> String {
    const MINUTES_A_MONTH: usize = 30 * 24 * 60;
    const CENTS_A_THOUSAND: usize = 27;
    let groups: usize = settings.timetables.iter().map(|timetable| timetable.groups.len()).sum();
    let names_agents = settings.timetables.iter().any(|timetable| !timetable.agents.is_empty());
    let every = usize::try_from(settings.look_every_minutes.max(1)).unwrap_or(usize::MAX);
    let calls = (groups + usize::from(names_agents)) * (MINUTES_A_MONTH / every);
    let cents = calls * CENTS_A_THOUSAND / 1000;
    format!("about {calls} calls a month: ${}.{:02} at LiveChat's list price", cents / 100, cents % 100)
}

fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis())
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_at_a_group_every_15_minutes_costs_less_than_a_dollar() {
        let settings = r#"{"timetables":[
            {"name":"a","timezone":"UTC","groups":[1,2],"agents":["a@b.c"],"hours":[{"from":"09:00","to":"17:00"}]}]}"#;
        let settings: Settings = serde_json::from_str(settings).expect("settings");
        assert_eq!(cost(&settings), "about 8640 calls a month: $2.33 at LiveChat's list price");
    }

    /// The section to paste, as the README shows it.
    const README: &str = include_str!("../README.md");

    #[test]
    fn the_readmes_section_is_right() {
        let section = README.split("```toml").nth(1).and_then(|rest| rest.split("```").next());
        let config: Value = toml::from_str(section.expect("a section")).expect("TOML");
        let plugin = &config["plugin"]["office-hours"];
        let settings: Settings = serde_json::from_value(plugin["settings"].clone()).expect("settings");
        settings.check().expect("settings");
        let manifest = serde_json::to_value(OfficeHours::manifest()).expect("a manifest");
        assert_eq!(manifest["events"], plugin["events"]);
        assert_eq!(manifest["name"], "office-hours");
        // After an outage the first minute catches up.
        assert_eq!(manifest["schedules"], json!([{ "name": "minute", "every_s": 60, "catch_up": true }]));
        assert!(config["connections"]["slack"].is_object());
    }
}
