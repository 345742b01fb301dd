//! The whole way: a webhook of each format is authenticated, stored, answered, and reaches a plugin.

use chatplug_tests::{Host, deliveries, guest, payload};
use serde_json::{Value, json};

use crate::client::{accept, message, post_signed, signature};

const RECORDER: &str = r#"
[plugin.recorder]
events = ["incoming_chat", "incoming_event", "chat_rated", "chat_deactivated"]
"#;

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["type"].as_str()).collect()
}

#[tokio::test]
async fn a_webhook_of_the_platform_reaches_the_plugin() {
    let host = Host::start(RECORDER, &[guest("guest_recorder")]);
    accept(&host, message("C1", 1)).await;
    let events = host.wait_until_done(1);
    assert_eq!(types(&events), ["incoming_event"]);
    let delivery = deliveries(&events[0]).next().expect("a delivery");
    assert_eq!(
        (&delivery["plugin"], &delivery["state"], &delivery["attempts"], &delivery["outcome"]),
        (&json!("recorder"), &json!("succeeded"), &json!(1), &json!("handled"))
    );
    assert_eq!(events[0]["chat_id"], "C1");
}

#[tokio::test]
async fn a_webhook_of_the_older_api_reaches_the_plugin() {
    let host = Host::start(RECORDER, &[guest("guest_recorder")]);
    let body = json!({
        "event_type": "chat_ended", "token": chatplug_tests::SECRET, "license_id": "1025707",
        "chat": { "id": "MH022RD0K5", "started_timestamp": 1_358_937_653, "ended_timestamp": 1_358_939_109,
                  "messages": [], "tags": ["sales"] },
        "visitor": { "id": "S126126161.O136OJPO1", "name": "Mary", "email": "mary@example.com" },
    });
    accept(&host, body.to_string()).await;
    let events = host.wait_until_done(1);
    assert_eq!(types(&events), ["chat_deactivated"]);
    assert_eq!(deliveries(&events[0]).next().expect("a delivery")["state"], "succeeded");
}

#[tokio::test]
async fn a_signed_webhook_of_the_tutorial_reaches_the_plugin() {
    let host = Host::start(RECORDER, &[guest("guest_recorder")]);
    let body = json!({
        "event_type": "rating_added",
        "chat": { "id": "PJ0MRSHTDG" },
        "visitor": { "name": "Dana", "email": "dana@example.com" },
        "rating": { "score": 1, "comment": "slow" },
    })
    .to_string()
    .into_bytes();
    let signed = signature(&body);
    let (status, _) = post_signed(&host, body, &signed).await;
    assert_eq!(status, 200);
    let events = host.wait_for_events("a rating", |events| types(events).contains(&"chat_rated"));
    let rated = events.iter().find(|event| event["type"] == "chat_rated").expect("it was found");
    let shown = host.json(&["events", "show", rated["id"].as_str().expect("an id")]);
    assert_eq!((&shown["payload"]["score"], &shown["payload"]["scale"]), (&json!(1), &json!("1-5")));
}

#[tokio::test]
async fn a_rating_that_is_signalled_three_times_is_one_event() {
    let host = Host::start(RECORDER, &[guest("guest_recorder")]);
    for file in ["thread_properties_updated.rating.json", "incoming_event.rating_rated_bad.json"] {
        accept(&host, payload(&format!("v3.6/{file}"))).await;
    }
    let events = host.wait_until_done(3);
    assert_eq!(types(&events).iter().filter(|name| **name == "chat_rated").count(), 1, "{events:#?}");
}

#[tokio::test]
async fn what_is_repeated_is_not_delivered_twice() {
    let host = Host::start(RECORDER, &[guest("guest_recorder")]);
    for _ in 0..4 {
        accept(&host, message("C1", 1)).await;
    }
    accept(&host, message("C1", 2)).await;
    assert_eq!(host.wait_until_done(2).len(), 2);
}

#[tokio::test]
async fn the_old_paths_and_the_health_of_a_webhook_server_go_on_working() {
    let host = Host::start(RECORDER, &[guest("guest_recorder")]);
    let client = reqwest::Client::new();
    let old =
        client.post(host.url("/livechat/webhook")).body(message("C1", 1)).send().await.expect("an answer");
    assert_eq!(old.status(), 200);
    for path in ["/health", "/healthz"] {
        let health: Value =
            client.get(host.url(path)).send().await.expect("an answer").json().await.expect("JSON");
        assert_eq!(health, json!({ "status": "ok" }), "{path}");
    }
    let ready: Value =
        client.get(host.url("/readyz")).send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(ready["status"], "ready");
}
