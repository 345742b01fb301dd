//! What LiveChat lists of chats, as the events that its webhooks would have brought: for webhooks that never came. Each
//! event is made of the body that the webhook would have had, so that both are known by the same key.
//!
//! A listing shows how things are, not how they came about. What it says for certain is made an event; see
//! [`is_listed`].

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::facts::time_ms;
use super::json::{Object, quoted, to_json};
use super::{Us, Webhook, understand};
use crate::action::{Code, Error};
use crate::event::rating::Signal;
use crate::event::recovered::{Recovered, Told};
use crate::event::types::CHAT_RATED;
use crate::event::{Dedupe, NewEvent};

#[cfg(test)]
mod tests;

/// Chat events this soon after the beginning of a conversation come inside of its `incoming_chat`, milliseconds.
const AT_ONCE_MS: i64 = 1_000;
/// How the events say that no webhook brought them.
const WIRE: &str = "api";

/// The types of events that can be made of what LiveChat lists.
pub const LISTED: [&str; 5] =
    ["incoming_chat", "incoming_event", "thread_tagged", "chat_deactivated", CHAT_RATED];

/// Whether events of a type can be made of what LiveChat lists.
pub fn is_listed(event_type: &str) -> bool {
    LISTED.contains(&event_type)
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it, in the order of the list.
    pub items: Vec<T>,
    /// Leads to the next page.
    pub next_page_id: Option<String>,
}

/// A chat, as `list_chats` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its id.
    pub chat_id: String,
    /// When its newest conversation began, milliseconds since 1970.
    pub began_ms: Option<i64>,
    /// When its newest chat event was made.
    pub newest_ms: Option<i64>,
}

/// What is wanted of a conversation.
pub struct Scope<'a> {
    /// By whom the host's own doing is recognised.
    pub us: &'a Us,
    /// The account's organization, which no listing names.
    pub organization: Option<&'a str>,
    /// Whether events of a type are wanted.
    pub wants: &'a (dyn Fn(&str) -> bool + Sync),
    /// What happened before is of no interest, milliseconds since 1970.
    pub from_ms: i64,
    /// Nor what happened after.
    pub to_ms: i64,
    /// The time now.
    pub now_ms: i64,
}

/// A conversation that was listed.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversation {
    /// The chat.
    pub chat_id: String,
    /// When the conversation began, milliseconds since 1970.
    pub began_ms: i64,
    /// Its events.
    pub recovered: Recovered,
    /// Whether LiveChat shows what was said in it; by its plan it may not.
    pub is_whole: bool,
}

/// What is no conversation that can be read: the chat's id, if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable(pub Option<String>);

/// A page of `list_archives`; its items are for [`conversation`].
///
/// # Errors
/// An answer that is no such page.
pub fn archives(answer: &str) -> Result<Page<String>, Error> {
    page("list_archives", "chats", answer, |chat| Some(chat.get().to_owned()))
}

/// A page of `list_chats`.
///
/// # Errors
/// An answer that is no such page.
pub fn summaries(answer: &str) -> Result<Page<Summary>, Error> {
    page("list_chats", "chats_summary", answer, |chat| {
        let chat = Object::read(chat.get());
        let last = chat.object("last_event_per_type");
        let times = last.fields().filter_map(|(_, last)| {
            Object::read(last).object("event").text("created_at").and_then(|at| time_ms(&at))
        });
        Some(Summary {
            chat_id: chat.id("id")?.into_owned(),
            began_ms: chat.object("last_thread_summary").text("created_at").and_then(|at| time_ms(&at)),
            newest_ms: times.max(),
        })
    })
}

fn page<T>(
    action: &str,
    items: &str,
    answer: &str,
    item: impl Fn(&RawValue) -> Option<T>,
) -> Result<Page<T>, Error> {
    let page = Object::read(answer);
    if !page.raw(items).is_some_and(|list| list.starts_with('[')) {
        let message = format!("LiveChat's answer to {action} has an unknown shape: it has no `{items}`");
        return Err(Error::new(Code::Unavailable, message));
    }
    Ok(Page {
        items: page.array(items).into_iter().filter_map(item).collect(),
        next_page_id: page.text("next_page_id").map(Cow::into_owned).filter(|id| !id.is_empty()),
    })
}

