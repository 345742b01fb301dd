//! The journal of a delivery: what its runs did, so that a run can be repeated without harm.
//!
//! A *step* is a host call whose answer or effect lies outside the guest. A new run repeats the *recorded way*: the
//! steps up to the last action that succeeded, each with the answer that was recorded. What came after is asked
//! anew. Once a run does something else than what is recorded it has left the way: repeatable actions are done
//! again then, and all other actions and changes of the plugin's own store are matched with what is recorded, each
//! record once. This module is a value: it is told what a run calls and what was answered, and says what to repeat,
//! what to do, and what to write down.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::action::Effect;

mod answer;
mod ledger;
mod own;
mod step;
#[cfg(test)]
mod tests;

pub use answer::Answer;
pub use ledger::{Ledger, Lost, Run};
pub use own::Own;
use own::{Place, Touch};
pub use step::{Answered, Call, Change, Fingerprint, Header, Kind, Step, fingerprint};

/// A look-up that finds nothing counts only this long after the request left: the service may still be saving.
pub const LOOK_UP_COUNTS_AFTER: Duration = Duration::from_secs(20);

/// What to do with a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// It was done before: this is its answer.
    Repeat(Answered),
    /// It is to be done, as the step of this number.
    Do(u32),
}

/// The journal of one delivery during one run.
#[derive(Debug)]
pub struct Journal {
    header: Header,
    /// Whether the header is not written yet, or has changed.
    header_changed: bool,
    /// What is still to be repeated, in order.
    way: VecDeque<Step>,
    /// Steps off the way, kept to be matched, each once.
    aside: Vec<Step>,
    /// What was found out since the last commit.
    changes: Vec<Change>,
    /// The last change of each place of the own store.
    touches: HashMap<Place, Touch>,
    /// The change of the own store that is being applied, and what it undoes if it is.
    applying: Option<(Place, Touch)>,
    undone: Vec<Step>,
    /// Bytes of what is recorded, and of what would be.
    bytes: usize,
    /// Whether this run was told something by an earlier one that may be otherwise by now.
    heard_of_old: bool,
    /// Whether something failed in this run that may pass by itself.
    failed_for_now: bool,
    /// Whether an action that can't be repeated has no name: with other arguments it would be another one.
    acted_unnamed: bool,
    /// Whether this run has read something that no earlier one had.
    has_read: bool,
}

/// The step whose outcome is in doubt, if there is one: it has to be settled before another run.
pub fn unsettled(steps: &[Step]) -> Option<&Step> {
    steps.iter().find(|step| step.is_in_doubt())
}

impl Journal {
    /// The journal of a delivery that has recorded nothing. `began_ms` and `seed` are what the run's clock and
    /// random numbers begin with.
    pub fn new(version: &str, began_ms: i64, seed: u64) -> Journal {
        let header = Header { version: version.to_owned(), began_ms, seed, next: 1, anew: false };
        Journal {
            header,
            header_changed: true,
            way: VecDeque::new(),
            aside: Vec::new(),
            changes: Vec::new(),
            touches: HashMap::new(),
            applying: None,
            undone: Vec::new(),
            bytes: 0,
            heard_of_old: false,
            failed_for_now: false,
            acted_unnamed: false,
            has_read: false,
        }
    }

    /// The journal of a delivery with what its earlier runs recorded; nothing in it may be
    /// [`unsettled`]. The other arguments are those of a run without a way, as in [`Journal::new`].
    pub fn load(recorded: Header, mut steps: Vec<Step>, version: &str, began_ms: i64, seed: u64) -> Journal {
        steps.sort_by_key(|step| step.number);
        let bytes = steps.iter().map(Step::bytes).sum();
        let touches = steps.iter().filter_map(Touch::of).collect();
        let (aside, mut way): (Vec<Step>, Vec<Step>) = steps.into_iter().partition(|step| step.aside);
        let end = way.iter().rposition(Step::is_succeeded_action).map_or(0, |last| last + 1);
        let rest = way.split_off(end);
        let mut journal = Journal { bytes, touches, aside, ..Journal::new(version, began_ms, seed) };
        journal.header.next = recorded.next;
        journal.set_aside(rest);
        if recorded.version != version {
            journal.set_aside(way);
        } else if recorded.anew {
            // With the same time and the same random numbers more of its actions have the arguments that are recorded.
            journal.header = Header { anew: false, ..recorded };
            journal.set_aside(way);
        } else if !way.is_empty() {
            journal.way = way.into();
            journal.header = recorded;
            journal.header_changed = false;
        }
        journal
    }

    /// What the run's clock and random numbers begin with.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Whether the steps that are made now are repeated ones.
    pub fn is_repeating(&self) -> bool {
        !self.way.is_empty()
    }

    /// Bytes of what is recorded.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What to do with the next call of the run.
    pub fn next(&mut self, call: &Call) -> Next {
        match self.way.pop_front() {
            Some(step) if step.call.is_the_same(call) => return self.repeat(step),
            Some(step) => {
                let mut left: Vec<Step> = vec![step];
                left.extend(self.way.drain(..));
                self.set_aside(left);
            }
            None => {}
        }
        let matched = self.matching(call);
        if call.overwrites() {
            let undone = self.take_undone(call, matched.as_ref().map_or(u32::MAX, |step| step.number));
            match matched {
                Some(_) => undone.iter().for_each(|step| self.forget(step)),
                None => self.undone = undone,
            }
        }
        if let Some(step) = matched {
            let from = step.number;
            let to = self.number();
            self.changes.push(Change::Move { from, to });
            return self.repeat(Step { number: to, ..step });
        }
        self.has_read |= call.kind == Kind::Call(Effect::Read);
        self.acted_unnamed |= call.needs_a_name();
        Next::Do(self.number())
    }

