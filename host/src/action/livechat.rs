//! Calls to the LiveChat API, as the contract's interfaces `chats`, `customers`, `agents`, `reports` and `livechat`
//! name them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::fuse::Subject;
use super::{BoxFuture, Effect, Error, Failure, Origin};
use crate::grant::{self, Asked, Facts};

pub mod direct;
mod report;

pub use direct::{Api, Direct};
pub use report::Report;

/// Who gets a transferred chat: groups or agents, not both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferTarget {
    /// LiveChat group ids.
    pub group_ids: Vec<i64>,
    /// LiveChat agent ids.
    pub agent_ids: Vec<String>,
    /// Queue the chat if nobody is available, instead of failing.
    pub ignore_availability: bool,
}

/// One call. What each field means is told in the interfaces of `wit` by their names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the contract documents each function and its arguments")]
pub enum Call {
    GetChat { chat_id: String, thread_id: Option<String> },
    SendMessage { chat_id: String, text: String },
    SendNote { chat_id: String, text: String },
    Tag { chat_id: String, thread_id: String, tag: String },
    Untag { chat_id: String, thread_id: String, tag: String },
    Transfer { chat_id: String, target: TransferTarget },
    Assign { chat_id: String, agent_id: String, visibility: String },
    RemoveUser { chat_id: String, agent_id: String },
    Deactivate { chat_id: String },
    SetProperties { chat_id: String, properties: String },
    GetCustomer { customer_id: String },
    ListRoutingStatuses { group_ids: Vec<i64> },
    ListChats { query: String, page_id: Option<String> },
    ListArchives { query: String, page_id: Option<String> },
    ListAgents { group_ids: Vec<i64>, fields: Vec<String> },
    GetAgent { agent_id: String, fields: Vec<String> },
    ListGroups { fields: Vec<String> },
    ListTags { group_ids: Vec<i64> },
    SetRoutingStatus { agent_id: String, status: String },
    UpdateCustomer { customer_id: String, fields: String },
    BanCustomer { customer_id: String, days: u32 },
    Report { report: Report, query: String },
    Direct(Direct),
}

impl Call {
    /// The capability that a plugin must be granted to make this call: interface and function of the contract.
    pub fn capability(&self) -> Cow<'static, str> {
        let fixed = match self {
            Call::Direct(call) => return grant::livechat(&call.name()).into(),
            Call::Report { report, .. } => report.capability(),
            Call::GetChat { .. } => "chats.get-chat",
            Call::SendMessage { .. } => "chats.send-message",
            Call::SendNote { .. } => "chats.send-note",
            Call::Tag { .. } => "chats.tag",
            Call::Untag { .. } => "chats.untag",
            Call::Transfer { .. } => "chats.transfer",
            Call::Assign { .. } => "chats.assign",
            Call::RemoveUser { .. } => "chats.remove-user",
            Call::Deactivate { .. } => "chats.deactivate",
            Call::SetProperties { .. } => "chats.set-properties",
            Call::GetCustomer { .. } => "customers.get",
            Call::ListRoutingStatuses { .. } => "agents.list-routing-statuses",
            Call::ListChats { .. } => "chats.list-chats",
            Call::ListArchives { .. } => "chats.list-archives",
            Call::ListAgents { .. } => "agents.list-agents",
            Call::GetAgent { .. } => "agents.get-agent",
            Call::ListGroups { .. } => "agents.list-groups",
            Call::ListTags { .. } => "agents.list-tags",
            Call::SetRoutingStatus { .. } => "agents.set-routing-status",
            Call::UpdateCustomer { .. } => "customers.update",
            Call::BanCustomer { .. } => "customers.ban",
        };
        fixed.into()
    }

    /// The call as grants see it.
    pub fn asked(&self) -> Asked<'_> {
        let facts = match self {
            Call::Tag { tag, .. } | Call::Untag { tag, .. } => Facts::Tag(tag),
            Call::Transfer { target, .. } => {
                Facts::Target { groups: &target.group_ids, agents: &target.agent_ids }
            }
            Call::Assign { agent_id, .. }
            | Call::RemoveUser { agent_id, .. }
            | Call::GetAgent { agent_id, .. }
            | Call::SetRoutingStatus { agent_id, .. } => {
                Facts::Target { groups: &[], agents: std::slice::from_ref(agent_id) }
            }
            Call::ListRoutingStatuses { group_ids }
            | Call::ListAgents { group_ids, .. }
            | Call::ListTags { group_ids } => Facts::Target { groups: group_ids, agents: &[] },
            _ => Facts::None,
        };
        Asked { capability: self.capability(), facts }
    }

    /// What making the call twice does.
    pub fn effect(&self) -> Effect {
        match self {
            Call::GetChat { .. }
            | Call::GetCustomer { .. }
            | Call::ListRoutingStatuses { .. }
            | Call::ListChats { .. }
            | Call::ListArchives { .. }
            | Call::ListAgents { .. }
            | Call::GetAgent { .. }
            | Call::ListGroups { .. }
            | Call::ListTags { .. }
            | Call::Report { .. } => Effect::Read,
            Call::Direct(call) => call.effect(),
            Call::SendMessage { .. } | Call::SendNote { .. } | Call::Transfer { .. } => Effect::LookedUp,
            Call::Tag { .. }
            | Call::Untag { .. }
            | Call::Assign { .. }
            | Call::RemoveUser { .. }
            | Call::Deactivate { .. }
            | Call::SetProperties { .. }
            | Call::SetRoutingStatus { .. }
            | Call::UpdateCustomer { .. }
            | Call::BanCustomer { .. } => Effect::Repeatable,
        }
    }

    /// The types of the webhooks, beside those of chat events, that the call may cause in its chat and that
    /// say who caused them.
    pub fn causes(&self) -> &'static [&'static str] {
        let action = match self {
            // Our user may have to join, and leaves after a note.
            Call::SendMessage { .. } | Call::SendNote { .. } => {
                return &["user_added_to_chat", "user_removed_from_chat"];
            }
            Call::Transfer { .. } => "transfer_chat",
            Call::Assign { .. } => "add_user_to_chat",
            Call::RemoveUser { .. } => "remove_user_from_chat",
            Call::Deactivate { .. } => "deactivate_chat",
            Call::Direct(call) => call.action.as_str(),
            _ => return &[],
        };
        match action {
            // Who had the chat before leaves it, who gets it joins.
            "transfer_chat" => &["chat_transferred", "user_added_to_chat", "user_removed_from_chat"],
            "add_user_to_chat" => &["user_added_to_chat"],
            "remove_user_from_chat" => &["user_removed_from_chat"],
            "deactivate_chat" => &["chat_deactivated"],
            _ => &[],
        }
    }

    /// Whether the call only reads.
    pub fn is_read(&self) -> bool {
        self.effect() == Effect::Read
    }

    /// What the call is done to, for people.
    pub fn about(&self) -> String {
        match (self.chat_id(), self) {
            (Some(chat), _) => format!("chat {chat}"),
            (None, Call::GetCustomer { customer_id })
            | (None, Call::UpdateCustomer { customer_id, .. })
            | (None, Call::BanCustomer { customer_id, .. }) => format!("customer {customer_id}"),
            (None, Call::GetAgent { agent_id, .. } | Call::SetRoutingStatus { agent_id, .. }) => {
                format!("agent {agent_id}")
            }
            (None, _) => "the account".to_owned(),
        }
    }

    /// What the call changes, as the fuse counts it.
    pub fn subject(&self) -> Subject<'_> {
        match self {
            Call::SetRoutingStatus { agent_id, .. } => Subject::Agent(agent_id),
            Call::UpdateCustomer { customer_id, .. } | Call::BanCustomer { customer_id, .. } => {
                Subject::Customer(customer_id)
            }
            Call::Direct(call) => call.subject(),
            call => call.chat_id().map_or(Subject::Account, Subject::Chat),
        }
    }

    /// The chat that the call is about, if it is about one.
    pub fn chat_id(&self) -> Option<&str> {
        match self {
            Call::GetChat { chat_id, .. }
            | Call::SendMessage { chat_id, .. }
            | Call::SendNote { chat_id, .. }
            | Call::Tag { chat_id, .. }
            | Call::Untag { chat_id, .. }
            | Call::Transfer { chat_id, .. }
            | Call::Assign { chat_id, .. }
            | Call::RemoveUser { chat_id, .. }
            | Call::Deactivate { chat_id }
            | Call::SetProperties { chat_id, .. } => Some(chat_id),
            Call::Direct(call) => call.chat_id(),
            _ => None,
        }
    }
}

