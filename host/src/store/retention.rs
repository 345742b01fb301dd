//! Retention: what is old enough goes, in batches that don't hold up commits, and unfinished work stays.
//!
//! Events lie in the order of their receipt, so a job goes through them once and remembers how far it has come.
//! What it has to leave (unfinished, held, dead letters) is noted as spared, and looked at again now and then.

use std::time::{Duration, Instant};

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params};

use super::batch::BatchSize;
use super::writer::Group;
use super::{Error, Store, files, memory};
use crate::crash_point::CrashPoint;
use crate::delivery::DeliveryId;
use crate::event::EventId;
use crate::event::trace_id::TraceIds;
use crate::limits::Retention;

pub(super) mod journals;

use journals::{Room, shorten};

const DAY_MS: i64 = 24 * 3600 * 1000;
/// A held delivery waits this long for the operator, of the host's uptime.
const HELD: Duration = Duration::from_secs(24 * 3600);

/// What a dead letter says of itself that can't be replayed any more.
const GIVEN_UP: &str = "given up; its content was removed";

/// One thing that retention does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Empties old events and removes their journals.
    Content,
    /// Looks again at events that an earlier job had to leave.
    Spared,
    /// Removes events that were emptied long ago, with their deliveries.
    Metadata,
    /// Removes what old webhooks would be recognised by.
    Dedupe,
    /// Removes what is known of old ratings.
    Ratings,
    /// Removes old entries of the audit log.
    Audit,
    /// Removes what is known of old decisions about calls.
    Decisions,
    /// Removes old versions of files that plugins published, and links to files that are gone.
    Files,
    /// Removes expired entries of the plugins' memory.
    Memory,
    /// Gives up deliveries that were held for a day.
    Held,
    /// Gives free pages back to the file system.
    Pages,
}

/// What a batch has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// Whether the job has nothing more to do for now.
    pub is_done: bool,
    /// How long the writer was busy with it, without the sync of the commit: that takes as long for a smaller batch.
    pub took: Duration,
    /// The plugins of the deliveries that were given up, each as often as it had some.
    pub died: Vec<String>,
}

impl Job {
    /// All of them, in the order in which they make sense.
    pub const ALL: [Job; 11] = [
        Job::Held,
        Job::Content,
        Job::Spared,
        Job::Metadata,
        Job::Dedupe,
        Job::Ratings,
        Job::Audit,
        Job::Decisions,
        Job::Files,
        Job::Memory,
        Job::Pages,
    ];

    /// Whether it goes through a whole table each time.
    pub fn is_thorough(self) -> bool {
        matches!(self, Job::Spared | Job::Dedupe | Job::Ratings)
    }
}

impl Store {
    /// Does a part of a job: looks at so many rows or pages at most.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn prune(
        &self,
        job: Job,
        keep: Retention,
        now_ms: i64,
        size: BatchSize,
    ) -> Result<Pruned, Error> {
        let (held_before, traces, limit) = (self.uptime().ago(now_ms, HELD), self.traces, size.rows());
        self.write(move |group| {
            let (began, mut died) = (Instant::now(), Vec::new());
            let batch = Batch { connection: group.connection, now_ms, limit, room: Room::new(size) };
            let is_done = match job {
                Job::Content => batch.content(keep)?,
                Job::Spared => batch.spared(keep)?,
                Job::Metadata => batch.metadata(keep)?,
                Job::Dedupe => batch.dedupe(keep)?,
                Job::Ratings => batch.ratings(keep)?,
                Job::Audit => batch.audit(keep)?,
                Job::Decisions => batch.decisions(keep)?,
                Job::Files => files::prune(group, batch.days_ago(keep.files_days), now_ms, limit)?,
                Job::Memory => batch.memory(group)?,
                Job::Held => batch.held(held_before, traces, &mut died)?,
                Job::Pages => batch.pages()?,
            };
            Ok(Pruned { is_done, took: began.elapsed(), died })
        })
        .await
    }
}

/// A part of a job.
struct Batch<'a> {
    connection: &'a Connection,
    now_ms: i64,
    limit: u32,
    /// What of events and their journals may still go in this batch.
    room: Room,
}

