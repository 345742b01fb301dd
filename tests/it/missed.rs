//! Webhooks that LiveChat gave up while the host was down: what it lists of them is recovered, in order, once.

use std::collections::BTreeSet;
use std::time::Duration;

use chatplug::simulator::livechat::{self, EndedBy, Happening, Opening, Told};
use chatplug::simulator::{Fault, Livechat, Times};
use chatplug::store::{Clock, Meters, Store};
use chatplug_tests::{Host, PATIENCE, SECRET};
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::services::SMITH;

const CHATS: usize = 500;
/// So many of them go on when the host is back.
const GOING_ON: usize = 20;
const TYPES: &str = "[plugin.recorder]\nevents = [\"incoming_chat\", \"incoming_event\", \"thread_tagged\", \
                     \"chat_deactivated\", \"chat_rated\", \"chat_transferred\"]\n";

fn config(livechat: &Livechat) -> String {
    format!(
        "[livechat]\nbase_url = \"{}\"\nallow_private = true\naccount_id = \"{}\"\ntoken = {{ env = \"LIVECHAT_PAT\" }}\n{TYPES}",
        livechat.base_url(),
        livechat::ACCOUNT_ID
    )
}

/// What an event is known by: type, chat, thread, and which of its kind.
type Identity = (String, String, String, String);

fn identity(event_type: &str, payload: &Value) -> Identity {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (chat, thread, which) = match event_type {
        "incoming_chat" => (&payload["chat"]["id"], &payload["chat"]["thread"]["id"], &Value::Null),
        "thread_tagged" => (&payload["chat_id"], &payload["thread_id"], &payload["tag"]),
        "chat_rated" => (&payload["chat_id"], &payload["thread_id"], &payload["change"]),
        _ => (&payload["chat_id"], &payload["thread_id"], &payload["event"]["id"]),
    };
    (event_type.to_owned(), text(chat), text(thread), text(which))
}

/// What webhooks tell, of the types that can be listed, with the messages that come inside of others.
fn told(bodies: &[Value]) -> Vec<Identity> {
    let mut all = Vec::new();
    for body in bodies {
        let (action, payload) = (body["action"].as_str().expect("an action"), &body["payload"]);
        if ["incoming_chat", "incoming_event", "thread_tagged", "chat_deactivated"].contains(&action) {
            all.push(identity(action, payload));
        }
        let chat = &payload["chat"];
        for event in chat["thread"]["events"].as_array().into_iter().flatten() {
            let message = json!({"chat_id": chat["id"], "thread_id": chat["thread"]["id"], "event": event});
            all.push(identity("incoming_event", &message));
        }
        if payload["event"]["system_message_type"] == "rating.chat_rated" {
            let mut rated = payload.clone();
            rated["change"] = json!("rated");
            all.push(identity("chat_rated", &rated));
        }
    }
    all
}

/// A stored event: what it is known by, when it happened, whether it was recovered.
struct Stored {
    identity: Identity,
    occurred_at_ms: Option<i64>,
    recovered: bool,
}

/// All events, in the order in which they were stored.
fn stored(host: &Host) -> Vec<Stored> {
    let file = Connection::open(host.data().join("chatplug.db")).expect("the store");
    let mut select = file
        .prepare("SELECT type, payload, occurred_at, recovered FROM events ORDER BY id")
        .expect("the table");
    let row = |row: &rusqlite::Row<'_>| -> rusqlite::Result<Stored> {
        let (event_type, payload): (String, String) = (row.get(0)?, row.get(1)?);
        let payload = serde_json::from_str(&payload).expect("JSON");
        let identity = identity(&event_type, &payload);
        Ok(Stored { identity, occurred_at_ms: row.get(2)?, recovered: row.get(3)? })
    };
    select.query_map([], row).expect("rows").collect::<rusqlite::Result<_>>().expect("rows")
}

/// Lets a host that is stopped have been down since then.
fn down_since(host: &Host, ago: SignedDuration) {
    let at_ms = (Timestamp::now() - ago).as_millisecond();
    Store::open_with(&host.data(), Meters::none(), Clock::new(move || at_ms)).expect("the store").close();
}

