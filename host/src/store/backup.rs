//! Copies of the store: made beside a running host, checked, and put back; and what is checked of the store
//! itself when it is opened.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use rustix::fs::{Gid, Uid};
use serde::Serialize;
use serde_json::json;

use super::failure::is_damage;
use super::operator::audit::{Deed, record};
use super::{Error, Store, at, database, lock_patiently, log, schema};
use crate::event::time::rfc3339;

/// Up to this size the structure of the file is checked at each start; larger ones would hold the start up.
const CHECKED_BYTES_MAX: u64 = 64 << 20;

/// What a check of a store has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The number of its schema.
    pub schema: i64,
    /// Its events.
    pub events: i64,
    /// Deliveries that wait for an attempt: after a restore they run.
    pub pending: i64,
    /// Deliveries that wait for the operator.
    pub held: i64,
    /// Dead letters.
    pub dead: i64,
    /// Entries of the plugins' memory.
    pub memory: i64,
    /// When its newest event was received, RFC 3339.
    pub newest_event: Option<String>,
}

/// What a restore has done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// What is in the store now.
    pub store: Checked,
    /// Where the store is that was there before.
    pub before: Option<PathBuf>,
    /// When the host of the backup last took webhooks, RFC 3339: what came later is missing.
    pub until: Option<String>,
}

/// Copies the store of a data folder to a file that doesn't exist yet, beside a running host or without one. The
/// copy has no other name than its own until it is whole, on disk and checked.
///
/// # Errors
/// See [`Error`].
pub fn backup(data_dir: &Path, to: &Path) -> Result<Checked, Error> {
    let from = database(data_dir);
    fs::metadata(&from).map_err(at(&from))?;
    if let Ok(found) = fs::symlink_metadata(to) {
        let what = match found.is_dir() {
            true => "it is a folder: name a file in it",
            false => "there is one of this name: name another, or remove that one first",
        };
        return Err(Error::Backup { path: to.to_owned(), what: what.to_owned() });
    }
    let to = std::path::absolute(to).map_err(at(to)).map_err(|error| not_written(error, to))?;
    let part = beside(&to, ".part");
    let written = create(&part)
        .map_err(|error| not_written(error, &to))
        .and_then(|_| copy_store(&from, &part, &to))
        .and_then(|()| check(&part))
        .and_then(|checked| keep(&part, &to).map(|()| checked).map_err(|error| not_written(error, &to)));
    if written.is_err() {
        // It may not exist; the error above says more.
        remove_part(&part);
    }
    written
}

fn copy_store(from: &Path, part: &Path, to: &Path) -> Result<(), Error> {
    let connection = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(log::BUSY_TIME)?;
    schema::check(&connection).map_err(|error| damaged(error, from))?;
    copy_into(&connection, part).map_err(|error| match error {
        // What is written is the copy.
        Error::Full => not_written(Error::Full, to),
        error => error,
    })
}

/// Gives a copy its name.
fn keep(part: &Path, to: &Path) -> Result<(), Error> {
    sync(part)?;
    fs::rename(part, to).map_err(at(to))?;
    sync(to.parent().unwrap_or(Path::new("/")))
}

/// Says of a backup why it can't be written.
fn not_written(error: Error, path: &Path) -> Error {
    let what = match error {
        Error::Folder { said, .. } => {
            format!("{said}: does its folder exist, and may this user write into it?")
        }
        Error::Full => "its disk is full: make room there, or name a file on another disk".to_owned(),
        error => return error,
    };
    Error::Backup { path: path.to_owned(), what }
}

/// Takes away an unfinished copy, with what SQLite may have left beside it: it holds what customers wrote.
fn remove_part(part: &Path) {
    for ending in ["", "-journal", "-wal", "-shm"] {
        let _ = fs::remove_file(beside(part, ending));
    }
}

/// Copies what a connection sees to an empty file, in one reading transaction, however long it takes. The pages are
/// written anew, so that nothing that was deleted is in the copy.
fn copy_into(connection: &Connection, part: &Path) -> Result<(), Error> {
    let name = part.to_str().ok_or_else(|| at(part)(std::io::ErrorKind::InvalidFilename.into()))?;
    connection.execute("VACUUM INTO ?1", [name])?;
    Ok(())
}

