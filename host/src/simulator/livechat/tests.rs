use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Client;
use serde_json::{Value, json};

use super::*;
use crate::simulator::server::{Reply, Request, Server, Service};
use crate::simulator::{Fault, Times};

const SOON: Duration = Duration::from_secs(5);

fn pat() -> String {
    format!("Basic {}", STANDARD.encode(format!("{ACCOUNT_ID}:{PAT}")))
}

async fn call_as(livechat: &Livechat, header: &str, path: &str, body: &Value) -> (u16, Value) {
    let request = Client::new().post(format!("{}{path}", livechat.base_url()));
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

/// Makes one call in a world with one chat and checks status, error type and a part of the message.
async fn check(action: &str, body: Value, status: u16, kind: &str, message: &str) {
    let (livechat, chat) = opened().await;
    if message.contains("`agents` only") {
        join(&livechat, &chat.chat_id).await;
    }
    let body = body.to_string().replace("CHAT", &chat.chat_id).replace("THREAD", &chat.thread_id);
    let body: Value = serde_json::from_str(&body).expect("JSON");
    let is_configuration =
        ["list_properties", "create_tag", "register_webhook", "list_agents"].contains(&action);
    let (got, answer) = match is_configuration {
        true => configure(&livechat, action, body.clone()).await,
        false => call(&livechat, action, body.clone()).await,
    };
    assert_eq!(got, status, "{action} {body}: {answer}");
    assert_eq!(answer["error"]["type"], kind, "{action} {body}: {answer}");
    let text = answer["error"]["message"].as_str().unwrap_or_default();
    assert!(text.contains(message), "{action} {body}: {text}");
}

#[tokio::test]
async fn what_the_platform_would_refuse_is_refused() {
    let message = json!({"type": "message", "text": "hi"});
    let long = json!({"type": "message", "text": "x".repeat(16 * 1024 + 1)});
    let cases = [
        ("get_chat", json!({"id": "CHAT"}), 422, "validation", "`chat_id` is required"),
        ("get_chat", json!({"chat_id": "CHAT", "x": 1}), 422, "validation", "unknown field `x`"),
        ("get_chat", json!({"chat_id": 7}), 422, "validation", "must be a string"),
        ("get_chat", json!({"chat_id": "NONE"}), 404, "not_found", "Chat not found"),
        ("get_chat", json!({"chat_id": "CHAT", "thread_id": "NONE"}), 404, "not_found", "Thread"),
        ("list_chats", json!({"page_id": "[0,1,true,null,[]]", "limit": 1}), 422, "validation", "combined"),
        ("list_chats", json!({"limit": 101}), 422, "validation", "from 1 to 100"),
        ("list_chats", json!({"filters": {"include_active": true}}), 422, "validation", "include_active"),
        (
            "send_event",
            json!({"chat_id": "CHAT", "event": message}),
            403,
            "authorization",
            "not user of the chat",
        ),
        ("send_event", json!({"chat_id": "CHAT", "event": message}), 403, "authorization", "Requester"),
        ("send_event", json!({"chat_id": "CHAT", "event": long}), 422, "validation", "16 KB"),
        (
            "send_event",
            json!({"chat_id": "CHAT", "event": {"type": "message"}}),
            422,
            "validation",
            "`event.text`",
        ),
        (
            "send_event",
            json!({"chat_id": "CHAT", "event": {"type": "system"}}),
            422,
            "validation",
            "event.type",
        ),
        (
            "tag_thread",
            json!({"chat_id": "CHAT", "thread_id": "THREAD", "tag": "Sales"}),
            422,
            "validation",
            "exist",
        ),
        (
            "tag_thread",
            json!({"chat_id": "CHAT", "thread_id": "THREAD", "tag": "billing-only"}),
            422,
            "validation",
            "none of the thread's groups",
        ),
        (
            "tag_thread",
            json!({"chat_id": "CHAT", "thread_id": "NO", "tag": "sales"}),
            404,
            "not_found",
            "Thread",
        ),
        ("transfer_chat", json!({"chat_id": "CHAT"}), 422, "validation", "`id` is required"),
        ("transfer_chat", json!({"id": "CHAT"}), 403, "authorization", "not user of the chat"),
        (
            "transfer_chat",
            json!({"id": "CHAT", "target": {"type": "group", "ids": ["2"]}}),
            422,
            "validation",
            "integers",
        ),
        (
            "transfer_chat",
            json!({"id": "CHAT", "target": {"type": "group", "ids": [99]}}),
            422,
            "validation",
            "group 99",
        ),
        (
            "transfer_chat",
            json!({"id": "CHAT", "target": {"type": "group", "ids": [3]}, "ignore_requester_presence": true}),
            422,
            "agent_offline",
            "accepts chats",
        ),
        (
            "add_user_to_chat",
            json!({"chat_id": "CHAT", "user_id": "12345", "user_type": "agent", "visibility": "all", "ignore_requester_presence": true}),
            422,
            "validation",
            "user_id not found",
        ),
        (
            "add_user_to_chat",
            json!({"chat_id": "CHAT", "user_id": PAT_OWNER, "user_type": "agent", "visibility": "all", "ignore_requester_presence": true}),
            422,
            "validation",
            "Public agents in chat limit reached",
        ),
        (
            "add_user_to_chat",
            json!({"chat_id": "CHAT", "user_id": PAT_OWNER, "user_type": "agent"}),
            422,
            "validation",
            "`visibility` is required",
        ),
        (
            "remove_user_from_chat",
            json!({"chat_id": "CHAT", "user_id": "x", "user_type": "customer"}),
            422,
            "validation",
            "user_type",
        ),
        ("deactivate_chat", json!({"chat_id": "CHAT"}), 422, "validation", "`id` is required"),
        ("deactivate_chat", json!({"id": "CHAT"}), 403, "authorization", "not user of the chat"),
        (
            "update_chat_properties",
            json!({"id": "CHAT", "properties": {"mine": {}}}),
            422,
            "validation",
            "`mine`",
        ),
        (
            "update_chat_properties",
            json!({"id": "CHAT", "properties": {"test": {"int_property": "1"}}}),
            422,
            "validation",
            "test.int_property",
        ),
        (
            "update_chat_properties",
            json!({"id": "CHAT", "properties": {"rating": {"score": 1}}}),
            403,
            "authorization",
            "rating",
        ),
        ("get_customer", json!({"customer_id": "x"}), 422, "validation", "`id` is required"),
        ("get_customer", json!({"id": "x"}), 404, "not_found", "Customer"),
        ("list_archives_of_everything", json!({}), 404, "not_found", "no action"),
        (
            "create_tag",
            json!({"name": "LOW-rating", "group_ids": [0]}),
            422,
            "already_exists",
            "already exists",
        ),
        ("create_tag", json!({"name": "new", "group_ids": [99]}), 422, "group_not_found", "Group"),
        ("list_agents", json!({"fields": ["e-mail"]}), 422, "validation", "fields"),
        (
            "register_webhook",
            json!({"action": "rating_added", "secret_key": "s", "url": "http://x", "owner_client_id": "c", "type": "license"}),
            422,
            "validation",
            "no webhook of v3.6",
        ),
    ];
    for (action, body, status, kind, message) in cases {
        check(action, body, status, kind, message).await;
    }
    let to_all = json!({"chat_id": "CHAT", "event": {"type": "message", "text": "hi"}});
    check("send_event", to_all, 403, "authorization", "`agents` only").await;
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
async fn webhook_bodies_have_the_platforms_shape() {
    let (livechat, chat) = opened().await;
    let id = chat.chat_id.clone();
    let body = &chat.webhooks[0];
    let keys: Vec<&str> = body.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys, ["action", "additional_data", "organization_id", "payload", "secret_key", "webhook_id"]);
    assert_eq!(body["payload"]["chat"]["thread"]["events"][0]["text"], "hello");
    assert_eq!(
        body["payload"]["chat"]["users"][0]["visit"]["last_pages"][0]["url"],
        "https://shop.example.com/"
    );
    assert_eq!(body["additional_data"]["chat_presence_user_ids"].as_array().map(Vec::len), Some(2));

    let rated = livechat.rate(&id, 0).expect("a rating").webhooks;
    assert_eq!(actions(&rated), ["thread_properties_updated", "incoming_event"]);
    let payload = json!({"chat_id": id, "thread_id": chat.thread_id, "properties": {"rating": {"score": 0}}});
    assert_eq!(rated[0]["payload"], payload);
    let event = &rated[1]["payload"]["event"];
    assert_eq!(event["system_message_type"], "rating.chat_rated");
    assert_eq!(event["text_vars"], json!({"customer": "Dana", "score": "bad"}));
    assert!(event.get("author_id").is_none());

    let canceled = livechat.cancel_rating(&id).expect("a change").webhooks;
    assert_eq!(canceled[0]["payload"]["properties"], json!({"rating": ["score", "comment"]}));
    let moved = livechat.agent_transfers(&id, "smith@example.com", 3).expect("a transfer").webhooks;
    let told = moved.iter().find(|body| body["action"] == "chat_transferred").expect("a transfer");
    assert_eq!(told["payload"]["transferred_to"], json!({"group_ids": [3]}));
    assert_eq!(told["payload"]["reason"], "manual");
    assert_eq!(told["payload"]["queue"]["position"], 1);
    let ended = livechat.end_chat(&id, &EndedBy::Router).expect("an end").webhooks;
    assert_eq!(ended[1]["payload"], json!({"chat_id": id, "thread_id": chat.thread_id}));
    let set = livechat.set_routing_status("smith@example.com", RoutingStatus::NotAcceptingChats);
    assert_eq!(set[0]["payload"]["status"], "not accepting chats");
    assert_eq!(set[0]["additional_data"], json!({}));
}

fn actions(bodies: &[Value]) -> Vec<&str> {
    bodies.iter().filter_map(|body| body["action"].as_str()).collect()
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
        (Fault::Down, 503, 0),
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

/// Answers 500 to the first webhooks.
struct Receiver(std::sync::atomic::AtomicU32);

impl Service for Receiver {
    fn operation(&self, request: &Request) -> String {
        request.json().and_then(|body| body["action"].as_str().map(str::to_owned)).unwrap_or_default()
    }

    fn answer(&self, _: &str, _: &Request) -> Reply {
        let left = &self.0;
        let failing = left.fetch_update(
            std::sync::atomic::Ordering::SeqCst,
            std::sync::atomic::Ordering::SeqCst,
            |left| left.checked_sub(1),
        );
        Reply::text(if failing.is_ok() { 500 } else { 200 }, "")
    }

    fn failure(&self, _: &str, status: u16) -> Reply {
        Reply::text(status, "")
    }
}

#[tokio::test]
async fn webhooks_are_posted_in_the_chats_order_and_three_times_again() {
    let livechat = Livechat::start().await.expect("a port");
    livechat.set_retry_spacing(Duration::ZERO);
    let receiver = Server::start(Receiver(2.into()), Requests::of("receiver")).await.expect("a port");
    livechat.send_webhooks_to(&format!("{}/hook", receiver.base_url()), "s3cret");
    let chat = livechat.start_chat(&Opening::by("Dana")).expect("a chat").chat_id;
    livechat.customer_says(&chat, "hello").expect("a message");
    livechat.end_chat(&chat, &EndedBy::Router).expect("an end");
    livechat.wait_delivered(SOON).await.expect("all delivered");
    let got: Vec<String> = receiver.requests.all().into_iter().map(|request| request.operation).collect();
    let first = ["incoming_chat"; 3].as_slice();
    assert_eq!(got, [first, &["incoming_event", "incoming_event", "chat_deactivated"]].concat());
    let bodies = receiver.requests.all();
    assert!(
        bodies.iter().all(|request| request.body.as_ref().is_some_and(|body| body["secret_key"] == "s3cret"))
    );

    receiver.faults.set("*", Fault::Down, Times::Next(4));
    livechat.start_chat(&Opening::by("Omar")).expect("a chat");
    let message = livechat.wait_delivered(SOON).await.expect_err("given up").to_string();
    assert!(message.contains("incoming_chat [Ok(503), Ok(503), Ok(503), Ok(503)]"), "{message}");
}

#[tokio::test]
async fn calls_cause_their_webhooks() {
    let (livechat, chat) = opened().await;
    let receiver = Server::start(Receiver(0.into()), Requests::of("receiver")).await.expect("a port");
    livechat.send_webhooks_to(&receiver.base_url(), "s3cret");
    let (id, thread) = (&chat.chat_id, &chat.thread_id);
    join(&livechat, id).await;
    let tag = json!({"chat_id": id, "thread_id": thread, "tag": "sales"});
    assert_eq!(call(&livechat, "tag_thread", tag.clone()).await, (200, json!({})));
    assert_eq!(call(&livechat, "tag_thread", tag.clone()).await.0, 200);
    assert_eq!(call(&livechat, "untag_thread", tag).await.0, 200);
    let properties = json!({"id": id, "properties": {"test": {"string_property": "x"}}});
    assert_eq!(call(&livechat, "update_chat_properties", properties).await.0, 200);
    let end = json!({"id": id, "ignore_requester_presence": true});
    assert_eq!(call(&livechat, "deactivate_chat", end).await.0, 200);
    livechat.wait_delivered(SOON).await.expect("all delivered");
    assert_eq!(configure(&livechat, "create_tag", json!({"name": "new", "group_ids": [0]})).await.0, 200);
    livechat.wait_delivered(SOON).await.expect("all delivered");
    let got: Vec<String> = receiver.requests.all().into_iter().map(|request| request.operation).collect();
    let expected = [
        "user_added_to_chat",
        "thread_tagged",
        "thread_untagged",
        "chat_properties_updated",
        "chat_deactivated",
        "tag_created",
    ];
    assert_eq!(got, expected);
    let last = receiver.requests.all().pop().and_then(|request| request.body).expect("a body");
    assert_eq!(last["requester"]["account_id"], ACCOUNT_ID);
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
