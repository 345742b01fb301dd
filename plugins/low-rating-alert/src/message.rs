//! The texts: what the channel reads, and what the agents read.

use chatplug_sdk::http;
use chatplug_sdk::objects::{ChatEvent, Scale};
use chatplug_sdk::payload::ChatRated;
use chatplug_sdk::prelude::*;

use crate::decision::News;
use crate::text::{for_note, for_slack};

// Slack takes 3,000 characters in a section, 2,000 in a field, 150 in a header; all blocks of a message
// together are kept under 12,000.
const HEADLINE_MAX: usize = 150;
const FIELD_MAX: usize = 500;
const COMMENT_MAX: usize = 2_000;
const TRANSCRIPT_MAX: usize = 2_900;
const SPEAKER_MAX: usize = 60;
const LINE_MAX: usize = 400;
const NOTE_COMMENT_MAX: usize = 2_000;

/// A message of Slack: the line for notifications, and the blocks that people see.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) text: String,
    pub(crate) blocks: Value,
}

/// The message about a rating. `chat` is empty if LiveChat didn't give it.
pub(crate) fn alert(news: News, rated: &ChatRated, chat: &Chat, messages: usize) -> Message {
    let headline = headline(news, rated);
    let customer = customer(chat);
    let mut blocks = vec![
        json!({ "type": "header", "text": plain(&headline) }),
        json!({ "type": "section", "fields": [
            plain(&field("Customer", &customer)),
            plain(&field("Agent", &agent(chat))),
        ]}),
    ];
    if let Some(comment) = comment(rated) {
        blocks.push(section(&format!("Comment: {}", for_slack(comment, COMMENT_MAX))));
    }
    let transcript = transcript(chat, messages);
    if !transcript.is_empty() {
        blocks.push(section(&transcript));
    }
    blocks.push(json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": link(rated) }] }));
    Message { text: format!("{headline}: {}", for_slack(&customer, FIELD_MAX)), blocks: Value::from(blocks) }
}

/// The note that agents read in the chat.
pub(crate) fn note(rated: &ChatRated) -> String {
    let headline = headline(News::Low, rated);
    match comment(rated) {
        Some(comment) => format!("{headline}. The customer wrote: {}", for_note(comment, NOTE_COMMENT_MAX)),
        None => format!("{headline}."),
    }
}

fn headline(news: News, rated: &ChatRated) -> String {
    let score = score(rated);
    let headline = match news {
        News::Low | News::LowStill => format!("Low rating: {score}"),
        News::Improved => format!("A low rating turned good: {score}"),
        News::Withdrawn => "A low rating was withdrawn".to_owned(),
    };
    for_slack(&headline, HEADLINE_MAX)
}

fn score(rated: &ChatRated) -> String {
    match (&rated.scale, rated.score) {
        (_, None) => "none".to_owned(),
        (Scale::ZeroToOne, Some(0)) => "bad".to_owned(),
        (Scale::ZeroToOne, Some(1)) => "good".to_owned(),
        (Scale::OneToFive, Some(score)) => format!("{score} of 5"),
        (scale, Some(score)) => format!("{score} on the scale {scale}"),
    }
}

fn comment(rated: &ChatRated) -> Option<&str> {
    rated.comment.as_deref().filter(|comment| !comment.trim().is_empty())
}

fn customer(chat: &Chat) -> String {
    let Some(customer) = chat.customer() else { return "unknown".to_owned() };
    match (customer.name.as_deref(), customer.email.as_deref()) {
        (Some(name), Some(email)) => format!("{name}, {email}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "without a name".to_owned(),
    }
}

/// Who wrote last, else who is in the chat.
fn agent(chat: &Chat) -> String {
    let last = said(chat).rev().find_map(|event| {
        let author = event.author_id.as_deref()?;
        chat.agents().find(|agent| agent.id == author)
    });
    let agent = last.or_else(|| chat.agents().next());
    agent.map_or("none".to_owned(), |agent| agent.name.clone().unwrap_or_else(|| agent.id.clone()))
}

/// What people said to each other, in order; notes stay inside.
fn said(chat: &Chat) -> impl DoubleEndedIterator<Item = &ChatEvent> {
    chat.thread.events.iter().filter(|event| event.message().is_some() && !event.is_internal())
}

fn transcript(chat: &Chat, messages: usize) -> String {
    let mut lines = Vec::new();
    let mut length = 0;
    for event in said(chat).rev().take(messages) {
        let line = line(chat, event);
        length += line.encode_utf16().count() + 1;
        if length > TRANSCRIPT_MAX {
            break;
        }
        lines.push(line);
    }
    lines.reverse();
    lines.join("\n")
}

fn line(chat: &Chat, event: &ChatEvent) -> String {
    let author = event.author_id.as_deref().and_then(|id| chat.user(id));
    let role = if author.is_some_and(User::is_customer) { "Customer" } else { "Agent" };
    let name = for_slack(author.and_then(User::name).unwrap_or_default(), SPEAKER_MAX);
    let text = for_slack(event.message().unwrap_or_default(), LINE_MAX);
    if name.is_empty() { format!("{role}: {text}") } else { format!("{role} {name}: {text}") }
}

fn link(rated: &ChatRated) -> String {
    let thread = http::segment(&rated.thread_id);
    format!("<https://my.livechatinc.com/archives/{thread}|Open the chat in LiveChat>")
}

fn field(label: &str, text: &str) -> String {
    format!("{label}: {}", for_slack(text, FIELD_MAX))
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": plain(text) })
}

/// Foreign text never goes where Slack reads markup.
fn plain(text: &str) -> Value {
    json!({ "type": "plain_text", "text": text, "emoji": false })
}

#[cfg(test)]
mod tests;
