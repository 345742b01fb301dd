//! The chats that our user has joined for a note.

use rusqlite::params;

use super::{Error as StoreError, Store};
use crate::action::livechat::{Visit, Visits};
use crate::action::{BoxFuture, Code, Error};

/// Visits that are read at once.
const OPEN_MAX: i64 = 200;

impl Visits for Store {
    fn begin<'a>(&'a self, visit: &'a Visit) -> BoxFuture<'a, Result<(), Error>> {
        self.change(
            "INSERT INTO visits (chat_id, agent_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            visit.clone(),
        )
    }

    fn end<'a>(&'a self, visit: &'a Visit) -> BoxFuture<'a, Result<(), Error>> {
        self.change("DELETE FROM visits WHERE chat_id = ?1 AND agent_id = ?2", visit.clone())
    }

    fn open(&self) -> BoxFuture<'_, Result<Vec<Visit>, Error>> {
        Box::pin(async move {
            let visits = self.read(|connection| {
                // In any order: those that can't be ended must not keep the others from being tried.
                let mut select =
                    connection.prepare("SELECT chat_id, agent_id FROM visits ORDER BY random() LIMIT ?1")?;
                let rows = select
                    .query_map([OPEN_MAX], |row| Ok(Visit { chat_id: row.get(0)?, agent_id: row.get(1)? }))?;
                rows.collect()
            });
            visits.await.map_err(|error| unavailable(&error))
        })
    }

    fn is_open<'a>(&'a self, visit: &'a Visit) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            let Visit { chat_id, agent_id } = visit.clone();
            let is_open = self.read(move |connection| {
                let mut select =
                    connection.prepare("SELECT 1 FROM visits WHERE chat_id = ?1 AND agent_id = ?2")?;
                select.exists(params![chat_id, agent_id])
            });
            is_open.await.map_err(|error| unavailable(&error))
        })
    }
}

impl Store {
    fn change(&self, sql: &'static str, visit: Visit) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            let changed = self.write(move |group| {
                let mut change = group.connection.prepare_cached(sql)?;
                change.execute(params![visit.chat_id, visit.agent_id]).map(|_| ())
            });
            changed.await.map_err(|error| unavailable(&error))
        })
    }
}

fn unavailable(error: &StoreError) -> Error {
    Error::new(Code::Unavailable, format!("a visit to a chat could not be recorded: {error}"))
}
