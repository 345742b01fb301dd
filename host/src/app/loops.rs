//! The host's long-running parts. None of them ends before it is told to: if one does, by a fault of ours, the host must
//! not go on without it, answering webhooks that nobody takes up. It stops, and its supervisor starts it again.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The parts, each a task.
pub(super) struct Loops {
    tasks: TaskTracker,
    stop: CancellationToken,
    /// The first part that ended by itself.
    broken: watch::Sender<Option<&'static str>>,
}

impl Loops {
    /// None yet. They end some time after `stop`, and cancel it if one ends before.
    pub(super) fn new(stop: CancellationToken) -> Loops {
        Loops { tasks: TaskTracker::new(), stop, broken: watch::Sender::new(None) }
    }

    /// Starts a part that runs until the stop; its name is for the log.
    pub(super) fn spawn(&self, name: &'static str, part: impl Future<Output = ()> + Send + 'static) {
        // Dropped when the part returns, and when it panics.
        let ends = Ends { name, stop: self.stop.clone(), broken: self.broken.clone() };
        self.tasks.spawn(async move {
            let _ends = ends;
            part.await;
        });
    }

    /// Waits until a part has ended by itself; which.
    pub(super) async fn broken(&self) -> &'static str {
        let mut broken = self.broken.subscribe();
        loop {
            if let Some(name) = *broken.borrow_and_update() {
                return name;
            }
            // The sender lives as long as `self`.
            let _ = broken.changed().await;
        }
    }

    /// Waits until all have ended.
    pub(super) async fn wait(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

struct Ends {
    name: &'static str,
    stop: CancellationToken,
    broken: watch::Sender<Option<&'static str>>,
}

impl Drop for Ends {
    fn drop(&mut self) {
        if self.stop.is_cancelled() {
            return;
        }
        tracing::error!(
            part = self.name,
            "a part of the host has ended by itself: it stops, to be started again"
        );
        self.broken.send_if_modified(|broken| broken.replace(self.name).is_none());
        self.stop.cancel();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_part_that_panics_or_returns_stops_all_others() {
        for panics in [true, false] {
            let stop = CancellationToken::new();
            let loops = Loops::new(stop.clone());
            loops.spawn("other", stop.clone().cancelled_owned());
            loops.spawn("first", async move { assert!(!panics, "as the test wants it") });
            let broken = tokio::time::timeout(Duration::from_secs(60), loops.broken()).await;
            assert_eq!(broken, Ok("first"), "a minute is enough for what has ended at once");
            loops.wait().await;
            assert!(stop.is_cancelled());
            assert_eq!(loops.broken().await, "first", "the other one only followed");
        }
    }

    #[tokio::test]
    async fn parts_that_end_when_they_are_told_to_are_not_broken() {
        let stop = CancellationToken::new();
        let loops = Loops::new(stop.clone());
        loops.spawn("one", stop.clone().cancelled_owned());
        stop.cancel();
        loops.wait().await;
        assert_eq!(*loops.broken.borrow(), None);
    }
}
