//! The write-ahead log is moved into the database off the commit path, and kept short: by a thread of its own,
//! and by the writer where only the writer can (while it goes on writing, the log is never at its end).

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rusqlite::Connection;

use super::Error;
use super::failure::{Failure, is_final};
use crate::crash_point::CrashPoint;

/// How often the log is moved into the database.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);
/// Pages in the log (of 4 KiB; 64 MiB) beyond which the writer moves the rest and begins the log anew.
const PAGES_LONG: i64 = 16_384;
/// Pages (112 MiB) beyond which the writer waits for readers that keep the log from being begun anew.
const PAGES_MAX: i64 = 28_672;
/// How long it waits for them, group by group.
const READERS_TIME: Duration = Duration::from_secs(1);
/// How long a connection waits for another one otherwise.
pub(super) const BUSY_TIME: Duration = Duration::from_secs(5);

/// Whether the log is long; the thread tells the writer.
#[derive(Clone, Default)]
pub(super) struct IsLong(Arc<AtomicBool>);

impl IsLong {
    /// Shortens the log if the thread found it long.
    pub(super) fn shorten(&self, connection: &Connection) -> Result<(), Error> {
        if !self.0.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let pages = move_log(connection, "PASSIVE")?;
        if pages <= PAGES_LONG {
            return Ok(());
        }
        let patience = if pages > PAGES_MAX { READERS_TIME } else { Duration::ZERO };
        connection.busy_timeout(patience)?;
        let left = move_log(connection, "TRUNCATE");
        connection.busy_timeout(BUSY_TIME)?;
        if left? > PAGES_MAX {
            // Slowed down until the reader is done: the disk must not fill.
            self.0.store(true, Ordering::Release);
            tracing::warn!(
                "a reader keeps the store's log from being shortened: is another program reading it?"
            );
        }
        Ok(())
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

    #[test]
    fn the_log_is_shortened_and_readers_only_put_it_off() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.db");
        let open = || Connection::open(&path).expect("the file opens");
        let writer = open();
        writer.execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;").expect("a log");
        writer.execute_batch("CREATE TABLE things (bytes BLOB)").expect("a table");
        let length = || std::fs::metadata(path.with_extension("db-wal")).expect("the log").len() as usize;
        let is_long = IsLong(Arc::new(AtomicBool::new(true)));
        let shorten = || is_long.shorten(&writer).expect("nothing fails");

        write(&writer, MIB);
        shorten();
        assert!(length() > MIB, "it is short: nothing to do");
        write(&writer, 70 * MIB);
        shorten();
        assert!(length() > 70 * MIB, "nobody said that it is long");
        is_long.0.store(true, Ordering::Release);
        shorten();
        assert_eq!(length(), 0);

        let reader = open();
        reader.execute_batch("BEGIN; SELECT count(*) FROM things;").expect("a reader");
        write(&writer, 120 * MIB);
        is_long.0.store(true, Ordering::Release);
        shorten();
        assert!(length() > 120 * MIB && is_long.0.load(Ordering::Acquire), "the reader needs it");
        reader.execute_batch("COMMIT").expect("it ends");
        shorten();
        assert_eq!(length(), 0);
        assert!(!is_long.0.load(Ordering::Acquire));
    }
}
