//! The scheduler with a real store, under clocks that are set by hand: what its loop does in a year is done in a moment,
//! and it can be ended and begun anew at every point.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::Poll;

use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::Map;
use tempfile::TempDir;

use super::*;
use crate::action::timers::{Call, Change};
use crate::delivery::{DeliveryId, State};
use crate::event::trace_id::TraceId;
use crate::journal::{Kind, Ledger, Own, Run, Step};
use crate::limits::Limits;
use crate::measures::Measures;
use crate::store::{DeedOfOperator, EventFilter, EventView, Finish, Meters as StoreMeters, Opened, Reader};

mod restarts;
mod times;

const PLUGIN: &str = "clockwork";
const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;

fn ms(time: &str) -> i64 {
    time.parse::<Timestamp>().expect("a time").as_millisecond()
}

fn every(name: &str, seconds: u64, catch_up: bool) -> (String, bool, Rule) {
    (name.to_owned(), catch_up, Rule::every(seconds).expect("a rule"))
}

fn cron(name: &str, pattern: &str, zone: &str, catch_up: bool) -> (String, bool, Rule) {
    let zone = TimeZone::get(zone).expect("a zone");
    (name.to_owned(), catch_up, Rule::cron(pattern, zone).expect("a rule"))
}

/// What a plugin was told: of which schedule or timer, its time, how many were missed before, whether it was caught up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    name: String,
    at_ms: i64,
    missed: u64,
    caught_up: bool,
}

fn live(name: &str, at_ms: i64) -> Told {
    Told { name: name.to_owned(), at_ms, missed: 0, caught_up: false }
}

/// A scheduler that is ended and begun again on the same folder.
struct Bench {
    folder: TempDir,
    schedules: Vec<(String, bool, Rule)>,
    /// The clock on the wall, and that of the store.
    wall_ms: Arc<AtomicI64>,
    steady_ms: Arc<AtomicI64>,
    measures: Arc<Measures>,
    running: Option<(Opened, Scheduler, Plan)>,
}

impl Bench {
    /// One that has begun at a time.
    async fn begun(schedules: Vec<(String, bool, Rule)>, now_ms: i64) -> Bench {
        let clock = || Arc::new(AtomicI64::new(now_ms));
        let mut bench = Bench {
            folder: tempfile::tempdir().expect("a folder for the test"),
            schedules,
            wall_ms: clock(),
            steady_ms: clock(),
            measures: Arc::new(Measures::new()),
            running: None,
        };
        bench.begin().await;
        bench
    }

    /// Begins as a start of the host does.
    async fn begin(&mut self) {
        let clock = |ms: &Arc<AtomicI64>| {
            let ms = ms.clone();
            Clock::new(move || ms.load(Ordering::Relaxed))
        };
        let opened = Store::open_with(self.folder.path(), StoreMeters::none(), clock(&self.steady_ms));
        let opened = opened.expect("the store opens");
        let scheduler = Scheduler {
            store: opened.store.clone(),
            config: Arc::new(ArcSwap::from_pointee(
                Config::parse("", "/etc/chatplug.toml", &|_| None).expect("a config"),
            )),
            registry: Arc::default(),
            wall: clock(&self.wall_ms),
            heartbeat: Arc::default(),
            meters: Meters::new(self.measures.clone()),
        };
        let plan = scheduler.start().await;
        self.running = Some((opened, scheduler, plan));
        self.follow().await;
    }

    /// Ends as the process does.
    fn end(&mut self) {
        let (opened, scheduler, plan) = self.running.take().expect("it has begun");
        drop((scheduler, plan));
        opened.close();
    }

    async fn restart(&mut self) {
        self.end();
        self.begin().await;
    }

    /// Takes up which schedules the plugin that runs has.
    async fn follow(&mut self) {
        let (_, scheduler, plan) = self.running.as_mut().expect("it has begun");
        scheduler.follow(plan, vec![(PLUGIN.into(), self.schedules.clone())]).await;
    }

    fn set_clock(&self, now_ms: i64) {
        self.wall_ms.store(now_ms, Ordering::Relaxed);
        self.steady_ms.store(now_ms, Ordering::Relaxed);
    }

    /// One turn of the loop; answers how long it would wait.
    async fn look(&mut self) -> Duration {
        let (_, scheduler, plan) = self.running.as_mut().expect("it has begun");
        scheduler.look(plan).await.expect("the store answers")
    }

