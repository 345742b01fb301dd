//! Schedules: how far each has come, and the events of those whose time is there. Commands, which are made alike.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::accept::store_addressed;
use super::operator::audit::{Deed, record};
use super::writer::Group;
use super::{DeedOfOperator, Error, Store};
use crate::delivery::DeliveryId;
use crate::event::{EventId, NewEvent};

/// A schedule: the plugin and its name.
pub type ScheduleName = (Arc<str>, String);

/// How far a schedule has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The rule by which it came there, in words.
    pub rule: String,
    /// Everything up to here is done or left, milliseconds since 1970.
    pub done_to_ms: i64,
}

/// An event for one plugin, and its delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    /// The event.
    pub event: EventId,
    /// The delivery.
    pub delivery: DeliveryId,
}

/// The same as it is told to whoever asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commanded {
    /// The event's id, `ev-42`.
    pub event: String,
    /// The delivery's, `dl-42`.
    pub delivery: DeliveryId,
}

impl Store {
    /// How far all schedules have come.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn schedule_places(&self) -> Result<HashMap<ScheduleName, Place>, Error> {
        self.read(|connection| {
            let mut select =
                connection.prepare_cached("SELECT plugin, name, rule, done_to FROM schedules")?;
            let rows = select.query_map([], |row| {
                let name = (Arc::from(row.get::<_, String>(0)?), row.get(1)?);
                Ok((name, Place { rule: row.get(2)?, done_to_ms: row.get(3)? }))
            })?;
            rows.collect()
        })
        .await
    }

    /// Records how far a schedule has come.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn set_schedule_place(&self, name: ScheduleName, place: Place) -> Result<(), Error> {
        self.write(move |group| set_place(group, &name, &place)).await
    }

    /// Stores the event of a schedule and how far that has come, in one transaction; `None` if the plugin has not ended
    /// with the one before: then there is no event, but the schedule goes on.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn tick(
        &self,
        name: ScheduleName,
        place: Place,
        event: NewEvent,
        now_ms: i64,
    ) -> Result<Option<Made>, Error> {
        self.write(move |group| {
            set_place(group, &name, &place)?;
            if is_busy(group, &name.0, event.lane.as_deref())? {
                return Ok(None);
            }
            store_addressed(group, event, &name.0, now_ms).map(Some)
        })
        .await
    }

    /// Stores a command to a plugin, and who gave it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn command(
        &self,
        plugin: Arc<str>,
        event: NewEvent,
        deed: DeedOfOperator,
        now_ms: i64,
    ) -> Result<Made, Error> {
        self.write(move |group| {
            let DeedOfOperator { who, action, subject, before, after } = deed;
            record(group.connection, &Deed { who: &who, action, subject, before, after }, now_ms)?;
            store_addressed(group, event, &plugin, now_ms)
        })
        .await
    }
}

/// Whether a plugin has something to do in a lane.
fn is_busy(group: &Group<'_>, plugin: &str, lane: Option<&str>) -> rusqlite::Result<bool> {
    let mut select = group.connection.prepare_cached(
        "SELECT 1 FROM deliveries INDEXED BY deliveries_pending_in_lane
         WHERE state = 'pending' AND plugin = ?1 AND lane = ?2 LIMIT 1",
    )?;
    select.exists(params![plugin, lane])
}

fn set_place(group: &Group<'_>, (plugin, name): &ScheduleName, place: &Place) -> rusqlite::Result<()> {
    let mut upsert = group.connection.prepare_cached(
        "INSERT INTO schedules (plugin, name, rule, done_to) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (plugin, name) DO UPDATE SET rule = ?3, done_to = ?4",
    )?;
    upsert.execute(params![plugin, name, place.rule, place.done_to_ms]).map(|_| ())
}

#[cfg(test)]
mod tests;
