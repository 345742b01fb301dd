//! What LiveChat gave up to bring: since when webhooks may be missing, and how what was missed is stored.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

use super::accept::{apply_rating, history, store_event};
use super::writer::Group;
use super::{Accepted, Error, Routes, Store};
use crate::event::rating::Signal;
use crate::event::recovered::{Recovered, Told};
use crate::event::{EventId, NewEvent};

/// After a silence of the host this long some webhooks may be lost, milliseconds. LiveChat repeats one three times within
/// about a minute, and doesn't say how it spaces them: all of it may lie in a shorter silence. Two signs of life that are
/// missing are no late one any more.
const REPEATED_MS: i64 = 20_000;
/// Where the newest events are looked through for the organization.
const LOOKED_AT: i64 = 1_000;

/// A time in which webhooks may have been lost, and after which nobody has looked yet. Several are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// When the host was last known to take webhooks, milliseconds since 1970.
    pub began_ms: i64,
    /// When it took them again.
    pub ended_ms: i64,
}

/// An event that had been missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its number.
    pub id: EventId,
    /// Its type.
    pub event_type: String,
}

/// Notes an outage, if there was one between two signs of life.
pub(super) fn note_gap(connection: &Connection, alive_ms: i64, now_ms: i64) -> rusqlite::Result<()> {
    if now_ms - alive_ms < REPEATED_MS {
        return Ok(());
    }
    let mut upsert = connection.prepare_cached(
        "INSERT INTO outage (id, began_at, ended_at) VALUES (1, ?1, ?2)
         ON CONFLICT (id) DO UPDATE SET began_at = min(began_at, ?1), ended_at = max(ended_at, ?2)",
    )?;
    upsert.execute([alive_ms, now_ms]).map(|_| ())
}

impl Store {
    /// The outage after which it has to be looked what was missed.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn outage(&self) -> Result<Option<Outage>, Error> {
        self.read(|connection| {
            let mut select = connection.prepare_cached("SELECT began_at, ended_at FROM outage")?;
            select.query_row([], |row| Ok(Outage { began_ms: row.get(0)?, ended_ms: row.get(1)? })).optional()
        })
        .await
    }

    /// Notes an outage that was not the host's own.
    ///
    /// # Errors
    /// See [`Error`].
    #[cfg(test)]
    pub async fn note_outage(&self, outage: Outage) -> Result<(), Error> {
        self.write(move |group| note_gap(group.connection, outage.began_ms, outage.ended_ms)).await
    }

    /// It was looked what was missed in this outage; if it has become longer meanwhile it stays.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn outage_is_over(&self, outage: Outage) -> Result<(), Error> {
        self.write(move |group| {
            let sql = "DELETE FROM outage WHERE began_at = ?1 AND ended_at = ?2";
            group.connection.execute(sql, [outage.began_ms, outage.ended_ms]).map(|_| ())
        })
        .await
    }

    /// The organization that the newest events name, if one of them does.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn organization(&self) -> Result<Option<String>, Error> {
        self.read(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT organization FROM events
                 WHERE id > (SELECT max(id) FROM events) - ?1 AND organization IS NOT NULL ORDER BY id DESC LIMIT 1",
            )?;
            select.query_row([LOOKED_AT], |row| row.get(0)).optional()
        })
        .await
    }

    /// Stores of a conversation what is not known yet, with deliveries; answers what that was. When it returns it is on
    /// disk.
    ///
    /// # Errors
    /// As for [`Store::accept`].
    pub async fn recover(
        &self,
        conversation: Recovered,
        routes: Arc<Routes>,
        now_ms: i64,
    ) -> Result<Vec<Found>, Error> {
        self.write(move |group| {
            let mut recovering =
                Recovering { routes: &routes, now_ms, last_ms: conversation.last_ms, found: Vec::new() };
            for told in conversation.told {
                recovering.hear(group, told)?;
            }
            if let Some(signal) = conversation.rating
                && !is_known(group, &signal)?
            {
                recovering.rate(group, &signal)?;
            }
            Ok(recovering.found)
        })
        .await
    }
}

struct Recovering<'a> {
    routes: &'a Routes,
    now_ms: i64,
    last_ms: i64,
    found: Vec<Found>,
}

impl Recovering<'_> {
    fn hear(&mut self, group: &mut Group<'_>, told: Told) -> rusqlite::Result<()> {
        let is_new = match told.event {
            Some(event) => self.store(group, event)?,
            // What it says has a time: heard twice, it changes nothing.
            None => true,
        };
        match told.rating {
            Some(signal) if is_new => self.rate(group, &signal),
            _ => Ok(()),
        }
    }

    fn rate(&mut self, group: &mut Group<'_>, signal: &Signal) -> rusqlite::Result<()> {
        let Some(mut event) = apply_rating(group, signal, self.now_ms)? else { return Ok(()) };
        event.recovered = true;
        event.occurred_at_ms = event.occurred_at_ms.or(Some(self.last_ms));
        self.store(group, event).map(|_| ())
    }

    fn store(&mut self, group: &mut Group<'_>, event: NewEvent) -> rusqlite::Result<bool> {
        let mut accepted = Accepted::default();
        let event_type = event.event_type.clone();
        store_event(group, event, self.routes, self.now_ms, &mut accepted)?;
        let is_new = !accepted.stored.is_empty();
        self.found.extend(accepted.stored.into_iter().map(|id| Found { id, event_type: event_type.clone() }));
        Ok(is_new)
    }
}

/// Whether it is known already that a thread is rated like this, or something was heard of its rating after LiveChat was
/// asked.
fn is_known(group: &mut Group<'_>, signal: &Signal) -> rusqlite::Result<bool> {
    let thread = signal.thread_id.as_deref().unwrap_or_default();
    let history = history(group, &signal.chat_id, thread)?;
    Ok(history.rating().agrees(signal) || history.is_newer_than(signal))
}

#[cfg(test)]
mod tests;
