//! Decisions about calls of plugins that were not a plain yes: counted by minute, with no text from outside.

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::{Error, Reader};
use crate::delivery::DeliveryId;
use crate::event::time::rfc3339;
use crate::grant::Decisions;

const MINUTE_MS: i64 = 60_000;

/// Adds the decisions of a run of a delivery.
pub(super) fn record(
    connection: &Connection,
    delivery: DeliveryId,
    decisions: &Decisions,
    now_ms: i64,
) -> rusqlite::Result<()> {
    for (capability, why, count) in decisions.iter() {
        let mut upsert = connection.prepare_cached(
            "INSERT INTO decisions (minute, plugin, capability, why, count, delivery)
             SELECT ?1, plugin, ?2, ?3, ?4, id FROM deliveries WHERE id = ?5
             ON CONFLICT (minute, plugin, capability, why) DO UPDATE SET count = count + ?4, delivery = ?5",
        )?;
        upsert.execute(params![now_ms / MINUTE_MS, capability, why.as_str(), count, delivery.0])?;
    }
    Ok(())
}

/// Which decisions a listing shows.
#[derive(Debug, Clone, Default)]
pub struct DecisionFilter {
    /// Only of this plugin.
    pub plugin: Option<String>,
    /// Only of then or later.
    pub since: Option<jiff::Timestamp>,
    /// At most this many, the newest.
    pub limit: usize,
}

/// Calls of a plugin, within a minute, that were not simply made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecisionEntry {
    /// The minute in which their runs ended, RFC 3339.
    pub at: String,
    /// The plugin.
    pub plugin: String,
    /// What they took: a capability; `http:(undeclared)` for all connections that the plugin has not declared.
    pub capability: String,
    /// `denied` and the like.
    pub why: String,
    /// How many.
    pub count: u32,
    /// The last delivery that made one.
    pub delivery: String,
}

impl Reader {
    /// The newest decisions that were not a plain yes, newest first.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn decisions(&self, filter: &DecisionFilter) -> Result<Vec<DecisionEntry>, Error> {
        let since = filter.since.map_or(i64::MIN, |since| since.as_millisecond().div_euclid(MINUTE_MS));
        let mut select = self.connection.prepare(
            "SELECT minute, plugin, capability, why, count, delivery FROM decisions
             WHERE minute >= ?1 AND (?2 IS NULL OR plugin = ?2)
             ORDER BY minute DESC, plugin, capability, why LIMIT ?3",
        )?;
        let rows = select.query_map(params![since, filter.plugin, filter.limit as i64], |row| {
            Ok(DecisionEntry {
                at: rfc3339(row.get::<_, i64>(0)? * MINUTE_MS),
                plugin: row.get(1)?,
                capability: row.get(2)?,
                why: row.get(3)?,
                count: row.get(4)?,
                delivery: DeliveryId(row.get(5)?).to_string(),
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::Why;
    use crate::store::tests::{Bench, NOW_MS};

    #[tokio::test]
    async fn decisions_of_a_minute_are_one_row_for_each_kind() {
        let bench = Bench::new();
        for number in 0..2 {
            bench.accept("C1", &format!("{number}"), NOW_MS).await;
        }
        let mut decisions = Decisions::default();
        decisions.note("chats.tag", Why::Denied);
        decisions.note("chats.tag", Why::Denied);
        decisions.note("http:crm", Why::OutOfBounds);
        let minute = NOW_MS.div_euclid(MINUTE_MS) * MINUTE_MS;
        bench.on_file(|file| {
            for (delivery, at) in
                [(1, minute), (2, minute + MINUTE_MS - 1), (2, minute + MINUTE_MS), (9, minute)]
            {
                record(file, DeliveryId(delivery), &decisions, at).expect("it is recorded");
            }
        });
        let filter = |plugin: Option<&str>, limit| DecisionFilter {
            plugin: plugin.map(str::to_owned),
            since: None,
            limit,
        };
        let listed = |filter| {
            let reader = Reader::open(bench.folder.path()).expect("a reader").expect("a store");
            let all = reader.decisions(&filter).expect("a list").into_iter();
            all.map(|entry| (entry.capability, entry.why, entry.count, entry.delivery)).collect::<Vec<_>>()
        };
        let row = |capability: &str, why: &str, count, delivery: &str| {
            (capability.to_owned(), why.to_owned(), count, delivery.to_owned())
        };
        let expected = [
            row("chats.tag", "denied", 2, "dl-2"),
            row("http:crm", "out of bounds", 1, "dl-2"),
            row("chats.tag", "denied", 4, "dl-2"),
            row("http:crm", "out of bounds", 2, "dl-2"),
        ];
        assert_eq!(listed(filter(None, 10)), expected, "that of a delivery that isn't there is left out");
        assert_eq!(listed(filter(None, 1)), expected[..1]);
        assert_eq!(listed(filter(Some("other"), 10)), []);
    }
}
