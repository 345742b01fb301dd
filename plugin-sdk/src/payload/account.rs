//! The payloads about the account: agents, bots, groups, tags, and who may see which chats.
//!
//! Where something was changed, what did not change is absent. Who did it stands in
//! [`Event::extra_json`](crate::Event::extra_json), as `requester`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::json::or_default;
use crate::objects::{GroupMembership, RuleChange};

/// A person came into the team or was changed: `agent_created`, `agent_updated`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct AgentSaved {
    /// The e-mail address.
    #[serde(deserialize_with = "or_default")]
    pub id: String,
    /// The name that customers see.
    pub name: Option<String>,
    /// `owner`, `viceowner`, `administrator` or `normal`.
    pub role: Option<String>,
    /// Whether somebody has to approve them first.
    pub awaiting_approval: Option<bool>,
    /// The groups.
    pub groups: Option<Vec<GroupMembership>>,
    /// The title.
    pub job_title: Option<String>,
    /// So many chats at a time.
    pub max_chats_count: Option<i64>,
    /// What they are told of while they work.
    pub notifications: Option<Vec<String>>,
    /// Which mails they get.
    pub email_subscriptions: Option<Vec<String>>,
    /// When they work, as LiveChat sent it: v3.4 has another shape than v3.6.
    pub work_scheduler: Value,
}

/// Something happened to a person of the team: `agent_approved`, `agent_suspended`, `agent_unsuspended`, `agent_deleted`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct AgentRef {
    /// The e-mail address.
    #[serde(deserialize_with = "or_default")]
    pub id: String,
}

/// A bot was made or changed: `bot_created`, `bot_updated`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BotSaved {
    /// The bot's id, an opaque text.
    #[serde(deserialize_with = "or_default")]
    pub id: String,
    /// The name that customers see.
    pub name: Option<String>,
    /// `first`, `normal` or `last`: in groups that are not named.
    pub default_group_priority: Option<String>,
    /// The groups.
    pub groups: Option<Vec<GroupMembership>>,
    /// The app that it belongs to.
    pub owner_client_id: Option<String>,
}

/// A bot is gone: `bot_deleted`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BotDeleted {
    /// The bot's id.
    #[serde(deserialize_with = "or_default")]
    pub id: String,
}

/// A group was made or changed: `group_created`, `group_updated`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct GroupSaved {
    /// The group's id.
    #[serde(deserialize_with = "or_default")]
    pub id: i64,
    /// Its name.
    pub name: Option<String>,
    /// The language of its chats.
    pub language_code: Option<String>,
    /// Agent id to priority.
    pub agent_priorities: Option<BTreeMap<String, String>>,
}

/// A group is gone: `group_deleted`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct GroupDeleted {
    /// The group's id.
    #[serde(deserialize_with = "or_default")]
    pub id: i64,
}

/// A tag was made or changed: `tag_created`, `tag_updated`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TagSaved {
    /// Its name; case counts.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// The groups that can use it; 0 is everybody.
    pub group_ids: Option<Vec<i64>>,
    /// When it was made, RFC 3339.
    pub created_at: Option<String>,
    /// Who made it.
    pub author_id: Option<String>,
}

/// A tag is gone: `tag_deleted`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TagDeleted {
    /// Its name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
}

/// A rule that says which groups get the chats of which pages. `auto_accesses_updated` brings a list of them:
/// `event.payload_as::<Vec<AccessRule>>()`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct AccessRule {
    /// The rule's id.
    #[serde(deserialize_with = "or_default")]
    pub id: String,
    /// What happened to it.
    #[serde(rename = "status", deserialize_with = "or_default")]
    pub change: RuleChange,
    /// The rule that is asked after it; empty if it is the last one.
    #[serde(deserialize_with = "or_default")]
    pub next_id: String,
    /// What it is for.
    pub description: Option<String>,
    /// Who gets the chats.
    pub access: Option<RuleAccess>,
    /// Of which pages, countries …, as LiveChat sent it.
    pub conditions: Value,
}

/// Who gets the chats of a rule.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct RuleAccess {
    /// Ids of groups; 0 means everyone.
    #[serde(deserialize_with = "or_default")]
    pub groups: Vec<i64>,
}
