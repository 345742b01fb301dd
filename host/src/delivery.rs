//! A delivery: one event for one plugin. Its states, and what follows from the outcome of an attempt.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub mod crash;
pub mod doubt;
pub mod doubts;
pub mod progress;
pub mod suspect;
pub mod uptime;

pub use uptime::Uptime;

/// The number of a delivery; shown as `dl-42`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeliveryId(pub i64);

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dl-{}", self.0)
    }
}

impl FromStr for DeliveryId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_prefix("dl-").unwrap_or(text);
        number
            .parse()
            .map(DeliveryId)
            .map_err(|_| format!("`{text}` is not a delivery id; ids look like dl-42"))
    }
}

impl From<DeliveryId> for String {
    fn from(id: DeliveryId) -> String {
        id.to_string()
    }
}

impl TryFrom<String> for DeliveryId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Where a delivery stands. A running one is `Pending` in the store: only the process that runs it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Waits for its first attempt or the next one.
    Pending,
    /// It is in doubt whether one of its actions took place, and only the operator can say.
    Held,
    /// The plugin handled the event.
    Succeeded,
    /// Never to be run: the reason is recorded.
    Skipped,
    /// Given up: the reason is recorded, and the event stays.
    Dead,
}

impl State {
    /// The word used in the store and in listings.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Held => "held",
            State::Succeeded => "succeeded",
            State::Skipped => "skipped",
            State::Dead => "dead",
        }
    }
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The plugin returned `ok`.
    Handled,
    /// The plugin asks to be run again, and why.
    Retry(String),
    /// The plugin says that no later attempt will help, and why.
    Reject(String),
    /// The component trapped; the text is the panic message or the trap.
    Trapped(String),
    /// A limit was hit; the text names it, its value and the setting that raises it.
    OutOf(Resource, String),
    /// The plugin did too much in one chat within a minute; the text names the limit and its setting.
    Fuse(String),
    /// It is not known whether an action of the run took place: spends no attempt, and is settled before the next
    /// run.
    InDoubt(String),
    /// What the run wanted can't be had or known right now, for no fault of the plugin's: spends no attempt.
    Suspended {
        /// Why.
        reason: String,
        /// Not to be run before this is over.
        wait: Duration,
        /// Whether it is the host that can't go on: it's stopping, or its store or its pool of instances is full. That
        /// says nothing of the event, and ends no delivery.
        by_host: bool,
    },
}

/// What an attempt can run out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is a row of `limits::Limits`")]
pub enum Resource {
    Cpu,
    Time,
    Memory,
    Calls,
    Journal,
}

impl Outcome {
    /// The word used in the store, in listings and in metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Outcome::Handled => "handled",
            Outcome::Retry(_) => "retry",
            Outcome::Reject(_) => "reject",
            Outcome::Trapped(_) => "trapped",
            Outcome::OutOf(Resource::Cpu, _) => "out of CPU",
            Outcome::OutOf(Resource::Time, _) => "out of time",
            Outcome::OutOf(Resource::Memory, _) => "out of memory",
            Outcome::OutOf(Resource::Calls, _) => "out of calls",
            Outcome::Fuse(_) => "fuse",
            Outcome::OutOf(Resource::Journal, _) => "out of journal",
            Outcome::InDoubt(_) => "in doubt",
            Outcome::Suspended { .. } => "suspended",
        }
    }

    /// Why, for people; empty where there is nothing to say.
    pub fn reason(&self) -> &str {
        match self {
            Outcome::Handled => "",
            Outcome::Retry(reason)
            | Outcome::Reject(reason)
            | Outcome::Trapped(reason)
            | Outcome::OutOf(_, reason)
            | Outcome::Fuse(reason)
            | Outcome::InDoubt(reason)
            | Outcome::Suspended { reason, .. } => reason,
        }
    }
}

/// What a delivery has behind it when an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// Attempts spent, the one that just ended included if it was.
    pub attempts: u32,
    /// Of these, how many trapped or ran out of something, the one that just ended included.
    pub crashes: u32,
    /// Whether it ran before, in whatever way that ended.
    pub ran_before: bool,
    /// How long the host was up since the event was accepted.
    pub age: Duration,
    /// The longest wait that a service asked for in the attempt that just ended; zero if none did.
    pub asked_wait: Duration,
}

/// What follows from an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Done.
    Succeeded,
    /// Another attempt after this long.
    Again(Duration),
    /// Given up, and why.
    Dead(String),
}

/// Retries end when the event is this old.
pub const RETRY_WINDOW: Duration = Duration::from_secs(24 * 3600);
/// Attempts that may trap or exceed a limit.
pub const CRASHES_MAX: u32 = 3;
const DELAY_FIRST: Duration = Duration::from_secs(1);
const DELAY_MAX: Duration = Duration::from_secs(15 * 60);

/// Decides what follows. `jitter` is a random number from 0 to 1 (full jitter: the delay lies anywhere
/// between nothing and its cap, so that deliveries that failed together don't return together).
pub fn after(outcome: &Outcome, history: History, jitter: f64) -> Next {
    match outcome {
        Outcome::Handled => Next::Succeeded,
        Outcome::Reject(reason) => Next::Dead(format!("rejected by the plugin: {reason}")),
        Outcome::Fuse(reason) => Next::Dead(reason.clone()),
        Outcome::InDoubt(_) => Next::Again(Duration::ZERO),
        // One whose lane was closed for a day has waited for others so far, and is tried all the same.
        Outcome::Suspended { reason, by_host: false, .. }
            if history.age >= RETRY_WINDOW && history.ran_before =>
        {
            Next::Dead(format!("still waiting after 24 h: {reason}"))
        }
        // Spread, so that what waited for the same thing doesn't come back at the same moment.
        Outcome::Suspended { wait, .. } => Next::Again(wait.mul_f64(1.0 + jitter.clamp(0.0, 1.0) / 4.0)),
        Outcome::Trapped(reason) | Outcome::OutOf(_, reason) if history.crashes >= CRASHES_MAX => {
            Next::Dead(format!("{} {} times, last: {reason}", outcome.as_str(), history.crashes))
        }
        Outcome::Retry(reason) if history.age >= RETRY_WINDOW => {
            Next::Dead(format!("still failing after {} attempts in 24 h: {reason}", history.attempts))
        }
        Outcome::Retry(_) | Outcome::Trapped(_) | Outcome::OutOf(..) => {
            Next::Again(delay(history.attempts, jitter).max(history.asked_wait))
        }
    }
}

/// The wait behind attempt number `attempts`: 1 s doubling to 15 min, times the jitter.
fn delay(attempts: u32, jitter: f64) -> Duration {
    let doublings = attempts.saturating_sub(1).min(20);
    let cap = (DELAY_FIRST * 2u32.pow(doublings)).min(DELAY_MAX);
    cap.mul_f64(jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests;