/// The simulated platform, with its clock so long ago; answers what each deed tells.
struct Day {
    livechat: Livechat,
    bodies: Vec<Value>,
}

impl Day {
    fn at(&self, ago_seconds: i64) {
        self.livechat.shift_clock(SignedDuration::from_secs(-ago_seconds));
    }

    fn told(&mut self, told: Told) -> Happening {
        let happening = told.expect("it can happen");
        self.bodies.extend(happening.webhooks.iter().cloned());
        happening
    }

    fn open(&mut self, customer: &str) -> String {
        let opening = Opening { first_message: Some("hi".to_owned()), ..Opening::by(customer) };
        let told = self.livechat.start_chat(&opening);
        self.told(told).chat_id
    }

    /// A chat of a minute; every third is tagged, every fifth rated, and most end.
    fn chat(&mut self, number: usize, began_ago: i64) {
        self.at(began_ago);
        let chat_id = self.open(&format!("Customer {number}"));
        self.at(began_ago - 20);
        let told = self.livechat.customer_says(&chat_id, "where is my order?");
        self.told(told);
        let told = self.livechat.agent_says(&chat_id, SMITH, "on its way");
        self.told(told);
        if number.is_multiple_of(3) {
            let told = self.livechat.agent_tags(&chat_id, "sales");
            self.told(told);
        }
        if number < GOING_ON {
            return;
        }
        self.at(began_ago - 60);
        let told = self.livechat.end_chat(&chat_id, &EndedBy::Router);
        self.told(told);
        if number.is_multiple_of(5) {
            let told = self.livechat.rate(&chat_id, 0);
            self.told(told);
        }
    }
}

