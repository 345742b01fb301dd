//! Webhooks that LiveChat gave up while the host was down: what it lists of them is recovered, in order, once, and comes
//! to plugins in that order, with the flag that says so.

use std::collections::BTreeSet;
use std::time::Duration;

use chatplug::simulator::livechat;
use chatplug::simulator::{Fault, Livechat, Times};
use chatplug::store::{Clock, Meters, Store};
use chatplug_tests::{Host, PATIENCE, SECRET, guest};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::metrics::figures;

mod day;
mod events;

use day::{Day, Identity, told};
use events::{got, got_count, stored, stored_count, wrong, wrongly_got};

/// Chats that go on in the outage.
const CHATS: usize = 500;
/// So many of them have begun before, the others begin in it.
const BEGUN: usize = 250;
/// Each of so many still goes on when the host is back.
const GOES_ON: usize = 4;
const TYPES: &str = "[plugin.reader]\nevents = [\"incoming_chat\", \"incoming_event\", \"thread_tagged\", \
                     \"chat_deactivated\", \"chat_rated\", \"chat_transferred\"]\n";

fn config(livechat: &Livechat) -> String {
    format!(
        "[livechat]\nbase_url = \"{}\"\nallow_private = true\naccount_id = \"{}\"\ntoken = {{ env = \"LIVECHAT_PAT\" }}\n{TYPES}",
        livechat.base_url(),
        livechat::ACCOUNT_ID
    )
}

/// Lets a host that is stopped have been down since then.
fn down_since(host: &Host, ago: SignedDuration) {
    let at_ms = (Timestamp::now() - ago).as_millisecond();
    Store::open_with(&host.data(), Meters::none(), Clock::new(move || at_ms)).expect("the store").close();
}

/// Waits until there are so many; the longer, the more there are already.
fn wait_for(host: &Host, what: &str, count: usize, counted: impl Fn(&Host) -> usize) {
    let mut so_far = counted(host);
    while so_far < count {
        so_far = host.wait_for(what, || Some(counted(host)).filter(|now| *now > so_far));
    }
}

/// Chats and their numbers.
type Chats = Vec<(usize, String)>;

/// An hour in which chats go on that have begun, and others begin; in each a question is answered. Answers those that
/// don't end in it.
fn hour(day: &mut Day, begun: Chats) -> Chats {
    let new = (begun.len()..CHATS).map(|number| (number, None));
    let chats = begun.into_iter().map(|(number, chat_id)| (number, Some(chat_id))).chain(new);
    let mut going_on = Chats::new();
    for (number, chat_id) in chats {
        // Within the hour, and before its last minutes.
        let ago = 3_500 - 6 * number as i64;
        day.at(ago);
        let chat_id = chat_id.unwrap_or_else(|| day.begin(number));
        day.at(ago - 20);
        day.ask(&chat_id);
        day.answer(number, &chat_id);
        if number.is_multiple_of(GOES_ON) {
            going_on.push((number, chat_id));
        } else {
            day.at(ago - 60);
            day.end(number, &chat_id);
        }
    }
    going_on
}

/// An operator has it looked once more: there is nothing.
fn expect_nothing_more(host: &Host) {
    let again = host.json(&["events", "recover", "--from", "2h"]);
    assert_eq!((&again["recovered"], &again["unfinished"]), (&json!({}), &Value::Null), "{again:#}");
    assert!(again["conversations"].as_u64() >= Some(CHATS as u64), "{again:#}");
    assert_eq!(again["not_listed"], json!(["chat_transferred"]));
}

/// Whether a webhook tells something that can be listed.
fn is_listed(body: &Value) -> bool {
    !told(std::slice::from_ref(body)).is_empty()
}

/// Posts webhooks to the host, one after the other.
async fn post(livechat: &Livechat, host: &Host, bodies: &[&Value]) {
    let url = host.url("/webhooks/livechat");
    for body in bodies {
        let mut body = (*body).clone();
        body["secret_key"] = json!(SECRET);
        assert_eq!(livechat.post(&url, &body).await, Ok(200));
    }
}

/// Late, LiveChat brings some of it by itself.
async fn expect_no_double(livechat: &Livechat, host: &Host, bodies: &[Value]) {
    let before = stored_count(host);
    // Of a tag only what comes within two minutes is known to be the same.
    let is_known = |body: &&Value| body["action"] != "thread_tagged" && is_listed(body);
    let late: Vec<&Value> = bodies.iter().filter(is_known).step_by(7).collect();
    assert!(late.len() > 300, "{}", late.len());
    post(livechat, host, &late).await;
    assert_eq!(stored_count(host), before, "nothing is doubled");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_listed_of_an_hour_of_outage_is_recovered_in_order_and_once() {
    let livechat = Livechat::start().await.expect("a port");
    let mut host =
        Host::prepared(&config(&livechat), &[guest("guest_reader")]).env("LIVECHAT_PAT", livechat::PAT);
    host.run();
    livechat.send_webhooks_to(&host.url("/webhooks/livechat"), SECRET);
    let mut day = Day::of(&livechat);
    let begin = |number: usize| {
        // The last ones right before it.
        day.at(5_104 - 6 * number as i64);
        (number, day.begin(number))
    };
    let begun: Chats = (0..BEGUN).map(begin).collect();
    livechat.wait_delivered(PATIENCE).await.expect("the host is up");
    let before = stored_count(&host);
    assert_eq!(before, 2 * BEGUN, "the chats and their first messages");

    assert!(host.stop(), "{}", host.log());
    down_since(&host, SignedDuration::from_hours(1));
    // Nobody is there: LiveChat soon gives up.
    livechat.set_retry_spacing(Duration::from_millis(1));
    let going_on = hour(&mut day, begun);
    let expected: BTreeSet<Identity> = told(&day.bodies).into_iter().collect();

    host.run();
    // It is killed in the middle, and goes on.
    wait_for(&host, "some to be recovered", before + 100, stored_count);
    host.kill();
    host.run();
    wait_for(&host, "everything to be recovered", expected.len(), stored_count);
    host.wait_for("the operator to be told", || host.log().contains("missed-webhooks").then_some(()));
    let all = stored(&host);
    let found: BTreeSet<Identity> = all.iter().map(|event| event.identity.clone()).collect();
    assert_eq!(found, expected, "what webhooks would have told, and nothing else");
    assert_eq!(wrong(&all), [""; 0]);
    assert!(all.iter().take(before).all(|event| !event.recovered));
    assert!(all.iter().skip(before).all(|event| event.recovered));
    expect_nothing_more(&host);
    expect_no_double(&livechat, &host, &day.bodies).await;

    // The host is back, and the chats that went on end.
    let known = day.bodies.len();
    day.at(0);
    for (number, chat_id) in &going_on {
        day.ask(chat_id);
        day.end(*number, chat_id);
    }
    let live: Vec<&Value> = day.bodies[known..].iter().filter(|body| is_listed(body)).collect();
    post(&livechat, &host, &live).await;
    let expected: BTreeSet<Identity> = told(&day.bodies).into_iter().collect();
    wait_for(&host, "the plugin to get everything", expected.len(), got_count);
    let all = stored(&host);
    let found: BTreeSet<Identity> = all.iter().map(|event| event.identity.clone()).collect();
    assert_eq!(found, expected, "and what happened afterwards");
    assert_eq!(wrong(&all), [""; 0]);
    assert_eq!(wrongly_got(&all, &got(&host)), [""; 0]);
    expect_counted(&host).await;
}

async fn expect_counted(host: &Host) {
    let metrics = figures(host).await;
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
    let mut day = Day::of(&livechat);
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
