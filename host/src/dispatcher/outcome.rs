//! From what an attempt reported to what the store records, and the line that tells of it.

use std::time::Duration;

use crate::delivery::{self, History, Next, Outcome, State};
use crate::event::trace_id::TraceId;
use crate::grant::Decisions;
use crate::runtime::Report;
use crate::store::{Finish, Pending};

/// What the dispatcher knows when an attempt ends.
pub(super) struct Clues {
    /// The trace of the event.
    pub(super) trace: TraceId,
    /// How long the host was up since the event was accepted.
    pub(super) age: Duration,
    /// When that is.
    pub(super) now_ms: i64,
}

/// What follows from an attempt.
pub(super) fn finish(pending: &Pending, clues: Clues, report: &Report, version: String) -> Finish {
    let Clues { trace, age, now_ms } = clues;
    let outcome = &report.outcome;
    let is_spent = !matches!(outcome, Outcome::Suspended { .. } | Outcome::InDoubt(_));
    let is_crash = matches!(outcome, Outcome::Trapped(_) | Outcome::OutOf(..));
    let history = History {
        attempts: pending.attempts + u32::from(is_spent),
        crashes: pending.crashes + u32::from(is_crash),
        ran_before: pending.runs > 0,
        age,
        asked_wait: report.asked_wait,
    };
    let next = delivery::after(outcome, history, random());
    tell(pending, trace, report, history.attempts, &next);
    let (state, due_at_ms, reason) = match next {
        Next::Succeeded => (State::Succeeded, now_ms, String::new()),
        Next::Again(delay) => (
            State::Pending,
            now_ms + i64::try_from(delay.as_millis()).unwrap_or(i64::MAX / 2),
            outcome.reason().to_owned(),
        ),
        Next::Dead(reason) => (State::Dead, now_ms, reason),
    };
    Finish {
        id: pending.id,
        run: pending.runs,
        state,
        due_at_ms,
        attempts: history.attempts,
        crashes: history.crashes,
        version: Some(version),
        outcome: outcome.as_str(),
        reason,
        log: if state == State::Succeeded { String::new() } else { report.log.clone() },
        crash: report.crash.clone(),
        journaled: pending.journaled || report.recorded,
        anew: report.is_stale && matches!(outcome, Outcome::Retry(_)),
        decisions: report.decisions.clone(),
    }
}

/// A run on a version on probation that failed: it spends nothing, and the delivery runs again, on the version that
/// stands by.
pub(super) fn on_standby(
    pending: &Pending,
    clues: Clues,
    report: &Report,
    version: String,
    standby: &str,
) -> Finish {
    let Clues { trace, now_ms, .. } = clues;
    let (plugin, event, delivery) = (&*pending.plugin, pending.event_id.to_string(), pending.id.to_string());
    let (outcome, reason) = (report.outcome.as_str(), report.outcome.reason());
    let backtrace = report.crash.as_ref().map(|crash| crash.backtrace.join(" < ")).unwrap_or_default();
    tracing::warn!(
        plugin,
        event,
        delivery,
        %trace,
        version,
        standby,
        outcome,
        reason,
        backtrace,
        "a version of {plugin} on probation did not handle {event} ({outcome}); it is handled by the one before it"
    );
    Finish {
        state: State::Pending,
        due_at_ms: now_ms,
        version: Some(version),
        outcome,
        reason: reason.to_owned(),
        log: report.log.clone(),
        crash: report.crash.clone(),
        decisions: report.decisions.clone(),
        ..skip(pending, "")
    }
}

/// A delivery whose doubt isn't settled: it waits until it is looked at again, or for the operator.
pub(super) fn in_doubt(
    pending: &Pending,
    state: State,
    wait: Duration,
    reason: String,
    now_ms: i64,
) -> Finish {
    let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 2);
    Finish { state, due_at_ms: now_ms + wait_ms, outcome: "in doubt", reason, ..skip(pending, "") }
}

