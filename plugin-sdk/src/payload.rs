//! The payloads of all event types.
//!
//! They follow LiveChat's v3.6 shapes and are lenient: what is absent or null is empty, unknown fields are
//! ignored. The raw text is in [`Event::payload_json`](crate::Event::payload_json).
//!
//! [`Payload`] has the event types that plugins use most. Those of the others are read by their types
//! ([`Event::payload_as`](crate::Event::payload_as)), so that only plugins that use them hold their code:
//!
//! | Event type | Type |
//! |---|---|
//! | `chat_access_updated` | [`AccessUpdated`] |
//! | `event_deleted` | [`EventDeleted`] |
//! | `events_marked_as_seen` | [`EventsSeen`] |
//! | `event_properties_updated` | [`PropertiesUpdated`] |
//! | `chat_properties_deleted`, `thread_properties_deleted`, `event_properties_deleted` | [`PropertiesDeleted`] |
//! | `customer_session_fields_updated` | [`SessionFieldsUpdated`] |
//! | `thread_summary_set` | [`SummarySet`] |
//! | `agent_created`, `agent_updated` | [`AgentSaved`] |
//! | `agent_approved`, `agent_suspended`, `agent_unsuspended`, `agent_deleted` | [`AgentRef`] |
//! | `bot_created`, `bot_updated` | [`BotSaved`] |
//! | `bot_deleted` | [`BotDeleted`] |
//! | `group_created`, `group_updated` | [`GroupSaved`] |
//! | `group_deleted` | [`GroupDeleted`] |
//! | `tag_created`, `tag_updated` | [`TagSaved`] |
//! | `tag_deleted` | [`TagDeleted`] |
//! | `auto_accesses_updated` | [`Vec`] of [`AccessRule`] |
//!
//! ```no_run
//! # use chatplug_sdk::prelude::*;
//! use chatplug_sdk::payload::{AgentRef, SummarySet};
//!
//! # fn handle(event: Event) -> Result<(), Failure> {
//! match event.event_type.as_str() {
//!     "thread_summary_set" => {
//!         let set: SummarySet = event.payload_as()?;
//!         chats::note(&set.chat_id, set.summary.text.unwrap_or_default()).send()?;
//!     }
//!     "agent_suspended" => info!("{} can't log in any more", event.payload_as::<AgentRef>()?.id),
//!     _ => {}
//! }
//! # Ok(()) }
//! ```

use serde::Deserialize;
use serde_json::Value;

use crate::objects::{Chat, ChatEvent, Properties, Queue, RatingChange, RoutingStatus, Scale, Targets, User};
use crate::{Error, json};

mod account;
mod in_chat;
mod own;

pub use account::{
    AccessRule, AgentRef, AgentSaved, BotDeleted, BotSaved, GroupDeleted, GroupSaved, RuleAccess, TagDeleted,
    TagSaved,
};
pub use in_chat::{
    AccessUpdated, ActiveChat, EventDeleted, EventsSeen, PropertiesDeleted, SessionFieldsUpdated, Summary,
    SummarySet,
};
pub use own::{Commanded, ScheduleDue, TimerDue};

macro_rules! payloads {
    ($($event_type:literal => $name:ident($payload:ty),)*) => {
        /// An event's payload in typed form.
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub enum Payload {
            $(
                #[doc = concat!("`", $event_type, "`.")]
                $name($payload),
            )*
            /// Any other event type; the [module](crate::payload) has the types to read it by.
            Other(Value),
        }

        impl Payload {
            pub(crate) fn read(event_type: &str, text: &str) -> Result<Payload, Error> {
                let what = format!("the payload of this {event_type}");
                match event_type {
                    $($event_type => json::read(&what, text).map(Payload::$name),)*
                    _ => json::read(&what, text).map(Payload::Other),
                }
            }
        }
    };
}

payloads! {
    "incoming_chat" => IncomingChat(Box<IncomingChat>),
    "chat_deactivated" => ChatDeactivated(ChatDeactivated),
    "chat_rated" => ChatRated(ChatRated),
    "chat_transferred" => ChatTransferred(ChatTransferred),
    "user_added_to_chat" => UserAddedToChat(Box<UserAdded>),
    "user_removed_from_chat" => UserRemovedFromChat(UserRemoved),
    "incoming_event" => IncomingEvent(Box<EventInChat>),
    "event_updated" => EventUpdated(Box<EventInChat>),
    "incoming_rich_message_postback" => Postback(PostbackInChat),
    "thread_tagged" => ThreadTagged(Tagged),
    "thread_untagged" => ThreadUntagged(Tagged),
    "chat_properties_updated" => ChatPropertiesUpdated(PropertiesUpdated),
    "thread_properties_updated" => ThreadPropertiesUpdated(PropertiesUpdated),
    "routing_status_set" => RoutingStatusSet(RoutingStatus),
    "schedule" => Schedule(ScheduleDue),
    "timer" => Timer(TimerDue),
    "command" => Command(Commanded),
}

