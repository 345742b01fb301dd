//! An event: what the host stored of a webhook, and what its plugins get.

use std::fmt;
use std::str::FromStr;

pub mod addressed;
pub mod lane;
pub mod person;
pub mod rating;
pub mod recovered;
pub mod time;
pub mod trace;
pub mod trace_id;
pub mod types;

/// The number of a stored event; shown as `ev-42`. Numbers grow in the order of acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub i64);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ev-{}", self.0)
    }
}

impl FromStr for EventId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_prefix("ev-").unwrap_or(text);
        number.parse().map(EventId).map_err(|_| format!("`{text}` is not an event id; ids look like ev-42"))
    }
}

/// Where an event came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A webhook of the LiveChat platform, or of something that speaks its format.
    Livechat,
    /// The host itself.
    Chatplug,
}

impl Source {
    /// The word used in the store and in the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Livechat => "livechat",
            Source::Chatplug => "chatplug",
        }
    }
}

/// How the store tells a repeated webhook from a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dedupe {
    /// A natural key: a second event with it is the same event and is not stored again.
    /// Text that begins with chat and thread id, so that neighbours in the index belong together.
    Key(String),
    /// No natural key exists. The text holds a hash of the payload; an event with the same text within the
    /// platform's retry window is stored and delivered with the flag `possible-duplicate`.
    Window(String),
    /// Always new: events that the host makes itself.
    Always,
}

/// An event that has not been stored yet.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// LiveChat's v3.6 action name, or one of ours; an unknown wire name is kept as it came.
    pub event_type: String,
    /// Where it came from.
    pub source: Source,
    /// LiveChat's organization id, an opaque string.
    pub organization: Option<String>,
    /// When it happened on the platform, milliseconds since 1970.
    pub occurred_at_ms: Option<i64>,
    /// The chat it belongs to.
    pub chat_id: Option<String>,
    /// The thread it belongs to.
    pub thread_id: Option<String>,
    /// What it queues behind, see [`lane`]; `None` queues behind nothing.
    pub lane: Option<String>,
    /// How a repetition is recognised.
    pub dedupe: Dedupe,
    /// What it says of who caused it.
    pub trace: trace::Trace,
    /// JSON text in the v3.6 shape of the type.
    pub payload: String,
    /// JSON text, an object: `additional_data`, `requester` and the like; `{}` if there is nothing.
    pub extra: String,
    /// The webhook's body without its secret, where it says more than payload and extra do; else empty.
    pub original: String,
    /// Whether no webhook brought it: LiveChat was asked what the host had missed.
    pub recovered: bool,
}

/// A stored event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its number.
    pub id: EventId,
    /// See [`NewEvent::event_type`].
    pub event_type: String,
    /// `livechat` or `chatplug`.
    pub source: String,
    /// See [`NewEvent::organization`].
    pub organization: Option<String>,
    /// See [`NewEvent::occurred_at_ms`].
    pub occurred_at_ms: Option<i64>,
    /// When the host stored it, milliseconds since 1970.
    pub received_at_ms: i64,
    /// See [`NewEvent::chat_id`].
    pub chat_id: Option<String>,
    /// See [`NewEvent::thread_id`].
    pub thread_id: Option<String>,
    /// Whether it may be a repetition of another event.
    pub possible_duplicate: bool,
    /// See [`NewEvent::recovered`].
    pub recovered: bool,
    /// The plugin that caused it; empty if it was the host's app or bot, on whose behalf is not known. `None`: not
    /// caused by the host, as far as can be told.
    pub own: Option<String>,
    /// See [`NewEvent::payload`].
    pub payload: String,
    /// See [`NewEvent::extra`].
    pub extra: String,
}
