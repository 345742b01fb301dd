//! Forgetting a person: finding what is stored of them, and taking it away in small batches.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Instant;

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::batch::BatchSize;
use super::operator::DeedOfOperator;
use super::retention::journals::{Room, shorten};
use super::retention::take_content;
use super::writer::Group;
use super::{Error, Reader, Store, memory};
use crate::event::person::Person;

mod files;
mod search;

use search::{Found, Search};

mod timers;

/// Why a delivery of a forgotten person is skipped.
const REASON: &str = "the person was forgotten";

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
    /// Versions of files that plugins published.
    #[serde(default)]
    pub files: u64,
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
    /// ratings, what repetitions are recognised by, entries of the plugins' memory, timers, versions of published files. Deliveries that have not ended
    /// well are skipped. An attempt that runs meanwhile may end. It may take minutes; each commit takes a few
    /// milliseconds.
    ///
    /// # Errors
    /// See [`Error`]. Some of it may be done then; it can be asked for again.
    pub async fn forget(&self, person: Person, who: String, now_ms: i64) -> Result<Forgotten, Error> {
        // What they were named by is what is to be forgotten: the log has neither address nor id.
        let subject = match person {
            Person::Chat(_) => "a person, by a chat",
            Person::Email(_) => "a person, by an e-mail address",
        };
        // First of all: whatever becomes of it, it is known that somebody asked for it.
        self.note_deed(deed(&who, "forget.begun", subject, None), now_ms).await?;
        let last = self.read(newest).await?;
        let Found { chats, events, memory, timers, files } = self.search(person, last).await?;
        self.forgotten_to.fetch_max(last, Ordering::AcqRel);
        let mut under_way = UnderWay {
            last,
            now_ms,
            size: BatchSize::default(),
            done: Forgotten { chats, ..Forgotten::default() },
        };
        self.forget_events(events.into_iter().collect(), &mut under_way).await?;
        for chat in under_way.done.chats.clone() {
            self.forget_chat(&chat, &mut under_way).await?;
        }
        self.forget_memory(memory, &mut under_way).await?;
        self.forget_timers(&timers, &mut under_way).await?;
        self.forget_files(&files, &mut under_way).await?;
        if !self.begin_log_anew().await? {
            tracing::warn!(
                "what was forgotten may stand in the log beside the store until nobody reads it: is another program reading it?"
            );
        }
        let done = under_way.done;
        let after = json!({ "events": done.events, "deliveries": done.deliveries });
        self.note_deed(deed(&who, "forget", subject, Some(after)), self.clock.now_ms()).await?;
        Ok(done)
    }

    async fn search(&self, person: Person, last: i64) -> Result<Found, Error> {
        let mut search = Search::new(person, last);
        loop {
            let (more, kept) =
                self.read(move |connection| search.go_on(connection).map(|more| (more, search))).await?;
            search = kept;
            if !more {
                return Ok(search.found);
            }
        }
    }

    /// Whether what is in memory of an event may have been forgotten since.
    pub fn may_be_forgotten(&self, event: crate::event::EventId) -> bool {
        event.0 <= self.forgotten_to.load(Ordering::Acquire)
    }

    async fn forget_chat(&self, chat: &str, under_way: &mut UnderWay) -> Result<(), Error> {
        loop {
            let (chat, last, limit) = (chat.to_owned(), under_way.last, under_way.size.rows());
            let events = self.read(move |connection| {
                let mut select = connection.prepare_cached(
                    "SELECT id FROM events WHERE chat_id = ?1 AND id <= ?2 AND removed IS NOT 'forgotten'
                     ORDER BY id LIMIT ?3",
                )?;
                let rows = select.query_map(params![chat, last, limit], |row| row.get(0))?;
                rows.collect::<rusqlite::Result<Vec<i64>>>()
            });
            let events = events.await?;
            if events.is_empty() {
                break;
            }
            self.forget_events(events, under_way).await?;
        }
        loop {
            let (chat, limit) = (chat.to_owned(), under_way.size.rows());
            let work = move |group: &mut Group<'_>| forget_keys(group, &chat, limit);
            let gone = self.write_securely(work, under_way).await?;
            under_way.done.ratings += gone.ratings;
            under_way.done.dedupe_keys += gone.keys;
            if gone.is_all {
                return Ok(());
            }
        }
    }

    /// Forgets some of them in each commit; one with a long journal takes several.
    async fn forget_events(&self, events: Vec<i64>, under_way: &mut UnderWay) -> Result<(), Error> {
        let (now_ms, mut rest) = (under_way.now_ms, events);
        while !rest.is_empty() {
            let size = under_way.size;
            let work = move |group: &mut Group<'_>| {
                let (room, mut through) = (Room::new(size), 0);
                let (mut emptied, mut skipped) = (0, 0);
                while through < rest.len() && !room.is_full() {
                    let event = rest[through];
                    skipped += skip(group.connection, event, now_ms)?;
                    let is_through = shorten(group.connection, event, &room)?;
                    // It can't be replayed from now on. It is called forgotten only when nothing is left of it: whoever
                    // asks again after a crash finds the rest.
                    let why = if is_through { "forgotten" } else { "retention" };
                    let taken = take_content(group.connection, event, why)? as u64;
                    if !is_through {
                        break;
                    }
                    emptied += taken;
                    through += 1;
                }
                rest.drain(..through);
                Ok((emptied, skipped, rest))
            };
            let (emptied, skipped, left) = self.write_securely(work, under_way).await?;
            rest = left;
            under_way.done.events += emptied;
            under_way.done.deliveries += skipped;
        }
        Ok(())
    }

    async fn forget_memory(
        &self,
        entries: Vec<(String, String)>,
        under_way: &mut UnderWay,
    ) -> Result<(), Error> {
        let remove = |group: &Group<'_>, (plugin, key): &(String, String)| memory::remove(group, plugin, key);
        under_way.done.memory += self.remove_each(&entries, remove, under_way).await?;
        Ok(())
    }

    /// Removes what was found, some in each commit; answers how many of them there still were.
    async fn remove_each<T: Clone + Send + Sync + 'static>(
        &self,
        all: &[T],
        remove: fn(&Group<'_>, &T) -> rusqlite::Result<bool>,
        under_way: &mut UnderWay,
    ) -> Result<u64, Error> {
        let (mut rest, mut removed) = (all, 0);
        while !rest.is_empty() {
            let batch = rest[..rest.len().min(under_way.size.rows() as usize)].to_vec();
            let time = under_way.size.time();
            let work = move |group: &mut Group<'_>| {
                let mut removed = 0;
                let through = time.each(&batch, |one| {
                    removed += u64::from(remove(group, one)?);
                    Ok(())
                });
                Ok((through?, removed))
            };
            let (through, gone) = self.write_securely(work, under_way).await?;
            rest = &rest[through..];
            removed += gone;
        }
        Ok(removed)
    }

    /// Does a part of it in a commit of its own, and learns from how long it took how much to do at a time.
    async fn write_securely<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Group<'_>) -> rusqlite::Result<T> + Send + 'static,
        under_way: &mut UnderWay,
    ) -> Result<T, Error> {
        let work = move |group: &mut Group<'_>| {
            let began = Instant::now();
            Ok((securely(group, work)?, began.elapsed()))
        };
        let (done, took) = self.write(work).await?;
        under_way.size.learn(took);
        Ok(done)
    }
}

