//! What is counted: of one agent, or of all chats. Sums, so that they can be added to each other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::measure::Measured;

/// So many different tags are kept apart; others count together.
const TAGS_MAX: usize = 300;

/// Under this name.
const OTHER_TAGS: &str = "(other tags)";

/// Counts and sums.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Figures {
    /// Conversations: threads of LiveChat's chats.
    pub(crate) chats: u64,
    /// Those in which the customer wrote, and nobody answered.
    pub(crate) unanswered: u64,
    /// Those of which the chat was opened again within 24 hours.
    pub(crate) reopened: u64,
    /// How often a first answer came, and how long customers waited for it in all, milliseconds.
    pub(crate) first_count: u64,
    /// See `first_count`.
    pub(crate) first_ms: u64,
    /// How often an answer came, and how long customers waited for it in all, milliseconds.
    pub(crate) response_count: u64,
    /// See `response_count`.
    pub(crate) response_ms: u64,
    /// How long they were in all, milliseconds.
    pub(crate) duration_ms: u64,
    /// Rated as good.
    pub(crate) good: u64,
    /// Rated as bad.
    pub(crate) bad: u64,
    /// How often each tag stands on one.
    pub(crate) tags: BTreeMap<String, u64>,
    /// Conversations beyond the history that the account's plan gives. They are in no other number.
    pub(crate) beyond_history: u64,
}

impl Figures {
    /// Adds what was counted elsewhere.
    pub(crate) fn merge(&mut self, other: &Figures) {
        self.chats += other.chats;
        self.unanswered += other.unanswered;
        self.reopened += other.reopened;
        self.first_count += other.first_count;
        self.first_ms += other.first_ms;
        self.response_count += other.response_count;
        self.response_ms += other.response_ms;
        self.duration_ms += other.duration_ms;
        self.good += other.good;
        self.bad += other.bad;
        self.beyond_history += other.beyond_history;
        for (tag, count) in &other.tags {
            self.add_tag(tag, *count);
        }
    }

    /// The share of good ratings, 0 to 1; `None` if nothing was rated. So are the others.
    pub(crate) fn good_share(&self) -> Option<f64> {
        share(self.good, self.good + self.bad)
    }

    /// The share that wasn't opened again within 24 hours.
    pub(crate) fn resolution(&self) -> Option<f64> {
        share(self.chats.saturating_sub(self.reopened), self.chats)
    }

    /// The share that somebody answered.
    pub(crate) fn answered_share(&self) -> Option<f64> {
        share(self.chats.saturating_sub(self.unanswered), self.chats)
    }

    /// How long the first answer took on average, seconds.
    pub(crate) fn first_response_s(&self) -> Option<f64> {
        share(self.first_ms, self.first_count).map(|ms| ms / 1000.0)
    }

    /// How long answers took on average, seconds.
    pub(crate) fn response_s(&self) -> Option<f64> {
        share(self.response_ms, self.response_count).map(|ms| ms / 1000.0)
    }

    /// How long they were on average, seconds.
    pub(crate) fn duration_s(&self) -> Option<f64> {
        share(self.duration_ms, self.chats).map(|ms| ms / 1000.0)
    }

    fn add_tag(&mut self, tag: &str, count: u64) {
        let is_room = self.tags.contains_key(tag) || self.tags.len() < TAGS_MAX;
        let name = if is_room { tag } else { OTHER_TAGS };
        *self.tags.entry(name.to_owned()).or_default() += count;
    }

    /// A chat, without the times of answers.
    fn add(&mut self, chat: &Measured, is_reopened: bool) {
        if chat.is_beyond_history {
            self.beyond_history += 1;
            return;
        }
        self.chats += 1;
        self.unanswered += u64::from(chat.is_unanswered);
        self.reopened += u64::from(is_reopened);
        self.duration_ms += chat.duration_ms();
        self.good += u64::from(chat.rating == Some(true));
        self.bad += u64::from(chat.rating == Some(false));
        for tag in &chat.tags {
            self.add_tag(tag, 1);
        }
    }

    fn add_response(&mut self, waited_ms: u64, is_first: bool) {
        self.response_count += 1;
        self.response_ms += waited_ms;
        if is_first {
            self.first_count += 1;
            self.first_ms += waited_ms;
        }
    }
}

/// Numbers far below what a floating-point number holds exactly.
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The figures of all chats, and of each agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Each chat once.
    pub(crate) all: Figures,
    /// A chat counts for each agent in it who said something, or for all in it if nobody did; an answer counts for who
    /// gave it.
    pub(crate) agents: BTreeMap<String, Figures>,
}

impl Tally {
    /// Adds a chat.
    pub(crate) fn add(&mut self, chat: &Measured, is_reopened: bool) {
        self.all.add(chat, is_reopened);
        for agent in &chat.agents {
            self.agent(agent).add(chat, is_reopened);
        }
        for (number, response) in chat.responses.iter().enumerate() {
            self.all.add_response(response.waited_ms, number == 0);
            self.agent(&response.agent).add_response(response.waited_ms, number == 0);
        }
    }

    /// Adds another tally.
    #[cfg(test)]
    pub(crate) fn merge(&mut self, other: &Tally) {
        self.all.merge(&other.all);
        for (agent, figures) in &other.agents {
            self.agent(agent).merge(figures);
        }
    }

    fn agent(&mut self, id: &str) -> &mut Figures {
        self.agents.entry(id.to_owned()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_beyond_a_bound_count_together() {
        let mut figures = Figures::default();
        (0..TAGS_MAX as u64 + 50).for_each(|number| figures.add_tag(&format!("tag {number:04}"), 1));
        assert_eq!(figures.tags.len(), TAGS_MAX + 1);
        assert_eq!(figures.tags[OTHER_TAGS], 50);
        assert_eq!(figures.tags.values().sum::<u64>(), TAGS_MAX as u64 + 50);
    }

    #[test]
    fn nothing_has_no_shares_and_no_averages() {
        let none = Figures::default();
        let all = [
            none.good_share(),
            none.resolution(),
            none.answered_share(),
            none.first_response_s(),
            none.response_s(),
            none.duration_s(),
        ];
        assert_eq!(all, [None; 6]);
    }
}