/// The LiveChat API as a run sees it.
pub trait LiveChat: Send + Sync {
    /// Makes one call; answers JSON text for reads and for [`Call::Direct`], the id of the chat event for messages and
    /// notes, and empty text for the other actions.
    fn call<'a>(&'a self, origin: &'a Origin, call: Call) -> BoxFuture<'a, Result<String, Failure>>;

    /// Whether a request can be made of a call at all. Asked before the call takes its turn: what is refused here says
    /// nothing of LiveChat, and what LiveChat refuses says that it answers.
    ///
    /// # Errors
    /// What makes no sense, or can't be asked for.
    fn validate(&self, _origin: &Origin, _call: &Call) -> Result<(), Error> {
        Ok(())
    }

    /// Finds out whether a call took place whose answer was lost, where that can be found out
    /// ([`Effect::LookedUp`]); `origin` is that of the call, and `sent_at_ms` when it left. Answers what the call
    /// would have answered; `None` if there is no trace of it, or not yet.
    fn look_up<'a>(
        &'a self,
        origin: &'a Origin,
        call: &'a Call,
        sent_at_ms: i64,
    ) -> BoxFuture<'a, Result<Option<String>, Failure>>;

    /// Whether a call would be let out now. Asked before anything is written down of an action; that it was let out
    /// then is not promised.
    ///
    /// # Errors
    /// [`Failure::Closed`].
    fn ready(&self) -> Result<(), Failure> {
        Ok(())
    }
}

/// A chat that our user has joined for a note, and has to leave again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The chat.
    pub chat_id: String,
    /// Our user's id.
    pub agent_id: String,
}

/// Which chats our user visits: kept on disk, so that it leaves them even if the process ends in between.
pub trait Visits: Send + Sync {
    /// Records a visit before it begins.
    fn begin<'a>(&'a self, visit: &'a Visit) -> BoxFuture<'a, Result<(), Error>>;

    /// Records that a visit is over.
    fn end<'a>(&'a self, visit: &'a Visit) -> BoxFuture<'a, Result<(), Error>>;

    /// Some of the visits that are not over, at most a few hundred, in any order.
    fn open(&self) -> BoxFuture<'_, Result<Vec<Visit>, Error>>;

    /// Whether a visit is not over.
    fn is_open<'a>(&'a self, visit: &'a Visit) -> BoxFuture<'a, Result<bool, Error>>;
}
