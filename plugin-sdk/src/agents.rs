//! LiveChat's agents, groups and tags.
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
use crate::objects::{AgentProfile, Group, RoutingStatus, Status, Tag};
use crate::{Action, Error, json};

/// Who accepts chats right now, people and bots, of the groups named; of all if none is.
/// Grant: `agents.list-routing-statuses`.
///
/// # Errors
/// The platform did not answer.
pub fn routing_statuses(group_ids: &[i64]) -> Result<Vec<RoutingStatus>, Error> {
    json::read("LiveChat's list of routing statuses", &contract::list_routing_statuses(group_ids)?)
}

/// The people of the account, of the groups named; of all if none is. `fields` are names of what LiveChat has more of:
/// `groups`, `job_title` … Grant: `agents.list-agents`.
///
/// # Errors
/// The platform did not answer.
pub fn list(group_ids: &[i64], fields: &[&str]) -> Result<Vec<AgentProfile>, Error> {
    json::read("LiveChat's list of agents", &contract::list_agents(group_ids, &owned(fields))?)
}

/// One agent by the e-mail address; `fields` as with [`list`]. Grant: `agents.get-agent`.
///
/// # Errors
/// `not-found`, or the platform did not answer.
pub fn get(agent_id: &str, fields: &[&str]) -> Result<AgentProfile, Error> {
    json::read("LiveChat's agent", &contract::get_agent(agent_id, &owned(fields))?)
}

/// The groups of the account; `fields` are any of `agent_priorities` and `routing_status`. Grant: `agents.list-groups`.
///
/// # Errors
/// The platform did not answer.
pub fn groups(fields: &[&str]) -> Result<Vec<Group>, Error> {
    json::read("LiveChat's list of groups", &contract::list_groups(&owned(fields))?)
}

/// The tags of the account that the groups named can use; all if none is. Grant: `agents.list-tags`.
///
/// # Errors
/// The platform did not answer.
pub fn tags(group_ids: &[i64]) -> Result<Vec<Tag>, Error> {
    json::read("LiveChat's list of tags", &contract::list_tags(group_ids)?)
}

/// Sets whether an agent or bot accepts chats; `Offline` is for bots. Grant: `agents.set-routing-status`.
pub fn set_routing_status(
    agent_id: &str,
    status: &Status,
) -> Action<impl FnOnce(Option<&str>) -> Result<(), Error>> {
    Action::new(move |once| Ok(contract::set_routing_status(agent_id, status.as_str(), once)?))
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
