//! Files that plugins publish: a version is a row, written in one transaction with the journal of the run that
//! publishes it. Who may see which is decided elsewhere.

use rusqlite::{OptionalExtension, params};

use super::writer::Group;
use crate::action::files::Call;
use crate::action::memory::{Answer, Room};
use crate::action::{Code, Error};
use crate::delivery::DeliveryId;

#[cfg(test)]
mod tests;
mod tokens;
mod views;

pub use tokens::FileToken;
pub use views::{FileContent, FileSummary, FileVersion};

/// Versions that one publication removes to make room.
const REMOVED_AT_ONCE: u32 = 1_024;

/// Publishes a version, as far as there is room. The inner result is the answer to the plugin; `by` is the delivery, by
/// the number that it had first.
pub(super) fn publish(
    group: &Group<'_>,
    (plugin, room): (&str, Room),
    by: DeliveryId,
    call: &Call,
    now_ms: i64,
) -> rusqlite::Result<Result<Answer, Error>> {
    let bytes = call.content.len();
    if bytes > room.file_bytes {
        return Ok(Err(Error::new(
            Code::Limit,
            format!(
                "the file `{}` has {bytes} bytes, at most {} are published (limits.file_bytes)",
                call.name, room.file_bytes
            ),
        )));
    }
    if let Err(error) = check_names(group, plugin, &call.name, room.files)? {
        return Ok(Err(error));
    }
    if let Err(error) = make_room(group, (plugin, &call.name), bytes as i64, room.all_files_bytes)? {
        return Ok(Err(error));
    }
    let mut insert = group.connection.prepare_cached(
        "INSERT INTO files (plugin, name, at, delivery, bytes, content) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    insert.execute(params![plugin, call.name, now_ms, by.0, bytes as i64, call.content])?;
    count(group, plugin, bytes as i64)?;
    remove_beyond(group, plugin, &call.name, room.file_versions)?;
    Ok(Ok(Answer::Done))
}

/// Whether there may be a file of this name.
fn check_names(group: &Group<'_>, plugin: &str, name: &str, max: u32) -> rusqlite::Result<Result<(), Error>> {
    let mut select =
        group.connection.prepare_cached("SELECT 1 FROM files WHERE plugin = ?1 AND name = ?2 LIMIT 1")?;
    if select.exists([plugin, name])? {
        return Ok(Ok(()));
    }
    let mut select =
        group.connection.prepare_cached("SELECT count(DISTINCT name) FROM files WHERE plugin = ?1")?;
    let names: i64 = select.query_row([plugin], |row| row.get(0))?;
    if names < i64::from(max) {
        return Ok(Ok(()));
    }
    let text = format!(
        "the plugin has published {names} files, at most {max} are kept: publish under a name that is there already, or \
         wait until old ones go (limits.files, retention.files_days)"
    );
    Ok(Err(Error::new(Code::Limit, text)))
}

/// Removes the plugin's oldest versions, but the newest of each name other than the one that gets a new version, until
/// there is room for so many bytes of that.
fn make_room(
    group: &Group<'_>,
    (plugin, name): (&str, &str),
    bytes: i64,
    max: u64,
) -> rusqlite::Result<Result<(), Error>> {
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let mut select =
        group.connection.prepare_cached("SELECT file_bytes FROM memory_use WHERE plugin = ?1")?;
    let used: i64 = select.query_row([plugin], |row| row.get(0)).optional()?.unwrap_or_default();
    let mut missing = used.saturating_add(bytes).saturating_sub(max);
    if missing <= 0 {
        return Ok(Ok(()));
    }
    let mut select = group.connection.prepare_cached(
        "SELECT id, bytes FROM files AS old WHERE plugin = ?1
            AND (name = ?2 OR EXISTS (SELECT 1 FROM files WHERE plugin = ?1 AND name = old.name AND id > old.id))
         ORDER BY id LIMIT ?3",
    )?;
    let rows =
        select.query_map(params![plugin, name, REMOVED_AT_ONCE], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let old: Vec<(i64, i64)> = rows.collect::<rusqlite::Result<_>>()?;
    if old.iter().map(|(_, bytes)| bytes).sum::<i64>() < missing {
        let text = format!(
            "the plugin's published files take {used} of {max} bytes, {bytes} more don't fit (limits.all_files_bytes)"
        );
        return Ok(Err(Error::new(Code::Limit, text)));
    }
    for (id, bytes) in old {
        if missing > 0 && remove(group, id)? {
            missing -= bytes;
        }
    }
    Ok(Ok(()))
}

/// Removes the oldest versions of a name that are more than `keep`.
fn remove_beyond(group: &Group<'_>, plugin: &str, name: &str, keep: u32) -> rusqlite::Result<()> {
    let mut select = group.connection.prepare_cached(
        "SELECT id FROM files WHERE plugin = ?1 AND name = ?2 ORDER BY id DESC LIMIT ?3 OFFSET ?4",
    )?;
    let rows = select.query_map(params![plugin, name, REMOVED_AT_ONCE, keep], |row| row.get(0))?;
    let old: Vec<i64> = rows.collect::<rusqlite::Result<_>>()?;
    old.into_iter().try_for_each(|id| remove(group, id).map(|_| ()))
}

/// Removes a version; whether it was there.
pub(super) fn remove(group: &Group<'_>, id: i64) -> rusqlite::Result<bool> {
    let mut delete =
        group.connection.prepare_cached("DELETE FROM files WHERE id = ?1 RETURNING plugin, bytes")?;
    let gone: Option<(String, i64)> =
        delete.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    if let Some((plugin, bytes)) = &gone {
        count(group, plugin, -bytes)?;
    }
    Ok(gone.is_some())
}

/// Removes a few versions that were published before a time, and links whose file has been gone since before it; whether
/// there are no more.
pub(super) fn prune(group: &Group<'_>, before_ms: i64, now_ms: i64, limit: u32) -> rusqlite::Result<bool> {
    let mut select =
        group.connection.prepare_cached("SELECT id FROM files WHERE at < ?1 ORDER BY at LIMIT ?2")?;
    let rows = select.query_map(params![before_ms, limit], |row| row.get(0))?;
    let old: Vec<i64> = rows.collect::<rusqlite::Result<_>>()?;
    for id in &old {
        remove(group, *id)?;
    }
    tokens::prune(group, before_ms, now_ms)?;
    Ok(old.len() < limit as usize)
}

fn count(group: &Group<'_>, plugin: &str, bytes: i64) -> rusqlite::Result<()> {
    let mut upsert = group.connection.prepare_cached(
        "INSERT INTO memory_use (plugin, keys, bytes, file_bytes) VALUES (?1, 0, 0, ?2)
         ON CONFLICT (plugin) DO UPDATE SET file_bytes = file_bytes + ?2",
    )?;
    upsert.execute(params![plugin, bytes]).map(|_| ())
}
