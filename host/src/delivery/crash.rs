//! What is known of an attempt that trapped or exceeded a limit, beside its reason and its log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where the attempt was when it ended, and what it had used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crash {
    /// The plugin's functions on the stack, the innermost first, with file and line where it was built with them.
    pub backtrace: Vec<String>,
    /// What it had used of its limits.
    pub used: Vec<Used>,
}

/// How much of one limit was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// The setting under `[plugin.NAME.limits]`, which says the unit too.
    pub limit: String,
    /// What was used.
    pub used: u64,
    /// The limit.
    pub max: u64,
}

impl fmt::Display for Used {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} of {}", self.limit, self.used, self.max)
    }
}
