//! The store: one SQLite file in the data folder. Commands go to one writer thread, which commits them in
//! groups; queries use short-lived read connections beside it.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{Notify, mpsc};

use crate::event::EventId;
use crate::event::trace_id::{TraceId, TraceIds};

mod accept;
mod backup;
mod batch;
mod clock;
mod decisions;
mod deliveries;
mod failure;
mod figures;
mod files;
mod following;
mod forget;
mod incidents;
mod journal;
mod log;
mod memory;
mod operator;
mod own;
mod plugins;
mod queries;
mod recovery;
mod retention;
mod running;
mod schedules;
mod schema;
mod starts;
mod steps;
mod timers;
mod versions;
mod visits;
mod writer;

pub use accept::{Accepted, NewWebhook, Route, Routes};
pub use backup::{Checked, Restored, backup, check, restore};
pub use batch::BatchSize;
pub use clock::{Clock, Step, Steps};
pub use decisions::{DecisionEntry, DecisionFilter};
pub use deliveries::{Finish, Pending};
pub use figures::{Backlog, COUNT_MAX, Disk, Meters, Sizes, disk, try_sync};
pub use files::{FileContent, FileSummary, FileToken, FileVersion};
pub use forget::Forgotten;
pub use operator::{
    AuditEntry, AuditFilter, BATCH, Count, Cursor, Decided, DecidedDelivery, Decision, DeedOfOperator,
    DeliveryFilter, Replayed, ReplayedDelivery, Selection, StoppedDelivery, WebhooksChanged,
};
pub use plugins::{CommandStatus, PluginStatus};
pub use queries::{DeliveryView, EventFilter, EventView};
pub use recovery::{Found, Outage};
pub use retention::{Job, Pruned};
pub use running::Mark;
pub use schedules::{Commanded, Made, Place, ScheduleName};
pub use steps::StepView;
pub use timers::Fired;
pub use versions::{GoodVersion, KnownVersion, TakenBack, VersionChange, VersionName};

use failure::{Failure, is_damage};
use running::Running;
use starts::Epoch;
use writer::{Writer, Writing};

use crate::delivery::Uptime;

/// Batches of committed deliveries that wait for the dispatcher. When it is full the dispatcher reads them
/// from the table instead.
const COMMITTED_BATCHES_MAX: usize = 1024;
const READERS_KEPT: usize = 8;
/// How long the lock waits for the last write.
const CLOSING: Duration = Duration::from_secs(5);

/// Why the store can't do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Another process owns the data folder.
    #[error("{0} is in use by another chatplug process: stop that one, or give this one another [data] dir")]
    Locked(PathBuf),
    /// The data folder can't be made or read.
    #[error("cannot use the data folder {path}: {said}")]
    Folder {
        /// The folder or the file in it.
        path: PathBuf,
        /// What the system said.
        said: Arc<std::io::Error>,
    },
    /// A file that the operator named, a backup that is read or written, is no use.
    #[error("cannot use {path} as a backup: {what}")]
    Backup {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        what: String,
    },
    /// A backup is damaged.
    #[error("the backup {path} is damaged ({what}): it can't be restored, use another one")]
    BackupDamaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// The disk is full: what was asked is not stored, and asking again later may help.
    #[error("the disk of the data folder is full")]
    Full,
    /// SQLite failed.
    #[error("the store failed: {0}")]
    Sqlite(#[from] Arc<rusqlite::Error>),
    /// The store was written by a newer version of the program.
    #[error(
        "the store has schema {found}, this program knows up to {known}: use the newer chatplug that wrote it"
    )]
    Newer {
        /// What the file says.
        found: i64,
        /// What this program knows.
        known: i64,
    },
    /// The file is damaged.
    #[error("the store {path} is damaged ({what}): stop, and restore a backup with `chatplug restore FILE`")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// Another host has opened the store since.
    #[error(
        "another host has taken over the data folder, although its lock is ours: does its file system support locks? \
         Run one host on it, on one machine"
    )]
    TakenOver,
    /// A commit took too long; it may happen after all.
    #[error("the store did not commit in time: does the disk hang?")]
    Slow,
    /// The writer has ended, at shutdown or after a failure of the disk.
    #[error("the store is closed")]
    Closed,
}

impl Error {
    /// Whether asking again will not help: what is stored is not what this program writes.
    pub fn is_lasting(&self) -> bool {
        let Error::Sqlite(error) = self else { return false };
        matches!(
            **error,
            rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
        )
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Error {
        let extended = error.sqlite_error().map(|error| error.extended_code);
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Error::Full,
            // The file that readers and writer share can't grow: no room on the disk either.
            _ if extended == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE) => Error::Full,
            _ => Error::Sqlite(Arc::new(error)),
        }
    }
}

