//! What is kept between the slices of a run: where it is, and sums, apart for each agent.
//!
//! Each sum says which page it has last: what is read again after a failure adds nothing twice, also if the slice ends at
//! another page this time, since LiveChat asked to wait earlier or later.

use std::collections::BTreeMap;
use std::time::Duration;

use chatplug_sdk::{Error, memory};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::compare::Asked;
use crate::figures::{Figures, Tally};
use crate::gather::{Place, Slice};
use crate::range::{Range, as_text, settle};

/// How long a run is remembered that doesn't come to its end.
const REMEMBERED: Duration = Duration::from_secs(7 * 86_400);

/// The most agents with a line of their own in a report. Each costs a host call or two at its end.
pub(crate) const AGENTS_MAX: u32 = 400;

/// So many sums have a line: the agents', and that of all chats, whose key is the first.
const KEYS_MAX: u32 = AGENTS_MAX + 1;

/// Where the days are that the nights have to publish.
const OWED: &str = "owed";

/// The agent that isn't one: all chats.
const ALL: &str = "";

/// Where a run is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// The reports that are to be made, the one under way first.
    pub(crate) ranges: Vec<Range>,
    /// The day on which it began.
    #[serde(with = "as_text")]
    pub(crate) today: Date,
    /// Whether the first report is also the latest one.
    pub(crate) is_nightly: bool,
    /// How many reports were made.
    pub(crate) made: u32,
    /// Where it is in LiveChat's list.
    pub(crate) place: Place,
    /// How many pages of this report are in the sums.
    pub(crate) pages: u32,
    /// How many chats of this report were counted.
    pub(crate) chats: u64,
    /// Since when LiveChat is asked for its own reports of these days.
    #[serde(default)]
    pub(crate) asked: Option<Asked>,
}

impl Run {
    /// A run that makes these reports.
    pub(crate) fn new(ranges: Vec<Range>, today: Date, is_nightly: bool) -> Run {
        Run { ranges, today, is_nightly, made: 0, place: Place::Start, pages: 0, chats: 0, asked: None }
    }

    /// Goes on behind a slice.
    pub(crate) fn advance(&mut self, slice: &Slice) {
        self.place = slice.next.clone();
        self.pages += u32::try_from(slice.pages.len()).unwrap_or(u32::MAX);
        self.chats += slice.chats();
    }

    /// Goes on to the next report; false if there is none.
    pub(crate) fn next_report(&mut self) -> bool {
        self.ranges.remove(0);
        (self.made, self.place, self.pages, self.chats) = (self.made + 1, Place::Start, 0, 0);
        self.asked = None;
        !self.ranges.is_empty()
    }
}

/// A sum, and the number of the last page in it, from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sum {
    /// The page.
    pub(crate) page: u32,
    /// What it comes to.
    pub(crate) figures: Figures,
}

impl Sum {
    /// Adds a page's figures, unless they are in it.
    pub(crate) fn add(&mut self, page: u32, figures: &Figures) {
        if self.page < page {
            self.figures.merge(figures);
            self.page = page;
        }
    }
}

/// Where a run is; `None` if it has ended.
pub(crate) fn run(id: &str) -> Result<Option<Run>, Error> {
    memory::get(&run_key(id))
}

/// Remembers where it is.
pub(crate) fn set_run(id: &str, run: &Run) -> Result<(), Error> {
    memory::set_for(&run_key(id), run, REMEMBERED)
}

/// Forgets a run.
pub(crate) fn end_run(id: &str) -> Result<(), Error> {
    memory::delete(&run_key(id))
}

/// The days that the nights still have to publish.
pub(crate) fn owed() -> Result<Vec<Range>, Error> {
    Ok(memory::get(OWED)?.unwrap_or_default())
}

/// Remembers them.
pub(crate) fn set_owed(owed: &[Range]) -> Result<(), Error> {
    memory::set(OWED, owed)
}

/// A night has published a day. If another night begins at this moment, what is lost of the two changes does no harm: a day
/// that is owed again is published again, and the days of a night that weren't noted the next one finds missing.
pub(crate) fn settle_day(published: Range, today: Date) -> Result<(), Error> {
    let before = owed()?;
    let mut owed = before.clone();
    settle(&mut owed, published, today);
    if owed == before { Ok(()) } else { set_owed(&owed) }
}

/// Adds pages to the sums of the report under way.
pub(crate) fn add(id: &str, run: &Run, pages: &[Tally]) -> Result<(), Error> {
    for (agent, figures) in by_agent(run.pages, pages) {
        let key = format!("{}{agent}", prefix(id, run));
        let mut sum: Sum = memory::get(&key)?.unwrap_or_default();
        figures.into_iter().for_each(|(page, figures)| sum.add(page, figures));
        memory::set_for(&key, &sum, REMEMBERED)?;
    }
    Ok(())
}

/// The figures of all chats and of each agent, each with the number of its page; `done` pages were before them.
pub(crate) fn by_agent(done: u32, pages: &[Tally]) -> BTreeMap<&str, Vec<(u32, &Figures)>> {
    let mut by_agent: BTreeMap<&str, Vec<(u32, &Figures)>> = BTreeMap::new();
    for (number, page) in (done + 1..).zip(pages) {
        by_agent.entry(ALL).or_default().push((number, &page.all));
        for (agent, figures) in &page.agents {
            by_agent.entry(agent).or_default().push((number, figures));
        }
    }
    by_agent
}

/// The sums of the report under way; of agents the first [`AGENTS_MAX`], and whether there are more. The sums go by
/// themselves.
pub(crate) fn total(id: &str, run: &Run) -> Result<(Tally, bool), Error> {
    let prefix = prefix(id, run);
    let mut tally = Tally::default();
    let mut keys = memory::keys(&prefix, None, KEYS_MAX + 1)?;
    let has_more_agents = cut(&mut keys);
    for key in keys {
        let Some(sum) = memory::get::<Sum>(&key)? else { continue };
        match key.strip_prefix(&prefix) {
            Some(ALL) => tally.all = sum.figures,
            Some(agent) => drop(tally.agents.insert(agent.to_owned(), sum.figures)),
            None => {}
        }
    }
    Ok((tally, has_more_agents))
}

/// Leaves the keys of as many sums as a report has lines; whether there were more.
fn cut(keys: &mut Vec<String>) -> bool {
    let has_more = keys.len() > KEYS_MAX as usize;
    keys.truncate(KEYS_MAX as usize);
    has_more
}

fn run_key(id: &str) -> String {
    format!("run/{id}")
}

fn prefix(id: &str, run: &Run) -> String {
    format!("sum/{id}/{}/", run.made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_all_chats_and_of_four_hundred_agents_have_room() {
        #[track_caller]
        fn check(agents: usize, expected: (usize, bool)) {
            let mut keys: Vec<String> =
                (0..=agents).map(|number| format!("sum/ev-1/0/{number:04}")).collect();
            let first = keys[0].clone();
            let has_more = cut(&mut keys);
            assert_eq!((keys.len(), has_more), expected, "{agents}");
            assert_eq!(keys[0], first);
        }
        check(0, (1, false));
        check(399, (400, false));
        check(400, (401, false));
        check(401, (401, true));
    }
}
