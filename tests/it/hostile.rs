//! A zoo: everything hostile that we could think of, all in one host, beside a plugin that goes on handling every
//! event. Each ends as a table says, and names the limit that it hit.

use std::fs;

use chatplug_tests::raw::{Raw, importing, large_function};
use chatplug_tests::{Host, deliveries, guest};
use serde_json::{Value, json};

use crate::client::{accept, webhook};
use crate::services::Stage;

mod compile;
mod report;
mod turns;

const CONFIG: &str = r#"
[connections.hubspot]
kind = "hubspot"
base_url = "https://api.hubapi.com"
bearer = { env = "HUBSPOT_TOKEN" }
rate = 10000
concurrency = 64

[connections.hook]
kind = "slack"
url = { env = "SLACK_WEBHOOK_URL" }

[connections.slack]
kind = "slack"
base_url = "https://slack.com"
bearer = { env = "SLACK_TOKEN" }

[plugin.recorder]
events = ["incoming_event"]

[plugin.caller]
events = ["incoming_event"]
grants = ["http:hubspot", "http:hook", "http:slack"]
denies = ["chats.*", "customers.*", "agents.*", "reports.*", "livechat:configuration.*",
    "livechat:agent.*", "livechat:reports.*"]

[plugin.answerer]
events = ["incoming_event"]

[plugin.hostile]
events = ["incoming_event"]
denies = ["chats.tag"]
[plugin.hostile.limits]
cpu_ms = 1000
memory_bytes = 33554432
log_bytes = 2000

[plugin.sleeper]
events = ["incoming_event"]
denies = ["chats.tag"]
settings = { do = "sleep" }
[plugin.sleeper.limits]
wall_ms = 200

[plugin.realloc-calls]
events = ["incoming_event"]
[plugin.two-memories]
events = ["incoming_event"]
[plugin.growing-table]
events = ["incoming_event"]
[plugin.padded]
events = ["incoming_event"]
"#;

/// Has a customer say something in a chat of its own.
async fn say(host: &Host, chat: &str, text: &str) {
    let event = json!({
        "id": "1", "type": "message", "created_at": "2026-06-01T12:00:03.512000Z", "visibility": "all",
        "author_id": "b7eff798", "text": text,
    });
    accept(host, webhook("incoming_event", &json!({ "chat_id": chat, "thread_id": "T", "event": event })))
        .await;
}

/// A component with another name of the same length in the place of its own.
fn renamed(file: &str, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = fs::read(guest(file)).expect("a guest");
    let mut found = false;
    for at in 0..bytes.len() - from.len() {
        if bytes[at..].starts_with(from.as_bytes()) {
            bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
            found = true;
        }
    }
    assert!(found, "{file} has no {from}");
    bytes
}

/// A component of about this many bytes; most of it is data.
fn padded(name: &str, bytes: usize) -> Vec<u8> {
    const AT: usize = 33 << 16;
    let data = format!("(data (i32.const {AT}) \"{}\")", "a".repeat(bytes));
    Raw { fields: &data, pages: (AT + bytes).div_ceil(1 << 16), ..Raw::new(name) }.component()
}

