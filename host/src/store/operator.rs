//! What operators do with deliveries: dead letters replayed or discarded, held ones resolved, events replayed.
//! Bulk work is done in batches, each a command of its own, so that no webhook waits long for its commit.

use std::time::{Duration, Instant};

use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::batch::{BatchSize, Time};
use super::writer::Group;
use super::{Error, Store};
use crate::delivery::{DeliveryId, State};
use crate::event::EventId;
use crate::journal::Answer;

pub(super) mod audit;
mod comeback;
mod replay;
#[cfg(test)]
mod tests;
mod views;

pub use audit::{AuditEntry, AuditFilter, DeedOfOperator, WebhooksChanged};
pub use replay::{Replayed, ReplayedDelivery};
pub use views::{Count, StoppedDelivery};

use audit::Deed;
use comeback::{Journal, come_back};

/// Deliveries that one command changes at most.
pub const BATCH: usize = 200;

/// What a discarded dead letter says of itself.
const DISCARDED: &str = "discarded by the operator";

/// Which kinds of steps are in doubt as long as they have no answer.
const DOUBTFUL: &str = "kind IN ('keyed', 'looked-up', 'unknown')";

/// What an operator decides about a delivery that stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The dead letter is run again. What its journal has is not done again; `fresh` deletes the journal first,
    /// so that every action may happen once more.
    Replay {
        /// Whether the journal is deleted.
        fresh: bool,
    },
    /// The dead letter is given up for good.
    Discard,
    /// The action that is in doubt took place: the plugin gets an empty success for it.
    Sent,
    /// The action that is in doubt did not take place: it may be done again.
    NotSent,
    /// The host itself is to look once more whether it took place.
    Look,
}

impl Decision {
    /// The state of the deliveries that can be decided about so.
    pub fn concerns(self) -> State {
        match self {
            Decision::Replay { .. } | Decision::Discard => State::Dead,
            Decision::Sent | Decision::NotSent | Decision::Look => State::Held,
        }
    }

    /// The word in the audit log.
    fn as_str(self) -> &'static str {
        match self {
            Decision::Replay { fresh: false } => "dead.replay",
            Decision::Replay { fresh: true } => "dead.replay-fresh",
            Decision::Discard => "dead.discard",
            Decision::Sent => "held.sent",
            Decision::NotSent => "held.not-sent",
            Decision::Look => "held.look",
        }
    }
}

/// Which of the stopped deliveries are meant; what is `None` lets all through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryFilter {
    /// Only of this plugin.
    pub plugin: Option<String>,
    /// Only of events of this type.
    #[serde(rename = "type")]
    pub event_type: Option<String>,
    /// Only with this text in the reason; case doesn't matter in ASCII.
    pub reason: Option<String>,
    /// Only what stopped then or later.
    pub since: Option<jiff::Timestamp>,
}

/// The deliveries that an operator means: those with these numbers, or all that a filter lets through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    /// At most [`BATCH`] numbers; if there are any, these and no others.
    pub ids: Vec<DeliveryId>,
    /// Whether all are meant that the filter lets through: an empty filter is no sign of that.
    pub all: bool,
    /// The filter.
    pub filter: DeliveryFilter,
    /// At most this many, the oldest first; in any case at most [`BATCH`].
    pub limit: Option<usize>,
    /// Where the batch before this one ended.
    pub cursor: Option<Cursor>,
}

/// Where a batch ended. What comes back meanwhile has a number behind `until`, and so isn't met twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// The last delivery of the batch.
    pub after: DeliveryId,
    /// The newest delivery when the first batch began.
    pub until: DeliveryId,
}

/// What a batch of decisions changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// The deliveries, in order.
    pub deliveries: Vec<DecidedDelivery>,
    /// Actions that had succeeded or are in doubt, and may happen once more.
    pub may_repeat: u64,
    /// Set if there may be more: the next batch begins here.
    pub next: Option<Cursor>,
}

/// A delivery that was decided about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecidedDelivery {
    /// The number that it had.
    pub id: DeliveryId,
    /// The number that it has from now on, behind everything else in its lane; `None` if it doesn't run again.
    pub now: Option<DeliveryId>,
    /// The event.
    pub event: String,
    /// The plugin.
    pub plugin: String,
}

/// A delivery that a decision is about.
struct Stopped {
    id: i64,
    event: i64,
    plugin: String,
    outcome: Option<String>,
    attempts: u32,
}

