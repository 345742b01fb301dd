//! Tells whether a loop still turns.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A loop that waits for longer beats so often meanwhile.
const BEAT_EVERY: Duration = Duration::from_secs(10);

/// Beats each time a loop turns; a loop that has not for long is stuck.
#[derive(Debug)]
pub struct Heartbeat {
    began: Instant,
    /// Milliseconds from `began` to the last beat: the wall clock may be set meanwhile.
    last_ms: AtomicU64,
}

impl Heartbeat {
    /// Has just beaten.
    pub fn new() -> Heartbeat {
        Heartbeat { began: Instant::now(), last_ms: AtomicU64::new(0) }
    }

    /// The loop turns.
    pub fn beat(&self) {
        let now_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(now_ms, Ordering::Relaxed);
    }

    /// Waits, and beats meanwhile: what a loop waits for on purpose is no standstill.
    pub async fn wait(&self, time: Duration) {
        let end = tokio::time::Instant::now() + time;
        loop {
            self.beat();
            let left = end.saturating_duration_since(tokio::time::Instant::now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(BEAT_EVERY)).await;
        }
    }

    /// How long ago the last beat was.
    pub fn age(&self) -> Duration {
        self.began.elapsed().saturating_sub(Duration::from_millis(self.last_ms.load(Ordering::Relaxed)))
    }
}

impl Default for Heartbeat {
    fn default() -> Heartbeat {
        Heartbeat::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_loop_that_waits_on_purpose_beats() {
        let heartbeat = Heartbeat::new();
        for time in [Duration::ZERO, Duration::from_millis(1)] {
            heartbeat.last_ms.store(u64::MAX, Ordering::Relaxed);
            heartbeat.wait(time).await;
            assert_ne!(heartbeat.last_ms.load(Ordering::Relaxed), u64::MAX, "{time:?}");
        }
    }
}
