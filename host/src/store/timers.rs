//! The plugins' timers: set and taken back by runs, in one transaction with their journals, and turned into events when
//! their time has come.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{OptionalExtension, params};
use serde_json::json;

use super::writer::Group;
use super::{Error as StoreError, Store, accept};
use crate::action::memory::{Answer, Room};
use crate::action::timers::{Call, Change};
use crate::action::{Code, Error};
use crate::delivery::DeliveryId;
use crate::event::addressed::{self, Timer};
use crate::limits;

/// Timers that become events in one commit.
const FIRED_AT_ONCE: u32 = 256;

/// What came of looking for timers whose time has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fired {
    /// How late each became an event, milliseconds.
    pub late_ms: Vec<u64>,
    /// How many became events, by plugin.
    pub by_plugin: BTreeMap<String, u32>,
    /// When the next one is due, milliseconds since 1970.
    pub next_ms: Option<i64>,
}

impl Store {
    /// Makes events of the timers that are due, some at a time; those of `resting` plugins stay.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn fire_timers(&self, now_ms: i64, resting: &[String]) -> Result<Fired, StoreError> {
        let resting = json!(resting).to_string();
        let names = resting.clone();
        let next_ms = self.read(move |connection| next(connection, &names)).await?;
        if next_ms.is_none_or(|next_ms| next_ms > now_ms) {
            return Ok(Fired { next_ms, ..Fired::default() });
        }
        self.write(move |group| {
            let fired = fire(group, now_ms, &resting)?;
            Ok(Fired { next_ms: next(group.connection, &resting)?, ..fired })
        })
        .await
    }

    /// Brings the timers in line with the clock: one that was set at a time that has not come yet was set under a clock
    /// that was put back since, and would wait for too long.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn begin_timers(&self, now_ms: i64) -> Result<(), StoreError> {
        self.write(move |group| {
            let sql = "UPDATE timers SET due_at = due_at - (set_at - ?1), set_at = ?1 WHERE set_at > ?1";
            group.connection.execute(sql, [now_ms]).map(|_| ())
        })
        .await
    }

    /// Whether a timer's event is not to be delivered any more: the timer was taken back, or set anew.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn is_withdrawn(&self, delivery: DeliveryId) -> Result<bool, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT withdrawn FROM fired_timers WHERE delivery = ?1";
            let found: Option<bool> =
                connection.prepare_cached(sql)?.query_row([delivery.0], |row| row.get(0)).optional()?;
            Ok(found.unwrap_or(false))
        })
        .await
    }
}

/// When the next timer is due, but for those of the plugins in a JSON list.
fn next(connection: &rusqlite::Connection, resting: &str) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT due_at FROM timers WHERE plugin NOT IN (SELECT value FROM json_each(?1)) ORDER BY due_at LIMIT 1";
    connection.prepare_cached(sql)?.query_row([resting], |row| row.get(0)).optional()
}

fn fire(group: &mut Group<'_>, now_ms: i64, resting: &str) -> rusqlite::Result<Fired> {
    let due: Vec<(String, String, Timer)> = {
        let mut select = group.connection.prepare_cached(
            "SELECT plugin, chat, key, thread_id, due_at, payload FROM timers
             WHERE due_at <= ?1 AND plugin NOT IN (SELECT value FROM json_each(?3)) ORDER BY due_at LIMIT ?2",
        )?;
        let rows = select.query_map(params![now_ms, FIRED_AT_ONCE, resting], |row| {
            let (plugin, chat, key): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let timer = Timer {
                key,
                chat_id: Some(chat.clone()).filter(|chat| !chat.is_empty()),
                thread_id: row.get(3)?,
                due_at_ms: row.get(4)?,
                payload: row.get(5)?,
            };
            Ok((plugin, chat, timer))
        })?;
        rows.collect::<rusqlite::Result<_>>()?
    };
    let mut fired = Fired::default();
    for (plugin, chat, timer) in due {
        fired.late_ms.push(u64::try_from(now_ms - timer.due_at_ms).unwrap_or(0));
        *fired.by_plugin.entry(plugin.clone()).or_default() += 1;
        remove(group, &plugin, &chat, &timer.key)?;
        forget_fired(group, &plugin, &chat, &timer.key)?;
        let key = timer.key.clone();
        let made =
            accept::store_addressed(group, addressed::timer(timer), &Arc::from(plugin.as_str()), now_ms)?;
        let mut insert = group.connection.prepare_cached(
            "INSERT INTO fired_timers (delivery, plugin, chat, key) VALUES (?1, ?2, ?3, ?4)",
        )?;
        insert.execute(params![made.delivery.0, plugin, chat, key])?;
    }
    Ok(fired)
}

