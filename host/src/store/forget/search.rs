//! Finding what is stored of a person, a few hundred rows at a time: readers are short.

use std::collections::BTreeSet;

use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension, params};

use super::files;
use super::timers::{self, Timer};
use crate::action::Outgoing;
use crate::event::person::{self, Person};
use crate::journal::Answer;

/// Rows that are searched at a time.
pub(super) const SEARCHED: i64 = 500;

/// What is stored of a person.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Never the empty id: timers that belong to no chat have that.
    pub(super) chats: BTreeSet<String>,
    /// Events that mention them, or with deliveries that do, of whichever chat.
    pub(super) events: BTreeSet<i64>,
    /// Entries of memory: plugin and key.
    pub(super) memory: Vec<(String, String)>,
    pub(super) timers: Vec<Timer>,
    /// Versions of published files.
    pub(super) files: Vec<i64>,
}

impl Found {
    fn add_chat(&mut self, chat: String) {
        if !chat.is_empty() {
            self.chats.insert(chat);
        }
    }
}

/// A search that goes on from where it has come to.
pub(super) struct Search {
    person: Person,
    /// What is searched for.
    terms: Vec<String>,
    /// Events, and their deliveries, up to here are searched.
    last: i64,
    place: Place,
    pub(super) found: Found,
}

/// Where a search has come to; it goes through the tables in this order.
enum Place {
    Begin,
    Events(i64),
    /// Behind this delivery.
    Deliveries(i64),
    /// Behind this step of a delivery.
    Steps(i64, i64),
    /// Behind this plugin and key.
    Memory(String, String),
    /// Behind this timer.
    Timers(Timer),
    /// Behind this version of a file.
    Files(i64),
}

impl Search {
    pub(super) fn new(person: Person, last: i64) -> Search {
        let mut found = Found::default();
        if let Person::Chat(chat) = &person {
            found.add_chat(chat.clone());
        }
        Search { terms: person.terms(), person, last, place: Place::Begin, found }
    }

    /// Searches on; whether there is more.
    pub(super) fn go_on(&mut self, connection: &Connection) -> rusqlite::Result<bool> {
        self.place = match &self.place {
            Place::Begin => match self.is_certain(connection)? {
                true => Place::Events(0),
                false => Place::Memory(String::new(), String::new()),
            },
            Place::Events(from) if *from < self.last => {
                let (from, to) = (*from, from.saturating_add(SEARCHED).min(self.last));
                self.events(connection, from, to)?;
                Place::Events(to)
            }
            Place::Events(_) => Place::Deliveries(0),
            Place::Deliveries(from) => match self.deliveries(connection, *from)? {
                Some(last) => Place::Deliveries(last),
                None => Place::Steps(0, -1),
            },
            Place::Steps(delivery, number) => match self.steps(connection, (*delivery, *number))? {
                Some((delivery, number)) => Place::Steps(delivery, number),
                None => Place::Memory(String::new(), String::new()),
            },
            Place::Memory(plugin, key) => match self.memory(connection, &plugin.clone(), &key.clone())? {
                Some((plugin, key)) => Place::Memory(plugin, key),
                None => Place::Timers(Timer::default()),
            },
            Place::Timers(behind) => {
                match timers::search(connection, &self.terms, &mut self.found, &behind.clone())? {
                    Some(last) => Place::Timers(last),
                    None => Place::Files(0),
                }
            }
            Place::Files(behind) => match files::search(connection, &self.terms, &mut self.found, *behind)? {
                Some(last) => Place::Files(last),
                None => return Ok(false),
            },
        };
        Ok(true)
    }