/// Checks a copy: that it is a store this program knows, that it is whole, and what it holds.
///
/// # Errors
/// [`Error::BackupDamaged`], [`Error::Backup`], [`Error::Newer`], or what SQLite says.
pub fn check(file: &Path) -> Result<Checked, Error> {
    let connection = open_checked(file)?;
    count(&connection).map_err(|error| damaged_backup(error.into(), file))
}

/// Opens a copy and checks it, with the log that may lie beside it.
fn open_checked(file: &Path) -> Result<Connection, Error> {
    let unusable = |what: String| Error::Backup { path: file.to_owned(), what };
    let not_read =
        |error: std::io::Error| unusable(format!("{error}: name a file that `chatplug backup` wrote"));
    if !fs::metadata(file).map_err(not_read)?.is_file() {
        return Err(unusable("it is no file: name one that `chatplug backup` wrote".to_owned()));
    }
    // SQLite wouldn't say why it can't.
    File::open(file).map_err(not_read)?;
    let file = std::path::absolute(file).map_err(not_read)?;
    let connection = Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(log::BUSY_TIME)?;
    let checked = schema::check(&connection).and_then(|()| {
        if schema::version(&connection)? == 0 {
            let what = "it is no store of Chatplug".to_owned();
            return Err(Error::BackupDamaged { path: file.clone(), what });
        }
        expect_ok(&connection, "PRAGMA integrity_check(1)", &file)
    });
    checked.map_err(|error| damaged_backup(error, &file))?;
    Ok(connection)
}

/// The same as [`damaged`] of a copy: it isn't the store that needs a backup.
fn damaged_backup(error: Error, path: &Path) -> Error {
    match damaged(error, path) {
        Error::Damaged { path, what } => Error::BackupDamaged { path, what },
        error => error,
    }
}

/// Says of which file an error tells that it is damaged.
pub(super) fn damaged(error: Error, path: &Path) -> Error {
    match &error {
        Error::Sqlite(said) if is_damage(&error) => {
            Error::Damaged { path: path.to_owned(), what: said.to_string() }
        }
        _ => error,
    }
}

fn count(connection: &Connection) -> rusqlite::Result<Checked> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let newest: Option<i64> = connection.query_row(
        "SELECT (SELECT received_at FROM events ORDER BY id DESC LIMIT 1)",
        [],
        |row| row.get(0),
    )?;
    Ok(Checked {
        schema: number("PRAGMA user_version")?,
        events: number("SELECT count(*) FROM events")?,
        pending: number("SELECT count(*) FROM deliveries WHERE state = 'pending'")?,
        held: number("SELECT count(*) FROM deliveries WHERE state = 'held'")?,
        dead: number("SELECT count(*) FROM deliveries WHERE state = 'dead'")?,
        memory: number("SELECT count(*) FROM memory")?,
        newest_event: newest.map(rfc3339),
    })
}

/// More deliveries than a host makes between a backup and the day on which it is needed.
const NUMBERS_SKIPPED: i64 = 100_000_000;

/// Puts a checked copy in the place of a data folder's store, which stays beside it under another name. Its audit log goes
/// on in the copy, and says that `who` restored.
///
/// # Errors
/// [`Error::Locked`] while a host runs; those of [`check`]; else see [`Error`]. The store that was there is in
/// its place then.
pub fn restore(file: &Path, data_dir: &Path, who: &str, now_ms: i64) -> Result<Restored, Error> {
    let checked = open_checked(file)?;
    super::make_folder(data_dir)?;
    let lock = lock_patiently(data_dir)?;
    let place = database(data_dir);
    keep_owner(&lock.file, &place, data_dir);
    let part = beside(&place, ".part");
    let restored = write_copy(&checked, &part, (&place, data_dir))
        .and_then(|()| finish(&part, &place, (who, now_ms)))
        .and_then(|(store, until)| {
            let before = take_place(&part, (&place, data_dir), now_ms)?;
            Ok(Restored { store, before, until })
        });
    if restored.is_err() {
        remove_part(&part);
    }
    restored
}

