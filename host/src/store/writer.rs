//! The writer thread: owns the only write connection, commits what is queued as one group, then answers all.
//! A second thread moves the write-ahead log into the database, off the commit path.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Error, Meters, Pending, Store};
use crate::crash_point::CrashPoint;

/// Commands that wait for the writer; beyond it callers wait.
const QUEUE_MAX: usize = 4096;
/// Commands in one commit.
const GROUP_MAX: usize = 512;
/// How often the log is moved into the database.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);
/// Pages in the log (of 4 KiB) beyond which the writer itself moves the rest: while it goes on writing, the
/// log can never be moved to its end and begun anew.
const LOG_PAGES_MAX: i64 = 16_384;

/// The running transaction of a group, as a command sees it.
pub(super) struct Group<'a> {
    /// The connection inside the transaction.
    pub(super) connection: &'a Connection,
    /// Deliveries that the group makes, handed on once it is committed.
    pub(super) made: &'a mut Vec<Pending>,
}

/// Sends commands to the writer thread.
#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Command>>,
    /// Why the writer ended, once it has.
    failed: watch::Receiver<Option<Error>>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        path: PathBuf,
        committed: mpsc::Sender<Vec<Pending>>,
        gap: Arc<AtomicBool>,
        meters: Meters,
    ) -> Writer {
        let (queue, commands) = mpsc::channel(QUEUE_MAX);
        let (failure, failed) = watch::channel(None);
        let (alive, ended) = std::sync::mpsc::channel::<()>();
        let log_is_long = Arc::new(AtomicBool::new(false));
        let told = log_is_long.clone();
        thread::spawn(move || {
            let after_group = || {
                let is_told = told.swap(false, Ordering::AcqRel);
                if is_told { move_log(&connection).map(|_| ()) } else { Ok(()) }
            };
            if let Err(error) = write((&connection, &meters), commands, &committed, &gap, after_group) {
                tracing::error!(%error, "the store failed and takes no more writes");
                failure.send_replace(Some(error));
            }
            drop(alive);
        });
        thread::spawn(move || checkpoint(&path, &ended, &log_is_long));
        Writer { queue, failed }
    }
}

impl Store {
    /// Runs a command in the next group and answers once it is on disk.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Group<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let command = Box::new(Write { work: Some(work), done: None, reply });
        self.writer.queue.send(command).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }

    /// Returns when the store has failed for good (a disk error other than a full disk). The process should
    /// end then: a later sync may report success without the data.
    pub async fn failed(&self) -> Error {
        let mut failed = self.writer.failed.clone();
        match failed.wait_for(Option::is_some).await {
            Ok(error) => error.clone().unwrap_or(Error::Closed),
            Err(_) => Error::Closed,
        }
    }
}

/// A command of any result type.
trait Command: Send {
    fn run(&mut self, group: &mut Group<'_>) -> rusqlite::Result<()>;
    fn answer(self: Box<Self>, outcome: Result<(), Error>);
}

struct Write<F, T> {
    work: Option<F>,
    done: Option<T>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<F, T> Command for Write<F, T>
where
    F: FnOnce(&mut Group<'_>) -> rusqlite::Result<T> + Send,
    T: Send,
{
    fn run(&mut self, group: &mut Group<'_>) -> rusqlite::Result<()> {
        if let Some(work) = self.work.take() {
            self.done = Some(work(group)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), Error>) {
        let Write { done, reply, .. } = *self;
        // If nobody waits any more the caller was cancelled; the work is done all the same.
        let _ = reply.send(outcome.and_then(|()| done.ok_or(Error::Closed)));
    }
}

/// Commits group after group until all senders are gone.
///
/// # Errors
/// A failure after which nothing may be called stored any more.
fn write(
    (connection, meters): (&Connection, &Meters),
    mut commands: mpsc::Receiver<Box<dyn Command>>,
    committed: &mpsc::Sender<Vec<Pending>>,
    gap: &AtomicBool,
    after_group: impl Fn() -> Result<(), Error>,
) -> Result<(), Error> {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while commands.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
        let mut made = Vec::new();
        let (began, rows) = (Instant::now(), connection.total_changes());
        let outcome = commit(connection, &mut group, &mut made);
        if outcome.is_ok() {
            meters.committed(began, connection.total_changes() - rows);
        }
        if outcome.is_ok() && !made.is_empty() && committed.try_send(made).is_err() {
            // Nothing is lost: the dispatcher notices the gap and reads the table.
            gap.store(true, Ordering::Release);
        }
        for command in group.drain(..) {
            command.answer(outcome.clone());
        }
        if let Err(error) = outcome.and_then(|()| after_group())
            && is_final(&error)
        {
            return Err(error);
        }
    }
    Ok(())
}

/// Whether nothing may be called stored after this error: the disk or the file is at fault, not the command.
fn is_final(error: &Error) -> bool {
    use rusqlite::ErrorCode;
    let Error::Sqlite(error) = error else { return false };
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::CannotOpen
        )
    )
}

fn commit(
    connection: &Connection,
    group: &mut [Box<dyn Command>],
    made: &mut Vec<Pending>,
) -> Result<(), Error> {
    let run = || -> rusqlite::Result<()> {
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut transaction = Group { connection, made };
        for command in group {
            command.run(&mut transaction)?;
        }
        CrashPoint::BeforeCommit.reached();
        connection.prepare_cached("COMMIT")?.execute([])?;
        CrashPoint::AfterCommit.reached();
        Ok(())
    };
    run().map_err(|error| {
        if !connection.is_autocommit() {
            // SQLite may have rolled back by itself; if this fails too the first error says more.
            let _ = connection.execute_batch("ROLLBACK");
        }
        error.into()
    })
}

/// Moves the log into the database every second until the writer has ended.
fn checkpoint(path: &std::path::Path, ended: &std::sync::mpsc::Receiver<()>, log_is_long: &AtomicBool) {
    let connection = match Connection::open(path) {
        Ok(connection) => connection,
        Err(error) => {
            return tracing::error!(%error, "cannot open the store for checkpoints; its log will grow");
        }
    };
    while let Err(std::sync::mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(CHECKPOINT_EVERY) {
        let moved = CrashPoint::InCheckpoint.during(|| move_log(&connection));
        let is_long = moved.map(|pages| pages > LOG_PAGES_MAX).unwrap_or_else(|error| {
            tracing::warn!(%error, "a checkpoint of the store failed");
            true
        });
        // After a failure, too: the writer tries it itself, and ends if the disk is at fault.
        if is_long {
            log_is_long.store(true, Ordering::Release);
        }
    }
}

/// Moves what it can of the log into the database; answers how many pages the log has.
fn move_log(connection: &Connection) -> Result<i64, Error> {
    Ok(connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))?)
}
