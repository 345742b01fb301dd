//! Deliveries: what is pending, and how an attempt is recorded.

use std::sync::Arc;

use rusqlite::{Connection, Row, params};

use super::queries::{EVENT_COLUMNS, event};
use super::{Error, Step, Steps, Store, decisions, journal};
use crate::delivery::crash::Crash;
use crate::delivery::{DeliveryId, State};
use crate::event::{Event, EventId};
use crate::grant::Decisions;

/// A delivery that waits for an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    /// Its number.
    pub id: DeliveryId,
    /// The event.
    pub event_id: EventId,
    /// The event itself, while it is still in memory from being accepted.
    pub event: Option<Arc<Event>>,
    /// The plugin.
    pub plugin: Arc<str>,
    /// What it queues behind; `None` queues behind nothing.
    pub lane: Option<Arc<str>>,
    /// When its event was accepted, milliseconds since 1970.
    pub accepted_at_ms: i64,
    /// Not to be run before, milliseconds since 1970.
    pub due_at_ms: i64,
    /// When that was decided, milliseconds since 1970.
    pub set_at_ms: i64,
    /// Attempts spent.
    pub attempts: u32,
    /// Of these, how many trapped or ran out of something.
    pub crashes: u32,
    /// Runs that were recorded: fences the writes of the next one.
    pub runs: u32,
    /// The number that it had first: a delivery that comes back from being held or dead gets a new one.
    pub root: DeliveryId,
    /// Whether it runs behind events that came after it.
    pub late: bool,
    /// Whether it may have a journal.
    pub journaled: bool,
    /// Since when this process knows that one of its actions is in doubt, by [`Clock::passed_ms`](super::Clock::passed_ms).
    pub doubt_since_ms: Option<i64>,
}

impl Pending {
    /// The same after the clock was set, see [`Step::carry`].
    pub fn carried(mut self, step: Step) -> Pending {
        (self.set_at_ms, self.due_at_ms) = step.carry(self.set_at_ms, self.due_at_ms);
        self
    }

    /// What comes from the table, or from before the clock was set, by the clock as it is. Where it was set back, what was set
    /// after the step can't be told from what was set before: it's as in [`Pending::by_clock`].
    pub fn brought_to(self, steps: &Steps, now_ms: i64) -> Pending {
        let forward = steps.behind(0).filter(|step| step.is_forward());
        forward.fold(self, Pending::carried).by_clock(now_ms)
    }

    /// The same by a clock that shows `now_ms`. When it was decided how long to wait, that lay before now: if the
    /// clock says otherwise it was set back since, and the delivery would wait for too long.
    pub fn by_clock(mut self, now_ms: i64) -> Pending {
        let ahead_ms = self.set_at_ms.saturating_sub(now_ms).max(0);
        self.due_at_ms = self.due_at_ms.saturating_sub(ahead_ms);
        self.set_at_ms = self.set_at_ms.min(now_ms);
        self
    }
}

/// What an attempt, or the decision to make none, changes in a delivery.
#[derive(Debug, Clone)]
pub struct Finish {
    /// The delivery.
    pub id: DeliveryId,
    /// The number of the run that ends: a run that was overtaken by an operator's decision changes nothing.
    pub run: u32,
    /// Its state from now on.
    pub state: State,
    /// If pending again: not before, milliseconds since 1970.
    pub due_at_ms: i64,
    /// Attempts spent.
    pub attempts: u32,
    /// Of these, how many trapped or ran out of something.
    pub crashes: u32,
    /// The version that ran, its content hash.
    pub version: Option<String>,
    /// How it ended, in a word.
    pub outcome: &'static str,
    /// Why, for people; empty where there is nothing to say.
    pub reason: String,
    /// The attempt's last log lines, kept unless it succeeded.
    pub log: String,
    /// Where it was and what it had used, if it did not return.
    pub crash: Option<Crash>,
    /// Whether its runs recorded something.
    pub journaled: bool,
    /// Whether the next run has to look anew, see [`Journal`](crate::journal::Journal::is_stale).
    pub anew: bool,
    /// What was decided about its calls, where that was not a plain yes.
    pub decisions: Decisions,
}

/// Larger events are not kept in memory while they wait: they are read when they run.
const KEPT_BYTES_MAX: usize = 4 << 10;

/// Jumps from plugin to plugin in the index, so that the length of the backlog does not matter.
pub(super) const PLUGINS_WITH_PENDING: &str = "
    WITH RECURSIVE found(plugin) AS (
        SELECT min(plugin) FROM deliveries WHERE state = 'pending'
        UNION ALL
        SELECT (SELECT min(plugin) FROM deliveries WHERE state = 'pending' AND plugin > found.plugin)
        FROM found WHERE found.plugin IS NOT NULL
    ) SELECT plugin FROM found WHERE plugin IS NOT NULL";

