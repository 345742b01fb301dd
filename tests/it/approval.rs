//! What runs of a plugin is the operator's to say: asked before an update, pinned, switched on and off.

use std::fs;

use chatplug::plugins::short;
use chatplug_tests::{Host, deliveries, guest};
use serde_json::{Value, json};

use crate::client::{accept, message};

const RECORDER: &str = "[plugin.recorder] # ours\nevents = [\"incoming_event\"]\n";
const FILE: &str = "guest_recorder.wasm";

fn wait_for_release(host: &Host, release: &str, state: &str) -> Value {
    host.wait_for(&format!("release {release} to be {state}"), || {
        host.plugin("recorder").filter(|status| status["release"] == release && status["state"] == state)
    })
}

/// Sends an event, and answers the version that handled it.
async fn handled_by(host: &Host) -> Value {
    let known = host.events().len();
    accept(host, message("C1", known + 1)).await;
    let last = host.wait_until_done(known + 1).pop().expect("an event");
    deliveries(&last).next().expect("a delivery")["version"].clone()
}

#[tokio::test]
async fn a_version_that_asks_for_more_waits_while_the_old_one_serves_also_over_a_restart() {
    let mut host = Host::start(RECORDER, &[guest("guest_recorder")]);
    let old = host.wait_for_plugin("recorder", "active")["version"].clone();
    host.drop_file(&guest("guest_recorder_asks"), FILE);
    let status = wait_for_release(&host, "4.0.0", "awaiting approval");
    assert_eq!((&status["serving"], &status["asks"]), (&old, &json!(["chats.tag"])));
    assert_eq!(handled_by(&host).await, old);
    assert!(host.stop());
    host.run();
    let status = wait_for_release(&host, "4.0.0", "awaiting approval");
    assert_eq!(status["serving"], old, "{status:#}");
    assert_eq!(handled_by(&host).await, old);

    let before = fs::read_to_string(host.config_path()).expect("the config");
    let shown = host.json(&["plugins", "approve", "recorder", "--dry-run"]);
    assert_eq!((&shown["more"], &shown["less"]), (&json!(["chats.tag"]), &json!([])));
    assert_eq!(fs::read_to_string(host.config_path()).expect("the config"), before, "a dry run");
    let other = host.cli(&["plugins", "approve", "recorder", "--version", "sha256:00"]);
    assert!(!other.status.success(), "another version waits");
    host.json(&["plugins", "approve", "recorder"]);
    let after = fs::read_to_string(host.config_path()).expect("the config");
    assert_eq!(after, format!("{before}grants = [\"chats.tag\"]\n"));
    let new = wait_for_release(&host, "4.0.0", "active")["version"].clone();
    assert_eq!(handled_by(&host).await, new);
}

/// The content hash in a status.
fn hash(status: &Value) -> String {
    status["version"].as_str().expect("a hash").to_owned()
}

/// Fails unless a text has a line with all these parts.
fn expect_line(text: &str, parts: &[&str]) {
    let found = text.lines().any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(found, "no line with {parts:?} in:\n{text}");
}

