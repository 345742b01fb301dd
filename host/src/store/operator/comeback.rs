//! A delivery that stopped comes back: with a new number, because the dispatcher reads its table in order of
//! numbers and has passed the old one long ago.

use std::sync::Arc;

use rusqlite::params;

use super::super::deliveries::pending_one;
use super::super::writer::Group;
use crate::delivery::DeliveryId;

/// What becomes of the journal, and of the attempts that are spent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Journal {
    /// The delivery goes on where it stopped.
    Kept,
    /// What the journal has is not done again; attempts are counted anew.
    KeptAnew,
    /// All is done anew.
    Deleted,
}

/// Puts a delivery back, as the last of its lane; answers its new number.
pub(super) fn come_back(
    group: &mut Group<'_>,
    old: i64,
    journal: Journal,
    now_ms: i64,
) -> rusqlite::Result<DeliveryId> {
    let keeps_attempts = journal == Journal::Kept;
    let keeps_journal = journal != Journal::Deleted;
    let mut insert = group.connection.prepare_cached(
        "INSERT INTO deliveries (event, plugin, lane, state, accepted_at, due_at, set_at, attempts, crashes, root, late)
         SELECT event, plugin, lane, 'pending', ?2, ?2, ?2, iif(?3, attempts, 0), iif(?3, crashes, 0),
            iif(?4, coalesce(root, id), NULL), 1
         FROM deliveries WHERE id = ?1",
    )?;
    insert.execute(params![old, now_ms, keeps_attempts, keeps_journal])?;
    let new = group.connection.last_insert_rowid();
    if keeps_journal {
        for sql in [
            "UPDATE journals SET delivery = ?2 WHERE delivery = ?1",
            "UPDATE steps SET delivery = ?2 WHERE delivery = ?1",
        ] {
            group.connection.prepare_cached(sql)?.execute([old, new])?;
        }
    } else {
        for sql in ["DELETE FROM journals WHERE delivery = ?1", "DELETE FROM steps WHERE delivery = ?1"] {
            group.connection.prepare_cached(sql)?.execute([old])?;
        }
        inherit_claims(group, new)?;
    }
    let timer = "UPDATE fired_timers SET delivery = ?2 WHERE delivery = ?1";
    group.connection.prepare_cached(timer)?.execute([old, new])?;
    let plugin: String = group
        .connection
        .prepare_cached("DELETE FROM deliveries WHERE id = ?1 RETURNING plugin")?
        .query_row([old], |row| row.get(0))?;
    hand_on(group, &plugin, new)?;
    Ok(DeliveryId(new))
}

/// What the plugin's deliveries of the same event have claimed in its memory belongs to the one that does all anew:
/// else the plugin would take the replay for a duplicate. One that has not ended yet keeps what it has claimed.
pub(super) fn inherit_claims(group: &mut Group<'_>, new: i64) -> rusqlite::Result<()> {
    let mut update = group.connection.prepare_cached(
        "UPDATE memory SET claimed_by = ?1
         WHERE claimed_by IN (
            SELECT coalesce(ended.root, ended.id) FROM deliveries AS made
            JOIN deliveries AS ended ON ended.event = made.event AND ended.plugin = made.plugin
            WHERE made.id = ?1 AND ended.state NOT IN ('pending', 'held'))",
    )?;
    update.execute([new]).map(|_| ())
}

/// Tells the dispatcher of a new delivery, once it is committed.
pub(super) fn hand_on(group: &mut Group<'_>, plugin: &str, delivery: i64) -> rusqlite::Result<()> {
    let made = pending_one(group.connection, &Arc::from(plugin), DeliveryId(delivery))?;
    group.made.extend(made);
    Ok(())
}