/// A chat began, or a new thread in it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct IncomingChat {
    /// The chat with its new thread, the first events included.
    pub chat: Chat,
    /// Who started it, where the platform says so.
    pub requester_id: Option<String>,
    /// Where it was before, if it was transferred.
    pub transferred_from: Option<Targets>,
}

/// A thread ended.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ChatDeactivated {
    /// The chat.
    pub chat_id: String,
    /// The thread that ended.
    pub thread_id: String,
    /// Who ended it; absent if the platform did.
    pub user_id: Option<String>,
}

/// A rating was given, changed, commented or withdrawn: one event for each change, made by the host.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ChatRated {
    /// The chat.
    pub chat_id: String,
    /// The thread that is rated; empty where neither the webhook nor the host knows it.
    #[serde(deserialize_with = "json::or_default")]
    pub thread_id: String,
    /// What the change was.
    pub change: RatingChange,
    /// The score now, in the numbers of the scale.
    pub score: Option<i64>,
    /// The numbers that the score may have.
    pub scale: Scale,
    /// What the customer wrote, as it is now.
    pub comment: Option<String>,
    /// What was known before.
    #[serde(deserialize_with = "json::or_default")]
    pub previous: Rating,
}

/// A rating. Both parts absent: not rated, or withdrawn.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
#[non_exhaustive]
pub struct Rating {
    /// The score.
    pub score: Option<i64>,
    /// What the customer wrote.
    pub comment: Option<String>,
}

/// A chat went to somebody else.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ChatTransferred {
    /// The chat.
    pub chat_id: String,
    /// The thread, if the chat is active.
    pub thread_id: Option<String>,
    /// Who transferred it.
    pub requester_id: Option<String>,
    /// `manual`, `inactive`, `assigned`, `unassigned`, `other`.
    pub reason: String,
    /// Where it went.
    #[serde(deserialize_with = "json::or_default")]
    pub transferred_to: Targets,
    /// Its place in the queue, if it waits.
    pub queue: Option<Queue>,
}

/// Somebody came into a chat.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct UserAdded {
    /// The chat.
    pub chat_id: String,
    /// The thread, if the chat is active.
    pub thread_id: Option<String>,
    /// Who came.
    pub user: User,
    /// Why.
    pub reason: Option<String>,
    /// Who did it.
    pub requester_id: Option<String>,
}

/// Somebody left a chat.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct UserRemoved {
    /// The chat.
    pub chat_id: String,
    /// The thread, if the chat is active.
    pub thread_id: Option<String>,
    /// Who left.
    pub user_id: String,
    /// Why.
    pub reason: Option<String>,
    /// Who did it.
    pub requester_id: Option<String>,
}

/// A chat event: a message, a file, a filled form …
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct EventInChat {
    /// The chat.
    pub chat_id: String,
    /// The thread.
    pub thread_id: String,
    /// The chat event.
    pub event: ChatEvent,
}

/// Somebody pressed a button of a rich message.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct PostbackInChat {
    /// The chat.
    pub chat_id: String,
    /// The thread.
    pub thread_id: String,
    /// The rich message.
    pub event_id: String,
    /// Who pressed it.
    pub user_id: String,
    /// The button.
    #[serde(deserialize_with = "json::or_default")]
    pub postback: Postback,
}

/// A button of a rich message.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Postback {
    /// The id that the sender of the rich message gave to the button.
    pub id: String,
    /// Whether it is on now.
    pub toggled: bool,
    /// `message`, `url` …
    pub button_type: Option<String>,
    /// What the button says or opens.
    pub button_value: Option<String>,
}

/// A thread's tag.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Tagged {
    /// The chat.
    pub chat_id: String,
    /// The thread.
    pub thread_id: String,
    /// The tag's name.
    pub tag: String,
}

/// Properties of a chat, thread or chat event changed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct PropertiesUpdated {
    /// The chat.
    pub chat_id: String,
    /// The thread, if they are a thread's or a chat event's.
    pub thread_id: Option<String>,
    /// The chat event, if they are a chat event's.
    pub event_id: Option<String>,
    /// Those that changed.
    #[serde(deserialize_with = "json::or_default")]
    pub properties: Properties,
}

#[cfg(test)]
mod tests;