#[tokio::test]
async fn what_a_version_asks_for_more_or_less_is_said_in_words_and_can_be_denied() {
    let host = Host::start(&format!("{RECORDER}updates = \"approve\"\n"), &[guest("guest_recorder")]);
    let first = hash(&host.wait_for_plugin("recorder", "active"));
    host.drop_file(&guest("guest_recorder_asks"), FILE);
    let more = hash(&wait_for_release(&host, "4.0.0", "awaiting approval"));
    let head = format!(
        "recorder 4.0.0, version {}\nin the place of version {}\n+ asks for chats.tag\n",
        short(&more),
        short(&first)
    );
    let before = fs::read_to_string(host.config_path()).expect("the config");
    let shown = host.printed(&["plugins", "approve", "recorder", "--dry-run"]);
    assert_eq!(shown, format!("{head}  is granted chats.tag\nNothing was changed.\n"));
    let other = host.cli(&["plugins", "approve", "recorder", "--deny", "chats.untag"]);
    let said = String::from_utf8_lossy(&other.stderr).into_owned();
    let part = "`chats.untag` is not among what is to be decided: chats.tag";
    assert!(!other.status.success() && said.contains(part), "{said}");
    assert_eq!(fs::read_to_string(host.config_path()).expect("the config"), before, "nothing was decided");
    let denied = host.printed(&["plugins", "approve", "recorder", "--deny", "chats.tag"]);
    assert_eq!(denied, format!("{head}  is denied chats.tag\nApproved.\n"));
    let after = fs::read_to_string(host.config_path()).expect("the config");
    assert_eq!(after, format!("{before}denies = [\"chats.tag\"]\n"));
    let status = wait_for_release(&host, "4.0.0", "active");
    assert_eq!((hash(&status), &status["denies"]), (more.clone(), &json!(["chats.tag"])), "{status:#}");

    host.drop_file(&guest("guest_recorder_v2"), FILE);
    let less = hash(&wait_for_release(&host, "2.0.0", "awaiting approval"));
    let shown = host.json(&["plugins", "approve", "recorder", "--dry-run"]);
    assert_eq!((&shown["more"], &shown["less"]), (&json!([]), &json!(["chats.tag"])));
    let approved = host.printed(&["plugins", "approve", "recorder"]);
    let expected = format!(
        "recorder 2.0.0, version {}\nin the place of version {}\n- no longer asks for chats.tag\nApproved.\n",
        short(&less),
        short(&more)
    );
    assert_eq!(approved, expected);
    wait_for_release(&host, "2.0.0", "active");
}

#[tokio::test]
async fn a_plugins_versions_and_how_they_came_and_went_are_said_in_words() {
    let host = Host::start(RECORDER, &[guest("guest_recorder")]);
    let old = hash(&host.wait_for_plugin("recorder", "active"));
    host.drop_file(&guest("guest_recorder_v2"), FILE);
    let new = hash(&wait_for_release(&host, "2.0.0", "active"));
    let shown = host.printed(&["plugins", "show", "recorder"]);
    for (name, value) in
        [("state", "active"), ("release", "2.0.0"), ("version", new.as_str()), ("standby", old.as_str())]
    {
        assert!(shown.contains(&format!("{name:10} {value}\n")), "{name} is not {value}:\n{shown}");
    }
    expect_line(&shown, &[short(&new), "2.0.0", "on probation"]);
    expect_line(&shown, &[short(&old), "1.0.0", "good"]);

    let went = host.printed(&["plugins", "rollback", "recorder"]);
    assert_eq!(went, format!("recorder goes back from version {} to {}.\n", short(&new), short(&old)));
    wait_for_release(&host, "2.0.0", "rolled back");
    let shown = host.printed(&["plugins", "show", "recorder"]);
    for (name, value) in [("state", "rolled back"), ("release", "2.0.0"), ("serving", old.as_str())] {
        assert!(shown.contains(&format!("{name:10} {value}\n")), "{name} is not {value}:\n{shown}");
    }
    let why = format!("in favour of {old}");
    expect_line(&shown, &[short(&new), "2.0.0", "rolled back: taken back by ", &why]);
    expect_line(&shown, &[short(&old), "1.0.0", "good"]);
    let history = host.printed(&["plugins", "history", "recorder"]);
    expect_line(&history, &["WHEN", "VERSION", "RELEASE", "WHAT", "WHY"]);
    expect_line(&history, &[&new, "2.0.0", "rolled back", "taken back by ", &why]);
    expect_line(&history, &[&new, "2.0.0", "active", "on probation", &old]);
    expect_line(&history, &[&old, "1.0.0", "active", &format!("from {FILE}")]);
}

