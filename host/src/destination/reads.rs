//! Shared reads: where several plugins ask for the same chat, LiveChat is asked once.
//!
//! An answer serves a second reader only if it was asked for after that reader's event was accepted, no action
//! on the chat began or ended since, it is fresh, and the reader has not had it before (who looks twice wants to
//! know what has changed).

use std::collections::VecDeque;

/// How long an answer is shared, milliseconds after it was asked for.
pub const FRESH_MS: i64 = 5_000;
/// So many reads are kept.
pub const READS_MAX: usize = 256;
/// And so many bytes of answers.
pub const BYTES_MAX: usize = 16 << 20;
/// So many readers are remembered for a read; after that it is not shared any more.
pub const READERS_MAX: usize = 64;

/// What is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The chat.
    pub chat_id: String,
    /// One of its threads; by default the newest.
    pub thread_id: Option<String>,
}

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reader {
    /// The delivery.
    pub delivery: i64,
    /// When its event was accepted, milliseconds since 1970.
    pub accepted_at_ms: i64,
}

/// The number of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadId(u64);

/// Reads under way and answers, each with what leads to it.
#[derive(Debug)]
pub struct Reads<T> {
    /// The oldest first.
    entries: VecDeque<Entry<T>>,
    next: u64,
}

#[derive(Debug)]
struct Entry<T> {
    id: ReadId,
    read: Read,
    asked_at_ms: i64,
    readers: Vec<i64>,
    bytes: usize,
    answer: T,
}

impl<T: Clone> Reads<T> {
    /// What leads to an answer that `reader` may have; it has had it then.
    pub fn find(&mut self, read: &Read, reader: Reader, now_ms: i64) -> Option<T> {
        self.sweep(now_ms);
        // The newest first: the others are as old or older.
        let entry = self.entries.iter_mut().rev().find(|entry| entry.read == *read)?;
        let serves = entry.asked_at_ms > reader.accepted_at_ms
            && entry.readers.len() < READERS_MAX
            && !entry.readers.contains(&reader.delivery);
        if !serves {
            return None;
        }
        entry.readers.push(reader.delivery);
        Some(entry.answer.clone())
    }

    /// How many are remembered.
    #[allow(clippy::len_without_is_empty, reason = "it is a figure to be shown")]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The number of a read that is going to begin.
    pub fn next_id(&mut self) -> ReadId {
        self.next += 1;
        ReadId(self.next)
    }

    /// A read begins: `answer` leads to what will come.
    pub fn begin(&mut self, id: ReadId, read: Read, reader: Reader, now_ms: i64, answer: T) {
        self.sweep(now_ms);
        self.entries.retain(|entry| entry.read != read);
        if self.entries.len() >= READS_MAX {
            self.entries.pop_front();
        }
        let readers = vec![reader.delivery];
        self.entries.push_back(Entry { id, read, asked_at_ms: now_ms, readers, bytes: 0, answer });
    }

    /// The answer has come and takes so many bytes. Others make room for it.
    pub fn keep(&mut self, id: ReadId, bytes: usize) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.id == id) {
            entry.bytes = bytes;
        }
        while self.entries.iter().map(|entry| entry.bytes).sum::<usize>() > BYTES_MAX {
            self.entries.pop_front();
        }
    }

    /// The read failed: nobody else shares it.
    pub fn forget(&mut self, id: ReadId) {
        self.entries.retain(|entry| entry.id != id);
    }

    /// An action on a chat begins or ends.
    pub fn end(&mut self, chat_id: &str) {
        self.entries.retain(|entry| entry.read.chat_id != chat_id);
    }

    /// Removes what is not fresh any more, and what a clock that was put back lets look new.
    pub fn sweep(&mut self, now_ms: i64) {
        self.entries.retain(|entry| (0..FRESH_MS).contains(&(now_ms - entry.asked_at_ms)));
    }
}

impl<T> Default for Reads<T> {
    fn default() -> Reads<T> {
        Reads { entries: VecDeque::new(), next: 0 }
    }
}