    /// Whether events that mention the person may go. Of a word that somebody takes for the id of a chat they may not.
    fn is_certain(&self, connection: &Connection) -> rusqlite::Result<bool> {
        match &self.person {
            person if person.is_unmistakable() => Ok(true),
            Person::Chat(id) if !id.is_empty() => connection
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM events WHERE chat_id = ?1)")?
                .query_row([id], |row| row.get(0)),
            _ => Ok(false),
        }
    }

    fn events(&mut self, connection: &Connection, from: i64, to: i64) -> rusqlite::Result<()> {
        let mut select = connection.prepare_cached(&format!(
            "SELECT id, chat_id, payload, extra, original FROM events
             WHERE id > ?1 AND id <= ?2 AND removed IS NULL AND ({})",
            self.any_of(&["payload", "extra", "original"])
        ))?;
        let mut rows = select.query(&self.values(&[&from, &to])[..])?;
        while let Some(row) = rows.next()? {
            let (payload, extra, original): (String, String, String) =
                (row.get(2)?, row.get(3)?, row.get(4)?);
            let texts = [&payload, &extra, &original];
            if !texts.iter().any(|text| self.is_in(text.as_bytes())) {
                continue;
            }
            self.found.events.insert(row.get(0)?);
            if let Some(chat) = row.get::<_, Option<String>>(1)?
                && texts.iter().any(|text| self.person.is_customer_in(text))
            {
                self.found.add_chat(chat);
            }
        }
        Ok(())
    }

    /// Searches what is recorded of a few deliveries; the last one that was looked at, if there may be more.
    fn deliveries(&mut self, connection: &Connection, from: i64) -> rusqlite::Result<Option<i64>> {
        let mut select = connection.prepare_cached(&format!(
            "SELECT id, event, iif({}, json_array(reason, log, crash), NULL)
             FROM deliveries WHERE id > ?1 ORDER BY id LIMIT ?2",
            self.any_of(&["reason", "log", "crash"])
        ))?;
        let mut rows = select.query(&self.values(&[&from, &SEARCHED])[..])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            last = Some(row.get(0)?);
            let event = row.get(1)?;
            let texts: Option<String> = row.get(2)?;
            if event <= self.last && texts.is_some_and(|texts| self.is_in(texts.as_bytes())) {
                self.found.events.insert(event);
            }
        }
        Ok(last)
    }

    /// Searches a few recorded calls; the last one that was looked at, if there may be more.
    fn steps(&mut self, connection: &Connection, from: (i64, i64)) -> rusqlite::Result<Option<(i64, i64)>> {
        // Bytes that are no text stand in base64: those are looked into.
        let mut select = connection.prepare_cached(&format!(
            "SELECT delivery, number, {} OR instr(answer, '\"base64\":') > 0 OR instr(request, '\"base64\":') > 0
             FROM steps WHERE (delivery, number) > (?1, ?2) ORDER BY delivery, number LIMIT {SEARCHED}",
            self.any_of(&["answer", "request", "about", "once"])
        ))?;
        let mut rows = select.query(&self.values(&[&from.0, &from.1])[..])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let step = (row.get(0)?, row.get(1)?);
            last = Some(step);
            if row.get::<_, Option<bool>>(2)? == Some(true) {
                self.step(connection, step)?;
            }
        }
        Ok(last)
    }

    fn step(&mut self, connection: &Connection, (delivery, number): (i64, i64)) -> rusqlite::Result<()> {
        let mut select = connection.prepare_cached(
            "SELECT event, chat_id, answer, request, coalesce(about, '') || ' ' || coalesce(once, '')
             FROM steps JOIN deliveries ON deliveries.id = delivery JOIN events ON events.id = event
             WHERE delivery = ?1 AND number = ?2",
        )?;
        type Columns = (i64, Option<String>, Option<String>, Option<String>, String);
        let found: Option<Columns> = select
            .query_row(params![delivery, number], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
            })
            .optional()?;
        let Some((event, chat, answer, request, named)) = found else { return Ok(()) };
        let (answer, request) = (answer.unwrap_or_default(), request.unwrap_or_default());
        let answered = answered(&answer);
        let texts = [answer.as_bytes(), &answered, request.as_bytes(), &sent(&request), named.as_bytes()];
        if event > self.last || !texts.iter().any(|text| self.is_in(text)) {
            return Ok(());
        }
        self.found.events.insert(event);
        if let (Some(chat), Ok(answered)) = (chat, std::str::from_utf8(&answered))
            && self.person.is_customer_of(&chat, answered)
        {
            self.found.add_chat(chat);
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
        let chats = self.found.chats.iter().map(String::as_str);
        let terms: Vec<&str> = chats.chain(self.terms.iter().map(String::as_str)).collect();
        let mut last = None;
        while let Some(row) = rows.next()? {
            let (plugin, key, value): (String, String, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let is_in = |term| person::mentions(key.as_bytes(), term) || person::mentions(&value, term);
            if terms.iter().any(|term| is_in(term)) {
                self.found.memory.push((plugin.clone(), key.clone()));
            }
            last = Some((plugin, key));
        }
        Ok(last)
    }

    fn is_in(&self, text: &[u8]) -> bool {
        self.terms.iter().any(|term| person::mentions(text, term))
    }

    /// The condition that a term stands in one of these columns. The terms are the parameters behind the second.
    fn any_of(&self, columns: &[&str]) -> String {
        let of_column = |column: &&str| {
            let found = (3..3 + self.terms.len())
                .map(|parameter| format!("instr(lower(coalesce({column}, '')), ?{parameter}) > 0"));
            found.collect::<Vec<_>>().join(" OR ")
        };
        format!("({})", columns.iter().map(of_column).collect::<Vec<_>>().join(" OR "))
    }

    /// The parameters of a query: two, and the terms.
    fn values<'a>(&'a self, first: &[&'a dyn ToSql; 2]) -> Vec<&'a dyn ToSql> {
        let terms = self.terms.iter().map(|term| term as &dyn ToSql);
        first.iter().copied().chain(terms).collect()
    }
}

/// What a service answered, without the journal's own words around it.
fn answered(answer: &str) -> Vec<u8> {
    match Answer::from_json(answer) {
        Ok(Answer::Text(text)) => text.into_bytes(),
        Ok(Answer::Http(response)) => response.body,
        Ok(Answer::Value(Some(value))) => value.0,
        _ => Vec::new(),
    }
}

/// The body that was sent to a connection.
fn sent(request: &str) -> Vec<u8> {
    match Outgoing::from_json(request) {
        Ok(Outgoing::Http(request)) => request.body.unwrap_or_default(),
        _ => Vec::new(),
    }
}
