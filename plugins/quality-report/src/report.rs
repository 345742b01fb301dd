//! What is published: the figures with all that a reader has to know of them.

use crate::compare::Compared;
use crate::figures::{Figures, Tally};
use crate::keep::AGENTS_MAX;
use crate::range::Range;
use crate::score::Score;

/// A report.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// Its days.
    pub(crate) range: Range,
    /// The zone that they are in.
    pub(crate) zone: String,
    /// Whether ratings and re-openings are still waited for.
    pub(crate) is_provisional: bool,
    /// The figures.
    pub(crate) tally: Tally,
    /// Whether there are agents who have no line of their own.
    pub(crate) has_more_agents: bool,
    /// How scores are made.
    pub(crate) score: Score,
    /// The totals beside LiveChat's.
    pub(crate) compared: Vec<Compared>,
    /// Which of LiveChat's reports there are none of.
    pub(crate) not_compared: Vec<&'static str>,
}

/// A line of it.
#[derive(Clone, Debug)]
pub(crate) struct Row<'a> {
    /// Who: an agent's id, or all.
    pub(crate) name: &'a str,
    /// The figures.
    pub(crate) figures: &'a Figures,
    /// The score, if anything is known.
    pub(crate) score: Option<f64>,
}

/// What the line of all chats is called.
pub(crate) const ALL: &str = "all chats";

impl Report {
    /// The line of all chats.
    pub(crate) fn all(&self) -> Row<'_> {
        self.row(ALL, &self.tally.all)
    }

    /// The lines of the agents, by their ids.
    pub(crate) fn agents(&self) -> impl Iterator<Item = Row<'_>> {
        self.tally.agents.iter().map(|(id, figures)| self.row(id, figures))
    }

    /// What a reader has to know of what isn't in the numbers, each in a sentence or two.
    pub(crate) fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        match self.tally.all.beyond_history {
            0 => {}
            1 => notices.push(
                "1 conversation lies beyond the history that the account's plan gives: LiveChat doesn't tell what was said in \
                 it. It is in no number but LiveChat's own."
                    .to_owned(),
            ),
            more => notices.push(format!(
                "{more} conversations lie beyond the history that the account's plan gives: LiveChat doesn't tell what was \
                 said in them. They are in no number but LiveChat's own."
            )),
        }
        if self.has_more_agents {
            notices.push(format!(
                "There are more than {AGENTS_MAX} agents. Those behind the first {AGENTS_MAX} (by their ids) have no line of \
                 their own; they count in the totals."
            ));
        }
        notices
    }

    fn row<'a>(&self, name: &'a str, figures: &'a Figures) -> Row<'a> {
        Row { name, figures, score: self.score.of(figures) }
    }
}

/// A number with one decimal.
pub(crate) fn decimal(number: f64) -> String {
    format!("{number:.1}")
}

/// A difference with its sign and one decimal. One that isn't seen has no sign.
pub(crate) fn difference(number: f64) -> String {
    let shown = format!("{number:+.1}");
    match shown.as_str() {
        "+0.0" | "-0.0" => decimal(0.0),
        _ => shown,
    }
}

/// A share in percent, with one decimal.
pub(crate) fn percent(share: f64) -> String {
    decimal(share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_that_is_not_seen_has_no_sign() {
        let shown = [0.0, -0.0, 1e-9, -1e-9, -0.04, 0.04, -0.06, 0.06, 1.0, -12.34].map(difference);
        assert_eq!(shown, ["0.0", "0.0", "0.0", "0.0", "0.0", "0.0", "-0.1", "+0.1", "+1.0", "-12.3"]);
    }
}
