use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tempfile::TempDir;

use super::super::clock::Machine;
use super::super::tests::{DAY_MS, NOW_MS, PLUGIN};
use super::super::{Clock, Meters, NewWebhook, Opened, Route, Routes};
use super::*;
use crate::delivery::{DeliveryId, State};
use crate::event::{Dedupe, NewEvent, Source};
use crate::store::Finish;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// What the clocks of a machine show.
#[derive(Clone)]
struct Shows {
    wall: Arc<AtomicI64>,
    passed: Arc<AtomicI64>,
    awake: Arc<AtomicI64>,
}

impl Shows {
    fn new() -> Shows {
        let shows = |ms| Arc::new(AtomicI64::new(ms));
        Shows { wall: shows(NOW_MS), passed: shows(MINUTE), awake: shows(MINUTE) }
    }

    fn machine(&self) -> Machine {
        let tells = |clock: &Arc<AtomicI64>| {
            let clock = clock.clone();
            Box::new(move || clock.load(Ordering::Relaxed))
        };
        Machine { wall_ms: tells(&self.wall), passed_ms: tells(&self.passed), awake_ms: tells(&self.awake) }
    }

    fn pass(&self, ms: i64) {
        self.awake.fetch_add(ms, Ordering::Relaxed);
        self.sleep(ms);
    }

    fn sleep(&self, ms: i64) {
        self.passed.fetch_add(ms, Ordering::Relaxed);
        self.set(ms);
    }

    fn set(&self, by_ms: i64) {
        self.wall.fetch_add(by_ms, Ordering::Relaxed);
    }
}

struct Stage {
    shows: Shows,
    opened: Opened,
    folder: TempDir,
}

fn open(folder: &Path, shows: &Shows) -> Opened {
    Store::open_with(folder, Meters::none(), Clock::following(shows.machine())).expect("the store opens")
}

impl Stage {
    fn new() -> Stage {
        let (folder, shows) = (tempfile::tempdir().expect("a folder"), Shows::new());
        let opened = open(folder.path(), &shows);
        Stage { shows, opened, folder }
    }

    fn reopen(self) -> Stage {
        let Stage { shows, opened, folder } = self;
        opened.close();
        let opened = open(folder.path(), &shows);
        Stage { shows, opened, folder }
    }

    fn store(&self) -> &Store {
        &self.opened.store
    }

    fn now_ms(&self) -> i64 {
        self.store().clock().now_ms()
    }

    async fn accept(&self, chat: &str) {
        let event = NewEvent {
            event_type: "incoming_event".to_owned(),
            source: Source::Livechat,
            organization: None,
            occurred_at_ms: None,
            chat_id: Some(chat.to_owned()),
            thread_id: None,
            lane: Some(format!("chat/{chat}")),
            dedupe: Dedupe::Key(chat.to_owned()),
            trace: Default::default(),
            payload: "{}".to_owned(),
            extra: "{}".to_owned(),
            original: String::new(),
            recovered: false,
        };
        let route = Route { plugin: PLUGIN.into(), own_events: false };
        let routes = Routes::from([("incoming_event".to_owned(), vec![route])]);
        let webhook = NewWebhook { events: vec![event], rating: None };
        self.store().accept(webhook, Arc::new(routes), self.now_ms()).await.expect("it is stored");
    }

    async fn finish(&self, delivery: i64, state: State, wait_ms: i64) {
        let now_ms = self.now_ms();
        let finish = Finish {
            id: DeliveryId(delivery),
            run: 0,
            state,
            due_at_ms: now_ms + wait_ms,
            attempts: 1,
            crashes: 0,
            version: None,
            outcome: "retry",
            reason: "as the test says".to_owned(),
            log: String::new(),
            crash: None,
            journaled: false,
            anew: false,
            decisions: Default::default(),
        };
        assert!(self.store().finish(finish, now_ms).await.expect("it is recorded"), "it was pending");
    }

    async fn timer(&self, wait_ms: i64) {
        let now_ms = self.now_ms();
        let insert = move |connection: &Connection| {
            let sql = "INSERT INTO timers (plugin, chat, key, due_at, set_at, payload) VALUES ('p', '', 'k', ?1, ?2, '{}')";
            connection.execute(sql, [now_ms + wait_ms, now_ms]).map(|_| ())
        };
        self.store().write(move |group| insert(group.connection)).await.expect("it is set");
    }

    /// The clock that was set is followed.
    async fn follow(&self) -> Step {
        assert_eq!(self.store().follow_clock().await.expect("it is written"), None, "not at once");
        self.shows.pass(MINUTE);
        self.store().follow_clock().await.expect("it is written").expect("it has lasted")
    }

    /// What is left of the wait of a delivery and of the timer, as a new start would see it.
    async fn left_ms(&self, delivery: i64) -> (i64, i64) {
        let now_ms = self.now_ms();
        let rows = self.store().pending(PLUGIN.into(), DeliveryId(delivery - 1), 1).await.expect("rows");
        let pending = rows.into_iter().next().expect("it is pending").by_clock(now_ms);
        let due = "SELECT due_at FROM timers";
        let timer =
            self.store().read(move |connection| connection.query_row(due, [], |row| row.get::<_, i64>(0)));
        (pending.due_at_ms - now_ms, timer.await.map_or(0, |due_ms| due_ms - now_ms))
    }

    fn age_ms(&self, accepted_at_ms: i64) -> i64 {
        self.store().uptime().between(accepted_at_ms, self.now_ms()).as_millis() as i64
    }
}

