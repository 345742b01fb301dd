//! Chats, threads and members, and how the platform prints them.

use std::time::Instant;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::account::Account;

/// A chat: it lives on, and each conversation in it is a thread.
pub(super) struct Chat {
    pub(super) id: String,
    pub(super) members: Vec<Member>,
    pub(super) properties: Map<String, Value>,
    pub(super) group_ids: Vec<i64>,
    /// Never empty; only the last one can be active.
    pub(super) threads: Vec<Thread>,
}

/// A user of a chat.
pub(super) struct Member {
    pub(super) id: String,
    pub(super) is_agent: bool,
    /// `all` or `agents`.
    pub(super) visibility: &'static str,
    pub(super) is_present: bool,
}

/// One conversation.
pub(super) struct Thread {
    pub(super) id: String,
    pub(super) is_active: bool,
    pub(super) created_at: String,
    pub(super) user_ids: Vec<String>,
    pub(super) events: Vec<Value>,
    /// Ids of events that readers don't see before a time.
    pub(super) unseen: Vec<(String, Instant)>,
    pub(super) properties: Map<String, Value>,
    pub(super) tags: Vec<String>,
    pub(super) queue: Option<Value>,
    /// How often the customer was in the queue, and is no more.
    pub(super) waited: Vec<Waited>,
    pub(super) group_ids: Vec<i64>,
}

/// A time in the queue that is over.
pub(super) struct Waited {
    pub(super) seconds: f64,
    /// Whether the customer gave up.
    pub(super) gave_up: bool,
}

impl Chat {
    pub(super) fn newest(&self) -> &Thread {
        self.threads.last().expect("a chat begins with a thread")
    }

    pub(super) fn newest_mut(&mut self) -> &mut Thread {
        self.threads.last_mut().expect("a chat begins with a thread")
    }

    pub(super) fn thread(&self, thread_id: &str) -> Option<&Thread> {
        self.threads.iter().find(|thread| thread.id == thread_id)
    }

    pub(super) fn thread_mut(&mut self, thread_id: &str) -> Option<&mut Thread> {
        self.threads.iter_mut().find(|thread| thread.id == thread_id)
    }

    pub(super) fn is_active(&self) -> bool {
        self.newest().is_active
    }

    /// The member, while present.
    pub(super) fn member(&self, user_id: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.id == user_id && member.is_present)
    }

    pub(super) fn is_present(&self, user_id: &str) -> bool {
        self.member(user_id).is_some()
    }

    pub(super) fn present_user_ids(&self) -> Vec<&str> {
        self.members.iter().filter(|member| member.is_present).map(|member| member.id.as_str()).collect()
    }

    /// Agents whom the customer sees.
    pub(super) fn public_agents(&self) -> Vec<String> {
        let public = self.members.iter().filter(|member| member.is_public_agent());
        public.map(|member| member.id.clone()).collect()
    }

    pub(super) fn customer_id(&self) -> Option<&str> {
        self.members.iter().find(|member| !member.is_agent).map(|member| member.id.as_str())
    }

    /// The Chat object with one thread.
    pub(super) fn json(&self, account: &Account, thread: &Thread) -> Value {
        json!({
            "id": self.id,
            "users": self.users(account),
            "properties": self.properties,
            "access": {"group_ids": self.group_ids},
            "thread": self.thread_json(account, thread),
        })
    }

    fn thread_json(&self, account: &Account, thread: &Thread) -> Value {
        let mut shown = thread.json(self);
        let began: Option<Timestamp> = thread.created_at.parse().ok();
        if account.history_from.is_some_and(|from| began < Some(from))
            && let Some(shown) = shown.as_object_mut()
        {
            shown.remove("events");
            shown.insert("restricted_access".to_owned(), json!("beyond the history of the plan"));
        }
        shown
    }

    /// The object of `list_chats`: the thread without its events, and the last event of each type.
    pub(super) fn summary(&self, account: &Account) -> Value {
        let thread = self.newest();
        let mut shown = thread.json(self);
        if let Some(shown) = shown.as_object_mut() {
            shown.remove("events");
            if !account.lists_queue {
                shown.remove("queue");
            }
        }
        let mut last = Map::new();
        for event in thread.shown_events() {
            let entry =
                json!({"thread_id": thread.id, "thread_created_at": thread.created_at, "event": event});
            last.insert(event["type"].as_str().unwrap_or_default().to_owned(), entry);
        }
        json!({
            "id": self.id,
            "users": self.users(account),
            "properties": self.properties,
            "access": {"group_ids": self.group_ids},
            "last_thread_summary": shown,
            "last_event_per_type": last,
            "is_followed": false,
        })
    }

    fn users(&self, account: &Account) -> Vec<Value> {
        self.members.iter().map(|member| member.json(account)).collect()
    }
}

impl Member {
    pub(super) fn is_public_agent(&self) -> bool {
        self.is_agent && self.is_present && self.visibility == "all"
    }

    pub(super) fn json(&self, account: &Account) -> Value {
        let mut user = account.user(&self.id);
        user["present"] = json!(self.is_present);
        if self.is_agent {
            user["visibility"] = json!(self.visibility);
        }
        user
    }
}

impl Thread {
    /// Ends the customer's time in the queue, if there is one.
    pub(super) fn leave_queue(&mut self, now: &str, gave_up: bool) {
        let Some(queue) = self.queue.take() else { return };
        let seconds = |text: &str| {
            let at: Timestamp = text.parse().unwrap_or_default();
            at.as_millisecond() as f64 / 1_000.0
        };
        let since = queue["queued_at"].as_str().unwrap_or(now);
        self.waited.push(Waited { seconds: seconds(now) - seconds(since), gave_up });
    }

    /// The events that readers see.
    fn shown_events(&self) -> Vec<&Value> {
        let now = Instant::now();
        let is_shown = |event: &&Value| {
            let hidden = self.unseen.iter().find(|(id, _)| event["id"] == id.as_str());
            hidden.is_none_or(|(_, until)| *until <= now)
        };
        self.events.iter().filter(is_shown).collect()
    }

    fn json(&self, chat: &Chat) -> Value {
        let place = chat.threads.iter().position(|thread| thread.id == self.id).unwrap_or(0);
        let mut object = json!({
            "id": self.id,
            "active": self.is_active,
            "created_at": self.created_at,
            "user_ids": self.user_ids,
            "events": self.shown_events(),
            "properties": self.properties,
            "access": {"group_ids": self.group_ids},
        });
        if !self.tags.is_empty() {
            object["tags"] = json!(self.tags);
        }
        if let Some(queue) = &self.queue {
            object["queue"] = queue.clone();
        }
        if let Some(previous) = place.checked_sub(1).and_then(|place| chat.threads.get(place)) {
            object["previous_thread_id"] = json!(previous.id);
        }
        if let Some(next) = chat.threads.get(place + 1) {
            object["next_thread_id"] = json!(next.id);
        }
        object
    }
}
