//! What is known of the active chats and the agents: what LiveChat said last, and what webhooks have told since.

use std::collections::{BTreeMap, BTreeSet};

use chatplug_sdk::objects::{Agent, ChatSummary, Queue, Thread, Visibility};
use chatplug_sdk::payload::{ChatTransferred, IncomingChat, UserAdded, UserRemoved};
use chatplug_sdk::prelude::*;
use jiff::Timestamp;

/// An active chat.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatNow {
    /// Its thread.
    pub thread: String,
    /// Since when the customer waits in the queue, milliseconds since 1970; `None` if they don't, as far as is known.
    pub queued_at_ms: Option<u64>,
    /// The people of the team who are in it, for the customer to see.
    pub agents: BTreeSet<String>,
}

/// All active chats, by their ids, as they were at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chats {
    /// That time, milliseconds since 1970.
    pub at_ms: u64,
    /// The chats.
    pub chats: BTreeMap<String, ChatNow>,
}

impl Chats {
    /// Of what LiveChat lists. What it doesn't say of the queue is known from `before` where the thread is still the
    /// same, and nobody of the team has come.
    pub fn listed(at_ms: u64, summaries: &[ChatSummary], before: &Chats) -> Chats {
        let chats = summaries.iter().map(|summary| {
            let thread = &summary.last_thread_summary;
            let agents = summary.users.iter().filter_map(|user| match user {
                User::Agent(agent) if agent.present => person(agent),
                _ => None,
            });
            let mut now = ChatNow {
                thread: thread.id.clone(),
                queued_at_ms: queued(thread, at_ms),
                agents: agents.collect(),
            };
            if now.queued_at_ms.is_none() && now.agents.is_empty() {
                let known = before.chats.get(&summary.id).filter(|known| known.thread == now.thread);
                now.queued_at_ms = known.and_then(|known| known.queued_at_ms);
            }
            (summary.id.clone(), now)
        });
        Chats { at_ms, chats: chats.collect() }
    }

    /// With what webhooks have told since.
    pub fn with<'a>(mut self, news: impl IntoIterator<Item = &'a (String, News)>) -> Chats {
        for (chat, news) in news {
            if news.at_ms <= self.at_ms {
                continue;
            }
            if let Some(now) = news.clone().applied(self.chats.remove(chat)) {
                self.chats.insert(chat.clone(), now);
            }
        }
        self
    }
}

/// The groups whose chats count: those of the settings, or all if they name none.
#[derive(Clone, Copy, Debug)]
pub struct Groups<'a>(pub &'a [i64]);

impl Groups<'_> {
    /// Whether a chat of these groups counts; `None` if nobody knows, as none is named.
    fn count(self, group_ids: &[i64]) -> Option<bool> {
        if self.0.is_empty() {
            return Some(true);
        }
        (!group_ids.is_empty()).then(|| group_ids.iter().any(|id| self.0.contains(id)))
    }
}

/// What webhooks have told of a chat lately, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct News {
    /// When the last of it came, milliseconds since 1970.
    pub at_ms: u64,
    /// The chat has begun, so that nothing from before counts.
    began: bool,
    /// It has ended.
    ended: bool,
    /// Whether it is in a group that counts; `None` if nothing was told of it.
    counts: Option<bool>,
    /// Its thread.
    thread: Option<String>,
    /// Whether the customer waits in the queue, and since when; `None` if nothing was told of it.
    queue: Option<Option<u64>>,
    /// Who has come (true) and gone.
    agents: BTreeMap<String, bool>,
}

/// When what an event tells counts from, milliseconds since 1970: when it was received, as a list that LiveChat gave before need
/// not have it, whatever LiveChat's clock says. What the host fetched after an outage was received long after it happened.
pub fn told_ms(is_recovered: bool, happened_ms: u64, received_ms: u64) -> u64 {
    if is_recovered { happened_ms } else { received_ms }
}

impl News {
    /// A chat began.
    pub fn begin(&mut self, incoming: &IncomingChat, at_ms: u64, groups: Groups<'_>) {
        let thread = &incoming.chat.thread;
        let agents = incoming.chat.agents().filter(|agent| agent.present).filter_map(person);
        *self = News {
            at_ms,
            began: true,
            counts: groups.count(&incoming.chat.access.group_ids),
            thread: Some(thread.id.clone()),
            queue: Some(queued(thread, at_ms)),
            agents: agents.map(|agent| (agent, true)).collect(),
            ended: false,
        };
    }

