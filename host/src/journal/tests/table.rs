//! The store, as far as a journal needs it.

use std::collections::BTreeMap;

use super::*;

#[derive(Default)]
pub(super) struct Table {
    pub(super) header: Option<Header>,
    pub(super) steps: BTreeMap<u32, Step>,
}

impl Table {
    /// Writes changes, those of a change of the own store that is applied among them.
    pub(super) fn apply(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Begin(header) => self.header = Some(header),
                Change::Count { next } => self.header.as_mut().expect("a header").next = next,
                Change::Insert(step) => assert!(self.steps.insert(step.number, step).is_none()),
                Change::Answer { number, answered } => self.step(number).answered = Some(answered),
                Change::Move { from, to } => {
                    let step = self.steps.remove(&from).expect("a step to move");
                    self.steps.insert(to, Step { number: to, aside: false, ..step });
                }
                Change::Aside { number } => self.step(number).aside = true,
                Change::Forget { number } | Change::Undo { number } => {
                    assert!(self.steps.remove(&number).is_some())
                }
            }
        }
    }

    /// The journal of the next run, on this version.
    pub(super) fn load(&self, version: &str) -> Journal {
        match self.header.clone() {
            Some(header) => Journal::load(header, self.steps.values().cloned().collect(), version, 0, 0),
            None => Journal::new(version, 0, 0),
        }
    }

    /// Applies a change of the own store, as the store does: in one commit with its step.
    pub(super) fn own(&mut self, journal: &mut Journal, number: u32, call: Call) {
        let (changes, step) = journal.own(number, call, 0);
        let came = answered("", true);
        self.apply(changes);
        self.apply(vec![Change::Insert(Step { answered: Some(came.clone()), ..step })]);
        journal.came(&came);
    }

    pub(super) fn step(&mut self, number: u32) -> &mut Step {
        self.steps.get_mut(&number).expect("a recorded step")
    }
}