/// Somebody is being forgotten.
struct UnderWay {
    /// The newest event of which anything is looked for.
    last: i64,
    now_ms: i64,
    size: BatchSize,
    /// What was done until now.
    done: Forgotten,
}

fn deed(who: &str, action: &'static str, subject: &str, after: Option<Value>) -> DeedOfOperator {
    DeedOfOperator { who: who.to_owned(), action, subject: subject.to_owned(), before: None, after }
}

/// Does something in a way that leaves nothing of what it deletes in the file.
fn securely<T>(
    group: &mut Group<'_>,
    work: impl FnOnce(&mut Group<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let set = |group: &Group<'_>, on: bool| {
        let sql = format!("PRAGMA secure_delete = {}", if on { "ON" } else { "FAST" });
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

/// What is gone of a chat's keys.
struct Gone {
    ratings: u64,
    keys: u64,
    is_all: bool,
}

/// Removes a chat's ratings and what its webhooks are recognised by, of each at most `limit`.
fn forget_keys(group: &mut Group<'_>, chat: &str, limit: u32) -> rusqlite::Result<Gone> {
    let remove = |sql: &str| group.connection.prepare_cached(sql)?.execute(params![chat, limit]);
    let ratings = remove(
        "DELETE FROM ratings WHERE chat_id = ?1 AND thread_id IN
            (SELECT thread_id FROM ratings WHERE chat_id = ?1 LIMIT ?2)",
    )?;
    let own = remove(
        "DELETE FROM own_events WHERE chat_id = ?1 AND mark IN
            (SELECT mark FROM own_events WHERE chat_id = ?1 LIMIT ?2)",
    )?;
    // The keys begin with the chat's id and a space; `!` is the character behind the space.
    let keys = remove(
        "DELETE FROM dedupe WHERE key IN
            (SELECT key FROM dedupe WHERE key > ?1 || ' ' AND key < ?1 || '!' LIMIT ?2)",
    )?;
    let is_all = [ratings, own, keys].iter().all(|gone| *gone < limit as usize);
    Ok(Gone { ratings: ratings as u64, keys: keys as u64, is_all })
}

fn count(connection: &Connection, found: &Found) -> rusqlite::Result<Forgotten> {
    let mut forgotten = Forgotten {
        chats: found.chats.clone(),
        memory: found.memory.len() as u64,
        timers: found.timers.len() as u64,
        files: found.files.len() as u64,
        ..Forgotten::default()
    };
    let of_event =
        |event: i64| {
            connection.prepare_cached(
            "SELECT count(*) FROM deliveries WHERE event = ?1 AND state IN ('pending', 'held', 'dead')",
        )?.query_row([event], |row| row.get::<_, i64>(0))
        };
    let mut events = found.events.clone();
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

#[cfg(test)]
mod tests;
