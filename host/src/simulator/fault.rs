//! What goes wrong on demand.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use super::locked;

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
    /// The request was carried out, and the connection closes after a part of the reply's body.
    CutReply,
    /// No reply until [`Faults::release`] or the time is over; then the request is carried out, unless the
    /// client has gone away.
    StallBeforeSaving(Option<Duration>),
    /// The request was carried out; no reply until [`Faults::release`] or the time is over.
    StallAfterSaving(Option<Duration>),
    /// 503 without doing anything.
    Down,
    /// 401, as if the credential had been revoked.
    Unauthorized,
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
    rules: Arc<Mutex<VecDeque<Rule>>>,
    releases: Arc<watch::Sender<u64>>,
}

#[derive(Debug)]
struct Rule {
    operation: String,
    fault: Fault,
    times: Times,
}

impl Faults {
    pub(super) fn none() -> Faults {
        Faults { rules: Arc::default(), releases: Arc::new(watch::Sender::new(0)) }
    }

    /// Makes `operation` (`send_event`, `notes.create`, `chat.postMessage` …; `*` for all) fail. Faults of
    /// one operation come one after the other, in the order in which they were set.
    pub fn set(&self, operation: &str, fault: Fault, times: Times) {
        if times == Times::Next(0) {
            return;
        }
        locked(&self.rules).push_back(Rule { operation: operation.to_owned(), fault, times });
    }

    /// Takes all faults back and releases stalled replies.
    pub fn clear(&self) {
        locked(&self.rules).clear();
        self.release();
    }

    /// Lets the stalled requests of this moment go on.
    pub fn release(&self) {
        self.releases.send_modify(|count| *count += 1);
    }

    pub(super) fn take(&self, operation: &str) -> Option<Fault> {
        let mut rules = locked(&self.rules);
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

    /// The next release after now: to be asked for before anybody can learn that a request has arrived.
    pub(super) fn next_release(&self) -> Release {
        Release(self.releases.subscribe())
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
