//! The read model: events and deliveries as listings show them.

use rusqlite::types::ToSql;
use rusqlite::{OptionalExtension, Row};
use serde::Serialize;

use super::{Error, Reader, StepView, Store, schema};
use crate::delivery::DeliveryId;
use crate::delivery::crash::Crash;
use crate::event::time::rfc3339;
use crate::event::{Event, EventId};

/// Which events a listing shows.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only of this type.
    pub event_type: Option<String>,
    /// Only of this chat.
    pub chat_id: Option<String>,
    /// At most this many, the newest.
    pub limit: usize,
}

/// An event with its deliveries, as listings show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventView {
    /// `ev-42`.
    pub id: String,
    /// The event type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// `livechat` or `chatplug`.
    pub source: String,
    /// The chat.
    pub chat_id: Option<String>,
    /// The thread.
    pub thread_id: Option<String>,
    /// When it happened on the platform, RFC 3339.
    pub occurred_at: Option<String>,
    /// When it was stored, RFC 3339.
    pub received_at: String,
    /// Whether it may be a repetition.
    pub possible_duplicate: bool,
    /// Whether no webhook brought it: the host asked LiveChat what it had missed.
    pub recovered: bool,
    /// The plugin that caused it, or empty text for the host's app or bot; absent if it wasn't caused by the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own: Option<String>,
    /// What stands on every log line of its way; only where one event is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// One for each plugin that gets it, in the order in which they were made.
    pub deliveries: Vec<DeliveryView>,
    /// The payload; only where one event is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<serde_json::Value>,
    /// Why payload and extra are not there any more: `retention` or `forgotten`; only where one event is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed: Option<String>,
    /// What came beside the payload; only where one event is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra: Option<serde_json::Value>,
}

/// A delivery as listings show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeliveryView {
    /// `dl-42`.
    pub id: String,
    /// The plugin.
    pub plugin: String,
    /// `pending`, `held`, `succeeded`, `skipped` or `dead`.
    pub state: String,
    /// Attempts spent.
    pub attempts: u32,
    /// How the last attempt ended.
    pub outcome: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The content hash of the version that ran last.
    pub version: Option<String>,
    /// If pending: not before, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<String>,
    /// When it became final, RFC 3339.
    pub ended_at: Option<String>,
    /// The last log lines of an attempt that did not succeed; only where one event is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// The recorded host calls, in order; only where one event or delivery is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<StepView>>,
    /// Where an attempt was that did not return, and what it had used; only where one event is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crash: Option<Crash>,
}

pub(super) const EVENT_COLUMNS: &str =
    "events.id, type, source, organization, occurred_at, received_at, chat_id,
    thread_id, possible_duplicate, payload, extra, own, recovered";
/// The same without what the event says: a listing of many would hold all of that in memory.
const LISTED_COLUMNS: &str = "events.id, type, source, organization, occurred_at, received_at, chat_id,
    thread_id, possible_duplicate, '', '', own, recovered";
pub(super) const DELIVERY_COLUMNS: &str =
    "deliveries.id, plugin, state, attempts, outcome, reason, version, due_at, ended_at, log, crash";

impl Store {
    /// An event, if it is still there with what it says.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn event(&self, id: EventId) -> Result<Option<Event>, Error> {
        self.read(move |connection| {
            let sql = format!("SELECT {EVENT_COLUMNS} FROM events WHERE id = ?1 AND removed IS NULL");
            connection.prepare_cached(&sql)?.query_row([id.0], event).optional()
        })
        .await
    }
}

