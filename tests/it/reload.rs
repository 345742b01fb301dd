//! The config changes while the host runs: picked up, checked first, refused whole if wrong.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use chatplug_tests::{Host, deliveries, guest};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use serde_json::Value;

use crate::client::{accept, message, webhook};

fn recorder(events: &str) -> String {
    format!("[plugin.recorder]\nevents = [{events}]\n")
}

fn outcome(event: &Value) -> Vec<&str> {
    deliveries(event).filter_map(|delivery| delivery["state"].as_str()).collect()
}

fn wait_for_log(host: &Host, text: &str) {
    host.wait_for(text, || host.log().contains(text).then_some(()));
}

#[tokio::test]
async fn a_plugin_is_switched_on_for_one_type_and_off_for_another() {
    let host = Host::start(&recorder("\"incoming_event\""), &[guest("guest_recorder")]);
    let end =
        |chat: &str| webhook("chat_deactivated", &serde_json::json!({ "chat_id": chat, "thread_id": "T" }));
    accept(&host, message("C1", 1)).await;
    accept(&host, end("C1")).await;
    host.wait_until_done(2);
    host.set_config(&recorder("\"chat_ended\""));
    host.wait_for("the new type", || {
        host.plugin("recorder").filter(|status| status["events"] == serde_json::json!(["chat_deactivated"]))
    });
    accept(&host, message("C2", 1)).await;
    accept(&host, end("C2")).await;
    let events = host.wait_until_done(4);
    let outcomes: Vec<Vec<&str>> = events.iter().map(outcome).collect();
    assert_eq!(outcomes, [vec!["succeeded"], vec![], vec![], vec!["succeeded"]]);
}

#[tokio::test]
async fn a_grant_that_is_written_by_hand_is_in_the_audit_log() {
    let host = Host::start(&recorder("\"incoming_event\""), &[]);
    host.set_config(&format!("{}grants = [\"chats.tag\"]\n", recorder("\"incoming_event\"")));
    let entry = host.wait_for("the entry", || {
        let Value::Array(entries) = host.json(&["audit", "list"]) else { panic!("a list") };
        entries.into_iter().find(|entry| entry["action"] == "config.changed")
    });
    let grants = |when: &str| entry[when]["plugins"]["recorder"]["grants"].clone();
    assert_eq!(entry["who"], "config");
    assert_eq!(
        (grants("before"), grants("after")),
        (serde_json::json!([]), serde_json::json!(["chats.tag"]))
    );
}

