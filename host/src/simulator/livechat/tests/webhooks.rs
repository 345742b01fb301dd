//! The bodies of webhooks, and how they are posted.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::simulator::server::{Reply, Request, Server, Service};

#[tokio::test]
async fn webhook_bodies_have_the_platforms_shape() {
    let (livechat, chat) = opened().await;
    let id = chat.chat_id.clone();
    let body = &chat.webhooks[0];
    let mut keys: Vec<&str> = body.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
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

#[tokio::test]
async fn what_the_platform_says_in_an_agents_name_is_marked() {
    let livechat = Livechat::start().await.expect("a port");
    let opening = Opening {
        greeting: Some("May I help?".into()),
        first_message: Some("yes".into()),
        ..Opening::by("Mia")
    };
    let told = livechat.start_chat(&opening).expect("a chat");
    let file = livechat.customer_sends_file(&told.chat_id, "bill.pdf").expect("a file").webhooks;
    let greeted =
        livechat.agent_greets(&told.chat_id, "smith@example.com", "Welcome").expect("a message").webhooks;
    let events = &told.webhooks[0]["payload"]["chat"]["thread"]["events"];
    assert_eq!((&events[0]["text"], &events[1]["text"]), (&json!("May I help?"), &json!("yes")));
    for event in [&events[0], &greeted[0]["payload"]["event"]] {
        assert_eq!(event["author_id"], "smith@example.com");
        assert_eq!(event["properties"]["lc2"]["greeting_id"], 17);
    }
    let file = &file[0]["payload"]["event"];
    assert_eq!(
        (&file["type"], &file["name"], &file["text"]),
        (&json!("file"), &json!("bill.pdf"), &Value::Null)
    );
    // Nobody is in Billing.
    let greeted = livechat.start_chat(&Opening { group_id: 3, customer_id: "omar".into(), ..opening });
    assert!(greeted.expect_err("no agent").to_string().contains("no agent got the chat"));
}

fn actions(bodies: &[Value]) -> Vec<&str> {
    bodies.iter().filter_map(|body| body["action"].as_str()).collect()
}

/// Answers 500 to the first webhooks.
struct Receiver(AtomicU32);

impl Service for Receiver {
    fn operation(&self, request: &Request) -> String {
        request.json().and_then(|body| body["action"].as_str().map(str::to_owned)).unwrap_or_default()
    }

    fn answer(&self, _: &str, _: &Request) -> Reply {
        let left = &self.0;
        let failing = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
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
