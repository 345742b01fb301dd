//! The write-ahead log is moved into the database off the commit path, and kept short: by a thread of its own,
//! and by the writer where only the writer can (while it goes on writing, the log is never at its end).

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::Error;
use super::failure::{Failure, is_final};
use crate::crash_point::CrashPoint;

/// How often the log is moved into the database.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);
/// Pages in the log (of 4 KiB; 64 MiB) beyond which the writer moves the rest and begins the log anew.
const PAGES_LONG: i64 = 16_384;
/// The file keeps up to so many bytes when the log is begun anew (128 MiB: [`PAGES_MAX`] and what is written meanwhile).
/// To give 64 MiB back to ext4 took a tenth of a second, each five seconds at 1,000 events/s, in which nothing was accepted.
pub(super) const LENGTH_KEPT: i64 = 128 << 20;
/// Pages (112 MiB) beyond which the writer waits for readers that keep the log from being begun anew.
const PAGES_MAX: i64 = 28_672;
/// How long it waits for them.
const READERS_TIME: Duration = Duration::from_secs(1);
/// And how long not again after that: the host's own backup is such a reader, and commits must go on beside it.
const READERS_PAUSE: Duration = Duration::from_secs(10);
/// Pages (1 GiB) beyond which it waits group by group: the disk must not fill.
const PAGES_TOO_MANY: i64 = 262_144;
/// How long a connection waits for another one otherwise.
pub(super) const BUSY_TIME: Duration = Duration::from_secs(5);

/// Whether the log is long; the thread tells the writer.
#[derive(Clone, Default)]
pub(super) struct IsLong(Arc<AtomicBool>);

/// What the writer does about a long log.
pub(super) struct Shortening {
    is_long: IsLong,
    /// A reader kept the log from being shortened: not tried again before.
    pause_until: Option<Instant>,
}

impl Shortening {
    pub(super) fn new(is_long: IsLong) -> Shortening {
        Shortening { is_long, pause_until: None }
    }

    /// Shortens the log if the thread found it long.
    pub(super) fn shorten(&mut self, connection: &Connection, now: Instant) -> Result<(), Error> {
        let is_pausing = self.pause_until.is_some_and(|until| now < until);
        if is_pausing || !self.is_long.0.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        self.pause_until = None;
        let pages = move_log(connection, "PASSIVE")?;
        if pages <= PAGES_LONG {
            return Ok(());
        }
        let patience = if pages > PAGES_MAX { READERS_TIME } else { Duration::ZERO };
        if !begin(connection, "RESTART", patience)? && pages > PAGES_MAX {
            self.is_long.0.store(true, Ordering::Release);
            self.pause_until = (pages <= PAGES_TOO_MANY).then(|| now + READERS_PAUSE);
            tracing::warn!(
                "a reader keeps the store's log from being shortened: a backup, or another program that is reading it?"
            );
        }
        Ok(())
    }
}

/// Moves all of the log into the database and empties it, if nobody reads it just now; whether that was done.
pub(super) fn begin_anew(connection: &Connection) -> Result<bool, Error> {
    begin(connection, "TRUNCATE", Duration::ZERO)
}

