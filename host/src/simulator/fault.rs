//! What goes wrong on demand.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use super::locked;

mod chance;

pub use chance::{Chance, Hits};

use chance::Chances;

/// The operation name that means every operation of a service.
const ANY: &str = "*";

/// One way in which a service fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 429, with this `Retry-After` if there is one.
    TooManyRequests {
        /// The header's value: seconds, an HTTP date, or nonsense.
        retry_after: Option<String>,
    },
    /// 500; nothing was done.
    ErrorBeforeSaving,
    /// 500, though the request was carried out.
    ErrorAfterSaving,
    /// 500, though the request was carried out; and for this long a message that it saved is not shown to those
    /// who read the thread. (Its webhook leaves at once.)
    ErrorAfterSavingUnseen(Duration),
    /// The request was carried out, and the connection closes after a part of the reply's body.
    CutReply,
    /// The request was carried out; the reply's body comes a byte at a time, with this pause before each.
    Drip(Duration),
    /// The request was carried out; white space behind the reply's body makes it this long, in bytes.
    LongReply(usize),
    /// No reply until [`Faults::release`] or the time is over; then the request is carried out, unless the
    /// client has gone away.
    StallBeforeSaving(Option<Duration>),
    /// The request was carried out; no reply until [`Faults::release`] or the time is over.
    StallAfterSaving(Option<Duration>),
    /// 503 without doing anything.
    Down,
    /// 401, as if the credential had been revoked or had expired.
    Unauthorized,
    /// 307 to this address; nothing was done.
    Redirect(String),
    /// 421: another data centre than the one that was asked for has the account. Nothing was done.
    WrongRegion,
    /// Refused in the service's own form; nothing was done.
    Refuse {
        /// The answer's HTTP status.
        status: u16,
        /// The service's word for the error.
        error_type: String,
    },
}

impl Fault {
    /// A word for reports.
    pub fn as_str(&self) -> &'static str {
        match self {
            Fault::TooManyRequests { .. } => "429",
            Fault::ErrorBeforeSaving => "500 before saving",
            Fault::ErrorAfterSaving => "500 after saving",
            Fault::ErrorAfterSavingUnseen(_) => "500 after saving, seen later",
            Fault::CutReply => "reply cut",
            Fault::Drip(_) => "drip",
            Fault::LongReply(_) => "long reply",
            Fault::StallBeforeSaving(_) => "stall before saving",
            Fault::StallAfterSaving(_) => "stall after saving",
            Fault::Down => "503",
            Fault::Unauthorized => "401",
            Fault::Redirect(_) => "redirect",
            Fault::WrongRegion => "wrong region",
            Fault::Refuse { .. } => "refused",
        }
    }

    /// Whether a client that saw it, and that waits no longer than it lasts, can't know whether the request was
    /// carried out.
    pub fn leaves_doubt(&self) -> bool {
        match self {
            Fault::ErrorBeforeSaving
            | Fault::ErrorAfterSaving
            | Fault::ErrorAfterSavingUnseen(_)
            | Fault::CutReply
            | Fault::Drip(_)
            | Fault::LongReply(_)
            | Fault::StallBeforeSaving(_)
            | Fault::StallAfterSaving(_)
            | Fault::Down => true,
            Fault::Refuse { status, .. } => *status == 408 || *status >= 500,
            Fault::TooManyRequests { .. } | Fault::Unauthorized | Fault::Redirect(_) | Fault::WrongRegion => {
                false
            }
        }
    }
}

/// For how many requests a fault holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// The next ones, this many.
    Next(u32),
    /// All until [`Faults::clear`].
    UntilCleared,
}

/// The faults of one service, by operation. Clones share them.
#[derive(Clone, Debug)]
pub struct Faults {
    told: Arc<Mutex<Told>>,
    releases: Arc<watch::Sender<u64>>,
}

#[derive(Debug, Default)]
struct Told {
    rules: VecDeque<Rule>,
    chances: Chances,
    hits: Hits,
}

#[derive(Debug)]
struct Rule {
    operation: String,
    fault: Fault,
    times: Times,
}

impl Faults {
    pub(super) fn none() -> Faults {
        Faults { told: Arc::default(), releases: Arc::new(watch::Sender::new(0)) }
    }

    /// Makes `operation` (`send_event`, `notes.create`, `chat.postMessage` …; `*` for all) fail. Faults of
    /// one operation come one after the other, in the order in which they were set.
    pub fn set(&self, operation: &str, fault: Fault, times: Times) {
        if times == Times::Next(0) {
            return;
        }
        locked(&self.told).rules.push_back(Rule { operation: operation.to_owned(), fault, times });
    }

    /// From now on requests that nothing else hits are hit by chance, in place of earlier chances. One `seed`
    /// draws the same faults for the same operations in the same order.
    pub fn set_chances(&self, seed: u64, chances: Vec<Chance>) {
        locked(&self.told).chances = Chances::new(seed, chances);
    }

    /// What has hit so far.
    pub fn hits(&self) -> Hits {
        locked(&self.told).hits.clone()
    }

    /// Takes all faults back and releases stalled replies.
    pub fn clear(&self) {
        let mut told = locked(&self.told);
        told.rules.clear();
        told.chances = Chances::default();
        drop(told);
        self.release();
    }

    /// Lets the stalled requests of this moment go on.
    pub fn release(&self) {
        self.releases.send_modify(|count| *count += 1);
    }

    pub(super) fn take(&self, operation: &str) -> Option<Fault> {
        let mut told = locked(&self.told);
        let fault = match told.by_rule(operation) {
            Some(fault) => fault,
            None => told.chances.draw(operation)?,
        };
        told.hits.add(operation, &fault);
        Some(fault)
    }

    /// The next release after now: to be asked for before anybody can learn that a request has arrived.
    pub(super) fn next_release(&self) -> Release {
        Release(self.releases.subscribe())
    }
}

impl Told {
    fn by_rule(&mut self, operation: &str) -> Option<Fault> {
        let rules = &mut self.rules;
        let place = rules.iter().position(|rule| rule.operation == operation || rule.operation == ANY)?;
        let rule = &mut rules[place];
        let fault = rule.fault.clone();
        match &mut rule.times {
            Times::UntilCleared => {}
            Times::Next(left) if *left > 1 => *left -= 1,
            Times::Next(_) => drop(rules.remove(place)),
        }
        Some(fault)
    }
}

/// A release to come.
pub(super) struct Release(watch::Receiver<u64>);

impl Release {
    /// Returns at the release, or when the time is over.
    pub(super) async fn wait(mut self, at_most: Option<Duration>) {
        let released = async { self.0.changed().await.is_ok() };
        match at_most {
            Some(limit) => drop(tokio::time::timeout(limit, released).await),
            None => drop(released.await),
        }
    }
}
