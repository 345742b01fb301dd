//! Replaying an event: new deliveries of it, which know nothing of the earlier ones.

use std::sync::Arc;

use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::writer::Group;
use super::super::{Error, Store};
use super::audit::{self, Deed};
use super::comeback::{hand_on, inherit_claims};
use crate::delivery::{DeliveryId, State};
use crate::event::{EventId, lane};

/// What a replay of an event made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replayed {
    /// One for each plugin that gets the event again.
    pub deliveries: Vec<ReplayedDelivery>,
    /// The deliveries on whose account a plugin does not get it again: they have not ended yet.
    pub unfinished: Vec<ReplayedDelivery>,
}

/// A delivery, by its number and plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayedDelivery {
    /// Its number.
    pub id: DeliveryId,
    /// The plugin.
    pub plugin: String,
}

impl Store {
    /// Makes new deliveries of an event for plugins, and records who did. A plugin that has an unfinished one
    /// of it gets none: it would handle the event twice. `None` if the event is not stored (any more), or
    /// nothing of what it said is.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn replay_event(
        &self,
        event: EventId,
        plugins: Vec<Arc<str>>,
        who: String,
        now_ms: i64,
    ) -> Result<Option<Replayed>, Error> {
        self.write(move |group| {
            let Some(lane) = lane_of(group, event)? else { return Ok(None) };
            let mut replayed = Replayed::default();
            for plugin in plugins {
                match unfinished(group, event, &plugin)? {
                    Some(id) => {
                        replayed.unfinished.push(ReplayedDelivery { id, plugin: plugin.to_string() });
                    }
                    None => {
                        let id = deliver_again(group, (event, &plugin, lane.as_deref()), &who, now_ms)?;
                        replayed.deliveries.push(ReplayedDelivery { id, plugin: plugin.to_string() });
                    }
                }
            }
            Ok(Some(replayed))
        })
        .await
    }
}

/// What an event queues behind; the outer `None`: it is not stored.
fn lane_of(group: &Group<'_>, event: EventId) -> rusqlite::Result<Option<Option<String>>> {
    let mut select = group.connection.prepare_cached(
        "SELECT chat_id, (SELECT lane FROM deliveries WHERE event = events.id LIMIT 1)
         FROM events WHERE id = ?1 AND removed IS NULL",
    )?;
    let found: Option<(Option<String>, Option<String>)> =
        select.query_row([event.0], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    // An event that nobody got has no lane on record. That of its chat is known; without a chat it may pass the
    // others of its agent or customer, which are newer anyway.
    Ok(found.map(|(chat, lane)| lane.or_else(|| chat.as_deref().map(lane::of_chat))))
}

fn unfinished(group: &Group<'_>, event: EventId, plugin: &str) -> rusqlite::Result<Option<DeliveryId>> {
    let mut select = group.connection.prepare_cached(
        "SELECT id FROM deliveries WHERE event = ?1 AND plugin = ?2 AND state IN ('pending', 'held') LIMIT 1",
    )?;
    select.query_row(params![event.0, plugin], |row| row.get(0).map(DeliveryId)).optional()
}

fn deliver_again(
    group: &mut Group<'_>,
    (event, plugin, lane): (EventId, &str, Option<&str>),
    who: &str,
    now_ms: i64,
) -> rusqlite::Result<DeliveryId> {
    group
        .connection
        .prepare_cached(
            "INSERT INTO deliveries (event, plugin, lane, state, accepted_at, due_at, set_at, late)
             VALUES (?1, ?2, ?3, 'pending', ?4, ?4, ?4, 1)",
        )?
        .execute(params![event.0, plugin, lane, now_ms])?;
    let new = group.connection.last_insert_rowid();
    inherit_claims(group, new)?;
    let after = json!({ "state": State::Pending.as_str(), "delivery": DeliveryId(new) });
    let subject = format!("{event} to {plugin}");
    let deed = Deed { who, action: "events.replay", subject, before: None, after: Some(after) };
    audit::record(group.connection, &deed, now_ms)?;
    hand_on(group, plugin, new)?;
    Ok(DeliveryId(new))
}
