use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::json::or_default;

/// A person of the team, as the account has them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct AgentProfile {
    /// The e-mail address.
    pub id: String,
    /// The name that customers see.
    pub name: Option<String>,
    /// `owner`, `viceowner`, `administrator` or `normal`.
    pub role: Option<String>,
    /// The groups, if they were asked for.
    #[serde(deserialize_with = "or_default")]
    pub groups: Vec<GroupMembership>,
    /// The title, if it was asked for.
    pub job_title: Option<String>,
    /// So many chats at a time, if that was asked for.
    pub max_chats_count: Option<i64>,
    /// Whether they can't log in, if that was asked for.
    pub suspended: Option<bool>,
    /// When they work, if that was asked for, as LiveChat sent it.
    pub work_scheduler: Value,
}

/// A group that an agent belongs to.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct GroupMembership {
    /// The group.
    pub id: i64,
    /// `first`, `normal`, `last` or `supervisor`.
    pub priority: Option<String>,
}

/// A group of the account.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Group {
    /// Its id; 0 is the group of everybody.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The language of its chats.
    pub language_code: Option<String>,
    /// Whether it takes chats, if that was asked for.
    pub routing_status: Option<String>,
    /// Agent id to priority, if they were asked for.
    #[serde(deserialize_with = "or_default")]
    pub agent_priorities: BTreeMap<String, String>,
}

/// A tag of the account.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Tag {
    /// Its name; case counts.
    pub name: String,
    /// The groups that can use it; 0 is everybody.
    #[serde(deserialize_with = "or_default")]
    pub group_ids: Vec<i64>,
}
