//! Calls to a plugin's own key-value store, as the contract's interface `memory` names them.

use serde::Serialize;

use super::{BoxFuture, Error};

/// One call; see `wit/memory.wit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the contract documents each function and its arguments")]
pub enum Call {
    Get { key: String },
    ListKeys { prefix: String, after: Option<String>, limit: u32 },
    Set { key: String, value: Vec<u8>, ttl_ms: Option<u64> },
    Delete { key: String },
    Increment { key: String, by: i64, ttl_ms: Option<u64> },
    CompareAndSwap { key: String, expected: Option<Vec<u8>>, value: Vec<u8>, ttl_ms: Option<u64> },
    Claim { key: String, ttl_ms: u64 },
}

/// The function of the contract that claims a key.
pub const CLAIM: &str = "memory.claim";
/// That adds to a number.
pub const INCREMENT: &str = "memory.increment";
/// That sets a key if its value is an expected one.
pub const COMPARE_AND_SWAP: &str = "memory.compare-and-swap";
/// That removes a key.
pub const DELETE: &str = "memory.delete";

impl Call {
    /// The function of the contract.
    pub fn function(&self) -> &'static str {
        match self {
            Call::Get { .. } => "memory.get",
            Call::ListKeys { .. } => "memory.list-keys",
            Call::Set { .. } => "memory.set",
            Call::Delete { .. } => DELETE,
            Call::Increment { .. } => INCREMENT,
            Call::CompareAndSwap { .. } => COMPARE_AND_SWAP,
            Call::Claim { .. } => CLAIM,
        }
    }

    /// The key, or what keys begin with.
    pub fn key(&self) -> &str {
        match self {
            Call::ListKeys { prefix, .. } => prefix,
            Call::Get { key }
            | Call::Set { key, .. }
            | Call::Delete { key }
            | Call::Increment { key, .. }
            | Call::CompareAndSwap { key, .. }
            | Call::Claim { key, .. } => key,
        }
    }

    /// Whether the call only reads.
    pub fn is_read(&self) -> bool {
        matches!(self, Call::Get { .. } | Call::ListKeys { .. })
    }
}

/// The answer to a [`Call`], of the kind that the call has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "one case per kind of answer")]
pub enum Answer {
    Value(Option<Vec<u8>>),
    Keys(Vec<String>),
    Done,
    Number(i64),
    Whether(bool),
}

/// What one plugin's store may hold; see [`Limits`](crate::limits::Limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is a row of `limits::Limits`")]
pub struct Room {
    pub keys: u32,
    pub value_bytes: usize,
    pub bytes: u64,
    pub timers: u32,
    pub timer_bytes: usize,
    pub files: u32,
    pub file_bytes: usize,
    pub file_versions: u32,
    pub all_files_bytes: u64,
}

/// The plugins' key-value stores as a run sees them.
pub trait Memory: Send + Sync {
    /// Answers a call that only reads. Those that change something go through the
    /// [ledger](crate::journal::Ledger), which records them.
    fn read<'a>(&'a self, plugin: &'a str, call: Call) -> BoxFuture<'a, Result<Answer, Error>>;

    /// The same on the calling thread, which waits for the disk where it has to.
    ///
    /// # Errors
    /// As above.
    fn read_here(&self, plugin: &str, call: Call) -> Result<Answer, Error>;
}
