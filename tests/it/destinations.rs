//! What a service in trouble costs: the calls that need it wait, and nothing is lost.

use chatplug::simulator::{Fault, Times};
use chatplug_tests::{deliveries, guest};
use serde_json::{Value, json};

use crate::client::{accept, webhook};
use crate::services::Stage;

const CONFIG: &str = r#"
[connections.hubspot]
kind = "hubspot"
base_url = "https://api.hubapi.com"
bearer = { env = "HUBSPOT_TOKEN" }
concurrency = 1
rate = 100

[connections.hook]
kind = "slack"
url = { env = "SLACK_WEBHOOK_URL" }

[plugin.caller]
events = ["incoming_event"]
grants = ["http:hubspot"]
denies = ["chats.*", "customers.*", "agents.*", "reports.*", "http:hook", "livechat:configuration.*",
    "livechat:agent.*", "livechat:reports.*"]
"#;

/// The same plugin, after its operator has done without HubSpot.
const WITHOUT_HUBSPOT: &str = r#"
[plugin.caller]
events = ["incoming_event"]
denies = ["chats.*", "customers.*", "agents.*", "reports.*", "http:hubspot", "http:hook",
    "livechat:configuration.*", "livechat:agent.*", "livechat:reports.*"]
"#;

/// A host whose plugin asks HubSpot for a contact, once for each event, and then rejects the event with the answer.
async fn stage() -> Stage {
    Stage::with(CONFIG.parse().expect("TOML"), guest("guest_caller")).await
}

/// Events of different chats, from one number to another.
async fn events(stage: &Stage, numbers: std::ops::Range<usize>) {
    ask(stage, "GET", numbers).await;
}

/// The same, with another method.
async fn ask(stage: &Stage, method: &str, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let with =
            json!({ "connection": "hubspot", "method": method, "path": "/crm/v3/objects/contacts/501" });
        let event = json!({
            "id": "1", "type": "message", "created_at": "2026-06-01T12:00:03.512000Z", "visibility": "all",
            "author_id": "b7eff798", "text": json!({ "call": "http", "with": with }).to_string(),
        });
        let payload = json!({ "chat_id": format!("CALL{number}"), "thread_id": "T", "event": event });
        accept(&stage.host, webhook("incoming_event", &payload)).await;
    }
}

/// Fails unless HubSpot's answer got to the plugin for each of these deliveries, at the first attempt.
fn expect_answered(events: &[Value], status: u16) {
    for delivery in events.iter().flat_map(deliveries) {
        let reason = delivery["reason"].as_str().unwrap_or_default();
        let answer = format!("\"status\":{status}");
        assert!(reason.contains(&answer) && delivery["attempts"] == 1, "{delivery:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_service_asks_to_be_left_alone_nobody_asks_it_and_nothing_is_lost() {
    let stage = stage().await;
    let busy = Fault::TooManyRequests { retry_after: Some("3".to_owned()) };
    stage.hubspot.faults().set("contacts.get", busy, Times::Next(1));
    events(&stage, 0..10).await;
    let all = stage.host.wait_until_done(10);
    assert_eq!(all.iter().flat_map(deliveries).count(), 10);
    expect_answered(&all, 404);
    let asked = stage.hubspot.requests().all();
    assert_eq!(asked.len(), 11);
    let (first, others) = asked.split_first().expect("requests");
    assert!(first.fault.is_some());
    let early = others.iter().find(|request| request.at.duration_since(first.at).as_millis() < 3_000);
    assert!(early.is_none(), "{early:#?}");
    stage.expect_logged(&["WARN", "connections.hubspot is not asked for a while"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn during_an_outage_a_service_is_left_alone_and_afterwards_nothing_is_lost() {
    let stage = stage().await;
    stage.hubspot.faults().set("contacts.get", Fault::ErrorBeforeSaving, Times::UntilCleared);
    events(&stage, 0..10).await;
    let failed = stage.host.wait_until_done(10);
    expect_answered(&failed, 500);
    stage.expect_logged(&["WARN", "connections.hubspot failed again and again"]);

    events(&stage, 10..20).await;
    let waits = |event: &Value| {
        deliveries(event).all(|one| one["state"] == "pending" && one["attempts"] == 0 && one["reason"] != "")
    };
    stage.host.wait_for_events("ten more to wait", |all| all.len() == 20 && all[10..].iter().all(waits));
    assert_eq!(stage.hubspot.requests().all().len(), 10, "it is not asked meanwhile");
    stage.hubspot.faults().clear();
    let all = stage.host.wait_until_done(20);
    expect_answered(&all[10..], 404);
    stage.expect_logged(&["connections.hubspot takes calls again"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_on_a_service_that_is_left_alone_is_not_begun() {
    let stage = stage().await;
    stage.hubspot.faults().set("contacts.get", Fault::ErrorBeforeSaving, Times::UntilCleared);
    events(&stage, 0..10).await;
    stage.host.wait_until_done(10);
    ask(&stage, "POST", 10..11).await;
    let waits = |event: &Value| deliveries(event).all(|one| one["state"] == "pending" && one["reason"] != "");
    let all = stage.host.wait_for_events("one more to wait", |all| all.len() == 11 && waits(&all[10]));
    let id = all[10]["id"].as_str().expect("an id");
    let shown = stage.host.json(&["events", "show", id]);
    // Nothing is in doubt, nothing has to be written down and taken back, however often it is tried.
    assert_eq!(deliveries(&shown).next().map(|delivery| &delivery["steps"]), Some(&json!([])));
    let done = stage.host.json(&["events", "show", all[0]["id"].as_str().expect("an id")]);
    let steps = deliveries(&done).next().map(|delivery| &delivery["steps"]);
    assert!(steps.is_some(), "a listing of one event shows its steps: {done:#}");
}

/// svix#1511: the endpoint is deleted while something waits for it, which then fails for ever.
#[tokio::test(flavor = "multi_thread")]
async fn wedge_what_waits_for_a_connection_that_is_removed_ends_with_the_reason() {
    let stage = stage().await;
    let busy = Fault::TooManyRequests { retry_after: Some("2".to_owned()) };
    stage.hubspot.faults().set("contacts.get", busy, Times::UntilCleared);
    events(&stage, 0..4).await;
    let waits = |event: &Value| deliveries(event).all(|one| one["state"] == "pending" && one["reason"] != "");
    stage.host.wait_for_events("four to wait", |all| all.len() == 4 && all.iter().all(waits));
    stage.set_config(&WITHOUT_HUBSPOT.parse().expect("TOML"));
    let all = stage.host.wait_until_done(4);
    for delivery in all.iter().flat_map(deliveries) {
        let reason = delivery["reason"].as_str().unwrap_or_default();
        assert!(delivery["state"] == "dead" && reason.contains("denied"), "{delivery:#}");
    }
}
