//! Hands stored deliveries to plugins: lanes in order, plugins in turn, each attempt in a task of its own.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::delivery::doubt::Settled;
use crate::delivery::doubts::Doubts;
use crate::delivery::{Outcome, State};
use crate::event::Event;
use crate::event::trace_id::TraceId;
use crate::heartbeat::Heartbeat;
use crate::journal::{self, Header, Run, Step};
use crate::registry::{Chosen, Registry, Slot, is_switched_off};
use crate::runtime::{Attempt, Runtime};
use crate::store::{self, Committed, Finish, Pending, Steps, Store};

mod expiry;
mod lanes;
mod meters;
mod outcome;
mod reports;
mod settle;
mod wanted;

pub use meters::Meters;

use expiry::Unable;
use lanes::{Key, Lanes, Load};
use outcome::{Clues, finish, host_panic, in_doubt, on_standby, skip};
use reports::{Busy, Message, by_clock, take, watched};

/// Deliveries of a plugin that is switched off, or that the config no longer has, are skipped, this many at a time.
const SKIPPING: usize = 4;
/// How long attempts that run may go on when the host stops.
const DRAIN: Duration = Duration::from_secs(20);
/// The loop turns at least this often, so that its heartbeat tells whether it is alive.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// While the store takes nothing, an outcome is offered to it again this often.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// What the dispatcher works with.
pub struct Dispatcher {
    /// Where deliveries come from and outcomes go.
    pub store: Store,
    /// Which plugins get events: what they no longer get is skipped.
    pub config: Arc<ArcSwap<Config>>,
    /// Which version runs.
    pub registry: Arc<Registry>,
    /// What runs it.
    pub runtime: Runtime,
    /// Beats as long as the loop turns.
    pub heartbeat: Arc<Heartbeat>,
    /// What is measured.
    pub meters: Meters,
    /// The doubts that are being settled.
    pub doubts: Doubts,
    /// Whether all plugins are off: then nothing is given up for want of one.
    pub safe_mode: bool,
}

