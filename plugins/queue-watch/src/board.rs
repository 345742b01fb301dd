//! The figures, each with where it comes from. What is not known is said to be unknown.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::alert::Sample;
use crate::state::{Agents, Chats};

/// Something that was asked for, or why it isn't known: a sentence.
pub type Known<T> = Result<T, String>;

/// Where figures come from, as the board tells it.
mod source {
    pub(super) const CHATS: &str = "LiveChat's list of active chats, and webhooks since";
    pub(super) const QUEUE: &str =
        "the queue state that LiveChat shows of a chat: in its list, in incoming_chat and chat_transferred";
    pub(super) const STATUSES: &str =
        "LiveChat's routing statuses, and routing_status_set since; people, without bots";
    pub(super) const AGENTS: &str =
        "LiveChat's list of active chats and its routing statuses, and webhooks since; people, without bots";
    pub(super) const QUEUED: &str = "LiveChat's report queued_visitors, today: the longest of queued.max and left_queue.max; or the longest wait now where that is longer";
    pub(super) const FIRST: &str = "LiveChat's report first_response_time, today";
    pub(super) const RESPONSE: &str = "LiveChat's report response_time, today";
}

/// A figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure<T> {
    /// `None`: unknown.
    pub value: Option<T>,
    /// Of when LiveChat's own word is, RFC 3339; of an older board it is not known any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// Where it comes from.
    pub source: &'static str,
    /// Why it is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_because: Option<String>,
}

/// What LiveChat's reports say of today.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reports {
    /// The day that they are of, `2026-06-01`.
    pub day: String,
    /// Whether there is no hurry to read them again: nothing failed that may pass.
    pub is_whole: bool,
    /// The longest that somebody waited in the queue, seconds.
    pub longest_s: Part,
    /// How long the first answer took on average, seconds.
    pub first_response_s: Part,
    /// How long an answer took on average, seconds.
    pub response_s: Part,
}

/// A number of a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// When it was read, milliseconds since 1970.
    pub at_ms: u64,
    /// It, or why it isn't known.
    pub value: Known<u64>,
}

/// What is known at a time.
pub struct Seen {
    /// The time.
    pub at: Timestamp,
    /// The chats with what webhooks told of them.
    pub chats: Known<Chats>,
    /// The agents' status.
    pub agents: Known<Agents>,
    /// The reports.
    pub reports: Known<Reports>,
}

/// The board, as `dashboard.json` has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Board {
    /// The headline.
    pub title: String,
    /// When it was made, RFC 3339.
    pub at: String,
    /// Whether the queue is watched now.
    pub is_open: bool,
    /// Chats that are active.
    pub active_chats: Figure<u64>,
    /// Of these, those whose customer waits in the queue.
    pub queued_chats: Figure<u64>,
    /// How long those have waited, on average, seconds.
    pub waiting_average_s: Figure<u64>,
    /// How long the one has who has waited longest, seconds.
    pub waiting_longest_s: Figure<u64>,
    /// The longest that somebody waited today, seconds.
    pub waiting_longest_today_s: Figure<u64>,
    /// People who accept chats.
    pub agents_accepting: Figure<u64>,
    /// People who don't.
    pub agents_not_accepting: Figure<u64>,
    /// How many active chats each person is in, of those who are in any or accept chats.
    pub chats_per_agent: Figure<BTreeMap<String, u64>>,
    /// How long the first answer took today, on average, seconds.
    pub first_response_today_s: Figure<u64>,
    /// How long an answer took today, on average, seconds.
    pub response_today_s: Figure<u64>,
}