/// What is known twice, out of order, or recovered without a time.
fn wrong(stored: &[Stored]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut known = BTreeSet::new();
    for event in stored {
        if !known.insert(&event.identity) {
            wrong.push(format!("twice: {:?}", event.identity));
        }
        if event.recovered && event.occurred_at_ms.is_none() {
            wrong.push(format!("no time: {:?}", event.identity));
        }
    }
    let mut last: std::collections::BTreeMap<&str, &Stored> = Default::default();
    // A tag has no time of its own.
    for event in stored.iter().filter(|event| event.recovered && event.identity.0 != "thread_tagged") {
        let before = last.insert(&event.identity.1, event);
        if let Some(before) = before.filter(|before| before.occurred_at_ms > event.occurred_at_ms) {
            wrong.push(format!("out of order: {:?} before {:?}", before.identity, event.identity));
        }
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_listed_of_an_hour_of_outage_is_recovered_in_order_and_once() {
    let livechat = Livechat::start().await.expect("a port");
    livechat.set_retry_spacing(Duration::from_millis(1));
    let mut host = Host::prepared(&config(&livechat), &[]).env("LIVECHAT_PAT", livechat::PAT);
    host.run();
    livechat.send_webhooks_to(&host.url("/webhooks/livechat"), SECRET);
    let mut day = Day { livechat: livechat.clone(), bodies: Vec::new() };
    // A chat that is known goes on while the host is down.
    day.at(7_000);
    let known = day.open("Early Bird");
    livechat.wait_delivered(PATIENCE).await.expect("the host is up");
    let before = stored(&host).len();
    assert!(before >= 2, "the chat and its message");

    assert!(host.stop(), "{}", host.log());
    down_since(&host, SignedDuration::from_hours(1));
    for number in 0..CHATS {
        // Within the hour, and before its last minutes.
        day.chat(number, 3_500 - 6 * number as i64);
    }
    day.at(300);
    let said = livechat.customer_says(&known, "are you there?");
    day.told(said);
    let ended = livechat.end_chat(&known, &EndedBy::Router);
    day.told(ended);
    let expected: BTreeSet<Identity> = told(&day.bodies).into_iter().collect();

    host.run();
    // It is killed in the middle, and goes on.
    host.wait_for("some to be recovered", || (stored(&host).len() > before + 100).then_some(()));
    host.kill();
    host.run();
    host.wait_for("everything to be recovered", || (stored(&host).len() >= expected.len()).then_some(()));
    host.wait_for("the operator to be told", || host.log().contains("missed-webhooks").then_some(()));
    let all = stored(&host);
    let found: BTreeSet<Identity> = all.iter().map(|event| event.identity.clone()).collect();
    assert_eq!(found, expected, "what webhooks would have told, and nothing else");
    assert_eq!(wrong(&all), [""; 0]);
    assert_eq!(all.iter().filter(|event| event.recovered).count(), all.len() - before);
    assert!(all.iter().take(before).all(|event| !event.recovered));

    let again = host.json(&["events", "recover", "--from", "2h"]);
    assert_eq!((&again["recovered"], &again["unfinished"]), (&json!({}), &Value::Null), "{again:#}");
    assert!(again["conversations"].as_u64() > Some(CHATS as u64 - 1), "{again:#}");
    assert_eq!(again["not_listed"], json!(["chat_transferred"]));
    // Late, LiveChat brings some of it by itself.
    let url = host.url("/webhooks/livechat");
    // Of a tag only what comes within two minutes is known to be the same.
    let is_listed = |body: &&Value| body["action"] != "thread_tagged" && !told(&[(*body).clone()]).is_empty();
    let late: Vec<&Value> = day.bodies.iter().filter(is_listed).step_by(7).collect();
    assert!(late.len() > 300, "{}", late.len());
    for body in late {
        let mut body = body.clone();
        body["secret_key"] = json!(SECRET);
        assert_eq!(livechat.post(&url, &body).await, Ok(200));
    }
    assert_eq!(stored(&host).len(), all.len(), "nothing is doubled");
    let metrics =
        reqwest::get(host.operator_url("/metrics")).await.expect("metrics").text().await.expect("text");
    let counted = "chatplug_reconcile_missing_total{type=\"chat_deactivated\"}";
    assert!(metrics.lines().any(|line| line.starts_with(counted) && !line.ends_with(" 0")), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_has_it_looked_between_two_times() {
    let livechat = Livechat::start().await.expect("a port");
    let host = Host::prepared(&config(&livechat), &[]).env("LIVECHAT_PAT", livechat::PAT);
    let said = host.cli(&["events", "recover"]);
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(!said.status.success() && text.contains("no host runs"), "{text}");
    let mut host = host;
    host.run();
    let mut day = Day { livechat: livechat.clone(), bodies: Vec::new() };
    for (number, ago) in [(50, 7_200), (51, 3_600), (52, 600)] {
        day.chat(number, ago);
    }
    let found = host.json(&["events", "recover", "--from", "90m", "--to", "30m"]);
    // The second chat: it begins, three messages and the platform's that it has ended, it is tagged, it ends.
    let expected =
        json!({"chat_deactivated": 1, "incoming_chat": 1, "incoming_event": 4, "thread_tagged": 1});
    assert_eq!(found["recovered"], expected, "{found:#}");
    let events = host.events();
    assert!(events.iter().all(|event| event["recovered"] == true), "{events:#?}");
    let shown = host.cli(&["events", "show", "ev-1"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("recovered"));
    let audit = host.json(&["audit", "list"]);
    assert_eq!(audit[0]["action"], "events.recover", "{audit:#}");
    livechat.faults().set("list_archives", Fault::Down, Times::UntilCleared);
    let said = host.cli(&["events", "recover", "--from", "3h"]);
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(!said.status.success() && text.contains("not everything was looked at"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_api_says_that_it_can_not() {
    let livechat = Livechat::start().await.expect("a port");
    let config = format!(
        "[livechat]\napi = \"v2\"\nbase_url = \"{}\"\nallow_private = true\nlogin = \"{}\"\n\
         api_key = {{ env = \"LIVECHAT_API_KEY\" }}\n{TYPES}",
        livechat.base_url(),
        livechat::V2_LOGIN
    );
    let mut host = Host::prepared(&config, &[]).env("LIVECHAT_API_KEY", livechat::V2_KEY);
    host.run();
    assert!(host.stop(), "{}", host.log());
    down_since(&host, SignedDuration::from_hours(1));
    host.run();
    let said = host.cli(&["events", "recover"]);
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(!said.status.success() && text.contains("the older API"), "{text}");
    host.wait_for("the log to say it", || host.log().contains("nothing tells which").then_some(()));
}
