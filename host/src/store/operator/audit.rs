//! What operators did: written in the transaction of the deed itself, and never changed. Triggers see to it, and to it that
//! nothing but the oldest entry can be removed.

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::{Error, Reader, Store};
use crate::event::time::rfc3339;

/// Something that an operator did. Holds no text from outside: it outlives what customers wrote.
pub(in super::super) struct Deed<'a> {
    /// `cli:NAME` with the system's user, or `api:…` with how they proved themselves and from where.
    pub(in super::super) who: &'a str,
    /// `dead.replay` and the like.
    pub(in super::super) action: &'static str,
    /// What it was done to.
    pub(in super::super) subject: String,
    /// How that was before.
    pub(in super::super) before: Option<Value>,
    /// And after.
    pub(in super::super) after: Option<Value>,
}

/// Writes a deed down.
pub(in super::super) fn record(
    connection: &Connection,
    deed: &Deed<'_>,
    now_ms: i64,
) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO audit (at, who, action, subject, before, after) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let text = |value: &Option<Value>| value.as_ref().map(Value::to_string);
    insert
        .execute(params![now_ms, deed.who, deed.action, deed.subject, text(&deed.before), text(&deed.after)])
        .map(|_| ())
}

/// Something that an operator did outside of the store, such as to the config.
#[derive(Debug, Clone)]
pub struct DeedOfOperator {
    /// See [`AuditEntry::who`].
    pub who: String,
    /// See [`AuditEntry::action`].
    pub action: &'static str,
    /// See [`AuditEntry::subject`].
    pub subject: String,
    /// See [`AuditEntry::before`].
    pub before: Option<Value>,
    /// See [`AuditEntry::after`].
    pub after: Option<Value>,
}

impl DeedOfOperator {
    /// Writes it down within a command.
    pub(in super::super) fn record(self, connection: &Connection, now_ms: i64) -> rusqlite::Result<()> {
        let DeedOfOperator { who, action, subject, before, after } = self;
        record(connection, &Deed { who: &who, action, subject, before, after }, now_ms)
    }
}

/// What an operator changed of the webhooks that are registered with LiveChat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhooksChanged {
    /// Where they go.
    pub url: String,
    /// What was done, such as `register incoming_chat`.
    pub done: Vec<String>,
    /// Whether that is all that was to be done.
    pub is_whole: bool,
}

impl WebhooksChanged {
    /// As the audit log tells it.
    pub fn deed(self, who: String) -> DeedOfOperator {
        let WebhooksChanged { url, done, is_whole } = self;
        let after = serde_json::json!({ "done": done, "is_whole": is_whole });
        DeedOfOperator { who, action: "webhooks.changed", subject: url, before: None, after: Some(after) }
    }
}

impl Store {
    /// Writes down what an operator did.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn note_deed(&self, deed: DeedOfOperator, now_ms: i64) -> Result<(), Error> {
        self.write(move |group| deed.record(group.connection, now_ms)).await
    }
}

/// Which entries of the audit log a listing shows.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Only what was done then or later.
    pub since: Option<jiff::Timestamp>,
    /// At most this many, the newest.
    pub limit: usize,
}

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its number.
    pub id: i64,
    /// When, RFC 3339.
    pub at: String,
    /// `cli:NAME` with the system's user, `api:…` with how they proved themselves and from where, or `config` for what
    /// somebody wrote into the file.
    pub who: String,
    /// `dead.replay` and the like.
    pub action: String,
    /// What it was done to.
    pub subject: String,
    /// How that was before.
    pub before: Option<Value>,
    /// And after.
    pub after: Option<Value>,
}

impl Reader {
    /// The newest entries of the audit log, newest first.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, Error> {
        let since_ms = filter.since.map_or(i64::MIN, |since| since.as_millisecond());
        let mut select = self.connection.prepare(
            "SELECT id, at, who, action, subject, before, after FROM audit WHERE at >= ?1 ORDER BY id DESC LIMIT ?2",
        )?;
        let json = |text: Option<String>| text.map(|text| serde_json::from_str(&text).unwrap_or(Value::Null));
        let rows = select.query_map(params![since_ms, filter.limit as i64], |row| {
            Ok(AuditEntry {
                id: row.get(0)?,
                at: rfc3339(row.get(1)?),
                who: row.get(2)?,
                action: row.get(3)?,
                subject: row.get(4)?,
                before: json(row.get(5)?),
                after: json(row.get(6)?),
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
