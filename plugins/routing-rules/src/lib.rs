//! routing-rules: sends new chats to the right group or agent, by rules in the operator's settings.

mod alert;
pub mod decision;
pub mod facts;
pub mod hours;
pub mod pattern;
pub mod routing;
pub mod settings;
pub mod thread;
mod waiting;

use std::time::{SystemTime, UNIX_EPOCH};

use chatplug_sdk::payload::{ChatDeactivated, ChatTransferred, EventInChat, IncomingChat, TimerDue};
use chatplug_sdk::prelude::*;

use crate::routing::Routing;
use crate::settings::Settings;

/// Chats are not routed by events that are older than this, in milliseconds: by then somebody has seen the customer.
const TOO_OLD_MS: u64 = 10 * 60_000;

struct RoutingRules;

chatplug_sdk::plugin!(RoutingRules);

impl Plugin for RoutingRules {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest::new("routing-rules", env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_DESCRIPTION"))
            .on("incoming_chat")
            .on("incoming_event")
            .on("chat_transferred")
            .on("chat_deactivated")
            .connection(alert::CONNECTION)
    }

    fn handle(event: Event, settings: Settings) -> Result<(), Failure> {
        settings.check().map_err(Failure::Reject)?;
        match event.event_type.as_str() {
            "incoming_chat" => on_chat(&event, &settings, event.payload_as()?),
            "incoming_event" => on_event(&event, &settings, event.payload_as()?),
            "chat_transferred" => on_transfer(&event, &settings, event.payload_as()?),
            "chat_deactivated" => on_end(&settings, &event.payload_as()?),
            "timer" => on_timer(&event, &settings, &event.payload_as()?),
            other => {
                Err(Failure::reject(format!("{other} is not for this plugin: leave it out of `events`")))
            }
        }
    }
}

fn on_transfer(event: &Event, settings: &Settings, transferred: ChatTransferred) -> Result<(), Failure> {
    let Some(thread_id) = &transferred.thread_id else { return Ok(()) };
    if transferred.reason != "manual" || event.own() {
        return Ok(());
    }
    Routing { settings, chat_id: &transferred.chat_id, thread_id }.leave_to_people()
}

fn on_end(settings: &Settings, ended: &ChatDeactivated) -> Result<(), Failure> {
    waiting::on_answer(settings, &ended.chat_id, &ended.thread_id)
}

fn on_timer(event: &Event, settings: &Settings, due: &TimerDue) -> Result<(), Failure> {
    event.chat_id.as_deref().map_or(Ok(()), |chat_id| waiting::on_timer(settings, chat_id, due))
}

fn on_chat(event: &Event, settings: &Settings, incoming: IncomingChat) -> Result<(), Failure> {
    let routing = Routing { settings, chat_id: &incoming.chat.id, thread_id: &incoming.chat.thread.id };
    if incoming.transferred_from.is_some() {
        return routing.leave_to_people();
    }
    waiting::on_chat(settings, routing.thread_id, age_ms(event, now_ms()))?;
    if is_past(event, now_ms()) {
        return Ok(());
    }
    if event.attempt == 1 && !event.recovered() && !routing.thread_id.is_empty() {
        return routing.route(&incoming.chat, event.at_ms());
    }
    // Time has passed, and the chat may have ended, or somebody may have written meanwhile; or the webhook's format has no threads.
    let Some(chat) = active(routing.chat_id, routing.thread_id)? else { return Ok(()) };
    Routing { thread_id: &chat.thread.id, ..routing }.route(&chat, event.at_ms())
}

fn on_event(event: &Event, settings: &Settings, said: EventInChat) -> Result<(), Failure> {
    let routing = Routing { settings, chat_id: &said.chat_id, thread_id: &said.thread_id };
    let age_ms = age_ms(event, now_ms());
    if thread::is_answer(&said.event) {
        return match event.recovered() {
            true => waiting::on_recovered_answer(settings, &said.thread_id, age_ms),
            false => waiting::on_answer(settings, &said.chat_id, &said.thread_id),
        };
    }
    if !thread::may_be_customers(&said.event) {
        return Ok(());
    }
    waiting::on_customer(settings, &said, age_ms)?;
    if said.event.message().is_none() || settings.rules.is_empty() || is_past(event, now_ms()) {
        return Ok(());
    }
    if routing.is_examined()? {
        return Ok(());
    }
    let Some(mut chat) = active(routing.chat_id, routing.thread_id)? else { return Ok(()) };
    if !chat.thread.events.iter().any(|known| known.id == said.event.id) {
        chat.thread.events.push(said.event.clone());
    }
    match thread::customer_messages(&chat).next() {
        Some(first) if first.id == said.event.id => routing.route(&chat, event.at_ms()),
        // The plugin wasn't there when the customer began.
        Some(_) => routing.set_examined(),
        None => Ok(()),
    }
}

/// The chat as it is now; `None` if it has ended or is gone.
fn active(chat_id: &str, thread_id: &str) -> Result<Option<Chat>, Failure> {
    let chat = if thread_id.is_empty() { chats::get(chat_id) } else { chats::get_thread(chat_id, thread_id) };
    match chat {
        Ok(chat) if chat.thread.active => Ok(Some(chat)),
        Err(error) if error.code != ErrorCode::NotFound => Err(error.into()),
        _ => {
            info!(chat = chat_id, "the chat has ended: nothing to route");
            Ok(None)
        }
    }
}

/// Whether it is too late to route: the host learned of it long after, or it waited. What was recovered after a short outage
/// may be young: it goes by its age, too.
fn is_past(event: &Event, now_ms: u64) -> bool {
    let age_ms = age_ms(event, now_ms);
    let past = age_ms > TOO_OLD_MS;
    if past {
        info!("did not route the chat: its event is {} s old{}", age_ms / 1000, recovered_words(event));
    }
    past
}

fn age_ms(event: &Event, now_ms: u64) -> u64 {
    now_ms.saturating_sub(event.at_ms())
}

fn recovered_words(event: &Event) -> &'static str {
    if event.recovered() { " and was recovered after an outage" } else { "" }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
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
        let plugin = &config["plugin"]["routing-rules"];
        let settings: Settings = serde_json::from_value(plugin["settings"].clone()).expect("settings");
        settings.check().expect("settings");
        let manifest = serde_json::to_value(RoutingRules::manifest()).expect("a manifest");
        assert_eq!(manifest["events"], plugin["events"]);
        assert_eq!(manifest["name"], "routing-rules");
        for connection in manifest["connections"].as_array().expect("connections") {
            let name = connection.as_str().expect("a name");
            assert!(config["connections"][name].is_object(), "no section for {name}");
        }
    }
}