impl Reader {
    /// The newest events that a filter lets through, newest first.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn events(&self, filter: &EventFilter) -> Result<Vec<EventView>, Error> {
        let mut conditions = Vec::new();
        let mut values: Vec<&dyn ToSql> = Vec::new();
        for (column, value) in [("type", &filter.event_type), ("chat_id", &filter.chat_id)] {
            if let Some(value) = value {
                conditions.push(format!("{column} = ?"));
                values.push(value);
            }
        }
        let condition = if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") };
        let limit = filter.limit as i64;
        values.push(&limit);
        let sql = format!("SELECT {LISTED_COLUMNS} FROM events WHERE {condition} ORDER BY id DESC LIMIT ?");
        let mut select = self.connection.prepare(&sql)?;
        let events: Vec<Event> = select.query_map(&values[..], event)?.collect::<rusqlite::Result<_>>()?;
        events.iter().map(|event| Ok(view(event, self.deliveries(event.id, false)?))).collect()
    }

    /// One event with payload and log, if it is there.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn event(&self, id: EventId) -> Result<Option<EventView>, Error> {
        let sql = format!("SELECT {EVENT_COLUMNS} FROM events WHERE id = ?1");
        let Some(event) = self.connection.prepare(&sql)?.query_row([id.0], event).optional()? else {
            return Ok(None);
        };
        let json = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| text.into());
        let mut shown = view(&event, self.deliveries(id, true)?);
        shown.trace = Some(schema::traces(&self.connection)?.of(id).to_string());
        let mut select = self.connection.prepare("SELECT removed FROM events WHERE id = ?1")?;
        shown.removed = select.query_row([id.0], |row| row.get(0)).optional()?.flatten();
        if shown.removed.is_none() {
            shown.payload = Some(json(&event.payload));
            shown.extra = Some(json(&event.extra));
        }
        Ok(Some(shown))
    }

    /// How many deliveries wait for an attempt.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn pending(&self) -> Result<u64, Error> {
        let mut select = self.connection.prepare(
            "SELECT count(*) FROM deliveries INDEXED BY deliveries_pending WHERE state = 'pending'",
        )?;
        Ok(select.query_row([], |row| row.get::<_, i64>(0))?.unsigned_abs())
    }

    /// The deliveries of an event; with log and steps if it `is_shown` by itself.
    fn deliveries(&self, event: EventId, is_shown: bool) -> Result<Vec<DeliveryView>, Error> {
        let sql = format!("SELECT {DELIVERY_COLUMNS} FROM deliveries WHERE event = ?1 ORDER BY id");
        let mut select = self.connection.prepare_cached(&sql)?;
        let rows =
            select.query_map([event.0], |row| Ok((DeliveryId(row.get(0)?), delivery(row, is_shown)?)))?;
        let with_steps = |row: rusqlite::Result<_>| -> Result<DeliveryView, Error> {
            let (id, mut delivery): (DeliveryId, DeliveryView) = row?;
            delivery.steps = is_shown.then(|| self.steps(id)).transpose()?;
            Ok(delivery)
        };
        rows.map(with_steps).collect()
    }
}

pub(super) fn event(row: &Row<'_>) -> rusqlite::Result<Event> {
    Ok(Event {
        id: EventId(row.get(0)?),
        event_type: row.get(1)?,
        source: row.get(2)?,
        organization: row.get(3)?,
        occurred_at_ms: row.get(4)?,
        received_at_ms: row.get(5)?,
        chat_id: row.get(6)?,
        thread_id: row.get(7)?,
        possible_duplicate: row.get(8)?,
        payload: row.get(9)?,
        extra: row.get(10)?,
        own: row.get(11)?,
        recovered: row.get(12)?,
    })
}

fn view(event: &Event, deliveries: Vec<DeliveryView>) -> EventView {
    EventView {
        id: event.id.to_string(),
        event_type: event.event_type.clone(),
        source: event.source.clone(),
        chat_id: event.chat_id.clone(),
        thread_id: event.thread_id.clone(),
        occurred_at: event.occurred_at_ms.map(rfc3339),
        received_at: rfc3339(event.received_at_ms),
        possible_duplicate: event.possible_duplicate,
        recovered: event.recovered,
        own: event.own.clone(),
        trace: None,
        deliveries,
        payload: None,
        removed: None,
        extra: None,
    }
}

pub(super) fn delivery(row: &Row<'_>, with_log: bool) -> rusqlite::Result<DeliveryView> {
    let state: String = row.get(2)?;
    let due_at = (state == "pending").then(|| row.get(7).map(rfc3339)).transpose()?;
    Ok(DeliveryView {
        id: DeliveryId(row.get(0)?).to_string(),
        plugin: row.get(1)?,
        state,
        attempts: row.get(3)?,
        outcome: row.get(4)?,
        reason: row.get(5)?,
        version: row.get(6)?,
        due_at,
        ended_at: row.get::<_, Option<i64>>(8)?.map(rfc3339),
        log: if with_log { row.get(9)? } else { None },
        steps: None,
        crash: if with_log { row.get::<_, Option<String>>(10)?.and_then(crash) } else { None },
    })
}

/// What a later version wrote, and this one can't read, is not shown.
fn crash(text: String) -> Option<Crash> {
    serde_json::from_str(&text).ok()
}

impl Store {
    /// Commits something small, to see whether the store can.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn probe(&self, now_ms: i64) -> Result<(), Error> {
        self.write(move |group| {
            group.connection.execute(
                "INSERT INTO probe (id, at) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET at = ?1",
                [now_ms],
            )?;
            Ok(())
        })
        .await
    }
}
