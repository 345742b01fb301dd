//! queue-watch: a board of the queue as it is now, and an alert when it is too long.

pub mod alert;
pub mod board;
pub mod hours;
pub mod look;
pub mod page;
pub mod price;
pub mod settings;
pub mod state;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chatplug_sdk::objects::RoutingStatus;
use chatplug_sdk::payload::{
    ChatDeactivated, ChatTransferred, Commanded, IncomingChat, UserAdded, UserRemoved,
};
use chatplug_sdk::prelude::*;
use jiff::Timestamp;

use crate::alert::Standings;
use crate::board::{Board, timestamp};
use crate::look::{NEWS_OF, STATUS_OF, StatusNews};
use crate::price::Price;
use crate::settings::{SAMPLE_S, Settings};
use crate::state::News;

/// The figures, for programs; the host shows them at `/dashboard`, too.
const DASHBOARD: &str = "dashboard.json";
/// The page for a screen on a wall.
const BOARD: &str = "board.html";

const STANDINGS: &str = "alerts";
/// Whether the board of the time outside the office hours was published.
const CLOSED: &str = "closed";

struct QueueWatch;

chatplug_sdk::plugin!(QueueWatch);

impl Plugin for QueueWatch {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest::new("queue-watch", env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_DESCRIPTION"))
            .on("incoming_chat")
            .on("chat_transferred")
            .on("chat_deactivated")
            .on("user_added_to_chat")
            .on("user_removed_from_chat")
            .on("routing_status_set")
            .connection(alert::CONNECTION)
            .schedule(Schedule::every("sample", Duration::from_secs(SAMPLE_S.into())))
            .command("check", "Says what the settings cost")
            .command("sample", "Takes a sample now")
    }

    fn handle(event: Event, settings: Settings) -> Result<(), Failure> {
        match event.event_type.as_str() {
            "schedule" => sample(&settings),
            "command" => on_command(&settings, &event.payload_as()?),
            "routing_status_set" => on_status(&event, &settings, &event.payload_as()?),
            _ => on_chat(&event, &settings),
        }
    }
}

fn on_command(settings: &Settings, command: &Commanded) -> Result<(), Failure> {
    if command.command == "sample" {
        return sample(settings);
    }
    info!("{}", Price::of(settings).text());
    Ok(())
}

/// Something happened in a chat: it is noted for the next sample.
fn on_chat(event: &Event, settings: &Settings) -> Result<(), Failure> {
    let Some(chat_id) = event.chat_id.as_deref() else { return Ok(()) };
    let at_ms = event.at_ms();
    if !settings.is_open(timestamp(at_ms)) {
        return Ok(());
    }
    let key = format!("{NEWS_OF}{chat_id}");
    let mut news: News = memory::get(&key)?.unwrap_or_default();
    match event.event_type.as_str() {
        "incoming_chat" => news.begin(&event.payload_as::<IncomingChat>()?, at_ms),
        "chat_transferred" => news.transfer(&event.payload_as::<ChatTransferred>()?, at_ms),
        "chat_deactivated" => {
            let _: ChatDeactivated = event.payload_as()?;
            news.end(at_ms);
        }
        "user_added_to_chat" => news.come(&event.payload_as::<UserAdded>()?, at_ms),
        "user_removed_from_chat" => news.go(&event.payload_as::<UserRemoved>()?, at_ms),
        other => {
            return Err(Failure::reject(format!("{other} is not for this plugin: leave it out of `events`")));
        }
    }
    Ok(memory::set_for(&key, &news, look::lifetime(settings))?)
}

fn on_status(event: &Event, settings: &Settings, set: &RoutingStatus) -> Result<(), Failure> {
    let news = StatusNews { at_ms: event.at_ms(), status: set.status.as_str().to_owned() };
    Ok(memory::set_for(&format!("{STATUS_OF}{}", set.agent_id), &news, look::lifetime(settings))?)
}

/// Looks at the queue, publishes the board, and tells the team if it has to be told.
fn sample(settings: &Settings) -> Result<(), Failure> {
    let at = now();
    if !settings.is_open(at) {
        return close(settings, at);
    }
    memory::delete(CLOSED)?;
    let board = Board::of(&settings.title, &look::look(settings, at)?);
    publish(settings, &board)?;
    let before: Standings = memory::get(STANDINGS)?.unwrap_or_default();
    let (after, texts) = alert::next(before, board.sample(), &settings.alerts);
    tell(settings, &texts, before, after)
}

/// Outside the office hours there is one board that says so.
fn close(settings: &Settings, at: Timestamp) -> Result<(), Failure> {
    if memory::get::<bool>(CLOSED)? == Some(true) {
        return Ok(());
    }
    publish(settings, &Board::closed(&settings.title, at))?;
    let before: Standings = memory::get(STANDINGS)?.unwrap_or_default();
    tell(settings, &Vec::from_iter(alert::closing(before)), before, Standings::default())?;
    Ok(memory::set(CLOSED, &true)?)
}

fn publish(settings: &Settings, board: &Board) -> Result<(), Failure> {
    files::publish_json(DASHBOARD, board)?;
    files::publish(BOARD, MediaType::Html, page::page(board, &settings.alerts, &settings.timezone.0))?;
    Ok(())
}

/// Tells the team. What can't be told now is told with a later sample.
fn tell(settings: &Settings, texts: &[String], before: Standings, after: Standings) -> Result<(), Failure> {
    if !texts.is_empty() {
        if let Err(error) = alert::post(settings.alerts.channel.as_deref(), texts) {
            warn!("the team could not be told: {error}");
            return Ok(());
        }
        info!("told the team: {}", texts.join(" "));
    }
    if after != before {
        memory::set(STANDINGS, &after)?;
    }
    Ok(())
}

fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    timestamp(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The section to paste, as the README shows it.
    const README: &str = include_str!("../README.md");

    #[test]
    fn the_readmes_section_is_right() {
        let section = README.split("```toml").nth(1).and_then(|rest| rest.split("```").next());
        let config: Value = toml::from_str(section.expect("a section")).expect("TOML");
        let plugin = &config["plugin"]["queue-watch"];
        let settings: Settings = serde_json::from_value(plugin["settings"].clone()).expect("settings");
        assert!(Price::of(&settings).dollars() < 30.0);
        let manifest = serde_json::to_value(QueueWatch::manifest()).expect("a manifest");
        assert_eq!(manifest["events"], plugin["events"]);
        assert_eq!(manifest["name"], "queue-watch");
        for connection in manifest["connections"].as_array().expect("connections") {
            let name = connection.as_str().expect("a name");
            assert!(config["connections"][name].is_object(), "no section for {name}");
        }
    }
}
