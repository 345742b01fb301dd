//! What a run can ask of the outside: the calls of the contract as values, and the traits behind which the
//! LiveChat API, the connections and the plugin's memory stand.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::destination::tally::HOST;
use crate::event::trace_id::TraceId;

pub mod bytes;
pub mod files;
pub mod fuse;
pub mod http;
pub mod livechat;
pub mod memory;
mod outgoing;
pub mod path;
pub mod retry_after;
pub mod timers;

pub use outgoing::Outgoing;

/// A boxed future, for traits that are used as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Who makes a call: one step of one delivery.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The plugin's name.
    pub plugin: Arc<str>,
    /// The number that the delivery had first.
    pub delivery: i64,
    /// The trace of the delivery's event.
    pub trace: TraceId,
    /// The number of the step in the delivery's journal: never used twice.
    pub step: u32,
    /// When the delivery's event was accepted, milliseconds since 1970: what was read before that doesn't serve.
    pub accepted_at_ms: i64,
    /// The longest answer that it takes from a connection, bytes.
    pub answer_bytes: usize,
}

impl Origin {
    /// The host itself asks, for no plugin; `now_ms` is in milliseconds since 1970.
    pub fn of_host(now_ms: i64, answer_bytes: usize) -> Origin {
        Origin {
            plugin: Arc::from(HOST),
            delivery: 0,
            trace: TraceId::default(),
            step: 0,
            accepted_at_ms: now_ms,
            answer_bytes,
        }
    }

    /// The id that an action carries to LiveChat as `custom_id`, and to a connection as `Idempotency-Key`: no other
    /// action has it, and none of another data folder. Begins with [`CUSTOM_ID_PREFIX`].
    pub fn custom_id(&self) -> String {
        format!("{CUSTOM_ID_PREFIX}{}-{}-{}-{}", self.plugin, self.trace.store(), self.delivery, self.step)
    }

    /// The value of the header `traceparent` by the W3C's Trace Context: the trace, and this call within it. We
    /// don't record spans ourselves, which the flags say.
    pub fn traceparent(&self) -> String {
        let call = (self.delivery.cast_unsigned() << 16 | u64::from(self.step & 0xffff)).max(1);
        format!("00-{}-{call:016x}-00", self.trace)
    }
}

/// What the `custom_id` of everything that the host sends begins with.
pub const CUSTOM_ID_PREFIX: &str = "chatplug-";

/// The codes of the contract's error record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Not granted, or not declared in the manifest; or the service lets our user not do it.
    Denied,
    /// The service refuses the host's credentials, whatever they are used for. Plugins know it as `denied`.
    Credentials,
    /// What was asked for does not exist.
    NotFound,
    /// The arguments are wrong, by the host's or the service's word.
    Invalid,
    /// It exists already, or changed meanwhile.
    Conflict,
    /// The chat is not active.
    Inactive,
    /// Too late to be useful.
    Expired,
    /// One of the host's limits.
    Limit,
    /// The service, or the host for its sake, asks to wait.
    RateLimited,
    /// The service did not answer, or not well.
    Unavailable,
    /// The account's API lacks it.
    Unsupported,
    /// Anything else.
    Other,
}

impl Code {
    /// The word used in the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::Denied | Code::Credentials => "denied",
            Code::NotFound => "not-found",
            Code::Invalid => "invalid",
            Code::Conflict => "conflict",
            Code::Inactive => "inactive",
            Code::Expired => "expired",
            Code::Limit => "limit",
            Code::RateLimited => "rate-limited",
            Code::Unavailable => "unavailable",
            Code::Unsupported => "unsupported",
            Code::Other => "other",
        }
    }

    /// The code behind a word; [`Code::Other`] for one that is not known.
    pub fn parse(word: &str) -> Code {
        use Code::{
            Conflict, Denied, Expired, Inactive, Invalid, Limit, NotFound, RateLimited, Unavailable,
            Unsupported,
        };
        let codes = [
            Denied,
            NotFound,
            Invalid,
            Conflict,
            Inactive,
            Expired,
            Limit,
            RateLimited,
            Unavailable,
            Unsupported,
        ];
        codes.into_iter().find(|code| code.as_str() == word).unwrap_or(Code::Other)
    }
}

/// Why a call failed; the contract's error record. Never holds a secret or a secret's URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What a program goes by.
    pub code: Code,
    /// What failed, on what, and what to do: for people.
    pub message: String,
    /// When the service asked not to be called again before, milliseconds from now.
    pub retry_after_ms: Option<u64>,
}

impl Error {
    /// An error without a time to wait.
    pub fn new(code: Code, message: impl Into<String>) -> Error {
        Error { code, message: message.into(), retry_after_ms: None }
    }
}

/// Why a call to a service brought no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The service said no, or was never asked: nothing has changed there.
    Refused(Error),
    /// The request may have reached the service, and no answer tells what it did: no answer at all, half of
    /// one, a timeout, HTTP 408 or 5xx.
    Doubt(Error),
    /// The destination takes nothing right now and was not asked; the text says why.
    Closed {
        /// Why, for people.
        reason: String,
        /// How long until it may take something again.
        wait: Duration,
    },
}

impl Failure {
    /// The failure as the contract's error record.
    pub fn into_error(self) -> Error {
        match self {
            Failure::Refused(error) | Failure::Doubt(error) => error,
            Failure::Closed { reason, wait } => Error {
                code: Code::Unavailable,
                message: reason,
                retry_after_ms: Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            },
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Refused(error)
    }
}

/// What doing a call twice does, and what can be done where it's in doubt whether it was done once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Changes nothing.
    Read,
    /// Has the same result as doing it once.
    Repeatable,
    /// The service knows an `Idempotency-Key`: sent again, it answers what it answered before.
    Keyed,
    /// The service can be asked whether it was done.
    LookedUp,
    /// Not known: must not be done twice, and only a person can find out.
    Unknown,
}

impl Effect {
    /// The word used in the config, in the store and in listings.
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::Read => "read",
            Effect::Repeatable => "repeatable",
            Effect::Keyed => "keyed",
            Effect::LookedUp => "looked-up",
            Effect::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for Error {}
