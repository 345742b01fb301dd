//! The plugins' key-value stores: each call is one command, atomic and durable.

use rusqlite::{OptionalExtension, params};

use super::writer::Group;
use super::{Error as StoreError, Store};
use crate::action::memory::{Answer, Call, Memory, Room};
use crate::action::{BoxFuture, Code, Error};
use crate::limits;

const LIST_MAX: u32 = 1000;
/// Expired entries that a write removes on its way, so that they don't pile up.
const SWEEP: u32 = 8;

impl Memory for Store {
    fn read<'a>(&'a self, plugin: &'a str, call: Call) -> BoxFuture<'a, Result<Answer, Error>> {
        Box::pin(async move {
            let now_ms = self.clock.now_ms();
            check_key(&call)?;
            let plugin = plugin.to_owned();
            let answer = self.read(move |connection| look(connection, &plugin, call, now_ms)).await;
            answer.unwrap_or_else(|error| Err(unavailable(&error)))
        })
    }

    fn read_here(&self, plugin: &str, call: Call) -> Result<Answer, Error> {
        let now_ms = self.clock.now_ms();
        check_key(&call)?;
        let answer = self.patient_readers.with(|connection| look(connection, plugin, call, now_ms));
        answer.unwrap_or_else(|error| Err(unavailable(&error)))
    }
}

/// Answers a call that only reads.
fn look(
    connection: &rusqlite::Connection,
    plugin: &str,
    call: Call,
    now_ms: i64,
) -> rusqlite::Result<Result<Answer, Error>> {
    match call {
        Call::Get { key } => get(connection, plugin, &key, now_ms).map(|found| Ok(Answer::Value(found))),
        Call::ListKeys { prefix, after, limit } => {
            list(connection, plugin, &prefix, after.as_deref(), limit, now_ms)
                .map(|keys| Ok(Answer::Keys(keys)))
        }
        _ => Ok(Err(Error::new(Code::Other, "a change is not a read"))),
    }
}

/// Applies a call that may change something. The inner result is the answer to the plugin; `owner` is the delivery
/// that claims.
pub(super) fn change(
    group: &mut Group<'_>,
    (plugin, room): (&str, Room),
    owner: i64,
    call: Call,
    now_ms: i64,
) -> rusqlite::Result<Result<Answer, Error>> {
    if let Err(error) = check_key(&call).and_then(|()| check_value(&call, room)) {
        return Ok(Err(error));
    }
    sweep(group, now_ms, SWEEP)?;
    apply(&mut Entries { group, plugin, room, now_ms }, owner, call)
}

fn unavailable(error: &StoreError) -> Error {
    Error::new(Code::Unavailable, format!("the plugin's memory: {error}"))
}

fn check_key(call: &Call) -> Result<(), Error> {
    if matches!(call, Call::ListKeys { .. }) {
        return Ok(());
    }
    let key = call.key();
    if key.is_empty() || key.len() > limits::MEMORY_KEY_BYTES_MAX {
        let message = format!(
            "a key of memory has 1 to {} bytes, this one has {}",
            limits::MEMORY_KEY_BYTES_MAX,
            key.len()
        );
        return Err(Error::new(Code::Invalid, message));
    }
    Ok(())
}

fn check_value(call: &Call, room: Room) -> Result<(), Error> {
    match call {
        Call::Set { key, value, .. } | Call::CompareAndSwap { key, value, .. }
            if value.len() > room.value_bytes =>
        {
            let message = format!(
                "a value of memory has at most {} bytes, that of `{key}` has {} (limits.kept_value_bytes)",
                room.value_bytes,
                value.len()
            );
            Err(Error::new(Code::Limit, message))
        }
        _ => Ok(()),
    }
}

fn get(
    connection: &rusqlite::Connection,
    plugin: &str,
    key: &str,
    now_ms: i64,
) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut select = connection.prepare_cached(
        "SELECT value FROM memory WHERE plugin = ?1 AND key = ?2 AND (expires_at IS NULL OR expires_at > ?3)",
    )?;
    select.query_row(params![plugin, key, now_ms], |row| row.get(0)).optional()
}