/// Files of the plugin folder: what is in them, the state that they end in, and a part of the reason.
fn files() -> Vec<(&'static str, Vec<u8>, &'static str, &'static str)> {
    let read = |file: &str| fs::read(guest(file)).expect("a guest");
    let with = |name, fields| Raw { fields, ..Raw::new(name) }.component();
    let tables = "(table 1 funcref) ".repeat(5);
    let large = large_function(600 << 10);
    let large_memory = Raw { pages: 1_100, ..Raw::new("large-memory") }.component();
    vec![
        ("describe-loops.wasm", read("guest_describe_loops"), "rejected", "`describe` failed (out of CPU)"),
        ("large-memory.wasm", large_memory, "rejected", "67108864 bytes of memory (no setting raises that)"),
        ("describe-traps.wasm", read("guest_describe_traps"), "rejected", "no manifest today"),
        ("outside.wasm", read("guest_hostile_outside"), "rejected", "wasi:sockets/tcp"),
        (
            "files.wasm",
            importing("wasi:filesystem/preopens@0.2.0"),
            "rejected",
            "it wants what this host does not offer: wasi:filesystem/preopens@0.2.0",
        ),
        (
            "requests.wasm",
            importing("wasi:http/outgoing-handler@0.2.0"),
            "rejected",
            "it wants what this host does not offer: wasi:http/outgoing-handler@0.2.0",
        ),
        ("asks.wasm", read("guest_answerer"), "awaiting approval", "chats.send-message"),
        ("thief.wasm", Raw::new("recorder").component(), "conflict", "is the plugin `recorder` too"),
        (
            "start-traps.wasm",
            with("start-traps", "(func $boom unreachable) (start $boom)"),
            "rejected",
            "`describe` failed (trapped)",
        ),
        (
            "three-memories.wasm",
            with("three-memories", "(memory 1) (memory 1)"),
            "rejected",
            "it has 3 linear memories, at most 2",
        ),
        ("five-tables.wasm", with("five-tables", &tables), "rejected", "tables, at most 4"),
        ("large-function.wasm", with("large-function", &large), "rejected", "(plugins.function_bytes)"),
        ("too-large.wasm", padded("too-large", 16 << 20), "rejected", "(plugins.component_bytes)"),
        ("padded.wasm", padded("padded", 0xff_e000), "active", ""),
        ("realloc-calls.wasm", realloc_calls(), "active", ""),
        ("two-memories.wasm", two_memories(), "active", ""),
        ("growing-table.wasm", growing_table(), "active", ""),
        ("sleeper.wasm", renamed("guest_hostile", "hostile", "sleeper"), "active", ""),
        ("hostile.wasm", read("guest_hostile"), "active", ""),
    ]
}

/// Calls the host while the host asks it for memory.
fn realloc_calls() -> Vec<u8> {
    let import = r#"(import "chatplug:plugin/log@0.1.0" "write" (func $log (param i32 i32 i32 i32 i32)))"#;
    let call = "(call $log (i32.const 1) (i32.const 1024) (i32.const 4) (i32.const 1024) (i32.const 0))";
    Raw { fields: import, realloc: call, ..Raw::new("realloc-calls") }.component()
}

/// Takes some 40 MiB twice, each of which would be fine.
fn two_memories() -> Vec<u8> {
    let grow = "(if (i32.eq (memory.grow $second (i32.const 600)) (i32.const -1)) (then unreachable))
                (if (i32.eq (memory.grow 0 (i32.const 600)) (i32.const -1)) (then unreachable))";
    Raw { memories: "(memory $second 1)", handle: grow, ..Raw::new("two-memories") }.component()
}

fn growing_table() -> Vec<u8> {
    let grow = "(loop $more
        (if (i32.eq (table.grow $hoard (ref.null func) (i32.const 1000)) (i32.const -1)) (then unreachable))
        (br $more))";
    Raw { fields: "(table $hoard 1 funcref)", handle: grow, ..Raw::new("growing-table") }.component()
}

/// What is done: the plugin, the message that makes it do it, and the delivery's state, outcome and a part of its
/// reason.
fn misdeeds() -> Vec<(&'static str, String, &'static str, &'static str, &'static str)> {
    let call = |name: &str, connection: &str| {
        let with =
            json!({ "connection": connection, "method": "GET", "path": "/crm/v3/objects/contacts/501" });
        json!({ "call": name, "with": with }).to_string()
    };
    let hostile = |what: &str| what.to_owned();
    vec![
        (
            "hostile",
            hostile("loop"),
            "dead",
            "out of CPU",
            "1000 ms of CPU time in one attempt (limits.cpu_ms)",
        ),
        (
            "hostile",
            hostile("memory"),
            "dead",
            "out of memory",
            "33554432 bytes of memory (limits.memory_bytes)",
        ),
        (
            "hostile",
            hostile("recursion"),
            "dead",
            "out of memory",
            "524288 bytes of stack (plugins.stack_bytes)",
        ),
        (
            "hostile",
            hostile("calls"),
            "dead",
            "out of calls",
            "256 host calls in one attempt (limits.host_calls)",
        ),
        ("hostile", hostile("giant"), "dead", "out of memory", "4194304 bytes in one call"),
        ("hostile", hostile("giant-answer"), "dead", "out of memory", "(limits.hostcall_bytes)"),
        ("hostile", hostile("panic"), "dead", "trapped", "told to panic in C"),
        ("hostile", hostile("exit"), "dead", "trapped", "exit(0)"),
        ("hostile", hostile("look"), "dead", "reject", "0 variables, 0 arguments, input: Ok(0)"),
        ("hostile", hostile("tag"), "dead", "reject", "denied"),
        ("hostile", hostile("log"), "succeeded", "handled", ""),
        ("caller", call("http flood", "hubspot"), "dead", "out of calls", "(limits.host_calls)"),
        ("caller", call("http", "slack"), "dead", "reject", "manifest"),
        ("sleeper", hostile("nothing"), "dead", "out of time", "200 ms in one attempt (limits.wall_ms)"),
        ("realloc-calls", hostile("nothing"), "dead", "trapped", "cannot leave component instance"),
        (
            "two-memories",
            hostile("nothing"),
            "dead",
            "out of memory",
            "67108864 bytes of memory (limits.memory_bytes)",
        ),
        (
            "growing-table",
            hostile("nothing"),
            "dead",
            "out of memory",
            "(no plugin may have more than 20000 elements)",
        ),
        ("padded", hostile("nothing"), "succeeded", "handled", ""),
    ]
}

