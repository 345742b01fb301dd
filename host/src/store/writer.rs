//! The writer thread: owns the only write connection, commits what is queued as one group, then answers all.
//! The log is moved into the database by another thread, off the commit path.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::clock::Clock;
use super::failure::{Failure, Watch, is_final};
use super::log::{self, IsLong, Shortening, checkpoint};
use super::starts::{ALIVE_EVERY, Epoch};
use super::{Error, Meters, Pending, Store};
use crate::crash_point::CrashPoint;

/// Commands that wait for the writer; beyond it callers wait.
const QUEUE_MAX: usize = 4096;
/// Commands in one commit.
const GROUP_MAX: usize = 512;

/// The running transaction of a group, as a command sees it.
pub(super) struct Group<'a> {
    /// The connection inside the transaction.
    pub(super) connection: &'a Connection,
    /// Deliveries that the group makes, handed on once it is committed.
    pub(super) made: &'a mut Vec<Pending>,
    /// Set by who wants the log to be begun anew behind the group, and is told here whether it was.
    pub(super) anew: &'a mut Option<Arc<AtomicBool>>,
}

/// Sends commands to the writer thread.
#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Command>>,
}

/// What the writer thread works with.
pub(super) struct Writing {
    /// The only write connection.
    pub(super) connection: Connection,
    /// The file, for the thread that moves the log.
    pub(super) path: PathBuf,
    /// This start of the host.
    pub(super) epoch: Epoch,
    /// When that is.
    pub(super) clock: Clock,
    /// Takes what was committed.
    pub(super) committed: mpsc::Sender<Vec<Pending>>,
    /// Whether it did not take all.
    pub(super) gap: Arc<AtomicBool>,
    /// Takes the error that ends the store.
    pub(super) failure: Failure,
    /// Count what is committed.
    pub(super) meters: Meters,
}

impl Writing {
    /// Starts the threads. What it answers beside the writer ends when they have.
    pub(super) fn start(self) -> (Writer, std::sync::mpsc::Receiver<()>) {
        let (queue, commands) = mpsc::channel(QUEUE_MAX);
        let (alive, ended) = std::sync::mpsc::channel::<()>();
        let (done, all_done) = std::sync::mpsc::channel();
        let also_done = done.clone();
        let is_long = IsLong::default();
        let (path, failure, told) = (self.path.clone(), self.failure.clone(), is_long.clone());
        // The queue is closed once all who write are gone, whatever the other thread does.
        let more = beat(self.epoch, self.clock.clone(), queue.downgrade());
        thread::spawn(move || {
            // Dropped from the last to the first: the connection is closed before the thread is done.
            let _done = done;
            let _alive = alive;
            let writing = self;
            let _watch = Watch(writing.failure.clone());
            if let Err(error) = writing.write(commands, Shortening::new(is_long)) {
                writing.failure.report(error);
            }
        });
        thread::spawn(move || {
            let _done = also_done;
            // Without it the log would grow until the disk is full.
            let _watch = Watch(failure.clone());
            checkpoint(&path, &ended, &told, &failure, more);
        });
        (Writer { queue }, all_done)
    }

