use super::*;
use crate::objects::{ChatEventKind, Status};

mod by_type;
mod fixtures;

fn read(event_type: &str, text: &str) -> Payload {
    Payload::read(event_type, text).unwrap()
}

#[test]
fn an_incoming_chat_has_its_users_and_events() {
    let text = r#"{"newer":1,"chat":{"id":"C","users":[
        {"type":"customer","id":"c1","name":null,"session_fields":[{"plan":"pro"}],"last_visit":{"last_pages":[{"url":"https://x/"}]}},
        {"type":"agent","id":"a@example.com","name":"Ann"},{"type":"ghost","id":"g"}],
        "thread":{"id":"T","active":true,"tags":null,"properties":{"rating":{"score":1.0}},
        "events":[{"id":"T_1","type":"message","text":"hi","author_id":"c1"},{"id":"T_2","type":"hologram"}]}}}"#;
    let Payload::IncomingChat(payload) = read("incoming_chat", text) else { panic!("another payload") };
    let chat = payload.chat;
    let customer = chat.customer().unwrap();
    assert_eq!(customer.session_field("plan"), Some("pro"));
    assert_eq!(customer.visit.last_pages[0].url, "https://x/");
    assert_eq!(chat.agents().next().unwrap().name.as_deref(), Some("Ann"));
    assert_eq!(chat.user("g").unwrap().name(), None);
    assert_eq!(chat.thread.events[0].message(), Some("hi"));
    assert_eq!(chat.thread.events[1].kind, ChatEventKind::Other("hologram".into()));
}

#[test]
fn a_rating_says_what_changed() {
    let text = r#"{"chat_id":"C","thread_id":"T","change":"commented","score":0,"scale":"0-1",
        "comment":"slow","previous":{"score":0,"comment":null}}"#;
    let Payload::ChatRated(rated) = read("chat_rated", text) else { panic!("another payload") };
    assert_eq!(
        (rated.change, rated.score, rated.scale),
        (RatingChange::Commented, Some(0), Scale::ZeroToOne)
    );
    assert_eq!(rated.previous, Rating { score: Some(0), comment: None });
}

#[test]
fn a_status_with_spaces_is_the_same_status() {
    let text = r#"{"agent_id":"a@example.com","status":"not accepting chats"}"#;
    let Payload::RoutingStatusSet(set) = read("routing_status_set", text) else { panic!("another payload") };
    assert_eq!(set.status, Status::NotAcceptingChats);
}

#[test]
fn answers_of_forms_are_text_whatever_their_kind() {
    let text = r#"{"event":{"type":"filled_form","fields":[
        {"type":"name","label":"Name","answer":"Ada"},{"type":"radio","answer":{"id":1,"label":"Sales"}},
        {"type":"checkbox","answers":[{"label":"a"},{"label":"b"}]},{"type":"email"}]}}"#;
    let Payload::IncomingEvent(payload) = read("incoming_event", text) else { panic!("another payload") };
    let answers: Vec<_> = payload.event.fields.iter().map(|field| field.answer_text()).collect();
    assert_eq!(answers, ["Ada", "Sales", "a, b", ""]);
}

#[test]
fn an_unknown_type_is_kept_as_json() {
    assert!(matches!(read("auto_accesses_updated", "[1]"), Payload::Other(Value::Array(_))));
}

#[test]
fn a_wrong_payload_is_an_error_that_names_the_event_type() {
    let error = Payload::read("thread_tagged", r#"{"chat_id":[]}"#).unwrap_err();
    assert!(
        error.message.contains("thread_tagged") && error.message.contains("expected a string"),
        "{error}"
    );
}

#[test]
fn an_app_speaks_to_programs() {
    let text = r#"{"event":{"type":"system","subtype":"handoff","details":"{\"reason\":\"asked\"}"}}"#;
    let Payload::IncomingEvent(payload) = read("incoming_event", text) else { panic!("another payload") };
    let said = payload.event;
    assert_eq!(said.kind, ChatEventKind::System);
    assert_eq!(
        (said.subtype.as_deref(), said.details.as_deref()),
        (Some("handoff"), Some(r#"{"reason":"asked"}"#))
    );
}
