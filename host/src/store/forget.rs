//! Forgetting a person: finding what is stored of them, and taking it away in small batches.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::operator::audit::{Deed, record};
use super::retention::empty;
use super::writer::Group;
use super::{Error, Reader, Store, memory};
use crate::event::person::{self, Person};

mod timers;

use timers::Timer;

/// Why a delivery of a forgotten person is skipped.
const REASON: &str = "the person was forgotten";
/// Rows that are searched at a time.
const SEARCHED: i64 = 500;
/// Events, or other rows, that are changed at a time.
const CHANGED: usize = 50;

/// What was, or would be, forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// The person's chats.
    pub chats: BTreeSet<String>,
    /// Events that lost their content.
    pub events: u64,
    /// Deliveries that were pending, held or dead letters, and are skipped now.
    pub deliveries: u64,
    /// Ratings.
    pub ratings: u64,
    /// What repeated webhooks of the chats were recognised by.
    pub dedupe_keys: u64,
    /// Entries of the plugins' memory.
    pub memory: u64,
    /// The plugins' timers.
    #[serde(default)]
    pub timers: u64,
}

/// What is stored of a person.
#[derive(Debug, Default)]
struct Found {
    chats: BTreeSet<String>,
    /// Events that mention them, of whichever chat.
    events: Vec<i64>,
    /// Entries of memory: plugin and key.
    memory: Vec<(String, String)>,
    timers: Vec<Timer>,
}

impl Reader {
    /// What [`Store::forget`] would do.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn would_forget(&self, person: &Person) -> Result<Forgotten, Error> {
        let connection = &self.connection;
        let mut search = Search::new(person.clone(), newest(connection)?);
        while search.go_on(connection)? {}
        Ok(count(connection, &search.found)?)
    }
}

impl Store {
    /// Takes away what is stored of a person, for `who`: the content of events, journals, logs and reasons of deliveries,
    /// ratings, what repetitions are recognised by, entries of the plugins' memory. Deliveries that have not ended
    /// well are skipped. An attempt that runs meanwhile may end.
    ///
    /// # Errors
    /// See [`Error`]. Some of it may be done then; it can be asked for again.
    pub async fn forget(&self, person: Person, who: String, now_ms: i64) -> Result<Forgotten, Error> {
        // What they were named by is what is to be forgotten: the log has neither address nor id.
        let subject = match person {
            Person::Chat(_) => "a person, by a chat",
            Person::Email(_) => "a person, by an e-mail address",
        };
        let last = self.read(newest).await?;
        let mut search = Search::new(person, last);
        loop {
            let (more, kept) =
                self.read(move |connection| search.go_on(connection).map(|more| (more, search))).await?;
            search = kept;
            if !more {
                break;
            }
        }
        self.forgotten_to.fetch_max(last, Ordering::AcqRel);
        let Found { chats, events, memory, timers } = search.found;
        let mut forgotten = Forgotten { chats, ..Forgotten::default() };
        for batch in events.chunks(CHANGED) {
            self.forget_events(batch.to_vec(), now_ms, &mut forgotten).await?;
        }
        for chat in forgotten.chats.clone() {
            self.forget_chat(&chat, last, now_ms, &mut forgotten).await?;
        }
        for batch in memory.chunks(CHANGED) {
            let batch = batch.to_vec();
            let gone = self.write(move |group| {
                securely(group, |group| {
                    let gone =
                        batch.iter().map(|(plugin, key)| memory::remove(group, plugin, key).map(u64::from));
                    gone.sum::<rusqlite::Result<u64>>()
                })
            });
            forgotten.memory += gone.await?;
        }
        forgotten.timers = self.forget_timers(&timers).await?;
        let after = json!({ "events": forgotten.events, "deliveries": forgotten.deliveries });
        let recorded = self.write(move |group| {
            let (subject, after) = (subject.to_owned(), Some(after));
            let deed = Deed { who: &who, action: "forget", subject, before: None, after };
            record(group.connection, &deed, now_ms)
        });
        recorded.await?;
        Ok(forgotten)
    }

    /// Whether what is in memory of an event may have been forgotten since.
    pub fn may_be_forgotten(&self, event: crate::event::EventId) -> bool {
        event.0 <= self.forgotten_to.load(Ordering::Acquire)
    }