fn list(
    connection: &rusqlite::Connection,
    plugin: &str,
    prefix: &str,
    after: Option<&str>,
    limit: u32,
    now_ms: i64,
) -> rusqlite::Result<Vec<String>> {
    // No key has a character above U+10FFFF, so this is behind all that begin with the prefix.
    let end = format!("{prefix}\u{10ffff}");
    let mut select = connection.prepare_cached(
        "SELECT key FROM memory WHERE plugin = ?1 AND key >= ?2 AND key < ?3 AND key > ?4
            AND (expires_at IS NULL OR expires_at > ?5) ORDER BY key LIMIT ?6",
    )?;
    let rows = select.query_map(
        params![plugin, prefix, end, after.unwrap_or_default(), now_ms, limit.min(LIST_MAX)],
        |row| row.get(0),
    )?;
    rows.collect()
}

/// One plugin's entries inside a group.
struct Entries<'a, 'g> {
    group: &'a mut Group<'g>,
    plugin: &'a str,
    room: Room,
    now_ms: i64,
}

fn apply(
    entries: &mut Entries<'_, '_>,
    delivery: i64,
    call: Call,
) -> rusqlite::Result<Result<Answer, Error>> {
    match call {
        Call::Set { key, value, ttl_ms } => {
            Ok(entries.put(&key, &value, ttl_ms, None)?.map(|()| Answer::Done))
        }
        Call::Delete { key } => entries.remove(&key).map(|()| Ok(Answer::Done)),
        Call::Increment { key, by, ttl_ms } => entries.increment(&key, by, ttl_ms),
        Call::CompareAndSwap { key, expected, value, ttl_ms } => {
            if get(entries.group.connection, entries.plugin, &key, entries.now_ms)? != expected {
                return Ok(Ok(Answer::Whether(false)));
            }
            Ok(entries.put(&key, &value, ttl_ms, None)?.map(|()| Answer::Whether(true)))
        }
        Call::Claim { key, ttl_ms } => entries.claim(&key, ttl_ms, delivery),
        Call::Get { .. } | Call::ListKeys { .. } => {
            Ok(Err(Error::new(Code::Other, "a read is not a change")))
        }
    }
}

impl Entries<'_, '_> {
    fn put(
        &mut self,
        key: &str,
        value: &[u8],
        ttl_ms: Option<u64>,
        claimed_by: Option<i64>,
    ) -> rusqlite::Result<Result<(), Error>> {
        let before = self.size_of(key)?;
        let change = value.len() as i64 + key.len() as i64 - before.unwrap_or(0);
        if let Err(error) = self.reserve(i64::from(before.is_none()), change)? {
            return Ok(Err(error));
        }
        let expires_at = ttl_ms.map(|ttl| self.now_ms.saturating_add(i64::try_from(ttl).unwrap_or(i64::MAX)));
        let mut upsert = self.group.connection.prepare_cached(
            "INSERT INTO memory (plugin, key, value, expires_at, claimed_by) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (plugin, key) DO UPDATE SET value = ?3, expires_at = ?4, claimed_by = ?5",
        )?;
        upsert.execute(params![self.plugin, key, value, expires_at, claimed_by])?;
        Ok(Ok(()))
    }

    fn remove(&mut self, key: &str) -> rusqlite::Result<()> {
        remove(self.group, self.plugin, key).map(|_| ())
    }

    fn increment(
        &mut self,
        key: &str,
        by: i64,
        ttl_ms: Option<u64>,
    ) -> rusqlite::Result<Result<Answer, Error>> {
        let value = get(self.group.connection, self.plugin, key, self.now_ms)?;
        let text = value.as_deref().map_or(Ok("0"), std::str::from_utf8);
        let Some(sum) =
            text.ok().and_then(|text| text.parse::<i64>().ok()).and_then(|number| number.checked_add(by))
        else {
            return Ok(Err(Error::new(
                Code::Invalid,
                format!("the value of `{key}` is not a number that can grow by {by}"),
            )));
        };
        Ok(self.put(key, sum.to_string().as_bytes(), ttl_ms, None)?.map(|()| Answer::Number(sum)))
    }

