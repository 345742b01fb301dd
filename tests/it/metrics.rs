//! Every figure of `/metrics` moves when what it counts happens.

use std::collections::BTreeSet;

use chatplug::measures::Measures;
use chatplug::simulator::livechat::{Opening, PAT_OWNER};
use chatplug::simulator::{Fault, Times};
use chatplug_tests::{Host, guest};
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::capability::CONNECTIONS;
use crate::client::{accept, message, said};
use crate::services::Stage;

/// Behind the connections.
const PLUGINS: &str = r#"
[plugin.caller]
events = ["incoming_event"]
grants = ["chats.*", "http:hubspot", "http:hook"]
denies = ["customers.*", "agents.*", "reports.*", "livechat:configuration.*", "livechat:agent.*",
    "livechat:reports.*"]

[plugin.clockwork]
events = ["incoming_event"]
[plugin.clockwork.schedules]
slow = false
late = false
nightly = false

[plugin.absent]
events = ["incoming_event"]
"#;

/// What is expected of a metric.
enum Expected {
    /// A series with this label shows at least so much; of a histogram, so much was recorded.
    AtLeast(f64, &'static str),
    /// It is shown. What moves it takes longer than a test, and is proved where the table says.
    IsThere,
}

use Expected::{AtLeast, IsThere};

const EXPECTED: &[(&str, Expected)] = &[
    ("chatplug_build_info", AtLeast(1.0, "version=")),
    ("chatplug_ingest_requests_total", AtLeast(6.0, "outcome=\"received\"")),
    ("chatplug_ingest_ack_seconds", AtLeast(6.0, "")),
    ("chatplug_events_duplicate_total", AtLeast(1.0, "kind=\"known\"")),
    // `missed`
    ("chatplug_reconcile_missing_total", IsThere),
    ("chatplug_deaths_total", AtLeast(1.0, "plugin=\"caller\"")),
    ("chatplug_store_commit_seconds", AtLeast(1.0, "")),
    ("chatplug_store_fsync_seconds", AtLeast(1.0, "")),
    ("chatplug_store_commit_rows", AtLeast(1.0, "")),
    ("chatplug_dispatch_lag_seconds", AtLeast(1.0, "")),
    ("chatplug_run_seconds", AtLeast(1.0, "")),
    ("chatplug_runs_total", AtLeast(1.0, "plugin=\"caller\"")),
    ("chatplug_grants_refused_total", AtLeast(1.0, "plugin=\"caller\"")),
    ("chatplug_schedule_ticks_total", AtLeast(1.0, "plugin=\"clockwork\"")),
    ("chatplug_timer_lag_seconds", AtLeast(1.0, "")),
    ("chatplug_actions_total", AtLeast(1.0, "destination=\"livechat\",outcome=\"ok\"")),
    ("chatplug_action_attempt_seconds", AtLeast(1.0, "")),
    ("chatplug_action_age_at_success_seconds", AtLeast(1.0, "")),
    ("chatplug_rate_limit_wait_seconds", AtLeast(3.0, "")),
    ("chatplug_livechat_calls_total", AtLeast(1.0, "plugin=\"caller\"")),
    ("chatplug_breaker_state", AtLeast(4.0, "destination=\"connections.hubspot\"")),
    ("chatplug_oldest_pending_seconds", AtLeast(1.0, "plugin=\"absent\"")),
    ("chatplug_past_due_deliveries", AtLeast(1.0, "plugin=\"absent\"")),
    ("chatplug_pending", AtLeast(1.0, "")),
    ("chatplug_actions_unknown", AtLeast(1.0, "")),
    // `http::operator::tests::metrics_show_the_backlog_the_disk_and_the_loops`, in the host
    ("chatplug_actions_in_doubt", IsThere),
    ("chatplug_dead_letters", AtLeast(1.0, "")),
    // The store is whole.
    ("chatplug_store_damaged", IsThere),
    ("chatplug_wal_bytes", AtLeast(1.0, "")),
    ("chatplug_db_bytes", AtLeast(1.0, "")),
    ("chatplug_disk_free_bytes", AtLeast(1.0, "")),
    ("chatplug_disk_bytes", AtLeast(1.0, "")),
    // `http::operator::tests::metrics_show_the_backlog_the_disk_and_the_loops`, in the host
    ("chatplug_map_entries", IsThere),
    ("chatplug_loop_last_progress_timestamp_seconds", AtLeast(1.0, "loop=\"dispatcher\"")),
];

/// All that a host measures, as Prometheus reads it.
pub(crate) async fn figures(host: &Host) -> String {
    let answer = reqwest::get(host.operator_url("/metrics")).await.expect("an answer");
    answer.text().await.expect("text")
}

/// The greatest figure among a metric's series with this label.
pub(crate) fn most(figures: &str, name: &str, label: &str) -> Option<f64> {
    let recorded = format!("{name}_count");
    let series = figures.lines().filter(|line| {
        let found = line.split(['{', ' ']).next().unwrap_or_default();
        (found == name || found == recorded) && line.contains(label)
    });
    series.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).reduce(f64::max)
}

