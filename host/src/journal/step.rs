//! What is recorded of a step.

use sha2::{Digest, Sha256};

use super::Answer;
use crate::action::Effect;

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Changes the plugin's own store: applied and recorded in one transaction.
    Own,
    /// Asks a service, or has it change something.
    Call(Effect),
}

impl Kind {
    /// The word in the store and in listings.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Own => "own",
            Kind::Call(effect) => effect.as_str(),
        }
    }

    /// The kind behind a word of the store.
    pub fn parse(word: &str) -> Option<Kind> {
        use Effect::{Keyed, LookedUp, Read, Repeatable, Unknown};
        let calls = [Read, Repeatable, Keyed, LookedUp, Unknown].map(Kind::Call);
        calls.into_iter().chain([Kind::Own]).find(|kind| kind.as_str() == word)
    }

    /// Whether it changes something outside.
    pub fn is_action(self) -> bool {
        !matches!(self, Kind::Own | Kind::Call(Effect::Read))
    }
}

/// A hash of a call's arguments: equal arguments have equal ones.
pub type Fingerprint = [u8; 16];

/// The fingerprint of a call as it is written in JSON.
pub fn fingerprint(json: &[u8]) -> Fingerprint {
    let mut short = [0; 16];
    short.copy_from_slice(&Sha256::digest(json)[..16]);
    short
}

/// A call that a run makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What it does.
    pub kind: Kind,
    /// The capability: `chats.send-note`, `http:slack`, `memory.set` …
    pub function: String,
    /// What it is called with.
    pub arguments: Fingerprint,
    /// The author's name for it within the delivery.
    pub once: Option<String>,
    /// What it is done to, for people: `chat PJ0MRSHTDG`.
    pub about: String,
    /// Of an action: the call itself, JSON text, for settling it when it's in doubt.
    pub request: Option<String>,
}

impl Call {
    /// Whether this is the call that was recorded.
    pub fn is_the_same(&self, other: &Call) -> bool {
        self.kind == other.kind
            && self.function == other.function
            && self.arguments == other.arguments
            && self.once == other.once
    }
}

/// An answer as it was given to the plugin.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// When it was there, milliseconds since 1970: the guest's clock moves to it.
    pub at_ms: i64,
    /// What came.
    pub answer: Answer,
    /// Whether the call did what it was to do: an action was done, the own store changed.
    pub succeeded: bool,
}

impl Answered {
    /// About how much of the journal it takes.
    pub fn bytes(&self) -> usize {
        self.answer.bytes()
    }
}

/// One recorded step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its place: grows within a delivery and is never used twice.
    pub number: u32,
    /// What was called.
    pub call: Call,
    /// When it began, milliseconds since 1970: not after an action's request left.
    pub at_ms: i64,
    /// What came of it; `None` if it is not known.
    pub answered: Option<Answered>,
    /// Whether it is off the way, and only kept to be matched.
    pub aside: bool,
}

/// What a step costs of the journal beside its texts.
const STEP_COST: usize = 128;

impl Step {
    /// About how much of the journal it takes.
    pub fn bytes(&self) -> usize {
        let call = &self.call;
        let [once, request] = [&call.once, &call.request].map(|text| text.as_ref().map_or(0, String::len));
        STEP_COST
            + call.function.len()
            + call.about.len()
            + once
            + request
            + self.answered.as_ref().map_or(0, Answered::bytes)
    }

    /// Whether nobody knows if the action took place, and doing it again could double it.
    pub fn is_in_doubt(&self) -> bool {
        self.answered.is_none()
            && self.call.kind.is_action()
            && self.call.kind != Kind::Call(Effect::Repeatable)
    }

    pub(super) fn is_succeeded_action(&self) -> bool {
        self.call.kind.is_action() && self.succeeded()
    }

    /// Whether its answer says how something was, which may have changed: not only that what it was to do is done.
    pub(super) fn is_news(&self) -> bool {
        self.call.kind == Kind::Call(Effect::Read) || !self.succeeded()
    }

    /// Whether it must not be done again by a run that has left the way.
    pub(super) fn is_kept(&self) -> bool {
        self.call.is_matched() && self.succeeded()
    }

    pub(super) fn succeeded(&self) -> bool {
        self.answered.as_ref().is_some_and(|answered| answered.succeeded)
    }
}

/// What a delivery's runs begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The content hash of the version that made the way.
    pub version: String,
    /// Where the guest's clock begins, milliseconds since 1970.
    pub began_ms: i64,
    /// What the guest's random numbers grow from.
    pub seed: u64,
    /// The number of the next step.
    pub next: u32,
    /// Whether the next run has to look anew: see [`Journal::is_stale`](super::Journal::is_stale).
    pub anew: bool,
}

/// What has to be written down.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Runs begin with this from now on.
    Begin(Header),
    /// The number of the next step.
    Count {
        /// It.
        next: u32,
    },
    /// A new step.
    Insert(Step),
    /// What came of a step.
    Answer {
        /// The step.
        number: u32,
        /// What came.
        answered: Answered,
    },
    /// A step that was kept aside is part of the way again, at another place.
    Move {
        /// The number that it had.
        from: u32,
        /// The number that it has from now on.
        to: u32,
    },
    /// A step is off the way, and kept.
    Aside {
        /// The step.
        number: u32,
    },
    /// A step is of no use any more.
    Forget {
        /// The step.
        number: u32,
    },
    /// The same, if the change of the own store is applied that is written with it.
    Undo {
        /// The step.
        number: u32,
    },
}
