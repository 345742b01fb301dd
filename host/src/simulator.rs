//! Strict doubles of LiveChat, HubSpot, Slack, and of a service that knows an `Idempotency-Key`: real HTTP on this
//! machine, for the tests and the demo.
//!
//! They are written from what the services document, not from the host's own clients, and refuse what the
//! services would refuse. Nothing else in the host knows of them: it only gets other base URLs.

mod fault;
pub mod hubspot;
pub mod ledger;
pub mod livechat;
mod record;
pub mod scenario;
mod server;
pub mod slack;

pub use fault::{Chance, Fault, Faults, Hits, Times};
pub use hubspot::Hubspot;
pub use ledger::Ledger;
pub use livechat::Livechat;
pub use record::{NotYet, Recorded, Requests};
pub use slack::Slack;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The lock, also after a panic elsewhere: a test that failed must not hide behind a poisoned double.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
