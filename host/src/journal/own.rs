//! Changes of the plugin's own store as steps, and which records of them a later change leaves true.
//!
//! A run that has left the way is answered from the record of a change only as long as the store is as that change left it.
//! Set, deleted and set again, a value must end as the last run wants it, whatever earlier ones did to it.

use serde::Serialize;

use super::{Call, Kind, Step, fingerprint};
use crate::action::{Effect, files, memory, timers};

/// A change of the plugin's own store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Own {
    /// Of its memory.
    Memory(memory::Call),
    /// Of its timers.
    Timer(timers::Call),
    /// Of the files that it publishes.
    File(files::Call),
}

impl Own {
    /// The call as a step has it.
    pub fn call(&self, kind: Kind) -> Call {
        let json = serde_json::to_vec(self).expect("every call can be written as JSON");
        let (function, about) = match self {
            Own::Memory(call) => (call.function(), call.key().to_owned()),
            Own::Timer(call) => (call.function(), call.about()),
            Own::File(call) => (files::PUBLISH, call.name.clone()),
        };
        Call {
            kind,
            function: function.to_owned(),
            arguments: fingerprint(&json),
            once: None,
            about,
            request: None,
        }
    }
}

/// What a change of the own store is made to: a key of the memory, a timer, a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    interface: String,
    about: String,
}

impl Place {
    pub(super) fn of(call: &Call) -> Place {
        let (interface, about) = call.place();
        Place { interface: interface.to_owned(), about: about.to_owned() }
    }
}

/// The last change of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Touch {
    number: u32,
    is_delete: bool,
}

impl Touch {
    /// That of a recorded step, if it changed something.
    pub(super) fn of(step: &Step) -> Option<(Place, Touch)> {
        step.succeeded().then(|| Touch::by(step.number, &step.call)).flatten()
    }

    /// That of a step of this number, if it is a change of the own store.
    pub(super) fn by(number: u32, call: &Call) -> Option<(Place, Touch)> {
        let touch = Touch { number, is_delete: call.function == memory::DELETE };
        (call.kind == Kind::Own).then(|| (Place::of(call), touch))
    }
}

impl Call {
    /// Whether a record of this call keeps one off the way from being done again.
    pub(super) fn is_matched(&self) -> bool {
        match self.kind {
            // A claim knows its owner: made again it says whether it still holds, which its record can't.
            Kind::Own => self.function != memory::CLAIM,
            Kind::Call(effect) => !matches!(effect, Effect::Read | Effect::Repeatable),
        }
    }

    /// What a change of the own store is made to: the interface, and what it has there.
    pub(super) fn place(&self) -> (&str, &str) {
        let (interface, _) = self.function.split_once('.').unwrap_or((&self.function, ""));
        (interface, &self.about)
    }

    /// Whether nothing but its arguments tells this action from others, and it can't be repeated.
    pub(super) fn needs_a_name(&self) -> bool {
        self.kind != Kind::Own && self.is_matched() && self.once.is_none()
    }

    /// Whether it leaves nothing of what was at its place of the own store.
    pub(super) fn overwrites(&self) -> bool {
        let depends = [memory::INCREMENT, memory::COMPARE_AND_SWAP, memory::CLAIM];
        self.kind == Kind::Own && !depends.contains(&&*self.function)
    }

    /// Whether the record of this change of the own store, of this number, still says what is so, when `last` was the
    /// last change of its place.
    pub(super) fn survives(&self, number: u32, last: &Touch) -> bool {
        match &*self.function {
            // Added once is added, whatever came of the number.
            memory::INCREMENT => true,
            // What it took was given back: a lock.
            memory::COMPARE_AND_SWAP => number >= last.number || !last.is_delete,
            _ => number >= last.number,
        }
    }
}
