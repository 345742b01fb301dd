//! What is kept between the slices of a run: where it is, and sums, apart for each agent.
//!
//! Each sum says which slice it has last: a slice that is done again after a failure adds nothing twice.

use std::time::Duration;

use chatplug_sdk::{Error, memory};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::figures::{Figures, Tally};
use crate::gather::Place;
use crate::range::{Range, as_text};

/// How long a run is remembered that doesn't come to its end.
const REMEMBERED: Duration = Duration::from_secs(7 * 86_400);

/// The most agents of a report. Each costs a host call or two at its end.
pub(crate) const AGENTS_MAX: u32 = 400;

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
    /// How many slices of this report were done.
    pub(crate) slices: u32,
    /// How many chats of this report were counted.
    pub(crate) chats: u64,
}

impl Run {
    /// A run that makes these reports.
    pub(crate) fn new(ranges: Vec<Range>, today: Date, is_nightly: bool) -> Run {
        Run { ranges, today, is_nightly, made: 0, place: Place::Start, slices: 0, chats: 0 }
    }

    /// Goes on behind a slice.
    pub(crate) fn advance(&mut self, place: Place, chats: u64) {
        self.place = place;
        self.slices += 1;
        self.chats += chats;
    }

    /// Goes on to the next report; false if there is none.
    pub(crate) fn next_report(&mut self) -> bool {
        self.ranges.remove(0);
        (self.made, self.place, self.slices, self.chats) = (self.made + 1, Place::Start, 0, 0);
        !self.ranges.is_empty()
    }
}

/// A sum, and the number of the last slice in it, from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sum {
    /// The slice.
    pub(crate) slice: u32,
    /// What it comes to.
    pub(crate) figures: Figures,
}

impl Sum {
    /// Adds a slice's figures, unless they are in it.
    pub(crate) fn add(&mut self, slice: u32, figures: &Figures) {
        if self.slice < slice {
            self.figures.merge(figures);
            self.slice = slice;
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

/// Adds a slice to the sums of the report under way.
pub(crate) fn add(id: &str, run: &Run, tally: &Tally) -> Result<(), Error> {
    let all = [(ALL, &tally.all)];
    for (agent, figures) in all.into_iter().chain(tally.agents.iter().map(|(id, sum)| (id.as_str(), sum))) {
        let key = format!("{}{agent}", prefix(id, run));
        let mut sum: Sum = memory::get(&key)?.unwrap_or_default();
        sum.add(run.slices + 1, figures);
        memory::set_for(&key, &sum, REMEMBERED)?;
    }
    Ok(())
}

/// The sums of the report under way; of agents the first [`AGENTS_MAX`]. They go by themselves.
pub(crate) fn total(id: &str, run: &Run) -> Result<Tally, Error> {
    let prefix = prefix(id, run);
    let mut tally = Tally::default();
    for key in memory::keys(&prefix, None, AGENTS_MAX + 1)? {
        let Some(sum) = memory::get::<Sum>(&key)? else { continue };
        match key.strip_prefix(&prefix) {
            Some(ALL) => tally.all = sum.figures,
            Some(agent) => drop(tally.agents.insert(agent.to_owned(), sum.figures)),
            None => {}
        }
    }
    Ok(tally)
}

fn run_key(id: &str) -> String {
    format!("run/{id}")
}

fn prefix(id: &str, run: &Run) -> String {
    format!("sum/{id}/{}/", run.made)
}
