//! The events that the host makes for one plugin: the times of its schedules, its timers, and commands to it.

use serde_json::{Map, Value, json, value::RawValue};

use super::time::rfc3339;
use super::{Dedupe, NewEvent, Source, lane, types};
use crate::schedule::Tick;

/// A schedule's time has come.
pub fn schedule(name: &str, tick: &Tick) -> NewEvent {
    let payload = json!({
        "schedule": name,
        "at": rfc3339(tick.at_ms),
        "missed": tick.missed,
        "caught_up": tick.caught_up,
    });
    NewEvent {
        occurred_at_ms: Some(tick.at_ms),
        lane: Some(lane::of_schedule(name)),
        ..new(types::SCHEDULE, payload.to_string())
    }
}

/// A timer as its event tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer {
    /// The plugin's name for it.
    pub key: String,
    /// The chat in which it was set.
    pub chat_id: Option<String>,
    /// And the thread.
    pub thread_id: Option<String>,
    /// When it was due, milliseconds since 1970.
    pub due_at_ms: i64,
    /// JSON text.
    pub payload: String,
}

/// A timer's time has come.
pub fn timer(timer: Timer) -> NewEvent {
    let Timer { key, chat_id, thread_id, due_at_ms, payload } = timer;
    let inner: Option<&RawValue> = serde_json::from_str(&payload).ok();
    let inner = inner.map_or("null", RawValue::get);
    let text =
        format!("{{\"key\":{},\"due_at\":{},\"payload\":{inner}}}", json!(key), json!(rfc3339(due_at_ms)));
    let lane = chat_id.as_deref().map_or_else(|| lane::of_timer(&key), lane::of_chat);
    NewEvent {
        occurred_at_ms: Some(due_at_ms),
        chat_id,
        thread_id,
        lane: Some(lane),
        ..new(types::TIMER, text)
    }
}

/// An operator wants something of a plugin.
pub fn command(name: &str, arguments: &Map<String, Value>) -> NewEvent {
    let payload = json!({ "command": name, "arguments": arguments });
    NewEvent { lane: Some(lane::of_command(name)), ..new(types::COMMAND, payload.to_string()) }
}

fn new(event_type: &str, payload: String) -> NewEvent {
    NewEvent {
        event_type: event_type.to_owned(),
        source: Source::Chatplug,
        organization: None,
        occurred_at_ms: None,
        chat_id: None,
        thread_id: None,
        lane: None,
        dedupe: Dedupe::Always,
        trace: Default::default(),
        payload,
        extra: "{}".to_owned(),
        original: String::new(),
        recovered: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_plugin_is_told() {
        let tick = Tick { at_ms: 1_780_000_000_000, missed: 2, caught_up: true };
        let event = schedule("nightly", &tick);
        assert_eq!(event.lane.as_deref(), Some("schedule/nightly"));
        let payload: Value = serde_json::from_str(&event.payload).expect("JSON");
        let expected = json!({ "schedule": "nightly", "at": "2026-05-28T20:26:40.000Z", "missed": 2, "caught_up": true });
        assert_eq!(payload, expected);
        let of_chat = Timer {
            key: "a\"b".into(),
            chat_id: Some("C1".into()),
            thread_id: Some("T1".into()),
            due_at_ms: 1_780_000_000_000,
            payload: "{\"n\": 1.10}".into(),
        };
        let event = timer(of_chat.clone());
        assert_eq!(event.lane.as_deref(), Some("chat/C1"));
        assert_eq!(
            event.payload,
            "{\"key\":\"a\\\"b\",\"due_at\":\"2026-05-28T20:26:40.000Z\",\"payload\":{\"n\": 1.10}}"
        );
        assert_eq!(timer(Timer { chat_id: None, ..of_chat }).lane.as_deref(), Some("timer/a\"b"));
        let event = command("report", &Map::from_iter([("from".to_owned(), json!("2026-01-01"))]));
        assert_eq!(event.payload, r#"{"arguments":{"from":"2026-01-01"},"command":"report"}"#);
    }
}
