//! LiveChat's agents.
//!
//! ```no_run
//! # use chatplug_sdk::prelude::*;
//! # use chatplug_sdk::objects::Status;
//! # fn handle() -> Result<(), Failure> {
//! let sales = agents::routing_statuses(&[7])?;
//! let free = sales.iter().filter(|agent| agent.status == Status::AcceptingChats).count();
//! # Ok(()) }
//! ```
//!
//! ```no_run
//! # use chatplug_sdk::prelude::*;
//! # fn handle() -> Result<(), Failure> {
//! let everybody = match agents::routing_statuses(&[]) {
//!     Err(error) if error.code == ErrorCode::Denied => Vec::new(), // the operator prefers not to say
//!     statuses => statuses?,
//! };
//! # Ok(()) }
//! ```

use crate::exported::bindings::chatplug::plugin::agents as contract;
use crate::objects::RoutingStatus;
use crate::{Error, json};

/// Who accepts chats right now, people and bots, of the groups named; of all if none is.
/// Grant: `agents.list-routing-statuses`.
///
/// # Errors
/// The platform did not answer.
pub fn routing_statuses(group_ids: &[i64]) -> Result<Vec<RoutingStatus>, Error> {
    json::read("LiveChat's list of routing statuses", &contract::list_routing_statuses(group_ids)?)
}
