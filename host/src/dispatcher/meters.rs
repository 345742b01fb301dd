//! What the dispatcher measures.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};

use crate::grant::Decisions;
use crate::measures::Measures;
use crate::store::Pending;

/// The handles; those of a plugin are made at its first run.
pub struct Meters {
    measures: Arc<Measures>,
    lag_seconds: Histogram,
    run_seconds: Histogram,
    lanes: Gauge,
    loaded: Gauge,
    /// By plugin and the outcome's word: both are from short lists, the config's and the host's own.
    runs: Mutex<HashMap<(Arc<str>, &'static str), Counter>>,
}

impl Meters {
    /// Nothing measured yet.
    pub fn new(measures: Arc<Measures>) -> Meters {
        Meters {
            lag_seconds: measures.histogram("chatplug_dispatch_lag_seconds"),
            run_seconds: measures.histogram("chatplug_run_seconds"),
            lanes: measures.gauge("chatplug_map_entries", &[("map", "lanes")]),
            loaded: measures.gauge("chatplug_map_entries", &[("map", "deliveries")]),
            measures,
            runs: Mutex::default(),
        }
    }

    /// So many lanes and deliveries are in memory.
    pub(super) fn holds(&self, lanes: usize, deliveries: usize) {
        self.lanes.set(lanes as f64);
        self.loaded.set(deliveries as f64);
    }

    /// A run begins.
    pub(super) fn began(&self, pending: &Pending, now_ms: i64) {
        if pending.attempts == 0 {
            let lag_ms = u64::try_from(now_ms - pending.due_at_ms).unwrap_or(0);
            self.lag_seconds.record(Duration::from_millis(lag_ms));
        }
    }

    /// Calls were not simply made.
    pub(super) fn decided(&self, plugin: &str, decisions: &Decisions) {
        for (_, why, count) in decisions.iter() {
            let labels = [("plugin", plugin), ("reason", why.as_str())];
            self.measures.counter("chatplug_grants_refused_total", &labels).increment(count.into());
        }
    }

    /// A delivery is a dead letter now.
    pub(super) fn died(&self, plugin: &str) {
        self.measures.deaths(plugin).increment(1);
    }

    /// A run is over.
    pub(super) fn ended(&self, plugin: &Arc<str>, outcome: &'static str, wall: Duration) {
        self.run_seconds.record(wall);
        let mut runs = self.runs.lock().expect("nothing panics while it holds the counters");
        let counter = runs.entry((plugin.clone(), outcome)).or_insert_with(|| {
            self.measures.counter("chatplug_runs_total", &[("plugin", plugin), ("outcome", outcome)])
        });
        counter.increment(1);
    }
}
