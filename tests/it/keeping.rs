//! Backups, restores, and forgetting a person, with the real executable.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;

use chatplug::crash_point::{CrashPoint, VARIABLE};
use chatplug_tests::{Host, Signal, deliveries, guest};
use rusqlite::Connection;
use serde_json::Value;

use crate::client::{accept, message, webhook};

const RECORDER: &str = "[plugin.recorder]\nevents = [\"incoming_event\", \"incoming_chat\"]\n";

fn said(output: &std::process::Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn a_backup_of_a_running_host_is_restored() {
    let mut host = Host::start(RECORDER, &[guest("guest_recorder")]);
    for number in 1..=20 {
        accept(&host, message("C1", number)).await;
    }
    host.wait_until_done(20);
    let copy = host.data().with_file_name("copy.db");
    let path = copy.to_str().expect("the path is text");
    let checked = host.json(&["backup", path]);
    assert_eq!((&checked["events"], &checked["pending"]), (&20.into(), &0.into()), "{checked}");
    assert_eq!(std::fs::metadata(&copy).expect("the copy").permissions().mode() & 0o777, 0o600);
    let again = host.cli(&["backup", path]);
    assert!(!again.status.success(), "it would overwrite: {}", said(&again));

    accept(&host, message("C1", 21)).await;
    host.wait_until_done(21);
    let refused = host.cli(&["restore", path]);
    assert!(!refused.status.success() && said(&refused).contains("in use by another"), "{}", said(&refused));
    assert_eq!(host.json(&["restore", path, "--verify"])["events"], 20);
    assert!(host.stop(), "{}", host.log());
    let restored = host.json(&["restore", path]);
    assert_eq!(restored["store"]["events"], 20);
    let before = restored["before"].as_str().expect("the old store is beside it");
    assert_eq!(host.json(&["restore", before, "--verify"])["events"], 21);

    host.run();
    accept(&host, message("C2", 1)).await;
    let events = host.wait_until_done(21);
    assert_eq!(events.len(), 21);
    let newest = deliveries(&events[20]).next().expect("a delivery");
    let number =
        newest["id"].as_str().and_then(|id| id["dl-".len()..].parse::<u64>().ok()).expect("a number");
    assert!(number > 100_000_000, "a number that was given after the backup is not given again: {number}");
    assert!(
        events.iter().flat_map(deliveries).all(|delivery| delivery["state"] == "succeeded"),
        "{events:#?}"
    );
}

#[tokio::test]
async fn a_damaged_backup_is_refused_and_changes_nothing() {
    let mut host = Host::start(RECORDER, &[]);
    for number in 1..=50 {
        accept(&host, message("C1", number)).await;
    }
    let copy = host.data().with_file_name("copy.db");
    let path = copy.to_str().expect("the path is text");
    host.json(&["backup", path]);
    assert!(host.stop(), "{}", host.log());
    let whole = std::fs::read(&copy).expect("the copy");
    let mut scribbled = whole.clone();
    scribbled[4096..whole.len() / 2].fill(0xa5);
    for (what, bytes) in [("half", &whole[..whole.len() / 2]), ("scribbled", &scribbled[..]), ("none", b"x")]
    {
        std::fs::write(&copy, bytes).expect("it can be damaged");
        for args in [&["restore", path, "--verify"][..], &["restore", path]] {
            let refused = host.cli(args);
            assert!(!refused.status.success(), "{what}: {}", said(&refused));
        }
    }
    assert_eq!(host.events().len(), 50);
}

/// What a query counts in the store of a stopped host.
fn count(host: &Host, sql: &str) -> i64 {
    let store = Connection::open(host.data().join("chatplug.db")).expect("the store");
    store.query_row(sql, [], |row| row.get(0)).expect("a number")
}

#[tokio::test]
async fn growth_what_is_old_and_finished_is_removed_even_if_the_host_dies_over_it() {
    const OLD: usize = 60;
    let config = format!("{RECORDER}[plugin.absent]\nevents = [\"incoming_chat\"]\n");
    let mut host = Host::start(&config, &[guest("guest_recorder")]);
    for number in 1..=OLD {
        accept(&host, message("OLD", number)).await;
    }
    host.wait_until_done(OLD);
    // This one waits for a plugin that isn't there: it is never too old.
    let chat = serde_json::json!({ "chat": { "id": "WAITS", "thread": { "id": "WAITST", "events": [] } } });
    accept(&host, webhook("incoming_chat", &chat)).await;
    host.wait_for_events("the recorder to be done", |all| {
        all.last().is_some_and(|event| deliveries(event).any(|delivery| delivery["state"] == "succeeded"))
    });
    assert!(host.stop(), "{}", host.log());
    let store = Connection::open(host.data().join("chatplug.db")).expect("the store");
    let days = |days: i64| days * 86_400_000;
    store.execute("UPDATE events SET received_at = received_at - ?1", [days(40)]).expect("they grow old");
    drop(store);

    // Content goes after 7 days and the rest after 30. It dies at the first event, and later: in the last life there
    // are at least four contents and all of the rest to come.
    for time in [1, 20, 40, OLD] {
        host.set_env(VARIABLE, Some(&format!("{}:{time}", CrashPoint::InRetention.as_str())));
        let status = match host.try_run() {
            Ok(()) => host.wait_for_end(),
            Err(_) => continue,
        };
        assert_eq!(status.signal(), Some(Signal::ABORT.as_raw()));
    }
    host.set_env(VARIABLE, None);
    host.run();
    accept(&host, message("NEW", 1)).await;
    let left = host.wait_for_events("the old ones to be gone", |all| all.len() == 2);
    let chats: Vec<&Value> = left.iter().map(|event| &event["chat_id"]).collect();
    assert_eq!(chats, ["WAITS", "NEW"]);
    assert!(deliveries(&left[0]).any(|delivery| delivery["state"] == "pending"), "{left:#?}");
    host.wait_for_events("the new one to be done", |all| {
        deliveries(&all[1]).all(|delivery| delivery["state"] == "succeeded")
    });
    assert!(host.stop(), "{}", host.log());
    for table in ["journals", "steps"] {
        let orphans =
            format!("SELECT count(*) FROM {table} WHERE delivery NOT IN (SELECT id FROM deliveries)");
        assert_eq!(count(&host, &orphans), 0, "{table}");
    }
    assert_eq!(count(&host, "SELECT count(*) FROM deliveries WHERE event NOT IN (SELECT id FROM events)"), 0);
    assert_eq!(count(&host, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
}

#[tokio::test]
async fn a_clock_that_is_far_ahead_at_the_start_empties_no_store() {
    let mut host = Host::start(RECORDER, &[guest("guest_recorder")]);
    accept(&host, message("OLD", 1)).await;
    host.wait_until_done(1);
    assert!(host.stop(), "{}", host.log());
    // The same as a machine's clock that is 40 days ahead: all that is stored is so much older.
    let store = Connection::open(host.data().join("chatplug.db")).expect("the store");
    let sql = "UPDATE events SET received_at = received_at - 40 * 86400000;
        UPDATE deliveries SET ended_at = ended_at - 40 * 86400000;
        UPDATE starts SET started_at = started_at - 40 * 86400000, alive_at = alive_at - 40 * 86400000";
    store.execute_batch(sql).expect("it grows old");
    drop(store);
    // A restart under that clock isn't believed either.
    for number in 1..=2 {
        host.run();
        accept(&host, message("NEW", number)).await;
        host.wait_until_done(1 + number);
        host.wait_for("the doubt to be told", || {
            host.log().contains("retention takes it for right after a day").then_some(())
        });
        std::thread::sleep(std::time::Duration::from_secs(2));
        let events = host.events();
        assert_eq!(events[0]["chat_id"], "OLD", "{events:#?}");
        assert!(host.stop(), "{}", host.log());
    }
}

#[tokio::test]
async fn a_person_is_forgotten_while_the_host_is_stopped() {
    let mut host = Host::start(RECORDER, &[]);
    let mary = serde_json::json!({ "chat": { "id": "C1", "users": [
        { "id": "1", "type": "customer", "name": "Mary", "email": "mary@example.com" } ],
        "thread": { "id": "C1T", "events": [] } } });
    accept(&host, webhook("incoming_chat", &mary)).await;
    accept(&host, message("C1", 1)).await;
    accept(&host, message("C2", 1)).await;
    let would = host.json(&["forget", "--email", "mary@example.com", "--dry-run"]);
    assert_eq!((&would["events"], &would["deliveries"]), (&2.into(), &2.into()), "{would}");
    assert!(host.stop(), "{}", host.log());
    let done = host.json(&["forget", "--email", "mary@example.com"]);
    assert_eq!((&done["events"], &done["deliveries"]), (&2.into(), &2.into()), "{done}");
    assert!(done["out_of_reach"].as_array().is_some_and(|places| !places.is_empty()));

    host.drop_file(&guest("guest_recorder"), "recorder.wasm");
    host.run();
    let events = host.wait_until_done(3);
    for event in &events {
        let expected = if event["chat_id"] == "C1" { "skipped" } else { "succeeded" };
        assert!(deliveries(event).all(|delivery| delivery["state"] == expected), "{event:#}");
    }
    let shown = host.json(&["events", "show", events[0]["id"].as_str().expect("an id")]);
    assert_eq!((&shown["removed"], &shown["payload"]), (&"forgotten".into(), &serde_json::Value::Null));
}

#[tokio::test]
async fn a_person_is_forgotten_while_the_host_runs() {
    let host = Host::start(RECORDER, &[]);
    accept(&host, message("C1", 1)).await;
    accept(&host, message("C2", 1)).await;
    let done = host.json(&["forget", "--chat", "C1"]);
    assert_eq!((&done["events"], &done["deliveries"]), (&1.into(), &1.into()), "{done}");
    host.drop_file(&guest("guest_recorder"), "recorder.wasm");
    let events = host.wait_until_done(2);
    let states: Vec<_> = events.iter().flat_map(deliveries).map(|delivery| &delivery["state"]).collect();
    assert_eq!(states, ["skipped", "succeeded"]);
    let audit = host.json(&["audit", "list"]);
    assert_eq!(
        (&audit[0]["action"], &audit[0]["subject"]),
        (&"forget".into(), &"a person, by a chat".into())
    );
    assert!(!audit.to_string().contains("C1"), "the log outlives what was forgotten: {audit}");
}

#[test]
fn where_nothing_is_stored_nothing_is_forgotten_or_decided_or_made() {
    let host = Host::prepared(RECORDER, &[]);
    for args in [
        &["forget", "--chat", "C1"][..],
        &["forget", "--chat", "C1", "--dry-run"],
        &["dead", "replay", "--all"],
        &["dead", "replay", "--all", "--dry-run"],
    ] {
        let refused = host.cli(args);
        assert!(
            !refused.status.success() && said(&refused).contains("nothing is stored in"),
            "{}",
            said(&refused)
        );
        assert!(!host.data().exists(), "{args:?} made a data folder");
    }
}

#[tokio::test]
async fn copies_and_forgetting_need_no_secret() {
    let mut host = Host::start(RECORDER, &[]);
    accept(&host, message("C1", 1)).await;
    let copy = host.data().with_file_name("copy.db");
    let path = copy.to_str().expect("the path is text");
    // As in a timer: the config names a secret that is not there.
    let text = std::fs::read_to_string(host.config_path()).expect("the config");
    let config = format!(
        "{text}\n[connections.crm]\nbase_url = \"https://example.com\"\nbearer = {{ env = \"NOBODY_SET_THIS\" }}\n"
    );
    std::fs::write(host.config_path(), config).expect("the config is written");
    assert!(said(&host.cli(&["events", "list"])).contains("NOBODY_SET_THIS"), "others need all of it");
    assert_eq!(host.json(&["backup", path])["events"], 1);
    assert_eq!(host.json(&["forget", "--chat", "C1", "--dry-run"])["events"], 1);
    assert_eq!(host.json(&["forget", "--chat", "C1"])["events"], 1);
    assert!(host.stop(), "{}", host.log());
    let restored = said(&host.cli(&["restore", path]));
    assert!(restored.contains("1 events"), "{restored}");
    // What came since is brought back only if somebody wants it.
    assert!(restored.contains("`chatplug events recover --from 20"), "{restored}");
}

#[tokio::test]
async fn forgetting_beside_a_host_with_a_token_needs_that_token_and_no_other_secret() {
    const TOKEN: &str = "the-operators-token";
    let config =
        format!("[operator]\nlisten = \"127.0.0.1:0\"\ntoken = {{ env = \"OPERATOR_TOKEN\" }}\n{RECORDER}");
    let mut host = Host::prepared(&config, &[]).env("OPERATOR_TOKEN", TOKEN);
    host.run();
    accept(&host, message("C1", 1)).await;
    accept(&host, message("C2", 1)).await;
    let copy = host.data().with_file_name("copy.db");
    let path = copy.to_str().expect("the path is text");

    host.set_env("OPERATOR_TOKEN", None);
    assert_eq!(host.json(&["backup", path])["events"], 2);
    assert_eq!(host.json(&["forget", "--chat", "C1", "--dry-run"])["events"], 1);
    let refused = host.cli(&["forget", "--chat", "C1"]);
    assert!(!refused.status.success() && said(&refused).contains("OPERATOR_TOKEN"), "{}", said(&refused));

    host.set_env("OPERATOR_TOKEN", Some("the-token-of-somebody-else"));
    let listed = host.cli(&["connections", "list"]);
    assert!(
        listed.status.success() && said(&listed).contains("How they stand can't be asked"),
        "{}",
        said(&listed)
    );

    host.set_env("OPERATOR_TOKEN", Some(TOKEN));
    host.set_env("TEST_WEBHOOK_SECRET", None);
    assert_eq!(host.json(&["forget", "--chat", "C1"])["events"], 1, "the others are not needed");
    host.set_env("OPERATOR_TOKEN", None);
    assert!(host.stop(), "{}", host.log());
    assert_eq!(host.json(&["forget", "--chat", "C2"])["events"], 1, "nobody is asked");
}