    async fn forget_chat(
        &self,
        chat: &str,
        last: i64,
        now_ms: i64,
        forgotten: &mut Forgotten,
    ) -> Result<(), Error> {
        loop {
            let chat = chat.to_owned();
            let events = self.read(move |connection| {
                let mut select = connection.prepare_cached(
                    "SELECT id FROM events WHERE chat_id = ?1 AND id <= ?2 AND removed IS NOT 'forgotten'
                     ORDER BY id LIMIT ?3",
                )?;
                let rows = select.query_map(params![chat, last, CHANGED as i64], |row| row.get(0))?;
                rows.collect::<rusqlite::Result<Vec<i64>>>()
            });
            let events = events.await?;
            if events.is_empty() {
                break;
            }
            self.forget_events(events, now_ms, forgotten).await?;
        }
        let chat = chat.to_owned();
        let (ratings, keys) =
            self.write(move |group| securely(group, |group| forget_keys(group, &chat))).await?;
        forgotten.ratings += ratings;
        forgotten.dedupe_keys += keys;
        Ok(())
    }

    async fn forget_events(
        &self,
        events: Vec<i64>,
        now_ms: i64,
        forgotten: &mut Forgotten,
    ) -> Result<(), Error> {
        let work = move |group: &mut Group<'_>| {
            securely(group, |group| {
                let (mut emptied, mut skipped) = (0, 0);
                for event in events {
                    emptied += empty(group.connection, event, "forgotten")? as u64;
                    skipped += skip(group.connection, event, now_ms)?;
                }
                Ok((emptied, skipped))
            })
        };
        let (emptied, skipped) = self.write(work).await?;
        forgotten.events += emptied;
        forgotten.deliveries += skipped;
        Ok(())
    }
}

/// Does something in a way that leaves nothing of what it deletes in the file.
fn securely<T>(
    group: &mut Group<'_>,
    work: impl FnOnce(&mut Group<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let set = |group: &Group<'_>, on: bool| {
        let sql = format!("PRAGMA secure_delete = {}", if on { "ON" } else { "OFF" });
        group.connection.query_row(&sql, [], |_| Ok(()))
    };
    set(group, true)?;
    let done = work(group);
    set(group, false)?;
    done
}

/// Skips what has not ended well, and takes away what attempts said.
fn skip(connection: &Connection, event: i64, now_ms: i64) -> rusqlite::Result<u64> {
    let mut update = connection.prepare_cached(
        "UPDATE deliveries SET state = 'skipped', outcome = 'skipped', reason = ?2, log = NULL, crash = NULL,
            ended_at = ?3, set_at = ?3 WHERE event = ?1 AND state IN ('pending', 'held', 'dead')",
    )?;
    let skipped = update.execute(params![event, REASON, now_ms])?;
    let mut update = connection.prepare_cached(
        "UPDATE deliveries SET reason = NULL, log = NULL, crash = NULL WHERE event = ?1 AND reason IS NOT ?2",
    )?;
    update.execute(params![event, REASON])?;
    Ok(skipped as u64)
}

/// Removes a chat's ratings and what its webhooks are recognised by.
fn forget_keys(group: &mut Group<'_>, chat: &str) -> rusqlite::Result<(u64, u64)> {
    let ratings = group.connection.execute("DELETE FROM ratings WHERE chat_id = ?1", [chat])?;
    group.connection.execute("DELETE FROM own_events WHERE chat_id = ?1", [chat])?;
    // The keys begin with the chat's id and a space; `!` is the character behind the space.
    let keys =
        group.connection.execute("DELETE FROM dedupe WHERE key > ?1 || ' ' AND key < ?1 || '!'", [chat])?;
    Ok((ratings as u64, keys as u64))
}

fn count(connection: &Connection, found: &Found) -> rusqlite::Result<Forgotten> {
    let mut forgotten = Forgotten {
        chats: found.chats.clone(),
        memory: found.memory.len() as u64,
        timers: found.timers.len() as u64,
        ..Forgotten::default()
    };
    let of_event =
        |event: i64| {
            connection.prepare_cached(
            "SELECT count(*) FROM deliveries WHERE event = ?1 AND state IN ('pending', 'held', 'dead')",
        )?.query_row([event], |row| row.get::<_, i64>(0))
        };
    let mut events: BTreeSet<i64> = found.events.iter().copied().collect();
    for chat in &found.chats {
        let mut select = connection
            .prepare_cached("SELECT id FROM events WHERE chat_id = ?1 AND removed IS NOT 'forgotten'")?;
        let rows = select.query_map([chat], |row| row.get::<_, i64>(0))?;
        for event in rows {
            events.insert(event?);
        }
        let number = |sql: &str| connection.query_row(sql, [chat], |row| row.get::<_, i64>(0));
        forgotten.ratings += number("SELECT count(*) FROM ratings WHERE chat_id = ?1")?.unsigned_abs();
        let keys = "SELECT count(*) FROM dedupe WHERE key > ?1 || ' ' AND key < ?1 || '!'";
        forgotten.dedupe_keys += number(keys)?.unsigned_abs();
    }
    forgotten.events = events.len() as u64;
    for event in events {
        forgotten.deliveries += of_event(event)?.unsigned_abs();
    }
    Ok(forgotten)
}

