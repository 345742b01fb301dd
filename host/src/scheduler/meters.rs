use std::sync::Arc;
use std::time::Duration;

use metrics::Histogram;

use crate::measures::Measures;

/// What the scheduler measures.
pub struct Meters {
    measures: Arc<Measures>,
    timer_lag_seconds: Histogram,
}

impl Meters {
    /// Nothing measured yet.
    pub fn new(measures: Arc<Measures>) -> Meters {
        Meters { timer_lag_seconds: measures.histogram("chatplug_timer_lag_seconds"), measures }
    }

    /// Timers became events, so late.
    pub(super) fn fired(&self, late_ms: &[u64]) {
        late_ms.iter().for_each(|late| self.timer_lag_seconds.record(Duration::from_millis(*late)));
    }

    /// A schedule's time became an event.
    pub(super) fn ran(&self, plugin: &str) {
        self.count(plugin, "run", 1);
    }

    /// It was left out, as the plugin has not ended with the one before.
    pub(super) fn busy(&self, plugin: &str) {
        self.count(plugin, "busy", 1);
    }

    /// Times passed while nobody watched, or while the machine slept.
    pub(super) fn missed(&self, plugin: &str, times: u64) {
        if times > 0 {
            self.count(plugin, "missed", times);
        }
    }

    // Asked for by name: it is a matter of seconds, not of events.
    fn count(&self, plugin: &str, outcome: &str, times: u64) {
        let labels = [("plugin", plugin), ("outcome", outcome)];
        self.measures.counter("chatplug_schedule_ticks_total", &labels).increment(times);
    }
}
