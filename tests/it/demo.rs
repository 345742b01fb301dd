//! The demo: the three plugins, on the real host, do for the simulated services what they should; and it
//! says so when they can't.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use chatplug_tests::{Signal, chatplug, plugin, plugins, signal};

fn demo(args: &[&str]) -> Command {
    let mut command = chatplug();
    command.arg("demo").arg("--plugins").arg(plugins()).args(args).env_remove("CHATPLUG_LOG");
    command
}

fn text(output: &Output) -> String {
    let streams = [&output.stdout, &output.stderr].map(|stream| String::from_utf8_lossy(stream));
    streams.concat()
}

#[test]
fn the_day_ends_well_and_each_action_is_named() {
    let output = demo(&["--once"]).output().expect("the demo starts");
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    for line in [
        "(Dana) -> routing-rules: handled",
        "(Omar) -> low-rating-alert: handled",
        "(Mia) -> crm-notes: handled",
        "(Dana) to group 2",
        "(Dana): sales",
        "(Omar): urgent",
        "(Omar): low-rating",
        "LiveChat  internal note in chat",
        "(Mia): {\"test\":{\"string_property\":\"enterprise\"}}",
        "Slack     posted: Low rating: bad: Omar",
        "Slack     posted: Low rating: bad: Dana",
        "HubSpot   new contact mia@example.com",
        "HubSpot   note of ",
    ] {
        assert!(text.contains(line), "no `{line}` in:\n{text}");
    }
    assert!(!text.contains("MISSING") && !text.contains("/services/"), "{text}");
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
}

#[track_caller]
fn check_broken(service: &str, missing: &[&str], present: &[&str]) {
    let output = demo(&["--once", "--break", service]).output().expect("the demo starts");
    let text = text(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for name in missing {
        assert!(text.contains(&format!("MISSING  {name}")), "{name} should be missing:\n{text}");
    }
    for name in present {
        assert!(!text.contains(&format!("MISSING  {name}")), "{name} should not be missing:\n{text}");
    }
}

#[test]
fn without_slack_the_alerts_are_missing() {
    check_broken(
        "slack",
        &[
            "Slack: alert for Omar's bad rating",
            "Slack: alert for Dana's bad rating",
            "Slack: Dana's comment",
        ],
        &["LiveChat: tag sales on Dana's thread", "HubSpot: note on omar@example.com"],
    );
}

#[test]
fn without_hubspot_the_notes_are_missing() {
    check_broken(
        "hubspot",
        &["HubSpot: note on dana@example.com", "HubSpot: note on mallory+test@example.com"],
        &["LiveChat: tag low-rating on Omar's thread", "Slack: alert for Omar's bad rating"],
    );
}

#[test]
fn without_livechats_api_what_would_be_done_there_is_missing() {
    check_broken(
        "livechat",
        &[
            "LiveChat: Dana's chat is in the group Sales (2)",
            "LiveChat: tag urgent on Omar's thread",
            "LiveChat: internal note in Omar's chat",
            "HubSpot: note on mia@example.com",
        ],
        &["Slack: nobody is mentioned"],
    );
}

#[test]
fn it_goes_on_until_it_is_interrupted_and_shows_a_plugin_that_is_dropped() {
    let mut child = demo(&[]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the demo starts");
    let mut lines =
        BufReader::new(child.stdout.take().expect("a pipe")).lines().map(|line| line.expect("text"));
    let mut folder = None;
    for line in lines.by_ref() {
        if let Some(path) = line.trim().strip_prefix("folder to drop in ") {
            folder = Some(path.to_owned());
        }
        if line.starts_with("Enter plays") {
            break;
        }
    }
    let folder = folder.expect("the folder is named");
    let folder = Path::new(&folder);
    let mut changed = fs::read(plugin("routing-rules")).expect("a component");
    // A custom section without content: another version of the same plugin.
    changed.extend([0, 2, 1, b'x']);
    fs::write(folder.join("routing_rules.wasm"), changed).expect("the folder takes a file");
    let active = lines.find(|line| line.contains("routing-rules is active"));
    assert!(active.is_some(), "the new version was not shown");
    writeln!(child.stdin.take().expect("a pipe")).expect("it reads what is entered");
    let routed = lines.find(|line| line.contains("(Dana) -> routing-rules: handled"));
    assert!(routed.is_some(), "the day was not played again");
    signal(&child, Signal::INT);
    assert!(child.wait().expect("it ends").success());
    assert!(!folder.exists(), "{} was left behind", folder.display());
}
