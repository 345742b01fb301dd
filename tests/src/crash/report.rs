//! The figures.

use std::fmt;

use super::{REPEATS_ARE_HARMLESS, Sums, VISITS_END};

/// Examples that are shown of what went wrong.
const SHOWN: usize = 5;

/// What became of a run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What all random choices were drawn from.
    pub seed: u64,
    /// How often the host was started and ended.
    pub cycles: usize,
    /// How often it ended in which way.
    pub endings: Sums,
    /// Places that no host which was to end there came to in time, not even for the first time; each was killed.
    pub not_reached: Sums,
    /// How often the power was cut, by what was left.
    pub power_cuts: Sums,
    /// Stores that failed SQLite's integrity check after a power cut.
    pub damaged: usize,
    /// Messages that customers wrote.
    pub messages: usize,
    /// Of these, answered 200.
    pub answered: usize,
    /// Answered 200 and not stored.
    pub lost: Vec<String>,
    /// Stored as two events.
    pub stored_twice: usize,
    /// Deliveries that succeeded.
    pub succeeded: usize,
    /// Dead letters.
    pub dead: usize,
    /// In doubt, and waiting for an operator.
    pub held: usize,
    /// Neither final nor held, or not there.
    pub unfinished: Vec<String>,
    /// Notes and entries that the services have once too often.
    pub doubled: Vec<String>,
    /// Notes, entries and tags of stored messages that the services don't have.
    pub missing: Vec<String>,
    /// Notes and entries of messages that are not stored.
    pub from_nowhere: Vec<String>,
    /// Notes that are not behind those before them.
    pub out_of_order: Vec<String>,
    /// Messages that the plugin's memory has not counted once.
    pub miscounted: usize,
    /// Chats that the host's user came to for a note, and did not leave.
    pub left_behind: usize,
    /// What the services did wrong, and how often.
    pub faults: Sums,
    /// Actions that ended so that their caller couldn't know whether they were carried out.
    pub in_doubt: u64,
}

impl Report {
    pub(super) fn new(seed: u64) -> Report {
        Report { seed, ..Report::default() }
    }

    pub(super) fn ended(&mut self, how: &'static str) {
        *self.endings.entry(how).or_default() += 1;
    }

    pub(super) fn not_reached(&mut self, place: &'static str) {
        *self.not_reached.entry(place).or_default() += 1;
    }

    pub(super) fn power_cut(&mut self, left: &'static str) {
        *self.power_cuts.entry(left).or_default() += 1;
    }

    /// Prints it, and what is broken; whether nothing is.
    pub fn tell(&self) -> bool {
        println!("{self}");
        let broken = self.broken();
        broken.iter().for_each(|what| eprintln!("BROKEN: {what}"));
        broken.is_empty()
    }

    /// What must never be, and is; empty if all is well.
    pub fn broken(&self) -> Vec<String> {
        let is_hostile = !self.faults.is_empty();
        let always = [
            ("answered 200 and lost", self.lost.len()),
            ("stored twice", self.stored_twice),
            ("stores damaged", self.damaged),
            ("deliveries not finished", self.unfinished.len()),
            ("actions out of order", self.out_of_order.len()),
            ("actions from nowhere", self.from_nowhere.len()),
        ];
        let failed =
            [("actions missing", self.missing.len()), ("dead letters", self.dead), ("held", self.held)];
        let repeated = [("actions doubled", self.doubled.len()), ("messages miscounted", self.miscounted)];
        let left = Some(("chats not left", self.left_behind)).filter(|_| VISITS_END);
        let failed = failed.into_iter().filter(|_| REPEATS_ARE_HARMLESS || !is_hostile);
        let repeated = repeated.into_iter().filter(|_| REPEATS_ARE_HARMLESS);
        let all = always.into_iter().chain(failed).chain(repeated).chain(left);
        all.filter(|(_, count)| *count > 0).map(|(what, count)| format!("{what}: {count}")).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: usize| writeln!(f, "{name:<34}{value:>9}");
        row("cycles", self.cycles)?;
        row("messages", self.messages)?;
        row("  answered 200", self.answered)?;
        row("  answered 200 and lost", self.lost.len())?;
        row("  stored twice", self.stored_twice)?;
        row("deliveries succeeded", self.succeeded)?;
        row("  dead", self.dead)?;
        row("  held", self.held)?;
        row("  not finished", self.unfinished.len())?;
        row("actions doubled", self.doubled.len())?;
        row("  missing", self.missing.len())?;
        row("  from nowhere", self.from_nowhere.len())?;
        row("  out of order", self.out_of_order.len())?;
        row("messages miscounted in memory", self.miscounted)?;
        row("chats not left", self.left_behind)?;
        row("stores damaged", self.damaged)?;
        row("actions that ended in doubt", usize::try_from(self.in_doubt).unwrap_or(usize::MAX))?;
        sums(f, "ends of the host", &self.endings)?;
        sums(f, "not reached, killed instead", &self.not_reached)?;
        sums(f, "power cuts, by what was left", &self.power_cuts)?;
        sums(f, "faults of the services", &self.faults)?;
        for (what, examples) in [
            ("lost", &self.lost),
            ("doubled", &self.doubled),
            ("not finished", &self.unfinished),
            ("missing", &self.missing),
            ("from nowhere", &self.from_nowhere),
            ("out of order", &self.out_of_order),
        ] {
            examples.iter().take(SHOWN).try_for_each(|example| writeln!(f, "{what}: {example}"))?;
        }
        write!(f, "seed {}", self.seed)
    }
}

fn sums(f: &mut fmt::Formatter<'_>, what: &str, sums: &Sums) -> fmt::Result {
    if sums.is_empty() {
        return Ok(());
    }
    writeln!(f, "{what}")?;
    sums.iter().try_for_each(|(name, count)| writeln!(f, "  {name:<32}{count:>9}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_never_be_is_told_and_the_rest_is_not() {
        let check = |report: Report, count: usize| assert_eq!(report.broken().len(), count, "{report}");
        let some = || vec!["work a".to_owned()];
        check(Report { messages: 5, answered: 5, succeeded: 5, in_doubt: 9, ..Report::default() }, 0);
        check(Report { lost: some(), ..Report::default() }, 1);
        check(Report { damaged: 1, power_cuts: Sums::from([("synced", 1)]), ..Report::default() }, 1);
        check(Report { out_of_order: some(), missing: some(), ..Report::default() }, 2);
        check(Report { unfinished: some(), from_nowhere: some(), stored_twice: 1, ..Report::default() }, 3);
        let repeated = usize::from(REPEATS_ARE_HARMLESS);
        check(Report { doubled: some(), ..Report::default() }, repeated);
        check(Report { dead: 1, faults: Sums::from([("503", 1)]), ..Report::default() }, repeated);
    }
}
