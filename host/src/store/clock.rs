//! The clock of everything that is compared within the store, and of due times: it doesn't jump.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

mod steady;

pub use steady::{Step, Steps};

use steady::{Shown, Steady};

use crate::delivery::Uptime;

type Tells = Box<dyn Fn() -> i64 + Send + Sync>;

/// Tells the time; cheap to clone.
#[derive(Clone)]
pub struct Clock(Arc<Source>);

enum Source {
    /// Follows the machine's clocks.
    Steady { machine: Machine, rule: Mutex<Steady> },
    /// Shows what it is given: for what has a time of day, and for tests.
    Given { now_ms: Tells, machine_ms: Tells },
}

/// The machine's clocks, see [`Shown`].
pub(super) struct Machine {
    pub(super) wall_ms: Tells,
    pub(super) passed_ms: Tells,
    pub(super) awake_ms: Tells,
}

impl Machine {
    fn this() -> Machine {
        Machine {
            wall_ms: Box::new(wall_ms),
            passed_ms: Box::new(|| read(ClockId::Boottime)),
            awake_ms: Box::new(|| read(ClockId::Monotonic)),
        }
    }

    fn shown(&self) -> Shown {
        Shown { wall_ms: (self.wall_ms)(), passed_ms: (self.passed_ms)(), awake_ms: (self.awake_ms)() }
    }
}

impl Clock {
    /// The time of day, and from then on what has passed since, the machine's sleep included. That the machine's clock is
    /// set neither fires retries nor delays them: it is followed by [`Store::follow_clock`](super::Store::follow_clock).
    pub fn steady() -> Clock {
        Clock::following(Machine::this())
    }

    /// The same in another machine.
    pub(super) fn following(machine: Machine) -> Clock {
        let rule = Mutex::new(Steady::begin(machine.shown()));
        Clock(Arc::new(Source::Steady { machine, rule }))
    }

    /// The time of day as the machine has it, which may be set: for what has a time of day.
    pub fn wall() -> Clock {
        Clock::new(wall_ms)
    }

    /// A clock that reads `now_ms`.
    pub fn new(now_ms: impl Fn() -> i64 + Clone + Send + Sync + 'static) -> Clock {
        Clock::beside(now_ms.clone(), now_ms)
    }

    /// A clock that reads `now_ms`, in a machine whose own clock reads `machine_ms`.
    pub(super) fn beside(
        now_ms: impl Fn() -> i64 + Send + Sync + 'static,
        machine_ms: impl Fn() -> i64 + Send + Sync + 'static,
    ) -> Clock {
        Clock(Arc::new(Source::Given { now_ms: Box::new(now_ms), machine_ms: Box::new(machine_ms) }))
    }

    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        match &*self.0 {
            Source::Steady { machine, rule } => lock(rule).now_ms((machine.passed_ms)()),
            Source::Given { now_ms, .. } => now_ms(),
        }
    }

    /// The same for what can't be taken back: a step forward, or a start that is a day behind the last
    /// sign of life, counts after a day only.
    pub fn trusted_ms(&self) -> i64 {
        match &*self.0 {
            Source::Steady { machine, rule } => lock(rule).trusted_ms((machine.passed_ms)()),
            Source::Given { now_ms, .. } => now_ms(),
        }
    }

    /// Has [`Clock::trusted_ms`] follow, only after a day of uptime, what the machine's clock shows of a time in which no host
    /// was up. A restart doesn't make a wrong time right.
    pub(super) fn doubt(&self, uptime: &Uptime) {
        if let Source::Steady { machine, rule } = &*self.0 {
            lock(rule).doubt((machine.passed_ms)(), uptime);
        }
    }

    /// The same as [`Clock::now_ms`], with the steps that it has taken: what was set by the clock before them is to be
    /// [carried](Step::carry).
    pub fn reading(&self) -> (i64, Steps) {
        match &*self.0 {
            Source::Steady { machine, rule } => {
                let rule = lock(rule);
                (rule.now_ms((machine.passed_ms)()), rule.steps().clone())
            }
            Source::Given { now_ms, .. } => (now_ms(), Steps::default()),
        }
    }

    /// How long ago it showed a time, of this start or an earlier one. That it was set forward since is not time that passed.
    pub fn since(&self, at_ms: i64) -> Duration {
        let (now_ms, steps) = self.reading();
        let forward = steps.behind(0).filter(|step| step.is_forward());
        let at_ms = forward.fold(at_ms, |at_ms, step| match at_ms <= step.at_ms {
            true => at_ms.saturating_add(step.by_ms),
            false => at_ms,
        });
        Duration::from_millis(u64::try_from(now_ms.saturating_sub(at_ms)).unwrap_or(0))
    }

    /// Milliseconds since a moment that is the same for the whole start of the host: what lasts is measured by it.
    pub fn passed_ms(&self) -> i64 {
        match &*self.0 {
            Source::Steady { machine, .. } => (machine.passed_ms)(),
            Source::Given { now_ms, .. } => now_ms(),
        }
    }

    /// The time of day by the machine's clock, which goes on while the machine sleeps, and may be set.
    pub(super) fn machine_ms(&self) -> i64 {
        match &*self.0 {
            Source::Steady { machine, .. } => (machine.wall_ms)(),
            Source::Given { machine_ms, .. } => machine_ms(),
        }
    }

    /// Compares the machine's clocks. If it has slept since the last time: from when to when.
    pub(super) fn look(&self) -> Option<(i64, i64)> {
        match &*self.0 {
            Source::Steady { machine, rule } => {
                let shown = machine.shown();
                lock(rule).look(shown)
            }
            Source::Given { .. } => None,
        }
    }

    /// By how much it should be set now, if it should.
    pub(super) fn due(&self) -> Option<Step> {
        match &*self.0 {
            Source::Steady { machine, rule } => lock(rule).due((machine.passed_ms)()),
            Source::Given { .. } => None,
        }
    }

    /// Sets it by so much; the step.
    pub(super) fn set(&self, by_ms: i64) -> Option<Step> {
        match &*self.0 {
            Source::Steady { machine, rule } => Some(lock(rule).set((machine.passed_ms)(), by_ms)),
            Source::Given { .. } => None,
        }
    }
}

fn lock(rule: &Mutex<Steady>) -> MutexGuard<'_, Steady> {
    rule.lock().expect("nothing panics while it holds the clock")
}

fn wall_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

fn read(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec.saturating_mul(1_000).saturating_add(time.tv_nsec / 1_000_000)
}
