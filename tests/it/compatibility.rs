//! Which contracts are taken, and that a plugin that was built long ago still runs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use chatplug_tests::Host;
use chatplug_tests::raw::{Raw, importing};
use serde_json::{Value, json};
use wit_component::DecodedWasm;
use wit_parser::WorldItem;

use crate::capability::{Caller, rows};
use crate::client::{accept, message};

/// A component that was built of contract 0.1.0, see `tests/components/README.md`.
fn old() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("components/contract-0.1.0.wasm")
}

/// The functions of contract 0.1.0 that a plugin may import.
const FUNCTIONS: &[&str] = &[
    "agents.list-routing-statuses",
    "chats.assign",
    "chats.deactivate",
    "chats.get-chat",
    "chats.remove-user",
    "chats.send-message",
    "chats.send-note",
    "chats.set-properties",
    "chats.tag",
    "chats.transfer",
    "chats.untag",
    "customers.get",
    "http.send",
    "log.write",
    "memory.claim",
    "memory.compare-and-swap",
    "memory.delete",
    "memory.get",
    "memory.increment",
    "memory.list-keys",
    "memory.set",
    "settings.get",
];

#[test]
fn the_old_component_calls_each_function_of_its_contract() {
    let bytes = fs::read(old()).expect("the old component");
    let Ok(DecodedWasm::Component(resolve, world)) = wit_component::decode(&bytes) else {
        panic!("it is a component")
    };
    let mut functions = BTreeSet::new();
    for item in resolve.worlds[world].imports.values() {
        let WorldItem::Interface { id, .. } = item else { continue };
        let interface = &resolve.interfaces[*id];
        let package = &resolve.packages[interface.package.expect("a package")].name;
        if package.namespace == "chatplug" {
            assert_eq!(package.version.as_ref().map(ToString::to_string).as_deref(), Some("0.1.0"));
            let name = interface.name.as_deref().expect("a name");
            functions.extend(interface.functions.keys().map(|function| format!("{name}.{function}")));
        }
    }
    assert_eq!(functions.iter().map(String::as_str).collect::<Vec<_>>(), FUNCTIONS);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_component_still_does_all_that_it_did() {
    let mut caller = Caller::granted_to(old()).await;
    for row in rows(&caller).into_iter().filter(|row| FUNCTIONS.contains(&row.name)) {
        let told = caller.call(row.name, &row.with).await;
        assert_eq!(told, json!({ "ok": row.answer }), "{} {}", row.name, row.with);
    }
    let id = caller.stage.hubspot.add_contact("dana@example.com");
    let path = format!("/crm/v3/objects/contacts/{id}");
    let contact = json!({ "connection": "hubspot", "method": "GET", "path": path });
    assert_eq!(caller.call("http", &contact).await["ok"]["status"], 200);
    let own: &[(&str, Value, Value)] = &[
        ("memory.set", json!(["a", { "n": 1 }]), Value::Null),
        ("memory.set-for", json!(["b", "text"]), Value::Null),
        ("memory.get", json!(["a"]), json!({ "n": 1 })),
        ("memory.list-keys", json!(["", "a"]), json!(["b"])),
        ("memory.increment", json!(["c", 3]), json!(3)),
        ("memory.increment", json!(["c", -1]), json!(2)),
        ("memory.delete", json!(["a"]), Value::Null),
        ("memory.get", json!(["a"]), Value::Null),
        ("memory.claim", json!(["d"]), json!(true)),
        ("memory.claim", json!(["d"]), json!(false)),
        ("memory.compare-and-swap", json!(["e", null, "1"]), json!(true)),
        ("memory.compare-and-swap", json!(["e", "2", "3"]), json!(false)),
    ];
    for (name, with, answer) in own {
        assert_eq!(caller.call(name, with).await, json!({ "ok": answer }), "{name} {with}");
    }
    caller.stage.expect_logged(&["INFO", "making a call", "caller"]);
}

#[tokio::test]
async fn a_component_of_a_later_0_1_runs_as_long_as_it_calls_what_there_is() {
    let host = Host::start("[plugin.later]\nevents = [\"incoming_event\"]\n", &[]);
    let import = r#"(import "chatplug:plugin/log@0.1.7" "write" (func $log (param i32 i32 i32 i32 i32)))"#;
    let call = "(call $log (i32.const 1) (i32.const 1024) (i32.const 4) (i32.const 1024) (i32.const 0))";
    let later = Raw { contract: "0.1.7", fields: import, handle: call, ..Raw::new("later") };
    fs::write(host.plugins().join("later.wasm"), later.component()).expect("a file");
    host.wait_for_plugin("later", "active");
    accept(&host, message("C1", 1)).await;
    let events = host.wait_until_done(1);
    assert_eq!(events[0]["deliveries"][0]["state"], "succeeded", "{events:#?}");
}

#[tokio::test]
async fn another_contract_is_refused_with_a_sentence_that_says_what_to_do() {
    let host = Host::start("", &[]);
    let of = |contract| Raw { contract, ..Raw::new("other") }.component();
    let text = |wat: &str| wat::parse_str(wat).expect("a component");
    let cases = [
        (
            "next.wasm",
            of("0.2.0"),
            "built for `chatplug:plugin/plugin@0.2.0`, this host offers chatplug:plugin@0.1.1",
        ),
        ("first.wasm", of("1.0.0"), "build it with chatplug-sdk 0.1, or update the host"),
        (
            "package.wasm",
            text(r#"(component (instance $i) (export "acme:bot/plugin@0.1.0" (instance $i)))"#),
            "it exports acme:bot/plugin@0.1.0, and not `chatplug:plugin/plugin@0.1.1`",
        ),
        (
            "newer.wasm",
            text(
                r#"(component
                    (import "chatplug:plugin/chats@0.1.9" (instance (export "sing" (func))))
                    (instance $i) (export "chatplug:plugin/plugin@0.1.9" (instance $i)))"#,
            ),
            "chats.sing; it was built for chatplug:plugin@0.1.9, this host has 0.1.1: update the host",
        ),
        (
            "sockets.wasm",
            importing("wasi:sockets/tcp@0.2.0"),
            "it wants what this host does not offer: wasi:sockets/tcp@0.2.0",
        ),
        (
            "files.wasm",
            importing("wasi:filesystem/types@0.2.0"),
            "it wants what this host does not offer: wasi:filesystem/types@0.2.0",
        ),
        (
            "requests.wasm",
            importing("wasi:http/outgoing-handler@0.2.0"),
            "it wants what this host does not offer: wasi:http/outgoing-handler@0.2.0",
        ),
    ];
    for (name, bytes, reason) in cases {
        fs::write(host.plugins().join(name), bytes).expect("a file");
        let status = host.wait_for_plugin(name, "rejected");
        let said = status["reason"].as_str().unwrap_or_default();
        assert!(said.contains(reason), "{name}: {said}");
    }
}
