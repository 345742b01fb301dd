//! What belongs to one attempt: its terms, its counters, its WASI. The one place where a call of the guest
//! is counted and checked against the grants.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::log::{Level, Printed, SharedLog};
use super::memory::MemoryLimit;
use super::{Services, Terms};
use crate::action::{Code, Error, Origin};
use crate::delivery::Resource;

/// The most random bytes in one call.
const RANDOM_BYTES_MAX: u64 = 64 << 10;

/// The data of an attempt's store.
pub(super) struct Guest {
    pub(super) terms: Arc<Terms>,
    pub(super) services: Services,
    pub(super) asks: Arc<BTreeSet<String>>,
    pub(super) plugin: Arc<str>,
    pub(super) delivery: i64,
    pub(super) memory: MemoryLimit,
    pub(super) log: SharedLog,
    pub(super) host_calls: u32,
    pub(super) actions: u32,
    /// The longest wait that a service asked for.
    pub(super) asked_wait: Duration,
    wasi: WasiCtx,
    table: ResourceTable,
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
    pub(super) fn new(
        terms: Arc<Terms>,
        services: Services,
        asks: Arc<BTreeSet<String>>,
        plugin: Arc<str>,
        delivery: i64,
        log: SharedLog,
    ) -> Guest {
        let wasi = WasiCtxBuilder::new()
            .stdout(Printed::new(log.clone(), Level::Info))
            .stderr(Printed::new(log.clone(), Level::Warn))
            .max_random_size(RANDOM_BYTES_MAX)
            .build();
        let mut table = ResourceTable::new();
        table.set_max_capacity(1024);
        let memory = MemoryLimit::new(terms.limits.memory_bytes);
        let (host_calls, actions, asked_wait) = (0, 0, Duration::ZERO);
        Guest {
            terms,
            services,
            asks,
            plugin,
            delivery,
            memory,
            log,
            host_calls,
            actions,
            asked_wait,
            wasi,
            table,
        }
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
        self.actions += 1;
        let max = self.terms.limits.actions;
        if self.actions > max {
            let message = format!("more than {max} actions in one attempt (limits.actions)");
            return Err(RanOut(Resource::Calls, message).into());
        }
        Ok(())
    }

    /// Whether the operator lets the plugin use a capability. What is refused is told to the operator.
    pub(super) fn permit(&self, capability: &str) -> Result<(), Error> {
        self.terms.policy.allows(&self.plugin, &self.asks, capability).map_err(|reason| {
            self.say(Level::Warn, &format!("denied: {reason}"));
            Error::new(Code::Denied, reason)
        })
    }

    /// Remembers that a service asked not to be called again before `wait` is over.
    pub(super) fn asked_to_wait(&mut self, wait: Duration) {
        self.asked_wait = self.asked_wait.max(wait);
    }

    /// A line of the host in the attempt's log.
    pub(super) fn say(&self, level: Level, message: &str) {
        self.log.lock().expect("nothing panics while it holds the log").write(level, message, &[]);
    }

    /// Who makes the call that was counted last.
    pub(super) fn origin(&self, once: Option<String>) -> Origin {
        Origin { plugin: self.plugin.clone(), delivery: self.delivery, step: self.host_calls, once }
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}