/// The events of a chat with one thread, as `list_archives` and `get_chat` show it.
///
/// # Errors
/// What has no ids or no time.
pub fn conversation(chat: &str, scope: &Scope<'_>) -> Result<Conversation, Unreadable> {
    let listed = Listed::read(chat, scope)?;
    let mut told = Vec::new();
    let (first, rest) = listed.opening();
    if listed.is_within(listed.began_ms) {
        told.extend(listed.incoming_chat(first));
    } else {
        told.extend(first.iter().filter_map(|said| listed.incoming_event(said)));
    }
    let end = listed.end();
    let (before, after) = rest.split_at(end.map_or(rest.len(), |end| end.saturating_sub(first.len())));
    told.extend(before.iter().filter_map(|said| listed.incoming_event(said)));
    if listed.goes_on_within() {
        told.extend(listed.tags());
    }
    told.extend(end.and_then(|end| listed.deactivated(end)));
    told.extend(after.iter().filter_map(|said| listed.incoming_event(said)));
    Ok(Conversation {
        recovered: Recovered { told, rating: listed.rating(), last_ms: listed.last_ms },
        is_whole: listed.thread.raw("restricted_access").is_none(),
        began_ms: listed.began_ms,
        chat_id: listed.chat_id.into_owned(),
    })
}

/// A chat event, and when it was made.
struct Said<'a> {
    raw: &'a str,
    at_ms: i64,
    /// The kind of a system message.
    system: Option<Cow<'a, str>>,
}

impl<'a> Said<'a> {
    /// Without a time of its own it has that of the one before.
    fn read(raw: &'a RawValue, before_ms: i64) -> Said<'a> {
        let object = Object::read(raw.get());
        let at_ms = object.text("created_at").and_then(|at| time_ms(&at));
        let is_system = object.text("type").is_some_and(|kind| kind == "system_message");
        Said {
            raw: raw.get(),
            at_ms: at_ms.unwrap_or(before_ms),
            system: is_system.then(|| object.text("system_message_type").unwrap_or_default()),
        }
    }

    /// Whether it says how the conversation was rated.
    fn is_rating(&self) -> bool {
        self.system.as_deref().is_some_and(|kind| kind.starts_with("rating."))
    }

    /// Whether it says that the conversation has ended.
    fn is_end(&self) -> bool {
        self.system.as_deref().is_some_and(|kind| kind.contains("archived"))
    }
}

/// A chat with one thread.
struct Listed<'a> {
    scope: &'a Scope<'a>,
    chat: Object<'a>,
    thread: Object<'a>,
    chat_id: Cow<'a, str>,
    thread_id: Cow<'a, str>,
    said: Vec<Said<'a>>,
    began_ms: i64,
    last_ms: i64,
}

