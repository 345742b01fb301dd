//! Limits as an operator sets them: what is too much at a low value, and named with that value and its setting, is taken
//! at a higher one.

use std::fs;

use chatplug_tests::raw::Raw;
use chatplug_tests::{Host, deliveries, guest};
use serde_json::{Value, json};

use crate::client::{accept, message, post, said, webhook};

/// What became of one message in a host with this plugin.
async fn delivery(config: &str, component: &[u8]) -> Value {
    let mut host = Host::prepared(config, &[]);
    host.drop_bytes(component, "plugin.wasm");
    host.run();
    accept(&host, message("C1", 1)).await;
    let events = host.wait_until_done(1);
    deliveries(&events[0]).next().expect("a delivery").clone()
}

#[track_caller]
fn expect_ended(delivery: &Value, outcome: &str, reason: &str) {
    let said = delivery["reason"].as_str().unwrap_or_default();
    assert!(delivery["outcome"] == outcome && said.contains(reason), "{outcome}, {reason}: {delivery:#}");
}

#[tokio::test]
async fn how_deep_a_plugin_recurses_is_what_the_stack_allows() {
    const DEEP: &str = "(func $deep (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (i32.add (local.get 0) (call $deep (i32.sub (local.get 0) (i32.const 1)))))
            (else (i32.const 0))))";
    let handle = "(drop (call $deep (i32.const 10000)))";
    let component = Raw { fields: DEEP, handle, ..Raw::new("deep") }.component();
    let config = |bytes: u32| {
        format!("[plugins]\nstack_bytes = {bytes}\n[plugin.deep]\nevents = [\"incoming_event\"]\n")
    };
    let low = delivery(&config(65_536), &component).await;
    expect_ended(&low, "out of memory", "more than 65536 bytes of stack (plugins.stack_bytes)");
    expect_ended(&delivery(&config(8 << 20), &component).await, "handled", "");
}

#[tokio::test]
async fn what_one_call_carries_is_what_the_plugins_limit_allows() {
    let component = fs::read(guest("guest_hostile")).expect("a guest");
    // Its answer has 5 MiB.
    let config = |bytes: u32| {
        format!(
            "[plugin.hostile]\nevents = [\"incoming_event\"]\ndenies = [\"chats.tag\"]\n\
             settings = {{ do = \"giant-answer\" }}\n\
             [plugin.hostile.limits]\ncpu_ms = 10000\nhostcall_bytes = {bytes}\n"
        )
    };
    let low = delivery(&config(1 << 20), &component).await;
    let reason = "more than 1048576 bytes in one call between plugin and host (limits.hostcall_bytes)";
    expect_ended(&low, "out of memory", reason);
    expect_ended(&delivery(&config(8 << 20), &component).await, "reject", "xxx");
}

#[tokio::test]
async fn what_a_webhook_may_be_is_what_the_config_says() {
    let large = json!({ "chat_id": "C1", "text": "a".repeat(3_000) });
    let deep: Value = serde_json::from_str(&("[".repeat(10) + &"]".repeat(10))).expect("JSON");
    let deep = json!({ "chat_id": "C1", "deep": deep });
    for (setting, low, high, payload, status, why) in [
        ("body_bytes", 2_048, 4_096, &large, 413, "has more than 2048 bytes (livechat.webhooks.body_bytes)"),
        ("json_depth", 8, 16, &deep, 400, "nests deeper than 8 levels (livechat.webhooks.json_depth)"),
    ] {
        let body = webhook("incoming_event", payload);
        // What a test's host is given begins in [livechat.webhooks].
        let host = Host::start(&format!("{setting} = {low}\n"), &[]);
        let (answered, text) = post(&host, body.clone()).await;
        assert_eq!(answered.as_u16(), status, "{setting}: {text}");
        host.wait_for(why, || host.log().contains(why).then_some(()));
        assert!(host.events().is_empty());
        let host = Host::start(&format!("{setting} = {high}\n"), &[]);
        accept(&host, body).await;
        assert_eq!(host.events().len(), 1);
    }
}

/// A host whose plugin has commands and no schedule, with these limits.
fn clockwork(limits: &str) -> Host {
    let config = format!(
        "[plugin.clockwork]\nevents = [\"incoming_event\"]\n[plugin.clockwork.limits]\n{limits}\n\
         [plugin.clockwork.schedules]\nsecond = false\nslow = false\nlate = false\nnightly = false\n"
    );
    let host = Host::start(&config, &[guest("guest_clockwork")]);
    host.wait_for_plugin("clockwork", "active");
    host
}

/// The command that takes so much of what there is.
fn take([ms, reads, bytes]: [&str; 3]) -> [&str; 10] {
    ["plugins", "command", "clockwork", "take", "--ms", ms, "--reads", reads, "--bytes", bytes]
}

#[tokio::test]
async fn a_job_has_more_time_calls_and_journal_than_a_message_with_the_same_work() {
    for (limits, work, outcome, reason) in [
        ("wall_ms = 300", ["1000", "0", "1"], "out of time", "300 ms in one attempt (limits.wall_ms)"),
        (
            "host_calls = 10",
            ["0", "100", "1"],
            "out of calls",
            "10 host calls in one attempt (limits.host_calls)",
        ),
        (
            "journal_bytes = 65536\ncpu_ms = 5000",
            ["0", "5", "61440"],
            "out of journal",
            "65536 bytes of answers and actions in the journal of one delivery (limits.journal_bytes)",
        ),
    ] {
        let host = clockwork(limits);
        let report = host.json(&take(work));
        assert_eq!(report["state"], "succeeded", "{limits}: {report}");
        accept(&host, said("C1", "1", &format!("take {}", work.join(" ")))).await;
        let events = host.wait_until_done(2);
        let event = events.iter().find(|event| event["chat_id"] == "C1").expect("the message");
        expect_ended(deliveries(event).next().expect("a delivery"), outcome, reason);
    }
}

#[test]
fn what_a_job_may_use_ends_too_unless_the_operator_allows_more() {
    let work = ["0", "1500", "1"];
    let output = clockwork("host_calls = 10").cli(&take(work));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "{text}");
    assert!(text.contains("more than 1000 host calls in one attempt (limits.host_calls)"), "{text}");
    let report = clockwork("host_calls = 2000").json(&take(work));
    assert_eq!(report["state"], "succeeded", "{report}");
}
