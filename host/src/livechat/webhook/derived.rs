//! Messages that come only inside of an `incoming_chat`. Whether LiveChat sends them as `incoming_event`s too
//! is not documented; with the key of one, whichever comes first is kept.

use serde_json::value::RawValue;

use super::facts::{self, Facts};
use super::json::{Object, quoted};
use super::payload::Payload;
use super::reading::Reading;
use super::trace::{self, Us, Users};
use crate::event::{NewEvent, Source};

/// The most events that are made of one webhook. A chat begins with a handful; all stay in its payload.
const MOST: usize = 100;

pub(super) fn incoming_events(us: &Us, reading: &Reading, payload: &Payload, facts: &Facts) -> Vec<NewEvent> {
    if reading.event_type != "incoming_chat" {
        return Vec::new();
    }
    let Some(chat_id) = &facts.chat_id else { return Vec::new() };
    let chat = Chat { us, users: Users::of(&payload.chat), reading, facts, chat_id };
    let inside = payload.thread.array("events");
    inside.into_iter().filter_map(|raw| chat.incoming_event(raw)).take(MOST).collect()
}

/// The `incoming_chat` that the messages come in.
struct Chat<'a> {
    us: &'a Us,
    users: Users,
    reading: &'a Reading,
    facts: &'a Facts,
    chat_id: &'a str,
}

impl Chat<'_> {
    fn incoming_event(&self, raw: &RawValue) -> Option<NewEvent> {
        let Chat { us, users, reading, facts, chat_id } = self;
        let chat_event = Object::read(raw.get());
        let event_id = chat_event.id("id")?;
        let thread_id = facts.thread_id.as_deref();
        let thread = thread_id.map(|id| format!(",\"thread_id\":{}", quoted(id))).unwrap_or_default();
        Some(NewEvent {
            event_type: "incoming_event".to_owned(),
            source: Source::Livechat,
            organization: reading.organization.clone(),
            occurred_at_ms: chat_event.text("created_at").and_then(|time| facts::time_ms(&time)),
            chat_id: facts.chat_id.clone(),
            thread_id: facts.thread_id.clone(),
            lane: facts.lane.clone(),
            dedupe: facts::chat_event_key(chat_id, thread_id, &event_id),
            trace: trace::of_chat_event(us, &chat_event, users),
            payload: format!("{{\"chat_id\":{}{thread},\"event\":{}}}", quoted(chat_id), raw.get()),
            extra: format!("{{\"derived_from\":\"incoming_chat\",{}", &reading.extra[1..]),
            original: String::new(),
            recovered: false,
        })
    }
}
