//! The fixtures of v3.6: each is read as its type, and of those that are read by their types nothing is left out.

use std::fmt::Debug;
use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::*;

/// What is in a payload, read by the type of its event type; `None` if [`Payload`] has a case for it.
fn by_type(event_type: &str, payload: &str) -> Option<String> {
    fn shown<T: DeserializeOwned + Debug>(payload: &str) -> String {
        let read: T = json::read("a fixture", payload).unwrap_or_else(|error| panic!("{error}: {payload}"));
        format!("{read:?}")
    }
    let shown: fn(&str) -> String = match event_type {
        "chat_access_updated" => shown::<AccessUpdated>,
        "event_deleted" => shown::<EventDeleted>,
        "events_marked_as_seen" => shown::<EventsSeen>,
        "event_properties_updated" => shown::<PropertiesUpdated>,
        "chat_properties_deleted" | "thread_properties_deleted" | "event_properties_deleted" => {
            shown::<PropertiesDeleted>
        }
        "customer_session_fields_updated" => shown::<SessionFieldsUpdated>,
        "thread_summary_set" => shown::<SummarySet>,
        "agent_created" | "agent_updated" => shown::<AgentSaved>,
        "agent_approved" | "agent_suspended" | "agent_unsuspended" | "agent_deleted" => shown::<AgentRef>,
        "bot_created" | "bot_updated" => shown::<BotSaved>,
        "bot_deleted" => shown::<BotDeleted>,
        "group_created" | "group_updated" => shown::<GroupSaved>,
        "group_deleted" => shown::<GroupDeleted>,
        "tag_created" | "tag_updated" => shown::<TagSaved>,
        "tag_deleted" => shown::<TagDeleted>,
        "auto_accesses_updated" => shown::<Vec<AccessRule>>,
        _ => return None,
    };
    Some(shown(payload))
}

/// All texts, numbers and truth values in a value.
fn leaves(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.values().for_each(|value| leaves(value, found)),
        Value::Array(values) => values.iter().for_each(|value| leaves(value, found)),
        Value::String(text) => found.push(format!("{text:?}")),
        Value::Null => {}
        other => found.push(other.to_string()),
    }
}

/// Whether a word of the platform's stands there by its Rust name: `"added"` as `Added`.
fn is_word_of(shown: &str, text: &str) -> bool {
    let word: String = text.trim_matches('"').split('_').map(capitalized).collect();
    shown.split(|c: char| !c.is_ascii_alphanumeric()).any(|name| name == word)
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

#[test]
fn each_fixture_is_read_as_its_type() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/payloads/v3.6");
    let (mut in_payload, mut others) = (0, 0);
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let event_type = name.split('.').next().unwrap();
        let body: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let payload = body["payload"].to_string();
        let typed = Payload::read(event_type, &payload).unwrap_or_else(|error| panic!("{name}: {error}"));
        let Some(shown) = by_type(event_type, &payload) else {
            assert!(!matches!(typed, Payload::Other(_)), "{name} has no type");
            in_payload += 1;
            continue;
        };
        assert!(matches!(typed, Payload::Other(_)), "{name} has two types");
        let mut said = Vec::new();
        leaves(&body["payload"], &mut said);
        let lost: Vec<&String> =
            said.iter().filter(|text| !shown.contains(text.as_str()) && !is_word_of(&shown, text)).collect();
        assert!(lost.is_empty(), "{name}: {lost:?} is not in {shown}");
        others += 1;
    }
    assert!(in_payload > 30 && others > 25, "{in_payload} and {others} fixtures");
}