impl Store {
    /// Decides about one batch of stopped deliveries, and records who did; when it returns it is on disk. What
    /// is in another state by now is left alone, and so is what has lost its content. Each commit takes as many as
    /// it can do in a few milliseconds.
    ///
    /// # Errors
    /// See [`Error`]. Some of it may be decided then, as the audit log says; it can be asked for again.
    pub async fn decide(
        &self,
        decision: Decision,
        selection: Selection,
        who: String,
        now_ms: i64,
    ) -> Result<Decided, Error> {
        let by_id = !selection.ids.is_empty();
        // To look for them may take long: not where others wait for their commits.
        let choosing = self.read(move |connection| {
            let cursor = match selection.cursor {
                Some(cursor) => cursor,
                None => Cursor { after: DeliveryId(0), until: newest(connection)? },
            };
            Ok((choose(connection, decision.concerns(), &selection, cursor)?, cursor))
        });
        let (chosen, cursor) = choosing.await?;
        let mut decided = Decided::default();
        let (mut size, mut rest) = (BatchSize::default(), &chosen[..]);
        while !rest.is_empty() {
            let batch = rest[..rest.len().min(size.rows() as usize)].to_vec();
            let (through, took) =
                self.decide_these(decision, (batch, size.time()), (&who, now_ms), &mut decided).await?;
            rest = &rest[through..];
            size.learn(took);
        }
        decided.next = (chosen.len() == BATCH && !by_id)
            .then(|| chosen.last().map(|last| Cursor { after: *last, ..cursor }))
            .flatten();
        Ok(decided)
    }

    /// Decides about those of a few deliveries that are still in their state, as long as there is time; answers through
    /// how many it came, and how long the writer was busy.
    async fn decide_these(
        &self,
        decision: Decision,
        (batch, time): (Vec<DeliveryId>, Time),
        (who, now_ms): (&str, i64),
        all: &mut Decided,
    ) -> Result<(usize, Duration), Error> {
        let who = who.to_owned();
        let work = move |group: &mut Group<'_>| {
            let (began, mut decided) = (Instant::now(), Decided::default());
            let through = time.each(&batch, |id| match still(group.connection, decision.concerns(), *id)? {
                Some(one) => apply(group, decision, &one, (&who, now_ms), &mut decided),
                None => Ok(()),
            });
            Ok((decided, through?, began.elapsed()))
        };
        let (decided, through, took) = self.write(work).await?;
        all.deliveries.extend(decided.deliveries);
        all.may_repeat += decided.may_repeat;
        Ok((through, took))
    }
}

fn newest(connection: &Connection) -> rusqlite::Result<DeliveryId> {
    connection.query_row("SELECT coalesce(max(id), 0) FROM deliveries", [], |row| row.get(0)).map(DeliveryId)
}

fn choose(
    connection: &Connection,
    state: State,
    selection: &Selection,
    cursor: Cursor,
) -> rusqlite::Result<Vec<DeliveryId>> {
    let mut conditions = Conditions::of(state, &selection.filter);
    conditions.and("deliveries.id > ?", cursor.after.0);
    conditions.and("deliveries.id <= ?", cursor.until.0);
    if !selection.all || !selection.ids.is_empty() {
        conditions.among(&selection.ids);
    }
    let limit = selection.limit.unwrap_or(BATCH).min(BATCH);
    let sql = format!(
        "SELECT deliveries.id FROM deliveries JOIN events ON events.id = deliveries.event
         WHERE {} ORDER BY deliveries.id LIMIT {limit}",
        conditions.text()
    );
    let mut select = connection.prepare(&sql)?;
    let rows = select.query_map(&conditions.values()[..], |row| row.get(0).map(DeliveryId))?;
    rows.collect()
}

/// A delivery that was chosen, if it can still be decided about.
fn still(connection: &Connection, state: State, id: DeliveryId) -> rusqlite::Result<Option<Stopped>> {
    let mut select = connection.prepare_cached(
        "SELECT deliveries.id, event, plugin, outcome, attempts
         FROM deliveries JOIN events ON events.id = deliveries.event
         WHERE deliveries.id = ?1 AND state = ?2 AND removed IS NULL",
    )?;
    let stopped = |row: &rusqlite::Row<'_>| {
        Ok(Stopped {
            id: row.get(0)?,
            event: row.get(1)?,
            plugin: row.get(2)?,
            outcome: row.get(3)?,
            attempts: row.get(4)?,
        })
    };
    select.query_row(params![id.0, state.as_str()], stopped).optional()
}

