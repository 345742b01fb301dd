//! The commands, beside a running host and without one.

use chatplug_tests::{Host, guest};
use serde_json::{Value, json};

use crate::client::{accept, message};
use crate::services::Stage;

const RECORDER: &str = "[plugin.recorder]\nevents = [\"incoming_event\"]\n";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn an_event_is_shown_with_its_payload_and_deliveries() {
    let host = Host::start(RECORDER, &[guest("guest_recorder")]);
    accept(&host, message("C1", 1)).await;
    host.wait_until_done(1);
    let shown = host.json(&["events", "show", "ev-1"]);
    assert_eq!(
        (&shown["id"], &shown["type"], &shown["chat_id"]),
        (&json!("ev-1"), &json!("incoming_event"), &json!("C1"))
    );
    assert_eq!(shown["payload"]["event"]["text"], "message 1");
    assert_eq!(shown["deliveries"][0]["plugin"], "recorder");
    let plain = host.cli(&["events", "show", "ev-1"]);
    assert!(
        text(&plain.stdout).contains("dl-1 to recorder: succeeded, 1 attempt"),
        "{}",
        text(&plain.stdout)
    );
    let missing = host.cli(&["events", "show", "ev-99"]);
    assert!(!missing.status.success());
    assert!(text(&missing.stderr).contains("ev-99 is not stored"));
}

#[tokio::test]
async fn events_are_listed_by_type_and_chat() {
    let host = Host::start("", &[]);
    for (chat, number) in [("C1", 1), ("C1", 2), ("C2", 1)] {
        accept(&host, message(chat, number)).await;
    }
    let ids = |args: &[&str]| -> Vec<Value> {
        let Value::Array(events) = host.json(&[&["events", "list"], args].concat()) else { panic!("a list") };
        events.iter().map(|event| event["id"].clone()).collect()
    };
    assert_eq!(ids(&[]), ["ev-3", "ev-2", "ev-1"]);
    assert_eq!(ids(&["--chat", "C1"]), ["ev-2", "ev-1"]);
    assert_eq!(ids(&["--chat", "C1", "--limit", "1"]), ["ev-2"]);
    assert_eq!(ids(&["--type", "rating_added"]), Vec::<Value>::new());
    assert_eq!(ids(&["--type", "incoming_event", "--chat", "C2"]), ["ev-3"]);
}

#[test]
fn what_is_listed_of_a_folder_without_a_host_is_what_a_host_would_find() {
    let host = Host::prepared(RECORDER, &[guest("guest_recorder"), guest("guest_no_op")]);
    assert_eq!(host.events(), Vec::<Value>::new());
    let recorder = host.plugin("recorder").expect("a status");
    assert_eq!((&recorder["state"], &recorder["release"]), (&json!("active"), &json!("1.0.0")));
    assert_eq!(host.plugin("no-op").expect("a status")["state"], "unconfigured");
    let plain = text(&host.cli(&["plugins", "list"]).stdout);
    assert!(plain.contains("No host is running"), "{plain}");
    assert!(plain.contains("[plugin.no-op]"), "{plain}");
}

#[test]
fn check_tells_what_is_wrong_and_what_is_well() {
    let host = Host::prepared(RECORDER, &[guest("guest_recorder")]);
    let output = host.cli(&["check"]);
    assert!(output.status.success(), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("recorder: ready to run"));

    host.set_config("[plugin.recorder]\nevents = [\"incoming_chat\"]\nsettings = { surprise = 1 }\n[plugin.ghost]\nevents = [\"chat_rated\"]\n");
    let output = host.cli(&["check"]);
    assert!(!output.status.success());
    assert!(text(&output.stdout).contains("ghost: absent"), "{}", text(&output.stdout));

    host.set_config("[plugin.recorder]\nevents = [\"incoming_chats\"]\n[livechat]\naccount_id = \"me@example.com\"\ntoken = { env = \"NOT_SET\" }\n");
    let output = host.cli(&["check"]);
    assert!(!output.status.success());
    let said = text(&output.stderr);
    for part in ["incoming_chat", "NOT_SET", "is an e-mail address"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[tokio::test]
async fn a_sample_is_sent_to_the_running_host_with_the_secret() {
    let host = Host::start("", &[]);
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("payloads");
    let url = host.url("/webhooks/livechat");
    for (file, more) in [
        ("v3.6/incoming_chat.json", None),
        ("v2/chat_ended.json", None),
        ("signed/rating_added.json", Some("--signed")),
    ] {
        let path = folder.join(file);
        let mut args = vec!["send", path.to_str().expect("a path"), "--url", &url];
        args.extend(more);
        let output = host.cli(&args);
        assert!(output.status.success(), "{file}: {}{}", text(&output.stdout), text(&output.stderr));
    }
    let types: Vec<Value> = host.events().iter().map(|event| event["type"].clone()).collect();
    assert!(
        types.contains(&json!("incoming_chat")) && types.contains(&json!("chat_deactivated")),
        "{types:?}"
    );
    assert!(types.contains(&json!("chat_rated")), "{types:?}");
}

#[test]
fn the_default_config_documents_itself_and_can_be_used() {
    let host = Host::prepared("", &[]);
    let output = host.cli(&["config", "default"]);
    assert!(output.status.success());
    assert!(text(&output.stdout).contains("[livechat.webhooks]"));
}

#[tokio::test(flavor = "multi_thread")]
async fn check_online_asks_livechat_for_the_credentials_and_the_tags_of_the_settings() {
    let stage = Stage::before_webhooks("low-rating-alert", 0, "").await;
    let output = stage.host.cli(&["check", "--online"]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("LiveChat takes the credentials") && said.contains("the tag `low-rating` exists"),
        "{said}"
    );

    let stage = Stage::before_webhooks("low-rating-alert", 0, "tag = \"no-such-tag\"").await;
    let output = stage.host.cli(&["check", "--online"]);
    let said = text(&output.stdout);
    assert!(!output.status.success());
    assert!(said.contains("LiveChat has no tag `no-such-tag`"), "{said}");
}