/// The config is read by a thread that nobody waits for: webhooks are taken and plugins run while its disk hangs.
#[tokio::test]
async fn stall_a_config_that_can_not_be_read_holds_up_nobody() {
    // One thread for everything that is async: whatever blocks it blocks all.
    let mut host = Host::prepared(&recorder("\"incoming_event\""), &[guest("guest_recorder")])
        .env("TOKIO_WORKER_THREADS", "1");
    host.run();
    host.wait_for_plugin("recorder", "active");
    let (config, kept) = (host.config_path(), host.config_path().with_extension("kept"));
    let pipe = host.config_path().with_extension("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
    std::fs::rename(&config, &kept)
        .and_then(|()| std::fs::rename(&pipe, &config))
        .expect("it is in its place");
    // Only a pipe that is being read can be opened like this.
    let open = || {
        std::fs::File::options().write(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(&config).ok()
    };
    let mut writer = host.wait_for("the config to be read", open);
    std::fs::rename(&kept, &config).expect("it is back");
    for number in 1..=5 {
        accept(&host, message("C1", number)).await;
    }
    let states: Vec<Value> =
        host.wait_until_done(5).iter().flat_map(deliveries).map(|it| it["state"].clone()).collect();
    assert_eq!(states, ["succeeded"; 5]);
    // It comes to its end, with what it had.
    let text = std::fs::read(&config).expect("the config");
    writer.write_all(&text).expect("there is room in a pipe");
    drop(writer);
    assert!(host.stop(), "{}", host.log());
    assert!(!host.log().contains("the config was changed"), "{}", host.log());
}

#[tokio::test]
async fn what_waits_for_a_type_that_is_switched_off_is_skipped_with_the_reason() {
    let host = Host::start(&recorder("\"incoming_event\""), &[]);
    accept(&host, message("C1", 1)).await;
    host.set_config(&recorder("\"chat_rated\""));
    wait_for_log(&host, "the config was changed");
    host.drop_file(&guest("guest_recorder"), "recorder.wasm");
    let events = host.wait_until_done(1);
    let delivery = deliveries(&events[0]).next().expect("a delivery");
    assert_eq!((&delivery["state"], &delivery["attempts"]), (&"skipped".into(), &0.into()));
    assert_eq!(delivery["reason"], "the event type was switched off");
}

#[tokio::test]
async fn what_waits_for_a_plugin_that_is_switched_off_is_skipped_and_not_run_when_it_is_on_again() {
    let off = format!("{}enabled = false\n", recorder("\"incoming_event\""));
    for (config, reason) in
        [(off, "the plugin was switched off"), (recorder(""), "the event type was switched off")]
    {
        let host = Host::start(&recorder("\"incoming_event\""), &[]);
        accept(&host, message("C1", 1)).await;
        host.set_config(&config);
        wait_for_log(&host, "the config was changed");
        host.drop_file(&guest("guest_recorder"), "recorder.wasm");
        host.wait_for_plugin("recorder", "disabled");
        let events = host.wait_until_done(1);
        let delivery = deliveries(&events[0]).next().expect("a delivery");
        assert_eq!((&delivery["state"], &delivery["reason"]), (&"skipped".into(), &reason.into()));
    }
}

#[tokio::test]
async fn a_wrong_config_is_refused_whole_and_the_one_before_it_goes_on() {
    let host = Host::start(&recorder("\"incoming_event\""), &[guest("guest_recorder")]);
    host.wait_for_plugin("recorder", "active");
    let wrong = [
        (recorder("\"incoming_evnt\""), "did you mean `incoming_event`"),
        (format!("{}evnts = []\n", recorder("\"incoming_event\"")), "evnts"),
        ("[plugin.recorder\n".to_owned(), "no valid TOML"),
        (recorder("\"incoming_event\", \"agent_created\""), "which the plugin does not handle"),
        (
            format!(
                "{}[livechat]\ntoken = {{ env = \"NOBODY_SET_THIS\" }}\n",
                recorder("\"incoming_event\"")
            ),
            "NOBODY_SET_THIS",
        ),
    ];
    let count = wrong.len();
    for (number, (config, said)) in wrong.into_iter().enumerate() {
        host.set_config(&config);
        wait_for_log(&host, said);
        accept(&host, message("C1", number + 1)).await;
    }
    // The commands read the same file: it has to be right again for them.
    host.set_config(&recorder("\"incoming_event\""));
    let events = host.wait_until_done(count);
    assert!(events.iter().all(|event| outcome(event) == ["succeeded"]), "{events:#?}");
    host.set_config("");
    host.wait_for_plugin("recorder", "unconfigured");
}

#[tokio::test]
async fn a_rotated_secret_is_taken_beside_the_old_one() {
    let host = Host::start("", &[]);
    let text = std::fs::read_to_string(host.config_path()).expect("the config");
    let file = host.config_path().with_file_name("secret");
    std::fs::write(&file, "another-secret\n").expect("the secret can be written");
    let both = text.replace("\"TEST_WEBHOOK_SECRET\" }", "\"TEST_WEBHOOK_SECRET\" }, { file = \"secret\" }");
    std::fs::write(host.config_path(), both).expect("the config can be written");
    wait_for_log(&host, "the config was changed");
    accept(&host, message("C1", 1)).await;
    accept(&host, message("C1", 2).replace(chatplug_tests::SECRET, "another-secret")).await;
    std::fs::write(&file, "a-third-secret\n").expect("the secret can be written");
    let changed = || (host.log().matches("the config was changed").count() >= 2).then_some(());
    host.wait_for("the rotated secret", changed);
    accept(&host, message("C1", 3).replace(chatplug_tests::SECRET, "a-third-secret")).await;
    assert!(!host.log().contains("another-secret"));
}