fn apply(
    group: &mut Group<'_>,
    decision: Decision,
    stopped: &Stopped,
    (who, now_ms): (&str, i64),
    decided: &mut Decided,
) -> rusqlite::Result<()> {
    let journal = match decision {
        Decision::Replay { fresh: true } => Some(Journal::Deleted),
        Decision::Replay { fresh: false } => Some(Journal::KeptAnew),
        Decision::Sent | Decision::NotSent | Decision::Look => Some(Journal::Kept),
        Decision::Discard => None,
    };
    match decision {
        Decision::Replay { fresh: true } => decided.may_repeat += repeatable(group.connection, stopped.id)?,
        Decision::NotSent => decided.may_repeat += forget_doubtful(group.connection, stopped.id)?,
        Decision::Sent => answer_doubtful(group.connection, stopped.id, now_ms)?,
        Decision::Discard => discard(group.connection, stopped.id, now_ms)?,
        Decision::Replay { fresh: false } | Decision::Look => {}
    }
    let now = match journal {
        Some(journal) => Some(come_back(group, stopped.id, journal, now_ms)?),
        None => None,
    };
    let event = EventId(stopped.event).to_string();
    let before = json!({
        "state": decision.concerns().as_str(), "outcome": stopped.outcome, "attempts": stopped.attempts,
    });
    let after = match now {
        Some(now) => json!({ "state": State::Pending.as_str(), "delivery": now }),
        None => json!({ "state": State::Skipped.as_str() }),
    };
    let subject = format!("{} of {event} to {}", DeliveryId(stopped.id), stopped.plugin);
    let deed = Deed { who, action: decision.as_str(), subject, before: Some(before), after: Some(after) };
    audit::record(group.connection, &deed, now_ms)?;
    decided.deliveries.push(DecidedDelivery {
        id: DeliveryId(stopped.id),
        now,
        event,
        plugin: stopped.plugin.clone(),
    });
    Ok(())
}

fn discard(connection: &Connection, delivery: i64, now_ms: i64) -> rusqlite::Result<()> {
    let mut update = connection.prepare_cached(
        "UPDATE deliveries SET state = 'skipped', reason = ?2, ended_at = ?3 WHERE id = ?1 AND state = 'dead'",
    )?;
    update.execute(params![delivery, DISCARDED, now_ms]).map(|_| ())
}

/// How many actions of a delivery had succeeded or are in doubt: without the journal they may happen again.
fn repeatable(connection: &Connection, delivery: i64) -> rusqlite::Result<u64> {
    let sql = format!("SELECT count(*) FROM steps WHERE delivery = ?1 AND {DONE}");
    let count: i64 = connection.prepare_cached(&sql)?.query_row([delivery], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// Which steps stand for something that happened outside, or may have.
const DONE: &str = "kind NOT IN ('read', 'own') AND (succeeded = 1 OR answer IS NULL)";

fn forget_doubtful(connection: &Connection, delivery: i64) -> rusqlite::Result<u64> {
    let sql = format!("DELETE FROM steps WHERE delivery = ?1 AND answer IS NULL AND {DOUBTFUL}");
    connection.prepare_cached(&sql)?.execute([delivery]).map(|count| count as u64)
}

fn answer_doubtful(connection: &Connection, delivery: i64, now_ms: i64) -> rusqlite::Result<()> {
    let sql = format!(
        "UPDATE steps SET answer = ?2, answered_at = ?3, succeeded = 1
         WHERE delivery = ?1 AND answer IS NULL AND {DOUBTFUL}"
    );
    let mut select = connection.prepare_cached(&sql)?;
    select.execute(params![delivery, empty_success(), now_ms]).map(|_| ())
}

/// What is recorded as the answer of an action of which an operator says that it took place: an empty success.
fn empty_success() -> String {
    Answer::Done.to_json()
}

/// The conditions of a query on deliveries that are joined with their events, with their values.
struct Conditions {
    texts: Vec<String>,
    values: Vec<Box<dyn ToSql>>,
}

impl Conditions {
    fn of(state: State, filter: &DeliveryFilter) -> Conditions {
        // Written out, not bound: only so does SQLite see that the partial index of the state fits.
        // And nothing can be decided about one whose event has no content any more.
        let texts = vec![format!("state = '{}'", state.as_str()), "events.removed IS NULL".to_owned()];
        let mut conditions = Conditions { texts, values: Vec::new() };
        if let Some(plugin) = &filter.plugin {
            conditions.and("plugin = ?", plugin.clone());
        }
        if let Some(event_type) = &filter.event_type {
            conditions.and("type = ?", event_type.clone());
        }
        if let Some(reason) = &filter.reason {
            conditions.and("instr(lower(reason), lower(?)) > 0", reason.clone());
        }
        if let Some(since) = filter.since {
            conditions.and("ended_at >= ?", since.as_millisecond());
        }
        conditions
    }

    fn and(&mut self, text: &str, value: impl ToSql + 'static) {
        self.texts.push(text.to_owned());
        self.values.push(Box::new(value));
    }

    fn among(&mut self, ids: &[DeliveryId]) {
        let ids: Vec<String> = ids.iter().map(|id| id.0.to_string()).collect();
        self.texts.push(format!("deliveries.id IN ({})", ids.join(", ")));
    }

    fn text(&self) -> String {
        self.texts.join(" AND ")
    }

    fn values(&self) -> Vec<&dyn ToSql> {
        self.values.iter().map(|value| &**value).collect()
    }
}