fn write_copy(checked: &Connection, part: &Path, (place, data_dir): (&Path, &Path)) -> Result<(), Error> {
    let copy = create(part)?;
    keep_owner(&copy, place, data_dir);
    // By SQLite: a part of what was checked may stand in a log beside the file.
    copy_into(checked, part)
}

/// Puts a finished copy in the place of the store; where the store is that was there before.
fn take_place(part: &Path, (place, data_dir): (&Path, &Path), now_ms: i64) -> Result<Option<PathBuf>, Error> {
    let before = match place.exists() {
        true => Some(set_aside(place, now_ms)?),
        false => None,
    };
    // From here on the copy has to follow: the log of the old store must not be read into it.
    for ending in ["-wal", "-shm"] {
        let beside = beside(place, ending);
        if beside.exists() {
            fs::remove_file(&beside).map_err(at(&beside))?;
        }
    }
    fs::rename(part, place).map_err(at(place))?;
    sync(data_dir)?;
    Ok(before)
}

/// Whoever restores, the host's user has to be able to open it: it belongs to who owned the one that it takes the place
/// of, or else the folder.
fn keep_owner(copy: &File, place: &Path, data_dir: &Path) {
    if let Ok(before) = fs::metadata(place).or_else(|_| fs::metadata(data_dir)) {
        let (owner, group) = (Uid::from_raw(before.uid()), Gid::from_raw(before.gid()));
        // Only root may give files away, and another user's copy belongs to that user.
        let _ = rustix::fs::fchown(copy, Some(owner), Some(group));
    }
}

/// Numbers that the store gave after the copy was made are not given again: what a service knows by them (the id of a
/// message, the key of a request) would be taken for something that was done already.
///
/// Answers what the copy holds, and until when.
fn finish(copy: &Path, place: &Path, (who, now_ms): (&str, i64)) -> Result<(Checked, Option<String>), Error> {
    let connection = Connection::open(copy)?;
    connection.pragma_update(None, "journal_mode", "DELETE")?;
    let sql = "UPDATE sqlite_sequence SET seq = seq + ?1 WHERE name = 'deliveries'";
    if connection.execute(sql, [NUMBERS_SKIPPED])? == 0 {
        // Nothing had been delivered when the copy was made: there is a row from the first delivery on.
        let sql = "INSERT INTO sqlite_sequence (name, seq) VALUES ('deliveries', ?1)";
        connection.execute(sql, [NUMBERS_SKIPPED])?;
    }
    let store = count(&connection)?;
    let until = forget_outages(&connection)?.map(rfc3339);
    // A copy of the first schema has no audit log yet.
    if schema::version(&connection)? >= 2 {
        carry_audit(&connection, place);
        let after = json!({ "until": until, "events": store.events, "pending": store.pending });
        let subject = "the store".to_owned();
        let deed = Deed { who, action: "restore", subject, before: None, after: Some(after) };
        record(&connection, &deed, now_ms)?;
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.close().map_err(|(_, error)| error)?;
    sync(copy)?;
    Ok((store, until))
}

/// What operators did after the backup is not undone in the audit log: it goes on with the entries of the store that was
/// there, if that is the one of which the copy was made and it can still be read.
fn carry_audit(copy: &Connection, place: &Path) {
    const CARRY: &str = "INSERT INTO main.audit SELECT * FROM old.audit
        WHERE id > (SELECT coalesce(max(id), 0) FROM main.audit)
            AND (SELECT salt FROM main.identity) = (SELECT salt FROM old.identity)";
    let Some(name) = place.to_str().filter(|_| place.exists()) else { return };
    if copy.execute("ATTACH ?1 AS old", [name]).is_ok() {
        // A store that is damaged is why one restores: then there is nothing to go on with.
        let _ = copy.execute(CARRY, []);
        let _ = copy.execute("DETACH old", []);
    }
}

/// Since the backup the host was no outage: it took webhooks, and plugins acted on them. What is missing of that comes back
/// only if the operator wants it.
///
/// Answers when the host last took webhooks, by the copy; milliseconds since 1970.
fn forget_outages(copy: &Connection) -> Result<Option<i64>, Error> {
    if schema::version(copy)? < 2 {
        // It has neither starts nor outages.
        return Ok(copy.query_row("SELECT max(received_at) FROM events", [], |row| row.get(0))?);
    }
    let until = copy.query_row(
        "SELECT coalesce((SELECT began_at FROM outage),
                         (SELECT coalesce(seen_at, alive_at) FROM starts ORDER BY epoch DESC LIMIT 1))",
        [],
        |row| row.get(0),
    )?;
    copy.execute_batch("DELETE FROM outage; UPDATE starts SET seen_at = NULL;")?;
    Ok(until)
}

