//! LiveChat's chats.
//!
//! ```no_run
//! # use chatplug_sdk::prelude::*;
//! # fn handle(event: Event) -> Result<(), Failure> {
//! # let chat_id = "";
//! let chat = chats::get(chat_id)?;
//! chats::note(chat_id, format!("{} messages so far", chat.thread.events.len())).once("count").send()?;
//! # Ok(()) }
//! ```
//!
//! ```no_run
//! # use chatplug_sdk::prelude::*;
//! # fn handle(event: Event) -> Result<(), Failure> {
//! # let chat_id = "";
//! match chats::message(chat_id, "We will be back at nine.").send() {
//!     Err(error) if error.code == ErrorCode::Inactive => info!("the chat has ended: said nothing"),
//!     sent => drop(sent?),
//! }
//! # Ok(()) }
//! ```

use serde_json::Value;

use crate::exported::bindings::chatplug::plugin::chats as contract;
use crate::objects::{Chat, ChatSummary, ListPage, Visibility};
use crate::{Action, Error, Query, json, pages};

/// A chat with its newest thread. Grant: `chats.get-chat`.
///
/// # Errors
/// `not-found`, or the platform did not answer.
pub fn get(chat_id: &str) -> Result<Chat, Error> {
    read(chat_id, None)
}

/// A chat with one of its threads. Grant: `chats.get-chat`.
///
/// # Errors
/// `not-found`, or the platform did not answer.
pub fn get_thread(chat_id: &str, thread_id: &str) -> Result<Chat, Error> {
    read(chat_id, Some(thread_id))
}

/// A page of the chats that the host's user has access to, by default the newest first: the first page, or the one with
/// this id. Grant: `chats.list-chats`.
///
/// # Errors
/// `invalid`, or the platform did not answer.
pub fn list(query: &Query, page_id: Option<&str>) -> Result<ListPage<ChatSummary>, Error> {
    let text = contract::list_chats(&query.to_json(), page_id)?;
    json::read("LiveChat's page of chats", &text)
}

/// A page of the conversations that have ended, one entry for each thread: the first page, or the one with this id.
/// Grant: `chats.list-archives`.
///
/// # Errors
/// `invalid`, or the platform did not answer.
pub fn archives(query: &Query, page_id: Option<&str>) -> Result<ListPage<Chat>, Error> {
    let text = contract::list_archives(&query.to_json(), page_id)?;
    json::read("LiveChat's page of archives", &text)
}

/// All conversations that have ended and fit a query; asks for a page when the one before is used up. A long list
/// belongs into several events: each page is a host call, and its answer is kept in the journal of the delivery.
///
/// ```no_run
/// # use chatplug_sdk::prelude::*;
/// # fn handle() -> Result<(), Failure> {
/// for chat in chats::all_archives(Query::new().days("2026-06-01", "2026-06-07").limit(100)) {
///     info!("{}", chat?.thread.id);
/// }
/// # Ok(()) }
/// ```
pub fn all_archives(query: Query) -> impl Iterator<Item = Result<Chat, Error>> {
    pages::each(move |page_id| archives(&query, page_id))
}

/// Says something to everybody in a chat; answers the id of LiveChat's event. Grant: `chats.send-message`.
/// Fails with `inactive` if the chat has no active thread.
pub fn message(
    chat_id: &str,
    text: impl Into<String>,
) -> Action<impl FnOnce(Option<&str>) -> Result<String, Error>> {
    let text = text.into();
    Action::new(move |once| Ok(contract::send_message(chat_id, &text, once)?))
}

/// Leaves a note that only agents see; answers the id of LiveChat's event. Grant: `chats.send-note`.
pub fn note(
    chat_id: &str,
    text: impl Into<String>,
) -> Action<impl FnOnce(Option<&str>) -> Result<String, Error>> {
    let text = text.into();
    Action::new(move |once| Ok(contract::send_note(chat_id, &text, once)?))
}

/// Tags a thread with a tag that exists. Grant: `chats.tag`.
pub fn tag(
    chat_id: &str,
    thread_id: &str,
    tag: &str,
) -> Action<impl FnOnce(Option<&str>) -> Result<(), Error>> {
    Action::new(move |once| Ok(contract::tag(chat_id, thread_id, tag, once)?))
}

/// Takes a tag off a thread. Grant: `chats.untag`.
pub fn untag(
    chat_id: &str,
    thread_id: &str,
    tag: &str,
) -> Action<impl FnOnce(Option<&str>) -> Result<(), Error>> {
    Action::new(move |once| Ok(contract::untag(chat_id, thread_id, tag, once)?))
}

/// Transfers an active chat. Grant: `chats.transfer`.
pub fn transfer(chat_id: &str, target: Target) -> Action<impl FnOnce(Option<&str>) -> Result<(), Error>> {
    Action::new(move |once| Ok(contract::transfer(chat_id, &target.0, once)?))
}

/// Adds an agent to an active chat. Grant: `chats.assign`.
pub fn assign(
    chat_id: &str,
    agent_id: &str,
    visibility: Visibility,
) -> Action<impl FnOnce(Option<&str>) -> Result<(), Error>> {
    Action::new(move |once| Ok(contract::assign(chat_id, agent_id, visibility.as_str(), once)?))
}

/// Removes an agent from an active chat. Grant: `chats.remove-user`.
pub fn remove_user(chat_id: &str, agent_id: &str) -> Action<impl FnOnce(Option<&str>) -> Result<(), Error>> {
    Action::new(move |once| Ok(contract::remove_user(chat_id, agent_id, once)?))
}

/// Ends a chat's active thread; one that has ended already counts as a success. Grant: `chats.deactivate`.
pub fn deactivate(chat_id: &str) -> Action<impl FnOnce(Option<&str>) -> Result<(), Error>> {
    Action::new(move |once| Ok(contract::deactivate(chat_id, once)?))
}

/// Sets properties of a chat: an object of namespaces, each an object of names and values.
/// Grant: `chats.set-properties`.
pub fn set_properties(
    chat_id: &str,
    properties: &Value,
) -> Action<impl FnOnce(Option<&str>) -> Result<(), Error>> {
    let text = properties.to_string();
    Action::new(move |once| Ok(contract::set_properties(chat_id, &text, once)?))
}

/// Who gets a transferred chat.
#[derive(Clone, Debug)]
pub struct Target(contract::TransferTarget);

impl Target {
    /// Whoever of these groups is free.
    pub fn groups(ids: impl IntoIterator<Item = i64>) -> Self {
        Self::new(ids.into_iter().collect(), Vec::new())
    }

    /// One group.
    pub fn group(id: i64) -> Self {
        Self::groups([id])
    }

    /// One agent or bot.
    pub fn agent(id: &str) -> Self {
        Self::new(Vec::new(), vec![id.to_owned()])
    }

    /// Queue the chat if nobody is free, instead of failing.
    pub fn or_queue(mut self) -> Self {
        self.0.ignore_availability = true;
        self
    }

    fn new(group_ids: Vec<i64>, agent_ids: Vec<String>) -> Self {
        Target(contract::TransferTarget { group_ids, agent_ids, ignore_availability: false })
    }
}

fn read(chat_id: &str, thread_id: Option<&str>) -> Result<Chat, Error> {
    let text = contract::get_chat(chat_id, thread_id)?;
    json::read("LiveChat's chat", &text)
}
