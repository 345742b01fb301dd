use serde_json::{Value, json};

use super::*;

const CUSTOMER: &str = "b7eff798-f8df-4364-8059-649c35c9ed0c";
const BOT: &str = "5c9871d5372c824cbf22d860a707a578";

/// A thread that began at noon, with what was said: seconds behind that, author, and more.
fn measured(events: &[(u64, &str, Value)], more: Value) -> Measured {
    let events: Vec<Value> = events
        .iter()
        .map(|(second, author, more)| {
            let at = format!("2026-06-01T12:{:02}:{:02}.000000Z", second / 60, second % 60);
            let mut event =
                json!({ "type": "message", "visibility": "all", "created_at": at, "author_id": author });
            event.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
            event
        })
        .collect();
    let mut thread = json!({
        "id": "T1", "created_at": "2026-06-01T12:00:00.000000Z", "events": events,
        "user_ids": [CUSTOMER, "ann@example.com", BOT],
    });
    thread.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    let users = json!([
        { "id": CUSTOMER, "type": "customer" }, { "id": "ann@example.com", "type": "agent" },
        { "id": "ben@example.com", "type": "agent" }, { "id": BOT, "type": "agent" },
    ]);
    let chat = json!({ "id": "C1", "users": users, "thread": thread });
    measure(&serde_json::from_value(chat).expect("a chat")).expect("a measure")
}

fn waits(measured: &Measured) -> Vec<(&str, u64)> {
    let responses = measured.responses.iter();
    responses.map(|response| (response.agent.as_str(), response.waited_ms / 1000)).collect()
}

#[test]
fn the_customer_waits_from_the_first_message_that_nobody_has_answered() {
    let plain = json!({});
    let chat = measured(
        &[
            (5, CUSTOMER, plain.clone()),
            (20, CUSTOMER, plain.clone()),
            (25, BOT, plain.clone()),
            (30, "ann@example.com", json!({ "visibility": "agents" })),
            (65, "ann@example.com", plain.clone()),
            (70, "ann@example.com", plain.clone()),
            (80, CUSTOMER, json!({ "type": "file" })),
            (100, "ben@example.com", plain.clone()),
            (130, CUSTOMER, plain),
            (
                200,
                "",
                json!({ "type": "system_message", "system_message_type": "routing.archived_inactive" }),
            ),
            (900, "", json!({ "type": "system_message", "system_message_type": "rating.chat_rated" })),
        ],
        json!({ "properties": { "rating": { "score": 1 } }, "tags": ["a", "a", "b"] }),
    );
    assert_eq!(waits(&chat), [("ann@example.com", 60), ("ben@example.com", 20)]);
    assert_eq!(chat.duration_ms(), 200_000, "a rating behind the end doesn't count");
    assert_eq!((chat.rating, chat.is_unanswered), (Some(true), false));
    assert!(chat.agents.iter().eq(["ann@example.com", "ben@example.com"]));
    assert!(chat.tags.iter().eq(["a", "b"]), "a tag counts once");
}

#[test]
fn what_nobody_answered_counts_for_those_who_were_there() {
    let chat = measured(&[(5, CUSTOMER, json!({})), (8, BOT, json!({}))], json!({}));
    assert!(chat.is_unanswered && chat.responses.is_empty());
    assert!(chat.agents.iter().eq(["ann@example.com"]));
    let empty = measured(&[], json!({}));
    assert!(!empty.is_unanswered, "the customer said nothing");
    let greeted = measured(&[(5, "ann@example.com", json!({}))], json!({}));
    assert!(!greeted.is_unanswered && greeted.responses.is_empty());
}

#[test]
fn what_livechat_says_by_itself_is_no_answer() {
    let ann = "ann@example.com";
    let automatic = |properties: Value| json!({ "properties": { "lc2": properties } });
    for properties in [
        json!({ "welcome_message": true }),
        json!({ "greeting_id": 17 }),
        json!({ "greeting_id": "17", "greeting_unique_id": "QS3JE7" }),
    ] {
        let greeting = (8, "ben@example.com", automatic(properties.clone()));
        let chat = measured(&[(5, CUSTOMER, json!({})), greeting.clone()], json!({}));
        assert!(chat.is_unanswered && chat.responses.is_empty(), "{properties}");
        assert!(chat.agents.iter().eq([ann]), "{properties}: those who were there");
        let chat = measured(&[(5, CUSTOMER, json!({})), greeting, (65, ann, json!({}))], json!({}));
        assert!(!chat.is_unanswered && chat.agents.iter().eq([ann]), "{properties}");
        assert_eq!(waits(&chat), [(ann, 60)], "{properties}: the greeting ends no wait");
    }
    let by_hand = automatic(json!({ "welcome_message": false, "greeting_id": null, "form_type": "prechat" }));
    let chat = measured(&[(5, CUSTOMER, json!({})), (25, ann, by_hand)], json!({}));
    assert_eq!((waits(&chat), chat.is_unanswered), (vec![(ann, 20)], false));
}

#[test]
fn what_was_said_before_the_customer_wrote_is_no_answer() {
    let ann = "ann@example.com";
    let chat = measured(&[(2, ann, json!({})), (5, CUSTOMER, json!({}))], json!({}));
    assert!(chat.is_unanswered && chat.responses.is_empty() && chat.agents.iter().eq([ann]));
    let chat = measured(&[(2, ann, json!({})), (5, CUSTOMER, json!({})), (9, ann, json!({}))], json!({}));
    assert_eq!((waits(&chat), chat.is_unanswered), (vec![(ann, 4)], false));
}

#[test]
fn odd_shapes_do_no_harm() {
    let odd = json!({ "rating": { "score": 7 } });
    let chat = measured(
        &[(5, CUSTOMER, json!({ "created_at": "yesterday" })), (9, CUSTOMER, json!({ "created_at": null }))],
        json!({ "properties": odd, "tags": ["x".repeat(300)], "user_ids": ["a".repeat(300) + "@b.c"] }),
    );
    assert_eq!((chat.rating, chat.tags.len(), chat.agents.len(), chat.duration_ms()), (None, 0, 0, 0));
    let nothing = serde_json::from_value(json!({ "id": "C1" })).expect("a chat");
    assert_eq!(measure(&nothing), None);
    // An answer whose time lies before the question's.
    let back = measured(&[(50, CUSTOMER, json!({})), (40, "ann@example.com", json!({}))], json!({}));
    assert_eq!(waits(&back), [("ann@example.com", 0)]);
}

#[test]
fn a_chat_is_opened_again_within_24_hours_of_its_end() {
    let chat = Measured { begun_ms: 0, ended_ms: 1_000, ..Measured::default() };
    assert!(chat.is_reopened_at(1_000 + 86_400_000));
    assert!(!chat.is_reopened_at(1_001 + 86_400_000));
}