fn newest(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT coalesce(max(id), 0) FROM events", [], |row| row.get(0))
}

/// A search, a few hundred rows at a time: readers are short.
struct Search {
    person: Person,
    /// Events up to here are searched.
    last: i64,
    /// Where it has come to.
    place: Place,
    found: Found,
}

enum Place {
    Events(i64),
    /// Behind this plugin and key.
    Memory(String, String),
    /// Behind this one.
    Timers(Timer),
}

impl Search {
    fn new(person: Person, last: i64) -> Search {
        let mut found = Found::default();
        let place = match &person {
            Person::Chat(chat) => {
                found.chats.insert(chat.clone());
                Place::Memory(String::new(), String::new())
            }
            Person::Email(_) => Place::Events(0),
        };
        Search { person, last, place, found }
    }

    /// Searches on; whether there is more.
    fn go_on(&mut self, connection: &Connection) -> rusqlite::Result<bool> {
        match &self.place {
            Place::Events(from) if *from < self.last => {
                let to = from.saturating_add(SEARCHED).min(self.last);
                self.events(connection, *from, to)?;
                self.place = Place::Events(to);
                Ok(true)
            }
            Place::Events(_) => {
                self.place = Place::Memory(String::new(), String::new());
                Ok(true)
            }
            Place::Memory(plugin, key) => {
                let last = self.memory(connection, &plugin.clone(), &key.clone())?;
                self.place = match last {
                    Some((plugin, key)) => Place::Memory(plugin, key),
                    None => Place::Timers(Timer::default()),
                };
                Ok(true)
            }
            Place::Timers(behind) => {
                let last = timers::search(connection, &self.person, &mut self.found, &behind.clone())?;
                let is_more = last.is_some();
                self.place = last.map_or_else(|| Place::Timers(behind.clone()), Place::Timers);
                Ok(is_more)
            }
        }
    }

    fn events(&mut self, connection: &Connection, from: i64, to: i64) -> rusqlite::Result<()> {
        let mut select = connection.prepare_cached(
            "SELECT id, chat_id, payload, extra, original FROM events
             WHERE id > ?1 AND id <= ?2 AND removed IS NULL AND (instr(lower(payload), ?3) > 0
                OR instr(lower(extra), ?3) > 0 OR instr(lower(original), ?3) > 0)",
        )?;
        let mut rows = select.query(params![from, to, self.person.term().to_ascii_lowercase()])?;
        while let Some(row) = rows.next()? {
            let (payload, extra, original): (String, String, String) =
                (row.get(2)?, row.get(3)?, row.get(4)?);
            let texts = [&payload, &extra, &original];
            if !texts.iter().any(|text| person::mentions(text.as_bytes(), self.person.term())) {
                continue;
            }
            self.found.events.push(row.get(0)?);
            if let Some(chat) = row.get::<_, Option<String>>(1)?
                && texts.iter().any(|text| self.person.is_customer_in(text))
            {
                self.found.chats.insert(chat);
            }
        }
        Ok(())
    }

    /// Searches a few entries of memory; the last one that was looked at, if there may be more.
    fn memory(
        &mut self,
        connection: &Connection,
        plugin: &str,
        key: &str,
    ) -> rusqlite::Result<Option<(String, String)>> {
        let mut select = connection.prepare_cached(
            "SELECT plugin, key, value FROM memory WHERE (plugin, key) > (?1, ?2) ORDER BY plugin, key LIMIT ?3",
        )?;
        let mut rows = select.query(params![plugin, key, SEARCHED])?;
        let terms: Vec<&str> =
            self.found.chats.iter().map(String::as_str).chain([self.person.term()]).collect();
        let mut last = None;
        while let Some(row) = rows.next()? {
            let (plugin, key, value): (String, String, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if terms
                .iter()
                .any(|term| person::mentions(key.as_bytes(), term) || person::mentions(&value, term))
            {
                self.found.memory.push((plugin.clone(), key.clone()));
            }
            last = Some((plugin, key));
        }
        Ok(last)
    }
}

#[cfg(test)]
mod tests;
