//! What was committed becomes durable: a thread of its own syncs the log, and then answers those who wait. Meanwhile
//! the writer works on the next group, so that disk and processor are busy at the same time.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::mpsc;

use super::failure::{Failure, Watch};
use super::writer::Command;
use super::{Error, Meters, Pending};
use crate::crash_point::CrashPoint;

/// A group that SQLite has committed and that is not on disk yet.
pub(super) struct Committed {
    /// Those who wait for it.
    pub(super) commands: Vec<Box<dyn Command>>,
    /// The deliveries that it made.
    pub(super) made: Vec<Pending>,
    /// When its transaction began.
    pub(super) began: Instant,
    /// How many rows it changed.
    pub(super) rows: u64,
}

/// What the syncing thread works with.
pub(super) struct Syncing {
    /// The log of the write connection, see [`take_over`].
    pub(super) log: File,
    /// Takes the deliveries that are on disk.
    pub(super) committed: mpsc::Sender<Vec<Pending>>,
    /// Whether it did not take all.
    pub(super) gap: Arc<AtomicBool>,
    /// Takes the error that ends the store.
    pub(super) failure: Failure,
    /// Count what is committed.
    pub(super) meters: Meters,
}

/// Leaves the syncs of commits on a connection to the caller; answers the log, which has to be synced before a
/// commit counts. SQLite goes on to sync where the file would be damaged otherwise: before it moves the log, and when
/// it begins the log anew. SQLite has no locks on the log: to close it ends none.
pub(super) fn take_over(connection: &Connection, database: &Path) -> Result<File, Error> {
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    let mut log = database.to_owned().into_os_string();
    log.push("-wal");
    File::open(&log).map_err(super::at(log.as_ref()))
}

impl Syncing {
    /// Syncs group after group until the writer has ended.
    pub(super) fn run(self, groups: &Receiver<Committed>) {
        let _watch = Watch(self.failure.clone());
        while let Ok(group) = groups.recv() {
            let outcome = self.sync();
            if outcome.is_ok() {
                CrashPoint::AfterCommit.reached();
                self.meters.committed(group.began, group.rows);
                self.hand_on(group.made);
            }
            group.commands.into_iter().for_each(|command| command.answer(outcome.clone()));
        }
    }

    /// After a sync that failed the next one may succeed without the data: it ends the store.
    fn sync(&self) -> Result<(), Error> {
        if let Some(error) = self.failure.get() {
            return Err(error);
        }
        self.log.sync_data().map_err(|error| {
            let error = Error::Sync(Arc::new(error));
            self.failure.report(error.clone());
            error
        })
    }

    fn hand_on(&self, made: Vec<Pending>) {
        if !made.is_empty() && self.committed.try_send(made).is_err() {
            // Nothing is lost: the dispatcher notices the gap and reads the table.
            self.gap.store(true, Ordering::Release);
        }
    }
}
