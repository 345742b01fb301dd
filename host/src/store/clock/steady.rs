//! How the store's clock follows those of the machine. A value: it is told what they show.
//!
//! It runs evenly, also while the machine sleeps, and is set to the time of day only where that has been another one for
//! a while. Then everybody who waits is told by how much it was set, so that nobody waits for more or for less
//! (decision 23).

use std::collections::VecDeque;
use std::time::Duration;

use crate::delivery::Uptime;

/// What the machine's clocks show at one moment, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Shown {
    /// Since 1970. It may be set at any time.
    pub(in crate::store) wall_ms: i64,
    /// Since the machine was started, its sleep included. It's never set.
    pub(in crate::store) passed_ms: i64,
    /// The same without its sleep.
    pub(in crate::store) awake_ms: i64,
}

/// The store's clock was set by `by_ms` when it showed `at_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it showed last before it was set, milliseconds since 1970.
    pub at_ms: i64,
    /// By how much it was set, milliseconds; less than nothing if it was set back.
    pub by_ms: i64,
}

/// The latest steps of this start of the host, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    count: u64,
    last: VecDeque<Step>,
}

/// The clock: see above.
#[derive(Clone, Debug)]
pub(in crate::store) struct Steady {
    /// What it showed, or would have, when the machine was started.
    base_ms: i64,
    /// How long the machine had slept at the last look.
    slept_ms: i64,
    apart: Option<Apart>,
    steps: Steps,
    doubted: Option<Doubted>,
}

/// It was set forward by so much, not long ago, or may have been while no host was up.
#[derive(Clone, Copy, Debug)]
struct Doubted {
    by_ms: i64,
    since_ms: i64,
}

/// The time of day has been another one since then.
#[derive(Clone, Copy, Debug)]
struct Apart {
    by_ms: i64,
    since_ms: i64,
}

/// What is less is neither a step nor a sleep, milliseconds: the clocks are read one after the other.
const NOTICED_MS: i64 = 1_000;
/// A wrong time that is put right within this is not followed, milliseconds.
const LASTING_MS: i64 = 60_000;
/// What can't be taken back doesn't follow a step forward for so long, milliseconds: somebody may have set the machine's clock to
/// the wrong year.
const DOUBTED_MS: i64 = 24 * 60 * 60 * 1_000;
/// So long no host is down, as a rule: it may have been started with a wrong time.
const LEAP: Duration = Duration::from_secs(24 * 60 * 60);
/// More steps than anybody can have missed: each takes a minute.
const STEPS_KEPT: usize = 16;

impl Step {
    /// When a wait was set, and when it is over, by the clock after the step: there is as much left of it as before.
    pub fn carry(self, set_ms: i64, due_ms: i64) -> (i64, i64) {
        if set_ms > self.at_ms {
            return (set_ms, due_ms);
        }
        let now_ms = self.at_ms.saturating_add(self.by_ms);
        let due_ms = match due_ms > self.at_ms {
            true => due_ms.saturating_add(self.by_ms),
            false => due_ms.min(now_ms),
        };
        (now_ms, due_ms)
    }

    /// Whether the clock was set forward: then no time between is that of anything, and what was set before can be told from
    /// what was set after.
    pub fn is_forward(self) -> bool {
        self.by_ms > 0
    }
}

impl Steps {
    /// How many there were in all.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Those behind the first `known`, in order.
    pub fn behind(&self, known: u64) -> impl Iterator<Item = Step> {
        let new = usize::try_from(self.count.saturating_sub(known)).unwrap_or(usize::MAX);
        self.last.iter().skip(self.last.len().saturating_sub(new)).copied()
    }

    fn push(&mut self, step: Step) {
        self.count += 1;
        self.last.push_back(step);
        if self.last.len() > STEPS_KEPT {
            self.last.pop_front();
        }
    }
}

impl FromIterator<Step> for Steps {
    fn from_iter<I: IntoIterator<Item = Step>>(all: I) -> Steps {
        all.into_iter().fold(Steps::default(), |mut steps, step| {
            steps.push(step);
            steps
        })
    }
}

