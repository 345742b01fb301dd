use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Agent, ChatEvent, Customer, User};
use crate::json::or_default;

/// A chat: it lives on, each conversation in it is a [`Thread`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Chat {
    /// Its id.
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
    /// One of its threads, by default the newest.
    #[serde(deserialize_with = "or_default")]
    pub thread: Thread,
}

impl Chat {
    /// The customer.
    pub fn customer(&self) -> Option<&Customer> {
        self.users.iter().find_map(|user| match user {
            User::Customer(customer) => Some(customer),
            _ => None,
        })
    }

    /// The agents, bots among them.
    pub fn agents(&self) -> impl Iterator<Item = &Agent> {
        self.users.iter().filter_map(|user| match user {
            User::Agent(agent) => Some(agent),
            _ => None,
        })
    }

    /// The user with an id, such as a chat event's author.
    pub fn user(&self, id: &str) -> Option<&User> {
        self.users.iter().find(|user| user.id() == id)
    }
}

/// One conversation in a chat.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Thread {
    /// Its id.
    pub id: String,
    /// Whether it goes on.
    pub active: bool,
    /// When it began, RFC 3339.
    pub created_at: Option<String>,
    /// Everybody who was in it.
    #[serde(deserialize_with = "or_default")]
    pub user_ids: Vec<String>,
    /// What was said, in order; empty where `restricted_access` says so.
    #[serde(deserialize_with = "or_default")]
    pub events: Vec<ChatEvent>,
    /// Its properties, the rating among them.
    #[serde(deserialize_with = "or_default")]
    pub properties: Properties,
    /// The groups that it belongs to.
    #[serde(deserialize_with = "or_default")]
    pub access: Access,
    /// Its tags.
    #[serde(deserialize_with = "or_default")]
    pub tags: Vec<String>,
    /// Its place in the queue, if it waits.
    pub queue: Option<Queue>,
    /// Why what was said isn't there, in LiveChat's words: the thread lies beyond the history that the account's plan
    /// gives. `None` if nothing is held back.
    pub restricted_access: Option<String>,
    /// The thread before it.
    pub previous_thread_id: Option<String>,
    /// The thread after it.
    pub next_thread_id: Option<String>,
}

/// The groups that a chat or thread belongs to.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Access {
    /// Ids of groups; 0 means everyone.
    #[serde(deserialize_with = "or_default")]
    pub group_ids: Vec<i64>,
}

/// Where a chat went, or came from.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Targets {
    /// Ids of groups.
    #[serde(deserialize_with = "or_default")]
    pub group_ids: Vec<i64>,
    /// Ids of agents.
    #[serde(deserialize_with = "or_default")]
    pub agent_ids: Vec<String>,
}

/// A place in the queue.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Queue {
    /// 1 is the next.
    pub position: i64,
    /// The expected wait, in seconds.
    pub wait_time: i64,
    /// Since when, RFC 3339.
    pub queued_at: Option<String>,
}

/// Properties: namespace to name to value (text, number or truth value).
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(transparent)]
pub struct Properties(pub BTreeMap<String, BTreeMap<String, Value>>);

impl Properties {
    /// One value.
    pub fn get(&self, namespace: &str, name: &str) -> Option<&Value> {
        self.0.get(namespace)?.get(name)
    }

    /// One value, if it is text.
    pub fn text(&self, namespace: &str, name: &str) -> Option<&str> {
        self.get(namespace, name)?.as_str()
    }
}
