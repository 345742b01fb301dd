//! What an operator may find in the plugin folder: every file has a state and a reason that a person
//! understands, and what is bad never touches what is good.

use std::fs;

use chatplug_tests::{Host, deliveries, guest};

use crate::client::{accept, message};

const RECORDER: &str = "[plugin.recorder]\nevents = [\"incoming_event\"]\n";

/// A component that is valid and is no plugin.
const EMPTY_COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
/// A core module.
const EMPTY_MODULE: &[u8] = b"\0asm\x01\0\0\0";

async fn handles(host: &Host, chat: &str) {
    let known = host.events().len();
    accept(host, message(chat, 1)).await;
    let events = host.wait_until_done(known + 1);
    let last = events.last().expect("an event");
    let delivery = deliveries(last).find(|delivery| delivery["plugin"] == "recorder").expect("a delivery");
    assert_eq!(delivery["state"], "succeeded", "{delivery:#}");
}

#[tokio::test]
async fn bad_files_are_rejected_with_a_reason_and_the_rest_keeps_running() {
    let host = Host::start(RECORDER, &[guest("guest_recorder")]);
    host.wait_for_plugin("recorder", "active");
    let half = fs::read(guest("guest_no_op")).expect("a guest");
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("text.wasm", b"this is no component".to_vec(), "not a WebAssembly file"),
        ("empty.wasm", Vec::new(), "not a WebAssembly file"),
        ("module.wasm", EMPTY_MODULE.to_vec(), "core module"),
        ("other-world.wasm", EMPTY_COMPONENT.to_vec(), "chatplug_sdk::plugin!"),
        ("half.wasm", half[..half.len() / 2].to_vec(), "not a"),
        ("large.wasm", vec![0; (16 << 20) + 1], "--release"),
        ("loops.wasm", fs::read(guest("guest_describe_loops")).expect("a guest"), "out of CPU"),
        ("traps.wasm", fs::read(guest("guest_describe_traps")).expect("a guest"), "no manifest today"),
    ];
    for (name, bytes, reason) in cases {
        fs::write(host.plugins().join(name), bytes).expect("a file in the folder");
        let status = host.wait_for_plugin(name, "rejected");
        let said = status["reason"].as_str().unwrap_or_default();
        assert!(said.contains(reason), "{name}: {said}");
    }
    handles(&host, "C1").await;
}

#[tokio::test]
async fn an_unconfigured_plugin_shows_the_section_to_paste_and_runs_once_it_is_pasted() {
    let host = Host::start("", &[guest("guest_hostile")]);
    let status = host.wait_for_plugin("hostile", "unconfigured");
    let reason = status["reason"].as_str().unwrap_or_default();
    let section = &reason[reason.find('[').expect("a section")..];
    assert_eq!(section, "[plugin.hostile]\nevents = [\"incoming_event\"]\ngrants = [\"chats.tag\"]");
    host.set_config(&format!("{section}\nsettings = {{ do = \"nothing\" }}\n"));
    let status = host.wait_for_plugin("hostile", "active");
    assert_eq!(status["asks"], serde_json::json!(["chats.tag"]));
}

#[tokio::test]
async fn a_plugin_waits_until_each_ask_is_granted_or_denied() {
    let section = "[plugin.hostile]\nevents = [\"incoming_event\"]\nsettings = { do = \"nothing\" }\n";
    let host = Host::start(section, &[guest("guest_hostile")]);
    let status = host.wait_for_plugin("hostile", "awaiting approval");
    assert!(status["reason"].as_str().unwrap_or_default().contains("chats.tag"), "{status:#}");
    accept(&host, message("C1", 1)).await;
    assert_eq!(deliveries(&host.events()[0]).next().expect("a delivery")["state"], "pending");
    host.set_config(&format!("{section}denies = [\"chats.tag\"]\n"));
    host.wait_for_plugin("hostile", "active");
    host.wait_until_done(1);
}

#[tokio::test]
async fn two_files_with_one_name_are_a_conflict_and_neither_displaces_what_runs() {
    let host = Host::start(RECORDER, &[guest("guest_recorder")]);
    let active = host.wait_for_plugin("recorder", "active");
    host.drop_file(&guest("guest_recorder_v2"), "another.wasm");
    host.wait_for_plugin("another.wasm", "conflict");
    let status = host.wait_for_plugin("guest_recorder.wasm", "conflict");
    assert!(status["reason"].as_str().unwrap_or_default().contains("another.wasm"), "{status:#}");
    handles(&host, "C1").await;
    assert_eq!(deliveries(&host.events()[0]).next().expect("a delivery")["version"], active["version"]);
    fs::remove_file(host.plugins().join("another.wasm")).expect("the file goes");
    host.wait_for_plugin("recorder", "active");
}

#[tokio::test]
async fn the_good_version_stays_when_the_file_becomes_bad_even_after_a_restart() {
    let mut host = Host::start(RECORDER, &[guest("guest_recorder")]);
    let good = host.wait_for_plugin("recorder", "active")["version"].clone();
    fs::write(host.plugins().join("guest_recorder.wasm"), b"overwritten").expect("the file can be written");
    host.wait_for_plugin("guest_recorder.wasm", "rejected");
    handles(&host, "C1").await;
    assert!(host.stop());
    host.run();
    host.wait_for_plugin("guest_recorder.wasm", "rejected");
    handles(&host, "C2").await;
    let events = host.events();
    assert!(
        events.iter().all(|event| deliveries(event).all(|delivery| delivery["version"] == good)),
        "{events:#?}"
    );
}

#[tokio::test]
async fn a_removed_file_is_unloaded_and_its_events_wait_for_it() {
    let host = Host::start(RECORDER, &[guest("guest_recorder")]);
    host.wait_for_plugin("recorder", "active");
    fs::remove_file(host.plugins().join("guest_recorder.wasm")).expect("the file goes");
    host.wait_for_plugin("recorder", "absent");
    accept(&host, message("C1", 1)).await;
    assert_eq!(deliveries(&host.events()[0]).next().expect("a delivery")["state"], "pending");
    host.drop_file(&guest("guest_recorder"), "renamed.wasm");
    host.wait_until_done(1);
}
