//! What the host has stored, and what the plugin got of it.

use std::collections::{BTreeMap, BTreeSet};

use chatplug_tests::Host;
use rusqlite::{Connection, Row};
use serde_json::Value;

use super::day::{Identity, identity};

/// A stored event: its number, what it is known by, when it happened, whether it was recovered.
pub(super) struct Stored {
    pub(super) id: i64,
    pub(super) identity: Identity,
    pub(super) occurred_at_ms: Option<i64>,
    pub(super) recovered: bool,
}

/// How an event came to the plugin: as which one, counted from 1, and whether with the flag `recovered`.
pub(super) struct Got {
    pub(super) number: i64,
    pub(super) recovered: bool,
}

fn select<T>(host: &Host, sql: &str, row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
    let file = Connection::open(host.data().join("chatplug.db")).expect("the store");
    let mut select = file.prepare(sql).expect("the tables");
    select.query_map([], row).expect("rows").collect::<rusqlite::Result<_>>().expect("rows")
}

fn count(host: &Host, sql: &str) -> usize {
    let counted: Vec<i64> = select(host, sql, |row| row.get(0));
    counted.first().and_then(|count| usize::try_from(*count).ok()).expect("a number")
}

/// How many events are stored.
pub(super) fn stored_count(host: &Host) -> usize {
    count(host, "SELECT count(*) FROM events")
}

/// How many the plugin has got.
pub(super) fn got_count(host: &Host) -> usize {
    count(host, "SELECT count(*) FROM memory WHERE plugin = 'reader' AND key LIKE 'read/%'")
}

/// All events, in the order in which they were stored.
pub(super) fn stored(host: &Host) -> Vec<Stored> {
    select(host, "SELECT id, type, payload, occurred_at, recovered FROM events ORDER BY id", |row| {
        let (event_type, payload): (String, String) = (row.get(1)?, row.get(2)?);
        let payload = serde_json::from_str(&payload).expect("JSON");
        let identity = identity(&event_type, &payload);
        Ok(Stored { id: row.get(0)?, identity, occurred_at_ms: row.get(3)?, recovered: row.get(4)? })
    })
}

/// What the plugin remembers of the events, by their numbers.
pub(super) fn got(host: &Host) -> BTreeMap<i64, Got> {
    let sql = "SELECT key, value FROM memory WHERE plugin = 'reader' AND key LIKE 'read/%'";
    let rows = select(host, sql, |row| {
        let (key, value): (String, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let id = key.trim_start_matches("read/ev-").parse().expect("the number of an event");
        let value: Value = serde_json::from_slice(&value).expect("JSON");
        let number = value["number"].as_i64().expect("a number");
        Ok((id, Got { number, recovered: value["recovered"] == true }))
    });
    rows.into_iter().collect()
}

/// What is known twice, out of order in its chat, or recovered without a time.
pub(super) fn wrong(stored: &[Stored]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut known = BTreeSet::new();
    for event in stored {
        if !known.insert(&event.identity) {
            wrong.push(format!("twice: {:?}", event.identity));
        }
        if event.recovered && event.occurred_at_ms.is_none() {
            wrong.push(format!("no time: {:?}", event.identity));
        }
    }
    let mut last: BTreeMap<&str, &Stored> = BTreeMap::new();
    // A tag has no time of its own; what a webhook brings, some have none.
    let has_time = |event: &&Stored| event.occurred_at_ms.is_some() && event.identity.0 != "thread_tagged";
    for event in stored.iter().filter(has_time) {
        let before = last.insert(&event.identity.1, event);
        if let Some(before) = before.filter(|before| before.occurred_at_ms > event.occurred_at_ms) {
            wrong.push(format!("out of order: {:?} before {:?}", before.identity, event.identity));
        }
    }
    wrong
}

/// What the plugin did not get, not once, with the wrong flag, or not in the order of its chat.
pub(super) fn wrongly_got(stored: &[Stored], got: &BTreeMap<i64, Got>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut last: BTreeMap<&str, i64> = BTreeMap::new();
    for event in stored {
        let Some(got) = got.get(&event.id) else {
            wrong.push(format!("not got: {:?}", event.identity));
            continue;
        };
        if got.recovered != event.recovered {
            wrong.push(format!("recovered is {}: {:?}", got.recovered, event.identity));
        }
        let before = last.insert(&event.identity.1, got.number);
        if before.is_some_and(|before| before >= got.number) {
            wrong.push(format!("out of order: {:?}", event.identity));
        }
    }
    let numbers: BTreeSet<i64> = got.values().map(|got| got.number).collect();
    let times = numbers.last().copied().unwrap_or_default();
    if numbers.len() != stored.len() || usize::try_from(times) != Ok(stored.len()) {
        wrong.push(format!("{} events came {times} times", stored.len()));
    }
    wrong
}