#[tokio::test]
async fn what_only_one_version_handles_is_not_switched_on_for_the_other() {
    let host = Host::start(RECORDER, &[guest("guest_recorder")]);
    let old = host.wait_for_plugin("recorder", "active")["version"].clone();
    host.drop_file(&guest("guest_recorder_asks"), FILE);
    wait_for_release(&host, "4.0.0", "awaiting approval");
    let refuses = |args: &[&str], why: &str| {
        let before = fs::read_to_string(host.config_path()).expect("the config");
        let refused = host.cli(args);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains(why), "{args:?}: {said}");
        assert_eq!(fs::read_to_string(host.config_path()).expect("the config"), before);
    };
    let enable = ["plugins", "enable", "recorder", "--event", "agent_created"];
    refuses(&enable, "chatplug plugins approve recorder");
    host.json(&["plugins", "approve", "recorder"]);
    wait_for_release(&host, "4.0.0", "active");
    host.json(&enable);
    host.wait_for("the type to be switched on", || {
        let status = host.plugin("recorder")?;
        status["events"].as_array()?.contains(&json!("agent_created")).then_some(())
    });
    // Back to a version that could not run with that: first the config, then the version.
    refuses(&["plugins", "rollback", "recorder"], "which the plugin does not handle");
    host.json(&["plugins", "disable", "recorder", "--event", "agent_created"]);
    host.json(&["plugins", "rollback", "recorder"]);
    // The running host takes the changed config up within a second.
    host.wait_for("the old version to serve again", || {
        host.plugin("recorder").filter(|status| status["state"] == "rolled back" && status["serving"] == old)
    });
    assert_eq!(handled_by(&host).await, old);
}

#[tokio::test]
async fn an_operator_who_wants_to_be_asked_is_asked_for_each_update() {
    let config = format!("{RECORDER}updates = \"approve\"\n");
    let mut host = Host::start(&config, &[guest("guest_recorder")]);
    let old = host.wait_for_plugin("recorder", "active")["version"].clone();
    host.drop_file(&guest("guest_recorder_v2"), FILE);
    let status = wait_for_release(&host, "2.0.0", "awaiting approval");
    assert_eq!(status["serving"], old, "{status:#}");
    assert_eq!(handled_by(&host).await, old);
    // It is the version that is approved, not what comes after it.
    host.json(&["plugins", "approve", "recorder"]);
    wait_for_release(&host, "2.0.0", "active");
    host.drop_file(&guest("guest_recorder_panics"), FILE);
    wait_for_release(&host, "3.0.0", "awaiting approval");
    // What ran before needs no approval any more; nor does it after a restart.
    host.drop_file(&guest("guest_recorder"), FILE);
    wait_for_release(&host, "1.0.0", "active");
    assert!(host.stop());
    host.run();
    wait_for_release(&host, "1.0.0", "active");
    assert_eq!(handled_by(&host).await, old);
}

#[tokio::test]
async fn what_is_pinned_runs_whatever_is_dropped() {
    let mut host = Host::start(RECORDER, &[guest("guest_recorder")]);
    let old = host.wait_for_plugin("recorder", "active")["version"].clone();
    host.drop_file(&guest("guest_recorder_v2"), FILE);
    let new = wait_for_release(&host, "2.0.0", "active")["version"].clone();
    // A version that is only kept comes back by its hash.
    host.set_config(&format!("{RECORDER}pin = {old}\n"));
    let status = wait_for_release(&host, "2.0.0", "pinned");
    assert_eq!(status["serving"], old, "{status:#}");
    assert_eq!(handled_by(&host).await, old);
    assert!(host.stop());
    host.run();
    wait_for_release(&host, "2.0.0", "pinned");
    assert_eq!(handled_by(&host).await, old);
    host.set_config(RECORDER);
    wait_for_release(&host, "2.0.0", "active");
    assert_eq!(handled_by(&host).await, new);
    // One that nobody has is waited for.
    host.set_config(&format!("{RECORDER}pin = \"sha256:{}\"\n", "0".repeat(64)));
    let status = host.wait_for("nothing to run", || {
        host.plugin("recorder").filter(|status| status["state"] == "pinned" && status["serving"].is_null())
    });
    assert!(status["reason"].as_str().unwrap_or_default().contains("`pin`"), "{status:#}");
    accept(&host, message("C1", 9)).await;
    let last = host.events().pop().expect("an event");
    assert_eq!(deliveries(&last).next().expect("a delivery")["state"], "pending");
}

