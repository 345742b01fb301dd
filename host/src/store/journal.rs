//! The journals of deliveries: written by their runs, each write fenced by the number of the run.

use rusqlite::{OptionalExtension, Row, params};

use super::writer::Group;
use super::{Error, Store, files, memory, own, timers};
use crate::action::BoxFuture;
use crate::action::memory::Room;
use crate::delivery::DeliveryId;
use crate::journal::{Answer, Answered, Call, Change, Header, Kind, Ledger, Lost, Own, Run, Step};

impl Ledger for Store {
    fn record<'a>(&'a self, run: Run, changes: Vec<Change>) -> BoxFuture<'a, Result<(), Lost>> {
        Box::pin(async move {
            let clock = self.clock.clone();
            let written = self.write(move |group| {
                if !is_current(group, run)? {
                    return Ok(Err(Lost::Overtaken));
                }
                let now_ms = clock.now_ms();
                changes.iter().try_for_each(|change| apply(group, run.delivery, change, now_ms)).map(Ok)
            });
            written.await.unwrap_or_else(|error| Err(Lost::Failed(error.to_string())))
        })
    }

    fn own<'a>(
        &'a self,
        run: Run,
        (plugin, room): (&'a str, Room),
        changes: Vec<Change>,
        step: Step,
        call: Own,
    ) -> BoxFuture<'a, Result<Answered, Lost>> {
        let plugin = plugin.to_owned();
        Box::pin(async move {
            let (is_timer, clock) = (matches!(call, Own::Timer(_)), self.clock.clone());
            let written = self.write(move |group| {
                if !is_current(group, run)? {
                    return Ok(Err(Lost::Overtaken));
                }
                let (at_ms, now_ms) = (step.at_ms, clock.now_ms());
                let (undone, before): (Vec<_>, Vec<_>) =
                    changes.into_iter().partition(|change| matches!(change, Change::Undo { .. }));
                before.iter().try_for_each(|change| apply(group, run.delivery, change, now_ms))?;
                let result = match call {
                    Own::Memory(call) => memory::change(group, (&plugin, room), run.root.0, call, now_ms)?,
                    Own::File(call) => files::publish(group, (&plugin, room), run.root, &call, now_ms)?,
                    Own::Timer(call) => timers::change(group, (&plugin, room), run.delivery, call, now_ms)?,
                };
                let answered = Answered {
                    at_ms,
                    // A claim or a swap that wasn't made changed nothing: a later run looks again.
                    succeeded: !matches!(result, Err(_) | Ok(crate::action::memory::Answer::Whether(false))),
                    answer: result.map_or_else(Answer::from, Answer::from),
                };
                let undone = undone.into_iter().filter(|_| answered.succeeded);
                let step = Step { answered: Some(answered.clone()), ..step };
                for change in undone.chain([Change::Insert(step)]) {
                    apply(group, run.delivery, &change, now_ms)?;
                }
                Ok(Ok(answered))
            });
            let written = written.await.unwrap_or_else(|error| Err(Lost::Failed(error.to_string())));
            if is_timer {
                self.timers_changed.notify_one();
            }
            written
        })
    }
}

impl Store {
    /// What the runs of a delivery recorded; `None` if that is nothing.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn journal(&self, delivery: DeliveryId) -> Result<Option<(Header, Vec<Step>)>, Error> {
        self.read(move |connection| {
            let sql = "SELECT version, began_at, seed, next, anew FROM journals WHERE delivery = ?1";
            let Some(header) = connection.prepare_cached(sql)?.query_row([delivery.0], header).optional()?
            else {
                return Ok(None);
            };
            let sql = format!("SELECT {STEP_COLUMNS} FROM steps WHERE delivery = ?1 ORDER BY number");
            let mut select = connection.prepare_cached(&sql)?;
            let steps = select.query_map([delivery.0], step)?.collect::<rusqlite::Result<_>>()?;
            Ok(Some((header, steps)))
        })
        .await
    }

    /// Settles the step of a run that is in doubt: with its answer, or without one if it never took place.
    /// Answers false if the delivery is not this run's any more.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn settle(&self, run: Run, number: u32, answered: Option<Answered>) -> Result<bool, Error> {
        let clock = self.clock.clone();
        self.write(move |group| {
            if !is_current(group, run)? {
                return Ok(false);
            }
            let change = match answered {
                Some(answered) => Change::Answer { number, answered },
                None => Change::Forget { number },
            };
            apply(group, run.delivery, &change, clock.now_ms())?;
            Ok(true)
        })
        .await
    }
}

/// A longer answer of a read is of no use once the delivery has succeeded, bytes.
const READ_KEPT_MAX: i64 = 4 << 10;

