//! What an attempt uses of the host's threads: the guest's CPU time, and how often it reads its store. CPU time is the
//! thread's inside the polls of the guest's future, so what the host does there for the guest's calls counts too: nothing
//! else bounds it. Waiting for a host call, for a free thread, or behind another guest costs nothing.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// So much CPU time an attempt may use before it goes to the background. Those that answer chats need a fraction of it.
const FOREGROUND_CPU: Duration = Duration::from_millis(5);
/// So many reads of its store. Those that answer chats need a handful.
const FOREGROUND_READS: u32 = 32;

/// Counts what one attempt uses. Shared by the future that is polled and the engine's interruptions, which happen inside
/// the poll on the same thread.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// Nanoseconds of the polls that have ended.
    ended: AtomicU64,
    /// The thread's clock when the running poll began.
    began: AtomicU64,
    /// Reads of the plugin's own store.
    reads: AtomicU32,
    in_background: AtomicBool,
}

impl Meter {
    /// CPU time used so far, asked from inside a poll.
    pub(super) fn used_in_poll(&self) -> Duration {
        let running = thread_clock().saturating_sub(self.began.load(Ordering::Relaxed));
        Duration::from_nanos(self.ended.load(Ordering::Relaxed) + running)
    }

    /// CPU time used so far, asked from outside.
    pub(super) fn used(&self) -> Duration {
        Duration::from_nanos(self.ended.load(Ordering::Relaxed))
    }

    /// Counts a read of the plugin's own store.
    pub(super) fn count_read(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the attempt has used up what it may in the foreground.
    pub(super) fn is_long(&self) -> bool {
        self.used() >= FOREGROUND_CPU || self.reads.load(Ordering::Relaxed) >= FOREGROUND_READS
    }

    /// From now on the attempt is polled in the background only.
    pub(super) fn move_to_background(&self) {
        self.in_background.store(true, Ordering::Relaxed);
    }

    /// Whether the attempt is polled in the background.
    pub(super) fn is_in_background(&self) -> bool {
        self.in_background.load(Ordering::Relaxed)
    }

    /// Does the host's own work inside a poll: it doesn't count as the guest's.
    pub(super) fn without<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = thread_clock();
        let done = work();
        self.began.fetch_add(thread_clock().saturating_sub(before), Ordering::Relaxed);
        done
    }

    fn begin(&self) {
        self.began.store(thread_clock(), Ordering::Relaxed);
    }

    fn end(&self) {
        let spent = thread_clock().saturating_sub(self.began.load(Ordering::Relaxed));
        self.ended.fetch_add(spent, Ordering::Relaxed);
    }
}

fn thread_clock() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

/// A future whose polls are counted.
pub(super) struct Metered<F> {
    inner: Pin<Box<F>>,
    meter: Arc<Meter>,
}

impl<F: Future> Metered<F> {
    pub(super) fn new(inner: F, meter: Arc<Meter>) -> Metered<F> {
        Metered { inner: Box::pin(inner), meter }
    }
}

impl<F: Future> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.meter.begin();
        let polled = self.inner.as_mut().poll(context);
        self.meter.end();
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Uses CPU time, not only time.
    fn work(time: Duration) {
        let end = thread_clock() + u64::try_from(time.as_nanos()).expect("that is short");
        while thread_clock() < end {}
    }

    #[test]
    fn the_work_of_the_host_in_between_is_not_the_guests() {
        let meter = Meter::default();
        meter.begin();
        work(Duration::from_millis(2));
        meter.without(|| work(Duration::from_millis(50)));
        assert!(meter.used_in_poll() >= Duration::from_millis(2));
        assert!(meter.used_in_poll() < Duration::from_millis(50));
        meter.end();
        assert!(meter.used() >= Duration::from_millis(2));
        assert!(meter.used() < Duration::from_millis(50));
    }

    #[test]
    fn an_attempt_is_long_by_its_reads_or_its_time() {
        let meter = Meter::default();
        (1..FOREGROUND_READS).for_each(|_| meter.count_read());
        assert!(!meter.is_long());
        meter.count_read();
        assert!(meter.is_long());
        let meter = Meter::default();
        meter.begin();
        work(FOREGROUND_CPU);
        meter.end();
        assert!(meter.is_long());
    }
}
