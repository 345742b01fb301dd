//! CPU time of a guest: the thread's CPU time inside the polls of its future. Waiting for a host call, for a
//! free thread, or behind another guest costs nothing.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Counts the CPU time of one attempt. Shared by the future that is polled and the engine's interruptions,
/// which happen inside the poll on the same thread.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// Nanoseconds of the polls that have ended.
    ended: AtomicU64,
    /// The thread's clock when the running poll began.
    began: AtomicU64,
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
