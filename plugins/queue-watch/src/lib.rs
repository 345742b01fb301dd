//! queue-watch: a board of the queue as it is now, and an alert when it is too long.

pub mod alert;
pub mod ask;
pub mod board;
pub mod hours;
pub mod look;
pub mod page;
pub mod price;
pub mod settings;
pub mod state;
pub mod turn;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chatplug_sdk::objects::RoutingStatus;
use chatplug_sdk::payload::{
    ChatDeactivated, ChatTransferred, Commanded, IncomingChat, TimerDue, UserAdded, UserRemoved,
};
use chatplug_sdk::prelude::*;
use jiff::Timestamp;

use crate::alert::{Counts, Told, Wish};
use crate::board::{Board, Known, millis, timestamp};
use crate::look::{ChatNews, NEWS_OF, STATUS_OF, StatusNews};
use crate::price::Price;
use crate::settings::{SAMPLE_S, Settings};
use crate::state::{Groups, News, told_ms};
use crate::turn::Turns;

/// The figures, for programs; the host shows them at `/dashboard`, too.
const DASHBOARD: &str = "dashboard.json";
/// The page for a screen on a wall.
const BOARD: &str = "board.html";

/// What the team was told of.
const TOLD: &str = "told";
/// What it has to be told.
const TO_TELL: &str = "to-tell";
/// The samples since something changed.
const COUNTS: &str = "counts";
/// When the hours begin that the board of the time outside of them names, if that was published: milliseconds since
/// 1970, or 0.
const CLOSED: &str = "closed-until";
/// How long the page says that it holds, milliseconds: six samples.
const HOLDS_MS: u64 = 6_000 * SAMPLE_S as u64;

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
            "schedule" => sample(&settings, now()),
            "timer" => on_timer(&settings, &event.payload_as()?),
            "command" => on_command(&settings, &event.payload_as()?),
            "routing_status_set" => on_status(&event, &settings, &event.payload_as()?),
            _ => on_chat(&event, &settings),
        }
    }
}

fn on_command(settings: &Settings, command: &Commanded) -> Result<(), Failure> {
    if command.command == "sample" {
        return sample_at_once(settings, now());
    }
    info!("{}", Price::of(settings).text());
    Ok(())
}

/// Something happened in a chat: it is noted for the next sample, outside of the hours for the first one.
fn on_chat(event: &Event, settings: &Settings) -> Result<(), Failure> {
    let Some(chat_id) = event.chat_id.as_deref() else { return Ok(()) };
    let (at_ms, groups) = (counts_from(event), Groups(&settings.groups));
    let key = format!("{NEWS_OF}{chat_id}");
    let mut news: News = memory::get(&key)?.unwrap_or_default();
    match event.event_type.as_str() {
        "incoming_chat" => news.begin(&event.payload_as::<IncomingChat>()?, at_ms, groups),
        "chat_transferred" => news.transfer(&event.payload_as::<ChatTransferred>()?, at_ms, groups),
        "chat_deactivated" => {
            let _: ChatDeactivated = event.payload_as()?;
            news.end(at_ms);
        }
        "user_added_to_chat" => news.come(&event.payload_as::<UserAdded>()?, at_ms, groups),
        "user_removed_from_chat" => news.go(&event.payload_as::<UserRemoved>()?, at_ms, groups),
        other => {
            return Err(Failure::reject(format!("{other} is not for this plugin: leave it out of `events`")));
        }
    }
    Ok(memory::set_for(&key, &news, look::kept_for(settings, timestamp(event.at_ms()), &news))?)
}

fn on_status(event: &Event, settings: &Settings, set: &RoutingStatus) -> Result<(), Failure> {
    let news = StatusNews { at_ms: counts_from(event), status: set.status.as_str().to_owned() };
    Ok(memory::set_for(&format!("{STATUS_OF}{}", set.agent_id), &news, look::lifetime(settings))?)
}

fn counts_from(event: &Event) -> u64 {
    told_ms(event.recovered(), event.at_ms(), event.received_at_ms)
}

/// Does what waits for others, each in its own event.
fn on_timer(settings: &Settings, due: &TimerDue) -> Result<(), Failure> {
    let at = now();
    match due.key.as_str() {
        turn::TELL => tell(settings)?,
        // It may have waited for LiveChat until after the hours.
        _ if !settings.is_open(at) => {}
        turn::POLL => ask::poll(settings, at, &look::news()?)?,
        turn::REPORTS => ask::reports(settings, at)?,
        other => return Err(Failure::reject(format!("the timer `{other}` is none of this version's"))),
    }
    turn::end(&due.key, due.payload_as()?)
}

