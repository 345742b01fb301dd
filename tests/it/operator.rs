//! What operators do with deliveries that stopped, by the command line and by the API, beside a running host and
//! without one.

use std::os::unix::fs::PermissionsExt;

use chatplug_tests::{Host, deliveries, guest};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::{accept, message};
use crate::metrics::figures;

const TOKEN: &str = "the-operators-token";
const HOSTILE: &str = "[plugin.hostile]\nevents = [\"incoming_event\"]\n";
/// The plugin rejects each event.
const REJECTING: &str = "denies = [\"chats.tag\"]\nsettings = { do = \"nonsense\" }\n";
/// The plugin handles each event, with some effort. It is granted something, too: its status shows when that has
/// taken effect.
const HANDLING: &str = "grants = [\"chats.tag\"]\nsettings = { do = \"log\" }\n\
                        [plugin.hostile.limits]\ncpu_ms = 60000\n";

/// A host whose plugin rejects what it gets, with `events` dead letters, each in a chat of its own.
async fn with_dead_letters(config: &str, events: usize) -> Host {
    let mut host = Host::prepared("", &[guest("guest_hostile")]).env("OPERATOR_TOKEN", TOKEN);
    set_terms(&host, config, REJECTING);
    host.run();
    for number in 1..=events {
        accept(&host, message(&format!("C{number}"), number)).await;
    }
    host.wait_until_done(events);
    assert_eq!(dead(&host).len(), events);
    host
}

/// Gives the plugin other terms.
fn set_terms(host: &Host, config: &str, terms: &str) {
    host.set_config(&format!("{config}{HOSTILE}{terms}"));
}