    /// One turn that is left when so many answers of the store have come; whether it came to its end before.
    async fn look_cut(&mut self, answers: usize) -> bool {
        let (_, scheduler, plan) = self.running.as_mut().expect("it has begun");
        let mut look = pin!(scheduler.look(plan));
        let mut left = answers + 1;
        poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(false);
            }
            left -= 1;
            look.as_mut().poll(context).map(|done| done.map(|_| true).expect("the store answers"))
        })
        .await
    }

    /// A turn at a time, after which the plugin ends what it has to do.
    async fn at(&mut self, now_ms: i64) {
        self.set_clock(now_ms);
        self.look().await;
        self.finish().await;
    }

    fn store(&self) -> &Store {
        &self.running.as_ref().expect("it has begun").0.store
    }

    /// The newest events, the oldest of them first.
    fn events(&self, limit: usize) -> Vec<EventView> {
        let reader = Reader::open(self.folder.path()).expect("a reader").expect("a store");
        let filter = EventFilter { event_type: None, chat_id: None, limit };
        let mut events = reader.events(&filter).expect("a list");
        events.reverse();
        events
    }

    /// The plugin ends all that waits.
    async fn finish(&self) {
        let deliveries = self.events(16).into_iter().flat_map(|event| event.deliveries);
        let pending = deliveries.filter(|delivery| delivery.state == "pending");
        join_all(pending.map(|delivery| self.finish_one(delivery.id.parse().expect("an id")))).await;
    }

    async fn finish_one(&self, id: DeliveryId) {
        let now_ms = self.steady_ms.load(Ordering::Relaxed);
        let finish = Finish {
            id,
            run: 0,
            state: State::Succeeded,
            due_at_ms: now_ms,
            attempts: 1,
            crashes: 0,
            version: None,
            outcome: "handled",
            reason: String::new(),
            log: String::new(),
            crash: None,
            journaled: false,
            anew: false,
            decisions: Default::default(),
        };
        assert!(self.store().finish(finish, now_ms).await.expect("it is recorded"), "it was pending");
    }

    /// What the plugin was told, in order.
    fn told(&self) -> Vec<Told> {
        let reader = Reader::open(self.folder.path()).expect("a reader").expect("a store");
        let told = |event: EventView| {
            let shown = reader.event(event.id.parse().expect("an id")).expect("a query").expect("the event");
            let payload = shown.payload.expect("a payload");
            let text = |key: &str| payload[key].as_str().map(str::to_owned);
            let at_ms = ms(&text("at").or_else(|| text("due_at"))?);
            let name = text("schedule").or_else(|| text("key"))?;
            let missed = payload["missed"].as_u64().unwrap_or_default();
            Some(Told { name, at_ms, missed, caught_up: payload["caught_up"] == true })
        };
        self.events(100_000).into_iter().filter_map(told).collect()
    }

    fn told_of(&self, name: &str) -> Vec<Told> {
        let mut told = self.told();
        told.retain(|one| one.name == name);
        told
    }

    /// How many times of schedules came to this, over all starts.
    fn counted(&self, outcome: &str) -> u64 {
        self.measured(&format!("chatplug_schedule_ticks_total{{plugin=\"{PLUGIN}\",outcome=\"{outcome}\"}} "))
    }

    /// How many timers became events, over all starts.
    fn fired(&self) -> u64 {
        self.measured("chatplug_timer_lag_seconds_count ")
    }

    fn measured(&self, line: &str) -> u64 {
        let rendered = self.measures.render();
        rendered.lines().find_map(|found| found.strip_prefix(line)?.parse().ok()).unwrap_or(0)
    }

    /// A run of the plugin sets timers, each with its key and delay.
    async fn set_timers(&self, timers: &[(String, i64)]) {
        let now_ms = self.steady_ms.load(Ordering::Relaxed);
        let deed = DeedOfOperator {
            who: "test".to_owned(),
            action: "plugins.command",
            subject: PLUGIN.to_owned(),
            before: None,
            after: None,
        };
        let event = addressed::command("set", &Map::new());
        let made = self.store().command(PLUGIN.into(), event, deed, now_ms).await.expect("it is stored");
        let run = Run { delivery: made.delivery, number: 0, root: made.delivery, trace: TraceId::default() };
        join_all((1..).zip(timers).map(|(number, (key, delay_ms))| async move {
            let delay_ms = u64::try_from(*delay_ms).expect("a delay");
            let change = Change::Set { delay_ms, payload: "null".to_owned(), thread_id: None };
            let own = Own::Timer(Call { chat_id: None, key: key.clone(), change });
            let step =
                Step { number, call: own.call(Kind::Own), at_ms: now_ms, answered: None, aside: false };
            let set = self.store().own(run, (PLUGIN, Limits::default().room()), vec![], step, own).await;
            set.expect("it is recorded").answer.into_memory().expect("there is room");
        }))
        .await;
        self.finish_one(made.delivery).await;
    }
}
