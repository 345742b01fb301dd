//! Schedules: events like any other, when their time has come.

use std::net::TcpStream;
use std::time::{Duration, SystemTime};

use chatplug::crash_point::{CrashPoint, VARIABLE};
use chatplug::store::{EventFilter, EventView, Reader};
use chatplug_tests::{Host, deliveries, guest};
use serde_json::{Value, json};

use crate::client::webhook;
use crate::metrics::figures;

/// Commits until a host has started, a message has set a timer, and that and a schedule have come: fewer.
const COMMITS_MAX: usize = 100;

/// The guest with these of its schedules alone.
fn config(on: &[&str], more: &str) -> String {
    let all = ["second", "slow", "late", "nightly"];
    let off: String =
        all.iter().filter(|name| !on.contains(name)).map(|name| format!("{name} = false\n")).collect();
    format!("[plugin.clockwork]\nevents = [\"incoming_event\"]\n{more}[plugin.clockwork.schedules]\n{off}")
}

/// The events of a schedule, the oldest first, each with what the plugin was told.
fn ticks(host: &Host, name: &str) -> Vec<(EventView, Value)> {
    let Some(reader) = Reader::open(&host.data()).expect("the store opens") else { return Vec::new() };
    let filter = EventFilter { event_type: Some("schedule".to_owned()), chat_id: None, limit: 10_000 };
    let mut events = reader.events(&filter).expect("a list");
    events.reverse();
    let told = |event: EventView| {
        let shown = reader.event(event.id.parse().expect("an id")).expect("an answer").expect("the event");
        (event, shown.payload.expect("a payload"))
    };
    events.into_iter().map(told).filter(|(_, payload)| payload["schedule"] == name).collect()
}

fn are_all(event: &EventView, state: &str) -> bool {
    event.deliveries.iter().all(|delivery| delivery.state == state)
}

fn wait_for_ticks(host: &Host, name: &str, count: usize) -> Vec<(EventView, Value)> {
    host.wait_for(&format!("{count} times of {name}"), || {
        let ticks = ticks(host, name);
        let done = ticks.iter().filter(|(event, _)| are_all(event, "succeeded")).count();
        (done >= count).then_some(ticks)
    })
}

/// The number of times of the guest's schedules that came to this.
async fn counted(host: &Host, outcome: &str) -> u64 {
    let metrics = figures(host).await;
    let line = format!("chatplug_schedule_ticks_total{{plugin=\"clockwork\",outcome=\"{outcome}\"}} ");
    metrics.lines().find_map(|found| found.strip_prefix(&line)?.parse().ok()).unwrap_or(0)
}

/// Time itself has to pass.
fn wait_for_time(host: &Host, span: Duration) {
    let until = SystemTime::now() + span;
    host.wait_for("some time to pass", || (SystemTime::now() > until).then_some(()));
}

#[test]
fn each_time_comes_once_to_its_own_plugin_alone() {
    let config = format!("{}[plugin.recorder]\nevents = [\"incoming_event\"]\n", config(&["second"], ""));
    let host = Host::start(&config, &[guest("guest_clockwork"), guest("guest_recorder")]);
    let ticks = wait_for_ticks(&host, "second", 3);
    let mut times: Vec<&str> = ticks.iter().filter_map(|(_, payload)| payload["at"].as_str()).collect();
    assert!(times.is_sorted() && times.iter().all(|time| time.ends_with(".000Z")));
    let all = times.len();
    times.dedup();
    assert_eq!(times.len(), all, "none came twice");
    for (event, payload) in &ticks {
        assert_eq!(event.source, "chatplug");
        let plugins: Vec<&str> = event.deliveries.iter().map(|delivery| delivery.plugin.as_str()).collect();
        assert_eq!(plugins, ["clockwork"]);
        // Some may be missed, on a machine that is busy for a second: of times that nobody sets, see the scheduler's own tests.
        assert_eq!(payload["caught_up"], false, "{payload}");
    }
    let shown = host.json(&["plugins", "show", "clockwork"]);
    assert_eq!(shown["files"][0]["schedules"], json!(["second: every 1 s"]));
    let listed = host.json(&["events", "list", "--type", "schedule"]);
    assert!(listed.as_array().is_some_and(|listed| listed.len() >= 3));
}

#[tokio::test]
async fn a_time_that_comes_while_the_one_before_is_unfinished_is_left_out_and_counted() {
    let host = Host::start(&config(&["slow"], "settings = { stuck = true }\n"), &[guest("guest_clockwork")]);
    host.wait_for("two times to be left out", || {
        (host.log().matches("the schedule `slow` is left out this time").count() >= 2).then_some(())
    });
    assert!(counted(&host, "busy").await >= 2);
    assert_eq!(ticks(&host, "slow").len(), 1);
    assert_eq!(counted(&host, "run").await, 1);
}

#[test]
fn what_was_missed_comes_once_if_the_plugin_says_so() {
    let mut host = Host::start(&config(&["late", "second"], ""), &[guest("guest_clockwork")]);
    // What is unfinished runs after the start, and the time that is caught up with would be left out for it.
    loop {
        wait_for_ticks(&host, "late", 1);
        wait_for_ticks(&host, "second", 1);
        assert!(host.stop(), "{}", host.log());
        let is_done = |name| ticks(&host, name).iter().all(|(event, _)| are_all(event, "succeeded"));
        if is_done("late") && is_done("second") {
            break;
        }
        host.run();
    }
    let (late, second) = (ticks(&host, "late").len(), ticks(&host, "second").len());
    wait_for_time(&host, Duration::from_millis(3_100));
    host.run();
    let caught_up = wait_for_ticks(&host, "late", late + 2);
    let first = &caught_up[late].1;
    assert_eq!(first["caught_up"], true, "{first}");
    assert!(first["missed"].as_u64().is_some_and(|missed| missed >= 1), "{first}");
    assert_eq!(caught_up[late + 1].1["caught_up"], false, "once");
    let left_out = wait_for_ticks(&host, "second", second + 1);
    let first = &left_out[second].1;
    assert_eq!(first["caught_up"], false, "{first}");
}

