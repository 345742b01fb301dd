//! What the host's own calls come back as: what is remembered of them, and how an event is recognised by it.

use rusqlite::{OptionalExtension, params};

use super::writer::Group;
use super::{Error, Store};
use crate::action::Outgoing;
use crate::action::livechat::Call;
use crate::delivery::DeliveryId;
use crate::event::NewEvent;
use crate::journal::{Answer, Answered, Step};

#[cfg(test)]
mod tests;

/// So long an id that LiveChat gave to a message of ours is known; as long as dedupe keys.
const KEPT_MS: i64 = 7 * 24 * 3_600_000;
/// So long what is caused by a call that leaves no id may come: about a minute of retries, and as much again
/// for slow answers.
const WINDOW_MS: i64 = 120_000;
/// Outdated rows that each new one takes with it.
const SWEPT: i64 = 4;

impl Store {
    /// Remembers that a plugin wrote a chat event, by the id that LiveChat gave it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn note_own_event(
        &self,
        chat_id: String,
        chat_event: String,
        plugin: String,
        now_ms: i64,
    ) -> Result<(), Error> {
        self.write(move |group| note_own_event(group, &chat_id, &chat_event, &plugin, now_ms)).await
    }

    /// Remembers which webhooks a plugin's call will cause, before it is made: a webhook may overtake the
    /// call's answer.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn note_own_call(&self, call: Call, plugin: String, now_ms: i64) -> Result<(), Error> {
        self.write(move |group| note_own_call(group, &call, &plugin, now_ms)).await
    }
}

/// Remembers which webhooks the action of a step that is begun will cause. `now_ms` is the store's time: the step's is
/// the machine's, which may be set in between.
pub(super) fn note_intent(
    group: &Group<'_>,
    delivery: DeliveryId,
    step: &Step,
    now_ms: i64,
) -> rusqlite::Result<()> {
    // Not for a connection's: its body can be long, and commits wait for this thread.
    if step.call.function.starts_with("http:") {
        return Ok(());
    }
    let Some(call) = step.call.request.as_deref().and_then(livechat_call) else { return Ok(()) };
    if call.causes().is_empty() {
        return Ok(());
    }
    match plugin_of(group, delivery)? {
        Some(plugin) => note_own_call(group, &call, &plugin, now_ms),
        None => Ok(()),
    }
}

/// Remembers the id that LiveChat gave to what a step sent; `now_ms` is the store's time.
pub(super) fn note_answer(
    group: &Group<'_>,
    delivery: DeliveryId,
    number: u32,
    answered: &Answered,
    now_ms: i64,
) -> rusqlite::Result<()> {
    let Answered { answer: Answer::Text(chat_event), succeeded: true, .. } = answered else {
        return Ok(());
    };
    let mut select =
        group.connection.prepare_cached("SELECT request FROM steps WHERE delivery = ?1 AND number = ?2")?;
    let request: Option<Option<String>> =
        select.query_row(params![delivery.0, number], |row| row.get(0)).optional()?;
    let Some(call) = request.flatten().as_deref().and_then(livechat_call) else { return Ok(()) };
    let (Call::SendMessage { chat_id, .. } | Call::SendNote { chat_id, .. }) = call else { return Ok(()) };
    match plugin_of(group, delivery)? {
        // LiveChat may have answered without an id.
        Some(plugin) if !chat_event.is_empty() => {
            note_own_event(group, &chat_id, chat_event, &plugin, now_ms)
        }
        _ => Ok(()),
    }
}

fn livechat_call(request: &str) -> Option<Call> {
    match Outgoing::from_json(request) {
        Ok(Outgoing::Livechat(call)) => Some(call),
        _ => None,
    }
}

fn plugin_of(group: &Group<'_>, delivery: DeliveryId) -> rusqlite::Result<Option<String>> {
    let mut select = group.connection.prepare_cached("SELECT plugin FROM deliveries WHERE id = ?1")?;
    select.query_row([delivery.0], |row| row.get(0)).optional()
}

/// See [`Store::note_own_event`]; inside a transaction. Where two plugins expect the same at about the same time,
/// nothing says whose it is: it is nobody's in particular then, so that neither is kept from what the other one did.
fn note_own_event(
    group: &Group<'_>,
    chat_id: &str,
    chat_event: &str,
    plugin: &str,
    now_ms: i64,
) -> rusqlite::Result<()> {
    let mut upsert = group.connection.prepare_cached(
        "INSERT INTO own_events (chat_id, mark, plugin, at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (chat_id, mark) DO UPDATE SET
            plugin = iif(plugin <> excluded.plugin AND at >= ?5, '', excluded.plugin), at = excluded.at",
    )?;
    upsert.execute(params![chat_id, chat_event, plugin, now_ms, now_ms - WINDOW_MS])?;
    let mut sweep = group.connection.prepare_cached(
        "DELETE FROM own_events WHERE (chat_id, mark) IN
            (SELECT chat_id, mark FROM own_events WHERE at < ?1 ORDER BY at LIMIT ?2)",
    )?;
    sweep.execute(params![now_ms - KEPT_MS, SWEPT])?;
    Ok(())
}

/// See [`Store::note_own_call`]; inside a transaction.
fn note_own_call(group: &Group<'_>, call: &Call, plugin: &str, now_ms: i64) -> rusqlite::Result<()> {
    let Some(chat_id) = call.chat_id() else { return Ok(()) };
    for event_type in call.causes() {
        note_own_event(group, chat_id, event_type, plugin, now_ms)?;
    }
    Ok(())
}

/// The plugin that caused an event; empty if it was our app or bot and nothing says on whose behalf. `None`:
/// it is not one of ours, as far as can be told.
pub(super) fn cause(
    group: &mut Group<'_>,
    event: &NewEvent,
    now_ms: i64,
) -> rusqlite::Result<Option<String>> {
    let trace = &event.trace;
    if trace.is_empty() {
        return Ok(None);
    }
    if trace.plugin.is_some() {
        return Ok(trace.plugin.clone());
    }
    let chat_id = event.chat_id.as_deref().unwrap_or_default();
    let noted = match &trace.chat_event {
        Some(chat_event) => noted(group, chat_id, chat_event, now_ms - KEPT_MS)?,
        None => noted(group, chat_id, &event.event_type, now_ms - WINDOW_MS)?,
    };
    Ok(noted.or_else(|| trace.by_us.then(String::new)))
}

fn noted(
    group: &mut Group<'_>,
    chat_id: &str,
    mark: &str,
    since_ms: i64,
) -> rusqlite::Result<Option<String>> {
    let mut select = group
        .connection
        .prepare_cached("SELECT plugin FROM own_events WHERE chat_id = ?1 AND mark = ?2 AND at >= ?3")?;
    select.query_row(params![chat_id, mark, since_ms], |row| row.get(0)).optional()
}