/// A handle on the store; cheap to clone.
#[derive(Clone)]
pub struct Store {
    writer: Writer,
    readers: Arc<Readers>,
    /// Those of threads in the background: nobody else waits for one that such a thread is at.
    patient_readers: Arc<Readers>,
    traces: TraceIds,
    uptime: Arc<ArcSwap<Uptime>>,
    /// Pauses that are still to be kept.
    pauses: Arc<Mutex<Vec<(i64, i64)>>>,
    running: Arc<Running>,
    clock: Clock,
    failure: Failure,
    /// Told when a timer was set or taken back.
    timers_changed: Arc<Notify>,
    /// Events up to this number may have lost their content: what is in memory of them doesn't count.
    forgotten_to: Arc<AtomicI64>,
}

/// What comes with opening the store for writing.
pub struct Opened {
    /// The handle.
    pub store: Store,
    /// Deliveries as they are committed.
    pub committed: Committed,
    /// Held as long as the store is in use.
    pub lock: Lock,
}

/// Deliveries as they are committed, in order.
pub struct Committed {
    batches: mpsc::Receiver<Vec<Pending>>,
    gap: Arc<AtomicBool>,
}

impl Committed {
    /// Waits for the next batch; `None` once the store is closed.
    pub async fn next(&mut self) -> Option<Vec<Pending>> {
        self.batches.recv().await
    }

    /// Whether batches were dropped since this was asked last, because nobody took them: they are in the
    /// table all the same.
    pub fn had_gap(&self) -> bool {
        self.gap.swap(false, Ordering::AcqRel)
    }
}

/// The ownership of a data folder; ends when it is released or dropped.
pub struct Lock {
    file: File,
    /// Ends when the threads of the store have; none where only the lock was taken.
    ended: Option<Mutex<Receiver<()>>>,
}

impl Lock {
    /// Gives the lock back after the last write, when nobody uses the store any more.
    pub fn release(mut self) {
        let ended = self.ended.take().and_then(|ended| ended.into_inner().ok());
        if let Some(Err(RecvTimeoutError::Timeout)) = ended.map(|ended| ended.recv_timeout(CLOSING)) {
            tracing::warn!("the store is still in use while its lock is given back");
        }
    }
}

impl Opened {
    /// Closes the store: nothing of it is under way any more, and its log is empty if nobody else reads it.
    pub fn close(self) {
        let Opened { store, committed, lock } = self;
        drop((store, committed));
        lock.release();
    }
}

impl Store {
    /// Opens the store of a data folder for this process alone, and makes it if it isn't there.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process has it; else what the file system or SQLite says.
    pub fn open(data_dir: &Path) -> Result<Opened, Error> {
        Store::open_measured(data_dir, Meters::none())
    }

    /// The same, with commits measured.
    ///
    /// # Errors
    /// As for [`Store::open`].
    pub fn open_measured(data_dir: &Path, meters: Meters) -> Result<Opened, Error> {
        Store::open_with(data_dir, meters, Clock::steady())
    }

    /// The same, with a clock of the caller's.
    ///
    /// # Errors
    /// As for [`Store::open`].
    pub fn open_with(data_dir: &Path, meters: Meters, clock: Clock) -> Result<Opened, Error> {
        Store::open_in(data_dir, meters, clock).map_err(|error| named(error, data_dir))
    }

    fn open_in(data_dir: &Path, meters: Meters, clock: Clock) -> Result<Opened, Error> {
        make_folder(data_dir)?;
        let mut lock = lock_patiently(data_dir)?;
        let path = database(data_dir);
        // SQLite would make the file readable for others; it holds what customers wrote. The mode counts for
        // a restored file too, and SQLite gives it to the files beside it.
        make_private(&path)?;
        let connection = Connection::open(&path)?;
        schema::prepare(&connection)
            .and_then(|()| backup::check_opened(&connection, &path))
            .map_err(|error| backup::damaged(error, &path))?;
        let traces = schema::traces(&connection)?;
        let (epoch, uptime) = Epoch::begin(&connection, &clock)?;
        clock.doubt(&uptime);
        let running = Running::open(data_dir, &connection, clock.now_ms())?;
        let (sender, batches) = mpsc::channel(COMMITTED_BATCHES_MAX);
        let (gap, failure) = (Arc::new(AtomicBool::new(false)), Failure::none());
        let writing = Writing {
            connection,
            path: path.clone(),
            epoch,
            clock: clock.clone(),
            committed: sender,
            gap: gap.clone(),
            failure: failure.clone(),
            meters,
        };
        let (writer, ended) = writing.start();
        lock.ended = Some(Mutex::new(ended));
        let store = Store {
            writer,
            readers: Arc::new(Readers::new(path.clone(), failure.clone())),
            patient_readers: Arc::new(Readers::new(path, failure.clone())),
            traces,
            uptime: Arc::new(ArcSwap::from_pointee(uptime)),
            pauses: Arc::default(),
            running: Arc::new(running),
            clock,
            failure,
            timers_changed: Arc::default(),
            forgotten_to: Arc::default(),
        };
        Ok(Opened { store, committed: Committed { batches, gap }, lock })
    }