impl<'a> Listed<'a> {
    fn read(text: &'a str, scope: &'a Scope<'a>) -> Result<Listed<'a>, Unreadable> {
        let chat = Object::read(text);
        let thread = chat.object("thread");
        let unreadable = || Unreadable(chat.id("id").map(Cow::into_owned));
        let chat_id = chat.id("id").ok_or_else(unreadable)?;
        let thread_id = thread.id("id").ok_or_else(unreadable)?;
        let began_ms = thread.text("created_at").and_then(|at| time_ms(&at)).ok_or_else(unreadable)?;
        let mut said: Vec<Said<'_>> = Vec::new();
        for raw in thread.array("events") {
            let before_ms = said.last().map_or(began_ms, |said| said.at_ms);
            said.push(Said::read(raw, before_ms));
        }
        said.sort_by_key(|said| said.at_ms);
        let last_ms = said.last().map_or(began_ms, |said| said.at_ms.max(began_ms));
        Ok(Listed { scope, chat, thread, chat_id, thread_id, said, began_ms, last_ms })
    }

    fn is_within(&self, at_ms: i64) -> bool {
        (self.scope.from_ms..=self.scope.to_ms).contains(&at_ms)
    }

    /// Whether it went on in the time that is of interest: what has no time of its own may have happened then.
    fn goes_on_within(&self) -> bool {
        self.last_ms >= self.scope.from_ms && self.began_ms <= self.scope.to_ms
    }

    /// What was there when the conversation began, and what came then.
    fn opening(&self) -> (&[Said<'a>], &[Said<'a>]) {
        let is_first = |said: &&Said| said.system.is_none() && said.at_ms <= self.began_ms + AT_ONCE_MS;
        self.said.split_at(self.said.iter().take_while(is_first).count())
    }

    /// How many chat events there were at the end; `None` while it goes on.
    fn end(&self) -> Option<usize> {
        if self.thread.raw("active") != Some("false") {
            return None;
        }
        let last = self.said.iter().rposition(Said::is_end);
        Some(last.map_or(self.said.len(), |last| last + 1))
    }

    /// The beginning, with what came inside of it.
    fn incoming_chat(&self, first: &[Said<'_>]) -> Vec<Told> {
        let inside: Vec<&str> = first.iter().map(|said| said.raw).collect();
        let inside = format!("[{}]", inside.join(","));
        let thread = self.thread.fields().filter(|(name, _)| *name != "events");
        let thread = to_json(thread.chain([("events", inside.as_str())]));
        let chat = self.chat.fields().filter(|(name, _)| !["thread", "is_followed"].contains(name));
        let chat = to_json(chat.chain([("thread", thread.as_str())]));
        let webhook = self.webhook("incoming_chat", &format!("{{\"chat\":{chat}}}"));
        let events = webhook.into_iter().flat_map(|webhook| webhook.events);
        events.filter_map(|event| self.told(event, self.began_ms)).collect()
    }

    fn incoming_event(&self, said: &Said<'_>) -> Option<Told> {
        if !self.is_within(said.at_ms) {
            return None;
        }
        let Webhook { mut events, rating, .. } = self.webhook(
            "incoming_event",
            &format!(
                "{{\"chat_id\":{},\"thread_id\":{},\"event\":{}}}",
                self.chat(),
                self.thread(),
                said.raw
            ),
        )?;
        let event = self.told(events.swap_remove(0), said.at_ms).and_then(|told| told.event);
        let rating = rating.filter(|_| event.is_some() || (self.scope.wants)(CHAT_RATED));
        (event.is_some() || rating.is_some()).then_some(Told { event, rating })
    }

    fn tags(&self) -> Vec<Told> {
        let tags = self.thread.array("tags").into_iter().filter(|tag| tag.get().starts_with('"'));
        let told = |tag: &RawValue| {
            let payload = format!(
                "{{\"chat_id\":{},\"tag\":{},\"thread_id\":{}}}",
                self.chat(),
                tag.get(),
                self.thread()
            );
            let at_ms = self.last_ms.min(self.scope.to_ms);
            self.told(self.webhook("thread_tagged", &payload)?.events.swap_remove(0), at_ms)
        };
        tags.filter_map(told).collect()
    }

    /// Who ended it is not listed.
    fn deactivated(&self, end: usize) -> Option<Told> {
        let ended_ms =
            end.checked_sub(1).and_then(|last| self.said.get(last)).map_or(self.began_ms, |said| said.at_ms);
        if !self.is_within(ended_ms) {
            return None;
        }
        let payload = format!("{{\"chat_id\":{},\"thread_id\":{}}}", self.chat(), self.thread());
        self.told(self.webhook("chat_deactivated", &payload)?.events.swap_remove(0), ended_ms)
    }

    /// What the properties say; when it was said they don't.
    fn rating(&self) -> Option<Signal> {
        let rating = self.thread.object("properties").raw("rating")?;
        // A system message says when: what comes after the time that is of interest is left to its own.
        let is_later = |said: &Said<'_>| said.at_ms > self.scope.to_ms && said.is_rating();
        if !(self.scope.wants)(CHAT_RATED) || !self.goes_on_within() || self.said.iter().any(is_later) {
            return None;
        }
        let payload = format!(
            "{{\"chat_id\":{},\"properties\":{{\"rating\":{rating}}},\"thread_id\":{}}}",
            self.chat(),
            self.thread()
        );
        self.webhook("thread_properties_updated", &payload)?.rating
    }

    /// What a webhook of LiveChat's with this payload says.
    fn webhook(&self, action: &str, payload: &str) -> Option<Webhook> {
        let organization = self
            .scope
            .organization
            .map(|id| format!(",\"organization_id\":{}", quoted(id)))
            .unwrap_or_default();
        let properties =
            self.chat.raw("properties").map(|is| format!("\"chat_properties\":{is}")).unwrap_or_default();
        let body = format!(
            "{{\"action\":\"{action}\",\"payload\":{payload},\"additional_data\":{{{properties}}}{organization}}}"
        );
        Some(understand(self.scope.us, &Object::parse(&body).ok()?, WIRE, self.scope.now_ms))
    }

    /// The event as one that was recovered, if it is wanted. It never lacks a time: a plugin must see that it is late.
    fn told(&self, event: NewEvent, at_ms: i64) -> Option<Told> {
        let is_wanted = (self.scope.wants)(&event.event_type) && event.dedupe != Dedupe::Always;
        let occurred_at_ms = event.occurred_at_ms.or(Some(at_ms));
        let event = NewEvent { occurred_at_ms, recovered: true, ..event };
        is_wanted.then_some(Told { event: Some(event), rating: None })
    }

    fn chat(&self) -> String {
        quoted(&self.chat_id)
    }

    fn thread(&self) -> String {
        quoted(&self.thread_id)
    }
}
