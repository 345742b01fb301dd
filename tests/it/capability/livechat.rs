//! The calls to LiveChat.

use std::time::Duration;

use chatplug::grant::CAPABILITIES;
use chatplug::simulator::{Fault, Recorded, Times};
use chatplug_tests::deliveries;
use serde_json::{Value, json};

use super::caller::Caller;
use super::rows::{Row, rows};
use crate::services::SMITH;

#[tokio::test(flavor = "multi_thread")]
async fn each_call_that_is_granted_reaches_livechat_as_the_platform_wants_it() {
    let mut caller = Caller::granted().await;
    let rows = rows(&caller);
    for capability in CAPABILITIES {
        assert!(rows.iter().any(|row| row.name == *capability), "no row for {capability}");
    }
    for Row { name, with, action, body, answer } in rows {
        let before = caller.asked().len();
        assert_eq!(caller.call(name, &with).await, json!({ "ok": answer }), "{name} {with}");
        let asked: Vec<(String, Value)> = caller.asked()[before..]
            .iter()
            .map(|request| (request.operation.clone(), without_custom_id(request)))
            .collect();
        assert_eq!(asked, [(action.to_owned(), body)], "{name} {with}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_livechat_refuses_has_a_code_of_its_own() {
    let mut caller = Caller::granted().await;
    let (chat, thread) = caller.chat("Dana");
    let (ended, _) = caller.ended_chat("Mia");
    let rows = [
        ("chats.get-chat", json!(["NOPE"]), "not-found", "NOPE"),
        ("chats.get-chat", json!([chat, "NOPE"]), "not-found", "Thread not found"),
        ("customers.get", json!(["NOPE"]), "not-found", "NOPE"),
        ("customers.update", json!(["NOPE", {"name": "x"}]), "not-found", "NOPE"),
        ("customers.ban", json!(["NOPE", 1]), "not-found", "NOPE"),
        ("agents.get-agent", json!(["NOPE"]), "not-found", "NOPE"),
        ("agents.set-routing-status", json!([SMITH, "offline"]), "invalid", "bots"),
        ("chats.list-archives", json!([{}, "NOPE"]), "invalid", "page_id"),
        (
            "livechat:configuration.create_tag",
            json!([{"name": "URGENT", "group_ids": [0]}]),
            "conflict",
            "URGENT",
        ),
        ("livechat:configuration.create_tag", json!([{"name": "new"}]), "invalid", "group_ids"),
        ("chats.send-message", json!([chat, "hello"]), "denied", "livechat.join"),
        ("chats.send-message", json!([ended, "hello"]), "inactive", "not active"),
        ("chats.send-note", json!([ended, "psst"]), "inactive", "not active"),
        ("chats.transfer", json!([ended, 2]), "inactive", "not active"),
        ("chats.assign", json!([ended, SMITH, "all"]), "inactive", "not active"),
        ("chats.transfer", json!([chat, 3]), "conflict", "nobody"),
        ("chats.tag", json!([chat, thread, "no such tag"]), "invalid", "no such tag"),
        ("chats.tag", json!([chat, thread, "billing-only"]), "invalid", "groups"),
        ("chats.set-properties", json!([chat, {"nowhere": {"a": 1}}]), "invalid", "nowhere"),
        ("chats.set-properties", json!([chat, {"test": {"int_property": "one"}}]), "invalid", "int_property"),
        ("chats.remove-user", json!([chat, "sam@example.com"]), "invalid", "user_id"),
    ];
    for say_inactive in [false, true] {
        if say_inactive {
            // The platform has two ways to say so.
            caller.stage.livechat.say_chat_inactive();
        }
        for (name, with, code, part) in &rows {
            caller.expect_error(name, with, code, part).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_before_it_leaves_the_host() {
    let mut caller = Caller::granted().await;
    let long = "x".repeat(17 << 10);
    for (name, with, code, part) in [
        ("chats.get-chat", json!([""]), "invalid", "chat-id"),
        ("chats.send-note", json!(["C1", ""]), "invalid", "text"),
        ("chats.send-note", json!(["C1", long]), "invalid", "shorten"),
        ("chats.tag", json!(["C1", "", "urgent"]), "invalid", "thread-id"),
        ("chats.transfer", json!(["C1", ""]), "invalid", "agent-id"),
        ("chats.set-properties", json!(["C1", []]), "invalid", "object"),
        ("chats.set-properties", json!(["C1", {"test": 1}]), "invalid", "object of objects"),
        ("customers.get", json!([""]), "invalid", "customer-id"),
        ("customers.update", json!(["K1", {}]), "invalid", "nothing to change"),
        ("chats.list-chats", json!([{"limit": 101}]), "invalid", "limit"),
        ("reports.ratings", json!([{"days": ["2026-06-01", "soon"]}, ""]), "invalid", "neither a time"),
        ("livechat:configuration.create_tag", json!([[]]), "invalid", "no JSON object"),
        ("livechat:configuration.issue_bot_token", json!([{}]), "invalid", "credentials"),
        ("livechat:configuration.create_group", json!([{}]), "denied", "manifest"),
    ] {
        caller.expect_error(name, &with, code, part).await;
    }
    assert_eq!(caller.asked().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_of_livechat_has_the_code_that_says_whether_to_try_again() {
    let mut caller = Caller::granted().await;
    let (chat, _) = caller.chat("Dana");
    for (fault, code, wait) in [
        (Fault::ErrorBeforeSaving, "unavailable", Value::Null),
        (Fault::Down, "unavailable", Value::Null),
        (Fault::CutReply, "unavailable", Value::Null),
    ] {
        caller.stage.livechat.faults().set("get_chat", fault.clone(), Times::Next(1));
        let told = caller.call("chats.get-chat", &json!([chat])).await;
        assert_eq!((&told["code"], &told["retry_after_ms"]), (&json!(code), &wait), "{fault:?}: {told}");
    }
    assert_eq!(caller.call("chats.get-chat", &json!([chat])).await["code"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_does_not_see_that_livechat_put_it_off_or_refused_the_token() {
    let mut caller = Caller::granted().await;
    let (chat, _) = caller.chat("Dana");
    let busy =
        |retry_after: Option<&str>| Fault::TooManyRequests { retry_after: retry_after.map(str::to_owned) };
    for fault in [busy(Some("1")), busy(None), busy(Some("-1")), busy(Some("soon")), Fault::Unauthorized] {
        caller.stage.livechat.faults().set("get_chat", fault.clone(), Times::Next(1));
        let told = caller.call("chats.get-chat", &json!([chat])).await;
        assert!(told["ok"].is_string() || told["ok"].is_object(), "{fault:?}: {told}");
    }
    assert_eq!(caller.stage.asked("get_chat", &chat).len(), 10);
    let events = caller.stage.host.events();
    let attempts: Vec<&Value> =
        events.iter().flat_map(deliveries).map(|delivery| &delivery["attempts"]).collect();
    assert!(attempts.iter().all(|attempts| **attempts == 1), "{attempts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_visits_the_chat_and_leaves_it_whatever_happens() {
    let mut caller = Caller::granted().await;
    let (chat, _) = caller.chat("Dana");
    let operations = |caller: &Caller| -> Vec<String> {
        let mut all: Vec<String> = caller.asked().into_iter().map(|request| request.operation).collect();
        all.retain(|operation| operation != "list_agents");
        all
    };
    let told = caller.call("chats.send-note", &json!([chat, "psst"])).await;
    assert!(told["ok"].is_string(), "{told}");
    assert_eq!(
        operations(&caller),
        ["send_event", "add_user_to_chat", "send_event", "remove_user_from_chat"]
    );
    let users = |caller: &Caller| {
        let chat = caller.stage.livechat.chat(&chat).expect("the chat");
        chat["users"].as_array().map(Vec::len)
    };
    assert_eq!(users(&caller), Some(2));
    // The first attempt is let through, and refused because we aren't in the chat; the second one fails.
    let faults = caller.stage.livechat.faults();
    faults.set("send_event", Fault::StallBeforeSaving(Some(Duration::ZERO)), Times::Next(1));
    faults.set("send_event", Fault::ErrorBeforeSaving, Times::Next(1));
    let told = caller.call("chats.send-note", &json!([chat, "psst again"])).await;
    assert!(told["ok"].is_string(), "sent once the chat shows for certain that it wasn't: {told}");
    let operations = operations(&caller);
    let again = operations.len() - 4;
    assert_eq!(operations[4..8], operations[..4], "the failed one visits, too");
    assert!(operations[8..again].iter().all(|operation| operation == "get_chat"), "{operations:?}");
    assert_eq!(operations[again..], operations[..4]);
    assert_eq!(users(&caller), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_a_thousand_is_read_to_its_end_and_a_day_is_one_of_the_account() {
    let mut caller = Caller::granted().await;
    for number in 0..1_005 {
        caller.ended_chat(&format!("Customer {number}"));
    }
    let all = json!([{"limit": 100}]);
    assert_eq!(caller.call("chats.all-archives", &all).await, json!({"ok": 1_005}));
    let asked = caller.asked();
    let bodies: Vec<&Value> = asked.iter().filter_map(|request| request.body.as_ref()).collect();
    assert_eq!(bodies[0], &json!({"limit": 100}));
    assert_eq!(bodies.len(), 11);
    for body in &bodies[1..] {
        let fields = body.as_object().expect("an object");
        assert_eq!(fields.keys().collect::<Vec<_>>(), ["page_id"]);
    }
    // Warsaw is ahead of UTC: its day begins before.
    let day = json!([{"days": ["2026-06-01", "2026-06-01"]}]);
    assert_eq!(caller.call("chats.list-archives", &day).await, json!({"ok": [[], 0]}));
    let asked = caller.asked();
    let filters =
        json!({"from": "2026-06-01T00:00:00.000000+02:00", "to": "2026-06-01T23:59:59.999999+02:00"});
    assert_eq!(asked.last().and_then(|request| request.body.clone()), Some(json!({"filters": filters})));
    let report = caller.call("livechat:reports.chats/total_chats", &json!([{}, "read"])).await;
    assert_eq!(report["ok"]["total"], 1_005, "{report}");
}

/// The body, with our `custom_id` replaced by a word.
fn without_custom_id(request: &Recorded) -> Value {
    let mut body = request.body.clone().unwrap_or_default();
    if let Some(id) = body.pointer_mut("/event/custom_id") {
        let text = id.as_str().unwrap_or_default();
        assert!(text.starts_with("chatplug-caller-") && text.ends_with("-1"), "the first step: {text}");
        *id = json!("ours");
    }
    body
}
