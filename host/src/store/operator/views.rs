//! The read model of deliveries that stopped: dead letters and held ones, with what was recorded of their runs.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Row};
use serde::Serialize;

use super::super::queries::{DELIVERY_COLUMNS, DeliveryView, delivery};
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

    /// How many deliveries in a state a filter lets through, of the oldest `limit`; of those with these numbers, if there
    /// are any.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn count(
        &self,
        state: State,
        filter: &DeliveryFilter,
        ids: &[DeliveryId],
        limit: Option<u64>,
    ) -> Result<Count, Error> {
        let mut conditions = Conditions::of(state, filter);
        if !ids.is_empty() {
            conditions.among(ids);
        }
        let sql = format!(
            "SELECT plugin, count(*), sum((SELECT count(*) FROM steps WHERE delivery = chosen.id AND {DONE}))
             FROM (SELECT deliveries.id, plugin FROM deliveries JOIN events ON events.id = deliveries.event
                 WHERE {} ORDER BY deliveries.id LIMIT {}) AS chosen GROUP BY plugin",
            conditions.text(),
            limit.and_then(|limit| i64::try_from(limit).ok()).unwrap_or(-1)
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
    pub fn delivery(&self, id: DeliveryId) -> Result<Option<StoppedDelivery>, Error> {
        let sql = select("deliveries.id = ?1");
        let found = self.connection.prepare(&sql)?.query_row([id.0], stopped).optional()?;
        let Some(mut stopped) = found else { return Ok(None) };
        stopped.delivery.steps = Some(self.steps(id)?);
        Ok(Some(stopped))
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
        event: EventId(row.get(11)?).to_string(),
        event_type: row.get(12)?,
        chat_id: row.get(13)?,
        delivery: delivery(row, true)?,
    })
}
