//! Forgetting a person: the timers that belong to their chats or tell of them.

use rusqlite::{Connection, params};

use super::super::writer::Group;
use super::super::{Error, Store, timers};
use super::{CHANGED, Found, SEARCHED, securely};
use crate::event::person::{self, Person};

/// A timer: plugin, chat and key.
pub(super) type Timer = (String, String, String);

impl Store {
    /// Takes timers away; answers how many there were.
    pub(super) async fn forget_timers(&self, all: &[Timer]) -> Result<u64, Error> {
        let mut gone = 0;
        for batch in all.chunks(CHANGED) {
            let batch = batch.to_vec();
            let work = move |group: &mut Group<'_>| {
                securely(group, |group| {
                    let each =
                        |(plugin, chat, key): &Timer| timers::remove(group, plugin, chat, key).map(u64::from);
                    batch.iter().map(each).sum::<rusqlite::Result<u64>>()
                })
            };
            gone += self.write(work).await?;
        }
        Ok(gone)
    }
}

/// Searches a few timers behind one; the last one that was looked at, if there may be more.
pub(super) fn search(
    connection: &Connection,
    person: &Person,
    found: &mut Found,
    (plugin, chat, key): &Timer,
) -> rusqlite::Result<Option<Timer>> {
    let mut select = connection.prepare_cached(
        "SELECT plugin, chat, key, payload FROM timers WHERE (plugin, chat, key) > (?1, ?2, ?3)
         ORDER BY plugin, chat, key LIMIT ?4",
    )?;
    let mut rows = select.query(params![plugin, chat, key, SEARCHED])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let timer: Timer = (row.get(0)?, row.get(1)?, row.get(2)?);
        let payload: String = row.get(3)?;
        let tells_of = |term: &str| {
            person::mentions(timer.2.as_bytes(), term) || person::mentions(payload.as_bytes(), term)
        };
        if found.chats.contains(&timer.1)
            || tells_of(person.term())
            || found.chats.iter().any(|chat| tells_of(chat))
        {
            found.timers.push(timer.clone());
        }
        last = Some(timer);
    }
    Ok(last)
}
