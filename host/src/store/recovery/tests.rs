use std::sync::atomic::{AtomicI64, Ordering};

use super::super::tests::{Bench, NOW_MS, PLUGIN};
use super::super::{Clock, Meters, NewWebhook, Route};
use super::*;
use crate::event::rating::{Part, Said, Scale};
use crate::event::types::CHAT_RATED;
use crate::event::{Dedupe, Source};

fn routes() -> Arc<Routes> {
    let route = || vec![Route { plugin: PLUGIN.into(), own_events: false }];
    let types = ["incoming_event", "thread_tagged", CHAT_RATED];
    Arc::new(types.map(|event_type| (event_type.to_owned(), route())).into())
}

fn event(event_type: &str, dedupe: Dedupe, recovered: bool) -> NewEvent {
    NewEvent {
        event_type: event_type.to_owned(),
        source: Source::Livechat,
        organization: None,
        occurred_at_ms: Some(NOW_MS - 5_000),
        chat_id: Some("C".to_owned()),
        thread_id: Some("T".to_owned()),
        lane: Some("chat/C".to_owned()),
        dedupe,
        trace: Default::default(),
        payload: "{}".to_owned(),
        extra: "{}".to_owned(),
        original: String::new(),
        recovered,
    }
}

fn message(recovered: bool) -> NewEvent {
    event("incoming_event", Dedupe::Key("C T incoming_event 1".to_owned()), recovered)
}

fn tag(recovered: bool) -> NewEvent {
    event("thread_tagged", Dedupe::Window("C T thread_tagged x".to_owned()), recovered)
}

fn signal(score: i64, said: Said) -> Signal {
    Signal {
        organization: None,
        chat_id: "C".to_owned(),
        thread_id: Some("T".to_owned()),
        scale: Scale::ZeroToOne,
        score: Part::Set(score),
        comment: Part::Unmentioned,
        said,
    }
}

/// What a look brings, each as a type.
async fn look(bench: &Bench, told: Vec<NewEvent>, rating: Option<Signal>, at_ms: i64) -> Vec<String> {
    let told = told.into_iter().map(|event| Told { event: Some(event), rating: None }).collect();
    let conversation = Recovered { told, rating, last_ms: NOW_MS - 5_000 };
    let found = bench.store().recover(conversation, routes(), at_ms).await.expect("it is stored");
    found.into_iter().map(|found| found.event_type).collect()
}

/// What a webhook brings: how many events are stored, and how many of them flagged.
async fn webhook(bench: &Bench, event: NewEvent, rating: Option<Signal>, at_ms: i64) -> (usize, usize) {
    let webhook = NewWebhook { events: vec![event], rating };
    let accepted = bench.store().accept(webhook, routes(), at_ms).await.expect("it is stored");
    (accepted.stored.len(), accepted.flagged)
}

#[tokio::test]
async fn what_a_webhook_or_a_look_brought_is_not_stored_again() {
    let bench = Bench::new();
    assert_eq!(webhook(&bench, message(false), None, NOW_MS).await, (1, 0));
    assert_eq!(look(&bench, vec![message(true), tag(true)], None, NOW_MS).await, ["thread_tagged"]);
    assert_eq!(look(&bench, vec![message(true), tag(true)], None, NOW_MS).await, [""; 0]);
    assert_eq!(webhook(&bench, message(false), None, NOW_MS).await, (0, 0));
    assert_eq!(bench.number("SELECT count(*) FROM deliveries"), 2, "what is recovered is delivered");
    assert_eq!(bench.number("SELECT sum(recovered) FROM events"), 1);
}

#[tokio::test]
async fn a_late_webhook_of_what_was_recovered_is_known_and_a_later_one_is_new() {
    let bench = Bench::new();
    assert_eq!(look(&bench, vec![tag(true)], None, NOW_MS).await, ["thread_tagged"]);
    assert_eq!(webhook(&bench, tag(false), None, NOW_MS + 60_000).await, (0, 0), "LiveChat's retry");
    assert_eq!(webhook(&bench, tag(false), None, NOW_MS + 130_000).await, (1, 0), "tagged again");
    assert_eq!(webhook(&bench, tag(false), None, NOW_MS + 140_000).await, (1, 1), "perhaps a retry");
    assert_eq!(look(&bench, vec![tag(true)], None, NOW_MS + 150_000).await, [""; 0]);
}