    /// It ended.
    pub fn end(&mut self, at_ms: u64) {
        *self = News { at_ms, ended: true, ..News::default() };
    }

    /// It went to somebody else, or into the queue.
    pub fn transfer(&mut self, moved: &ChatTransferred, at_ms: u64, groups: Groups<'_>) {
        self.note(moved.thread_id.as_ref(), at_ms, groups);
        self.counts = groups.count(&moved.transferred_to.group_ids).or(self.counts);
        self.queue = Some(moved.queue.as_ref().map(|queue| since(queue, at_ms)));
        let people = moved.transferred_to.agent_ids.iter().filter(|id| is_person(id));
        self.agents.extend(people.map(|id| (id.clone(), true)));
    }

    /// Somebody came.
    pub fn come(&mut self, added: &UserAdded, at_ms: u64, groups: Groups<'_>) {
        self.note(added.thread_id.as_ref(), at_ms, groups);
        if let User::Agent(agent) = &added.user
            && let Some(agent) = person(agent)
        {
            self.queue = Some(None);
            self.agents.insert(agent, true);
        }
    }

    /// Somebody went.
    pub fn go(&mut self, removed: &UserRemoved, at_ms: u64, groups: Groups<'_>) {
        self.note(removed.thread_id.as_ref(), at_ms, groups);
        if is_person(&removed.user_id) {
            self.agents.insert(removed.user_id.clone(), false);
        }
    }

    /// Whether the customer waits in the queue, as far as was told.
    pub fn waits(&self) -> bool {
        matches!(self.queue, Some(Some(_)))
    }

    fn note(&mut self, thread: Option<&String>, at_ms: u64, groups: Groups<'_>) {
        self.at_ms = self.at_ms.max(at_ms);
        self.counts = self.counts.or_else(|| groups.count(&[]));
        if let Some(thread) = thread {
            self.thread = Some(thread.clone());
        }
    }

    /// The chat as it is with this; `None` if it isn't active, or not in a group that counts.
    fn applied(self, known: Option<ChatNow>) -> Option<ChatNow> {
        if self.ended || self.counts == Some(false) {
            return None;
        }
        let mut now = match (self.began, known, &self.thread) {
            (false, Some(known), _) => known,
            // Only active chats have a thread that webhooks name.
            (_, _, Some(thread)) if self.counts == Some(true) => {
                ChatNow { thread: thread.clone(), ..ChatNow::default() }
            }
            // Nobody knows in which group a chat is that LiveChat didn't list: the next list will say.
            _ => return None,
        };
        if let Some(thread) = self.thread {
            now.thread = thread;
        }
        if let Some(queue) = self.queue {
            now.queued_at_ms = queue;
        }
        for (agent, is_there) in self.agents {
            if is_there {
                now.agents.insert(agent)
            } else {
                now.agents.remove(&agent)
            };
        }
        Some(now)
    }
}

/// The routing status of each person of the team, as it was at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agents {
    /// That time, milliseconds since 1970.
    pub at_ms: u64,
    /// Id to status.
    pub statuses: BTreeMap<String, String>,
}

/// Whether an id is that of a person: those are e-mail addresses, the ids of bots are not.
pub fn is_person(id: &str) -> bool {
    id.contains('@')
}

/// The id of somebody whom the customer sees, if it is a person.
fn person(agent: &Agent) -> Option<String> {
    (is_person(&agent.id) && agent.visibility != Visibility::Agents).then(|| agent.id.clone())
}

fn queued(thread: &Thread, at_ms: u64) -> Option<u64> {
    thread.queue.as_ref().map(|queue| since(queue, at_ms))
}