/// Publishes the board from what is known, and has the host come back for what is due. A sample never waits for others.
fn sample(settings: &Settings, at: Timestamp) -> Result<(), Failure> {
    if !settings.is_open(at) {
        return close(settings, at);
    }
    let now_ms = millis(at);
    for (work, every_ms) in [
        (turn::POLL, u64::from(settings.poll_s()) * 1_000),
        (turn::REPORTS, look::reports_every_ms(settings, at)?),
    ] {
        if Turns::of(work)?.is_due(now_ms, every_ms) {
            turn::begin(work, now_ms)?;
        }
    }
    show(settings, at, &look::news()?)
}

/// The same for somebody who waits for the board: what is due is asked before.
fn sample_at_once(settings: &Settings, at: Timestamp) -> Result<(), Failure> {
    if !settings.is_open(at) {
        return close(settings, at);
    }
    let (now_ms, news) = (millis(at), look::news()?);
    if Turns::of(turn::POLL)?.is_wanted(now_ms, u64::from(settings.poll_s()) * 1_000) {
        ask::poll(settings, at, &news)?;
        turn::end(turn::POLL, now_ms)?;
    }
    if Turns::of(turn::REPORTS)?.is_wanted(now_ms, look::reports_every_ms(settings, at)?) {
        ask::reports(settings, at)?;
        turn::end(turn::REPORTS, now_ms)?;
    }
    show(settings, at, &news)
}

fn show(settings: &Settings, at: Timestamp, news: &Known<ChatNews>) -> Result<(), Failure> {
    if memory::get::<u64>(CLOSED)?.is_some() {
        memory::delete(CLOSED)?;
    }
    let board = Board::of(&settings.title, &look::look(settings, at, news)?);
    publish(settings, &board, Some(at))?;
    let told: Told = memory::get(TOLD)?.unwrap_or_default();
    let before: Option<Wish> = memory::get(TO_TELL)?;
    let sample = board.sample();
    if !sample.is_known() {
        // What waits to be told still waits.
        let wish = before.clone().filter(|wish| wish.told != told);
        return see_that_it_is_told(before, wish, millis(at));
    }
    let counts: Counts = memory::get(COUNTS)?.unwrap_or_default();
    let (after, wish) = alert::next(told, counts, sample, &settings.alerts);
    if after != counts {
        memory::set(COUNTS, &after)?;
    }
    see_that_it_is_told(before, wish, millis(at))
}

/// Outside the office hours there is one board that says so.
fn close(settings: &Settings, at: Timestamp) -> Result<(), Failure> {
    let opens = settings.opens(at);
    let until_ms = opens.map_or(0, millis);
    if memory::get::<u64>(CLOSED)? != Some(until_ms) {
        publish(settings, &Board::closed(&settings.title, at), opens)?;
        memory::delete(COUNTS)?;
        memory::set(CLOSED, &until_ms)?;
    }
    let told: Told = memory::get(TOLD)?.unwrap_or_default();
    see_that_it_is_told(memory::get(TO_TELL)?, alert::closing(told), millis(at))
}

/// Keeps what the team has to be told, and has the host come back for it. It is told with each sample until it succeeds.
fn see_that_it_is_told(before: Option<Wish>, wish: Option<Wish>, now_ms: u64) -> Result<(), Failure> {
    match &wish {
        Some(now) if before != wish => memory::set(TO_TELL, now)?,
        None if before.is_some() => memory::delete(TO_TELL)?,
        _ => {}
    }
    if wish.is_some() && Turns::of(turn::TELL)?.is_due(now_ms, 0) {
        turn::begin(turn::TELL, now_ms)?;
    }
    Ok(())
}

/// Tells the team what it has to be told, if it still has to. Only then it counts as told.
fn tell(settings: &Settings) -> Result<(), Failure> {
    let Some(wish) = memory::get::<Wish>(TO_TELL)? else { return Ok(()) };
    if memory::get::<Told>(TOLD)?.unwrap_or_default() == wish.told {
        return Ok(());
    }
    if let Err(error) = alert::post(settings.alerts.channel.as_deref(), &wish.texts) {
        warn!("the team could not be told: {error}");
        return Ok(());
    }
    info!("told the team: {}", wish.texts.join(" "));
    Ok(memory::set(TOLD, &wish.told)?)
}

/// Publishes a board, with `next` as the time from which on another one may be expected.
fn publish(settings: &Settings, board: &Board, next: Option<Timestamp>) -> Result<(), Failure> {
    let valid_until = next.map(|next| timestamp(millis(next) + HOLDS_MS));
    files::publish_json(DASHBOARD, board)?;
    let page = page::page(board, &settings.alerts, &settings.timezone.0, valid_until);
    files::publish(BOARD, MediaType::Html, page)?;
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
        // What README and `samples` go by.
        assert_eq!(manifest["schedules"], json!([{ "name": "sample", "every_s": 30, "catch_up": false }]));
        assert_eq!((SAMPLE_S, HOLDS_MS), (30, 180_000));
        for connection in manifest["connections"].as_array().expect("connections") {
            let name = connection.as_str().expect("a name");
            assert!(config["connections"][name].is_object(), "no section for {name}");
        }
    }
}