#[tokio::test]
async fn that_the_clock_was_set_is_no_time_that_passed() {
    let stage = Stage::new();
    let received_ms = stage.now_ms();
    let age_s = |at_ms: i64| stage.store().clock().since(at_ms).as_secs();
    stage.shows.pass(5 * MINUTE);
    stage.shows.set(HOUR);
    assert_eq!(age_s(received_ms), 300, "before it is followed");
    stage.follow().await;
    assert_eq!(age_s(received_ms), 360, "and since");
    let later_ms = stage.now_ms();
    stage.shows.sleep(MINUTE);
    assert_eq!((age_s(received_ms), age_s(later_ms)), (420, 60));
    stage.shows.set(-2 * HOUR);
    stage.follow().await;
    assert_eq!(age_s(received_ms), 0, "what can't be told is not too old");
}

#[tokio::test]
async fn a_clock_that_is_set_forward_makes_nothing_late_and_hides_no_dead_letter() {
    let stage = Stage::new();
    stage.accept("C1").await;
    stage.accept("C2").await;
    stage.finish(1, State::Pending, 15 * MINUTE).await;
    stage.timer(30 * MINUTE).await;
    stage.shows.set(2 * HOUR);
    let step = stage.follow().await;
    assert_eq!(step, Step { at_ms: NOW_MS + MINUTE, by_ms: 2 * HOUR });
    assert_eq!(stage.now_ms(), stage.shows.wall.load(Ordering::Relaxed));
    assert_eq!(stage.left_ms(1).await, (14 * MINUTE, 29 * MINUTE));
    let late = stage.store().past_due(PLUGIN.into(), stage.now_ms() - 5 * MINUTE).await.expect("it is read");
    assert_eq!(late, Some(NOW_MS), "the second, which is due since it was accepted");
    stage.finish(2, State::Dead, 0).await;
    let late = stage.store().past_due(PLUGIN.into(), stage.now_ms() - 5 * MINUTE).await.expect("it is read");
    assert_eq!(late, None, "the first waits for its retry");
    let dead = stage.store().dead_since(stage.now_ms() - HOUR).await.expect("it is read");
    assert_eq!(dead.get(PLUGIN), Some(&1));
    assert_eq!(stage.age_ms(NOW_MS), MINUTE, "nobody has waited for two hours");
    let stage = stage.reopen();
    assert_eq!(stage.age_ms(NOW_MS), MINUTE, "not after a restart either");
    assert_eq!(stage.left_ms(1).await, (14 * MINUTE, 29 * MINUTE));
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_nothing_old_and_nothing_wait_for_longer() {
    let stage = Stage::new();
    stage.accept("C1").await;
    stage.finish(1, State::Pending, 15 * MINUTE).await;
    stage.timer(30 * MINUTE).await;
    stage.shows.set(-DAY_MS - HOUR);
    stage.accept("C2").await;
    assert_eq!(stage.age_ms(NOW_MS), 0, "what comes now is new, before the clock is followed");
    let step = stage.follow().await;
    assert_eq!(step.by_ms, -DAY_MS - HOUR);
    stage.accept("C3").await;
    let accepted_ms = stage.now_ms();
    stage.shows.pass(MINUTE);
    assert_eq!(stage.age_ms(accepted_ms), MINUTE, "and after");
    assert_eq!(stage.age_ms(NOW_MS), 0, "nothing is given up for the day that never was");
    let (delivery_ms, timer_ms) = stage.left_ms(1).await;
    assert_eq!(timer_ms, 28 * MINUTE);
    assert!(delivery_ms <= 15 * MINUTE, "{delivery_ms} ms are left");
}

#[tokio::test]
async fn while_the_machine_sleeps_waits_come_due_and_nothing_gets_old() {
    let stage = Stage::new();
    stage.accept("C1").await;
    stage.finish(1, State::Pending, 15 * MINUTE).await;
    stage.shows.sleep(2 * DAY_MS);
    assert_eq!(stage.age_ms(NOW_MS), 0, "as soon as it is asked");
    assert_eq!(stage.now_ms(), NOW_MS + 2 * DAY_MS);
    assert!(stage.left_ms(1).await.0 < 0, "it is due");
    stage.store().follow_clock().await.expect("it is written");
    assert_eq!(stage.reopen().age_ms(NOW_MS), 0, "and after a restart");
}

#[tokio::test]
async fn a_start_that_is_far_ahead_is_doubted_until_hosts_were_up_for_a_day() {
    let trusted_ms = |stage: &Stage| stage.store().clock().trusted_ms();
    let stage = Stage::new();
    stage.shows.pass(HOUR);
    stage.shows.set(40 * DAY_MS);
    let stage = stage.reopen();
    assert_eq!(stage.now_ms(), NOW_MS + HOUR + 40 * DAY_MS);
    assert_eq!(trusted_ms(&stage), NOW_MS + HOUR);
    stage.shows.pass(HOUR);
    let stage = stage.reopen();
    assert_eq!(trusted_ms(&stage), NOW_MS + 2 * HOUR, "another start doesn't make it right");
    stage.shows.pass(DAY_MS - HOUR - 1);
    assert_eq!(trusted_ms(&stage), NOW_MS + HOUR + DAY_MS - 1);
    stage.shows.pass(1);
    assert_eq!(trusted_ms(&stage), stage.now_ms(), "it stayed: it is right");
    let stage = stage.reopen();
    assert_eq!(trusted_ms(&stage), stage.now_ms());
    // A step that a running host has followed, and then a start.
    stage.shows.set(365 * DAY_MS);
    stage.follow().await;
    let stage = stage.reopen();
    assert_eq!(trusted_ms(&stage), stage.now_ms() - 365 * DAY_MS);
    stage.shows.set(-365 * DAY_MS);
    let stage = stage.reopen();
    assert_eq!(trusted_ms(&stage), stage.now_ms(), "it was put right");
}
