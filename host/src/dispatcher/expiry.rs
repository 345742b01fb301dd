//! What waits for a plugin that can't run is given up after a day of the host's uptime.

use std::collections::HashMap;
use std::sync::Arc;

use super::Dispatcher;
use super::lanes::Lanes;
use super::outcome::skip;
use crate::delivery::{RETRY_WINDOW, State};
use crate::store::{Finish, Pending};

/// How often it is looked for, milliseconds.
const LOOK_EVERY_MS: i64 = 1_000;
/// A plugin must have been unable to run for this long in this start of the host, milliseconds: after a restart
/// all of them are, for a moment.
const UNABLE_MS: i64 = 10 * 60 * 1000;

/// Since when plugins can't run, and when it was looked last.
#[derive(Default)]
pub(super) struct Unable {
    since_ms: HashMap<Arc<str>, i64>,
    looked_at_ms: Option<i64>,
}

impl Unable {
    /// The next delivery to give up, if there is one: of a plugin that can't run, accepted before `before_ms`.
    pub(super) fn next(
        &mut self,
        lanes: &mut Lanes,
        is_able: impl Fn(&str) -> bool,
        before_ms: impl Fn() -> i64,
        passed_ms: i64,
    ) -> Option<Pending> {
        if self.looked_at_ms.is_some_and(|at_ms| passed_ms - at_ms < LOOK_EVERY_MS) {
            return None;
        }
        for plugin in lanes.plugins() {
            if is_able(&plugin) {
                self.since_ms.remove(&plugin);
                continue;
            }
            let since_ms = *self.since_ms.entry(plugin.clone()).or_insert(passed_ms);
            if passed_ms - since_ms >= UNABLE_MS
                && let Some(pending) = lanes.next_accepted_before(&plugin, before_ms())
            {
                return Some(pending);
            }
        }
        // Only when nothing is left: until then each turn takes as many as there is room for.
        self.looked_at_ms = Some(passed_ms);
        None
    }
}

impl Dispatcher {
    /// The next delivery to give up.
    pub(super) fn next_expired(&self, unable: &mut Unable, lanes: &mut Lanes) -> Option<Pending> {
        if self.safe_mode {
            return None;
        }
        let before_ms = || self.store.uptime().ago(self.now_ms(), RETRY_WINDOW);
        unable.next(lanes, |plugin| self.concurrency(plugin) > 0, before_ms, self.passed_ms())
    }

    /// What becomes of a delivery whose plugin can't run.
    pub(super) async fn give_up(&self, pending: &Pending) -> Finish {
        let why = match self.store.plugin_status(pending.plugin.clone()).await {
            Ok(Some(status)) if status.reason.is_empty() => format!(": it is {}", status.state),
            Ok(Some(status)) => format!(": it is {} ({})", status.state, status.reason),
            _ => String::new(),
        };
        let (plugin, event) = (&*pending.plugin, pending.event_id.to_string());
        let delivery = pending.id.to_string();
        let trace = self.store.trace(pending.event_id);
        tracing::error!(plugin, event, delivery, %trace, "{event} waited for {plugin} for 24 h and is given up{why}");
        let reason = format!("the plugin could not run for 24 h of the host's uptime{why}");
        Finish { state: State::Dead, outcome: "expired", ..skip(pending, &reason) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::DeliveryId;
    use crate::dispatcher::lanes::Key;
    use crate::event::EventId;

    fn pending(id: i64, accepted_at_ms: i64) -> Pending {
        Pending {
            id: DeliveryId(id),
            event_id: EventId(id),
            event: None,
            plugin: "p".into(),
            lane: Some("chat".into()),
            accepted_at_ms,
            due_at_ms: accepted_at_ms,
            set_at_ms: accepted_at_ms,
            attempts: 0,
            crashes: 0,
            runs: 0,
            root: DeliveryId(id),
            late: false,
            journaled: false,
            doubt_since_ms: None,
        }
    }

    fn lanes() -> Lanes {
        let mut lanes = Lanes::default();
        lanes.offer(pending(1, 100), 1_000_000);
        lanes.offer(pending(2, 200), 1_000_000);
        lanes.offer(pending(3, 900), 1_000_000);
        lanes
    }

    #[test]
    fn what_is_old_enough_goes_in_order_once_the_plugin_has_been_unable_for_long() {
        let (mut lanes, mut unable) = (lanes(), Unable::default());
        let mut next = |lanes: &mut Lanes, now_ms| unable.next(lanes, |_| false, || 500, now_ms);
        assert_eq!(next(&mut lanes, 1_000_000), None, "unable only since now");
        let mut now_ms = 1_000_000 + UNABLE_MS;
        for id in [1, 2] {
            let given_up = next(&mut lanes, now_ms).expect("one is old");
            assert_eq!(given_up.id.0, id);
            assert_eq!(next(&mut lanes, now_ms), None, "its lane waits for it");
            lanes.ran(&given_up.plugin);
            lanes.finished(&given_up.plugin, Key::of(&given_up), None, now_ms);
            now_ms += LOOK_EVERY_MS;
        }
        assert_eq!(next(&mut lanes, now_ms), None, "the third is young");
    }

    #[test]
    fn a_plugin_that_can_run_again_begins_anew() {
        let (mut lanes, mut unable) = (lanes(), Unable::default());
        for (able, now_ms) in [(false, 0), (true, UNABLE_MS - 1), (false, 2 * UNABLE_MS)] {
            assert_eq!(unable.next(&mut lanes, |_| able, || 500, now_ms), None);
        }
        assert!(unable.next(&mut lanes, |_| false, || 500, 3 * UNABLE_MS).is_some());
    }
}
