//! Accepting a webhook: its events, and one delivery for each plugin that the config enables, in one
//! transaction with the dedupe keys and the rating.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{OptionalExtension, params};

use super::deliveries::kept;
use super::own;
use super::schedules::Made;
use super::writer::Group;
use super::{Error, Pending, Store};
use crate::delivery::DeliveryId;
use crate::event::rating::{self, History, Signal};
use crate::event::{Dedupe, Event, EventId, NewEvent};

/// Within this time an equal payload without a natural key may be the platform's retry (about a minute of
/// retries, and as much again for slow answers).
const RETRY_WINDOW_MS: i64 = 120_000;

/// Which plugins get an event of which type, by the config.
pub type Routes = HashMap<String, Vec<Route>>;

/// A plugin that gets events of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The plugin.
    pub plugin: Arc<str>,
    /// Whether it also gets those that it caused itself.
    pub own_events: bool,
}

/// What one webhook brings.
#[derive(Debug, Clone, Default)]
pub struct NewWebhook {
    /// The webhook itself, then the events that only come inside it.
    pub events: Vec<NewEvent>,
    /// What it says about a rating; heard only if the first event is new.
    pub rating: Option<Signal>,
}

/// What became of a webhook.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// The events that were stored.
    pub stored: Vec<EventId>,
    /// How many events were stored before already.
    pub duplicates: usize,
    /// How many of the stored events may be repetitions.
    pub flagged: usize,
    /// How many deliveries were made.
    pub deliveries: usize,
}

impl Store {
    /// Stores a webhook's events and their deliveries; when it returns they are on disk.
    ///
    /// # Errors
    /// [`Error::Full`] if nothing was stored and asking again later may help; any other error says that
    /// nothing may be called stored.
    pub async fn accept(
        &self,
        webhook: NewWebhook,
        routes: Arc<Routes>,
        now_ms: i64,
    ) -> Result<Accepted, Error> {
        self.write(move |group| {
            let mut accepted = Accepted::default();
            for event in webhook.events {
                let is_first = accepted == Accepted::default();
                store_event(group, event, &routes, now_ms, &mut accepted)?;
                // A repeated webhook says nothing new, neither about the rating.
                if is_first
                    && !accepted.stored.is_empty()
                    && let Some(signal) = &webhook.rating
                    && let Some(event) = apply_rating(group, signal, now_ms)?
                {
                    store_event(group, event, &routes, now_ms, &mut accepted)?;
                }
            }
            Ok(accepted)
        })
        .await
    }
}

pub(super) fn store_event(
    group: &mut Group<'_>,
    event: NewEvent,
    routes: &Routes,
    now_ms: i64,
    accepted: &mut Accepted,
) -> rusqlite::Result<()> {
    let Some(possible_duplicate) = check_repetition(group, &event, now_ms)? else {
        accepted.duplicates += 1;
        return Ok(());
    };
    let own = own::cause(group, &event, now_ms)?;
    let id = insert_event(group, &event, possible_duplicate, own.as_deref(), now_ms)?;
    accepted.stored.push(id);
    accepted.flagged += usize::from(possible_duplicate);
    let Some(routes) = routes.get(&event.event_type) else { return Ok(()) };
    let lane: Option<Arc<str>> = event.lane.as_deref().map(Arc::from);
    let event = Arc::new(stored(id, event, possible_duplicate, own, now_ms));
    for Route { plugin, own_events } in routes {
        if event.own.as_deref() == Some(plugin) && !own_events {
            insert_skipped(group, id, plugin, lane.as_deref(), now_ms)?;
            continue;
        }
        deliver(group, &event, plugin, lane.as_ref())?;
        accepted.deliveries += 1;
    }
    Ok(())
}

