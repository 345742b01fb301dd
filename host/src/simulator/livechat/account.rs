//! The simulated account: who works in it, its customers, chats, tags, groups and webhooks. No I/O: what
//! happens here leaves [`Occurrence`]s, which the outbox sends as webhooks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::chat::Chat;
use super::refusal::Refusal;
use super::webhook::{Occurrence, Registration};

/// Everything that the platform knows.
pub(super) struct Account {
    pub(super) organization_id: String,
    pub(super) clock_shift: SignedDuration,
    /// Where the clock stands still.
    pub(super) stopped_at: Option<Timestamp>,
    /// Threads that began before lie beyond the history that the plan gives.
    pub(super) history_from: Option<Timestamp>,
    pub(super) agents: BTreeMap<String, Agent>,
    pub(super) groups: BTreeMap<i64, String>,
    pub(super) tags: BTreeMap<String, Tag>,
    /// Namespace to property name to its definition.
    pub(super) namespaces: BTreeMap<String, Map<String, Value>>,
    pub(super) customers: BTreeMap<String, Value>,
    /// Customer to the days of the ban.
    pub(super) bans: BTreeMap<String, i64>,
    pub(super) chats: BTreeMap<String, Chat>,
    /// Customer to their one chat.
    pub(super) chat_of: BTreeMap<String, String>,
    /// The ids of the chats that are active: of tens of thousands these are few.
    pub(super) active: BTreeSet<String>,
    pub(super) registrations: Vec<Registration>,
    /// Whether webhooks are sent at all.
    pub(super) webhooks_on: bool,
    pub(super) credentials: Vec<Credential>,
    /// The tokens that were issued and are still valid.
    pub(super) issued: Vec<Credential>,
    /// What its tokens may not: they have every other scope.
    pub(super) scopes_lacked: BTreeSet<String>,
    /// The time zone in which people's schedules are, if they have any.
    pub(super) work_timezone: Option<String>,
    /// The error type of calls on an inactive chat: the platform has `validation` and `chat_inactive`.
    pub(super) inactive_as: &'static str,
    /// Whether the list of chats says who waits in the queue.
    pub(super) lists_queue: bool,
    /// For how long readers don't see the events that are stored now.
    pub(super) unseen_for: Option<Duration>,
    /// What came through `send_event`, in the order in which it was saved.
    pub(super) sent: Vec<Sent>,
    pub(super) occurrences: Vec<Occurrence>,
    pub(super) count: u64,
}

/// A chat event that came through the API and was saved, whatever its sender was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The chat.
    pub chat_id: String,
    /// The platform's id of the event.
    pub event_id: String,
    /// The sender's id of it.
    pub custom_id: Option<String>,
    /// What it says; empty for what is no message.
    pub text: String,
    /// Whether only agents see it.
    pub is_internal: bool,
}

/// An agent or a bot.
pub(super) struct Agent {
    pub(super) account_id: String,
    pub(super) name: String,
    pub(super) role: &'static str,
    pub(super) groups: Vec<i64>,
    pub(super) status: RoutingStatus,
    pub(super) is_bot: bool,
}

/// Whether an agent gets new chats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoutingStatus {
    /// Gets chats.
    AcceptingChats,
    /// Is there, and gets none.
    NotAcceptingChats,
    /// Is not there.
    Offline,
}

impl RoutingStatus {
    /// The API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            RoutingStatus::AcceptingChats => "accepting_chats",
            RoutingStatus::NotAcceptingChats => "not_accepting_chats",
            RoutingStatus::Offline => "offline",
        }
    }
}

/// A tag of the account.
pub(super) struct Tag {
    pub(super) group_ids: Vec<i64>,
    pub(super) author_id: String,
    pub(super) created_at: String,
}

/// What opens the API, and as whom.
pub(super) struct Credential {
    /// The whole value of the `Authorization` header.
    pub(super) header: String,
    pub(super) requester: Requester,
}

/// Who makes a call.
#[derive(Clone)]
pub(super) struct Requester {
    pub(super) id: String,
    pub(super) client_id: String,
}

impl Account {
    /// Now, on the platform's clock.
    pub(super) fn now(&self) -> String {
        let now = Timestamp::now();
        let now = self.stopped_at.unwrap_or_else(|| now.checked_add(self.clock_shift).unwrap_or(now));
        format!("{now:.6}")
    }