    /// Commits group after group until all senders are gone.
    ///
    /// # Errors
    /// A failure after which nothing may be called stored any more.
    fn write(
        &self,
        mut commands: mpsc::Receiver<Box<dyn Command>>,
        mut shortening: Shortening,
    ) -> Result<(), Error> {
        let mut group = Vec::with_capacity(GROUP_MAX);
        while commands.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
            let (mut made, mut anew) = (Vec::new(), None);
            let (began, rows) = (Instant::now(), self.connection.total_changes());
            let outcome = match self.failure.get() {
                Some(error) => Err(error),
                None => self.commit(&mut group, &mut made, &mut anew),
            };
            if outcome.is_ok() {
                self.meters.committed(began, self.connection.total_changes() - rows);
            }
            if outcome.is_ok() && !made.is_empty() && self.committed.try_send(made).is_err() {
                // Nothing is lost: the dispatcher notices the gap and reads the table.
                self.gap.store(true, Ordering::Release);
            }
            if let (Ok(()), Some(told)) = (&outcome, anew) {
                self.begin_log_anew(&told);
            }
            for command in group.drain(..) {
                command.answer(outcome.clone());
            }
            if let Some(error) = self.failure.get() {
                return Err(error);
            }
            if let Err(error) = outcome.and_then(|()| shortening.shorten(&self.connection, Instant::now()))
                && is_final(&error)
            {
                return Err(error);
            }
        }
        // The downtime begins here, not at the last beat. If the disk doesn't take it nothing is lost.
        let _ = self.epoch.is_alive(&self.connection, self.clock.now_ms(), self.clock.machine_ms());
        Ok(())
    }

    fn begin_log_anew(&self, told: &AtomicBool) {
        match log::begin_anew(&self.connection) {
            Ok(done) => told.store(done, Ordering::Release),
            Err(error) if is_final(&error) => self.failure.report(error),
            Err(error) => tracing::warn!(%error, "the store's log could not be begun anew"),
        }
    }

    fn commit(
        &self,
        group: &mut [Box<dyn Command>],
        made: &mut Vec<Pending>,
        anew: &mut Option<Arc<AtomicBool>>,
    ) -> Result<(), Error> {
        let connection = &self.connection;
        let run = || -> Result<(), Error> {
            connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            if !self.epoch.is_newest(connection)? {
                return Err(Error::TakenOver);
            }
            let mut transaction = Group { connection, made, anew };
            for command in group {
                command.run(&mut transaction)?;
            }
            CrashPoint::BeforeCommit.reached();
            connection.prepare_cached("COMMIT")?.execute([])?;
            CrashPoint::AfterCommit.reached();
            Ok(())
        };
        run().inspect_err(|_| {
            if !connection.is_autocommit() {
                // SQLite may have rolled back by itself; if this fails too the first error says more.
                let _ = connection.execute_batch("ROLLBACK");
            }
        })
    }
}

/// Records now and then that the host is alive, as long as there is a queue.
fn beat(epoch: Epoch, clock: Clock, queue: mpsc::WeakSender<Box<dyn Command>>) -> impl FnMut() {
    let mut beaten = Instant::now();
    move || {
        if beaten.elapsed() < ALIVE_EVERY {
            return;
        }
        beaten = Instant::now();
        let (now_ms, machine_ms) = (clock.now_ms(), clock.machine_ms());
        let work = move |group: &mut Group<'_>| epoch.is_alive(group.connection, now_ms, machine_ms);
        let (reply, _) = oneshot::channel();
        if let Some(queue) = queue.upgrade() {
            // A full queue is served by a host that is alive: the next beat records it.
            let _ = queue.try_send(Box::new(Write { work: Some(work), done: None, reply }));
        }
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
}

impl Store {
    /// Moves all of the log into the database and empties it, between two readers; whether that could be done. What
    /// was overwritten before then is in neither.
    ///
    /// # Errors
    /// See [`Error`].
    pub(super) async fn begin_log_anew(&self) -> Result<bool, Error> {
        const TRIES: u32 = 50;
        const PAUSE: Duration = Duration::from_millis(100);
        for _ in 0..TRIES {
            // Most of it is moved beside the writer, which has little left to do then.
            let moved = self
                .read(|connection| connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())));
            moved.await?;
            let told = Arc::new(AtomicBool::new(false));
            // Two in one group: the first is told that it was not done, and tries again.
            let wish = told.clone();
            let ask = move |group: &mut Group<'_>| {
                *group.anew = Some(wish);
                Ok(())
            };
            self.write(ask).await?;
            if told.load(Ordering::Acquire) {
                return Ok(true);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(false)
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
