//! LiveChat's objects in their v3.6 shape.
//!
//! They are lenient: what is absent or null is empty, unknown fields are ignored, unknown words are kept.

mod account;
mod chat;
mod chat_event;
mod listing;
mod user;
mod word;

pub use account::{AgentProfile, Group, GroupMembership, Tag};
pub use chat::{Access, Chat, Properties, Queue, Targets, Thread};
pub use chat_event::{ChatEvent, FormField};
pub use listing::{ChatSummary, ListPage, Report};
pub use user::{Agent, Customer, Page, RoutingStatus, User, Visit};
pub use word::{ChatEventKind, RatingChange, RuleChange, Scale, Status, SummaryStatus, Visibility};
