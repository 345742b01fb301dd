mod contract;
mod lists;
mod refusals;
mod tokens;
mod webhooks;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Client;
use reqwest::redirect::Policy;
use serde_json::{Value, json};

use super::*;
use crate::simulator::{Fault, Times};

const SOON: Duration = Duration::from_secs(5);

fn pat() -> String {
    format!("Basic {}", STANDARD.encode(format!("{ACCOUNT_ID}:{PAT}")))
}

async fn call_as(livechat: &Livechat, header: &str, path: &str, body: &Value) -> (u16, Value) {
    let client = Client::builder().redirect(Policy::none()).build().expect("a client");
    let request = client.post(format!("{}{path}", livechat.base_url()));
    let answer = request.header("authorization", header).json(body).send().await.expect("an answer");
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

async fn call(livechat: &Livechat, action: &str, body: Value) -> (u16, Value) {
    call_as(livechat, &pat(), &format!("/v3.6/agent/action/{action}"), &body).await
}

async fn configure(livechat: &Livechat, action: &str, body: Value) -> (u16, Value) {
    call_as(livechat, &pat(), &format!("/v3.6/configuration/action/{action}"), &body).await
}

async fn opened() -> (Livechat, Happening) {
    let livechat = Livechat::start().await.expect("a port");
    let opening = Opening { first_message: Some("hello".into()), ..Opening::by("Dana") };
    let happening = livechat.start_chat(&opening).expect("a chat");
    (livechat, happening)
}

/// The automation joins as `agents` only, as one does for a note.
async fn join(livechat: &Livechat, chat_id: &str) {
    let body = json!({
        "chat_id": chat_id, "user_id": PAT_OWNER, "user_type": "agent", "visibility": "agents",
        "ignore_requester_presence": true,
    });
    assert_eq!(call(livechat, "add_user_to_chat", body).await.0, 200);
}

#[tokio::test]
async fn only_its_own_credentials_versions_and_bodies_open_the_api() {
    let (livechat, _) = opened().await;
    let email = format!("Basic {}", STANDARD.encode(format!("{PAT_OWNER}:{PAT}")));
    let path = "/v3.6/agent/action/list_chats";
    for header in [email.as_str(), &format!("Bearer {PAT}"), ""] {
        let (status, answer) = call_as(&livechat, header, path, &json!({})).await;
        assert_eq!((status, &answer["error"]["type"]), (401, &json!("authentication")), "{header}");
    }
    let bot = format!("Bearer {BOT_TOKEN}");
    assert_eq!(call_as(&livechat, &bot, path, &json!({})).await.0, 200);
    assert_eq!(call_as(&livechat, &pat(), path, &json!([])).await.0, 422);
    assert_eq!(call_as(&livechat, &pat(), "/v3.5/agent/action/list_chats", &json!({})).await.0, 404);
    assert_eq!(call_as(&livechat, &pat(), "/v3.6/configuration/action/list_chats", &json!({})).await.0, 404);
    let names = call_as(&livechat, "", "/v3.6/configuration/action/list_webhook_names", &json!({})).await;
    assert_eq!(names.1.as_array().map(Vec::len), Some(38));
    let shown = format!("{:?}", livechat.requests().all());
    assert!(!shown.contains(&pat()) && !shown.contains(PAT));
}

#[tokio::test]
async fn a_note_is_left_in_a_chat_that_one_joins_for_agents_only() {
    let (livechat, chat) = opened().await;
    join(&livechat, &chat.chat_id).await;
    let event = json!({"type": "message", "text": "note", "visibility": "agents", "custom_id": "cp-1"});
    let body = json!({"chat_id": chat.chat_id, "event": event});
    let (status, answer) = call(&livechat, "send_event", body).await;
    assert_eq!(status, 200, "{answer}");
    let thread = livechat.thread(&chat.chat_id, &chat.thread_id).expect("the thread");
    let stored = thread["events"].as_array().and_then(|events| events.last()).expect("an event").clone();
    assert_eq!((&stored["id"], &stored["custom_id"]), (&answer["event_id"], &json!("cp-1")));
    assert_eq!(stored["author_id"], PAT_OWNER);
    let body = json!({"chat_id": chat.chat_id, "user_id": PAT_OWNER, "user_type": "agent"});
    assert_eq!(call(&livechat, "remove_user_from_chat", body).await.0, 200);
}

#[tokio::test]
async fn an_ended_chat_refuses_what_needs_an_active_one_and_takes_a_rating() {
    let (livechat, chat) = opened().await;
    livechat.end_chat(&chat.chat_id, &EndedBy::Router).expect("an end");
    let body = json!({"chat_id": chat.chat_id, "event": {"type": "message", "text": "x"}});
    let (status, answer) = call(&livechat, "send_event", body.clone()).await;
    assert_eq!((status, &answer["error"]["message"]), (422, &json!("Chat not active")));
    assert_eq!(answer["error"]["type"], "validation");
    livechat.say_chat_inactive();
    assert_eq!(call(&livechat, "send_event", body).await.1["error"]["type"], "chat_inactive");
    assert!(livechat.customer_says(&chat.chat_id, "too late").is_err());
    livechat.rate(&chat.chat_id, 0).expect("a rating");
    let shown = livechat.chat(&chat.chat_id).expect("the chat");
    assert_eq!(shown["thread"]["properties"]["rating"]["score"], 0);
    let again = livechat.start_chat(&Opening::by("Dana")).expect("a second thread");
    assert_eq!(again.chat_id, chat.chat_id);
    assert_ne!(again.thread_id, chat.thread_id);
}

#[tokio::test]
async fn a_transfer_moves_the_chat_or_queues_it() {
    let (livechat, chat) = opened().await;
    let to = |group: i64| {
        json!({
            "id": chat.chat_id, "target": {"type": "group", "ids": [group]},
            "ignore_requester_presence": true, "ignore_agents_availability": true,
        })
    };
    assert_eq!(call(&livechat, "transfer_chat", to(2)).await.0, 200);
    let shown = livechat.chat(&chat.chat_id).expect("the chat");
    assert_eq!(shown["access"]["group_ids"], json!([2]));
    assert!(shown["users"].as_array().expect("users").iter().any(|user| user["id"] == "sam@example.com"));
    assert_eq!(call(&livechat, "transfer_chat", to(3)).await.0, 200);
    let queue = livechat.chat(&chat.chat_id).expect("the chat")["thread"]["queue"].clone();
    assert_eq!(queue["position"], 1);
}

#[tokio::test]
async fn faults_hit_the_next_calls_and_end() {
    let (livechat, chat) = opened().await;
    join(&livechat, &chat.chat_id).await;
    let event = json!({"type": "message", "text": "note", "visibility": "agents"});
    let body = json!({"chat_id": chat.chat_id, "event": event});
    let events =
        || livechat.chat(&chat.chat_id).expect("the chat")["thread"]["events"].as_array().map(Vec::len);
    let count = events().expect("events");
    let cases = [
        (Fault::TooManyRequests { retry_after: Some("7".into()) }, 429, 0),
        (Fault::ErrorBeforeSaving, 500, 0),
        (Fault::ErrorAfterSaving, 500, 1),
        (Fault::Drip(Duration::from_micros(1)), 200, 1),
        (Fault::Redirect("http://127.0.0.1:9/".into()), 307, 0),
        (Fault::WrongRegion, 421, 0),
        (Fault::Down, 503, 0),
        (Fault::Refuse { status: 418, error_type: "validation".into() }, 418, 0),
        (Fault::Unauthorized, 401, 0),
        (Fault::StallAfterSaving(Some(Duration::ZERO)), 200, 1),
        (Fault::StallBeforeSaving(Some(Duration::ZERO)), 200, 1),
    ];
    let mut expected = count;
    for (fault, status, saved) in cases {
        livechat.faults().set("send_event", fault.clone(), Times::Next(1));
        assert_eq!(call(&livechat, "send_event", body.clone()).await.0, status, "{fault:?}");
        expected += saved;
        assert_eq!(events(), Some(expected), "{fault:?}");
    }
    livechat.faults().set("*", Fault::Down, Times::UntilCleared);
    for _ in 0..2 {
        assert_eq!(call(&livechat, "list_chats", json!({})).await.0, 503);
    }
    livechat.faults().clear();
    assert_eq!(call(&livechat, "list_chats", json!({})).await.0, 200);
}

#[tokio::test]
async fn what_was_saved_behind_an_error_may_be_seen_later_and_is_recorded_at_once() {
    let (livechat, chat) = opened().await;
    join(&livechat, &chat.chat_id).await;
    let unseen = Duration::from_millis(200);
    livechat.faults().set("send_event", Fault::ErrorAfterSavingUnseen(unseen), Times::Next(1));
    let event = json!({"type": "message", "text": "note", "visibility": "agents", "custom_id": "cp-1"});
    let began = std::time::Instant::now();
    let (status, _) =
        call(&livechat, "send_event", json!({"chat_id": chat.chat_id, "event": event.clone()})).await;
    assert_eq!(status, 500);
    let sent = livechat.sent();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!((sent[0].custom_id.as_deref(), sent[0].text.as_str()), (Some("cp-1"), "note"));
    assert!(sent[0].is_internal && sent[0].chat_id == chat.chat_id);
    loop {
        let body = json!({"chat_id": chat.chat_id});
        let (_, answer) = call(&livechat, "get_chat", body).await;
        let events = answer["thread"]["events"].as_array().cloned().expect("events");
        let is_shown = events.iter().any(|event| event["custom_id"] == "cp-1");
        let passed = began.elapsed();
        if is_shown {
            assert!(passed >= unseen, "it was seen after {passed:?}");
            break;
        }
        assert!(passed < SOON, "it is never seen");
    }
}

#[tokio::test]
async fn another_region_is_named_until_the_one_that_was_named_is_asked() {
    let (livechat, _) = opened().await;
    livechat.faults().set("list_chats", Fault::WrongRegion, Times::Next(2));
    for (asked, named) in [("dal", "fra"), ("fra", "dal")] {
        let request = Client::new().post(format!("{}/v3.6/agent/action/list_chats", livechat.base_url()));
        let request = request.header("authorization", pat()).header("x-region", asked).json(&json!({}));
        let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        assert_eq!(answer["error"]["type"], "misdirected_request");
        assert_eq!(answer["error"]["data"]["region"], named);
    }
}

#[tokio::test]
async fn a_long_reply_is_the_same_with_white_space_behind_it() {
    let (livechat, _) = opened().await;
    const LENGTH: usize = 10 << 20;
    livechat.faults().set("list_chats", Fault::LongReply(LENGTH), Times::Next(1));
    let request = Client::new().post(format!("{}/v3.6/agent/action/list_chats", livechat.base_url()));
    let answer = request.header("authorization", pat()).json(&json!({})).send().await.expect("an answer");
    let body = answer.text().await.expect("a body");
    assert_eq!(body.len(), LENGTH);
    assert!(serde_json::from_str::<Value>(&body).is_ok());
}

#[tokio::test]
async fn a_cut_reply_ends_in_the_middle_and_a_stalled_one_waits() {
    let (livechat, chat) = opened().await;
    livechat.faults().set("get_chat", Fault::CutReply, Times::Next(1));
    let url = format!("{}/v3.6/agent/action/get_chat", livechat.base_url());
    let request = Client::new().post(&url).header("authorization", pat());
    let answer = request.json(&json!({"chat_id": chat.chat_id})).send().await.expect("the head");
    assert_eq!(answer.status().as_u16(), 200);
    assert!(answer.text().await.is_err());

    livechat.faults().set("get_chat", Fault::StallAfterSaving(None), Times::Next(1));
    let stalled = tokio::spawn({
        let (livechat, chat_id) = (livechat.clone(), chat.chat_id.clone());
        async move { call(&livechat, "get_chat", json!({"chat_id": chat_id})).await.0 }
    });
    let asked = |livechat: &Livechat| livechat.requests().of_operation("get_chat").len() == 2;
    livechat.wait_for("a second get_chat", SOON, asked).await.expect("in time");
    assert_eq!(livechat.requests().of_operation("get_chat")[1].status, None);
    livechat.faults().release();
    assert_eq!(stalled.await.expect("an answer"), 200);
}

#[tokio::test]
async fn a_wait_in_vain_says_what_was_missing_and_what_came() {
    let (livechat, _) = opened().await;
    call(&livechat, "list_chats", json!({})).await;
    let waited = livechat.wait_for("a transfer", Duration::ZERO, |_| false).await;
    let message = waited.expect_err("nothing came").to_string();
    assert!(message.contains("a transfer") && message.contains("list_chats 200"), "{message}");
}

#[tokio::test]
async fn lists_have_the_documented_shapes() {
    let (livechat, chat) = opened().await;
    livechat.start_chat(&Opening::by("Omar")).expect("a chat");
    let (_, page) = call(&livechat, "list_chats", json!({"limit": 1, "filters": {"active": true}})).await;
    assert_eq!((&page["found_chats"], page["chats_summary"].as_array().map(Vec::len)), (&json!(2), Some(1)));
    let (_, next) = call(&livechat, "list_chats", json!({"page_id": page["next_page_id"]})).await;
    assert_eq!(next["chats_summary"][0]["id"], chat.chat_id);
    assert!(next.get("next_page_id").is_none() && next.get("previous_page_id").is_some());
    let (_, statuses) =
        call(&livechat, "list_routing_statuses", json!({"filters": {"group_ids": [2]}})).await;
    assert!(
        statuses
            .as_array()
            .expect("an array")
            .contains(&json!({"agent_id": "sam@example.com", "status": "accepting_chats"}))
    );
    let (_, agents) = configure(&livechat, "list_agents", json!({"fields": ["groups"]})).await;
    assert_eq!(agents.as_array().map(Vec::len), Some(4));
    assert!(agents.as_array().expect("an array").iter().all(|agent| agent["account_id"].is_string()));
    let (_, own) = configure(&livechat, "list_properties", json!({"owner_client_id": CLIENT_ID})).await;
    assert_eq!(own["rule"]["type"], "string");
    let registration = json!({
        "action": "incoming_chat", "secret_key": "s", "url": "http://localhost/x", "owner_client_id": CLIENT_ID,
        "type": "license", "additional_data": ["chat_properties"],
    });
    for expected in [200, 200, 200, 422] {
        assert_eq!(configure(&livechat, "register_webhook", registration.clone()).await.0, expected);
    }
    let (_, webhooks) = configure(&livechat, "list_webhooks", json!({"owner_client_id": CLIENT_ID})).await;
    assert!(webhooks[0].get("secret_key").is_none() && webhooks[0]["id"].is_string());
}
