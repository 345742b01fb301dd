//! Calls to a plugin's own key-value store, as the contract's interface `memory` names them.

use super::{BoxFuture, Error, Origin};

/// One call; see `wit/memory.wit`.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// The plugins' key-value stores as a run sees them.
pub trait Memory: Send + Sync {
    /// Makes one call on the store of the calling plugin, atomically and durably.
    fn call<'a>(&'a self, origin: &'a Origin, call: Call) -> BoxFuture<'a, Result<Answer, Error>>;
}
