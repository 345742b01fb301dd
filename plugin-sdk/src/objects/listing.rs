use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Access, Properties, Thread, User};
use crate::json::or_default;

/// A page of a list.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, bound(deserialize = "T: Deserialize<'de>"))]
#[non_exhaustive]
pub struct ListPage<T> {
    /// What is on it.
    #[serde(alias = "chats", alias = "chats_summary", deserialize_with = "or_default")]
    pub items: Vec<T>,
    /// How many there are on all pages; LiveChat estimates it.
    #[serde(alias = "found_chats", deserialize_with = "or_default")]
    pub found: u64,
    /// The id of the next page; `None` on the last one.
    pub next_page_id: Option<String>,
    /// The id of the page before; `None` on the first one.
    pub previous_page_id: Option<String>,
}

impl<T> Default for ListPage<T> {
    fn default() -> Self {
        ListPage { items: Vec::new(), found: 0, next_page_id: None, previous_page_id: None }
    }
}

/// A chat as lists have it: its newest thread has no events.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ChatSummary {
    /// The chat's id.
    pub id: String,
    /// Everybody who is or was in it.
    #[serde(deserialize_with = "or_default")]
    pub users: Vec<User>,
    /// Its properties.
    #[serde(deserialize_with = "or_default")]
    pub properties: Properties,
    /// The groups that it belongs to.
    #[serde(deserialize_with = "or_default")]
    pub access: Access,
    /// Its newest thread, without events.
    #[serde(deserialize_with = "or_default")]
    pub last_thread_summary: Thread,
    /// The newest event of each type, as LiveChat sent it: `thread_id`, `thread_created_at`, `event`.
    #[serde(deserialize_with = "or_default")]
    pub last_event_per_type: BTreeMap<String, Value>,
}

/// A report.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Report {
    /// The sum, where the report has one.
    #[serde(deserialize_with = "or_default")]
    pub total: f64,
    /// By bucket (`2026-06-01` …), agent or group, as LiveChat sent it.
    #[serde(deserialize_with = "or_default")]
    pub records: BTreeMap<String, Value>,
    /// Of all together, where the report has it.
    pub summary: Value,
}

impl Report {
    /// One number of a bucket; 0 if it isn't there, as LiveChat leaves out what is 0.
    pub fn number(&self, bucket: &str, name: &str) -> f64 {
        self.records.get(bucket).and_then(|record| record[name].as_f64()).unwrap_or_default()
    }

    /// The sum of one number over all buckets.
    pub fn sum(&self, name: &str) -> f64 {
        self.records.values().filter_map(|record| record[name].as_f64()).fold(0.0, |sum, number| sum + number)
    }
}