    /// A new id in the shape of LiveChat's: ten capital letters and digits.
    pub(super) fn new_id(&mut self) -> String {
        const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        self.count += 1;
        // An odd factor makes all products different and their digits look like the real ones.
        let mut rest = self.count.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 8;
        let mut id = String::from("S");
        for _ in 0..9 {
            id.push(char::from(DIGITS[(rest % 36) as usize]));
            rest /= 36;
        }
        id
    }

    pub(super) fn chat(&self, chat_id: &str) -> Result<&Chat, Refusal> {
        self.chats.get(chat_id).ok_or_else(|| Refusal::not_found("Chat not found"))
    }

    pub(super) fn chat_mut(&mut self, chat_id: &str) -> Result<&mut Chat, Refusal> {
        self.chats.get_mut(chat_id).ok_or_else(|| Refusal::not_found("Chat not found"))
    }

    /// The chat, if it is active.
    pub(super) fn active_chat(&self, chat_id: &str) -> Result<&Chat, Refusal> {
        let chat = self.chat(chat_id)?;
        if chat.is_active() { Ok(chat) } else { Err(Refusal::inactive(self.inactive_as)) }
    }

    /// Notes that something happened; `chat_id` where it belongs to a chat.
    pub(super) fn happened(&mut self, action: &'static str, chat_id: Option<&str>, payload: Value) {
        let chat = chat_id.and_then(|id| self.chats.get(id));
        let extra = chat.map(|chat| {
            json!({
                "chat_properties": chat.properties,
                "chat_presence_user_ids": chat.present_user_ids(),
            })
        });
        let chat_id = chat_id.map(str::to_owned);
        self.occurrences.push(Occurrence { action, chat_id, payload, extra, requester: None });
    }

    /// Those of `candidates` (agents of the groups) that would get a chat now, the least busy first.
    pub(super) fn available(&self, group_ids: &[i64]) -> Vec<String> {
        let mut free: Vec<(usize, &String)> = self
            .agents
            .iter()
            .filter(|(_, agent)| agent.status == RoutingStatus::AcceptingChats && !agent.is_bot)
            .filter(|(_, agent)| agent.groups.iter().any(|group| group_ids.contains(group)))
            .map(|(id, _)| (self.active_chats_of(id), id))
            .collect();
        free.sort();
        free.into_iter().map(|(_, id)| id.clone()).collect()
    }

    fn active_chats_of(&self, agent_id: &str) -> usize {
        self.active_chats().filter(|chat| chat.is_present(agent_id)).count()
    }

    pub(super) fn active_chats(&self) -> impl Iterator<Item = &Chat> {
        self.active.iter().filter_map(|id| self.chats.get(id))
    }

    /// The chat of a customer.
    pub(super) fn chat_with(&self, customer_id: &str) -> Option<&Chat> {
        self.chat_of.get(customer_id).and_then(|id| self.chats.get(id))
    }

    /// The user object of an agent or customer, without what depends on the chat.
    pub(super) fn user(&self, id: &str) -> Value {
        match self.agents.get(id) {
            Some(agent) if agent.is_bot => json!({"id": id, "type": "agent", "name": agent.name}),
            Some(agent) => json!({
                "id": id, "type": "agent", "name": agent.name, "email": id,
                "avatar": "https://cdn.example.com/avatars/agent.png",
            }),
            None => self.customers.get(id).cloned().unwrap_or(Value::Null),
        }
    }

    /// Checks properties that a call wants to write: namespace to name to value.
    pub(super) fn check_properties(&self, properties: &Map<String, Value>) -> Result<(), Refusal> {
        for (namespace, values) in properties {
            if namespace == "rating" {
                return Err(Refusal::authorization("agents can't write the namespace `rating`"));
            }
            let known = self.namespaces.get(namespace);
            let known =
                known.ok_or_else(|| Refusal::validation(format!("namespace `{namespace}` doesn't exist")))?;
            let Value::Object(values) = values else {
                return Err(Refusal::validation(format!("`properties.{namespace}` must be an object")));
            };
            check_values(namespace, known, values)?;
        }
        Ok(())
    }
}

fn check_values(
    namespace: &str,
    known: &Map<String, Value>,
    values: &Map<String, Value>,
) -> Result<(), Refusal> {
    for (name, value) in values {
        let place = format!("{namespace}.{name}");
        let Some(definition) = known.get(name) else {
            return Err(Refusal::validation(format!("property `{place}` isn't registered")));
        };
        let fits = match definition["type"].as_str() {
            Some("int") => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
            Some("bool") => value.is_boolean(),
            _ => value.is_string(),
        };
        if !fits {
            return Err(Refusal::validation(format!("`{place}` must be a {}", definition["type"])));
        }
    }
    Ok(())
}
