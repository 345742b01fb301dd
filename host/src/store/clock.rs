//! The clock of due times: it doesn't jump.

use std::sync::Arc;
use std::time::Instant;

/// Tells the time; cheap to clone.
#[derive(Clone)]
pub struct Clock {
    now_ms: Arc<dyn Fn() -> i64 + Send + Sync>,
    machine_ms: Arc<dyn Fn() -> i64 + Send + Sync>,
}

impl Clock {
    /// The time of day at this moment, and from then on what has passed since: setting the machine's clock
    /// neither fires retries nor delays them.
    pub fn steady() -> Clock {
        let (began_ms, began) = (jiff::Timestamp::now().as_millisecond(), Instant::now());
        let passed = move || i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
        Clock::beside(move || began_ms.saturating_add(passed()), || jiff::Timestamp::now().as_millisecond())
    }

    /// The time of day as the machine has it, which may be set: for what has a time of day.
    pub fn wall() -> Clock {
        Clock::new(|| jiff::Timestamp::now().as_millisecond())
    }

    /// A clock that reads `now_ms`.
    pub fn new(now_ms: impl Fn() -> i64 + Send + Sync + 'static) -> Clock {
        let now_ms = Arc::new(now_ms);
        Clock { machine_ms: now_ms.clone(), now_ms }
    }

    /// A clock that reads `now_ms`, in a machine whose own clock reads `machine_ms`.
    pub(super) fn beside(
        now_ms: impl Fn() -> i64 + Send + Sync + 'static,
        machine_ms: impl Fn() -> i64 + Send + Sync + 'static,
    ) -> Clock {
        Clock { now_ms: Arc::new(now_ms), machine_ms: Arc::new(machine_ms) }
    }

    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        (self.now_ms)()
    }

    /// The same by the machine's clock, which goes on while the machine sleeps, and may be set.
    pub(super) fn machine_ms(&self) -> i64 {
        (self.machine_ms)()
    }
}