impl Store {
    /// Records what a run changed; when it returns it is on disk. False if the delivery is not the run's any more.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn finish(&self, finish: Finish, now_ms: i64) -> Result<bool, Error> {
        self.write(move |group| {
            let crash = finish.crash.as_ref();
            let crash = crash.map(|crash| serde_json::to_string(crash).expect("a crash can be written as JSON"));
            let ended_at = (finish.state != State::Pending).then_some(now_ms);
            let mut update = group.connection.prepare_cached(
                "UPDATE deliveries SET state = ?2, due_at = ?3, attempts = ?4, crashes = ?5, version = coalesce(?6, version),
                    outcome = ?7, reason = nullif(?8, ''), ended_at = ?10, set_at = ?12, runs = runs + 1,
                    log = coalesce(nullif(?9, ''), CASE WHEN ?2 IN ('pending', 'held') THEN log END),
                    crash = coalesce(?13, CASE WHEN ?2 IN ('pending', 'held') THEN crash END)
                 WHERE id = ?1 AND state = 'pending' AND runs = ?11",
            )?;
            let changed = update.execute(params![
                finish.id.0,
                finish.state.as_str(),
                finish.due_at_ms,
                finish.attempts,
                finish.crashes,
                finish.version,
                finish.outcome,
                finish.reason,
                finish.log,
                ended_at,
                finish.run,
                now_ms,
                crash,
            ])?;
            if changed == 1 && finish.anew {
                let sql = "UPDATE journals SET anew = 1 WHERE delivery = ?1";
                group.connection.prepare_cached(sql)?.execute([finish.id.0])?;
            }
            if changed == 1 && finish.journaled && finish.state == State::Succeeded {
                journal::drop_long_reads(group, finish.id)?;
            }
            // Also of a run that was overtaken: it made the calls all the same.
            decisions::record(group.connection, finish.id, &finish.decisions, now_ms)?;
            Ok(changed == 1)
        })
        .await
    }

    /// A plugin's pending deliveries behind number `after`, in order, at most `limit`, with their events.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn pending(
        &self,
        plugin: Arc<str>,
        after: DeliveryId,
        limit: usize,
    ) -> Result<Vec<Pending>, Error> {
        self.read(move |connection| {
            let sql = select("deliveries_pending", "plugin = ?1 AND deliveries.id > ?2", "?3");
            collect(connection, &sql, params![plugin, after.0, limit as i64])
        })
        .await
    }

    /// The pending deliveries of one lane, from behind number `between.0` to `between.1`, in order, at most
    /// `limit`, with their events.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn pending_in_lane(
        &self,
        plugin: Arc<str>,
        lane: Arc<str>,
        between: (DeliveryId, DeliveryId),
        limit: usize,
    ) -> Result<Vec<Pending>, Error> {
        self.read(move |connection| {
            let condition = "plugin = ?1 AND lane = ?2 AND deliveries.id > ?3 AND deliveries.id <= ?4";
            let sql = select("deliveries_pending_in_lane", condition, "?5");
            collect(connection, &sql, params![plugin, lane, between.0.0, between.1.0, limit as i64])
        })
        .await
    }

    /// The plugins that have pending deliveries.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn plugins_with_pending(&self) -> Result<Vec<Arc<str>>, Error> {
        self.read(|connection| {
            let mut select = connection.prepare_cached(PLUGINS_WITH_PENDING)?;
            let rows = select.query_map([], |row| row.get::<_, String>(0))?;
            rows.map(|row| row.map(Arc::from)).collect()
        })
        .await
    }
}

/// A pending delivery as it is, with its event.
pub(super) fn pending_one(
    connection: &Connection,
    plugin: &Arc<str>,
    id: DeliveryId,
) -> rusqlite::Result<Option<Pending>> {
    let sql = select("deliveries_pending", "plugin = ?1 AND deliveries.id = ?2", "1");
    collect(connection, &sql, params![plugin, id.0]).map(|found| found.into_iter().next())
}

/// The columns of a pending delivery, then those of its event.
fn select(index: &str, condition: &str, limit: &str) -> String {
    format!(
        "SELECT {EVENT_COLUMNS}, deliveries.id, plugin, lane, accepted_at, due_at, attempts, crashes,
            runs, root, late, EXISTS (SELECT 1 FROM journals WHERE journals.delivery = deliveries.id),
            coalesce(set_at, accepted_at), events.removed IS NOT NULL
         FROM deliveries INDEXED BY {index} JOIN events ON events.id = deliveries.event
         WHERE state = 'pending' AND {condition} ORDER BY deliveries.id LIMIT {limit}"
    )
}

fn collect(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
) -> rusqlite::Result<Vec<Pending>> {
    connection.prepare_cached(sql)?.query_map(params, pending)?.collect()
}

fn pending(row: &Row<'_>) -> rusqlite::Result<Pending> {
    let event = event(row)?;
    let id = DeliveryId(row.get(13)?);
    let is_removed: bool = row.get(25)?;
    Ok(Pending {
        event_id: event.id,
        // Without content it is no event: who runs the delivery finds that out in the store.
        event: kept(Arc::new(event)).filter(|_| !is_removed),
        id,
        plugin: Arc::from(row.get::<_, String>(14)?),
        lane: row.get::<_, Option<String>>(15)?.map(Arc::from),
        accepted_at_ms: row.get(16)?,
        due_at_ms: row.get(17)?,
        attempts: row.get(18)?,
        crashes: row.get(19)?,
        runs: row.get(20)?,
        root: row.get::<_, Option<i64>>(21)?.map_or(id, DeliveryId),
        late: row.get(22)?,
        journaled: row.get(23)?,
        doubt_since_ms: None,
        set_at_ms: row.get(24)?,
    })
}

/// An event that waits in memory, unless it is too large for that.
pub(super) fn kept(event: Arc<Event>) -> Option<Arc<Event>> {
    (event.payload.len() + event.extra.len() <= KEPT_BYTES_MAX).then_some(event)
}