    /// A step was done that needs no commit of its own: a read, or a call that was refused before it was sent.
    pub fn note(&mut self, number: u32, call: Call, answered: Answered) {
        self.failed_for_now |= answered.answer.is_failure_for_now();
        let step = Step { number, call, at_ms: answered.at_ms, answered: Some(answered), aside: false };
        self.bytes += step.bytes();
        self.changes.push(Change::Insert(step));
    }

    /// An action is about to be done. The changes have to be on disk before it is.
    pub fn begin(&mut self, number: u32, call: Call, at_ms: i64) -> Vec<Change> {
        let step = Step { number, call, at_ms, answered: None, aside: false };
        self.bytes += step.bytes();
        self.changes.push(Change::Insert(step));
        self.take()
    }

    /// A change of the plugin's own store is about to be applied: the step, and what has to be written before it.
    pub fn own(&mut self, number: u32, call: Call, at_ms: i64) -> (Vec<Change>, Step) {
        let step = Step { number, call, at_ms, answered: None, aside: false };
        self.bytes += step.bytes();
        self.applying = Touch::by(number, &step.call);
        let mut changes = self.take();
        changes.extend(self.undone.iter().map(|step| Change::Undo { number: step.number }));
        (changes, step)
    }

    /// Takes in an answer that was recorded apart: of an action, or of a change of the own store.
    pub fn came(&mut self, answered: &Answered) {
        self.bytes += answered.bytes();
        self.failed_for_now |= answered.answer.is_failure_for_now();
        let applied = self.applying.take().filter(|_| answered.succeeded);
        let undone = std::mem::take(&mut self.undone);
        match applied.is_some() {
            true => self.bytes -= undone.iter().map(Step::bytes).sum::<usize>(),
            false => self.aside.extend(undone),
        }
        self.touches.extend(applied);
    }

    /// Everything that has to be written with the next commit.
    fn take(&mut self) -> Vec<Change> {
        let mut changes = std::mem::take(&mut self.changes);
        // Numbers are never used twice, not even by steps that are forgotten: an action's id has one in it.
        if self.header_changed {
            changes.insert(0, Change::Begin(self.header.clone()));
        } else {
            changes.insert(0, Change::Count { next: self.header.next });
        }
        self.header_changed = false;
        changes
    }

    /// Whether the next run has to look anew if the plugin asks for one: it was told what an earlier one had found, and
    /// nothing failed that may pass. What it waits for is among what it was told, and it would be told that for ever. If it
    /// has read more behind the way, it may wait for that: it looks anew all the same, unless an action without a name
    /// would be taken for another one where what it says has changed.
    pub fn is_stale(&self) -> bool {
        self.heard_of_old && !self.failed_for_now && !(self.acted_unnamed && self.has_read)
    }

    fn number(&mut self) -> u32 {
        let number = self.header.next;
        self.header.next += 1;
        number
    }

    fn repeat(&mut self, step: Step) -> Next {
        self.heard_of_old |= step.is_news();
        self.acted_unnamed |= step.call.needs_a_name() && step.succeeded();
        Next::Repeat(
            step.answered.expect("the way and what is kept aside have answers: doubts are settled first"),
        )
    }

    /// Takes steps off the way: keeps what must not be done twice, and forgets the rest.
    fn set_aside(&mut self, steps: Vec<Step>) {
        for step in steps {
            let number = step.number;
            if step.is_kept() {
                self.changes.push(Change::Aside { number });
                self.aside.push(Step { aside: true, ..step });
            } else {
                self.forget(&step);
            }
        }
    }

    fn forget(&mut self, step: &Step) {
        self.bytes -= step.bytes();
        self.changes.push(Change::Forget { number: step.number });
    }

    /// A call overwrites its place of the own store: takes what was done to it before the step of this number, which is
    /// undone then, and no answer any more.
    fn take_undone(&mut self, call: &Call, number: u32) -> Vec<Step> {
        let is_undone = |step: &mut Step| {
            step.number < number && step.call.kind == Kind::Own && step.call.place() == call.place()
        };
        self.aside.extract_if(.., is_undone).collect()
    }

    /// Whether a record still answers its call: what it did to the own store was not undone by a later change.
    fn still_holds(&self, step: &Step) -> bool {
        step.call.kind != Kind::Own
            || self
                .touches
                .get(&Place::of(&step.call))
                .is_none_or(|last| step.call.survives(step.number, last))
    }

    /// Takes the record that a call off the way is matched with: by the author's name for it, else by its
    /// arguments.
    fn matching(&mut self, call: &Call) -> Option<Step> {
        if !call.is_matched() {
            return None;
        }
        let named = |step: &Step| {
            call.once.is_some() && step.call.function == call.function && step.call.once == call.once
        };
        let alike = |step: &Step| {
            let differ_in_name = step.call.once.is_some() && call.once.is_some();
            step.call.function == call.function && step.call.arguments == call.arguments && !differ_in_name
        };
        let same = |step: &Step| alike(step) && step.call.once == call.once;
        let first = |fits: &dyn Fn(&Step) -> bool| {
            let fits = |step: &Step| fits(step) && self.still_holds(step);
            let steps = self.aside.iter().enumerate().filter(|(_, step)| fits(step));
            steps.min_by_key(|(_, step)| step.number).map(|(at, _)| at)
        };
        // In the order in which they were done. A record that has a name is left to the call of that name.
        let at = first(&named).or_else(|| first(&same)).or_else(|| first(&alike))?;
        Some(self.aside.remove(at))
    }
}
