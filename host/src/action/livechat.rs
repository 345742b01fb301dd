//! Calls to the LiveChat API, as the contract's interfaces `chats`, `customers` and `agents` name them.

use serde::{Deserialize, Serialize};

use super::{BoxFuture, Effect, Error, Failure, Origin};
use crate::grant::{Asked, Facts};

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

/// One call. What each field means is told in `wit/chats.wit`, `customers.wit` and `agents.wit`.
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
}

impl Call {
    /// The capability that a plugin must be granted to make this call: interface and function of the contract.
    pub fn capability(&self) -> &'static str {
        match self {
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
        }
    }

    /// The call as grants see it.
    pub fn asked(&self) -> Asked<'_> {
        let facts = match self {
            Call::Tag { tag, .. } | Call::Untag { tag, .. } => Facts::Tag(tag),
            Call::Transfer { target, .. } => {
                Facts::Target { groups: &target.group_ids, agents: &target.agent_ids }
            }
            Call::Assign { agent_id, .. } | Call::RemoveUser { agent_id, .. } => {
                Facts::Target { groups: &[], agents: std::slice::from_ref(agent_id) }
            }
            Call::ListRoutingStatuses { group_ids } => Facts::Target { groups: group_ids, agents: &[] },
            Call::GetChat { .. }
            | Call::SendMessage { .. }
            | Call::SendNote { .. }
            | Call::Deactivate { .. }
            | Call::SetProperties { .. }
            | Call::GetCustomer { .. } => Facts::None,
        };
        Asked { capability: self.capability().into(), facts }
    }

    /// What making the call twice does.
    pub fn effect(&self) -> Effect {
        match self {
            Call::GetChat { .. } | Call::GetCustomer { .. } | Call::ListRoutingStatuses { .. } => {
                Effect::Read
            }
            Call::SendMessage { .. } | Call::SendNote { .. } | Call::Transfer { .. } => Effect::LookedUp,
            Call::Tag { .. }
            | Call::Untag { .. }
            | Call::Assign { .. }
            | Call::RemoveUser { .. }
            | Call::Deactivate { .. }
            | Call::SetProperties { .. } => Effect::Repeatable,
        }
    }

    /// The types of the webhooks, beside those of chat events, that the call may cause in its chat and that
    /// say who caused them.
    pub fn causes(&self) -> &'static [&'static str] {
        match self {
            // Our user may have to join, and leaves after a note.
            Call::SendMessage { .. } | Call::SendNote { .. } => {
                &["user_added_to_chat", "user_removed_from_chat"]
            }
            // Who had the chat before leaves it, who gets it joins.
            Call::Transfer { .. } => &["chat_transferred", "user_added_to_chat", "user_removed_from_chat"],
            Call::Assign { .. } => &["user_added_to_chat"],
            Call::RemoveUser { .. } => &["user_removed_from_chat"],
            Call::Deactivate { .. } => &["chat_deactivated"],
            _ => &[],
        }
    }

    /// Whether the call only reads.
    pub fn is_read(&self) -> bool {
        self.effect() == Effect::Read
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
            Call::GetCustomer { .. } | Call::ListRoutingStatuses { .. } => None,
        }
    }
}

/// The LiveChat API as a run sees it.
pub trait LiveChat: Send + Sync {
    /// Makes one call; answers JSON text for reads, the id of the chat event for messages and notes, and
    /// empty text for the other actions.
    fn call<'a>(&'a self, origin: &'a Origin, call: Call) -> BoxFuture<'a, Result<String, Failure>>;

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
