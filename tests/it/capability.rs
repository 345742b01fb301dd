//! Each capability of the contract, called by a real component: what reaches the services, what the plugin is
//! told, and that nothing happens without a grant.

use std::time::Duration;

use chatplug::grant::CAPABILITIES;
use chatplug::simulator::livechat::{EndedBy, Opening};
use chatplug::simulator::{Fault, Recorded, Times};
use chatplug_tests::{deliveries, guest};
use serde_json::{Value, json};
use toml::Table;

use crate::client::{accept, webhook};
use crate::services::{SMITH, Stage};

mod livechat;

const CONNECTIONS: &str = r#"
[connections.hubspot]
kind = "hubspot"
base_url = "https://api.hubapi.com"
bearer = { env = "HUBSPOT_TOKEN" }

[connections.hook]
kind = "slack"
url = { env = "SLACK_WEBHOOK_URL" }

[connections.slack]
kind = "slack"
base_url = "https://slack.com"
bearer = { env = "SLACK_TOKEN" }
"#;

/// A host whose plugin makes the calls of [`Caller::call`].
struct Caller {
    stage: Stage,
    calls: usize,
}

impl Caller {
    async fn granted() -> Caller {
        let grants =
            "[\"chats.*\", \"customers.*\", \"agents.*\", \"http:hubspot\", \"http:hook\", \"http:slack\"]";
        Caller::with(&format!("grants = {grants}")).await
    }

    async fn denied() -> Caller {
        let denies = "[\"chats.*\", \"customers.*\", \"agents.*\", \"http:hubspot\", \"http:hook\"]";
        Caller::with(&format!("denies = {denies}")).await
    }

    async fn with(policy: &str) -> Caller {
        let config = format!("{CONNECTIONS}\n[plugin.caller]\nevents = [\"incoming_event\"]\n{policy}\n");
        let config: Table = config.parse().expect("TOML");
        Caller { stage: Stage::with(config, guest("guest_caller")).await, calls: 0 }
    }

    /// Has the plugin make a call; answers what it was told.
    async fn call(&mut self, name: &str, with: &Value) -> Value {
        self.calls += 1;
        let chat_id = format!("CALL{}", self.calls);
        let event = json!({
            "id": "1", "type": "message", "created_at": "2026-06-01T12:00:03.512000Z", "visibility": "all",
            "author_id": "b7eff798", "text": json!({"call": name, "with": with}).to_string(),
        });
        let payload = json!({"chat_id": chat_id, "thread_id": "T", "event": event});
        accept(&self.stage.host, webhook("incoming_event", &payload)).await;
        let events = self.stage.host.wait_until_done(self.calls);
        let event = events.iter().find(|event| event["chat_id"] == chat_id.as_str()).expect("the event");
        let delivery = deliveries(event).next().expect("a delivery");
        let reason = delivery["reason"].as_str().unwrap_or_default();
        let told = reason.strip_prefix("rejected by the plugin: ");
        let told = told.unwrap_or_else(|| panic!("{name} {with}: {delivery:#}"));
        serde_json::from_str(told).unwrap_or_else(|error| panic!("{name} {with}: {error}: {told}"))
    }

    /// What all services were asked so far.
    fn asked(&self) -> Vec<Recorded> {
        let Stage { livechat, hubspot, slack, .. } = &self.stage;
        [livechat.requests(), hubspot.requests(), slack.requests()]
            .into_iter()
            .flat_map(|all| all.all())
            .collect()
    }

    /// A chat with Smith, and the ids of it and its thread.
    fn chat(&self, customer: &str) -> (String, String) {
        let told = self.stage.livechat.start_chat(&Opening::by(customer)).expect("a chat");
        (told.chat_id, told.thread_id)
    }

    fn ended_chat(&self, customer: &str) -> (String, String) {
        let ids = self.chat(customer);
        self.stage.livechat.end_chat(&ids.0, &EndedBy::Router).expect("it ends");
        ids
    }
}

/// A call that is granted: its name and arguments, the requests that it makes (operation and body), and the
/// answer.
struct Row {
    name: &'static str,
    with: Value,
    asks: Vec<(&'static str, Value)>,
    answer: Value,
}

fn row(name: &'static str, with: Value, asks: Vec<(&'static str, Value)>, answer: Value) -> Row {
    Row { name, with, asks, answer }
}

