//! The plugin's own key-value store: durable, shared by all its events and versions, each call atomic.
//! It needs no grant. Keys are text of at most 512 bytes; values are JSON unless a function says otherwise.
//!
//! ```no_run
//! # use chatplug_sdk::prelude::*;
//! # use std::time::Duration;
//! # fn handle(chat_id: &str) -> Result<(), Failure> {
//! memory::set(&format!("greeted/{chat_id}"), &"in Polish")?;
//! let language: Option<String> = memory::get(&format!("greeted/{chat_id}"))?;
//! if memory::claim(&format!("survey/{chat_id}"), Duration::from_secs(86_400))? {
//!     info!("it is this event's turn to send the survey");
//! }
//! # Ok(()) }
//! ```
//!
//! ```no_run
//! # use chatplug_sdk::prelude::*;
//! # fn handle() -> Result<(), Failure> {
//! if let Err(error) = memory::increment("alerts", 1) {
//!     warn!("the count of alerts is wrong by one: {error}");
//! }
//! # Ok(()) }
//! ```

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::exported::bindings::chatplug::plugin::memory as contract;
use crate::{Error, ErrorCode, json};

/// The value, if there is one that has not expired.
///
/// # Errors
/// `invalid` if the value isn't JSON for a `T`.
pub fn get<T: DeserializeOwned>(key: &str) -> Result<Option<T>, Error> {
    let Some(bytes) = get_bytes(key)? else { return Ok(None) };
    json::read(&format!("the memory's value at `{key}`"), &String::from_utf8_lossy(&bytes)).map(Some)
}

/// Stores a value for good.
///
/// # Errors
/// `limit` if the value or the memory is too large.
pub fn set<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<(), Error> {
    Ok(contract::set(key, &to_json(key, value)?, None)?)
}

/// Stores a value that expires.
///
/// # Errors
/// `limit` if the value or the memory is too large.
pub fn set_for<T: Serialize + ?Sized>(key: &str, value: &T, lifetime: Duration) -> Result<(), Error> {
    Ok(contract::set(key, &to_json(key, value)?, Some(millis(lifetime)))?)
}

/// Removes a key. One that isn't there does no harm.
///
/// # Errors
/// `invalid` if the key is too long.
pub fn delete(key: &str) -> Result<(), Error> {
    Ok(contract::delete(key)?)
}

/// Adds to a number (0 if there is none) and answers the sum.
///
/// # Errors
/// `invalid` if the value isn't a number.
pub fn increment(key: &str, by: i64) -> Result<i64, Error> {
    Ok(contract::increment(key, by, None)?)
}

/// Adds to a number that expires `lifetime` from now, and answers the sum.
///
/// # Errors
/// `invalid` if the value isn't a number.
pub fn increment_for(key: &str, by: i64, lifetime: Duration) -> Result<i64, Error> {
    Ok(contract::increment(key, by, Some(millis(lifetime)))?)
}

/// Claims a key for this event: true if it was free or this event claimed it in an earlier attempt, false if
/// another event has it.
///
/// # Errors
/// `limit` if the memory is full.
pub fn claim(key: &str, lifetime: Duration) -> Result<bool, Error> {
    Ok(contract::claim(key, millis(lifetime))?)
}

/// Keys that begin with `prefix`, in order, beginning behind `after`; at most `limit`, at most 1,000.
///
/// # Errors
/// `invalid` if the prefix is too long.
pub fn keys(prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<String>, Error> {
    Ok(contract::list_keys(prefix, after, limit)?)
}

/// The value as bytes.
///
/// # Errors
/// `invalid` if the key is too long.
pub fn get_bytes(key: &str) -> Result<Option<Vec<u8>>, Error> {
    Ok(contract::get(key)?)
}

/// Stores bytes, for good if there is no `lifetime`.
///
/// # Errors
/// `limit` if the value or the memory is too large.
pub fn set_bytes(key: &str, value: &[u8], lifetime: Option<Duration>) -> Result<(), Error> {
    Ok(contract::set(key, value, lifetime.map(millis))?)
}

/// Stores bytes if the key holds `expected` (`None`: if it holds nothing); answers whether it did.
///
/// # Errors
/// `limit` if the value or the memory is too large.
pub fn compare_and_swap(
    key: &str,
    expected: Option<&[u8]>,
    value: &[u8],
    lifetime: Option<Duration>,
) -> Result<bool, Error> {
    Ok(contract::compare_and_swap(key, expected, value, lifetime.map(millis))?)
}

fn to_json<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value)
        .map_err(|error| Error::new(ErrorCode::Invalid, format!("the value for `{key}` is no JSON: {error}")))
}

fn millis(lifetime: Duration) -> u64 {
    u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX)
}