/// Applies a call. The inner result is the answer to the plugin; `by` is the delivery whose run makes it: setting a timer anew while its own event is handled takes that event not back.
pub(super) fn change(
    group: &mut Group<'_>,
    (plugin, room): (&str, Room),
    by: DeliveryId,
    call: Call,
    now_ms: i64,
) -> rusqlite::Result<Result<Answer, Error>> {
    let Call { chat_id, key, change } = call;
    let chat = chat_id.unwrap_or_default();
    if let Err(error) = check_key(&key) {
        return Ok(Err(error));
    }
    let Change::Set { delay_ms, payload, thread_id } = change else {
        let waited = remove(group, plugin, &chat, &key)?;
        let withdrawn = withdraw(group, plugin, &chat, &key, by)?;
        return Ok(Ok(Answer::Whether(waited || withdrawn)));
    };
    let due_at = match check_new(delay_ms, &payload, room) {
        Ok(delay_ms) => now_ms.saturating_add(delay_ms),
        Err(error) => return Ok(Err(error)),
    };
    if !remove(group, plugin, &chat, &key)?
        && let Some(error) = full(group, plugin, room)?
    {
        return Ok(Err(error));
    }
    withdraw(group, plugin, &chat, &key, by)?;
    let mut insert = group.connection.prepare_cached(
        "INSERT INTO timers (plugin, chat, key, due_at, set_at, thread_id, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    insert.execute(params![plugin, chat, key, due_at, now_ms, thread_id, payload])?;
    count(group, plugin, 1)?;
    Ok(Ok(Answer::Done))
}

fn check_key(key: &str) -> Result<(), Error> {
    if key.is_empty() || key.len() > limits::MEMORY_KEY_BYTES_MAX {
        let max = limits::MEMORY_KEY_BYTES_MAX;
        let message = format!("a timer's key has 1 to {max} bytes, this one has {}", key.len());
        return Err(Error::new(Code::Invalid, message));
    }
    Ok(())
}

/// Checks what comes with a timer; answers the delay in milliseconds.
fn check_new(delay_ms: u64, payload: &str, room: Room) -> Result<i64, Error> {
    if payload.len() > room.timer_bytes {
        let message = format!(
            "the payload of a timer has at most {} bytes, this one has {} (limits.timer_bytes)",
            room.timer_bytes,
            payload.len()
        );
        return Err(Error::new(Code::Limit, message));
    }
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(payload) {
        return Err(Error::new(
            Code::Invalid,
            format!("the payload of a timer is JSON text, this one isn't: {error}"),
        ));
    }
    match i64::try_from(delay_ms) {
        Ok(delay_ms) if delay_ms <= limits::TIMER_DELAY_MAX_MS => Ok(delay_ms),
        _ => Err(Error::new(Code::Invalid, format!("a timer waits at most 400 days, not {delay_ms} ms"))),
    }
}

fn full(group: &Group<'_>, plugin: &str, room: Room) -> rusqlite::Result<Option<Error>> {
    let mut select = group.connection.prepare_cached("SELECT timers FROM memory_use WHERE plugin = ?1")?;
    let used: i64 = select.query_row([plugin], |row| row.get(0)).optional()?.unwrap_or(0);
    if used < i64::from(room.timers) {
        return Ok(None);
    }
    let message = format!("the plugin has {used} timers of {}: take some back (limits.timers)", room.timers);
    Ok(Some(Error::new(Code::Limit, message)))
}

/// Removes a timer that waits; whether there was one.
pub(super) fn remove(group: &Group<'_>, plugin: &str, chat: &str, key: &str) -> rusqlite::Result<bool> {
    let mut delete =
        group.connection.prepare_cached("DELETE FROM timers WHERE plugin = ?1 AND chat = ?2 AND key = ?3")?;
    let is_gone = delete.execute(params![plugin, chat, key])? > 0;
    if is_gone {
        count(group, plugin, -1)?;
    }
    Ok(is_gone)
}

/// Marks the events of a timer that have not been delivered; whether there was one.
fn withdraw(
    group: &Group<'_>,
    plugin: &str,
    chat: &str,
    key: &str,
    by: DeliveryId,
) -> rusqlite::Result<bool> {
    let mut update = group.connection.prepare_cached(
        "UPDATE fired_timers SET withdrawn = 1 WHERE plugin = ?1 AND chat = ?2 AND key = ?3 AND delivery <> ?4
            AND withdrawn = 0 AND EXISTS (SELECT 1 FROM deliveries WHERE id = delivery AND state IN ('pending', 'held'))",
    )?;
    Ok(update.execute(params![plugin, chat, key, by.0])? > 0)
}

/// Removes what is known of the events of a timer that have ended.
fn forget_fired(group: &Group<'_>, plugin: &str, chat: &str, key: &str) -> rusqlite::Result<()> {
    let mut delete = group.connection.prepare_cached(
        "DELETE FROM fired_timers WHERE plugin = ?1 AND chat = ?2 AND key = ?3
            AND NOT EXISTS (SELECT 1 FROM deliveries WHERE id = delivery AND state IN ('pending', 'held'))",
    )?;
    delete.execute(params![plugin, chat, key]).map(|_| ())
}

fn count(group: &Group<'_>, plugin: &str, by: i64) -> rusqlite::Result<()> {
    let mut upsert = group.connection.prepare_cached(
        "INSERT INTO memory_use (plugin, keys, bytes, timers) VALUES (?1, 0, 0, ?2)
         ON CONFLICT (plugin) DO UPDATE SET timers = timers + ?2",
    )?;
    upsert.execute(params![plugin, by]).map(|_| ())
}

#[cfg(test)]
mod tests;