impl Board {
    /// The board of a time at which the queue is watched.
    pub fn of(title: &str, seen: &Seen) -> Board {
        let now_ms = millis(seen.at);
        let chats = seen.chats.as_ref();
        let waits = chats.map(|chats| {
            let queued = chats.chats.values().filter_map(|chat| chat.queued_at_ms);
            queued.map(|since| now_ms.saturating_sub(since) / 1_000).collect::<Vec<u64>>()
        });
        let of_chats = |value: Known<u64>, source| figure(value, chats.ok().map(|chats| chats.at_ms), source);
        let of_waits = |value: &dyn Fn(&[u64]) -> u64| {
            of_chats(waits.as_ref().map(|waits| value(waits)).map_err(|why| (*why).clone()), source::QUEUE)
        };
        let count = |status: &str| {
            let count = seen
                .agents
                .as_ref()
                .map(|agents| agents.statuses.values().filter(|found| *found == status).count() as u64);
            figure(
                count.map_err(Clone::clone),
                seen.agents.as_ref().ok().map(|agents| agents.at_ms),
                source::STATUSES,
            )
        };
        let report = |part: &dyn Fn(&Reports) -> &Part, source| {
            let found = seen.reports.as_ref().map(part);
            let value = found.map_err(Clone::clone).and_then(|part| part.value.clone());
            figure(value, found.ok().map(|part| part.at_ms), source)
        };
        let waiting_longest_s = of_waits(&|waits| waits.iter().copied().max().unwrap_or_default());
        let mut waiting_longest_today_s = report(&|reports| &reports.longest_s, source::QUEUED);
        // LiveChat counts who has waited, not who still waits.
        waiting_longest_today_s.value = waiting_longest_today_s
            .value
            .map(|seconds| seconds.max(waiting_longest_s.value.unwrap_or_default()));
        Board {
            title: title.to_owned(),
            at: seen.at.to_string(),
            is_open: true,
            active_chats: of_chats(
                chats.map(|chats| chats.chats.len() as u64).map_err(Clone::clone),
                source::CHATS,
            ),
            queued_chats: of_waits(&|waits| waits.len() as u64),
            waiting_average_s: of_waits(&|waits| waits.iter().sum::<u64>() / (waits.len() as u64).max(1)),
            waiting_longest_s,
            waiting_longest_today_s,
            agents_accepting: count("accepting_chats"),
            agents_not_accepting: count("not_accepting_chats"),
            chats_per_agent: per_agent(seen),
            first_response_today_s: report(&|reports| &reports.first_response_s, source::FIRST),
            response_today_s: report(&|reports| &reports.response_s, source::RESPONSE),
        }
    }

    /// The board outside of the office hours: nothing is asked then.
    pub fn closed(title: &str, at: Timestamp) -> Board {
        let why = || "the queue is watched in the office hours only".to_owned();
        let seen = Seen { at, chats: Err(why()), agents: Err(why()), reports: Err(why()) };
        Board { is_open: false, ..Board::of(title, &seen) }
    }

    /// What the alerts go by.
    pub fn sample(&self) -> Sample {
        Sample { queued: self.queued_chats.value, waiting_s: self.waiting_longest_s.value }
    }
}

/// Who is in the chats, and who is free: without the statuses the free ones would be missing, and nobody could tell.
fn per_agent(seen: &Seen) -> Figure<BTreeMap<String, u64>> {
    let (chats, agents) = match (&seen.chats, &seen.agents) {
        (Ok(chats), Ok(agents)) => (chats, agents),
        (Err(why), _) | (Ok(_), Err(why)) => return figure(Err(why.clone()), None, source::AGENTS),
    };
    let accepting = agents.statuses.iter().filter(|(_, status)| *status == "accepting_chats");
    let mut counts: BTreeMap<String, u64> = accepting.map(|(id, _)| (id.clone(), 0)).collect();
    for agent in chats.chats.values().flat_map(|chat| &chat.agents) {
        *counts.entry(agent.clone()).or_default() += 1;
    }
    figure(Ok(counts), Some(chats.at_ms.min(agents.at_ms)), source::AGENTS)
}

fn figure<T>(value: Known<T>, at_ms: Option<u64>, source: &'static str) -> Figure<T> {
    let (value, unknown_because) = match value {
        Ok(value) => (Some(value), None),
        Err(why) => (None, Some(why)),
    };
    let as_of = at_ms.map(|at_ms| timestamp(at_ms).to_string());
    Figure { value, as_of, source, unknown_because }
}

/// The day of a time in a zone.
pub fn day(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).date().to_string()
}

/// Milliseconds since 1970.
pub fn millis(at: Timestamp) -> u64 {
    u64::try_from(at.as_millisecond()).unwrap_or_default()
}

