//! Actions whose answer was lost: the plugin never sees the doubt, and nothing is done twice.

use chatplug::simulator::{Fault, Times};
use chatplug_tests::deliveries;
use serde_json::{Value, json};

use super::caller::Caller;

/// The notes and messages of a chat with this text, as LiveChat has them.
fn said(caller: &Caller, chat: &str, text: &str) -> usize {
    let chat = caller.stage.livechat.chat(chat).expect("the chat");
    let events = chat["thread"]["events"].as_array().cloned().unwrap_or_default();
    events.iter().filter(|event| event["text"] == text).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_that_was_saved_is_found_by_its_id_and_not_sent_again() {
    let mut caller = Caller::granted().await;
    let (chat, _) = caller.chat("Dana");
    // Our user is in the chat for agents, so that one request is one note.
    caller.call("chats.assign", &json!([chat, "api@example.com", "agents"])).await;
    for (number, fault) in [Fault::ErrorAfterSaving, Fault::CutReply].into_iter().enumerate() {
        let text = format!("note {number}");
        caller.stage.livechat.faults().set("send_event", fault.clone(), Times::Next(1));
        let told = caller.call("chats.send-note", &json!([chat, text])).await;
        assert!(told["ok"].as_str().is_some_and(|id| !id.is_empty()), "{fault:?}: {told}");
        assert_eq!(said(&caller, &chat, &text), 1, "{fault:?}");
        assert_eq!(caller.last_delivery()["attempts"], 1, "a doubt spends no attempt: {fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_makes_no_sense_does_not_settle_a_doubt() {
    let mut caller = Caller::granted().await;
    let (chat, _) = caller.chat("Dana");
    caller.call("chats.assign", &json!([chat, "api@example.com", "agents"])).await;
    let faults = caller.stage.livechat.faults().clone();
    faults.set("send_event", Fault::ErrorAfterSaving, Times::Next(1));
    faults.set("get_chat", Fault::Redirect("https://example.com/".to_owned()), Times::Next(1));
    let told = caller.call("chats.send-note", &json!([chat, "a note"])).await;
    assert!(told["ok"].as_str().is_some_and(|id| !id.is_empty()), "it is looked for once more: {told}");
    assert_eq!(said(&caller, &chat, "a note"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_took_place_is_seen_in_the_chat() {
    let mut caller = Caller::granted().await;
    let (chat, _) = caller.chat("Dana");
    caller.stage.livechat.faults().set("transfer_chat", Fault::ErrorAfterSaving, Times::Next(1));
    let told = caller.call("chats.transfer", &json!([chat, 2])).await;
    assert_eq!(told, json!({ "ok": null }));
    assert_eq!(caller.stage.asked("transfer_chat", &chat).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeatable_action_is_done_again_within_the_run() {
    let mut caller = Caller::granted().await;
    let (chat, thread) = caller.chat("Dana");
    caller.stage.livechat.faults().set("tag_thread", Fault::ErrorAfterSaving, Times::Next(1));
    assert_eq!(caller.call("chats.tag", &json!([chat, thread, "urgent"])).await, json!({ "ok": null }));
    caller.stage.livechat.faults().set("tag_thread", Fault::ErrorBeforeSaving, Times::Next(2));
    caller.expect_error("chats.tag", &json!([chat, thread, "urgent"]), "unavailable", "tag_thread").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_can_be_asked_about_is_held() {
    let mut caller = Caller::granted().await;
    let post = json!({"connection": "hook", "method": "POST", "path": "", "body": {"text": "hi"}});
    for fault in [Fault::ErrorAfterSaving, Fault::ErrorBeforeSaving, Fault::CutReply] {
        caller.stage.slack.faults().set("webhook", fault.clone(), Times::Next(1));
        caller.ask("http", &post).await;
        let held = caller.stage.host.wait_for_events("a held delivery", |events| {
            events.last().into_iter().flat_map(deliveries).all(|delivery| delivery["state"] == "held")
        });
        let delivery = held.last().and_then(|event| deliveries(event).next()).expect("a delivery");
        let reason = delivery["reason"].as_str().unwrap_or_default();
        assert!(reason.contains("http:hook") && delivery["attempts"] == 0, "{fault:?}: {delivery:#}");
    }
    assert_eq!(caller.stage.slack.requests().all().len(), 3, "nothing was sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_ends_and_is_recorded_although_its_run_was_cut() {
    // Long enough for the calls that are not slow, on a busy machine, too.
    let mut caller = Caller::limited("wall_ms = 5000").await;
    let (chat, _) = caller.chat("Dana");
    caller.call("chats.assign", &json!([chat, "api@example.com", "agents"])).await;
    let slow = Fault::StallAfterSaving(Some(std::time::Duration::from_secs(8)));
    caller.stage.livechat.faults().set("send_event", slow, Times::Next(1));
    let told = caller.call("chats.send-note", &json!([chat, "slow"])).await;
    assert!(told["ok"].is_string(), "the second attempt repeats what the first one did: {told}");
    assert_eq!(said(&caller, &chat, "slow"), 1);
    assert_eq!(caller.last_delivery()["attempts"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_comes_too_late_is_not_sent() {
    let mut caller = Caller::limited("message_expiry_s = 60").await;
    let (chat, _) = caller.chat("Dana");
    caller.happened("2026-06-01T12:00:03.512000Z");
    caller
        .expect_error("chats.send-message", &json!([chat, "hello"]), "expired", "limits.message_expiry_s")
        .await;
    assert_eq!(caller.asked().len(), 0);
    let told: Value = caller.call("chats.send-note", &json!([chat, "late"])).await;
    assert!(told["ok"].is_string(), "a note is of use later, too: {told}");
}