/// The metrics that are not as they are expected.
fn unmet(figures: &str) -> Vec<&'static str> {
    let is_unmet = |name: &str, expected: &Expected| match expected {
        AtLeast(least, label) => most(figures, name, label).is_none_or(|figure| figure < *least),
        IsThere => most(figures, name, "").is_none(),
    };
    EXPECTED.iter().filter(|(name, expected)| is_unmet(name, expected)).map(|(name, _)| *name).collect()
}

/// A webhook that has the plugin make a call.
fn asking(chat: &str, call: &str, with: &Value) -> String {
    said(chat, "1", &json!({ "call": call, "with": with }).to_string())
}

#[test]
fn every_metric_has_an_expectation() {
    let expected: BTreeSet<&str> = EXPECTED.iter().map(|(name, _)| *name).collect();
    assert_eq!(expected, Measures::names().collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_figure_moves_when_what_it_counts_happens() {
    let config = format!("{CONNECTIONS}{PLUGINS}");
    let mut stage = Stage::with(config.parse().expect("TOML"), guest("guest_caller")).await;
    // It waits for a plugin that isn't there, for two minutes already when the host starts again.
    accept(&stage.host, message("WAITS", 1)).await;
    assert!(stage.host.stop(), "{}", stage.host.log());
    let store = Connection::open(stage.host.data().join("chatplug.db")).expect("the store");
    let sql = "UPDATE deliveries SET due_at = due_at - 120000 WHERE plugin = 'absent'";
    assert_eq!(store.execute(sql, []).expect("it can be changed"), 1);
    drop(store);
    stage.host.drop_file(&guest("guest_clockwork"), "guest_clockwork.wasm");
    stage.host.run();

    let chat = stage.livechat.start_chat(&Opening::by("Dana")).expect("a chat").chat_id;
    stage.livechat.agent_joins(&chat, PAT_OWNER).expect("it joins");
    stage.slack.faults().set("webhook", Fault::ErrorAfterSaving, Times::Next(1));
    stage.hubspot.faults().set("*", Fault::Unauthorized, Times::UntilCleared);
    let note = asking("NOTE", "chats.send-note", &json!([chat, "a note"]));
    let post = json!({ "connection": "hook", "method": "POST", "path": "", "body": { "text": "hi" } });
    let get = json!({ "connection": "hubspot", "method": "GET", "path": "/crm/v3/objects/contacts/501" });
    for body in [
        note.clone(),
        // LiveChat repeats it.
        note,
        asking("DENIED", "customers.get", &json!(["K1"])),
        asking("HELD", "http", &post),
        asking("PARKED", "http", &get),
        said("TIMER", "1", "set a 0 now"),
    ] {
        accept(&stage.host, body).await;
    }

    let (host, mut before) = (&stage.host, Vec::new());
    host.wait_for("every figure to move", || {
        let unmet = unmet(&block_in_place(|| Handle::current().block_on(figures(host))));
        if unmet != before {
            eprintln!("not yet: {unmet:?}");
        }
        before = unmet;
        before.is_empty().then_some(())
    });
    assert_eq!(stage.notes(&chat), ["a note"]);

    let listed = host.json(&["connections", "list"]);
    let lines = listed.as_array().expect("a list");
    let hubspot = lines.iter().find(|line| line["name"] == "hubspot").expect("a line");
    let now = &hubspot["now"];
    assert_eq!(
        (&now["state"], now["counts"]["refused"].as_u64() > Some(0)),
        (&json!("parked"), true),
        "{now}"
    );
    assert!(now["cause"].as_str().is_some_and(|cause| !cause.is_empty()), "{now}");
    let shown = String::from_utf8_lossy(&host.cli(&["connections", "list"]).stdout).into_owned();
    let livechat = shown.lines().find(|line| line.starts_with("livechat "));
    assert!(livechat.is_some_and(|line| line.contains(" working ")), "{shown}");
    assert!(shown.contains("Requests to LiveChat since the host started: "), "{shown}");
}
