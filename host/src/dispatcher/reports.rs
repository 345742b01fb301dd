//! What the tasks of the dispatcher tell its loop, and how much of them is under way.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::mpsc;

use super::lanes::{Key, Lanes, Load};
use crate::store::Pending;

/// Attempts that run at the same time, of all plugins together.
pub(super) const RUNNING_MAX: usize = 200;
/// Attempts beyond these, each of a plugin that has none running: some plugins that hang must not take every place. Both
/// together stay below the pool of instances (256).
pub(super) const FIRST_MAX: usize = 40;
/// Attempts whose outcomes are being recorded, and those that run: many outcomes make one commit.
pub(super) const UNFINISHED_MAX: usize = 1_000;

/// What the dispatcher's tasks report.
pub(super) enum Message {
    /// An attempt is over; its outcome is being recorded.
    Ran(Arc<str>),
    /// The outcome is recorded.
    Finished {
        plugin: Arc<str>,
        key: Key,
        again: Option<Pending>,
    },
    Loaded {
        load: Load,
        rows: Vec<Pending>,
    },
    /// A task has panicked, and with it went the word that its lane is free.
    Panicked,
}

/// How much is under way.
#[derive(Default)]
pub(super) struct Busy {
    /// Attempts that run.
    pub(super) running: usize,
    /// These, and those whose outcomes are being recorded.
    unfinished: usize,
}

impl Busy {
    pub(super) fn has_room(&self) -> bool {
        self.running < RUNNING_MAX && self.unfinished < UNFINISHED_MAX
    }

    /// The next delivery to run, if there is a place for it.
    pub(super) fn next(&self, lanes: &mut Lanes) -> Option<Pending> {
        if self.has_room() {
            return lanes.next();
        }
        let has_first = self.running < RUNNING_MAX + FIRST_MAX && self.unfinished < UNFINISHED_MAX;
        if has_first { lanes.next_first() } else { None }
    }

    pub(super) fn begin(&mut self) {
        self.running += 1;
        self.unfinished += 1;
    }

    /// One that has begun is over, its outcome recorded.
    #[cfg(test)]
    pub(super) fn ended(&mut self) {
        self.running -= 1;
        self.unfinished -= 1;
    }
}

/// Takes a report in. False if the loop can't go on.
pub(super) fn take(lanes: &mut Lanes, busy: &mut Busy, message: Message, now_ms: i64) -> bool {
    match message {
        Message::Ran(plugin) => {
            busy.running -= 1;
            lanes.ran(&plugin);
        }
        Message::Finished { plugin, key, again } => {
            busy.unfinished -= 1;
            lanes.finished(&plugin, key, again, now_ms);
        }
        Message::Loaded { load: Load::Window { plugin, limit, .. }, rows } => {
            lanes.loaded_window(&plugin, by_clock(rows, now_ms), limit, now_ms);
        }
        Message::Loaded { load: Load::Lane { plugin, lane, until, limit, .. }, rows } => {
            lanes.loaded_lane(&plugin, &lane, by_clock(rows, now_ms), (until, limit), now_ms);
        }
        Message::Panicked => return false,
    }
    true
}

/// What was loaded, some of it perhaps from before the machine's clock was set back.
fn by_clock(rows: Vec<Pending>, now_ms: i64) -> Vec<Pending> {
    rows.into_iter().map(|pending| pending.by_clock(now_ms)).collect()
}

/// Runs a task of the loop to its end. One that panics would leave its lane closed and its place taken until the next
/// start, with nothing to be seen: the loop is told.
pub(super) async fn watched(task: impl Future<Output = ()>, reports: mpsc::Sender<Message>) {
    if AssertUnwindSafe(task).catch_unwind().await.is_err() {
        // Nobody takes it if the loop has ended already.
        let _ = reports.send(Message::Panicked).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::DeliveryId;

    #[tokio::test]
    async fn a_task_that_panics_ends_the_loop() {
        let (plugin, lane): (Arc<str>, Arc<str>) = ("plugin".into(), "chat:C1".into());
        for panics in [true, false] {
            let mut lanes = Lanes::default();
            lanes.set_concurrency(&plugin, 1);
            let (reports, mut inbox) = mpsc::channel(1);
            let (of_task, (plugin, lane)) = (reports.clone(), (plugin.clone(), lane.clone()));
            let task = async move {
                assert!(!panics, "as the test wants it");
                let (after, until) = (DeliveryId(0), DeliveryId(1));
                let load = Load::Lane { plugin, lane, after, until, limit: 1 };
                let _ = of_task.send(Message::Loaded { load, rows: Vec::new() }).await;
            };
            watched(task, reports).await;
            let message = inbox.recv().await.expect("a report of either kind");
            assert_eq!(take(&mut lanes, &mut Busy::default(), message, 0), !panics);
        }
    }
}
