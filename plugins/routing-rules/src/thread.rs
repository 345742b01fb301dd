//! What a chat tells: the facts for the rules, and whether somebody has taken care of it already.

use chatplug_sdk::objects::ChatEventKind;
use chatplug_sdk::prelude::*;
use jiff::Timestamp;

use crate::facts::Facts;
use crate::settings::Target;

/// The most that is read of what the customer wrote: messages and forms.
const MESSAGES: usize = 20;

/// The most that is read of one message or answer, in characters.
const LENGTH: usize = 4_000;

/// What the rules look at. `at_ms` is when the customer came, in milliseconds since 1970.
pub fn facts(chat: &Chat, at_ms: u64) -> Facts {
    let customer = chat.customer();
    let at = i64::try_from(at_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    Facts {
        page_url: page_url(chat),
        email: customer.and_then(|customer| customer.email.clone()),
        session_fields: customer.map(session_fields).unwrap_or_default(),
        country: customer.map(country).unwrap_or_default(),
        said: words_of_customer(chat),
        at: at.unwrap_or(Timestamp::UNIX_EPOCH),
    }
}

/// The customer's messages, in order.
pub fn customer_messages(chat: &Chat) -> impl Iterator<Item = &ChatEvent> {
    chat.thread.events.iter().filter(|event| event.message().is_some() && is_from_customer(chat, event))
}

/// Why routing the chat would take it out of somebody's hands; `None` if nobody has it in hand.
pub fn taken(chat: &Chat) -> Option<&'static str> {
    let mut events = chat.thread.events.iter();
    events.find_map(|event| match event.kind {
        _ if is_said(event) && is_from_person(chat, event) => Some("an agent has written in it"),
        ChatEventKind::SystemMessage if event.system_message_type.as_deref() == Some("chat_transferred") => {
            Some("it was transferred before")
        }
        _ => None,
    })
}

/// Whether an event is something that people say to each other, and the customer sees it.
pub fn is_said(event: &ChatEvent) -> bool {
    let kinds = [ChatEventKind::Message, ChatEventKind::File, ChatEventKind::RichMessage];
    kinds.contains(&event.kind) && !event.is_internal()
}

/// Whether somebody of the team has said something to the customer.
pub fn is_answered(chat: &Chat) -> bool {
    chat.thread.events.iter().any(|event| is_said(event) && is_from_person(chat, event))
}

/// Whether the customer had the last word. Bots have none.
pub fn is_waiting(chat: &Chat) -> bool {
    let mut said = chat.thread.events.iter().rev().filter(|event| is_said(event));
    let last = said.find(|event| is_from_customer(chat, event) || is_from_person(chat, event));
    last.is_some_and(|last| is_from_customer(chat, last))
}

/// Whether the chat is with nobody else already.
pub fn is_with(chat: &Chat, target: Target) -> bool {
    match target {
        Target::Group(id) => chat.access.group_ids == [id],
        Target::Agent(id) => chat.agents().any(|agent| agent.present && agent.id.eq_ignore_ascii_case(id)),
    }
}

fn is_from_customer(chat: &Chat, event: &ChatEvent) -> bool {
    event.author_id.as_deref().and_then(|id| chat.user(id)).is_some_and(User::is_customer)
}

/// Whether a person of the team wrote it. Bots greet every chat, so what they say doesn't count; LiveChat
/// tells the two apart only by the id, an e-mail address for people.
fn is_from_person(chat: &Chat, event: &ChatEvent) -> bool {
    event.author_id.as_deref().is_some_and(|id| id.contains('@')) && !is_from_customer(chat, event)
}

fn page_url(chat: &Chat) -> Option<String> {
    let visited = chat.customer().and_then(|customer| customer.visit.last_pages.last());
    let start = || {
        let properties = [&chat.properties, &chat.thread.properties];
        properties.into_iter().find_map(|properties| properties.text("routing", "start_url"))
    };
    visited.map(|page| page.url.as_str()).filter(|url| !url.is_empty()).or_else(start).map(str::to_owned)
}

fn session_fields(customer: &Customer) -> Vec<(String, String)> {
    let fields = customer.session_fields.iter().flatten();
    fields
        .filter_map(|(name, value)| match value {
            Value::String(text) => Some((name.clone(), text.clone())),
            Value::Number(_) | Value::Bool(_) => Some((name.clone(), value.to_string())),
            _ => None,
        })
        .collect()
}

fn country(customer: &Customer) -> Vec<String> {
    let place = &customer.visit.geolocation;
    ["country_code", "country"]
        .iter()
        .filter_map(|name| place.get(name)?.as_str())
        .map(str::to_owned)
        .collect()
}