#[test]
fn an_operator_switches_a_schedule_off_while_the_host_runs() {
    let host = Host::start(&config(&["late", "second"], ""), &[guest("guest_clockwork")]);
    wait_for_ticks(&host, "second", 1);
    host.set_config(&config(&["late"], ""));
    host.wait_for("the change to be taken up", || {
        let shown = host.json(&["plugins", "show", "clockwork"]);
        (shown["files"][0]["schedules"] == json!(["late: every 1 s"])).then_some(())
    });
    // The plan is changed right after what is shown; two more times of the other one lie behind that.
    let late = ticks(&host, "late").len();
    wait_for_ticks(&host, "late", late + 2);
    let second = ticks(&host, "second").len();
    let late = ticks(&host, "late").len();
    wait_for_ticks(&host, "late", late + 2);
    assert_eq!(ticks(&host, "second").len(), second);
    host.set_config(&config(&["late", "midnight"], "").replace("second = false", "midnight = false"));
    host.wait_for("the wrong name to be refused", || {
        host.log()
            .contains("has `midnight`, which the plugin doesn't have; it has second, slow, late, nightly")
            .then_some(())
    });
}

/// Posts a message that sets a timer for now, and waits until that and a time of the schedule have come and are done with;
/// answers whether the host ended instead.
async fn crashes_on(host: &Host, chat: &str) -> bool {
    let event = json!({
        "id": chat, "type": "message", "created_at": "2026-06-01T12:00:03.512000Z", "visibility": "all",
        "author_id": "b7eff798-f8df-4364-8059-649c35c9ed0c", "text": "set a 0 text",
    });
    let payload = json!({ "chat_id": chat, "thread_id": format!("{chat}T"), "event": event });
    let before = ticks(host, "late").len();
    let body = webhook("incoming_event", &payload);
    let posted = reqwest::Client::new().post(host.url("/webhooks/livechat")).body(body).send().await;
    if !posted.is_ok_and(|answer| answer.status() == reqwest::StatusCode::OK) {
        return true;
    }
    host.wait_for("the timer and a time of the schedule, or the host to be gone", || {
        let is_gone = TcpStream::connect(host.address()).is_err();
        let timers =
            host.events().iter().filter(|event| event["chat_id"] == chat && event["type"] == "timer").count();
        let ticks = ticks(host, "late");
        let is_done =
            timers == 1 && ticks.len() > before && ticks.iter().all(|(event, _)| are_all(event, "succeeded"));
        (is_gone || is_done).then_some(is_gone)
    })
}

/// The times of a schedule that catches up: each is in one event, and none before it is counted as missed twice.
fn expect_each_time_once(ticks: &[(EventView, Value)], seed: &str) {
    let second = |payload: &Value| -> i64 {
        let at: jiff::Timestamp = payload["at"].as_str().and_then(|at| at.parse().ok()).expect("a time");
        at.as_second()
    };
    for ((_, earlier), (event, later)) in ticks.iter().zip(&ticks[1..]) {
        let missed = later["missed"].as_i64().expect("a number");
        let passed = second(later) - second(earlier);
        assert!(passed > missed, "{seed}: {earlier} and {later}");
        assert_eq!(event.deliveries.len(), 1, "{seed}: {later}");
    }
}

#[tokio::test]
async fn a_crash_at_any_commit_neither_loses_nor_repeats_a_timer_or_a_time_of_a_schedule() {
    for point in [CrashPoint::BeforeCommit, CrashPoint::AfterCommit] {
        let mut host = Host::prepared(&config(&["late"], ""), &[guest("guest_clockwork")]);
        let (mut crashes, mut time) = (0, 0);
        // Until it comes through: by then it has ended at each commit of a start, a tick, a timer's setting and its firing.
        loop {
            time += 1;
            assert!(time < COMMITS_MAX, "{point:?}: it ends for ever");
            host.set_env(VARIABLE, Some(&format!("{}:{time}", point.as_str())));
            let has_crashed = host.try_run().is_err() || crashes_on(&host, &format!("C{time}")).await;
            host.kill();
            if !has_crashed {
                break;
            }
            crashes += 1;
        }
        assert!(crashes > 4, "{point:?}");
        host.set_env(VARIABLE, None);
        host.run();
        // Whatever was stored has set its timer, and that came one time.
        let of = |events: &[Value], kind: &str| -> Vec<Value> {
            events.iter().filter(|event| event["type"] == kind).cloned().collect()
        };
        let events = host.wait_for_events("all that was set to come", |all| {
            of(all, "timer").len() >= of(all, "incoming_event").len()
                && all.iter().flat_map(deliveries).all(|delivery| delivery["state"] != "pending")
        });
        let chats = |kind: &str| {
            let mut chats: Vec<String> =
                of(&events, kind).iter().map(|event| event["chat_id"].to_string()).collect();
            chats.sort();
            chats
        };
        assert_eq!(chats("timer"), chats("incoming_event"), "{point:?}");
        assert!(
            events.iter().flat_map(deliveries).all(|delivery| delivery["state"] == "succeeded"),
            "{events:#?}"
        );
        let before = ticks(&host, "late").len();
        let all = wait_for_ticks(&host, "late", before + 1);
        expect_each_time_once(&all, &format!("{point:?}"));
    }
}
