//! How long nothing is sent after messages that did not arrive.

use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_secs(5);
const MAX: Duration = Duration::from_secs(5 * 60);
/// A service that asks for a longer wait is asked again after this.
const ASKED_MAX: Duration = Duration::from_secs(3600);

/// Doubles with each failure, and is over with the first success.
#[derive(Default)]
pub(super) struct Pause {
    failures: u32,
    until: Option<Instant>,
}

impl Pause {
    pub(super) fn is_on(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// A message did not arrive; the service asked to wait for `asked_ms`.
    pub(super) fn extend(&mut self, asked_ms: Option<u64>, now: Instant) {
        let own = (FIRST * 2u32.pow(self.failures.min(10))).min(MAX);
        let asked = Duration::from_millis(asked_ms.unwrap_or(0)).min(ASKED_MAX);
        self.failures = self.failures.saturating_add(1);
        self.until = Some(now + own.max(asked));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_doubles_the_pause_up_to_its_end() {
        let now = Instant::now();
        let check = |failures: u32, asked_ms: Option<u64>, seconds: u64| {
            let mut pause = Pause::default();
            (0..failures).for_each(|_| pause.extend(None, now));
            pause.extend(asked_ms, now);
            let end = now + Duration::from_secs(seconds);
            assert!(
                pause.is_on(end - Duration::from_millis(1)) && !pause.is_on(end),
                "{failures}, {asked_ms:?}"
            );
        };
        check(0, None, 5);
        check(3, None, 40);
        check(500, None, 300);
        check(0, Some(30_000), 30);
        check(3, Some(1_000), 40);
        check(0, Some(u64::MAX), 3600);
        assert!(!Pause::default().is_on(now));
    }
}
