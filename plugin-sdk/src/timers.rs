//! Timers: the plugin gets a `timer` event when the time has come, however often the host was restarted meanwhile. They
//! need no grant. A timer belongs to the chat of the event that is handled, or to the plugin where that event has none;
//! of each, a key has one timer at most.
//!
//! ```no_run
//! # use chatplug_sdk::prelude::*;
//! # use std::time::Duration;
//! # fn handle(event: Event) -> Result<(), Failure> {
//! match event.payload()? {
//!     Payload::IncomingChat(_) => timers::set("unanswered", Duration::from_secs(120), &json!({ "tries": 1 }))?,
//!     Payload::IncomingEvent(_) => drop(timers::cancel("unanswered")?),
//!     Payload::Timer(due) if due.key == "unanswered" => warn!("nobody has answered for two minutes"),
//!     _ => {}
//! }
//! # Ok(()) }
//! ```

use std::time::Duration;

use serde::Serialize;

use crate::exported::bindings::chatplug::plugin::timers as contract;
use crate::{Error, ErrorCode};

/// Sets a timer, in the place of one with this key: also if the event of that one waits already, it doesn't come any
/// more. `payload` comes with the event ([`TimerDue::payload`](crate::payload::TimerDue::payload)); it may be `&()`.
///
/// # Errors
/// `limit` if there are too many timers or the payload is too large, `invalid` if the key is too long or the delay is
/// longer than 400 days.
pub fn set<T: Serialize + ?Sized>(key: &str, delay: Duration, payload: &T) -> Result<(), Error> {
    let payload = serde_json::to_string(payload).map_err(|error| {
        Error::new(ErrorCode::Invalid, format!("the payload of the timer `{key}` is no JSON: {error}"))
    })?;
    Ok(contract::set(key, u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), &payload)?)
}

/// Takes a timer back, also if its event waits already; whether there was one.
///
/// # Errors
/// `invalid` if the key is too long.
pub fn cancel(key: &str) -> Result<bool, Error> {
    Ok(contract::cancel(key)?)
}