fn words_of_customer(chat: &Chat) -> Vec<String> {
    let events = chat.thread.events.iter().filter(|event| is_from_customer(chat, event)).take(MESSAGES);
    let mut said: Vec<String> = Vec::new();
    for event in events {
        match event.kind {
            ChatEventKind::Message => said.extend(event.text.as_deref().map(start)),
            ChatEventKind::FilledForm => {
                said.extend(event.fields.iter().take(MESSAGES).map(|field| start(&field.answer_text())));
            }
            _ => {}
        }
    }
    said
}

fn start(text: &str) -> String {
    text.chars().take(LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(events: Value) -> Chat {
        let chat = json!({
            "id": "PJ0MRSHTDG",
            "users": [
                {"id": "b7eff798", "type": "customer", "name": "Dana", "email": "dana@big.example",
                 "session_fields": [{"plan": "gold"}, {"seats": 10}, {"odd": {"a": 1}}],
                 "visit": {"geolocation": {"country": "Poland", "country_code": "PL"},
                           "last_pages": [{"url": "https://a.example/"}, {"url": "https://a.example/cart"}]}},
                {"id": "kim@us.example", "type": "agent", "name": "Kim"},
                {"id": "5c9871d5372c824cbf22d860a707a578", "type": "agent", "name": "Bot"}
            ],
            "properties": {"routing": {"start_url": "https://a.example/start"}},
            "thread": {"id": "K600PKZON8", "active": true, "events": events}
        });
        serde_json::from_value(chat).expect("a chat")
    }

    fn message(author: &str, text: &str, visibility: &str) -> Value {
        json!({"id": text, "type": "message", "author_id": author, "text": text, "visibility": visibility})
    }

    #[track_caller]
    fn check(events: Value, expected: Option<&str>) {
        assert_eq!(taken(&chat(events.clone())), expected, "{events}");
    }

    #[test]
    fn a_chat_is_taken_once_a_person_wrote_or_transferred_it() {
        check(json!([]), None);
        check(json!([message("b7eff798", "hi", "all")]), None);
        check(json!([message("5c9871d5372c824cbf22d860a707a578", "welcome", "all")]), None);
        check(json!([message("kim@us.example", "a note", "agents")]), None);
        check(json!([message("kim@us.example", "hello", "all")]), Some("an agent has written in it"));
        check(json!([message("left@us.example", "hello", "all")]), Some("an agent has written in it"));
        check(json!([{"type": "system_message", "system_message_type": "routing.assigned_other"}]), None);
        let moved = json!([{"type": "system_message", "system_message_type": "chat_transferred"}]);
        check(moved, Some("it was transferred before"));
    }

    #[test]
    fn a_customer_waits_who_had_the_last_word() {
        let (customer, bot) = ("b7eff798", "5c9871d5372c824cbf22d860a707a578");
        let check = |said: &[(&str, &str)], answered, waiting| {
            let events: Vec<Value> =
                said.iter().map(|(author, seen)| message(author, "text", seen)).collect();
            let chat = chat(json!(events));
            assert_eq!((is_answered(&chat), is_waiting(&chat)), (answered, waiting), "{said:?}");
        };
        check(&[], false, false);
        check(&[(customer, "all")], false, true);
        check(&[(customer, "all"), (bot, "all")], false, true);
        check(&[(customer, "all"), ("kim@us.example", "agents")], false, true);
        check(&[(customer, "all"), ("kim@us.example", "all")], true, false);
        check(&[("kim@us.example", "all"), (customer, "all"), (customer, "all")], true, true);
    }

    #[test]
    fn the_facts_are_what_the_chat_and_its_customer_say() {
        let form = json!({"type": "filled_form", "author_id": "b7eff798", "fields": [
            {"type": "question", "label": "Subject", "answer": "a refund"},
            {"type": "radio", "label": "Team", "answer": {"id": "1", "label": "Sales"}}
        ]});
        let events =
            json!([form, message("kim@us.example", "hello", "all"), message("b7eff798", "hi", "all")]);
        let facts = facts(&chat(events), 1_780_315_200_000);
        let expected = Facts {
            page_url: Some("https://a.example/cart".into()),
            email: Some("dana@big.example".into()),
            session_fields: vec![("plan".into(), "gold".into()), ("seats".into(), "10".into())],
            country: vec!["PL".into(), "Poland".into()],
            said: vec!["a refund".into(), "Sales".into(), "hi".into()],
            at: "2026-06-01T12:00:00Z".parse().expect("a timestamp"),
        };
        assert_eq!(facts, expected);
    }

    #[test]
    fn a_chat_that_says_nothing_has_no_facts() {
        let facts = facts(&Chat::default(), 0);
        assert_eq!((facts.page_url, facts.email, facts.said.len()), (None, None, 0));
    }
}
