//! The payloads of what the host does for one plugin only.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Error, ErrorCode, Failure};

/// The time of one of the plugin's schedules has come.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ScheduleDue {
    /// The schedule's name.
    pub schedule: String,
    /// The time, RFC 3339, in UTC.
    pub at: String,
    /// How many times before it were missed; at most 1,000.
    pub missed: u64,
    /// Whether it came while the host was down, or the plugin could not run: the schedule catches up.
    pub caught_up: bool,
}

/// The time of a timer has come.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TimerDue {
    /// The timer's key.
    pub key: String,
    /// When it was due, RFC 3339, in UTC.
    pub due_at: String,
    /// What it was set with.
    pub payload: Value,
}

impl TimerDue {
    /// What it was set with, as a type of yours.
    ///
    /// # Errors
    /// [`Failure::Reject`] if it is no `T`.
    pub fn payload_as<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_value(self.payload.clone())
            .map_err(|error| Failure::reject(format!("what the timer `{}` was set with: {error}", self.key)))
    }
}

/// An operator wants something of the plugin.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Commanded {
    /// The command's name.
    pub command: String,
    /// Its arguments by name: texts, from the command line.
    pub arguments: Map<String, Value>,
}

impl Commanded {
    /// An argument as a text, if it was given.
    pub fn argument(&self, name: &str) -> Option<&str> {
        self.arguments.get(name).and_then(Value::as_str)
    }

    /// An argument that has to be given.
    ///
    /// # Errors
    /// A sentence for the operator; `?` rejects the command with it.
    pub fn required(&self, name: &str) -> Result<&str, Error> {
        self.argument(name).ok_or_else(|| {
            Error::new(ErrorCode::Invalid, format!("the command `{}` needs --{name} VALUE", self.command))
        })
    }
}
