//! The payloads about chats that few plugins handle.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::json::or_default;
use crate::objects::{Access, SummaryStatus};

/// A chat belongs to other groups now: `chat_access_updated`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct AccessUpdated {
    /// The chat (`id` in LiveChat's payload).
    #[serde(rename = "id", deserialize_with = "or_default")]
    pub chat_id: String,
    /// The groups that it belongs to now.
    #[serde(deserialize_with = "or_default")]
    pub access: Access,
}

/// A chat event is gone: `event_deleted`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct EventDeleted {
    /// The chat.
    #[serde(deserialize_with = "or_default")]
    pub chat_id: String,
    /// The thread.
    #[serde(deserialize_with = "or_default")]
    pub thread_id: String,
    /// The chat event.
    #[serde(deserialize_with = "or_default")]
    pub event_id: String,
}

/// Somebody has seen what was said: `events_marked_as_seen`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct EventsSeen {
    /// The chat.
    #[serde(deserialize_with = "or_default")]
    pub chat_id: String,
    /// Who has seen it.
    #[serde(deserialize_with = "or_default")]
    pub user_id: String,
    /// All that was said until then, RFC 3339.
    pub seen_up_to: Option<String>,
}

/// Properties are gone: `chat_properties_deleted`, `thread_properties_deleted`, `event_properties_deleted`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct PropertiesDeleted {
    /// The chat.
    #[serde(deserialize_with = "or_default")]
    pub chat_id: String,
    /// The thread, if they were a thread's or a chat event's.
    pub thread_id: Option<String>,
    /// The chat event, if they were a chat event's.
    pub event_id: Option<String>,
    /// Namespace to the names that are gone.
    #[serde(deserialize_with = "or_default")]
    pub properties: BTreeMap<String, Vec<String>>,
}

impl PropertiesDeleted {
    /// Whether this property is one of them.
    pub fn has(&self, namespace: &str, name: &str) -> bool {
        self.properties.get(namespace).is_some_and(|names| names.iter().any(|gone| gone == name))
    }
}

/// The page said something new of a customer: `customer_session_fields_updated`, one event for each chat of theirs that
/// goes on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SessionFieldsUpdated {
    /// The customer (`id` in LiveChat's payload).
    #[serde(rename = "id", deserialize_with = "or_default")]
    pub customer_id: String,
    /// The chat that goes on.
    #[serde(deserialize_with = "or_default")]
    pub active_chat: ActiveChat,
    /// All that the page says: a list of objects with one key each; see [`SessionFieldsUpdated::session_field`].
    #[serde(deserialize_with = "or_default")]
    pub session_fields: Vec<BTreeMap<String, Value>>,
}

impl SessionFieldsUpdated {
    /// What the page said under a key, if it is text.
    pub fn session_field(&self, key: &str) -> Option<&str> {
        self.session_fields.iter().find_map(|field| field.get(key))?.as_str()
    }
}

/// A chat that goes on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ActiveChat {
    /// The chat.
    #[serde(deserialize_with = "or_default")]
    pub chat_id: String,
    /// Its thread.
    #[serde(deserialize_with = "or_default")]
    pub thread_id: String,
}

/// LiveChat has summed up a thread: `thread_summary_set`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SummarySet {
    /// The chat.
    #[serde(deserialize_with = "or_default")]
    pub chat_id: String,
    /// The thread.
    #[serde(deserialize_with = "or_default")]
    pub thread_id: String,
    /// The summary.
    #[serde(deserialize_with = "or_default")]
    pub summary: Summary,
}

/// What a thread was about, in LiveChat's words.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Summary {
    /// Whether LiveChat could sum it up.
    #[serde(deserialize_with = "or_default")]
    pub status: SummaryStatus,
    /// The summary.
    pub text: Option<String>,
    /// When it was made, RFC 3339.
    pub updated_at: Option<String>,
}
