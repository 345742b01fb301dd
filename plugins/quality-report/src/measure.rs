//! What one conversation comes to.

use std::collections::BTreeSet;

use chatplug_sdk::objects::{Chat, ChatEvent, ChatEventKind};
use jiff::Timestamp;

/// A tag, or the id of an agent, that is longer than this (in bytes) is none of LiveChat's.
const NAME_BYTES_MAX: usize = 200;

/// What is counted of one thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Measured {
    /// The chat.
    pub(crate) chat_id: String,
    /// The thread that came behind it in this chat, if there is one.
    pub(crate) next_thread_id: Option<String>,
    /// When it began, milliseconds since 1970.
    pub(crate) begun_ms: i64,
    /// When it ended: its last event that isn't about a rating.
    pub(crate) ended_ms: i64,
    /// The people of the team who said something in it, or who were in it if nobody did. What LiveChat says in their names
    /// isn't theirs.
    pub(crate) agents: BTreeSet<String>,
    /// How long the customer waited, each time that somebody answered.
    pub(crate) responses: Vec<Response>,
    /// Whether the customer wrote and nobody answered.
    pub(crate) is_unanswered: bool,
    /// Whether it was rated as good; `None` if it wasn't rated.
    pub(crate) rating: Option<bool>,
    /// Its tags.
    pub(crate) tags: BTreeSet<String>,
    /// Whether nobody can read what was said in it: it lies beyond the history that the account's plan gives. Then nothing
    /// else is known of it but when it began, and who was in it.
    pub(crate) is_beyond_history: bool,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    /// Who gave it.
    pub(crate) agent: String,
    /// How long the customer waited since the first message that nobody had answered, milliseconds.
    pub(crate) waited_ms: u64,
}

impl Measured {
    /// How long it was.
    pub(crate) fn duration_ms(&self) -> u64 {
        u64::try_from(self.ended_ms - self.begun_ms).unwrap_or_default()
    }

    /// Whether a thread that began then opened the chat again within 24 hours.
    pub(crate) fn is_reopened_at(&self, next_begun_ms: i64) -> bool {
        next_begun_ms - self.ended_ms <= 24 * 3_600_000
    }
}

/// Measures a thread; `None` if it doesn't say when it began.
pub(crate) fn measure(chat: &Chat) -> Option<Measured> {
    let thread = &chat.thread;
    let begun_ms = ms(thread.created_at.as_deref())?;
    let there =
        || -> BTreeSet<String> { thread.user_ids.iter().filter(|id| is_person(id)).cloned().collect() };
    if thread.restricted_access.is_some() {
        let agents = there();
        return Some(Measured { begun_ms, agents, is_beyond_history: true, ..Measured::default() });
    }
    let mut measured = Measured {
        chat_id: chat.id.clone(),
        next_thread_id: thread.next_thread_id.clone(),
        begun_ms,
        ended_ms: begun_ms,
        rating: rating(chat),
        tags: thread.tags.iter().filter(|tag| tag.len() <= NAME_BYTES_MAX).cloned().collect(),
        ..Measured::default()
    };
    let (mut waits_since, mut has_customer_written) = (None, false);
    for event in &thread.events {
        let Some(at_ms) = ms(event.created_at.as_deref()) else { continue };
        if !is_about_rating(event) {
            measured.ended_ms = measured.ended_ms.max(at_ms);
        }
        match speaker(chat, event) {
            Some(Speaker::Customer) => {
                has_customer_written = true;
                waits_since.get_or_insert(at_ms);
            }
            Some(Speaker::Agent(agent)) => {
                measured.agents.insert(agent.to_owned());
                if let Some(since_ms) = waits_since.take() {
                    let waited_ms = u64::try_from(at_ms - since_ms).unwrap_or_default();
                    measured.responses.push(Response { agent: agent.to_owned(), waited_ms });
                }
            }
            None => {}
        }
    }
    // What was said before the customer wrote is no answer.
    measured.is_unanswered = has_customer_written && measured.responses.is_empty();
    if measured.agents.is_empty() {
        measured.agents = there();
    }
    Some(measured)
}

enum Speaker<'a> {
    Customer,
    Agent(&'a str),
}

/// Who says something that both sides see. Bots are nobody here, and what LiveChat says by itself is nothing.
fn speaker<'a>(chat: &Chat, event: &'a ChatEvent) -> Option<Speaker<'a>> {
    let says =
        matches!(event.kind, ChatEventKind::Message | ChatEventKind::File | ChatEventKind::RichMessage);
    let author = event.author_id.as_deref().filter(|_| says && !event.is_internal())?;
    if chat.customer().is_some_and(|customer| customer.id == author) {
        return Some(Speaker::Customer);
    }
    (is_person(author) && !event.is_automatic()).then_some(Speaker::Agent(author))
}

/// People's ids are e-mail addresses; those of bots and customers aren't.
fn is_person(id: &str) -> bool {
    id.contains('@') && id.len() <= NAME_BYTES_MAX
}

/// Ratings may come long after the end.
fn is_about_rating(event: &ChatEvent) -> bool {
    event.system_message_type.as_deref().is_some_and(|kind| kind.starts_with("rating."))
}

fn rating(chat: &Chat) -> Option<bool> {
    match chat.thread.properties.get("rating", "score")?.as_i64()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// A time of RFC 3339 as milliseconds since 1970.
pub(crate) fn ms(text: Option<&str>) -> Option<i64> {
    let at: Timestamp = text?.parse().ok()?;
    Some(at.as_millisecond())
}

#[cfg(test)]
mod tests;