/// Gives the store a second name, under which it stays. It keeps the first one until the copy takes it.
fn set_aside(place: &Path, now_ms: i64) -> Result<PathBuf, Error> {
    // Closing the last connection moves the log into the file. A damaged store keeps its log beside it.
    if let Ok(connection) = Connection::open(place) {
        let _ = log::move_log(&connection, "TRUNCATE");
    }
    let kept = unused_name(place, now_ms);
    let (log, kept_log) = (beside(place, "-wal"), beside(&kept, "-wal"));
    if log.exists() {
        fs::hard_link(&log, &kept_log).map_err(at(&kept_log))?;
    }
    fs::hard_link(place, &kept).map_err(at(&kept)).inspect_err(|_| {
        let _ = fs::remove_file(&kept_log);
    })?;
    Ok(kept)
}

/// A name with the time, which nothing has yet: somebody may restore twice in a second.
fn unused_name(place: &Path, now_ms: i64) -> PathBuf {
    let time = jiff::Timestamp::from_millisecond(now_ms).unwrap_or_default().strftime("%Y%m%dT%H%M%SZ");
    let first = beside(place, &format!(".before-{time}"));
    let (mut kept, mut number) = (first.clone(), 1);
    while [&kept, &beside(&kept, "-wal")].into_iter().any(|path| fs::symlink_metadata(path).is_ok()) {
        number += 1;
        kept = beside(&first, &format!("-{number}"));
    }
    kept
}

/// Refuses a store that was just opened if it is damaged, as far as can be told in a moment.
pub(super) fn check_opened(connection: &Connection, path: &Path) -> Result<(), Error> {
    // What a crash left in the log goes into the file first: only then its length says something.
    let is_moved = log::move_all(connection)?;
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let expected = number("PRAGMA page_count")?.saturating_mul(number("PRAGMA page_size")?).unsigned_abs();
    let found = fs::metadata(path).map_err(at(path))?.len();
    if is_moved && found < expected {
        let what = format!("it should have {expected} bytes and has {found}");
        return Err(Error::Damaged { path: path.to_owned(), what });
    }
    if found <= CHECKED_BYTES_MAX {
        expect_ok(connection, "PRAGMA quick_check(1)", path)?;
    }
    Ok(())
}

impl Store {
    /// Looks whether the structure of the database is whole, beside the host's work.
    ///
    /// # Errors
    /// [`Error::Damaged`]; [`Error::Slow`] if it takes longer than `patience`; else see [`Error`].
    pub async fn look_through(&self, patience: Duration) -> Result<(), Error> {
        let path = self.readers.path.clone();
        self.query(patience, move |reader| {
            let looked = expect_ok(&reader.connection, "PRAGMA quick_check(1)", &path);
            looked.map_err(|error| damaged(error, &path))
        })
        .await
    }
}

fn expect_ok(connection: &Connection, check: &str, path: &Path) -> Result<(), Error> {
    let said: String = connection.query_row(check, [], |row| row.get(0))?;
    match said.as_str() {
        "ok" => Ok(()),
        _ => Err(Error::Damaged { path: path.to_owned(), what: said }),
    }
}

/// An empty file that only the host's user can read.
fn create(path: &Path) -> Result<File, Error> {
    let _ = fs::remove_file(path);
    OpenOptions::new().create_new(true).write(true).mode(0o600).open(path).map_err(at(path))
}

fn sync(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|file| file.sync_all()).map_err(at(path))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests;
