//! How a chat's rating changes. LiveChat reports one rating by two or three signals (properties and system
//! messages), late and out of order; the store keeps a [`History`] of each thread and makes one `chat_rated`
//! event per change, whichever signal comes first.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::trace::Trace;
use super::{Dedupe, NewEvent, Source, lane, types};

mod history;

pub use history::{History, Turn};

/// The numbers that a score may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

    /// Whether a score can be given on this scale.
    pub fn has(self, score: i64) -> bool {
        match self {
            Scale::ZeroToOne => (0..=1).contains(&score),
            Scale::OneToFive => (1..=5).contains(&score),
        }
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

impl Rating {
    /// Whether what is said of it is the case already.
    pub fn agrees(&self, signal: &Signal) -> bool {
        fn part<T: PartialEq>(is: &Option<T>, said: &Part<T>) -> bool {
            match said {
                Part::Unmentioned => true,
                Part::Set(value) => is.as_ref() == Some(value),
                Part::Removed => is.is_none(),
            }
        }
        part(&self.score, &signal.score) && part(&self.comment, &signal.comment)
    }
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

/// When something was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// At this time, says the platform; milliseconds since 1970.
    At(i64),
    /// At some time before it was received; milliseconds since 1970.
    Before(i64),
}

/// What one webhook says about a rating.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// LiveChat's organization id.
    pub organization: Option<String>,
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
    /// When the customer said it.
    pub said: Said,
}

/// What a change did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// There was no score before.
    Rated,
    /// Only the comment is new, different or gone.
    Commented,
    /// The score is different.
    Changed,
    /// The rating is gone.
    Withdrawn,
}

/// The `chat_rated` event of a change. `thread_id` is the signal's, or the one that the store found.
pub fn chat_rated(signal: &Signal, thread_id: Option<&str>, turn: &Turn) -> NewEvent {
    let payload = json!({
        "chat_id": signal.chat_id,
        "thread_id": thread_id,
        "change": turn.change,
        "score": turn.after.score,
        "scale": signal.scale,
        "comment": turn.after.comment,
        "previous": turn.before,
    });
    NewEvent {
        event_type: types::CHAT_RATED.to_owned(),
        source: Source::Livechat,
        organization: signal.organization.clone(),
        occurred_at_ms: match signal.said {
            Said::At(at) => Some(at),
            Said::Before(_) => None,
        },
        chat_id: Some(signal.chat_id.clone()),
        thread_id: thread_id.map(str::to_owned),
        lane: Some(lane::of_chat(&signal.chat_id)),
        dedupe: Dedupe::Always,
        trace: Trace::default(),
        payload: payload.to_string(),
        extra: "{}".to_owned(),
        original: String::new(),
        recovered: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_becomes_an_event_of_its_chat() {
        let signal = Signal {
            organization: Some("org".into()),
            chat_id: "C".into(),
            thread_id: None,
            scale: Scale::ZeroToOne,
            score: Part::Set(0),
            comment: Part::Unmentioned,
            said: Said::Before(7),
        };
        let turn = History::default().hear(&signal).unwrap();
        let event = chat_rated(&signal, Some("T"), &turn);
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&event.payload).unwrap(),
            json!({
                "chat_id": "C", "thread_id": "T", "change": "rated", "score": 0, "scale": "0-1",
                "comment": null, "previous": {"score": null, "comment": null},
            })
        );
        assert_eq!(event.lane.as_deref(), Some("chat/C"));
        assert_eq!(event.occurred_at_ms, None);
        assert_eq!(event.dedupe, Dedupe::Always);
    }

    #[test]
    fn a_scale_is_found_by_its_word_and_knows_its_scores() {
        for scale in [Scale::ZeroToOne, Scale::OneToFive] {
            assert_eq!(Scale::parse(scale.as_str()), Some(scale));
        }
        assert_eq!(Scale::parse("0-10"), None);
        assert!(Scale::ZeroToOne.has(0) && !Scale::ZeroToOne.has(2) && !Scale::OneToFive.has(0));
    }
}