impl Dispatcher {
    /// Runs until `stop`, then waits for the attempts that run. Ends by itself if a task of its own has panicked.
    pub async fn run(self, mut committed: Committed, stop: CancellationToken) {
        let dispatcher = Arc::new(self);
        let mut changes = dispatcher.registry.subscribe();
        let (reports, mut inbox) = mpsc::channel(reports::UNFINISHED_MAX);
        let tasks = TaskTracker::new();
        let mut lanes = Lanes::default();
        let mut busy = Busy::default();
        let mut unable = Unable::default();
        dispatcher.begin(&mut lanes).await;
        loop {
            dispatcher.heartbeat.beat();
            // Also when no more may run: what has come due must not make the wait below return at once.
            let (now_ms, _) = dispatcher.time(&mut lanes);
            lanes.wake(now_ms);
            let (held, loaded) = lanes.len();
            dispatcher.meters.holds(held, loaded);
            while let Some(pending) = busy.next(&mut lanes) {
                busy.begin();
                tasks.spawn(watched(dispatcher.clone().deliver(pending, reports.clone()), reports.clone()));
            }
            while busy.has_room()
                && let Some(pending) = dispatcher.next_expired(&mut unable, &mut lanes)
            {
                busy.begin();
                tasks.spawn(watched(dispatcher.clone().expire(pending, reports.clone()), reports.clone()));
            }
            while let Some(load) = lanes.next_load() {
                tasks.spawn(watched(dispatcher.clone().load(load, reports.clone()), reports.clone()));
            }
            tokio::select! {
                () = stop.cancelled() => break,
                batch = committed.next() => match batch {
                    Some(batch) => dispatcher.take_in(&mut lanes, batch, committed.had_gap()),
                    None => break,
                },
                Some(message) = inbox.recv() => {
                    let time = dispatcher.time(&mut lanes);
                    let mut goes_on = take(&mut lanes, &mut busy, message, &time);
                    while let Ok(message) = inbox.try_recv() {
                        goes_on &= take(&mut lanes, &mut busy, message, &time);
                    }
                    if !goes_on {
                        break;
                    }
                }
                Ok(()) = changes.changed() => dispatcher.set_concurrency(&mut lanes),
                () = tokio::time::sleep(until(lanes.next_due_ms(), dispatcher.now_ms())) => {}
            }
        }
        // However the process ends now, nothing that runs is the reason.
        dispatcher.store.clear_marks();
        drop(reports);
        tasks.close();
        let drained = async {
            // Tasks report to a bounded channel: it has to be emptied for them to end.
            while inbox.recv().await.is_some() {}
        };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            tracing::warn!(
                running = busy.running,
                "attempts were cut off by the stop; they run again at the next start"
            );
        }
    }

    /// Learns which plugins have a backlog from an earlier run of the host. What is accepted meanwhile waits:
    /// it must not overtake.
    async fn begin(&self, lanes: &mut Lanes) {
        let plugins = loop {
            match self.store.plugins_with_pending().await {
                Ok(plugins) => break plugins,
                Err(error) => tracing::error!(%error, "cannot read the backlog; trying again"),
            }
            self.heartbeat.beat();
            if !self.pause().await {
                return;
            }
        };
        plugins.iter().for_each(|plugin| lanes.fell_behind(plugin));
        self.set_concurrency(lanes);
    }

    /// Waits a moment before the store is asked again; false if the host stops meanwhile.
    async fn pause(&self) -> bool {
        tokio::select! {
            () = self.runtime.services().stopping.cancelled() => false,
            () = tokio::time::sleep(STORE_RETRY) => true,
        }
    }

    fn take_in(&self, lanes: &mut Lanes, batch: Vec<Pending>, had_gap: bool) {
        if had_gap {
            // Before the batch: what was dropped may stand before it.
            let config = self.config.load();
            let configured = config.plugins.keys().map(|plugin| Arc::from(plugin.as_str()));
            for plugin in lanes.plugins().into_iter().chain(configured) {
                lanes.fell_behind(&plugin);
            }
        }
        let time = self.time(lanes);
        for pending in batch {
            if !lanes.knows(&pending.plugin) {
                lanes.set_concurrency(&pending.plugin, self.concurrency(&pending.plugin));
            }
            lanes.offer(by_clock(pending, &time), time.0);
        }
    }

    fn set_concurrency(&self, lanes: &mut Lanes) {
        let slots = self.registry.all();
        for plugin in lanes.plugins().iter().chain(slots.keys()) {
            lanes.set_concurrency(plugin, self.concurrency(plugin));
        }
    }

    /// How many attempts of a plugin may run at the same time.
    fn concurrency(&self, plugin: &str) -> usize {
        let config = self.config.load();
        let Some(section) = config.plugins.get(plugin) else { return SKIPPING };
        let Some(Slot { active, waiting, terms, .. }) = self.registry.get(plugin) else {
            return if section.enabled { 0 } else { SKIPPING };
        };
        // Where no version is there to be asked whether it works without events, it is thought to.
        let is_off = match active.as_ref().or(waiting.as_ref()) {
            Some(version) => is_switched_off(&version.manifest, section),
            None => !section.enabled,
        };
        match active {
            _ if is_off => SKIPPING,
            Some(_) => terms.limits.concurrency,
            None => 0,
        }
    }

    async fn load(self: Arc<Self>, load: Load, reports: mpsc::Sender<Message>) {
        let rows = loop {
            let rows = match load.clone() {
                Load::Window { plugin, after, limit } => self.store.pending(plugin, after, limit).await,
                Load::Lane { plugin, lane, after, until, limit } => {
                    self.store.pending_in_lane(plugin, lane, (after, until), limit).await
                }
            };
            match rows {
                Ok(rows) => break rows,
                Err(error) => tracing::error!(%error, "cannot read pending deliveries; trying again"),
            }
            if !self.pause().await {
                return;
            }
        };
        // The loop has ended: nobody needs the rows.
        let _ = reports.send(Message::Loaded { load, rows }).await;
    }

    /// Makes one attempt at a delivery and records what became of it. Gives back its place among the running
    /// ones, and then its lane, in any case.
    async fn deliver(self: Arc<Self>, pending: Pending, reports: mpsc::Sender<Message>) {
        let attempt = AssertUnwindSafe(self.attempt(&pending)).catch_unwind().await;
        let made = attempt.unwrap_or_else(|_| {
            self.hold(&pending, "the host panicked: please report it with the log".to_owned())
        });
        self.conclude(pending, made, reports).await;
    }

    /// Gives a delivery up that waited for too long.
    async fn expire(self: Arc<Self>, pending: Pending, reports: mpsc::Sender<Message>) {
        let finish = self.give_up(&pending).await;
        self.conclude(pending, finish.into(), reports).await;
    }

    async fn conclude(&self, pending: Pending, made: Made, reports: mpsc::Sender<Message>) {
        let Made { finish, journaled, doubt_since_ms } = made;
        let (id, plugin, key) = (pending.id, pending.plugin.clone(), Key::of(&pending));
        let trace = self.store.trace(pending.event_id);
        // A report that nobody takes: the loop has ended, and the delivery is still pending in the store.
        let _ = reports.send(Message::Ran(plugin.clone())).await;
        let again = match &finish {
            None => Some(later(&pending, self.now_ms())),
            Some(finish) if finish.state == State::Pending => Some(Pending {
                due_at_ms: finish.due_at_ms,
                set_at_ms: self.now_ms(),
                attempts: finish.attempts,
                crashes: finish.crashes,
                runs: finish.run + 1,
                journaled,
                doubt_since_ms,
                ..pending
            }),
            Some(_) => None,
        };
        let is_dead = finish.as_ref().is_some_and(|finish| finish.state == State::Dead);
        let is_ours = match finish {
            Some(finish) => self.record(finish, trace).await,
            None => true,
        };
        if is_dead && is_ours {
            self.meters.died(&plugin);
        }
        let again = again.filter(|_| is_ours);
        if again.as_ref().is_none_or(|again| again.doubt_since_ms.is_none()) {
            self.doubts.ended(id);
        }
        let _ = reports.send(Message::Finished { plugin, key, again }).await;
    }

    async fn attempt(&self, pending: &Pending) -> Made {
        let config = self.config.load_full();
        let Some(plugin) = config.plugins.get(&*pending.plugin) else {
            return skip(pending, "the config has no section for the plugin any more").into();
        };
        if !plugin.enabled {
            return skip(pending, "the plugin was switched off").into();
        }
        let event = match self.event(pending).await {
            Some(Some(event)) => event,
            Some(None) => return skip(pending, "the event is no longer stored").into(),
            None => return Made::default(),
        };
        if let Some(reason) = match self.unwanted(pending, plugin, &event).await {
            Ok(reason) => reason,
            Err(error) => return self.unreadable(pending, &error),
        } {
            return skip(pending, reason).into();
        }
        if self.concurrency(&pending.plugin) == 0 {
            return Made::default();
        }
        let journal = match self.journal(pending).await {
            Ok(journal) => journal,
            Err(made) => return made,
        };
        // What runs is decided last: settling a doubt may have taken a while.
        let slot = self.registry.get(&pending.plugin);
        let Some(chosen) = slot.and_then(|slot| slot.choose(pending.id, self.now_ms())) else {
            return Made::default();
        };
        self.run_on(chosen, pending, event, journal).await
    }

    /// Makes a run on the version that was chosen for it.
    async fn run_on(
        &self,
        chosen: Chosen,
        pending: &Pending,
        event: Arc<Event>,
        journal: Option<(Header, Vec<Step>)>,
    ) -> Made {
        let Chosen { version, terms, .. } = &chosen;
        let attempt = Attempt {
            version: version.clone(),
            terms: terms.clone(),
            run: self.run_of(pending),
            waited: self.store.clock().since(event.received_at_ms),
            event,
            journal,
            late: pending.late,
            number: pending.attempts.saturating_add(1),
        };
        self.meters.began(pending, self.now_ms());
        let mark = self.store.mark(pending.id, pending.runs);
        let report =
            AssertUnwindSafe(self.runtime.run(attempt)).catch_unwind().await.unwrap_or_else(|_| host_panic());
        drop(mark);
        self.meters.ended(&pending.plugin, report.outcome.as_str(), report.wall);
        self.meters.decided(&pending.plugin, &report.decisions);
        let now_ms = self.now_ms();
        let doubt_since_ms = matches!(report.outcome, Outcome::InDoubt(_)).then(|| self.passed_ms());
        let hash = chosen.version.hash.clone();
        let clues = self.clues(pending, now_ms);
        let finish = match chosen.end(pending.id, &report.outcome, now_ms) {
            Some(standby) => on_standby(pending, clues, &report, hash, &standby.hash),
            None => finish(pending, clues, &report, hash),
        };
        Made { journaled: report.recorded, doubt_since_ms, finish: Some(finish) }
    }

    /// What earlier runs of a delivery recorded, with nothing in it in doubt. The error is what becomes of the
    /// delivery if a doubt can't be settled now.
    async fn journal(&self, pending: &Pending) -> Result<Option<(Header, Vec<Step>)>, Made> {
        if !pending.journaled {
            return Ok(None);
        }
        let recorded = self.read_journal(pending).await?;
        let Some(step) = recorded.as_ref().and_then(|(_, steps)| journal::unsettled(steps)) else {
            return Ok(recorded);
        };
        let since_ms = pending.doubt_since_ms.unwrap_or_else(|| self.passed_ms());
        let lasting = Duration::from_millis(u64::try_from(self.passed_ms() - since_ms).unwrap_or(0));
        let settled = self.settle(pending, self.run_of(pending), step, lasting, self.age(pending)).await;
        let now_ms = self.now_ms();
        let finish = match settled.map_err(|error| self.unreadable(pending, &error))? {
            Settled::Known(_) => return self.read_journal(pending).await,
            Settled::Later(wait, reason) => in_doubt(pending, State::Pending, wait, reason, now_ms),
            Settled::Held(reason) => in_doubt(pending, State::Held, Duration::ZERO, reason, now_ms),
        };
        Err(Made { finish: Some(finish), journaled: true, doubt_since_ms: Some(since_ms) })
    }

    fn run_of(&self, pending: &Pending) -> Run {
        let trace = self.store.trace(pending.event_id);
        Run { delivery: pending.id, number: pending.runs, root: pending.root, trace }
    }

    async fn read_journal(&self, pending: &Pending) -> Result<Option<(Header, Vec<Step>)>, Made> {
        self.store.journal(pending.id).await.map_err(|error| self.unreadable(pending, &error))
    }

    /// What becomes of a delivery whose journal can't be read or written.
    fn unreadable(&self, pending: &Pending, error: &store::Error) -> Made {
        let (plugin, event, trace) = (&*pending.plugin, pending.event_id, self.store.trace(pending.event_id));
        tracing::error!(%error, plugin, %event, delivery = %pending.id, %trace, "the journal of a delivery can't be read or written");
        match error.is_lasting() {
            true => self.hold(pending, format!("its journal can't be read: {error}")),
            false => Made::default(),
        }
    }

    /// Has the operator look at a delivery that the host can't go on with: its lane must not stay closed for ever.
    fn hold(&self, pending: &Pending, reason: String) -> Made {
        let finish = in_doubt(pending, State::Held, Duration::ZERO, reason, self.now_ms());
        Made { journaled: true, finish: Some(finish), ..Made::default() }
    }

    /// The event of a delivery, from memory or from the store. The outer `None`: it can't be read right now.
    async fn event(&self, pending: &Pending) -> Option<Option<Arc<Event>>> {
        if let Some(event) = &pending.event
            && !self.store.may_be_forgotten(event.id)
        {
            return Some(Some(event.clone()));
        }
        match self.store.event(pending.event_id).await {
            Ok(event) => Some(event.map(Arc::new)),
            Err(error) => {
                let (event, trace) = (pending.event_id, self.store.trace(pending.event_id));
                tracing::error!(%error, %event, %trace, "cannot read an event; trying again");
                tokio::time::sleep(STORE_RETRY).await;
                None
            }
        }
    }

    /// Milliseconds since 1970 by the clock of due times.
    fn now_ms(&self) -> i64 {
        self.store.clock().now_ms()
    }

    /// The same for the loop. The lanes go along if the clock was set.
    fn time(&self, lanes: &mut Lanes) -> (i64, Steps) {
        let time = self.store.clock().reading();
        lanes.follow(&time.1);
        time
    }

    /// What lasts is measured by this.
    fn passed_ms(&self) -> i64 {
        self.store.clock().passed_ms()
    }

    fn clues(&self, pending: &Pending, now_ms: i64) -> Clues {
        Clues { trace: self.store.trace(pending.event_id), age: self.age(pending), now_ms }
    }

    /// How long the host was up since the event of a delivery was accepted.
    fn age(&self, pending: &Pending) -> Duration {
        self.store.uptime().between(pending.accepted_at_ms, self.now_ms())
    }

    /// Records an outcome, however long it takes: while the disk is full nothing else is lost.
    /// False if an operator has decided on the delivery meanwhile.
    async fn record(&self, finish: Finish, trace: TraceId) -> bool {
        loop {
            match self.store.finish(finish.clone(), self.now_ms()).await {
                Ok(is_ours) => return is_ours,
                Err(store::Error::Closed) => return true,
                Err(error) => {
                    tracing::error!(%error, delivery = %finish.id, %trace, "cannot record an outcome; trying again");
                }
            }
            tokio::time::sleep(STORE_RETRY).await;
        }
    }
}

/// What came of taking a delivery up. The default: it has to go on waiting as it is.
#[derive(Default)]
struct Made {
    finish: Option<Finish>,
    /// Whether it has a journal now.
    journaled: bool,
    doubt_since_ms: Option<i64>,
}

impl From<Finish> for Made {
    fn from(finish: Finish) -> Made {
        Made { finish: Some(finish), ..Made::default() }
    }
}

/// The delivery as it is, a moment later: what it waits for isn't there yet.
fn later(pending: &Pending, now_ms: i64) -> Pending {
    Pending { due_at_ms: now_ms + 1_000, set_at_ms: now_ms, ..pending.clone() }
}

fn until(due_ms: Option<i64>, now_ms: i64) -> Duration {
    let wait = due_ms.map_or(i64::MAX, |due_ms| due_ms - now_ms);
    Duration::from_millis(u64::try_from(wait).unwrap_or(0)).min(HEARTBEAT)
}