/// The body, with our `custom_id` replaced by a word.
fn without_custom_id(request: &Recorded) -> Value {
    let mut body = request.body.clone().unwrap_or_default();
    if let Some(id) = body.pointer_mut("/event/custom_id") {
        let text = id.as_str().unwrap_or_default();
        assert!(text.starts_with("chatplug-caller-") && text.ends_with("-call"), "{text}");
        *id = json!("ours");
    }
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_that_is_granted_reaches_livechat_as_the_platform_wants_it() {
    let mut caller = Caller::granted().await;
    let rows = livechat::calls(&caller);
    for capability in CAPABILITIES {
        assert!(rows.iter().any(|row| row.name == *capability), "no row for {capability}");
    }
    for Row { name, with, asks, answer } in rows {
        let before = caller.asked().len();
        let told = caller.call(name, &with).await;
        assert_eq!(told, json!({ "ok": answer }), "{name} {with}");
        let asked: Vec<(String, Value)> = caller.stage.livechat.requests().all()[before..]
            .iter()
            .map(|request| (request.operation.clone(), without_custom_id(request)))
            .collect();
        let expected: Vec<(String, Value)> =
            asks.into_iter().map(|(operation, body)| (operation.to_owned(), body)).collect();
        assert_eq!(asked, expected, "{name} {with}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_denied_reaches_nobody_and_the_log_says_so() {
    let mut caller = Caller::denied().await;
    let mut rows: Vec<(&str, Value)> =
        livechat::calls(&caller).into_iter().map(|row| (row.name, row.with)).collect();
    rows.push((
        "http",
        json!({"connection": "hubspot", "method": "GET", "path": "/crm/v3/objects/contacts/501"}),
    ));
    rows.push(("http", json!({"connection": "hook", "method": "POST", "path": "", "body": {"text": "hi"}})));
    for (name, with) in rows {
        let told = caller.call(name, &with).await;
        assert_eq!(told["code"], "denied", "{name} {with}: {told}");
        let capability = match name {
            "http" => format!("http:{}", with["connection"].as_str().expect("a name")),
            name => name.to_owned(),
        };
        let message = told["message"].as_str().expect("a message");
        assert!(message.contains(&format!("`{capability}` is denied by the operator")), "{message}");
        caller.stage.expect_logged(&["WARN", &capability, "caller"]);
    }
    assert_eq!(caller.asked().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undeclared_connection_is_denied_though_it_is_granted() {
    let mut caller = Caller::granted().await;
    let told = caller
        .call("http", &json!({"connection": "slack", "method": "POST", "path": "/api/auth.test"}))
        .await;
    assert_eq!(told["code"], "denied", "{told}");
    assert!(told["message"].as_str().expect("a message").contains("manifest"), "{told}");
    assert_eq!(caller.asked().len(), 0);
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
            expect_error(&mut caller, name, with, code, part).await;
        }
    }
}

#[track_caller]
fn expect_told(told: &Value, code: &str, part: &str, shown: &str) {
    let message = told["message"].as_str().unwrap_or_default();
    assert!(told["code"] == code && message.contains(part), "{shown}: {told}");
}

async fn expect_error(caller: &mut Caller, name: &str, with: &Value, code: &str, part: &str) {
    let told = caller.call(name, with).await;
    expect_told(&told, code, part, &format!("{name} {with}"));
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
    ] {
        expect_error(&mut caller, name, &with, code, part).await;
    }
    assert_eq!(caller.asked().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_of_livechat_has_the_code_that_says_whether_to_try_again() {
    let mut caller = Caller::granted().await;
    let (chat, _) = caller.chat("Dana");
    let busy =
        |retry_after: Option<&str>| Fault::TooManyRequests { retry_after: retry_after.map(str::to_owned) };
    for (fault, code, wait) in [
        (busy(Some("7")), "rate-limited", json!(7_000)),
        (busy(None), "rate-limited", Value::Null),
        (busy(Some("soon")), "rate-limited", Value::Null),
        (Fault::ErrorBeforeSaving, "unavailable", Value::Null),
        (Fault::Down, "unavailable", Value::Null),
        (Fault::CutReply, "unavailable", Value::Null),
        (Fault::Unauthorized, "denied", Value::Null),
    ] {
        caller.stage.livechat.faults().set("get_chat", fault.clone(), Times::Next(1));
        let told = caller.call("chats.get-chat", &json!([chat])).await;
        assert_eq!((&told["code"], &told["retry_after_ms"]), (&json!(code), &wait), "{fault:?}: {told}");
    }
    assert_eq!(caller.call("chats.get-chat", &json!([chat])).await["code"], Value::Null);
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
    assert_eq!(told["code"], "unavailable", "{told}");
    assert_eq!(operations(&caller).len(), 8, "{:?}", operations(&caller));
    assert_eq!(users(&caller), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_a_connection_has_the_hosts_credentials_and_the_plugins_content() {
    let mut caller = Caller::granted().await;
    let id = caller.stage.hubspot.add_contact("dana@example.com");
    let get = json!({
        "connection": "hubspot", "method": "GET", "path": "/crm/v3/objects/contacts/dana%40example%2Ecom",
        "query": {"idProperty": "email", "properties": "email,firstname"}, "headers": {"X-Request-Id": "7"},
    });
    let told = caller.call("http", &get).await;
    assert_eq!(told["ok"]["status"], 200, "{told}");
    let contact: Value = serde_json::from_str(told["ok"]["body"].as_str().expect("text")).expect("JSON");
    assert_eq!(contact["id"], id.to_string());
    let request = caller.asked().pop().expect("a request");
    assert_eq!(
        request.path,
        "/crm/v3/objects/contacts/dana%40example%2Ecom?idProperty=email&properties=email%2Cfirstname"
    );
    assert!(request.headers.contains(&("x-request-id".to_owned(), "7".to_owned())), "{request:?}");

    let missing = json!({"connection": "hubspot", "method": "GET", "path": "/crm/v3/objects/contacts/1"});
    let told = caller.call("http", &missing).await;
    assert_eq!(told["ok"]["status"], 404, "an error status is an answer: {told}");

    let create = json!({
        "connection": "hubspot", "method": "POST", "path": "/crm/v3/objects/contacts", "effect": "keyed",
        "body": {"properties": {"email": "omar@example.com"}},
    });
    let told = caller.call("http", &create).await;
    assert_eq!(told["ok"]["status"], 201, "{told}");
    let key = caller
        .asked()
        .pop()
        .expect("a request")
        .headers
        .into_iter()
        .find(|(name, _)| name == "idempotency-key");
    let (_, key) = key.expect("a key");
    assert!(key.starts_with("chatplug-caller-") && key.ends_with("-call"), "{key}");

    let hook = json!({"connection": "hook", "method": "POST", "path": "", "body": {"text": "hi"}});
    let told = caller.call("http", &hook).await;
    assert_eq!(told["ok"], json!({"status": 200, "body": "ok"}));
    assert_eq!(caller.stage.slack.posts().len(), 1);
    caller.stage.expect_no_secrets();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_would_leave_its_connection_is_refused() {
    let mut caller = Caller::granted().await;
    let path = |path: &str| json!({"connection": "hubspot", "method": "GET", "path": path});
    let header = |name: &str| json!({"connection": "hubspot", "method": "GET", "path": "/crm/v3", "headers": {name: "x"}});
    let mut rows: Vec<Value> =
        ["", "crm/v3", "//evil.example/", "/../x", "/a/%2e%2e/b", "/%252e%252e/", "/a\\b"].map(path).to_vec();
    rows.extend(["http://evil.example/", "@evil.example/", "/a?b=c", "/a#b", "/a b", "/\u{e9}"].map(path));
    rows.extend(
        ["Authorization", "Cookie", "Host", "Content-Length", "X-Forwarded-For", "X-Api-Key"].map(header),
    );
    rows.extend(["Transfer-Encoding", "Connection", "Proxy-Authorization", "a b", ""].map(header));
    rows.extend(
        ["CONNECT", "TRACE", "get", "GET / HTTP/1.1\r\n", ""]
            .map(|method| json!({"connection": "hubspot", "method": method, "path": "/crm/v3"})),
    );
    rows.push(json!({"connection": "hook", "method": "POST", "path": "/more", "body": {"text": "hi"}}));
    rows.push(json!({"connection": "hook", "method": "POST", "path": "", "query": {"a": "b"}, "body": {"text": "hi"}}));
    rows.push(json!({"connection": "hubspot", "method": "GET", "path": "/crm/v3", "timeout_ms": 0}));
    for with in rows {
        expect_error(&mut caller, "http", &with, "invalid", "").await;
    }
    assert_eq!(caller.asked().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_does_not_answer_is_unavailable() {
    let mut caller = Caller::granted().await;
    let get = json!({"connection": "hubspot", "method": "GET", "path": "/crm/v3/objects/contacts/1", "timeout_ms": 300});
    caller.stage.hubspot.faults().set("contacts.get", Fault::StallBeforeSaving(None), Times::UntilCleared);
    expect_error(&mut caller, "http", &get, "unavailable", "in time").await;
    caller.stage.hubspot.faults().clear();
    let told = caller.call("http", &get).await;
    assert_eq!(told["ok"]["status"], 404, "{told}");
}
