//! Requests to connections.

use std::time::{Duration, Instant};

use chatplug::limits::Limits;
use chatplug::simulator::{Fault, Times};
use serde_json::{Value, json};

use super::caller::Caller;

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
    assert!(key.starts_with("chatplug-caller-") && key.ends_with("-1"), "the first step: {key}");

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
        caller.expect_error("http", &with, "invalid", "").await;
    }
    assert_eq!(caller.asked().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_does_not_answer_is_unavailable() {
    let mut caller = Caller::granted().await;
    let mut get = json!({"connection": "hubspot", "method": "GET", "path": "/crm/v3/objects/contacts/1", "timeout_ms": 300});
    caller.stage.hubspot.faults().set("contacts.get", Fault::StallBeforeSaving(None), Times::UntilCleared);
    caller.expect_error("http", &get, "unavailable", "in time").await;
    caller.stage.hubspot.faults().clear();
    // The answer may take its time now.
    get["timeout_ms"] = 10_000.into();
    let told = caller.call("http", &get).await;
    assert_eq!(told["ok"]["status"], 404, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_a_slow_service_costs_no_cpu_time() {
    let mut caller = Caller::granted().await;
    let slow = Duration::from_secs(1);
    assert!(slow > 2 * Limits::default().cpu());
    caller.stage.hubspot.faults().set(
        "contacts.get",
        Fault::StallBeforeSaving(Some(slow)),
        Times::UntilCleared,
    );
    let get = json!({"connection": "hubspot", "method": "GET", "path": "/crm/v3/objects/contacts/1"});
    let began = Instant::now();
    let told = caller.call("http", &get).await;
    assert_eq!(told["ok"]["status"], 404, "{told}");
    assert!(began.elapsed() >= slow);
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_an_answer_that_is_too_long_is_cut_and_told() {
    let mut caller = Caller::granted().await;
    let get = json!({"connection": "hubspot", "method": "GET", "path": "/crm/v3/objects/contacts/1"});
    caller.stage.hubspot.faults().set("contacts.get", Fault::LongReply(10 << 20), Times::Next(1));
    caller.expect_error("http", &get, "limit", "longer than").await;
    assert_eq!(caller.call("http", &get).await["ok"]["status"], 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_an_action_with_an_answer_that_is_too_long_is_done_once_and_its_chat_goes_on() {
    let mut caller = Caller::limited("http_body_bytes = 1024").await;
    for effect in ["keyed", "unknown"] {
        let before = caller.asked().len();
        let create = json!({
            "connection": "hubspot", "method": "POST", "path": "/crm/v3/objects/contacts", "effect": effect,
            "body": {"properties": {"email": format!("{effect}@example.com")}},
        });
        caller.stage.hubspot.faults().set("contacts.create", Fault::LongReply(10 << 20), Times::UntilCleared);
        let told = caller.call("http", &create).await;
        caller.stage.hubspot.faults().clear();
        assert_eq!(told["ok"]["status"], 201, "{effect}: {told}");
        assert_eq!(caller.asked().len() - before, 1, "{effect}: it is not sent again");
        let delivery = caller.last_delivery();
        assert_eq!((&delivery["state"], &delivery["attempts"]), (&"dead".into(), &1.into()), "{delivery:#}");
        let id = delivery["id"].as_str().expect("an id");
        caller.stage.expect_logged(&["WARN", id, "was cut at ", " bytes (limits.http_body_bytes)"]);
    }
}
