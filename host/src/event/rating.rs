//! How a chat's rating changes. LiveChat reports one rating by two or three signals (properties and system
//! messages); the store keeps the last known rating of each thread and makes one `chat_rated` event per
//! change, whichever signal comes first.

use serde::Serialize;

/// The numbers that a score may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Scale {
    /// The platform's own: 0 is bad, 1 is good.
    #[serde(rename = "0-1")]
    ZeroToOne,
    /// The tutorial's: 1 is bad, 5 is good.
    #[serde(rename = "1-5")]
    OneToFive,
}

impl Scale {
    /// The word used in payloads, settings and the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Scale::ZeroToOne => "0-1",
            Scale::OneToFive => "1-5",
        }
    }

    /// The scale behind a word of [`Scale::as_str`].
    pub fn parse(word: &str) -> Option<Scale> {
        [Scale::ZeroToOne, Scale::OneToFive].into_iter().find(|scale| scale.as_str() == word)
    }
}

/// What is known of a thread's rating. Both parts absent: not rated, or withdrawn.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rating {
    /// The score, in the numbers of the scale.
    pub score: Option<i64>,
    /// What the customer wrote.
    pub comment: Option<String>,
}

/// What one webhook says about one part of a rating.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Part<T> {
    /// The webhook doesn't speak of it.
    #[default]
    Unmentioned,
    /// It has this value now.
    Set(T),
    /// It was removed.
    Removed,
}

/// What one webhook says about a rating.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// The chat.
    pub chat_id: String,
    /// The thread; `None` where the webhook names only the chat (the store then takes the chat's newest).
    pub thread_id: Option<String>,
    /// The scale of the score.
    pub scale: Scale,
    /// The score.
    pub score: Part<i64>,
    /// The comment.
    pub comment: Part<String>,
    /// When it was said, milliseconds since 1970: the platform's time if it tells, else when it was received.
    pub at_ms: i64,
}

/// What a change did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// There was no score before.
    Rated,
    /// Only the comment is new or different.
    Commented,
    /// The score is different.
    Changed,
    /// The rating is gone.
    Withdrawn,
}

/// The rating after `signal`, and what changed; `None` if the signal says nothing new or is older than
/// what is known. `known_at_ms` is when `known` was said.
pub fn apply(known: &Rating, known_at_ms: Option<i64>, signal: &Signal) -> Option<(Rating, Change)> {
    if known_at_ms.is_some_and(|known_at| signal.at_ms < known_at) {
        return None;
    }
    let mut next =
        Rating { score: merge(&known.score, &signal.score), comment: merge(&known.comment, &signal.comment) };
    if next.score.is_none() && signal.score == Part::Removed {
        // A comment does not outlive its score: LiveChat removes both, in one webhook or in two.
        next.comment = None;
    }
    let change = match (known.score, next.score) {
        (None, Some(_)) => Change::Rated,
        (Some(_), None) => Change::Withdrawn,
        (Some(before), Some(after)) if before != after => Change::Changed,
        _ if known.comment != next.comment => Change::Commented,
        _ => return None,
    };
    Some((next, change))
}

fn merge<T: Clone>(known: &Option<T>, part: &Part<T>) -> Option<T> {
    match part {
        Part::Unmentioned => known.clone(),
        Part::Set(value) => Some(value.clone()),
        Part::Removed => None,
    }
}
