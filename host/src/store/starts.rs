//! The starts of the host: each has a number, its epoch, by which a host whose data folder was taken over
//! notices it (locks don't work on every file system), and from them follows when the host was down.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::clock::Clock;
use super::{Error, Store, recovery};
use crate::delivery::Uptime;

/// How often a host records that it is alive.
pub(super) const ALIVE_EVERY: Duration = Duration::from_secs(10);
/// What is older matters to nothing that waits.
const KEPT: Duration = Duration::from_secs(8 * 24 * 3600);
/// A host that crashes every second for hours must not fill the table.
const STARTS_MAX: i64 = 10_000;

/// One start of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Epoch(i64);

impl Epoch {
    /// Records a start, and answers when the host was up before it.
    pub(super) fn begin(connection: &Connection, clock: &Clock) -> Result<(Epoch, Uptime), Error> {
        let (now_ms, machine_ms) = (clock.now_ms(), clock.machine_ms());
        let oldest = now_ms.saturating_sub(KEPT.as_millis() as i64);
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let before: Option<Option<i64>> = connection
            .query_row("SELECT seen_at FROM starts ORDER BY epoch DESC LIMIT 1", [], |row| row.get(0))
            .optional()?;
        if let Some(seen_ms) = before.flatten() {
            recovery::note_gap(connection, seen_ms, machine_ms)?;
        }
        let sql = "INSERT INTO starts (started_at, alive_at, seen_at) VALUES (?1, ?1, ?2)";
        connection.execute(sql, [now_ms, machine_ms])?;
        let epoch = Epoch(connection.last_insert_rowid());
        // One that ended before that time is needed: the downtime behind it may reach into it.
        connection.execute(
            "DELETE FROM starts WHERE epoch <= ?1 - ?2
                OR epoch < (SELECT max(epoch) FROM starts WHERE alive_at < ?3)",
            params![epoch.0, STARTS_MAX, oldest],
        )?;
        let mut select = connection.prepare("SELECT started_at, alive_at FROM starts ORDER BY epoch")?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let starts: Vec<(i64, i64)> = rows.collect::<rusqlite::Result<_>>()?;
        connection.execute("DELETE FROM pauses WHERE ended_at < ?1", [oldest])?;
        let mut select = connection.prepare("SELECT began_at, ended_at FROM pauses ORDER BY began_at")?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let pauses: Vec<(i64, i64)> = rows.collect::<rusqlite::Result<_>>()?;
        connection.execute_batch("COMMIT")?;
        Ok((
            epoch,
            pauses.into_iter().fold(Uptime::of_starts(&starts), |uptime, pause| uptime.without(pause)),
        ))
    }

    /// Whether no later start has the store.
    pub(super) fn is_newest(self, connection: &Connection) -> rusqlite::Result<bool> {
        let mut select = connection.prepare_cached("SELECT max(epoch) FROM starts")?;
        let newest: Option<i64> = select.query_row([], |row| row.get(0)).optional()?.flatten();
        Ok(newest == Some(self.0))
    }

    /// Records that the host is alive. If that could not be recorded for long, nor could webhooks; nor could they while
    /// the machine slept, which only its own clock shows.
    pub(super) fn is_alive(
        self,
        connection: &Connection,
        now_ms: i64,
        machine_ms: i64,
    ) -> rusqlite::Result<()> {
        let mut select = connection.prepare_cached("SELECT seen_at FROM starts WHERE epoch = ?1")?;
        let before: Option<Option<i64>> = select.query_row([self.0], |row| row.get(0)).optional()?;
        if let Some(seen_ms) = before.flatten() {
            recovery::note_gap(connection, seen_ms, machine_ms)?;
        }
        let mut update =
            connection.prepare_cached("UPDATE starts SET alive_at = ?2, seen_at = ?3 WHERE epoch = ?1")?;
        update.execute([self.0, now_ms, machine_ms]).map(|_| ())
    }
}

impl Store {
    /// When the host was down within the last 8 days, or slept.
    pub fn uptime(&self) -> Arc<Uptime> {
        self.notice_sleep();
        self.uptime.load_full()
    }
}
