//! The operator is told: of incidents, once, and of each event by its trace.

use chatplug::simulator::{Fault, Slack, Times};
use chatplug_tests::{Host, PATIENCE, guest};
use rusqlite::Connection;
use serde_json::Value;

use crate::client::{accept, message, post};

const CONFIG: &str = "[operator]\nlisten = \"127.0.0.1:0\"\nnotify = \"alerts\"\n\
    [connections.alerts]\nkind = \"slack\"\nurl = { env = \"ALERTS_URL\" }\nallow_private = true\n\
    [plugin.hostile]\nevents = [\"incoming_event\"]\ndenies = [\"chats.tag\"]\nsettings = { do = \"tag\" }\n";

fn host(slack: &Slack) -> Host {
    let mut host = Host::prepared(CONFIG, &[guest("guest_hostile")]).env("ALERTS_URL", &slack.webhook_url());
    host.run();
    host
}

/// Waits for Slack to have so many messages; answers their texts. That this machine's disk is nearly full is none of them.
async fn told(slack: &Slack, count: usize) -> Vec<String> {
    let texts = |slack: &Slack| -> Vec<String> {
        let texts = slack.posts().into_iter().map(|post| post.text);
        texts.filter(|text| !text.contains("disk")).collect()
    };
    let waited = slack.wait_for("a message to the operator", PATIENCE, |slack| texts(slack).len() >= count);
    waited.await.unwrap_or_else(|late| panic!("{late}: {:?}", slack.posts()));
    texts(slack)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_told_once_also_across_a_failing_service_and_a_killed_host() {
    let slack = Slack::start().await.expect("a port");
    slack.faults().set("webhook", Fault::ErrorBeforeSaving, Times::Next(1));
    let mut host = host(&slack);
    accept(&host, message("C1", 1)).await;
    let texts = told(&slack, 1).await;
    assert_eq!(
        texts,
        [
            "*Chatplug* 1 dead letter of hostile in the last hour: `chatplug dead list --plugin hostile` shows why"
        ]
    );
    // A message whose telling is not on disk yet is told again: one too many is better than none.
    host.wait_for("what was told to be kept", || {
        let log = host.log();
        log.split_once("dead letter of hostile")?.1.contains("kept what the operator knows").then_some(())
    });
    host.kill();
    host.run();
    accept(&host, message("C2", 1)).await;
    host.wait_until_done(2);
    for _ in 0..8 {
        post(&host, message("C1", 2).replace("fixture-secret", "another")).await;
    }
    let texts = told(&slack, 2).await;
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[1].contains("8 webhooks were refused in ten minutes (wrong-secret)"), "{texts:?}");
    assert_eq!(slack.violations(), [""; 0]);
    let secret = slack.webhook_url();
    assert!(!host.log().contains(secret.rsplit('/').next().expect("a path")), "{}", host.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_and_who_refuses_credentials_is_told_and_each_end_is_told_once() {
    let (alerts, hook) = (Slack::start().await.expect("a port"), Slack::start().await.expect("a port"));
    let config = "[operator]\nlisten = \"127.0.0.1:0\"\nnotify = \"alerts\"\n\
        [connections.alerts]\nkind = \"slack\"\nurl = { env = \"ALERTS_URL\" }\nallow_private = true\n\
        [connections.hook]\nkind = \"slack\"\nurl = { env = \"HOOK_URL\" }\nallow_private = true\n\
        [plugin.poster]\nevents = [\"incoming_event\"]\ngrants = [\"http:hook\"]\nsettings = { path = \"\", posts = 1 }\n";
    let mut host = Host::prepared(config, &[guest("guest_poster")])
        .env("ALERTS_URL", &alerts.webhook_url())
        .env("HOOK_URL", &hook.webhook_url());
    host.run();
    hook.faults().set("webhook", Fault::ErrorAfterSaving, Times::Next(1));
    accept(&host, message("C1", 1)).await;
    let texts = told(&alerts, 1).await;
    assert!(texts[0].contains("1 delivery of poster in doubt"), "{texts:?}");
    hook.faults().set("webhook", Fault::Unauthorized, Times::UntilCleared);
    accept(&host, message("C2", 1)).await;
    let texts = told(&alerts, 2).await;
    assert!(texts[1].contains("connections.hook refuses our credentials"), "{texts:?}");

    hook.faults().clear();
    host.json(&["held", "resolve", "--all", "--sent"]);
    assert!(host.stop(), "{}", host.log());
    // As it is kept after five minutes of quiet, which are longer than a test.
    let over = "UPDATE incidents SET incident = json_set(incident, '$.is_over', json('true'))";
    let store = Connection::open(host.data().join("chatplug.db")).expect("the store");
    assert_eq!(store.execute(over, []).expect("they are over"), 2);
    host.run();
    let mut ends = told(&alerts, 4).await.split_off(2);
    ends.sort();
    assert!(
        ends[0].contains("over after") && ends[0].contains("connections.hook takes no requests"),
        "{ends:?}"
    );
    assert!(ends[1].contains("over after") && ends[1].contains("held deliveries of poster"), "{ends:?}");
    host.wait_for("nothing to be kept of them", || {
        let count = store.query_row("SELECT count(*) FROM incidents", [], |row| row.get::<_, i64>(0));
        (count.expect("a number") == 0).then_some(())
    });
    host.kill();
    host.run();
    // What comes next is another incident.
    for _ in 0..8 {
        post(&host, message("C1", 2).replace("fixture-secret", "another")).await;
    }
    let texts = told(&alerts, 5).await;
    assert!(texts.len() == 5 && texts[4].contains("8 webhooks were refused"), "{texts:?}");
}

#[tokio::test]
async fn every_log_line_of_an_event_has_its_trace() {
    let slack = Slack::start().await.expect("a port");
    let host = host(&slack);
    accept(&host, message("C1", 1)).await;
    accept(&host, message("C2", 1)).await;
    host.wait_until_done(2);
    let trace = |id: &str| -> String {
        let Value::String(trace) = host.json(&["events", "show", id])["trace"].clone() else {
            panic!("a trace")
        };
        trace
    };
    let (one, other) = (trace("ev-1"), trace("ev-2"));
    assert!(one.len() == 32 && one != other, "{one} {other}");
    let log = host.log();
    for said in ["stored a webhook", "plugin: denied: ", "it is a dead letter now"] {
        let lines: Vec<&str> =
            log.lines().filter(|line| line.contains(said) && line.contains(&one)).collect();
        assert_eq!(lines.len(), 1, "`{said}` with {one} in\n{log}");
        assert!(lines[0].contains("ev-1"), "{}", lines[0]);
    }
    let named = log.lines().filter(|line| line.contains("event=\"ev-1\"") || line.contains("event=ev-1 "));
    assert!(named.clone().count() >= 3 && named.clone().all(|line| line.contains(&one)), "{log}");
}