/// The time of milliseconds since 1970.
pub fn timestamp(ms: u64) -> Timestamp {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;
    use crate::state::ChatNow;

    pub(crate) fn ten() -> Timestamp {
        "2026-06-01T10:00:00Z".parse().expect("a time")
    }

    fn chat(queued_s: Option<u64>, agents: &[&str]) -> ChatNow {
        let agents = agents.iter().map(|agent| (*agent).to_owned()).collect();
        let queued_at_ms = queued_s.map(|seconds| millis(ten()) - seconds * 1_000);
        ChatNow { thread: "T".to_owned(), queued_at_ms, agents }
    }

    pub(crate) fn seen() -> Seen {
        let chats = [
            chat(Some(40), &[]),
            chat(Some(101), &[]),
            chat(Some(10), &[]),
            chat(None, &["ann@example.com"]),
            chat(None, &["ann@example.com", "ben@example.com"]),
            chat(None, &[]),
        ];
        let chats = (0..).zip(chats).map(|(number, chat)| (format!("C{number}"), chat)).collect();
        let statuses = [
            ("ann@example.com", "not_accepting_chats"),
            ("cleo@example.com", "accepting_chats"),
            ("ben@example.com", "accepting_chats"),
            ("dan@example.com", "offline"),
        ];
        let statuses = statuses.map(|(id, status)| (id.to_owned(), status.to_owned())).into();
        let part = |value: Known<u64>| Part { at_ms: millis(ten()) - 600_000, value };
        let reports = Reports {
            day: "2026-06-01".to_owned(),
            is_whole: true,
            longest_s: part(Ok(321)),
            first_response_s: part(Ok(17)),
            response_s: part(Err("nobody was answered yet today".to_owned())),
        };
        let at_ms = millis(ten()) - 30_000;
        Seen {
            at: ten(),
            chats: Ok(Chats { at_ms, chats }),
            agents: Ok(Agents { at_ms, statuses }),
            reports: Ok(reports),
        }
    }

    #[test]
    fn the_figures_are_those_of_a_hand_computed_scene() {
        let board = Board::of("Queue", &seen());
        assert_eq!(board.active_chats.value, Some(6));
        assert_eq!(board.queued_chats.value, Some(3));
        assert_eq!(board.waiting_average_s.value, Some(50), "(40 + 101 + 10) / 3");
        assert_eq!(board.waiting_longest_s.value, Some(101));
        assert_eq!(board.waiting_longest_today_s.value, Some(321));
        assert_eq!((board.agents_accepting.value, board.agents_not_accepting.value), (Some(2), Some(1)));
        let per_agent = [("ann@example.com", 2), ("ben@example.com", 1), ("cleo@example.com", 0)];
        assert_eq!(
            board.chats_per_agent.value,
            Some(per_agent.map(|(id, count)| (id.to_owned(), count)).into())
        );
        assert_eq!((board.first_response_today_s.value, board.response_today_s.value), (Some(17), None));
        assert_eq!(board.sample(), Sample { queued: Some(3), waiting_s: Some(101) });
    }

    #[test]
    fn the_longest_wait_today_is_at_least_the_longest_now() {
        let longest = |reported: Known<u64>, chats: Known<Chats>| {
            let mut seen = Seen { chats, ..seen() };
            if let Ok(reports) = &mut seen.reports {
                reports.longest_s.value = reported;
            }
            Board::of("Queue", &seen).waiting_longest_today_s.value
        };
        let late = "late".to_owned();
        assert_eq!(longest(Ok(60), seen().chats), Some(101), "who has waited for 101 s still waits");
        assert_eq!(longest(Ok(102), seen().chats), Some(102));
        assert_eq!(longest(Ok(60), Err(late.clone())), Some(60));
        assert_eq!(longest(Err(late), seen().chats), None, "somebody may have waited for longer before");
    }

    #[test]
    fn what_is_not_known_is_not_zero() {
        let unknown = |why: &str| why.to_owned();
        let seen = Seen {
            chats: Err(unknown("denied")),
            agents: Err(unknown("late")),
            reports: Err(unknown("soon")),
            ..seen()
        };
        let board = serde_json::to_value(Board::of("Queue", &seen)).expect("JSON");
        for (name, why) in [
            ("active_chats", "denied"),
            ("queued_chats", "denied"),
            ("waiting_average_s", "denied"),
            ("waiting_longest_s", "denied"),
            ("chats_per_agent", "denied"),
            ("agents_accepting", "late"),
            ("agents_not_accepting", "late"),
            ("waiting_longest_today_s", "soon"),
            ("first_response_today_s", "soon"),
            ("response_today_s", "soon"),
        ] {
            assert_eq!(
                (&board[name]["value"], &board[name]["unknown_because"]),
                (&json!(null), &json!(why)),
                "{name}"
            );
            assert!(board[name]["source"].as_str().is_some_and(|source| source.len() > 10), "{name}");
        }
        // Who is free is not known without the statuses: the others alone would look like everybody.
        let half = Board::of("Queue", &Seen { agents: Err("late".to_owned()), ..self::seen() });
        assert_eq!(half.active_chats.value, Some(6));
        assert_eq!((half.chats_per_agent.value, half.chats_per_agent.as_of), (None, None));
        assert_eq!(half.chats_per_agent.unknown_because.as_deref(), Some("late"));
        let nobody = Seen { chats: Ok(Chats::default()), ..self::seen() };
        let board = Board::of("Queue", &nobody);
        assert_eq!((board.queued_chats.value, board.waiting_longest_s.value), (Some(0), Some(0)));
    }
}
