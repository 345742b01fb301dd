//! crm-notes: writes a note about each finished chat to the customer's contact in HubSpot.

pub mod conversation;
pub mod hubspot;
pub mod note;
pub mod settings;
pub mod text;
pub mod transcript;
pub mod writing;

use std::time::{SystemTime, UNIX_EPOCH};

use chatplug_sdk::payload::{ChatDeactivated, ChatRated};
use chatplug_sdk::prelude::*;

use crate::conversation::Rating;
use crate::settings::Settings;
use crate::writing::Writing;

struct CrmNotes;

chatplug_sdk::plugin!(CrmNotes);

impl Plugin for CrmNotes {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest::new("crm-notes", env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_DESCRIPTION"))
            .on("chat_deactivated")
            .on("chat_rated")
            .connection(hubspot::CONNECTION)
    }

    fn handle(event: Event, settings: Settings) -> Result<(), Failure> {
        settings.check().map_err(Failure::Reject)?;
        match event.event_type.as_str() {
            "chat_deactivated" => on_end(&settings, event.payload_as()?),
            "chat_rated" => on_rating(&settings, event.payload_as()?),
            other => {
                Err(Failure::reject(format!("{other} is not for this plugin: leave it out of `events`")))
            }
        }
    }
}

fn on_end(settings: &Settings, ended: ChatDeactivated) -> Result<(), Failure> {
    let chat = fetch(&ended.chat_id, &ended.thread_id)?;
    writing(settings, &chat).write(&chat)
}

/// A rating mostly comes after the chat's end, and changes the note; during the chat it waits for the end.
fn on_rating(settings: &Settings, rated: ChatRated) -> Result<(), Failure> {
    let chat = fetch(&rated.chat_id, &rated.thread_id)?;
    let writing = writing(settings, &chat);
    writing.remember(&Rating {
        score: rated.score,
        scale: rated.scale.to_string(),
        comment: rated.comment,
    })?;
    if chat.thread.active {
        info!(chat = writing.chat_id, "the chat goes on: its note will tell the rating");
        return Ok(());
    }
    writing.write(&chat)
}

/// The chat with the thread, or with its newest thread where the webhook's format names none.
fn fetch(chat_id: &str, thread_id: &str) -> Result<Chat, Failure> {
    let chat = if thread_id.is_empty() { chats::get(chat_id) } else { chats::get_thread(chat_id, thread_id) };
    Ok(chat?)
}

fn writing<'a>(settings: &'a Settings, chat: &'a Chat) -> Writing<'a> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    Writing { settings, chat_id: &chat.id, thread_id: &chat.thread.id, now_ms }
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
        let plugin = &config["plugin"]["crm-notes"];
        let settings: Settings = serde_json::from_value(plugin["settings"].clone()).expect("settings");
        settings.check().expect("settings");
        let manifest = serde_json::to_value(CrmNotes::manifest()).expect("a manifest");
        assert_eq!(manifest["events"], plugin["events"]);
        assert_eq!(manifest["name"], "crm-notes");
        for connection in manifest["connections"].as_array().expect("connections") {
            let name = connection.as_str().expect("a name");
            assert!(config["connections"][name].is_object(), "no section for {name}");
        }
    }
}
