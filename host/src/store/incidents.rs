//! What the operator is told of: incidents as they are kept, and the queries by which they are found. Each goes by
//! an index that holds little, or stops early: they run every few seconds beside the host's work.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::{Error, Store};
use crate::incident::{Incident, Key};

/// Pending deliveries of a plugin, the oldest, among which one that could run is looked for. Where more than these wait
/// for a retry, what waits behind them is seen when they are through.
const LOOKED_AT_MAX: i64 = 5_000;

impl Store {
    /// The incidents as they were kept last.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn incidents(&self) -> Result<Vec<(Key, Incident)>, Error> {
        self.read(|connection| {
            let mut select = connection.prepare("SELECT key, incident FROM incidents ORDER BY key")?;
            let rows =
                select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
            let rows: Vec<(String, String)> = rows.collect::<rusqlite::Result<_>>()?;
            let known =
                |(key, text): (String, String)| Some((Key::parse(&key)?, serde_json::from_str(&text).ok()?));
            Ok(rows.into_iter().filter_map(known).collect())
        })
        .await
    }

    /// Keeps what changed of the incidents; `None` is no longer kept.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn keep_incidents(&self, changes: Vec<(Key, Option<Incident>)>) -> Result<(), Error> {
        self.write(move |group| {
            for (key, incident) in changes {
                let key = key.to_string();
                match incident.map(|incident| serde_json::to_string(&incident).unwrap_or_default()) {
                    Some(text) => group.connection.execute(
                        "INSERT INTO incidents (key, incident) VALUES (?1, ?2)
                         ON CONFLICT (key) DO UPDATE SET incident = ?2",
                        params![key, text],
                    )?,
                    None => group.connection.execute("DELETE FROM incidents WHERE key = ?1", [key])?,
                };
            }
            Ok(())
        })
        .await
    }

    /// How many deliveries of each plugin died at `since_ms` or later, and are still dead.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn dead_since(&self, since_ms: i64) -> Result<BTreeMap<String, u64>, Error> {
        const SQL: &str = "SELECT plugin, count(*) FROM deliveries INDEXED BY deliveries_dead_by_time
            WHERE state = 'dead' AND ended_at >= ?1 GROUP BY plugin";
        self.read(move |connection| counts(connection, SQL, [since_ms])).await
    }

    /// How many deliveries of each plugin are held.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn held(&self) -> Result<BTreeMap<String, u64>, Error> {
        const SQL: &str = "SELECT plugin, count(*) FROM deliveries INDEXED BY deliveries_held
            WHERE state = 'held' GROUP BY plugin";
        self.read(|connection| counts(connection, SQL, [])).await
    }

    /// Since when the first of a plugin's pending deliveries that could run has been waiting, if that is before
    /// `before_ms`: it is due, and nothing pending stands before it in its lane.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn past_due(&self, plugin: Arc<str>, before_ms: i64) -> Result<Option<i64>, Error> {
        let late = move |connection: &Connection| past_due(connection, &plugin, (before_ms, before_ms));
        Ok(self.read(late).await?.0)
    }

    /// How many events LiveChat's webhooks brought from `between.0` until before `between.1`, milliseconds since 1970; counts
    /// no further than `max`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn received(&self, between: (i64, i64), max: u32) -> Result<u32, Error> {
        self.read(move |connection| {
            let (from, to) = (first_at(connection, between.0)?, first_at(connection, between.1)?);
            let mut select = connection.prepare_cached(
                "SELECT count(*) FROM (SELECT 1 FROM events WHERE id >= ?1 AND id < ?2 AND source = 'livechat' AND recovered = 0 LIMIT ?3)",
            )?;
            select.query_row([from, to, max.into()], |row| row.get(0))
        })
        .await
    }

    /// When the oldest event that is still stored came, milliseconds since 1970.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn first_received(&self) -> Result<Option<i64>, Error> {
        const SQL: &str = "SELECT received_at FROM events ORDER BY id LIMIT 1";
        self.read(|connection| connection.prepare_cached(SQL)?.query_row([], |row| row.get(0)).optional())
            .await
    }
}

fn counts(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
) -> rusqlite::Result<BTreeMap<String, u64>> {
    let mut select = connection.prepare_cached(sql)?;
    let rows = select.query_map(params, |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
    rows.collect()
}

/// The number of the first event that came at `time_ms` or later, found by halving: numbers grow with time.
fn first_at(connection: &Connection, time_ms: i64) -> rusqlite::Result<i64> {
    let ends: Option<(i64, i64)> = connection
        .prepare_cached("SELECT (SELECT min(id) FROM events), (SELECT max(id) FROM events)")?
        .query_row([], |row| Ok(row.get::<_, Option<i64>>(0)?.zip(row.get::<_, Option<i64>>(1)?)))?;
    let Some((mut low, last)) = ends else { return Ok(0) };
    let mut high = last + 1;
    let mut select =
        connection.prepare_cached("SELECT id, received_at FROM events WHERE id >= ?1 ORDER BY id LIMIT 1")?;
    while low < high {
        let middle = low + (high - low) / 2;
        let (id, received_ms): (i64, i64) =
            select.query_row([middle], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if received_ms < time_ms { low = id + 1 } else { high = middle }
    }
    Ok(low)
}

/// See [`Store::past_due`]; and how many have been waiting since before a second time, of the oldest. Takes the same time
/// however long the backlog is.
pub(super) fn past_due(
    connection: &Connection,
    plugin: &str,
    (before_ms, long_before_ms): (i64, i64),
) -> rusqlite::Result<(Option<i64>, u64)> {
    const SQL: &str = "
        SELECT min(due_at), count(CASE WHEN due_at < ?4 THEN 1 END) FROM (
            SELECT id, lane, due_at FROM deliveries INDEXED BY deliveries_pending
            WHERE state = 'pending' AND plugin = ?1 ORDER BY id LIMIT ?3
        ) AS own
        WHERE due_at < ?2 AND (lane IS NULL OR NOT EXISTS (
            SELECT 1 FROM deliveries AS other INDEXED BY deliveries_pending_in_lane
            WHERE other.state = 'pending' AND other.plugin = ?1 AND other.lane = own.lane AND other.id < own.id
        ))";
    let mut select = connection.prepare_cached(SQL)?;
    select.query_row(params![plugin, before_ms, LOOKED_AT_MAX, long_before_ms], |row| {
        Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
    })
}