fn dead(host: &Host) -> Vec<Value> {
    let Value::Array(letters) = host.json(&["dead", "list"]) else { panic!("a list") };
    letters
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn a_dead_letter_is_replayed_in_a_running_host_once_the_cause_is_gone() {
    let host = with_dead_letters("", 3).await;
    let shown = host.json(&["dead", "show", "dl-1"]);
    assert_eq!((&shown["state"], &shown["event"]), (&json!("dead"), &json!("ev-1")));

    let counted = host.json(&["dead", "replay", "--all", "--reason", "NO SUCH misdeed", "--dry-run"]);
    assert_eq!(counted, json!({ "total": 3, "by_plugin": { "hostile": 3 }, "actions_done": 0 }));
    assert_eq!(host.json(&["dead", "replay", "--plugin", "crm-notes", "--dry-run"])["total"], 0);
    assert_eq!(host.json(&["dead", "replay", "--all", "--limit", "2", "--dry-run"])["total"], 2);
    assert_eq!(dead(&host).len(), 3, "a dry run changes nothing");

    set_terms(&host, "", HANDLING);
    host.wait_for("the new terms", || {
        host.plugin("hostile").filter(|status| status["grants"] == json!(["chats.tag"]))
    });
    let replayed = host.json(&["dead", "replay", "dl-2", "dl-1"]);
    assert_eq!((&replayed["changed"], &replayed["unchanged"]), (&json!(2), &json!([])));
    let named: Vec<&Value> = ["dl-1", "dl-2"]
        .iter()
        .zip([0, 1])
        .map(|(id, at)| {
            assert_eq!(replayed["deliveries"][at]["id"], *id, "the oldest first");
            &replayed["deliveries"][at]["now"]
        })
        .collect();
    assert!(named[0].as_str() < named[1].as_str(), "{replayed:#}");
    host.wait_until_done(3);
    assert_eq!(host.states(), ["succeeded", "succeeded", "dead"]);

    let again = host.cli(&["dead", "replay", "dl-1"]);
    assert!(!again.status.success());
    assert!(text(&again.stdout).contains("dl-1 is no dead letter (any more)"), "{}", text(&again.stdout));

    let discarded = host.json(&["dead", "discard", "--all", "--type", "incoming_event", "--since", "1h"]);
    assert_eq!(discarded["changed"], 1);
    assert_eq!(host.states(), ["succeeded", "succeeded", "skipped"]);
}

#[tokio::test]
async fn what_is_changed_without_a_host_takes_effect_when_it_starts() {
    let mut host = with_dead_letters("", 2).await;
    set_terms(&host, "", HANDLING);
    assert!(host.stop(), "{}", host.log());
    let output = host.cli(&["dead", "replay", "--all"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).ends_with("Replayed 2 dead letters.\n"), "{}", text(&output.stdout));
    let audit = host.deeds();
    assert_eq!(audit.len(), 2);
    let who = audit[0]["who"].as_str().unwrap_or_default();
    assert!(who.starts_with("cli:"), "{who}");
    assert_eq!(
        (&audit[1]["action"], &audit[1]["subject"]),
        (&json!("dead.replay"), &json!("dl-1 of ev-1 to hostile"))
    );
    assert_eq!(host.states(), ["pending", "pending"]);
    host.run();
    host.wait_until_done(2);
    assert_eq!(host.states(), ["succeeded", "succeeded"]);
}

#[tokio::test]
async fn an_event_is_replayed_although_it_was_handled_before() {
    let host = Host::start("[plugin.recorder]\nevents = [\"incoming_event\"]\n", &[guest("guest_recorder")]);
    accept(&host, message("C1", 1)).await;
    host.wait_until_done(1);
    let replayed = host.json(&["events", "replay", "ev-1", "--plugin", "recorder"]);
    assert_eq!(replayed["deliveries"][0]["plugin"], "recorder");
    host.wait_for_events("two deliveries that succeeded", |events| {
        deliveries(&events[0]).filter(|delivery| delivery["state"] == "succeeded").count() == 2
    });
    for (args, said) in [
        (vec!["events", "replay", "ev-9"], "ev-9 is not stored"),
        (vec!["events", "replay", "ev-1", "--plugin", "nobody"], "not switched on for nobody"),
    ] {
        let output = host.cli(&args);
        assert!(!output.status.success(), "{args:?}");
        assert!(text(&output.stderr).contains(said), "{args:?}: {}", text(&output.stderr));
    }
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_the_command_line_has_the_right_one() {
    let config = "[operator]\nlisten = \"127.0.0.1:0\"\ntoken = { env = \"OPERATOR_TOKEN\" }\n";
    let host = with_dead_letters(config, 1).await;
    let mode = std::fs::metadata(host.data().join("operator")).expect("the address").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let url = host.operator_url("/api/v1/dead/discard");
    let post = |token: &str| {
        let body = json!({ "selection": { "all": true } });
        reqwest::Client::new().post(&url).bearer_auth(token).json(&body).send()
    };
    for token in ["", "the-operators-tokem"] {
        let response = post(token).await.expect("an answer");
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let answer: Value = response.json().await.expect("JSON");
        assert_eq!(answer["error"]["code"], "unauthorized");
    }
    let output = host
        .command()
        .env("OPERATOR_TOKEN", "another-token-0123")
        .args(["dead", "discard", "--all"])
        .output();
    let output = output.expect("the command starts");
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("the token is none of [operator]"), "{}", text(&output.stderr));
    assert_eq!(dead(&host).len(), 1);

    let output = host.command().env("SUDO_USER", "anna").args(["dead", "discard", "--all"]).output();
    assert!(output.expect("the command starts").status.success());
    let audit = host.deeds();
    assert_eq!(audit.len(), 1);
    let who = audit[0]["who"].as_str().unwrap_or_default();
    assert!(who.starts_with("api:token 127.0.0.1 (cli:") && who.ends_with("/sudo:anna)"), "{who}");
    assert!(!host.log().contains(TOKEN));
}

#[tokio::test]
async fn every_counter_that_an_alert_goes_by_is_there_before_it_counts() {
    let host = Host::start(HOSTILE, &[]);
    let figures = figures(&host).await;
    let is_there = |name: &str, label: &str| {
        figures.lines().any(|line| {
            let is_it = line.split(['{', ' ']).next() == Some(name) && line.contains(label);
            is_it && line.ends_with(" 0")
        })
    };
    for series in crate::tidy::alerts::counted() {
        let labels: Vec<String> =
            series.values.iter().map(|value| format!("{}=\"{value}\"", series.label)).collect();
        let labels = if labels.is_empty() { vec![String::new()] } else { labels };
        for label in labels {
            assert!(is_there(&series.name, &label), "{} {label}:\n{figures}", series.name);
        }
    }
}

#[tokio::test]
async fn what_the_host_measures_can_be_read() {
    let host = with_dead_letters("", 1).await;
    let response = reqwest::get(host.operator_url("/metrics")).await.expect("an answer");
    assert_eq!(response.status(), StatusCode::OK);
    let figures = response.text().await.expect("text");
    for line in [
        "chatplug_dead_letters 1",
        "chatplug_deaths_total{plugin=\"hostile\"} 1",
        "chatplug_ingest_requests_total{source=\"livechat\",outcome=\"received\"} 1",
        "chatplug_runs_total{plugin=\"hostile\",outcome=\"reject\"} 1",
        "chatplug_run_seconds_count 1",
        "chatplug_dispatch_lag_seconds_count 1",
        "chatplug_ingest_ack_seconds_count 1",
        "chatplug_oldest_pending_seconds{plugin=\"hostile\"} 0",
    ] {
        assert!(figures.lines().any(|found| found == line), "{line}:\n{figures}");
    }
    for begin in [
        "chatplug_store_commit_seconds_count",
        "chatplug_loop_last_progress_timestamp_seconds{loop=\"watcher\"}",
    ] {
        assert!(figures.lines().any(|found| found.starts_with(begin)), "{begin}:\n{figures}");
    }
    let status: Value = reqwest::get(host.operator_url("/api/v1/status"))
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(
        (&status["backlog"]["dead"], &status["store_problem"]),
        (&json!(1), &Value::Null),
        "{status:#}"
    );
    let listed: Value =
        reqwest::get(host.operator_url("/api/v1/dead")).await.expect("an answer").json().await.expect("JSON");
    assert_eq!(listed, host.json(&["dead", "list"]));
}