/// Stores an event that the host makes for one plugin, with its delivery.
pub(super) fn store_addressed(
    group: &mut Group<'_>,
    event: NewEvent,
    plugin: &Arc<str>,
    now_ms: i64,
) -> rusqlite::Result<Made> {
    let id = insert_event(group, &event, false, None, now_ms)?;
    let lane: Option<Arc<str>> = event.lane.as_deref().map(Arc::from);
    let event = Arc::new(stored(id, event, false, None, now_ms));
    let delivery = deliver(group, &event, plugin, lane.as_ref())?;
    Ok(Made { event: id, delivery })
}

/// Makes the delivery of an event that was stored just now.
fn deliver(
    group: &mut Group<'_>,
    event: &Arc<Event>,
    plugin: &Arc<str>,
    lane: Option<&Arc<str>>,
) -> rusqlite::Result<DeliveryId> {
    let now_ms = event.received_at_ms;
    let delivery = insert_delivery(group, event.id, plugin, lane.map(|lane| &**lane), now_ms)?;
    group.made.push(Pending {
        id: delivery,
        event_id: event.id,
        event: kept(event.clone()),
        plugin: plugin.clone(),
        lane: lane.cloned(),
        accepted_at_ms: now_ms,
        due_at_ms: now_ms,
        set_at_ms: now_ms,
        attempts: 0,
        crashes: 0,
        runs: 0,
        root: delivery,
        late: false,
        journaled: false,
        doubt_since_ms: None,
    });
    Ok(delivery)
}

/// `None` if the event was stored before; else whether it may be a repetition.
fn check_repetition(group: &mut Group<'_>, event: &NewEvent, now_ms: i64) -> rusqlite::Result<Option<bool>> {
    match &event.dedupe {
        Dedupe::Always => Ok(Some(false)),
        Dedupe::Key(key) => is_new(group, key, false, now_ms).map(|is_new| is_new.then_some(false)),
        // What LiveChat lists says nothing new if a webhook has ever said it.
        Dedupe::Window(key) if event.recovered => {
            is_new(group, key, true, now_ms).map(|is_new| is_new.then_some(false))
        }
        Dedupe::Window(key) => check_window(group, key, now_ms),
    }
}

