//! Where attempts go on that compute for long: on threads of their own, which get what the others leave of the
//! processors. So a plugin that works hard, or never ends, is hardly felt by those that don't.

use std::future::{Future, poll_fn};
use std::num::NonZero;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::Poll;
use std::thread::available_parallelism;

use tokio_util::task::AbortOnDropHandle;

use super::cpu::Meter;
use super::nice::be_nice;

/// So many lists of keys that they ask for are read at the same time.
const LISTS_MAX: usize = 16;
/// By how much these threads are nicer than the others: they have a tenth of the others' weight.
const NICE: i32 = 10;

/// The threads.
pub(super) struct Background {
    runtime: Option<tokio::runtime::Runtime>,
}

impl Background {
    /// Starts them: one processor stays free for the others where there are two.
    pub(super) fn start() -> std::io::Result<Background> {
        let processors = available_parallelism().map_or(1, NonZero::get);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(processors.saturating_sub(1).max(1))
            .max_blocking_threads(LISTS_MAX)
            .thread_name("background")
            .on_thread_start(|| be_nice(NICE))
            .enable_all()
            .build()?;
        Ok(Background { runtime: Some(runtime) })
    }

    /// Does work where it is called from, until that has used up its time there; the rest in the background.
    pub(super) async fn do_from_foreground<T: Send + 'static>(
        &self,
        mut work: Pin<Box<dyn Future<Output = T> + Send>>,
        meter: &Meter,
    ) -> T {
        let done = poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if meter.is_long() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        match done.await {
            Some(done) => done,
            None => self.run(work, meter).await,
        }
    }

    /// Does work in the background. It ends when this is dropped.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
        meter: &Meter,
    ) -> T {
        meter.move_to_background();
        let runtime = self.runtime.as_ref().expect("it is taken only when this is dropped");
        match AbortOnDropHandle::new(runtime.spawn(work)).await {
            Ok(done) => done,
            Err(error) => resume_unwind(error.try_into_panic().expect("nobody else aborts it")),
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // What still runs there belongs to nobody any more, and an async context must not wait for it.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