    /// The clock of this start of the host. All times that are stored, and all that they are compared with, are by it.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Is told when a timer was set or taken back.
    pub fn timers_changed(&self) -> &Arc<Notify> {
        &self.timers_changed
    }

    /// Whether another process owns the data folder right now: a host is running.
    ///
    /// # Errors
    /// What the file system says.
    pub fn is_owned(data_dir: &Path) -> Result<bool, Error> {
        if !data_dir.exists() {
            return Ok(false);
        }
        match lock(data_dir) {
            Ok(_) => Ok(false),
            Err(Error::Locked(_)) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// The trace of an event: what stands on every log line of its way.
    pub fn trace(&self, event: EventId) -> TraceId {
        self.traces.of(event)
    }

    /// Runs a query on a read connection, off the async threads.
    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let readers = self.readers.clone();
        tokio::task::spawn_blocking(move || readers.with(query)).await.map_err(|_| Error::Closed)?
    }
}

/// A read-only view of a data folder, beside a running host or without one.
pub struct Reader {
    connection: Connection,
}

impl Reader {
    /// Opens the store of a data folder; `None` if there is none yet.
    ///
    /// # Errors
    /// What SQLite says, or [`Error::Newer`].
    pub fn open(data_dir: &Path) -> Result<Option<Reader>, Error> {
        let path = database(data_dir);
        if !path.exists() {
            return Ok(None);
        }
        let connection = open_reader(&path)?;
        schema::check(&connection)?;
        Ok(Some(Reader { connection }))
    }
}

struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    failure: Failure,
}

impl Readers {
    fn new(path: PathBuf, failure: Failure) -> Readers {
        Readers { path, idle: Mutex::new(Vec::new()), failure }
    }

    fn with<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        let idle = self.idle.lock().expect("no reader panics while it holds the list").pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open_reader(&self.path)?,
        };
        let answer = query(&connection).map_err(Error::from).inspect_err(|error| {
            if is_damage(error) {
                self.failure.report(error.clone());
            }
        })?;
        let mut idle = self.idle.lock().expect("no reader panics while it holds the list");
        if idle.len() < READERS_KEPT {
            idle.push(connection);
        }
        Ok(answer)
    }
}

fn open_reader(path: &Path) -> Result<Connection, Error> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(log::BUSY_TIME)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn make_folder(data_dir: &Path) -> Result<(), Error> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(at(data_dir))
}

/// The file is closed again before SQLite opens it: to close it later would end SQLite's own locks on it, as POSIX has
/// it, and the next tool that looks into the store would take itself for the last one and remove the log.
fn make_private(path: &Path) -> Result<(), Error> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(at(path))?;
    file.set_permissions(Permissions::from_mode(0o600)).map_err(at(path))
}

fn database(data_dir: &Path) -> PathBuf {
    data_dir.join("chatplug.db")
}

/// A command that looks whether a host is running holds the lock for a moment: that is no other host.
fn lock_patiently(data_dir: &Path) -> Result<Lock, Error> {
    const TRIES: u32 = 20;
    for _ in 1..TRIES {
        match lock(data_dir) {
            Err(Error::Locked(_)) => std::thread::sleep(Duration::from_millis(50)),
            done => return done,
        }
    }
    lock(data_dir)
}

fn lock(data_dir: &Path) -> Result<Lock, Error> {
    let path = data_dir.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { file, ended: None }),
        Err(TryLockError::WouldBlock) => Err(Error::Locked(data_dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(at(&path)(error)),
    }
}

/// The same error, with the folder if it is full: at the start nothing around it says which that is.
fn named(error: Error, data_dir: &Path) -> Error {
    match error {
        Error::Full => {
            at(data_dir)(io::Error::new(io::ErrorKind::StorageFull, "its disk is full: make room on it"))
        }
        other => other,
    }
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Error + '_ {
    move |said| Error::Folder { path: path.to_owned(), said: Arc::new(said) }
}

#[cfg(test)]
mod tests;