/// Remembers a key; whether it was not known. `is_listed`: an event has it that was recovered, of a type without natural key.
fn is_new(group: &mut Group<'_>, key: &str, is_listed: bool, now_ms: i64) -> rusqlite::Result<bool> {
    let mut insert = group
        .connection
        .prepare_cached("INSERT INTO dedupe (key, at, listed) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?;
    Ok(insert.execute(params![key, now_ms, is_listed])? == 1)
}

/// The same for a webhook without natural key.
fn check_window(group: &mut Group<'_>, key: &str, now_ms: i64) -> rusqlite::Result<Option<bool>> {
    let mut select = group.connection.prepare_cached("SELECT at, listed FROM dedupe WHERE key = ?1")?;
    let before: Option<(i64, bool)> =
        select.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let is_recent = before.is_some_and(|(at, _)| now_ms - at < RETRY_WINDOW_MS);
    // It was recovered, and now LiveChat's own retry brings it.
    if let Some((_, true)) = before
        && is_recent
    {
        return Ok(None);
    }
    let mut upsert = group.connection.prepare_cached(
        "INSERT INTO dedupe (key, at) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET at = excluded.at, listed = 0",
    )?;
    upsert.execute(params![key, now_ms])?;
    Ok(Some(is_recent))
}

fn insert_event(
    group: &mut Group<'_>,
    event: &NewEvent,
    possible_duplicate: bool,
    own: Option<&str>,
    now_ms: i64,
) -> rusqlite::Result<EventId> {
    let mut insert = group.connection.prepare_cached(
        "INSERT INTO events (type, source, organization, occurred_at, received_at, chat_id, thread_id,
            possible_duplicate, payload, extra, original, own, recovered)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    insert.execute(params![
        event.event_type,
        event.source.as_str(),
        event.organization,
        event.occurred_at_ms,
        now_ms,
        event.chat_id,
        event.thread_id,
        possible_duplicate,
        event.payload,
        event.extra,
        event.original,
        own,
        event.recovered,
    ])?;
    Ok(EventId(group.connection.last_insert_rowid()))
}

fn insert_delivery(
    group: &mut Group<'_>,
    event: EventId,
    plugin: &str,
    lane: Option<&str>,
    now_ms: i64,
) -> rusqlite::Result<DeliveryId> {
    let mut insert = group.connection.prepare_cached(
        "INSERT INTO deliveries (event, plugin, lane, state, accepted_at, due_at) VALUES (?1, ?2, ?3, 'pending', ?4, ?4)",
    )?;
    insert.execute(params![event.0, plugin, lane, now_ms])?;
    Ok(DeliveryId(group.connection.last_insert_rowid()))
}

/// Records why a plugin doesn't get what it caused; nobody has to run it.
fn insert_skipped(
    group: &mut Group<'_>,
    event: EventId,
    plugin: &str,
    lane: Option<&str>,
    now_ms: i64,
) -> rusqlite::Result<()> {
    let mut insert = group.connection.prepare_cached(
        "INSERT INTO deliveries (event, plugin, lane, state, accepted_at, due_at, outcome, reason, ended_at)
         VALUES (?1, ?2, ?3, 'skipped', ?4, ?4, 'skipped', 'own event: caused by this plugin', ?4)",
    )?;
    insert.execute(params![event.0, plugin, lane, now_ms])?;
    Ok(())
}

fn stored(id: EventId, event: NewEvent, possible_duplicate: bool, own: Option<String>, now_ms: i64) -> Event {
    Event {
        id,
        event_type: event.event_type,
        source: event.source.as_str().to_owned(),
        organization: event.organization,
        occurred_at_ms: event.occurred_at_ms,
        received_at_ms: now_ms,
        chat_id: event.chat_id,
        thread_id: event.thread_id,
        possible_duplicate,
        recovered: event.recovered,
        own,
        payload: event.payload,
        extra: event.extra,
    }
}

/// Records what a webhook says about a rating; the `chat_rated` event if it changes what is known.
pub(super) fn apply_rating(
    group: &mut Group<'_>,
    signal: &Signal,
    now_ms: i64,
) -> rusqlite::Result<Option<NewEvent>> {
    let thread_id = match &signal.thread_id {
        Some(thread_id) => Some(thread_id.clone()),
        None => newest_thread(group, &signal.chat_id)?,
    };
    let thread_key = thread_id.as_deref().unwrap_or_default();
    let mut history = history(group, &signal.chat_id, thread_key)?;
    let turn = history.hear(signal);
    let mut upsert = group.connection.prepare_cached(
        "INSERT INTO ratings (chat_id, thread_id, history, heard_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (chat_id, thread_id) DO UPDATE SET history = ?3, heard_at = ?4",
    )?;
    upsert.execute(params![
        signal.chat_id,
        thread_key,
        serde_json::to_string(&history).unwrap_or_default(),
        now_ms
    ])?;
    Ok(turn.map(|turn| rating::chat_rated(signal, thread_id.as_deref(), &turn)))
}

pub(super) fn history(group: &mut Group<'_>, chat: &str, thread: &str) -> rusqlite::Result<History> {
    let mut select = group
        .connection
        .prepare_cached("SELECT history FROM ratings WHERE chat_id = ?1 AND thread_id = ?2")?;
    let text: Option<String> = select.query_row([chat, thread], |row| row.get(0)).optional()?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

/// The thread of the chat's newest event that names one.
fn newest_thread(group: &mut Group<'_>, chat: &str) -> rusqlite::Result<Option<String>> {
    let mut select = group.connection.prepare_cached(
        "SELECT thread_id FROM events WHERE chat_id = ?1 AND thread_id IS NOT NULL ORDER BY id DESC LIMIT 1",
    )?;
    select.query_row([chat], |row| row.get(0)).optional()
}
