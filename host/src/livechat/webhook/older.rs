//! What v3.2 to v3.5 call otherwise than v3.6 does.

use serde_json::{Map, Value};

/// The v3.6 payload of a type; `None` if it is in that shape already, or in none that can be read.
pub(super) fn modernise(event_type: &str, payload: &str) -> Option<String> {
    if !signs_of_age(event_type).iter().any(|sign| payload.contains(sign)) {
        return None;
    }
    let mut payload: Value = serde_json::from_str(payload).ok()?;
    let changed = match event_type {
        "incoming_chat" => payload.get_mut("chat").is_some_and(chat),
        "user_added_to_chat" => payload.get_mut("user").is_some_and(user),
        "incoming_event" | "event_updated" => payload.get_mut("event").is_some_and(chat_event),
        "chat_transferred" => payload.get_mut("queue").is_some_and(queue),
        "agent_deleted" => rename(&mut payload, "agent_id", "id"),
        "routing_status_set" => payload.get_mut("status").is_some_and(status),
        "auto_accesses_updated" => rules(&mut payload),
        _ => false,
    };
    changed.then(|| payload.to_string())
}

/// Texts without one of which a payload is not an older one: payloads are parsed only on suspicion.
fn signs_of_age(event_type: &str) -> &'static [&'static str] {
    match event_type {
        "incoming_chat" => &["\"last_visit\"", "\"recipients\"", "\"queued_at_us\""],
        "user_added_to_chat" => &["\"last_visit\""],
        "incoming_event" | "event_updated" => &["\"recipients\""],
        "chat_transferred" => &["\"queued_at_us\""],
        "agent_deleted" => &["\"agent_id\""],
        "routing_status_set" => &[" chats\""],
        "auto_accesses_updated" => &["{"],
        _ => &[],
    }
}

fn chat(chat: &mut Value) -> bool {
    let mut changed = each(chat.get_mut("users"), user);
    if let Some(thread) = chat.get_mut("thread") {
        changed |= each(thread.get_mut("events"), chat_event);
        changed |= thread.get_mut("queue").is_some_and(queue);
    }
    changed
}

fn user(user: &mut Value) -> bool {
    rename(user, "last_visit", "visit")
}

fn chat_event(event: &mut Value) -> bool {
    rename(event, "recipients", "visibility")
}

/// The documentation of v3.5 spells the time `queued_at_us`; a number is in microseconds.
fn queue(queue: &mut Value) -> bool {
    let changed = rename(queue, "queued_at_us", "queued_at");
    if let Some(at) = queue.get_mut("queued_at")
        && let Some(time) = at.as_i64().and_then(|at| jiff::Timestamp::from_microsecond(at).ok())
    {
        *at = Value::from(time.to_string());
    }
    changed
}

/// Webhooks write the status with spaces, the API with underscores.
fn status(status: &mut Value) -> bool {
    let Some(text) = status.as_str().filter(|text| text.contains(' ')) else { return false };
    *status = Value::from(text.replace(' ', "_"));
    true
}

/// The webhooks about single rules carried an object.
fn rules(rules: &mut Value) -> bool {
    let single = rules.as_object().is_some_and(|rule| !rule.is_empty());
    if single {
        *rules = Value::Array(vec![rules.take()]);
    }
    single
}

fn each(values: Option<&mut Value>, modernise: fn(&mut Value) -> bool) -> bool {
    let values = values.and_then(Value::as_array_mut).into_iter().flatten();
    values.fold(false, |changed, value| modernise(value) | changed)
}

/// A field of the newer name is left alone: then the older one is something else.
fn rename(object: &mut Value, older: &str, newer: &str) -> bool {
    let rename = |fields: &mut Map<String, Value>| {
        let value = (!fields.contains_key(newer)).then(|| fields.remove(older))??;
        fields.insert(newer.to_owned(), value)
    };
    let Some(fields) = object.as_object_mut() else { return false };
    let before = fields.contains_key(older);
    rename(fields);
    before && !fields.contains_key(older)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(event_type: &str, older: Value, newer: Value) {
        let modern = modernise(event_type, &older.to_string());
        let expected = (older != newer).then_some(newer);
        assert_eq!(modern.map(|text| serde_json::from_str(&text).unwrap()), expected, "{event_type} {older}");
    }

    #[test]
    fn older_names_become_those_of_v3_6() {
        check("agent_deleted", json!({"agent_id": "a@x"}), json!({"id": "a@x"}));
        check("agent_deleted", json!({"id": "a@x", "agent_id": 1}), json!({"id": "a@x", "agent_id": 1}));
        for status in ["accepting chats", "not accepting chats"] {
            check(
                "routing_status_set",
                json!({"status": status}),
                json!({"status": status.replace(' ', "_")}),
            );
        }
        check("auto_accesses_updated", json!({"id": "r"}), json!([{"id": "r"}]));
        check("auto_accesses_updated", json!([{"id": "r"}]), json!([{"id": "r"}]));
        check(
            "chat_transferred",
            json!({"queue": {"queued_at_us": 1_780_000_000_000_000_i64}}),
            json!({"queue": {"queued_at": "2026-05-28T20:26:40Z"}}),
        );
        check(
            "chat_transferred",
            json!({"queue": {"queued_at_us": "t"}}),
            json!({"queue": {"queued_at": "t"}}),
        );
        check(
            "incoming_event",
            json!({"event": {"recipients": "all"}}),
            json!({"event": {"visibility": "all"}}),
        );
        check(
            "incoming_chat",
            json!({"chat": {"users": [{"last_visit": {}}, 7], "thread": {"events": [{"recipients": "agents"}]}}}),
            json!({"chat": {"users": [{"visit": {}}, 7], "thread": {"events": [{"visibility": "agents"}]}}}),
        );
    }

    #[test]
    fn what_only_looks_old_is_left_alone() {
        let text = json!({"event": {"text": "\"recipients\"", "content": {"recipients": 1}}});
        check("incoming_event", text.clone(), text);
        check("incoming_event", json!({"event": [{"recipients": 1}]}), json!({"event": [{"recipients": 1}]}));
        assert_eq!(modernise("incoming_event", r#"{"event":{"recipients":1e999}}"#), None);
    }
}
