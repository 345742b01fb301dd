//! The read model of deliveries that stopped: dead letters and held ones, with what was recorded of their runs.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Row};
use serde::Serialize;
use serde_json::Value;

use super::super::queries::{DELIVERY_COLUMNS, DeliveryView, delivery, rfc3339};
use super::super::{Error, Reader};
use super::{Conditions, DONE, DeliveryFilter};
use crate::delivery::{DeliveryId, State};
use crate::event::EventId;

/// A delivery that is dead or held, and its event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoppedDelivery {
    /// `ev-42`.
    pub event: String,
    /// The event type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The chat.
    pub chat_id: Option<String>,
    /// The delivery.
    #[serde(flatten)]
    pub delivery: DeliveryView,
}

/// A delivery with what was recorded of its runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShownDelivery {
    /// The delivery and its event.
    #[serde(flatten)]
    pub stopped: StoppedDelivery,
    /// The recorded host calls, in order.
    pub steps: Vec<StepView>,
}

/// A recorded host call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepView {
    /// Its number within the delivery.
    pub number: i64,
    /// `chats.send-note` and the like.
    pub function: String,
    /// `read`, `own`, `repeatable`, `keyed`, `looked-up` or `unknown`: what it does to make the call twice.
    pub kind: String,
    /// The author's name for it.
    pub once: Option<String>,
    /// What it is about, for people.
    pub about: String,
    /// `succeeded`, `failed`, `answered` (a read, or the plugin's own store), `unanswered` (it is simply made
    /// again) or `in doubt`.
    pub state: &'static str,
    /// When it began, RFC 3339.
    pub at: String,
    /// When its answer came, RFC 3339.
    pub answered_at: Option<String>,
    /// What an action asked for.
    pub request: Option<Value>,
}

/// How many stopped deliveries a filter lets through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Count {
    /// In all.
    pub total: u64,
    /// By plugin.
    pub by_plugin: BTreeMap<String, u64>,
    /// Their actions that had succeeded or are in doubt: without the journal these may happen once more.
    pub actions_done: u64,
}

impl Reader {
    /// The newest deliveries in a state that a filter lets through, newest first.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn stopped(
        &self,
        state: State,
        filter: &DeliveryFilter,
        limit: usize,
    ) -> Result<Vec<StoppedDelivery>, Error> {
        let conditions = Conditions::of(state, filter);
        let sql = select(&format!("{} ORDER BY deliveries.id DESC LIMIT {limit}", conditions.text()));
        let mut select = self.connection.prepare(&sql)?;
        let rows = select.query_map(&conditions.values()[..], stopped)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// How many deliveries in a state a filter lets through; of those with these numbers, if there are any.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn count(&self, state: State, filter: &DeliveryFilter, ids: &[DeliveryId]) -> Result<Count, Error> {
        let mut conditions = Conditions::of(state, filter);
        if !ids.is_empty() {
            conditions.among(ids);
        }
        let sql = format!(
            "SELECT plugin, count(*), sum((SELECT count(*) FROM steps WHERE delivery = deliveries.id AND {DONE}))
             FROM deliveries JOIN events ON events.id = deliveries.event WHERE {} GROUP BY plugin",
            conditions.text()
        );
        let mut select = self.connection.prepare(&sql)?;
        let mut rows = select.query(&conditions.values()[..])?;
        let mut count = Count::default();
        while let Some(row) = rows.next()? {
            let of_plugin = row.get::<_, i64>(1)?.unsigned_abs();
            count.total += of_plugin;
            count.actions_done += row.get::<_, i64>(2)?.unsigned_abs();
            count.by_plugin.insert(row.get(0)?, of_plugin);
        }
        Ok(count)
    }

    /// One delivery in any state, with its recorded host calls, if it is there.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn delivery(&self, id: DeliveryId) -> Result<Option<ShownDelivery>, Error> {
        let sql = select("deliveries.id = ?1");
        let found = self.connection.prepare(&sql)?.query_row([id.0], stopped).optional()?;
        let Some(stopped) = found else { return Ok(None) };
        let mut select = self.connection.prepare(
            "SELECT number, function, kind, once, about, answer IS NULL, succeeded, at, answered_at, request
             FROM steps WHERE delivery = ?1 ORDER BY number",
        )?;
        let steps = select.query_map([id.0], step)?.collect::<rusqlite::Result<_>>()?;
        Ok(Some(ShownDelivery { stopped, steps }))
    }
}

fn select(condition: &str) -> String {
    format!(
        "SELECT {DELIVERY_COLUMNS}, events.id, events.type, events.chat_id
         FROM deliveries JOIN events ON events.id = deliveries.event WHERE {condition}"
    )
}

fn stopped(row: &Row<'_>) -> rusqlite::Result<StoppedDelivery> {
    Ok(StoppedDelivery {
        event: EventId(row.get(10)?).to_string(),
        event_type: row.get(11)?,
        chat_id: row.get(12)?,
        delivery: delivery(row, true)?,
    })
}

fn step(row: &Row<'_>) -> rusqlite::Result<StepView> {
    let (kind, unanswered, succeeded): (String, bool, bool) = (row.get(2)?, row.get(5)?, row.get(6)?);
    let request: Option<String> = row.get(9)?;
    Ok(StepView {
        number: row.get(0)?,
        function: row.get(1)?,
        once: row.get(3)?,
        about: row.get(4)?,
        state: match (&*kind, unanswered) {
            ("keyed" | "looked-up" | "unknown", true) => "in doubt",
            (_, true) => "unanswered",
            ("read" | "own", false) => "answered",
            (_, false) if succeeded => "succeeded",
            (_, false) => "failed",
        },
        kind,
        at: rfc3339(row.get(7)?),
        answered_at: row.get::<_, Option<i64>>(8)?.map(rfc3339),
        request: request.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text))),
    })
}