    fn claim(&mut self, key: &str, ttl_ms: u64, delivery: i64) -> rusqlite::Result<Result<Answer, Error>> {
        let mut select = self.group.connection.prepare_cached(
            "SELECT claimed_by FROM memory WHERE plugin = ?1 AND key = ?2 AND (expires_at IS NULL OR expires_at > ?3)",
        )?;
        let holder: Option<Option<i64>> =
            select.query_row(params![self.plugin, key, self.now_ms], |row| row.get(0)).optional()?;
        match holder {
            Some(holder) => Ok(Ok(Answer::Whether(holder == Some(delivery)))),
            None => Ok(self.put(key, b"", Some(ttl_ms), Some(delivery))?.map(|()| Answer::Whether(true))),
        }
    }

    /// The bytes of an entry, expired or not; `None` if there is none.
    fn size_of(&mut self, key: &str) -> rusqlite::Result<Option<i64>> {
        let mut select = self.group.connection.prepare_cached(
            "SELECT length(value) + length(CAST(key AS BLOB)) FROM memory WHERE plugin = ?1 AND key = ?2",
        )?;
        select.query_row([self.plugin, key], |row| row.get(0)).optional()
    }

    /// Counts keys and bytes in, if the limits allow it.
    fn reserve(&mut self, keys: i64, bytes: i64) -> rusqlite::Result<Result<(), Error>> {
        let mut select =
            self.group.connection.prepare_cached("SELECT keys, bytes FROM memory_use WHERE plugin = ?1")?;
        let (used_keys, used_bytes): (i64, i64) = select
            .query_row([self.plugin], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?
            .unwrap_or_default();
        if keys > 0 && used_keys + keys > i64::from(self.room.keys) {
            let message = format!(
                "the plugin's memory holds {used_keys} of {} keys: delete some, or let them expire (limits.kept_keys)",
                self.room.keys
            );
            return Ok(Err(Error::new(Code::Limit, message)));
        }
        if bytes > 0 && used_bytes + bytes > i64::try_from(self.room.bytes).unwrap_or(i64::MAX) {
            let message = format!(
                "the plugin's memory holds {used_bytes} of {} bytes, {bytes} more don't fit: delete some keys, or let \
                 them expire (limits.kept_bytes)",
                self.room.bytes
            );
            return Ok(Err(Error::new(Code::Limit, message)));
        }
        let mut upsert = self.group.connection.prepare_cached(
            "INSERT INTO memory_use (plugin, keys, bytes) VALUES (?1, ?2, ?3)
             ON CONFLICT (plugin) DO UPDATE SET keys = keys + ?2, bytes = bytes + ?3",
        )?;
        upsert.execute(params![self.plugin, keys, bytes])?;
        Ok(Ok(()))
    }
}

fn release(group: &Group<'_>, plugin: &str, keys: i64, bytes: i64) -> rusqlite::Result<()> {
    let mut update = group
        .connection
        .prepare_cached("UPDATE memory_use SET keys = keys - ?2, bytes = bytes - ?3 WHERE plugin = ?1")?;
    update.execute(params![plugin, keys, bytes])?;
    Ok(())
}

/// Removes a few entries that have expired, of whichever plugin; answers how many.
pub(super) fn sweep(group: &Group<'_>, now_ms: i64, limit: u32) -> rusqlite::Result<usize> {
    let mut delete = group.connection.prepare_cached(
        "DELETE FROM memory WHERE (plugin, key) IN
            (SELECT plugin, key FROM memory WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)
         RETURNING plugin, length(value) + length(CAST(key AS BLOB))",
    )?;
    let gone: Vec<(String, i64)> = delete
        .query_map(params![now_ms, limit], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let count = gone.len();
    for (plugin, bytes) in gone {
        release(group, &plugin, 1, bytes)?;
    }
    Ok(count)
}

/// Removes an entry; whether it was there.
pub(super) fn remove(group: &Group<'_>, plugin: &str, key: &str) -> rusqlite::Result<bool> {
    let mut delete = group.connection.prepare_cached(
        "DELETE FROM memory WHERE plugin = ?1 AND key = ?2
         RETURNING length(value) + length(CAST(key AS BLOB))",
    )?;
    let gone: Vec<i64> =
        delete.query_map([plugin, key], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    gone.iter().try_for_each(|bytes| release(group, plugin, 1, *bytes))?;
    Ok(!gone.is_empty())
}
