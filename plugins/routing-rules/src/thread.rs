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
        _ if is_from_person(chat, event) => Some("an agent has written in it"),
        ChatEventKind::SystemMessage if event.system_message_type.as_deref() == Some("chat_transferred") => {
            Some("it was transferred before")
        }
        _ => None,
    })
}

/// Whether an event is what a person of the team says to the customer. Bots greet every chat, so what they say doesn't
/// count; LiveChat tells the two apart only by the id, an e-mail address for people. Nor does what it says by itself in an
/// agent's name.
pub fn is_answer(event: &ChatEvent) -> bool {
    is_said(event) && !event.is_automatic() && event.author_id.as_deref().is_some_and(is_persons)
}

/// Whether an event may be what the customer says: bots' ids have no `@` either, only the chat's users tell.
pub fn may_be_customers(event: &ChatEvent) -> bool {
    is_said(event) && event.author_id.as_deref().is_some_and(|id| !is_persons(id))
}

/// Whether somebody of the team has said something to the customer.
pub fn is_answered(chat: &Chat) -> bool {
    chat.thread.events.iter().any(|event| is_from_person(chat, event))
}

/// What the customer has waited for an answer to since: the first thing that they said behind the last answer. `None` if
/// they don't wait.
pub fn first_unanswered(chat: &Chat) -> Option<&ChatEvent> {
    let unanswered = chat.thread.events.iter().rev().take_while(|event| !is_from_person(chat, event));
    unanswered.filter(|event| is_said(event) && is_from_customer(chat, event)).last()
}

/// When it was, milliseconds since 1970; `None` if the event doesn't say.
pub fn at_ms(event: &ChatEvent) -> Option<u64> {
    let at: Timestamp = event.created_at.as_deref()?.parse().ok()?;
    u64::try_from(at.as_millisecond()).ok()
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

fn is_from_person(chat: &Chat, event: &ChatEvent) -> bool {
    is_answer(event) && !is_from_customer(chat, event)
}

/// Whether an event is something that people say to each other, and the customer sees it.
fn is_said(event: &ChatEvent) -> bool {
    let kinds = [ChatEventKind::Message, ChatEventKind::File, ChatEventKind::RichMessage];
    kinds.contains(&event.kind) && !event.is_internal()
}

fn is_persons(id: &str) -> bool {
    id.contains('@')
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

    /// What LiveChat says by itself in an agent's name.
    fn greeting(author: &str) -> Value {
        json!({"type": "message", "author_id": author, "text": "Hi there", "visibility": "all",
            "properties": {"lc2": {"greeting_id": 17}}})
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
        check(json!([greeting("kim@us.example")]), None);
        check(json!([greeting("kim@us.example"), message("b7eff798", "hi", "all")]), None);
        check(json!([{"type": "system_message", "system_message_type": "routing.assigned_other"}]), None);
        let moved = json!([{"type": "system_message", "system_message_type": "chat_transferred"}]);
        check(moved, Some("it was transferred before"));
    }

    #[test]
    fn a_customer_waits_since_the_first_word_behind_the_last_answer() {
        let said = |author: &str| json!({"type": "message", "author_id": author, "visibility": "all"});
        let customer = || said("b7eff798");
        let bot = || said("5c9871d5372c824cbf22d860a707a578");
        let kim = || said("kim@us.example");
        let mut note = kim();
        note["visibility"] = json!("agents");
        let mut file = customer();
        file["type"] = json!("file");
        let form = json!({"type": "filled_form", "author_id": "b7eff798"});
        /// `since` is the place of the event in the thread.
        #[track_caller]
        fn check(mut events: Vec<Value>, answered: bool, since: Option<usize>) {
            for (place, event) in events.iter_mut().enumerate() {
                event["id"] = json!(place.to_string());
            }
            let chat = chat(json!(events));
            let first: Option<usize> =
                first_unanswered(&chat).map(|event| event.id.parse().expect("a place"));
            assert_eq!((is_answered(&chat), first), (answered, since), "{events:?}");
        }
        check(vec![], false, None);
        check(vec![form], false, None);
        check(vec![bot()], false, None);
        check(vec![customer()], false, Some(0));
        check(vec![bot(), customer(), bot()], false, Some(1));
        check(vec![greeting("kim@us.example"), customer(), customer()], false, Some(1));
        check(vec![customer(), greeting("kim@us.example")], false, Some(0));
        check(vec![customer(), note], false, Some(0));
        check(vec![bot(), file], false, Some(1));
        check(vec![customer(), kim()], true, None);
        check(vec![customer(), kim(), bot()], true, None);
        check(vec![customer(), kim(), bot(), customer(), bot(), customer()], true, Some(3));
    }

    #[test]
    fn who_says_what_is_told_without_the_chats_users_as_far_as_it_goes() {
        #[track_caller]
        fn check(event: Value, answer: bool, may_be_customers: bool) {
            let read: ChatEvent = serde_json::from_value(event.clone()).expect("a chat event");
            let found = (super::is_answer(&read), super::may_be_customers(&read));
            assert_eq!(found, (answer, may_be_customers), "{event}");
        }
        check(message("kim@us.example", "hello", "all"), true, false);
        check(message("kim@us.example", "hello", "agents"), false, false);
        check(greeting("kim@us.example"), false, false);
        check(message("b7eff798", "hello", "all"), false, true);
        check(json!({"type": "file", "author_id": "b7eff798", "visibility": "all"}), false, true);
        check(json!({"type": "file", "author_id": "kim@us.example", "visibility": "all"}), true, false);
        check(json!({"type": "filled_form", "author_id": "b7eff798"}), false, false);
        check(json!({"type": "system_message", "text": "Chat archived"}), false, false);
    }

    #[test]
    fn an_event_that_does_not_say_when_has_no_time() {
        let at =
            |time: Value| at_ms(&serde_json::from_value(json!({"created_at": time})).expect("a chat event"));
        assert_eq!(at(json!("2026-06-01T12:00:03.512999Z")), Some(1_780_315_203_512));
        assert_eq!(at(json!("2026-06-01T14:00:03+02:00")), Some(1_780_315_203_000));
        for none in [json!(null), json!(""), json!("yesterday"), json!("1969-12-31T23:59:59Z")] {
            assert_eq!(at(none.clone()), None, "{none}");
        }
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
