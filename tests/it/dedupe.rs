//! LiveChat sends a webhook up to four times: what has a key of its own is stored once, the rest is flagged.

use std::path::Path;

use chatplug::event::types;
use chatplug::store::EventView;
use chatplug_tests::payload;

use crate::door::Desk;

/// Three retries, within about a minute.
const RETRIES_MS: [i64; 4] = [0, 15_000, 37_000, 60_000];
const DAY_MS: i64 = 24 * 3_600_000;

/// Event type | how many of four equal webhooks are stored | how many of these are flagged `possible-duplicate`.
const TABLE: &str = "
incoming_chat | 1 | 0
chat_deactivated | 1 | 0
chat_access_updated | 4 | 3
chat_transferred | 4 | 3
user_added_to_chat | 4 | 3
user_removed_from_chat | 4 | 3
incoming_event | 1 | 0
event_updated | 4 | 3
event_deleted | 1 | 0
incoming_rich_message_postback | 4 | 3
chat_properties_updated | 4 | 3
chat_properties_deleted | 4 | 3
thread_properties_updated | 4 | 3
thread_properties_deleted | 4 | 3
event_properties_updated | 4 | 3
event_properties_deleted | 4 | 3
thread_tagged | 4 | 3
thread_untagged | 4 | 3
routing_status_set | 4 | 3
customer_session_fields_updated | 4 | 3
events_marked_as_seen | 4 | 3
thread_summary_set | 4 | 3
agent_created | 4 | 3
agent_updated | 4 | 3
agent_approved | 4 | 3
agent_suspended | 4 | 3
agent_unsuspended | 4 | 3
agent_deleted | 4 | 3
bot_created | 4 | 3
bot_updated | 4 | 3
bot_deleted | 4 | 3
group_created | 4 | 3
group_updated | 4 | 3
group_deleted | 4 | 3
tag_created | 4 | 3
tag_updated | 4 | 3
tag_deleted | 4 | 3
auto_accesses_updated | 4 | 3
";

fn rows() -> Vec<(&'static str, usize, usize)> {
    let row = |line: &'static str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        (cells[0], cells[1].parse().expect("a number"), cells[2].parse().expect("a number"))
    };
    TABLE.trim().lines().map(row).collect()
}

/// The fixtures of an event type, by their paths.
fn fixtures(event_type: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("payloads/v3.6");
    let entries = std::fs::read_dir(folder).expect("the fixtures");
    let names = entries.map(|entry| entry.expect("a file").file_name().into_string().expect("a name"));
    names
        .filter(|name| name.split('.').next() == Some(event_type))
        .map(|name| format!("v3.6/{name}"))
        .collect()
}

async fn check(path: &str, event_type: &str, stored: usize, flagged: usize) {
    let desk = Desk::with(&[("p", false)]);
    for at_ms in RETRIES_MS {
        desk.take(payload(path), at_ms).await;
    }
    let events = desk.events();
    let of = |name: &str| events.iter().filter(|event| event.event_type == name).collect::<Vec<_>>();
    let found = of(event_type);
    assert_eq!(found.len(), stored, "{path}: stored");
    assert_eq!(found.iter().filter(|event| event.possible_duplicate).count(), flagged, "{path}: flagged");
    assert!(
        found.first().is_some_and(|first| !first.possible_duplicate),
        "{path}: the first is no duplicate"
    );
    assert!(
        events.iter().all(|event| event.deliveries.len() == 1),
        "{path}: each is delivered, flagged or not"
    );
    expect_no_derived_twice(path, event_type, &events);
}

/// What the host makes of a webhook it makes once: of the messages inside of a chat, and of a rating.
fn expect_no_derived_twice(path: &str, event_type: &str, events: &[EventView]) {
    let rated = events.iter().filter(|event| event.event_type == types::CHAT_RATED).count();
    assert!(rated <= 1, "{path}: {rated} ratings");
    let messages = events.iter().filter(|event| event.event_type == "incoming_event").count();
    let inside = match event_type {
        "incoming_chat" => {
            let body: serde_json::Value = serde_json::from_slice(&payload(path)).expect("JSON");
            body["payload"]["chat"]["thread"]["events"].as_array().map_or(0, Vec::len)
        }
        "incoming_event" => 1,
        _ => 0,
    };
    assert_eq!(messages, inside, "{path}: messages");
}

#[tokio::test]
async fn four_equal_webhooks_of_each_type_collapse_or_are_flagged() {
    let rows = rows();
    let known: Vec<&str> = rows.iter().map(|(event_type, ..)| *event_type).collect();
    assert_eq!(known.len(), types::PLATFORM.len());
    for event_type in types::PLATFORM {
        assert!(known.contains(event_type), "{event_type} is missing in the table");
    }
    for (event_type, stored, flagged) in rows {
        let fixtures = fixtures(event_type);
        assert!(!fixtures.is_empty(), "{event_type} has no fixture");
        for path in fixtures {
            check(&path, event_type, stored, flagged).await;
        }
    }
}

#[tokio::test]
async fn what_comes_again_later_is_news_unless_it_has_a_key() {
    let desk = Desk::with(&[]);
    for at_ms in [0, 10 * 60_000, 6 * DAY_MS] {
        desk.take(payload("v3.6/thread_tagged.json"), at_ms).await;
        desk.take(payload("v3.6/incoming_event.json"), at_ms).await;
    }
    let events = desk.events();
    let count = |name: &str| events.iter().filter(|event| event.event_type == name).count();
    assert_eq!((count("thread_tagged"), count("incoming_event")), (3, 1));
    assert!(events.iter().all(|event| !event.possible_duplicate));
}

/// Edited, edited again, and set back: a plugin that got two of the three would go on with the second.
#[tokio::test]
async fn an_edit_that_sets_a_message_back_is_news() {
    let desk = Desk::with(&[]);
    let first = String::from_utf8(payload("v3.6/event_updated.json")).expect("text");
    let text = "\"text\": \"";
    assert!(first.contains(text), "{first}");
    let second = first.replace(text, "\"text\": \"Or rather: ");
    for (body, minute) in [(&first, 0), (&second, 5), (&first, 10)] {
        desk.take(body.as_bytes(), minute * 60_000).await;
    }
    let events = desk.events();
    assert_eq!(events.iter().map(|event| event.possible_duplicate).collect::<Vec<_>>(), [false; 3]);
}

#[tokio::test]
async fn a_clock_that_is_set_back_flags_and_loses_nothing() {
    let desk = Desk::with(&[]);
    desk.take(payload("v3.6/thread_tagged.json"), DAY_MS).await;
    desk.take(payload("v3.6/thread_tagged.json"), 0).await;
    let events = desk.events();
    assert_eq!(events.iter().map(|event| event.possible_duplicate).collect::<Vec<_>>(), [false, true]);
}