#[tokio::test]
async fn types_are_switched_in_a_running_host_and_without_one_and_the_config_keeps_its_comments() {
    let mut host = Host::start("# Ours.\n", &[guest("guest_recorder")]);
    host.wait_for_plugin("recorder", "unconfigured");
    let wrong = host.cli(&["plugins", "enable", "recoder"]);
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("did you mean `recorder`"), "{wrong:?}");
    let wrong = host.cli(&["plugins", "enable", "recorder", "--event", "agent_created"]);
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("does not handle"), "{wrong:?}");
    let switched =
        host.json(&["plugins", "enable", "recorder", "--event", "rating_added", "--event", "incoming_event"]);
    assert_eq!(switched["events"], json!(["chat_rated", "incoming_event"]));
    host.wait_for_plugin("recorder", "active");
    handled_by(&host).await;
    assert!(host.stop());
    let switched = host.json(&["plugins", "disable", "recorder", "--event", "chat_rated"]);
    assert_eq!(switched["events"], json!(["incoming_event"]));
    host.run();
    let switched = host.json(&["plugins", "disable", "recorder"]);
    assert_eq!((&switched["enabled"], &switched["changed"]), (&json!(false), &json!(true)), "{switched}");
    host.wait_for_plugin("recorder", "disabled");
    let text = fs::read_to_string(host.config_path()).expect("the config");
    assert!(
        text.contains("# Ours.\n")
            && text.ends_with("[plugin.recorder]\nevents = [\"incoming_event\"]\nenabled = false\n"),
        "{text}"
    );
    let restored = host.json(&["plugins", "enable", "recorder"]);
    assert_eq!(restored["events"], json!(["incoming_event"]), "what it had before");
    let audit = host.deeds();
    let deeds: Vec<&str> = audit.iter().filter_map(|entry| entry["action"].as_str()).collect();
    assert_eq!(deeds, ["plugins.enable", "plugins.disable", "plugins.disable", "plugins.enable"]);
    let (before, after) = (&audit[1]["before"], &audit[1]["after"]);
    assert_eq!((before, after), (&json!({ "events": ["incoming_event"] }), &json!({ "events": [] })));
    for said in ["recorder is switched off; what waits for it is skipped.\n", "Nothing was changed.\n"] {
        assert_eq!(String::from_utf8_lossy(&host.cli(&["plugins", "disable", "recorder"]).stdout), said);
    }
}

#[tokio::test]
async fn in_safe_mode_no_plugin_is_touched_and_events_wait() {
    let mut host = Host::prepared(RECORDER, &[guest("guest_recorder")]);
    host.run_with(&["--safe-mode"]);
    let status = host.wait_for_plugin("recorder", "off");
    assert!(status["reason"].as_str().unwrap_or_default().contains("safe mode"), "{status:#}");
    accept(&host, message("C1", 1)).await;
    let events = host.events();
    assert_eq!(deliveries(&events[0]).next().expect("a delivery")["state"], "pending");
    let components = fs::read_dir(host.data().join("components")).expect("the folder");
    assert_eq!(components.count(), 1, "nothing but the key");
    assert!(host.stop());
    host.run();
    let events = host.wait_until_done(1);
    assert_eq!(deliveries(&events[0]).next().expect("a delivery")["state"], "succeeded");
}
