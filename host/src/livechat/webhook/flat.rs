//! Flat bodies: the legacy v2 webhooks, those of a common tutorial, and whatever else a gateway signs. A
//! conversation is mapped into the v3.6 shape; what the format lacks is absent.

use serde_json::{Map, Value, json};

use super::json::{Object, to_json};
use super::reading::{self, Reading};
use super::v3;

mod conversation;

/// The tutorial's name for a rating, which only its bodies have: no v3.6 webhook says as much.
pub(super) const RATING_ADDED: &str = "rating_added";

pub(super) fn read(object: &Object, wire: &str) -> Reading {
    // `event` names the type in the messages of the app life cycle.
    let name = object.text("event_type").or(object.text("event")).unwrap_or_default();
    let (event_type, known) = reading::event_type(&name);
    let reading = Reading {
        known: known || event_type == RATING_ADDED,
        organization: v3::organization(object),
        occurred_at_ms: occurred_at_ms(&event_type, object),
        payload: String::new(),
        extra: String::new(),
        original: String::new(),
        event_type,
    };
    match mapped(&reading.event_type, object) {
        Some(payload) => {
            const TOLD: [&str; 6] = ["event_type", "chat", "visitor", "agents", "pre_chat_survey", "rating"];
            Reading {
                payload: payload.to_string(),
                extra: reading::extra(object, |name| TOLD.contains(&name), wire, &name, &reading.event_type),
                original: object.to_json(),
                ..reading
            }
        }
        None => {
            let aside = |name: &str| matches!(name, "event_type" | "license_id" | "organization_id");
            let payload = || object.fields().filter(|(name, _)| !aside(name));
            let is_told = |name: &str| !aside(name) || name == "event_type";
            Reading {
                extra: reading::extra(object, is_told, wire, &name, &reading.event_type),
                payload: to_json(payload()),
                ..reading
            }
        }
    }
}

/// The v3.6 payload of a body about a conversation.
fn mapped(event_type: &str, object: &Object) -> Option<Value> {
    let field = |name| object.raw(name).and_then(|text| serde_json::from_str::<Value>(text).ok());
    let sent = field("chat").filter(Value::is_object)?;
    let chat = conversation::Body {
        chat: &sent,
        visitor: &field("visitor").unwrap_or_default(),
        agents: &field("agents").unwrap_or_default(),
        survey: &field("pre_chat_survey").unwrap_or_default(),
    }
    .chat(event_type != "chat_deactivated");
    let mut payload = Map::new();
    if event_type != "incoming_chat" {
        payload.extend(chat.get("id").map(|id| ("chat_id".to_owned(), id.clone())));
    }
    payload.insert("chat".to_owned(), chat);
    payload.extend(field("rating").map(|rating| ("rating".to_owned(), rating)));
    Some(json!(payload))
}

fn occurred_at_ms(event_type: &str, object: &Object) -> Option<i64> {
    let field = match event_type {
        "incoming_chat" => "started_timestamp",
        "chat_deactivated" => "ended_timestamp",
        _ => return None,
    };
    let seconds = serde_json::from_str(object.object("chat").raw(field)?).ok()?;
    Some(conversation::time(&seconds)?.as_millisecond())
}
