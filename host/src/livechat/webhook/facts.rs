//! What an event belongs to, when it happened, and how a repetition of it is recognised.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::json::Object;
use super::payload::Payload;
use crate::event::{Dedupe, lane};

/// See the fields of the same names in [`crate::event::NewEvent`].
pub(super) struct Facts {
    pub(super) chat_id: Option<String>,
    pub(super) thread_id: Option<String>,
    pub(super) lane: Option<String>,
    pub(super) occurred_at_ms: Option<i64>,
    pub(super) dedupe: Dedupe,
}

/// The facts of a payload in the v3.6 shape.
pub(super) fn of(event_type: &str, payload: &Payload) -> Facts {
    let (chat_id, thread_id) = place(event_type, payload);
    let lane = match &chat_id {
        Some(chat_id) => Some(lane::of_chat(chat_id)),
        None => lane_without_chat(event_type, payload),
    };
    let dedupe = match natural_key(event_type, payload, thread_id.as_deref()) {
        Some(key) if chat_id.is_some() => {
            Dedupe::Key(prefixed(chat_id.as_deref(), thread_id.as_deref(), event_type, &key))
        }
        _ => Dedupe::Window(prefixed(
            chat_id.as_deref(),
            thread_id.as_deref(),
            event_type,
            &content_key(event_type, payload),
        )),
    };
    Facts { lane, occurred_at_ms: occurred_at_ms(event_type, payload), dedupe, chat_id, thread_id }
}

/// The key of a chat event, wherever it comes from.
pub(super) fn chat_event_key(chat_id: &str, thread_id: Option<&str>, event_id: &str) -> Dedupe {
    Dedupe::Key(prefixed(Some(chat_id), thread_id, "incoming_event", event_id))
}

/// A time of the platform, in milliseconds since 1970.
pub(super) fn time_ms(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// The chat and the thread.
fn place(event_type: &str, payload: &Payload) -> (Option<String>, Option<String>) {
    let id = |object: &Object, name| object.id(name).map(|id| id.into_owned());
    match event_type {
        "incoming_chat" => (id(&payload.chat, "id"), id(&payload.thread, "id")),
        "chat_access_updated" => (id(&payload.root, "id"), None),
        "customer_session_fields_updated" => {
            let chat = payload.root.object("active_chat");
            (id(&chat, "chat_id"), id(&chat, "thread_id"))
        }
        _ => (id(&payload.root, "chat_id"), id(&payload.root, "thread_id")),
    }
}

fn lane_without_chat(event_type: &str, payload: &Payload) -> Option<String> {
    match event_type {
        "routing_status_set" => Some(lane::of_agent(&payload.root.id("agent_id")?)),
        "customer_session_fields_updated" => Some(lane::of_customer(&payload.root.id("id")?)),
        // A bot is an agent to LiveChat: both have routing statuses.
        _ if event_type.starts_with("agent_") || event_type.starts_with("bot_") => {
            Some(lane::of_agent(&payload.root.id("id")?))
        }
        _ => None,
    }
}

/// What tells an event from all others of its type, chat and thread; `None` if nothing does. Nothing tells one update of a
/// chat event from a later one that sets it back to the same.
fn natural_key(event_type: &str, payload: &Payload, thread_id: Option<&str>) -> Option<String> {
    match event_type {
        "incoming_event" => Some(payload.event.id("id")?.into_owned()),
        "event_deleted" => Some(payload.root.id("event_id")?.into_owned()),
        "incoming_chat" | "chat_deactivated" if thread_id.is_some() => Some(String::new()),
        // A format without thread ids: a conversation is one by when it began.
        "incoming_chat" | "chat_deactivated" => Some(payload.thread.id("created_at")?.into_owned()),
        _ => None,
    }
}

/// What is equal in repetitions of an event that nothing else tells from others. Of a tag the name, so that one that
/// LiveChat lists is known to be one that it told of.
fn content_key(event_type: &str, payload: &Payload) -> String {
    let tag = ["thread_tagged", "thread_untagged"].contains(&event_type).then(|| payload.root.text("tag"));
    tag.flatten().map_or_else(|| hash(payload.text), |tag| hash(&tag))
}

/// `event_updated` has no time: the chat event's is that of its creation, which may be long ago.
fn occurred_at_ms(event_type: &str, payload: &Payload) -> Option<i64> {
    let time = match event_type {
        "incoming_event" => payload.event.text("created_at"),
        "incoming_chat" => payload.thread.text("created_at"),
        "chat_transferred" => payload.root.object("queue").text("queued_at"),
        "thread_summary_set" => payload.root.object("summary").text("updated_at"),
        "tag_created" => payload.root.text("created_at"),
        _ => None,
    };
    time_ms(&time?)
}

/// Ids have no spaces, so that no two keys run into each other.
fn prefixed(chat_id: Option<&str>, thread_id: Option<&str>, event_type: &str, rest: &str) -> String {
    let key = format!("{} {} {event_type} {rest}", chat_id.unwrap_or("-"), thread_id.unwrap_or("-"));
    key.trim_end().to_owned()
}

/// The first half of the SHA-256, in hex.
fn hash(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digest = Sha256::digest(text);
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    digest[..16].iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