/// A line for each attempt.
fn tell(pending: &Pending, trace: TraceId, report: &Report, attempt: u32, next: &Next) {
    let (plugin, event, delivery) = (&*pending.plugin, pending.event_id.to_string(), pending.id.to_string());
    let (outcome, reason) = (report.outcome.as_str(), report.outcome.reason());
    let crash = report.crash.as_ref();
    let backtrace = crash.map(|crash| crash.backtrace.join(" < ")).unwrap_or_default();
    let (wall_ms, cpu_us) = (report.wall.as_millis() as u64, report.cpu.as_micros() as u64);
    match next {
        Next::Succeeded => {
            tracing::debug!(plugin, event, delivery, %trace, attempt, wall_ms, cpu_us, "{plugin} handled {event}");
        }
        // What it waits for has a line of its own, once: each of those that wait comes again twice a minute.
        Next::Again(delay) if matches!(report.outcome, Outcome::Suspended { .. }) => tracing::debug!(
            plugin,
            event,
            delivery,
            %trace,
            outcome,
            reason,
            retry_ms = delay.as_millis() as u64,
            "{plugin} waits with {event}"
        ),
        Next::Again(delay) => tracing::warn!(
            plugin,
            event,
            delivery,
            %trace,
            attempt,
            outcome,
            reason,
            wall_ms,
            cpu_us,
            backtrace,
            retry_ms = delay.as_millis() as u64,
            "{plugin} did not handle {event} ({outcome}); it is tried again"
        ),
        Next::Dead(_) => tracing::error!(
            plugin,
            event,
            delivery,
            %trace,
            attempt,
            outcome,
            reason,
            wall_ms,
            cpu_us,
            backtrace,
            "{plugin} did not handle {event} ({outcome}); it is a dead letter now (chatplug dead show {delivery}; run it again \
             with chatplug dead replay {delivery})"
        ),
    }
}

/// The end of a delivery that is not to be run, and why.
pub(super) fn skip(pending: &Pending, reason: &str) -> Finish {
    Finish {
        id: pending.id,
        run: pending.runs,
        state: State::Skipped,
        due_at_ms: pending.due_at_ms,
        attempts: pending.attempts,
        crashes: pending.crashes,
        version: None,
        outcome: "skipped",
        reason: reason.to_owned(),
        log: String::new(),
        crash: None,
        journaled: pending.journaled,
        anew: false,
        decisions: Decisions::default(),
    }
}

/// What stands for the report of an attempt in which the host itself failed.
pub(super) fn host_panic() -> Report {
    let reason = "the host panicked during the attempt: please report it with the log".to_owned();
    Report {
        outcome: Outcome::Trapped(reason),
        log: String::new(),
        crash: None,
        cpu: Duration::ZERO,
        wall: Duration::ZERO,
        host_calls: 0,
        asked_wait: Duration::ZERO,
        // It may have: the next run looks.
        recorded: true,
        is_stale: false,
        decisions: Decisions::default(),
    }
}

/// A random number from 0 to 1.
fn random() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(()) as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::DeliveryId;
    use crate::double::logged;
    use crate::event::EventId;

    /// The line of an attempt that ended like this, and is made again.
    fn line(outcome: Outcome) -> String {
        let pending = Pending {
            id: DeliveryId(2),
            event_id: EventId(1),
            event: None,
            plugin: "notes".into(),
            lane: None,
            accepted_at_ms: 0,
            due_at_ms: 0,
            set_at_ms: 0,
            attempts: 0,
            crashes: 0,
            runs: 1,
            root: DeliveryId(2),
            late: false,
            journaled: false,
            doubt_since_ms: None,
        };
        let (lines, _listening) = logged();
        let clues = Clues { trace: TraceId::default(), age: Duration::ZERO, now_ms: 0 };
        finish(&pending, clues, &Report { outcome, ..host_panic() }, "v1".to_owned());
        lines.text()
    }

    #[test]
    fn whoever_waits_for_a_destination_is_no_warning() {
        let reason = || "livechat is parked".to_owned();
        let waits =
            line(Outcome::Suspended { reason: reason(), wait: Duration::from_secs(30), by_host: false });
        assert!(waits.contains("DEBUG") && waits.contains("notes waits with ev-1"), "{waits}");
        assert!(waits.contains("livechat is parked"), "{waits}");
        let failed = line(Outcome::Retry(reason()));
        assert!(failed.contains("WARN") && failed.contains("it is tried again"), "{failed}");
    }
}
