//! What the store tells of itself: figures for `/metrics` and the status.

use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use metrics::Histogram;
use serde::Serialize;

use super::incidents::past_due;
use super::{Error, Reader, Store};

/// Deliveries are counted up to here: beyond it the number only says "many", and counting costs nothing.
pub const COUNT_MAX: u64 = 100_000;

/// What could run and has been due for longer is past due, milliseconds.
const PAST_DUE_MS: i64 = 60_000;

/// What the writer measures at each commit.
#[derive(Clone)]
pub struct Meters {
    /// How long a commit took, from its begin to the disk; seconds.
    pub commit_seconds: Histogram,
    /// How many rows it changed.
    pub commit_rows: Histogram,
}

impl Meters {
    /// Measures nothing.
    pub fn none() -> Meters {
        Meters { commit_seconds: Histogram::noop(), commit_rows: Histogram::noop() }
    }

    pub(super) fn committed(&self, began: Instant, rows: u64) {
        self.commit_seconds.record(began.elapsed());
        self.commit_rows.record(rows as f64);
    }
}

/// How much room the store takes, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// The database file.
    pub database: u64,
    /// The write-ahead log beside it.
    pub log: u64,
    /// What is left on the disk for the host's user.
    pub disk_free: u64,
    /// The size of the disk.
    pub disk: u64,
}

/// Deliveries that somebody waits for. Each number is at most [`COUNT_MAX`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Backlog {
    /// Wait for a run.
    pub pending: u64,
    /// In doubt.
    pub held: u64,
    /// Given up.
    pub dead: u64,
    /// For each plugin with pending deliveries: how long the one that could run and has been waiting the longest has
    /// been due, seconds; what waits behind a retry is not counted. Of a long backlog only the oldest are looked at.
    pub overdue_seconds: Vec<(String, u64)>,
    /// For each of these plugins: how many of its deliveries that could run have been due for more than a minute, as far
    /// as they are looked at.
    #[serde(skip)]
    pub past_due: Vec<(String, u64)>,
    /// Whether there was no time to look at all plugins.
    #[serde(skip)]
    pub is_partial: bool,
}

/// The disk under a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// What is left for the host's user, bytes.
    pub free: u64,
    /// Its size, bytes.
    pub size: u64,
}

/// Looks at the disk under a folder.
///
/// # Errors
/// What the file system says.
pub fn disk(folder: &Path) -> io::Result<Disk> {
    let disk = rustix::fs::statvfs(folder)?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
    Ok(Disk { free: bytes(disk.f_bavail), size: bytes(disk.f_blocks) })
}

/// How long the disk takes to sync 4 KiB, in a file without a name that is gone afterwards.
///
/// # Errors
/// What the file system says.
pub fn try_sync(folder: &Path) -> io::Result<Duration> {
    let mut file = tempfile::tempfile_in(folder)?;
    file.write_all(&[0; 4096])?;
    let began = Instant::now();
    file.sync_data()?;
    Ok(began.elapsed())
}
/// How long it may take to look at the backlogs of all plugins.
const OVERDUE_TIME: Duration = Duration::from_secs(2);

impl Store {
    /// How much room the store takes.
    ///
    /// # Errors
    /// What the file system says.
    pub async fn sizes(&self) -> Result<Sizes, Error> {
        let path = self.readers.path.clone();
        let look = move || -> io::Result<Sizes> {
            let size = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
            let disk = disk(path.parent().unwrap_or(&path))?;
            let mut log = path.clone().into_os_string();
            log.push("-wal");
            Ok(Sizes {
                database: size(&path),
                log: size(log.as_ref()),
                disk_free: disk.free,
                disk: disk.size,
            })
        };
        let path = self.readers.path.clone();
        tokio::task::spawn_blocking(look).await.map_err(|_| Error::Closed)?.map_err(super::at(&path))
    }

    /// How long the disk takes to sync 4 KiB in the data folder: most of a commit.
    ///
    /// # Errors
    /// What the file system says.
    pub async fn try_sync(&self) -> Result<Duration, Error> {
        let path = self.readers.path.clone();
        let folder = path.parent().unwrap_or(&path).to_owned();
        let sync = move || try_sync(&folder);
        tokio::task::spawn_blocking(sync).await.map_err(|_| Error::Closed)?.map_err(super::at(&path))
    }

    /// Runs a query of the read model on a connection of its own, which is interrupted if nobody waits for the
    /// answer any more, or for `patience`.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::Slow`] if the query took too long.
    pub async fn query<T: Send + 'static>(
        &self,
        patience: Duration,
        query: impl FnOnce(&Reader) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let path = self.readers.path.clone();
        let reader = tokio::task::spawn_blocking(move || super::open_reader(&path))
            .await
            .map_err(|_| Error::Closed)?
            .map(|connection| Reader { connection })?;
        let interrupt = Interrupt(reader.connection.get_interrupt_handle());
        let run = tokio::task::spawn_blocking(move || query(&reader));
        let answer = tokio::time::timeout(patience, run).await;
        drop(interrupt);
        answer.map_err(|_| Error::Slow)?.map_err(|_| Error::Closed)?
    }
}

/// Interrupts the query of a connection when it is dropped; harmless if none runs.
struct Interrupt(rusqlite::InterruptHandle);

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.0.interrupt();
    }
}

impl Reader {
    /// Deliveries that somebody waits for. Takes the same time however long the backlog is.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn backlog(&self, now_ms: i64) -> Result<Backlog, Error> {
        let count = |state: &str, index: &str| -> Result<u64, Error> {
            let sql = format!(
                "SELECT count(*) FROM (SELECT 1 FROM deliveries INDEXED BY {index} WHERE state = '{state}'
                 LIMIT {COUNT_MAX})"
            );
            Ok(self.connection.query_row(&sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs())
        };
        let mut backlog = Backlog {
            pending: count("pending", "deliveries_pending")?,
            held: count("held", "deliveries_held")?,
            dead: count("dead", "deliveries_dead")?,
            ..Backlog::default()
        };
        self.overdue(now_ms, OVERDUE_TIME, &mut backlog)?;
        Ok(backlog)
    }

    /// What is overdue of each plugin, as far as there is time.
    fn overdue(&self, now_ms: i64, budget: Duration, backlog: &mut Backlog) -> Result<(), Error> {
        let began = Instant::now();
        let mut plugins = self.connection.prepare(super::deliveries::PLUGINS_WITH_PENDING)?;
        let plugins: Vec<String> =
            plugins.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        for plugin in plugins {
            if began.elapsed() >= budget {
                backlog.is_partial = true;
                break;
            }
            let (due_ms, count) = past_due(&self.connection, &plugin, (now_ms, now_ms - PAST_DUE_MS))?;
            let late_ms = due_ms.map_or(0, |due_ms| now_ms.saturating_sub(due_ms)).max(0);
            backlog.overdue_seconds.push((plugin.clone(), late_ms.unsigned_abs() / 1000));
            backlog.past_due.push((plugin, count));
        }
        Ok(())
    }
}