#[tokio::test]
async fn a_rating_that_is_known_is_none() {
    let bench = Bench::new();
    let said = |at_ms| Said::At(at_ms);
    let listed = |score| Some(signal(score, Said::Before(NOW_MS)));
    assert_eq!(look(&bench, vec![], listed(0), NOW_MS).await, [CHAT_RATED]);
    let at = bench.number("SELECT occurred_at FROM events WHERE recovered");
    assert_eq!(at, NOW_MS - 5_000, "at the latest when something happened last");
    assert_eq!(look(&bench, vec![], listed(0), NOW_MS + 600_000).await, [""; 0]);
    let rated = Some(signal(1, said(NOW_MS + 700_000)));
    assert_eq!(webhook(&bench, message(false), rated, NOW_MS + 700_000).await, (2, 0));
    assert_eq!(look(&bench, vec![], listed(1), NOW_MS + 800_000).await, [""; 0]);
}

#[tokio::test]
async fn what_is_listed_of_a_rating_gives_way_to_what_came_since_it_was_asked_for() {
    let bench = Bench::new();
    let live = Some(signal(1, Said::At(NOW_MS + 2_000)));
    assert_eq!(webhook(&bench, message(false), live, NOW_MS + 2_500).await, (2, 0));
    let listed = |asked_ms| Some(signal(0, Said::Before(asked_ms)));
    assert_eq!(look(&bench, vec![], listed(NOW_MS + 1_000), NOW_MS + 3_000).await, [""; 0]);
    assert_eq!(look(&bench, vec![], listed(NOW_MS + 600_000), NOW_MS + 601_000).await, [CHAT_RATED]);
}

#[tokio::test]
async fn an_outage_is_owed_until_it_was_looked_at() {
    let mut bench = Bench::new();
    assert_eq!(bench.store().outage().await.unwrap(), None, "the first start");
    let mut reopen = |at_ms| {
        bench.close();
        bench.set_clock(at_ms);
        bench.open();
    };
    reopen(NOW_MS + REPEATED_MS - 1);
    reopen(NOW_MS + 3 * REPEATED_MS);
    // A short one after it.
    reopen(NOW_MS + 3 * REPEATED_MS + 1);
    let outage = bench.store().outage().await.unwrap().expect("LiveChat gave up");
    let began_ms = NOW_MS + REPEATED_MS - 1;
    assert_eq!(outage, Outage { began_ms, ended_ms: NOW_MS + 3 * REPEATED_MS });
    bench.close();
    bench.set_clock(NOW_MS + 9 * REPEATED_MS);
    bench.open();
    bench.store().outage_is_over(outage).await.unwrap();
    let longer = Outage { began_ms, ended_ms: NOW_MS + 9 * REPEATED_MS };
    assert_eq!(bench.store().outage().await.unwrap(), Some(longer), "another one came meanwhile");
    bench.store().outage_is_over(longer).await.unwrap();
    assert_eq!(bench.store().outage().await.unwrap(), None);
}

#[tokio::test]
async fn a_machine_that_slept_was_out() {
    let folder = tempfile::tempdir().unwrap();
    let machine_ms = Arc::new(AtomicI64::new(NOW_MS));
    let machine = machine_ms.clone();
    let clock = Clock::beside(|| NOW_MS, move || machine.load(Ordering::Relaxed));
    let open = || Store::open_with(folder.path(), Meters::none(), clock.clone()).unwrap();
    let opened = open();
    machine_ms.store(NOW_MS + REPEATED_MS, Ordering::Relaxed);
    // The last sign of life of this start.
    opened.close();
    let opened = open();
    let slept = Outage { began_ms: NOW_MS, ended_ms: NOW_MS + REPEATED_MS };
    assert_eq!(opened.store.outage().await.unwrap(), Some(slept));
    opened.close();
}

#[test]
fn a_host_that_lives_and_stores_nothing_is_out() {
    let bench = Bench::new();
    bench.on_file(|file| {
        note_gap(file, NOW_MS, NOW_MS + 10_000).unwrap();
        note_gap(file, NOW_MS, NOW_MS + REPEATED_MS).unwrap();
    });
    assert_eq!(bench.number("SELECT ended_at - began_at FROM outage"), REPEATED_MS);
}