/// The delivery of what was said in a chat.
fn delivery<'a>(events: &'a [Value], chat: &str, plugin: &str) -> &'a Value {
    let event = events.iter().find(|event| event["chat_id"] == chat).expect("the event");
    deliveries(event).find(|delivery| delivery["plugin"] == plugin).expect("a delivery")
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_they_do_they_end_only_their_own_attempts() {
    let stage = Stage::with(CONFIG.parse().expect("TOML"), guest("guest_caller")).await;
    let host = &stage.host;
    host.drop_file(&guest("guest_recorder"), "recorder.wasm");
    host.wait_for_plugin("recorder", "active");
    let files = files();
    for (name, bytes, ..) in &files {
        // Webhooks come in while files are looked at.
        say(host, &format!("before {name}"), "hello").await;
        let unfinished = host.plugins().join(format!("{name}.part"));
        fs::write(&unfinished, bytes).expect("a file");
        fs::rename(&unfinished, host.plugins().join(name)).expect("it gets its name");
    }
    for (name, _, state, reason) in &files {
        let is_so = |status: &Value| {
            status["file"] == *name
                && status["state"] == *state
                && status["reason"].as_str().is_some_and(|said| said.contains(reason))
        };
        let listed = || host.json(&["plugins", "list"]).as_array().is_some_and(|all| all.iter().any(is_so));
        host.wait_for(&format!("{name} to be {state} ({reason})"), || listed().then_some(()));
    }
    let misdeeds = misdeeds();
    for (number, (_, text, ..)) in misdeeds.iter().enumerate() {
        say(host, &format!("C{number}"), text).await;
    }
    say(host, "after", "hello").await;
    // Events wait for a plugin that is not approved.
    let is_done = |d: &Value| d["state"] != "pending" || d["plugin"] == "answerer";
    let expected = files.len() + misdeeds.len() + 1;
    let events = host.wait_for_events("all misdeeds", |events| {
        events.len() == expected && events.iter().flat_map(deliveries).all(is_done)
    });
    for (number, (plugin, text, state, outcome, reason)) in misdeeds.iter().enumerate() {
        let found = delivery(&events, &format!("C{number}"), plugin);
        let said = found["reason"].as_str().unwrap_or_default();
        assert_eq!((&found["state"], &found["outcome"]), (&json!(state), &json!(outcome)), "{text}: {said}");
        assert!(said.contains(reason), "{plugin} {text}: {said}");
    }
    let recorded = events.iter().flat_map(deliveries).filter(|d| d["plugin"] == "recorder");
    let well = recorded.filter(|d| d["state"] == "succeeded" && d["attempts"] == 1).count();
    assert_eq!(well, expected, "the recorder handled each event, at once");
    assert_eq!(host.plugin("recorder").expect("it is there")["serving"], Value::Null);
    let log = host.log();
    assert!(log.contains("more than 2000 bytes of log in one attempt (limits.log_bytes)"));
    assert!(!log.contains("line 99999 of a flood"));
}
