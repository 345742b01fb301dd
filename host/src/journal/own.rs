use serde::Serialize;

use super::{Call, Kind, fingerprint};
use crate::action::{files, memory, timers};

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
            Own::Memory(call) => (call.function(), call.key()),
            Own::Timer(call) => (call.function(), call.key.as_str()),
            Own::File(call) => (files::PUBLISH, call.name.as_str()),
        };
        Call {
            kind,
            function: function.to_owned(),
            arguments: fingerprint(&json),
            once: None,
            about: about.to_owned(),
            request: None,
        }
    }
}
