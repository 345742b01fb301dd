//! What belongs to one attempt: its terms, its counters, its WASI. The one place where a call of the guest
//! is counted and checked against the grants.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use wasmtime::Engine;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::clock::{Clock, ClockView, random};
use super::cpu::Meter;
use super::fuse;
use super::log::{Level, Printed, SharedLog};
use super::memory::MemoryLimit;
use super::{Services, Terms};
use crate::action::{Code, Error, Origin};
use crate::delivery::Resource;
use crate::grant::{Asked, Decisions};
use crate::journal::{Journal, Run};

/// The most handles (streams, sleeps) that a guest may hold.
pub(super) const HANDLES_MAX: usize = 1024;
/// The most random bytes in one call.
pub(super) const RANDOM_BYTES_MAX: u64 = 64 << 10;

/// The data of an attempt's store.
pub(super) struct Guest {
    pub(super) engine: Engine,
    pub(super) terms: Arc<Terms>,
    pub(super) services: Arc<Services>,
    pub(super) asks: Arc<BTreeSet<String>>,
    pub(super) plugin: Arc<str>,
    pub(super) run: Run,
    pub(super) journal: Journal,
    /// Whether this run, or one before it, has written to the journal.
    pub(super) recorded: bool,
    /// Whether this run has said that its journal is nearly full.
    pub(super) warned_of_journal: bool,
    /// When the event happened on the platform, else when it was received.
    pub(super) happened_ms: i64,
    /// When it was accepted.
    pub(super) accepted_ms: i64,
    pub(super) clock: Clock,
    /// Actions that are on their way: they end even if the run is cut.
    pub(super) actions: TaskTracker,
    /// Where requests are made, wherever the guest itself runs.
    pub(super) foreground: Handle,
    pub(super) meter: Arc<Meter>,
    /// The chat of the event.
    pub(super) chat_id: Option<String>,
    /// And its thread.
    pub(super) thread_id: Option<String>,
    /// Whether the event came from the host, and nobody in a chat waits for it.
    pub(super) is_job: bool,
    /// `None` where nothing may be done anyway.
    pub(super) fuse: Option<fuse::Shared>,
    pub(super) memory: MemoryLimit,
    pub(super) log: SharedLog,
    pub(super) host_calls: u32,
    pub(super) actions_counted: u32,
    /// What it has published, bytes.
    pub(super) published_bytes: u64,
    /// The decisions about calls that were not a plain yes.
    pub(super) decisions: Decisions,
    /// The longest wait that a service asked for.
    pub(super) asked_wait: Duration,
    wasi: WasiCtx,
    table: ResourceTable,
}

/// What a guest is made of.
pub(super) struct Parts {
    pub(super) engine: Engine,
    pub(super) terms: Arc<Terms>,
    pub(super) services: Arc<Services>,
    pub(super) asks: Arc<BTreeSet<String>>,
    pub(super) plugin: Arc<str>,
    pub(super) run: Run,
    pub(super) journal: Journal,
    pub(super) happened_ms: i64,
    /// When it was accepted.
    pub(super) accepted_ms: i64,
    pub(super) recorded: bool,
    pub(super) log: SharedLog,
    pub(super) foreground: Handle,
    pub(super) meter: Arc<Meter>,
}

/// Ends the attempt: the guest ran out of something.
#[derive(Debug)]
pub(super) struct RanOut(pub(super) Resource, pub(super) String);

impl std::fmt::Display for RanOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.1)
    }
}

impl std::error::Error for RanOut {}

impl Guest {
    pub(super) fn new(made_of: Parts) -> Guest {
        let Parts {
            engine,
            terms,
            services,
            asks,
            plugin,
            run,
            journal,
            happened_ms,
            accepted_ms,
            recorded,
            log,
            foreground,
            meter,
        } = made_of;
        let (began_ms, seed) = (journal.header().began_ms, journal.header().seed);
        let wasi = WasiCtxBuilder::new()
            .secure_random(random(seed))
            .insecure_random(random(!seed))
            .insecure_random_seed(u128::from(seed))
            .stdout(Printed::new(log.clone(), Level::Info))
            .stderr(Printed::new(log.clone(), Level::Warn))
            .max_random_size(RANDOM_BYTES_MAX)
            .build();
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        let memory = MemoryLimit::new(terms.limits.memory_bytes);
        Guest {
            engine,
            terms,
            services,
            asks,
            plugin,
            run,
            journal,
            recorded,
            warned_of_journal: false,
            happened_ms,
            accepted_ms,
            clock: Clock::new(began_ms),
            actions: TaskTracker::new(),
            foreground,
            meter,
            chat_id: None,
            thread_id: None,
            is_job: false,
            fuse: None,
            memory,
            log,
            host_calls: 0,
            actions_counted: 0,
            published_bytes: 0,
            decisions: Decisions::default(),
            asked_wait: Duration::ZERO,
            wasi,
            table,
        }
    }

    /// The clock that the guest sees.
    pub(super) fn clock(&mut self) -> ClockView<'_> {
        ClockView { clock: &self.clock, table: &mut self.table }
    }

    /// Counts a host call; ends the attempt if it was one too many.
    pub(super) fn count_call(&mut self) -> wasmtime::Result<()> {
        self.host_calls += 1;
        let max = self.terms.limits.host_calls;
        if self.host_calls > max {
            let message = format!("more than {max} host calls in one attempt (limits.host_calls)");
            return Err(RanOut(Resource::Calls, message).into());
        }
        Ok(())
    }

    /// Counts a call that changes something outside; ends the attempt if it was one too many.
    pub(super) fn count_action(&mut self) -> wasmtime::Result<()> {
        self.actions_counted += 1;
        let max = self.terms.limits.actions;
        if self.actions_counted > max {
            let message = format!("more than {max} actions in one attempt (limits.actions)");
            return Err(RanOut(Resource::Calls, message).into());
        }
        Ok(())
    }

    /// Whether the operator lets the plugin make a call. What is refused is told to the operator.
    pub(super) fn permit(&mut self, asked: &Asked<'_>) -> Result<(), Error> {
        self.terms.policy.allows(&self.plugin, &self.asks, asked).map_err(|refusal| {
            self.decisions.note(&asked.capability, refusal.why);
            self.say(Level::Warn, &format!("denied: {}", refusal.text));
            Error::new(Code::Denied, refusal.text)
        })
    }

    /// A line of the host in the attempt's log.
    pub(super) fn say(&self, level: Level, message: &str) {
        self.log.lock().expect("nothing panics while it holds the log").write(level, message, &[]);
    }

    /// Who makes a step.
    pub(super) fn origin(&self, step: u32) -> Origin {
        Origin {
            plugin: self.plugin.clone(),
            delivery: self.run.root.0,
            trace: self.run.trace,
            step,
            accepted_at_ms: self.accepted_ms,
            answer_bytes: self.terms.limits.http_body_bytes,
        }
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}