/// Since when somebody waits; where LiveChat doesn't say, since it was told.
fn since(queue: &Queue, at_ms: u64) -> u64 {
    let at = queue.queued_at.as_deref().and_then(|at| at.parse::<Timestamp>().ok());
    at.and_then(|at| u64::try_from(at.as_millisecond()).ok()).unwrap_or(at_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-06-01, 10:00:00 UTC.
    const TEN: u64 = 1_780_308_000_000;

    fn of<T: serde::de::DeserializeOwned>(value: Value) -> T {
        serde_json::from_value(value).expect("the object")
    }

    fn ann(present: bool) -> Value {
        json!({ "id": "ann@example.com", "type": "agent", "present": present, "visibility": "all" })
    }

    fn queue() -> Value {
        json!({ "position": 1, "wait_time": 60, "queued_at": "2026-06-01T09:59:00.000000Z" })
    }

    fn now(thread: &str, queued_at_ms: Option<u64>, agents: &[&str]) -> ChatNow {
        let agents = agents.iter().map(|agent| (*agent).to_owned()).collect();
        ChatNow { thread: thread.to_owned(), queued_at_ms, agents }
    }

    fn chats(at_ms: u64, all: &[(&str, ChatNow)]) -> Chats {
        Chats { at_ms, chats: all.iter().map(|(id, now)| ((*id).to_owned(), now.clone())).collect() }
    }

    #[test]
    fn what_livechat_lists_is_taken_and_the_queue_is_remembered() {
        let summary = |id: &str, users: Value, thread: Value| -> ChatSummary {
            of(json!({ "id": id, "users": users, "last_thread_summary": thread }))
        };
        let boss =
            json!({ "id": "boss@example.com", "type": "agent", "present": true, "visibility": "agents" });
        let bot = json!({ "id": "5c9871d5372c824cbf22d860a707a578", "type": "agent", "present": true });
        let listed = [
            summary("C1", json!([ann(true), bot, boss]), json!({ "id": "T1", "active": true })),
            summary("C2", json!([ann(false)]), json!({ "id": "T2", "queue": queue() })),
            summary("C3", json!([]), json!({ "id": "T3" })),
            summary("C4", json!([]), json!({ "id": "T4new" })),
            summary("C5", json!([ann(true)]), json!({ "id": "T5" })),
        ];
        let queued = now("T3", Some(TEN - 5_000), &[]);
        let before = chats(
            TEN - 60_000,
            &[
                ("C3", queued.clone()),
                ("C4", ChatNow { thread: "T4".to_owned(), ..queued.clone() }),
                ("C5", ChatNow { thread: "T5".to_owned(), ..queued.clone() }),
                ("C6", queued.clone()),
            ],
        );
        let expected = [
            ("C1", now("T1", None, &["ann@example.com"])),
            ("C2", now("T2", Some(TEN - 60_000), &[])),
            ("C3", queued),
            ("C4", now("T4new", None, &[])),
            ("C5", now("T5", None, &["ann@example.com"])),
        ];
        assert_eq!(Chats::listed(TEN, &listed, &before), chats(TEN, &expected));
    }

    const ALL: Groups<'_> = Groups(&[]);

    #[test]
    fn webhooks_go_on_from_what_was_listed() {
        let base =
            chats(TEN, &[("C1", now("T1", Some(TEN), &[])), ("C2", now("T2", None, &["ann@example.com"]))]);
        let check = |chat: &str, tell: &dyn Fn(&mut News), expected: Option<ChatNow>| {
            let mut news = News::default();
            tell(&mut news);
            let found = base.clone().with(&[(chat.to_owned(), news.clone())]);
            assert_eq!(found.chats.get(chat), expected.as_ref(), "{news:?}");
            assert_eq!(
                found.chats.len(),
                2 + usize::from(chat == "C3" && expected.is_some())
                    - usize::from(chat != "C3" && expected.is_none())
            );
        };
        let added: UserAdded = of(json!({ "chat_id": "C1", "thread_id": "T1", "user": ann(true) }));
        check("C1", &|news| news.come(&added, TEN + 1, ALL), Some(now("T1", None, &["ann@example.com"])));
        check("C1", &|news| news.come(&added, TEN, ALL), Some(now("T1", Some(TEN), &[])));
        check("C1", &|news| news.end(TEN + 1), None);
        let gone: UserRemoved = of(json!({ "chat_id": "C2", "user_id": "ann@example.com" }));
        check("C2", &|news| news.go(&gone, TEN + 1, ALL), Some(now("T2", None, &[])));
        let moved: ChatTransferred = of(json!({ "chat_id": "C2", "thread_id": "T2", "queue": queue() }));
        check(
            "C2",
            &|news| {
                news.go(&gone, TEN + 1, ALL);
                news.transfer(&moved, TEN + 2, ALL);
            },
            Some(now("T2", Some(TEN - 60_000), &[])),
        );
        let begun: IncomingChat = of(
            json!({ "chat": { "id": "C3", "users": [], "thread": { "id": "T3", "queue": { "position": 2 } } } }),
        );
        check("C3", &|news| news.begin(&begun, TEN + 7, ALL), Some(now("T3", Some(TEN + 7), &[])));
        check(
            "C3",
            &|news| {
                news.begin(&begun, TEN + 7, ALL);
                news.end(TEN + 8);
            },
            None,
        );
        check(
            "C3",
            &|news| news.come(&of(json!({ "chat_id": "C3", "user": ann(true) })), TEN + 9, ALL),
            None,
        );
    }

    #[test]
    fn a_chat_that_ends_and_begins_again_is_a_new_one() {
        let begun: IncomingChat =
            of(json!({ "chat": { "id": "C1", "users": [ann(true)], "thread": { "id": "T2" } } }));
        let mut news = News::default();
        news.end(TEN + 1);
        news.begin(&begun, TEN + 2, ALL);
        let base = chats(TEN, &[("C1", now("T1", Some(TEN), &["ben@example.com"]))]);
        let found = base.with(&[("C1".to_owned(), news)]);
        assert_eq!(found.chats["C1"], now("T2", None, &["ann@example.com"]));
    }

    #[test]
    fn with_groups_only_their_chats_count() {
        let groups = Groups(&[1, 5]);
        let base = chats(TEN, &[("C1", now("T1", Some(TEN), &[]))]);
        let check = |chat: &str, tell: &dyn Fn(&mut News), expected: Option<ChatNow>| {
            let mut news = News::default();
            tell(&mut news);
            let found = base.clone().with(&[(chat.to_owned(), news.clone())]);
            assert_eq!(found.chats.get(chat), expected.as_ref(), "{news:?}");
        };
        let begun = |group_ids: Value| -> IncomingChat {
            let chat = json!({ "id": "C2", "users": [ann(true)], "access": { "group_ids": group_ids }, "thread": { "id": "T2" } });
            of(json!({ "chat": chat }))
        };
        let of_ann = |thread: &str| Some(now(thread, None, &["ann@example.com"]));
        check("C2", &|news| news.begin(&begun(json!([5])), TEN + 1, groups), of_ann("T2"));
        check("C2", &|news| news.begin(&begun(json!([2])), TEN + 1, groups), None);
        check("C2", &|news| news.begin(&begun(json!([])), TEN + 1, groups), None);
        check("C2", &|news| news.begin(&begun(json!([2])), TEN + 1, ALL), of_ann("T2"));
        // Others change what is known only.
        let added: UserAdded = of(json!({ "chat_id": "C1", "thread_id": "T1", "user": ann(true) }));
        check("C1", &|news| news.come(&added, TEN + 1, groups), of_ann("T1"));
        check("C2", &|news| news.come(&added, TEN + 1, groups), None);
        check("C2", &|news| news.come(&added, TEN + 1, ALL), of_ann("T1"));
        // A transfer says where the chat is from then on.
        let moved = |group_ids: Value| -> ChatTransferred {
            of(json!({ "thread_id": "T1", "transferred_to": { "group_ids": group_ids }, "queue": queue() }))
        };
        let waits = Some(now("T1", Some(TEN - 60_000), &[]));
        check("C1", &|news| news.transfer(&moved(json!([2])), TEN + 1, groups), None);
        check("C1", &|news| news.transfer(&moved(json!([1])), TEN + 1, groups), waits.clone());
        check("C1", &|news| news.transfer(&moved(json!([])), TEN + 1, groups), waits.clone());
        check("C2", &|news| news.transfer(&moved(json!([1])), TEN + 1, groups), waits.clone());
        check("C2", &|news| news.transfer(&moved(json!([])), TEN + 1, groups), None);
        let away_and_back = |news: &mut News| {
            news.transfer(&moved(json!([2])), TEN + 1, groups);
            news.come(&added, TEN + 2, groups);
        };
        check("C1", &away_and_back, None);
        let back = |news: &mut News| {
            away_and_back(news);
            news.transfer(&moved(json!([5])), TEN + 3, groups);
        };
        check("C1", &back, Some(now("T1", Some(TEN - 60_000), &["ann@example.com"])));
    }

    #[test]
    fn what_is_received_after_a_list_counts_though_livechat_says_that_it_happened_before() {
        let base = chats(TEN, &[("C1", now("T1", None, &["ann@example.com"]))]);
        let check = |is_recovered: bool, received_ms: u64, expected: usize| {
            let mut news = News::default();
            news.end(told_ms(is_recovered, TEN - 5_000, received_ms));
            let found = base.clone().with(&[("C1".to_owned(), news)]);
            assert_eq!(found.chats.len(), expected, "{is_recovered} {received_ms}");
        };
        check(false, TEN + 100, 0);
        check(false, TEN - 100, 1);
        // The list has what happened before it, however late it was fetched.
        check(true, TEN + 100, 1);
    }
}
