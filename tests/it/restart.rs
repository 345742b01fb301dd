//! What was answered 200 is delivered, whatever happens to the process.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;

use chatplug::crash_point::{CrashPoint, VARIABLE};
use chatplug::simulator::{Fault, Times};
use chatplug_tests::{Host, Signal, deliveries, guest};
use rusqlite::Connection;
use rustix::fs::{FlockOperation, fcntl_lock};

use crate::client::{accept, message};
use crate::worker::Stage;

const RECORDER: &str = "[plugin.recorder]\nevents = [\"incoming_event\"]\n";

#[tokio::test]
async fn unfinished_deliveries_run_after_a_restart() {
    let mut host = Host::start(RECORDER, &[]);
    for number in 1..=20 {
        accept(&host, message(&format!("C{}", number % 3), number)).await;
    }
    assert!(host.events().iter().flat_map(deliveries).all(|delivery| delivery["state"] == "pending"));
    assert!(host.stop(), "{}", host.log());
    host.drop_file(&guest("guest_recorder"), "recorder.wasm");
    host.run();
    let events = host.wait_until_done(20);
    assert!(
        events.iter().flat_map(deliveries).all(|delivery| delivery["state"] == "succeeded"),
        "{events:#?}"
    );
}

#[tokio::test]
async fn a_host_that_is_killed_loses_nothing_that_it_answered() {
    let mut host = Host::start(RECORDER, &[guest("guest_recorder")]);
    let mut sent = 0;
    for _ in 0..5 {
        for _ in 0..20 {
            sent += 1;
            accept(&host, message(&format!("C{}", sent % 5), sent)).await;
        }
        host.kill();
        host.run();
    }
    let events = host.wait_until_done(sent);
    assert_eq!(events.len(), sent);
    assert!(
        events.iter().flat_map(deliveries).all(|delivery| delivery["state"] == "succeeded"),
        "{events:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_that_waits_is_due_at_the_same_time_after_a_restart() {
    let mut stage = Stage::new().await;
    let busy = Fault::TooManyRequests { retry_after: Some("3600".to_owned()) };
    stage.livechat.faults().set("send_event", busy, Times::Next(1));
    let chat = stage.chat_with_us("Dana");
    stage.says(&chat, "work 1").await;
    let first =
        |events: &[serde_json::Value]| events.first().and_then(|event| deliveries(event).next().cloned());
    stage.host.wait_for_events("the note to wait", |events| {
        first(events).is_some_and(|one| one["outcome"] == "suspended" && one["state"] == "pending")
    });
    let waiting = first(&stage.host.events());
    for (number, is_killed) in [(1, true), (2, false)] {
        match is_killed {
            true => drop(stage.host.kill()),
            false => assert!(stage.host.stop(), "{}", stage.host.log()),
        }
        stage.host.run();
        stage.says(&stage.chat(&format!("Omar {number}")), "nothing to do").await;
        stage.host.wait_for_events("another delivery", |events| {
            events.len() > number && deliveries(&events[number]).all(|one| one["state"] == "succeeded")
        });
        assert_eq!(first(&stage.host.events()), waiting, "neither run nor put off");
    }
    assert_eq!(stage.livechat.requests().of_operation("send_event").len(), 1);
}

#[tokio::test]
async fn a_tool_that_looks_into_the_store_beside_the_host_takes_nothing_away() {
    let mut host = Host::start(RECORDER, &[]);
    let file =
        File::options().read(true).write(true).open(host.data().join("chatplug.db")).expect("the store");
    let lock_alone = || fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive);
    accept(&host, message("C1", 1)).await;
    // The command line of SQLite does this when it closes: whoever can lock the file alone removes the log, and with
    // it what the host stores from then on.
    assert!(lock_alone().is_err(), "the host does not hold its lock on the database");
    assert!(host.stop(), "{}", host.log());
    assert!(lock_alone().is_ok(), "nobody holds it then");
}

#[tokio::test]
async fn a_host_that_dies_while_it_shortens_its_log_loses_nothing() {
    /// A log of 64 MiB is long; more are only sent until somebody has looked at it.
    const MANY: usize = 5_000;
    let mut host = Host::prepared("", &[]);
    host.set_env(VARIABLE, Some(CrashPoint::InShortening.as_str()));
    host.run();
    accept(&host, message("FIRST", 1)).await;
    // A reader keeps the log from being begun anew by itself, as it is whenever all of it was moved.
    let reader = Connection::open(host.data().join("chatplug.db")).expect("the store");
    reader.execute_batch("BEGIN; SELECT count(*) FROM events;").expect("it reads");
    let (url, client) = (host.url("/webhooks/livechat"), reqwest::Client::new());
    let mut answered = BTreeSet::new();
    for number in 1.. {
        assert!(number < MANY, "the log is never shortened:\n{}", host.log_end());
        let chat = format!("C{number}");
        let body = message(&chat, 1).replace("message 1", &"x".repeat(900_000));
        match client.post(&url).body(body).send().await {
            Ok(answer) if answer.status() == 200 => answered.insert(chat),
            Ok(answer) => panic!("{}", answer.status()),
            Err(_) => break,
        };
    }
    assert_eq!(host.wait_for_end().signal(), Some(Signal::ABORT.as_raw()), "{}", host.log_end());
    drop(reader);
    host.set_env(VARIABLE, None);
    host.run();
    let stored: BTreeSet<String> =
        host.events().iter().filter_map(|event| event["chat_id"].as_str()).map(str::to_owned).collect();
    assert_eq!(answered.difference(&stored).collect::<Vec<_>>(), [""; 0]);
    assert!(answered.len() > 10, "{answered:?}");
}

#[tokio::test]
async fn the_events_of_a_chat_run_in_the_order_in_which_they_were_accepted() {
    let host = Host::start(RECORDER, &[guest("guest_recorder")]);
    for number in 1..=60 {
        accept(&host, message(&format!("C{}", number % 2), number)).await;
    }
    let events = host.wait_until_done(60);
    for chat in ["C0", "C1"] {
        let ended: Vec<&str> = events
            .iter()
            .filter(|event| event["chat_id"] == chat)
            .flat_map(deliveries)
            .filter_map(|delivery| delivery["ended_at"].as_str())
            .collect();
        assert_eq!(ended.len(), 30);
        assert!(ended.is_sorted(), "{chat}: {ended:?}");
    }
}

#[tokio::test]
async fn a_second_host_on_the_same_folder_is_told_off() {
    let host = Host::start("", &[]);
    let output = host.cli(&["serve"]);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("in use by another chatplug process"), "{said}");
}

#[tokio::test]
async fn a_busy_port_is_named() {
    let first = Host::start("", &[]);
    let second = Host::prepared("", &[]);
    let config = std::fs::read_to_string(second.config_path()).expect("the config");
    let config = config.replace("127.0.0.1:0", &first.address().to_string());
    std::fs::write(second.config_path(), config).expect("the config can be written");
    let output = second.cli(&["serve"]);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&format!("cannot listen on {}", first.address())), "{said}");
}