/// Drops the long answers of reads: they are kept to be repeated, and no run comes any more. A report that reads all
/// chats of a day would else leave them in the store a second time.
pub(super) fn drop_long_reads(group: &Group<'_>, delivery: DeliveryId) -> rusqlite::Result<()> {
    let sql =
        "UPDATE steps SET answer = NULL WHERE delivery = ?1 AND kind = 'read' AND octet_length(answer) > ?2";
    group.connection.prepare_cached(sql)?.execute(params![delivery.0, READ_KEPT_MAX]).map(|_| ())
}

/// Whether a run may still write: the delivery is pending, and nobody has decided on it since the run began.
fn is_current(group: &Group<'_>, run: Run) -> rusqlite::Result<bool> {
    let mut select = group
        .connection
        .prepare_cached("SELECT 1 FROM deliveries WHERE id = ?1 AND state = 'pending' AND runs = ?2")?;
    select.exists(params![run.delivery.0, run.number])
}

fn apply(group: &Group<'_>, delivery: DeliveryId, change: &Change, now_ms: i64) -> rusqlite::Result<()> {
    let id = delivery.0;
    let run = |sql: &str, params: &[&dyn rusqlite::ToSql]| {
        group.connection.prepare_cached(sql)?.execute(params).map(|_| ())
    };
    match change {
        Change::Begin(Header { version, began_ms, seed, next, anew }) => run(
            "INSERT INTO journals (delivery, version, began_at, seed, next, anew) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (delivery) DO UPDATE SET version = ?2, began_at = ?3, seed = ?4, next = ?5, anew = ?6",
            &[&id, version, began_ms, &seed.cast_signed(), next, anew],
        ),
        Change::Count { next } => run("UPDATE journals SET next = ?2 WHERE delivery = ?1", &[&id, next]),
        Change::Insert(step) => {
            insert(group, delivery, step)?;
            own::note_intent(group, delivery, step, now_ms)
        }
        Change::Answer { number, answered } => {
            let Answered { at_ms, answer, succeeded } = answered;
            run(
                "UPDATE steps SET answered_at = ?3, answer = ?4, succeeded = ?5 WHERE delivery = ?1 AND number = ?2",
                &[&id, number, at_ms, &answer.to_json(), succeeded],
            )?;
            own::note_answer(group, delivery, *number, answered, now_ms)
        }
        Change::Move { from, to } => run(
            "UPDATE steps SET number = ?3, aside = 0 WHERE delivery = ?1 AND number = ?2",
            &[&id, from, to],
        ),
        Change::Aside { number } => {
            run("UPDATE steps SET aside = 1 WHERE delivery = ?1 AND number = ?2", &[&id, number])
        }
        Change::Forget { number } | Change::Undo { number } => {
            run("DELETE FROM steps WHERE delivery = ?1 AND number = ?2", &[&id, number])
        }
    }
}

fn insert(group: &Group<'_>, delivery: DeliveryId, step: &Step) -> rusqlite::Result<()> {
    let Step { number, call, at_ms, answered, aside } = step;
    let mut insert = group.connection.prepare_cached(
        "INSERT INTO steps (delivery, number, kind, function, arguments, once, about, request, at, answered_at,
            answer, succeeded, aside)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    insert.execute(params![
        delivery.0,
        number,
        call.kind.as_str(),
        call.function,
        call.arguments,
        call.once,
        call.about,
        call.request,
        at_ms,
        answered.as_ref().map(|answered| answered.at_ms),
        answered.as_ref().map(|answered| answered.answer.to_json()),
        answered.as_ref().is_some_and(|answered| answered.succeeded),
        aside,
    ])?;
    Ok(())
}

/// The columns of a step, as [`step`] reads them.
pub(super) const STEP_COLUMNS: &str =
    "number, kind, function, arguments, once, about, request, at, answered_at, answer, succeeded, aside";

fn header(row: &Row<'_>) -> rusqlite::Result<Header> {
    Ok(Header {
        version: row.get(0)?,
        began_ms: row.get(1)?,
        seed: row.get::<_, i64>(2)?.cast_unsigned(),
        next: row.get(3)?,
        anew: row.get(4)?,
    })
}

pub(super) fn step(row: &Row<'_>) -> rusqlite::Result<Step> {
    let kind: String = row.get(1)?;
    let kind =
        Kind::parse(&kind).ok_or_else(|| unreadable(1, format!("`{kind}` is no kind of step").into()))?;
    let answered = match row.get::<_, Option<String>>(9)? {
        None => None,
        Some(text) => Some(Answered {
            at_ms: row.get::<_, Option<i64>>(8)?.unwrap_or_default(),
            answer: Answer::from_json(&text).map_err(|error| unreadable(9, error.into()))?,
            succeeded: row.get(10)?,
        }),
    };
    let call = Call {
        kind,
        function: row.get(2)?,
        arguments: row.get(3)?,
        once: row.get(4)?,
        about: row.get(5)?,
        request: row.get(6)?,
    };
    Ok(Step { number: row.get(0)?, call, at_ms: row.get(7)?, answered, aside: row.get(11)? })
}

fn unreadable(column: usize, error: Box<dyn std::error::Error + Send + Sync>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error)
}
