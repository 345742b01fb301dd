//! Commands: what operators ask of a plugin, followed to its end.

use chatplug_tests::{Host, deliveries, guest};
use serde_json::json;

use crate::client::{accept, said};

const CONFIG: &str = "[plugin.clockwork]\nevents = [\"incoming_event\"]\n[plugin.clockwork.schedules]\nsecond = false\nslow \
                      = false\nlate = false\nnightly = false\n";

#[test]
fn a_command_shows_what_the_plugin_says_and_ends_as_it_does() {
    let mut host = Host::start(CONFIG, &[guest("guest_clockwork")]);
    host.wait_for_plugin("clockwork", "active");
    let output = host.cli(&["plugins", "command", "clockwork", "greet", "--name", "Ada", "--times=2"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[1..], ["Info hello Ada, 1 of 2", "Info hello Ada, 2 of 2", "succeeded"], "{text}");

    let report = host.json(&["plugins", "command", "clockwork", "greet", "--name", "Eve"]);
    assert_eq!(
        (&report["state"], &report["lines"]),
        (&json!("succeeded"), &json!(["Info hello Eve, 1 of 1"]))
    );

    let output = host.cli(&["plugins", "command", "clockwork", "fail"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("Warn about to fail\n")
            && text.contains("dead: rejected by the plugin: as it was told to"),
        "{text}"
    );

    let output = host.cli(&["plugins", "command", "clockwork", "greet"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("the command `greet` needs --name VALUE"), "{text}");

    let refused = |args: &[&str], part: &str| {
        let output = host.cli(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(part), "{args:?}: {said}");
    };
    refused(
        &["plugins", "command", "clockwork", "dance"],
        "clockwork has no command `dance`; it has greet, fail",
    );
    refused(&["plugins", "command", "nobody", "greet"], "there is no plugin `nobody`");
    refused(&["plugins", "command", "clockwork", "greet", "Ada"], "`Ada` is no argument of a command");
    let audit = host.json(&["audit", "list"]);
    assert_eq!(audit[0]["action"], "plugins.command", "{audit}");
    assert!(!audit.to_string().contains("Ada"), "arguments may name customers: {audit}");
    let replay = host.cli(&["events", "replay", "ev-1"]);
    assert!(String::from_utf8_lossy(&replay.stderr).contains("is for one plugin"), "{replay:?}");
    assert!(host.stop());
    let output = host.cli(&["plugins", "command", "clockwork", "greet", "--name", "Ada"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("no host runs"), "{output:?}");
}

#[tokio::test]
async fn a_job_may_use_more_than_what_customers_wait_for() {
    let config = format!("{CONFIG}[plugin.clockwork.limits]\ncpu_ms = 1\n");
    let host = Host::start(&config, &[guest("guest_clockwork")]);
    host.wait_for_plugin("clockwork", "active");
    let report = host.json(&["plugins", "command", "clockwork", "compute"]);
    assert_eq!(report["state"], "succeeded", "10 s of CPU, whatever the limit for events: {report}");
    accept(&host, said("C1", "1", "compute")).await;
    let events = host.wait_until_done(2);
    let event = events.iter().find(|event| event["chat_id"] == "C1").expect("the message");
    let delivery = deliveries(event).next().expect("a delivery");
    assert_eq!(delivery["outcome"], "out of CPU", "{delivery:#}");
}