impl Batch<'_> {
    fn content(&self, keep: Retention) -> rusqlite::Result<bool> {
        let before = self.days_ago(keep.payload_days);
        self.walk("content", i64::MAX, before, |event| {
            if self.is_needed(event)? { self.spare(event).map(|()| true) } else { self.empty(event) }
        })
    }

    fn metadata(&self, keep: Retention) -> rusqlite::Result<bool> {
        let (before, emptied_to) = (self.days_ago(keep.metadata_days), self.number("content")?);
        self.walk("metadata", emptied_to, before, |event| {
            if self.is_spared(event)? { Ok(true) } else { self.remove(event) }
        })
    }

    /// Goes on through the events from where it has come to, up to number `last`, and does `each` with those that
    /// were received before a time; it answers whether it is through with one, and comes back to it in the next batch if
    /// not. Answers whether there are no more of them.
    fn walk(
        &self,
        job: &str,
        last: i64,
        before_ms: i64,
        each: impl Fn(i64) -> rusqlite::Result<bool>,
    ) -> rusqlite::Result<bool> {
        let mut select = self.connection.prepare_cached(
            "SELECT id, received_at FROM events WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3",
        )?;
        let rows = select.query_map(params![self.number(job)?, last, self.limit], pair)?;
        let events: Vec<(i64, i64)> = rows.collect::<rusqlite::Result<_>>()?;
        let (mut came_to, mut is_cut) = (None, false);
        for &(event, received_at) in &events {
            // One from the future was received under a wrong clock: it must not hold up those behind it.
            if received_at >= before_ms && received_at <= self.now_ms + DAY_MS {
                break;
            }
            if self.room.is_full() || !each(event)? {
                is_cut = true;
                break;
            }
            came_to = Some(event);
        }
        if let Some(event) = came_to {
            self.come_to(job, event)?;
        }
        let is_last = came_to != events.last().map(|(event, _)| *event) || events.len() < self.limit as usize;
        Ok(is_last && !is_cut)
    }

    fn spared(&self, keep: Retention) -> rusqlite::Result<bool> {
        let from = self.number("spared")?;
        let mut select = self
            .connection
            .prepare_cached("SELECT event FROM spared WHERE event > ?1 ORDER BY event LIMIT ?2")?;
        let rows = select.query_map(params![from, self.limit], |row| row.get(0))?;
        let events: Vec<i64> = rows.collect::<rusqlite::Result<_>>()?;
        let (removed_to, mut came_to, mut is_cut) = (self.number("metadata")?, from, false);
        for &event in &events {
            if self.room.is_full() {
                is_cut = true;
                break;
            }
            if self.is_old(event, keep)? {
                let is_through = if event <= removed_to { self.remove(event)? } else { self.empty(event)? };
                if !is_through {
                    is_cut = true;
                    break;
                }
                self.connection.prepare_cached("DELETE FROM spared WHERE event = ?1")?.execute([event])?;
            }
            came_to = event;
        }
        let is_done = events.len() < self.limit as usize && !is_cut;
        self.come_to("spared", if is_done { 0 } else { came_to })?;
        Ok(is_done)
    }

    /// Whether nothing needs a spared event any more.
    fn is_old(&self, event: i64, keep: Retention) -> rusqlite::Result<bool> {
        let mut select = self.connection.prepare_cached(
            "SELECT total(state IN ('pending', 'held')) > 0,
                max(CASE WHEN state = 'dead' THEN coalesce(ended_at, accepted_at) END),
                (SELECT received_at FROM events WHERE id = ?1)
             FROM deliveries WHERE event = ?1",
        )?;
        let (is_unfinished, died_at, received_at): (bool, Option<i64>, Option<i64>) =
            select.query_row([event], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let is_before = |at: Option<i64>, days| at.is_none_or(|at| at < self.days_ago(days));
        Ok(!is_unfinished && is_before(died_at, keep.dead_days) && is_before(received_at, keep.payload_days))
    }

    /// Whether an event has to be left for now.
    fn is_needed(&self, event: i64) -> rusqlite::Result<bool> {
        let mut select = self.connection.prepare_cached(
            "SELECT received_at > ?2 OR EXISTS (SELECT 1 FROM deliveries WHERE event = ?1
                AND state IN ('pending', 'held', 'dead')) FROM events WHERE id = ?1",
        )?;
        select.query_row([event, self.now_ms], |row| row.get(0))
    }

    fn spare(&self, event: i64) -> rusqlite::Result<()> {
        let mut insert = self
            .connection
            .prepare_cached("INSERT INTO spared (event) VALUES (?1) ON CONFLICT DO NOTHING")?;
        insert.execute([event]).map(|_| ())
    }

    fn is_spared(&self, event: i64) -> rusqlite::Result<bool> {
        self.connection.prepare_cached("SELECT 1 FROM spared WHERE event = ?1")?.exists([event])
    }

    /// Takes the content of an event away, and its journals step by step; whether nothing is left of them. The event goes
    /// first: one that has lost a part of its journal must not be replayed.
    fn empty(&self, event: i64) -> rusqlite::Result<bool> {
        take_content(self.connection, event, "retention")?;
        let mut update = self.connection.prepare_cached(
            "UPDATE deliveries SET log = NULL, crash = NULL WHERE event = ?1
                AND (log IS NOT NULL OR crash IS NOT NULL)",
        )?;
        update.execute([event])?;
        // Without event and journal a replay would do what was done already, on nothing.
        let mut update = self.connection.prepare_cached(
            "UPDATE deliveries SET state = 'skipped', reason = ?2, set_at = ?3 WHERE event = ?1 AND state = 'dead'",
        )?;
        update.execute(params![event, GIVEN_UP, self.now_ms])?;
        CrashPoint::InRetention.reached();
        shorten(self.connection, event, &self.room)
    }

    fn remove(&self, event: i64) -> rusqlite::Result<bool> {
        if !self.empty(event)? {
            return Ok(false);
        }
        CrashPoint::InRetention.reached();
        for sql in ["DELETE FROM deliveries WHERE event = ?1", "DELETE FROM events WHERE id = ?1"] {
            self.connection.prepare_cached(sql)?.execute([event])?;
        }
        Ok(true)
    }

    fn dedupe(&self, keep: Retention) -> rusqlite::Result<bool> {
        let before = self.days_ago(keep.dedupe_days);
        self.scan("dedupe", "SELECT key FROM dedupe WHERE key > ?1 ORDER BY key LIMIT ?2", |key| {
            let mut delete =
                self.connection.prepare_cached("DELETE FROM dedupe WHERE key = ?1 AND at < ?2")?;
            delete.execute(params![key, before]).map(|_| ())
        })
    }

    fn ratings(&self, keep: Retention) -> rusqlite::Result<bool> {
        let before = self.days_ago(keep.metadata_days);
        let select = "SELECT DISTINCT chat_id FROM ratings WHERE chat_id > ?1 ORDER BY chat_id LIMIT ?2";
        self.scan("ratings", select, |chat| {
            let mut delete =
                self.connection.prepare_cached("DELETE FROM ratings WHERE chat_id = ?1 AND heard_at < ?2")?;
            delete.execute(params![chat, before]).map(|_| ())
        })
    }

    /// Goes on through the keys of a table from where it has come to, and begins anew at the end.
    fn scan(
        &self,
        job: &str,
        select: &str,
        each: impl Fn(&str) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<bool> {
        let from = match self.position(job)? {
            Some(Value::Text(key)) => key,
            _ => String::new(),
        };
        let mut select = self.connection.prepare_cached(select)?;
        let rows = select.query_map(params![from, self.limit], |row| row.get(0))?;
        let keys: Vec<String> = rows.collect::<rusqlite::Result<_>>()?;
        let through = self.room.time.each(&keys, |key| each(key))?;
        let is_done = keys.len() < self.limit as usize && through == keys.len();
        let last = keys[..through].last().filter(|_| !is_done).cloned();
        self.come_to(job, last.unwrap_or_default())?;
        Ok(is_done)
    }

    /// Removes entries from the old end only, one by one: a trigger refuses all else. What stands before an old entry is
    /// older, whatever the clock said then.
    fn audit(&self, keep: Retention) -> rusqlite::Result<bool> {
        let mut select = self.connection.prepare_cached(
            "SELECT max(id) FROM (SELECT id, at FROM audit ORDER BY id LIMIT ?2) WHERE at < ?1",
        )?;
        let last: Option<i64> =
            select.query_row(params![self.days_ago(keep.audit_days), self.limit], |row| row.get(0))?;
        let mut delete = self
            .connection
            .prepare_cached("DELETE FROM audit WHERE id = (SELECT min(id) FROM audit) AND id <= ?1")?;
        let mut gone = 0;
        while !self.room.is_full() {
            if delete.execute([last])? == 0 {
                return Ok(gone < self.limit);
            }
            gone += 1;
        }
        Ok(false)
    }

    fn decisions(&self, keep: Retention) -> rusqlite::Result<bool> {
        let mut delete = self.connection.prepare_cached(
            "DELETE FROM decisions WHERE (minute, plugin, capability, why) IN
                (SELECT minute, plugin, capability, why FROM decisions WHERE minute * 60000 < ?1 ORDER BY minute LIMIT ?2)",
        )?;
        let gone = delete.execute(params![self.days_ago(keep.metadata_days), self.limit])?;
        Ok(gone < self.limit as usize)
    }

    fn memory(&self, group: &Group<'_>) -> rusqlite::Result<bool> {
        Ok(memory::sweep(group, self.now_ms, self.limit)? < self.limit as usize)
    }

    fn held(&self, before_ms: i64, traces: TraceIds, died: &mut Vec<String>) -> rusqlite::Result<bool> {
        let mut update = self.connection.prepare_cached(
            "UPDATE deliveries SET state = 'dead', ended_at = ?1, set_at = ?1,
                reason = 'nobody said within 24 h whether its action took place: ' || coalesce(reason, '')
             WHERE id IN (SELECT id FROM deliveries INDEXED BY deliveries_held WHERE state = 'held'
                AND coalesce(set_at, ended_at, accepted_at) <= ?2 ORDER BY id LIMIT ?3)
             RETURNING id, event, plugin",
        )?;
        let rows = update.query_map(params![self.now_ms, before_ms, self.limit], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?))
        })?;
        let given_up: Vec<(i64, i64, String)> = rows.collect::<rusqlite::Result<_>>()?;
        let is_done = given_up.len() < self.limit as usize;
        for (delivery, event, plugin) in given_up {
            let (delivery, event) = (DeliveryId(delivery), EventId(event));
            let trace = traces.of(event);
            tracing::error!(plugin, %event, %delivery, %trace, "a delivery was held for 24 h and is given up");
            died.push(plugin);
        }
        Ok(is_done)
    }

    /// Gives pages back while more than an eighth of the file is free: what is left is filled by new events.
    fn pages(&self) -> rusqlite::Result<bool> {
        let number = |sql: &str| self.connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        if number("PRAGMA freelist_count")? * 8 <= number("PRAGMA page_count")? {
            return Ok(true);
        }
        let mut vacuum = self.connection.prepare(&format!("PRAGMA incremental_vacuum({})", self.limit))?;
        let mut steps = vacuum.query([])?;
        while !self.room.is_full() && steps.next()?.is_some() {}
        Ok(false)
    }

    fn days_ago(&self, days: u32) -> i64 {
        self.now_ms - i64::from(days) * DAY_MS
    }

    fn number(&self, job: &str) -> rusqlite::Result<i64> {
        Ok(match self.position(job)? {
            Some(Value::Integer(number)) => number,
            _ => 0,
        })
    }

    fn position(&self, job: &str) -> rusqlite::Result<Option<Value>> {
        let mut select = self.connection.prepare_cached("SELECT position FROM sweeps WHERE job = ?1")?;
        select.query_row([job], |row| row.get(0)).optional()
    }

    fn come_to(&self, job: &str, position: impl Into<Value>) -> rusqlite::Result<()> {
        let mut upsert = self.connection.prepare_cached(
            "INSERT INTO sweeps (job, position) VALUES (?1, ?2) ON CONFLICT (job) DO UPDATE SET position = ?2",
        )?;
        upsert.execute(params![job, position.into()]).map(|_| ())
    }
}

/// Takes the content of an event away; `why` stays.
pub(super) fn take_content(connection: &Connection, event: i64, why: &str) -> rusqlite::Result<usize> {
    let mut update = connection.prepare_cached(
        "UPDATE events SET payload = '', extra = '', original = '', removed = ?2
         WHERE id = ?1 AND coalesce(removed, '') NOT IN (?2, 'forgotten')",
    )?;
    update.execute(params![event, why])
}

fn pair(row: &rusqlite::Row<'_>) -> rusqlite::Result<(i64, i64)> {
    Ok((row.get(0)?, row.get(1)?))
}

#[cfg(test)]
mod tests;
