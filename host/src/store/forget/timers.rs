//! Forgetting a person: the timers that belong to their chats or tell of them.

use rusqlite::{Connection, params};

use super::super::{Error, Store, timers};
use super::UnderWay;
use super::search::{Found, SEARCHED};
use crate::event::person;

/// A timer: plugin, chat and key.
pub(super) type Timer = (String, String, String);

impl Store {
    /// Takes timers away.
    pub(super) async fn forget_timers(&self, all: &[Timer], under_way: &mut UnderWay) -> Result<(), Error> {
        under_way.done.timers += self
            .remove_each(
                all,
                |group, (plugin, chat, key)| timers::remove(group, plugin, chat, key),
                under_way,
            )
            .await?;
        Ok(())
    }
}

/// Searches a few timers behind one; the last one that was looked at, if there may be more.
pub(super) fn search(
    connection: &Connection,
    terms: &[String],
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
        let is_theirs = found.chats.contains(&timer.1)
            || terms.iter().any(|term| tells_of(term))
            || found.chats.iter().any(|chat| tells_of(chat));
        if is_theirs {
            found.timers.push(timer.clone());
        }
        last = Some(timer);
    }
    Ok(last)
}