impl Steady {
    /// Shows the time of day, to begin with.
    pub(in crate::store) fn begin(shown: Shown) -> Steady {
        Steady {
            base_ms: shown.wall_ms.saturating_sub(shown.passed_ms),
            slept_ms: shown.passed_ms - shown.awake_ms,
            apart: None,
            steps: Steps::default(),
            doubted: None,
        }
    }

    /// Milliseconds since 1970.
    pub(in crate::store) fn now_ms(&self, passed_ms: i64) -> i64 {
        self.base_ms.saturating_add(passed_ms)
    }

    /// The same, a day behind where it was set forward.
    pub(in crate::store) fn trusted_ms(&self, passed_ms: i64) -> i64 {
        self.now_ms(passed_ms).saturating_sub(self.doubted_ms(passed_ms))
    }

    /// Doubts the time of a start as that of a [step](Steady::set): by when the host was up before.
    pub(in crate::store) fn doubt(&mut self, passed_ms: i64, uptime: &Uptime) {
        let leapt =
            uptime.leapt(self.now_ms(passed_ms), LEAP, Duration::from_millis(DOUBTED_MS.unsigned_abs()));
        self.doubted = leapt.map(|(by_ms, up)| {
            let up_ms = i64::try_from(up.as_millis()).unwrap_or(DOUBTED_MS);
            Doubted { by_ms, since_ms: passed_ms.saturating_sub(up_ms) }
        });
    }

    fn doubted_ms(&self, passed_ms: i64) -> i64 {
        let doubted = self.doubted.filter(|doubted| passed_ms - doubted.since_ms < DOUBTED_MS);
        doubted.map_or(0, |doubted| doubted.by_ms)
    }

    /// The steps so far.
    pub(in crate::store) fn steps(&self) -> &Steps {
        &self.steps
    }

    /// Compares the clocks; to be done every few seconds. If the machine has slept since the last time: from when to when,
    /// by this clock.
    pub(in crate::store) fn look(&mut self, shown: Shown) -> Option<(i64, i64)> {
        let now_ms = self.now_ms(shown.passed_ms);
        let by_ms = shown.wall_ms.saturating_sub(now_ms);
        let is_near = |other_ms: i64| by_ms.saturating_sub(other_ms).saturating_abs() < NOTICED_MS;
        self.apart = match self.apart {
            _ if is_near(0) => None,
            // As it is now: the rest of a step is slewed.
            Some(apart) if is_near(apart.by_ms) => Some(Apart { by_ms, ..apart }),
            _ => Some(Apart { by_ms, since_ms: shown.passed_ms }),
        };
        let slept_ms = shown.passed_ms - shown.awake_ms;
        let sleep_ms = slept_ms - self.slept_ms;
        if sleep_ms < NOTICED_MS {
            return None;
        }
        self.slept_ms = slept_ms;
        Some((now_ms - sleep_ms, now_ms))
    }

    /// By how much the clock should be set now, if it should.
    pub(in crate::store) fn due(&self, passed_ms: i64) -> Option<Step> {
        let lasting = self.apart.filter(|apart| passed_ms - apart.since_ms >= LASTING_MS);
        lasting.map(|apart| Step { at_ms: self.now_ms(passed_ms), by_ms: apart.by_ms })
    }

    /// Sets it by `by_ms`; the step.
    pub(in crate::store) fn set(&mut self, passed_ms: i64, by_ms: i64) -> Step {
        let step = Step { at_ms: self.now_ms(passed_ms), by_ms };
        self.base_ms = self.base_ms.saturating_add(by_ms);
        self.apart = None;
        let by_ms = self.doubted_ms(passed_ms).saturating_add(by_ms).max(0);
        self.doubted = Some(Doubted { by_ms, since_ms: passed_ms });
        self.steps.push(step);
        step
    }
}

#[cfg(test)]
mod tests;
