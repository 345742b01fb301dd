//! What came of a look.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

/// Chats that are named; the others are counted.
const NAMED_MAX: usize = 20;

/// What came of a look at what was missed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What happened before was not looked at, RFC 3339.
    pub from: String,
    /// Nor what happened after.
    pub to: String,
    /// Conversations that were looked at.
    pub conversations: u64,
    /// Calls to LiveChat.
    pub calls: u64,
    /// What was missing and is stored now, by event type.
    pub recovered: BTreeMap<String, u64>,
    /// Event types that plugins are switched on for and that no list of LiveChat's shows: what was missed of them is lost.
    pub not_listed: BTreeSet<String>,
    /// Chats of which LiveChat does not show all, or nothing that can be read.
    pub unreadable: u64,
    /// Some of them.
    pub unreadable_chats: Vec<String>,
    /// The time that was asked for, if it is before `from`: what is older than the dedupe keys can't be told from what is
    /// known.
    pub too_old: Option<String>,
    /// What is left out by its size or number, each in words.
    #[serde(default)]
    pub not_seen: Vec<String>,
    /// Why not everything was looked at; `None` if it was.
    pub unfinished: Option<String>,
    /// Whether another look would end in the same way.
    #[serde(skip)]
    pub(super) is_lasting: bool,
}

impl Report {
    /// How many events were missing.
    pub fn missing(&self) -> u64 {
        self.recovered.values().sum()
    }

    /// A chat could not be read as a whole.
    pub(super) fn cannot_read(&mut self, chat_id: Option<String>) {
        self.unreadable += 1;
        if self.unreadable_chats.len() < NAMED_MAX {
            self.unreadable_chats.extend(chat_id);
        }
    }

    /// Conversations had to be left out.
    pub(super) fn cannot_see(&mut self, text: String) {
        if self.not_seen.len() < NAMED_MAX {
            self.not_seen.push(text);
        } else if self.not_seen.len() == NAMED_MAX {
            self.not_seen.push("more than is told here".to_owned());
        }
    }

    /// What can't be recovered, and whether something was missed of it nobody knows; empty if there is nothing.
    pub(super) fn loss(&self) -> String {
        let mut lost = Vec::new();
        if !self.not_listed.is_empty() {
            let types: Vec<&str> = self.not_listed.iter().map(String::as_str).collect();
            lost.push(format!(
                "what was missed of {} is lost, no list of LiveChat's shows it",
                types.join(", ")
            ));
        }
        if self.unreadable > 0 {
            lost.push(format!("of {} chats LiveChat does not show all", self.unreadable));
        }
        if let Some(asked) = &self.too_old {
            let from = &self.from;
            lost.push(format!(
                "what happened from {asked} on and before {from} is older than `retention.dedupe_days`"
            ));
        }
        lost.extend(self.not_seen.iter().map(|text| format!("not seen are {text}")));
        lost.join("; ")
    }
}

/// For operators: counts and event types, nothing that a customer wrote.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { from, to, .. } = self;
        match self.missing() {
            0 => write!(f, "nothing that LiveChat lists of {from} to {to} was missed")?,
            missing => write!(f, "{missing} events of {from} to {to} were missed and are recovered")?,
        }
        let types: Vec<String> =
            self.recovered.iter().map(|(event_type, count)| format!("{count} {event_type}")).collect();
        if !types.is_empty() {
            write!(f, " ({})", types.join(", "))?;
        }
        let loss = self.loss();
        if !loss.is_empty() {
            write!(f, "; {loss}")?;
        }
        match &self.unfinished {
            Some(why) => write!(f, "; not everything was looked at: {why}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_was_missed_and_what_is_lost() {
        let mut report = Report {
            from: "A".to_owned(),
            to: "B".to_owned(),
            recovered: BTreeMap::from([("incoming_chat".to_owned(), 2), ("incoming_event".to_owned(), 5)]),
            not_listed: BTreeSet::from(["chat_transferred".to_owned()]),
            too_old: Some("Z".to_owned()),
            unfinished: Some("LiveChat is gone".to_owned()),
            ..Report::default()
        };
        for number in 0..NAMED_MAX + 5 {
            report.cannot_read(Some(format!("C{number}")));
        }
        assert_eq!((report.unreadable, report.unreadable_chats.len()), (25, NAMED_MAX));
        report.cannot_see("conversations that began from C to D".to_owned());
        let expected = "7 events of A to B were missed and are recovered (2 incoming_chat, 5 incoming_event); what was \
                        missed of chat_transferred is lost, no list of LiveChat's shows it; of 25 chats LiveChat does \
                        not show all; what happened from Z on and before A is older than `retention.dedupe_days`; not \
                        seen are conversations that began from C to D; not everything was looked at: LiveChat is gone";
        assert_eq!(report.to_string(), expected);
        let nothing = Report { from: "A".to_owned(), to: "B".to_owned(), ..Report::default() };
        assert_eq!(nothing.to_string(), "nothing that LiveChat lists of A to B was missed");
        assert_eq!(nothing.loss(), "");
    }

    #[test]
    fn what_is_left_out_is_told_a_bounded_number_of_times() {
        let mut report = Report::default();
        for number in 0..NAMED_MAX + 5 {
            report.cannot_see(number.to_string());
        }
        assert_eq!(report.not_seen.len(), NAMED_MAX + 1);
        assert_eq!(report.not_seen.last().map(String::as_str), Some("more than is told here"));
    }
}
