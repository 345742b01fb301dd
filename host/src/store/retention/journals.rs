//! Taking away the journals of an event: they may have 64 MiB, so a part of them goes with each commit.

use std::cell::Cell;

use rusqlite::{Connection, params};

use super::super::batch::{BatchSize, Time};

/// What a batch takes of journals, bytes; a step that is longer goes alone.
const BYTES: i64 = 256 << 10;

/// What may still go in a batch.
pub(in super::super) struct Room {
    /// Events, and steps of their journals.
    rows: Cell<u32>,
    /// Of these steps.
    bytes: Cell<i64>,
    pub(super) time: Time,
}

impl Room {
    /// Room for a batch.
    pub(in super::super) fn new(size: BatchSize) -> Room {
        Room { rows: Cell::new(size.rows()), bytes: Cell::new(BYTES), time: size.time() }
    }

    /// Whether the rest has to wait for the next batch.
    pub(in super::super) fn is_full(&self) -> bool {
        self.rows.get() == 0 || self.bytes.get() <= 0 || self.time.is_up()
    }
}

/// Removes so many steps of an event's journals as there is room for, and with the last of them what else there is of the
/// journals, and which timers they came of; whether none is left.
pub(in super::super) fn shorten(connection: &Connection, event: i64, room: &Room) -> rusqlite::Result<bool> {
    let most = room.rows.get().max(1);
    let steps = first_steps(connection, event, most, room)?;
    let mut delete = connection.prepare_cached("DELETE FROM steps WHERE delivery = ?1 AND number = ?2")?;
    for &(delivery, number) in &steps {
        delete.execute([delivery, number])?;
    }
    let gone = u32::try_from(steps.len()).unwrap_or(u32::MAX);
    room.rows.set(room.rows.get().saturating_sub(gone.max(1)));
    if gone >= most || room.bytes.get() <= 0 {
        return Ok(false);
    }
    for table in ["journals", "fired_timers"] {
        let sql =
            format!("DELETE FROM {table} WHERE delivery IN (SELECT id FROM deliveries WHERE event = ?1)");
        connection.prepare_cached(&sql)?.execute([event])?;
    }
    Ok(true)
}

/// The steps that go next, by delivery and number; their bytes are taken from the room.
fn first_steps(
    connection: &Connection,
    event: i64,
    most: u32,
    room: &Room,
) -> rusqlite::Result<Vec<(i64, i64)>> {
    let mut select = connection.prepare_cached(
        "SELECT delivery, number, octet_length(arguments) + coalesce(octet_length(request), 0)
            + coalesce(octet_length(answer), 0)
         FROM steps WHERE delivery IN (SELECT id FROM deliveries WHERE event = ?1) LIMIT ?2",
    )?;
    let (mut rows, mut steps) = (select.query(params![event, most])?, Vec::new());
    while room.bytes.get() > 0
        && let Some(row) = rows.next()?
    {
        steps.push((row.get(0)?, row.get(1)?));
        room.bytes.set(room.bytes.get() - row.get::<_, i64>(2)?);
    }
    Ok(steps)
}
