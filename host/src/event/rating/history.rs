//! What has been heard of a thread's rating, and what follows from it.
//!
//! A property webhook carries no time: it may be a retry of something long overtaken. A system message
//! carries the platform's. So what a property says counts as new until a system message explains it, and a
//! system message counts by its own time, whenever it comes:
//!
//! - Of what was said at a known time, the newest counts.
//! - What was said at an unknown time counts if it came after that and no known time explains it.
//! - A property that repeats a value of the last [`RETRY_WINDOW_MS`] is taken for a retry. Where the customer
//!   did return to that value, the system message makes the change.

use serde::{Deserialize, Serialize};

use super::{Change, Part, Rating, Said, Signal};

/// How long after a customer's act the platform may still send its webhook: about 10 s per attempt and three
/// more attempts within about a minute.
pub(crate) const RETRY_WINDOW_MS: i64 = 90_000;

/// Values remembered of each part. Only the newest decide; the others explain late retries.
const REMEMBERED: usize = 8;

/// What has been heard of a thread's rating: enough to tell a change from an echo. Kept as JSON text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    score: Vec<Heard<i64>>,
    comment: Vec<Heard<String>>,
}

/// A change of a rating.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The rating before it.
    pub before: Rating,
    /// The rating after it.
    pub after: Rating,
    /// What it did.
    pub change: Change,
}

impl History {
    /// Takes in a signal; answers the change that it makes, if any. The history is to be kept in any case:
    /// a signal that changes nothing may explain one that comes later.
    pub fn hear(&mut self, signal: &Signal) -> Option<Turn> {
        let before = self.rating();
        remember(&mut self.score, &signal.score, signal.said);
        // LiveChat withdraws score and comment together; a webhook may name the score only.
        let comment = if signal.score == Part::Removed { &Part::Removed } else { &signal.comment };
        remember(&mut self.comment, comment, signal.said);
        let after = self.rating();
        let change = change(&before, &after)?;
        Some(Turn { before, after, change })
    }

    /// The rating as far as it is known.
    pub fn rating(&self) -> Rating {
        let score = newest(&self.score);
        let withdrawn = score.is_some_and(|heard| heard.value.is_none());
        let comment = newest(&self.comment).filter(|_| !withdrawn).and_then(|heard| heard.value.clone());
        Rating { score: score.and_then(|heard| heard.value), comment }
    }

    /// Whether something was heard of the rating since a signal was said.
    pub fn is_newer_than(&self, signal: &Signal) -> bool {
        let (Said::At(said_ms) | Said::Before(said_ms)) = signal.said;
        let of_score = self.score.iter().map(|heard| heard.at_ms);
        let of_comment = self.comment.iter().map(|heard| heard.at_ms);
        of_score.chain(of_comment).any(|at_ms| at_ms >= said_ms)
    }
}

/// A value that was heard; `None` is its removal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Heard<T> {
    value: Option<T>,
    at_ms: i64,
    /// Whether `at_ms` is the platform's time, or when the webhook was received.
    exact: bool,
}

impl<T: PartialEq> Heard<T> {
    /// Whether `self`, received some time after it was said, may be what `other` tells.
    fn may_be(&self, other: &Heard<T>) -> bool {
        self.value == other.value && other.at_ms >= self.at_ms.saturating_sub(RETRY_WINDOW_MS)
    }
}

fn remember<T: Clone + PartialEq>(heard: &mut Vec<Heard<T>>, part: &Part<T>, said: Said) {
    let value = match part {
        Part::Unmentioned => return,
        Part::Set(value) => Some(value.clone()),
        Part::Removed => None,
    };
    let new = match said {
        Said::At(at_ms) => Heard { value, at_ms, exact: true },
        Said::Before(at_ms) => Heard { value, at_ms, exact: false },
    };
    let known = heard.iter().any(|old| if new.exact { *old == new } else { new.may_be(old) });
    if known {
        return;
    }
    heard.push(new);
    if heard.len() > REMEMBERED {
        let oldest = heard.iter().enumerate().min_by_key(|(_, heard)| heard.at_ms).map(|(index, _)| index);
        heard.remove(oldest.expect("more than none are remembered"));
    }
}

fn newest<T: PartialEq>(heard: &[Heard<T>]) -> Option<&Heard<T>> {
    let explained = |vague: &Heard<T>| heard.iter().any(|other| other.exact && vague.may_be(other));
    let exact = heard.iter().filter(|heard| heard.exact).max_by_key(|heard| heard.at_ms);
    let vague =
        heard.iter().filter(|heard| !heard.exact && !explained(heard)).max_by_key(|heard| heard.at_ms);
    match (exact, vague) {
        (Some(exact), Some(vague)) if exact.at_ms >= vague.at_ms => Some(exact),
        (exact, vague) => vague.or(exact),
    }
}

fn change(before: &Rating, after: &Rating) -> Option<Change> {
    match (before.score, after.score) {
        (None, Some(_)) => Some(Change::Rated),
        (Some(_), None) => Some(Change::Withdrawn),
        (Some(before), Some(after)) if before != after => Some(Change::Changed),
        _ => (before.comment != after.comment).then_some(Change::Commented),
    }
}

#[cfg(test)]
mod tests;