/// Moves all of the log into the database and begins it anew, if those who read it end in time; whether that was done.
fn begin(connection: &Connection, how: &str, patience: Duration) -> Result<bool, Error> {
    connection.busy_timeout(patience)?;
    let sql = format!("PRAGMA wal_checkpoint({how})");
    let is_busy =
        CrashPoint::InShortening.during(|| connection.query_row(&sql, [], |row| row.get::<_, bool>(0)));
    connection.busy_timeout(BUSY_TIME)?;
    match is_busy {
        Ok(is_busy) => Ok(!is_busy),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Moves the log into the database every second, then does `more`, until the writer has ended.
pub(super) fn checkpoint(
    path: &Path,
    ended: &Receiver<()>,
    is_long: &IsLong,
    failure: &Failure,
    mut more: impl FnMut(),
) {
    let connection = match Connection::open(path) {
        Ok(connection) => connection,
        Err(error) => return failure.report(error.into()),
    };
    while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(CHECKPOINT_EVERY) {
        match CrashPoint::InCheckpoint.during(|| move_log(&connection, "PASSIVE")) {
            Ok(pages) if pages <= PAGES_LONG => {}
            Ok(_) => is_long.0.store(true, Ordering::Release),
            // A sync that failed here may succeed next time, without the data.
            Err(error) if is_final(&error) => return failure.report(error),
            Err(error) => {
                tracing::warn!(%error, "a checkpoint of the store failed");
                is_long.0.store(true, Ordering::Release);
            }
        }
        more();
    }
}

/// Moves what it can of the log into the database; answers how many pages the log has.
pub(super) fn move_log(connection: &Connection, how: &str) -> Result<i64, Error> {
    checkpoint_now(connection, how).map(|(pages, _)| pages)
}

/// Moves the log into the database; whether it could move all of it.
pub(super) fn move_all(connection: &Connection) -> Result<bool, Error> {
    checkpoint_now(connection, "PASSIVE").map(|(pages, moved)| pages == moved)
}

fn checkpoint_now(connection: &Connection, how: &str) -> Result<(i64, i64), Error> {
    let sql = format!("PRAGMA wal_checkpoint({how})");
    Ok(connection.query_row(&sql, [], |row| Ok((row.get(1)?, row.get(2)?)))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn write(connection: &Connection, bytes: usize) {
        connection
            .execute("INSERT INTO things VALUES (zeroblob(?1))", [bytes as i64])
            .expect("it is written");
    }

    /// The files of a store at some moment: the database, and its log.
    #[derive(Clone)]
    struct Files(Vec<u8>, Vec<u8>);

    impl Files {
        fn of(path: &Path) -> Files {
            let read = |path: &Path| std::fs::read(path).expect("the file");
            Files(read(path), read(&path.with_extension("db-wal")))
        }

        /// The rows that are there after a crash that left these files.
        fn rows(&self, what: &str) -> i64 {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("b.db");
            std::fs::write(&path, &self.0).expect("the database");
            std::fs::write(path.with_extension("db-wal"), &self.1).expect("the log");
            let store = Connection::open(&path).expect("it opens");
            let check: String =
                store.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).expect("a check");
            assert_eq!(check, "ok", "{what}");
            store.query_row("SELECT count(*) FROM things", [], |row| row.get(0)).expect("a count")
        }
    }

    #[test]
    fn a_crash_between_the_steps_of_shortening_loses_nothing() {
        const ROWS: i64 = 20;
        /// The length of the log's header.
        const HEADER: usize = 32;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.db");
        let writer = Connection::open(&path).expect("the file opens");
        let setup = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;
            CREATE TABLE things (bytes BLOB)";
        writer.execute_batch(setup).expect("a log");
        (0..ROWS).for_each(|_| write(&writer, 10_000));
        let written = Files::of(&path);
        move_log(&writer, "PASSIVE").expect("nothing fails");
        let moved = Files::of(&path);
        assert!(begin(&writer, "RESTART", Duration::ZERO).expect("nothing fails"), "nobody reads");
        let begun = Files::of(&path);
        write(&writer, 10_000);
        let gone_on = Files::of(&path);
        assert_ne!(gone_on.1[..HEADER], begun.1[..HEADER], "the log was begun anew");
        for (files, what, rows) in [
            (written.clone(), "nothing is moved", ROWS),
            (moved.clone(), "all is moved", ROWS),
            (begun.clone(), "the next one begins anew", ROWS),
            (gone_on.clone(), "it has", ROWS + 1),
            // The log is synced before the database is written, and the database before the log is begun anew.
            (Files(written.0, moved.1.clone()), "what was moved is not on disk, and the log is", ROWS),
            (
                Files(moved.0, [&gone_on.1[..HEADER], &begun.1[HEADER..]].concat()),
                "a new header, old pages",
                ROWS,
            ),
            (
                Files(begun.0, [&begun.1[..HEADER], &gone_on.1[HEADER..]].concat()),
                "an old header, new pages",
                ROWS,
            ),
            (Files(gone_on.0, gone_on.1[..HEADER + 1_000].to_vec()), "a torn page", ROWS),
        ] {
            assert_eq!(files.rows(what), rows, "{what}");
        }
    }

    #[test]
    fn the_log_is_shortened_and_readers_only_put_it_off() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.db");
        let open = || Connection::open(&path).expect("the file opens");
        let writer = open();
        writer.execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;").expect("a log");
        writer.execute_batch("CREATE TABLE things (bytes BLOB)").expect("a table");
        let length = || std::fs::metadata(path.with_extension("db-wal")).expect("the log").len() as i64;
        let pages = || move_log(&writer, "PASSIVE").expect("nothing fails");
        writer.pragma_update(None, "journal_size_limit", LENGTH_KEPT).expect("a limit");
        let is_long = IsLong(Arc::new(AtomicBool::new(true)));
        let mut shortening = Shortening::new(is_long.clone());
        let began = Instant::now();
        // The log begins anew with what is written next.
        let mut shorten = |after_s| {
            shortening.shorten(&writer, began + Duration::from_secs(after_s)).expect("nothing fails");
            write(&writer, 1);
        };

        write(&writer, MIB);
        shorten(0);
        write(&writer, 70 * MIB);
        shorten(0);
        assert!(length() > 70 << 20, "nobody said that it is long");
        is_long.0.store(true, Ordering::Release);
        shorten(0);
        assert!(pages() < 9 && length() > 70 << 20, "it begins anew, and the file keeps its length");

        let reader = open();
        reader.execute_batch("BEGIN; SELECT count(*) FROM things;").expect("a reader");
        write(&writer, 140 * MIB);
        is_long.0.store(true, Ordering::Release);
        shorten(0);
        assert!(length() > 140 << 20 && is_long.0.load(Ordering::Acquire), "the reader needs it");
        // It was waited for; now commits have their turn, however many there are.
        reader.execute_batch("COMMIT").expect("it ends");
        shorten(READERS_PAUSE.as_secs() - 1);
        assert!(length() > 140 << 20, "it is too early to wait again");
        shorten(READERS_PAUSE.as_secs());
        assert!(pages() < 9 && length() <= LENGTH_KEPT, "a file that is too long is cut");
        assert!(!is_long.0.load(Ordering::Acquire));
    }
}
