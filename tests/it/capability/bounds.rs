//! Grants with bounds: what is within them is done, what is beyond reaches nobody, and both can be looked up.

use serde_json::{Value, json};

use super::caller::Caller;
use crate::metrics::figures;
use crate::services::SMITH;

const NARROWED: &str = r#"
grants = [
    "chats.get-chat",
    { allow = "chats.transfer", groups = [2] },
    { allow = "chats.tag", tags = ["low-rating"] },
    { allow = "chats.assign", agents = ["sam@example.com"] },
    { allow = "http:hubspot", methods = ["GET"], paths = ["/crm/v3/objects/contacts/*"] },
    { allow = "http:hubspot", methods = ["POST"], paths = ["/crm/v3/objects/notes"] },
    { allow = "chats.untag", per_minute = 1 },
]
denies = ["customers.*", "agents.*", "http:hook", "chats.send-note", "chats.send-message", "chats.remove-user",
    "chats.deactivate", "chats.set-properties", "chats.list-chats", "chats.list-archives", "reports.*",
    "livechat:configuration.*", "livechat:agent.*", "livechat:reports.*"]
"#;

/// What was decided, as `audit decisions` shows it: the capability, why, and how often in all.
fn decisions(caller: &Caller) -> Vec<(String, String, i64)> {
    let listed = caller.stage.host.json(&["audit", "decisions", "--plugin", "caller"]);
    let mut sums = std::collections::BTreeMap::new();
    for entry in listed.as_array().expect("a list") {
        let text = |key: &str| entry[key].as_str().expect("a text").to_owned();
        assert!(text("delivery").starts_with("dl-"), "{entry}");
        *sums.entry((text("capability"), text("why"))).or_insert(0) +=
            entry["count"].as_i64().expect("a number");
    }
    sums.into_iter().map(|((capability, why), count)| (capability, why, count)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_beyond_the_bounds_of_a_grant_reaches_nobody_and_is_written_down() {
    let mut caller = Caller::with(NARROWED).await;
    let (chat, thread) = caller.chat("Dana");
    let request = |method: &str, path: &str| json!({"connection": "hubspot", "method": method, "path": path, "body": {}});
    let beyond = [
        ("chats.transfer", json!([chat, 1])),
        ("chats.transfer", json!([chat, SMITH])),
        ("chats.tag", json!([chat, thread, "urgent"])),
        ("chats.assign", json!([chat, SMITH, "all"])),
        ("http", request("DELETE", "/crm/v3/objects/contacts/1")),
        ("http", request("GET", "/crm/v3/objects/notes")),
        ("http", request("POST", "/crm/v3/objects/contacts/1")),
        ("http", request("GET", "/crm/v3/objects/contacts/..%2fnotes")),
        ("http", request("GET", "/crm/v3/objects/contacts/%2e%2e/notes")),
        ("http", request("GET", "/crm/v3/objects/contacts/a%2Fb")),
    ];
    for (name, with) in &beyond {
        caller.expect_error(name, with, "denied", "out of the bounds of the grant { allow = ").await;
    }
    caller.expect_error("customers.get", &json!(["1"]), "denied", "denied by the operator").await;
    let undeclared = json!({"connection": "mary@example.com", "method": "GET", "path": "/"});
    caller.expect_error("http", &undeclared, "denied", "manifest").await;
    assert_eq!(caller.asked().len(), 0);
    caller.stage.expect_logged(&["WARN", "out of the bounds", "caller"]);

    let expected = [
        ("chats.assign", "out of bounds", 1),
        ("chats.tag", "out of bounds", 1),
        ("chats.transfer", "out of bounds", 2),
        ("customers.get", "denied", 1),
        ("http:(undeclared)", "not asked for", 1),
        ("http:hubspot", "out of bounds", 6),
    ];
    let expected = expected.map(|(capability, why, count)| (capability.to_owned(), why.to_owned(), count));
    assert_eq!(decisions(&caller), expected);
    let metrics = figures(&caller.stage.host).await;
    let line = r#"chatplug_grants_refused_total{plugin="caller",reason="out of bounds"} 10"#;
    assert!(metrics.contains(line), "{metrics}");
    let shown = caller.stage.host.cli(&["audit", "decisions"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("http:hubspot") && !shown.contains("mary"), "{shown}");

    let within = [
        ("chats.get-chat", json!([chat])),
        ("chats.tag", json!([chat, thread, "low-rating"])),
        ("chats.transfer", json!([chat, 2])),
    ];
    for (number, (name, with)) in within.iter().enumerate() {
        let told = caller.call(name, with).await;
        assert!(told.get("ok").is_some(), "{name} {with}: {told}");
        assert_eq!(caller.asked().len(), number + 1);
    }
    let told = caller.call("http", &request("GET", "/crm/v3/objects/contacts/1")).await;
    assert_eq!(told["ok"]["status"], 404, "{told}");
    assert_eq!(decisions(&caller), expected, "a plain yes is not written down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_is_used_up_lets_the_run_wait_and_spends_no_attempt() {
    let mut caller = Caller::with(NARROWED).await;
    let (chat, thread) = caller.chat("Dana");
    let told = caller.call("chats.untag", &json!([chat, thread, "low-rating"])).await;
    let asked = caller.asked().len();
    assert_eq!(asked, 1, "{told}");
    caller.ask("chats.untag", &json!([chat, thread, "low-rating"])).await;
    let waits = |event: &Value| {
        let delivery = &event["deliveries"][0];
        let reason = delivery["reason"].as_str().unwrap_or_default();
        delivery["state"] == "pending"
            && delivery["attempts"] == 0
            && reason.contains("is used up for this minute")
    };
    caller.stage.host.wait_for_events("the second call to wait", |events| events.iter().any(waits));
    assert_eq!(caller.asked().len(), asked, "it was not made");
    let too_often = ("chats.untag".to_owned(), "too often".to_owned(), 1);
    assert!(decisions(&caller).contains(&too_often), "{:?}", decisions(&caller));
}

/// Has the plugin make a call until a limit ends its attempts; answers the requests that were made before.
async fn ends(limits: &str, with: &Value, outcome: &str, part: &str) -> usize {
    let mut caller = Caller::limited(limits).await;
    caller.ask("http flood", with).await;
    let delivery = caller.last_delivery();
    let reason = delivery["reason"].as_str().unwrap_or_default();
    assert!(delivery["outcome"] == outcome && reason.contains(part), "{delivery:#}");
    caller.asked().len()
}

fn search(effect: &str) -> Value {
    json!({
        "connection": "hubspot", "method": "POST", "path": "/crm/v3/objects/contacts/search", "effect": effect, "body": {},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn actions_of_one_attempt_end_at_their_limit() {
    for effect in ["repeatable", "read"] {
        let asked = ends(
            "actions = 3\nactions_per_chat_minute = 1000",
            &search(effect),
            "out of calls",
            "limits.actions",
        )
        .await;
        // Three attempts of three; what was recorded is repeated and not sent again.
        let expected = if effect == "read" { 9 } else { 3 };
        assert_eq!(asked, expected, "{effect}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writing_method_counts_in_the_fuse_whatever_the_plugin_calls_it() {
    let asked =
        ends("actions_per_chat_minute = 2", &search("read"), "fuse", "limits.actions_per_chat_minute").await;
    assert_eq!(asked, 2);
    let mut caller = Caller::limited("actions_per_chat_minute = 2\nhost_calls = 4").await;
    let get = json!({"connection": "hubspot", "method": "GET", "path": "/crm/v3/objects/contacts/1"});
    caller.ask("http flood", &get).await;
    let delivery = caller.last_delivery();
    let reason = delivery["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("limits.host_calls"), "reading is not counted: {delivery:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_for_the_memory_or_a_connection_is_refused_and_named() {
    let limits = "kept_keys = 2\nkept_value_bytes = 20\nkept_bytes = 60\nhttp_body_bytes = 30";
    let mut caller = Caller::limited(limits).await;
    let set = |key: &str, bytes: usize| json!([key, "x".repeat(bytes)]);
    caller.expect_error("memory.set", &set("a", 40), "limit", "limits.kept_value_bytes").await;
    for key in ["a", "b"] {
        let told = caller.call("memory.set", &set(key, 10)).await;
        assert!(told.get("ok").is_some(), "{told}");
    }
    caller.expect_error("memory.set", &set("c", 1), "limit", "limits.kept_keys").await;
    let told = caller.call("memory.delete", &json!(["b"])).await;
    assert!(told.get("ok").is_some(), "{told}");
    let told = caller.call("memory.set", &set("c", 1)).await;
    assert!(told.get("ok").is_some(), "there is room again: {told}");
    let mut caller = Caller::limited("kept_bytes = 40").await;
    caller.expect_error("memory.set", &set("a", 50), "limit", "limits.kept_bytes").await;

    let mut caller = Caller::limited(limits).await;
    let body = |bytes: usize| json!({"connection": "hubspot", "method": "POST", "path": "/crm/v3/objects/notes", "body": "x".repeat(bytes)});
    caller.expect_error("http", &body(31), "limit", "limits.http_body_bytes").await;
    assert_eq!(caller.asked().len(), 0, "it was not sent");
}
