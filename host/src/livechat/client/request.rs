//! What the client asks of LiveChat: paths, bodies, and what is wrong before anything is sent.
//!
//! Which field holds a chat's id differs by action: `id` for deactivating, transferring and properties,
//! `chat_id` for the rest.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

mod lists;
pub(super) mod reports;

use crate::action::livechat::{Api, Call, Direct, TransferTarget};
use crate::action::{Code, Error, Origin};
use crate::event::trace_id::TraceId;

/// The longest text of a message or note, bytes: the platform's 16 KB.
const TEXT_BYTES_MAX: usize = 16 << 10;

/// One request, before credentials.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Request {
    pub(super) api: Api,
    /// For reports resource and report.
    pub(super) action: Cow<'static, str>,
    pub(super) body: Value,
    /// What the action is done to, for error messages: `chat C1`.
    pub(super) subject: String,
    /// What the token must be allowed.
    pub(super) scope: &'static str,
    /// The trace of the event for which it is sent, if it is for one.
    pub(super) trace: Option<TraceId>,
    /// The plugin on whose behalf it is sent; `None` if the host asks for itself.
    pub(super) plugin: Option<Arc<str>>,
}

/// What is named where a request is about nothing smaller.
const ACCOUNT: &str = "the account";

impl Request {
    /// Where it goes, below the base URL.
    pub(super) fn path(&self) -> String {
        match self.api {
            Api::Reports => format!("/v3.6/reports/{}", self.action),
            api => format!("/v3.6/{}/action/{}", api.as_str(), self.action),
        }
    }

    /// The same request, for an event.
    pub(super) fn traced(self, trace: Option<TraceId>) -> Request {
        Request { trace, ..self }
    }

    /// The body that answered a read; an empty one is no answer.
    pub(super) fn answered(&self, body: String) -> Result<String, Error> {
        let Request { action, subject, .. } = self;
        match body.as_str() {
            "" => Err(Error::new(
                Code::Unavailable,
                format!("LiveChat answered {action} on {subject} with nothing"),
            )),
            _ => Ok(body),
        }
    }
}

/// The request behind a call; days are those of a time zone.
pub(super) fn of(origin: &Origin, call: &Call, zone: Option<&TimeZone>) -> Result<Request, Error> {
    let request = unsigned(origin, call, zone)?;
    Ok(Request { plugin: Some(origin.plugin.clone()), ..request })
}

fn unsigned(origin: &Origin, call: &Call, zone: Option<&TimeZone>) -> Result<Request, Error> {
    match call {
        Call::GetChat { chat_id, thread_id } => get_chat(chat_id, thread_id.as_deref()),
        Call::SendMessage { chat_id, text } => send_event(origin, chat_id, text, "all"),
        Call::SendNote { chat_id, text } => send_event(origin, chat_id, text, "agents"),
        Call::Tag { chat_id, thread_id, tag } => label("tag_thread", chat_id, thread_id, tag),
        Call::Untag { chat_id, thread_id, tag } => label("untag_thread", chat_id, thread_id, tag),
        Call::Transfer { chat_id, target } => transfer(chat_id, target),
        Call::Assign { chat_id, agent_id, visibility } => assign(chat_id, agent_id, visibility),
        Call::RemoveUser { chat_id, agent_id } => remove(chat_id, agent_id),
        Call::Deactivate { chat_id } => deactivate(chat_id),
        Call::SetProperties { chat_id, properties } => set_properties(chat_id, properties),
        Call::GetCustomer { customer_id } => get_customer(customer_id),
        Call::ListRoutingStatuses { group_ids } => Ok(lists::list_routing_statuses(group_ids)),
        Call::ListChats { query, page_id } => lists::list_chats(query, page_id.as_deref()),
        Call::ListArchives { query, page_id } => lists::list_archives(query, page_id.as_deref(), zone),
        Call::ListAgents { group_ids, fields } => Ok(lists::list_agents(group_ids, fields)),
        Call::GetAgent { agent_id, fields } => lists::get_agent(agent_id, fields),
        Call::ListGroups { fields } => Ok(lists::list_groups(fields)),
        Call::ListTags { group_ids } => Ok(lists::list_tags(group_ids)),
        Call::SetRoutingStatus { agent_id, status } => set_routing_status(agent_id, status),
        Call::UpdateCustomer { customer_id, fields } => update_customer(customer_id, fields),
        Call::BanCustomer { customer_id, days } => ban_customer(customer_id, *days),
        Call::Report { report, query } => reports::report(*report, query, zone),
        Call::Direct(call) => Ok(direct(origin, call)),
    }
}

/// Adds an agent, whether or not our own user is in the chat.
pub(super) fn assign(chat_id: &str, agent_id: &str, visibility: &str) -> Result<Request, Error> {
    present("chat-id", chat_id)?;
    present("agent-id", agent_id)?;
    if !["all", "agents"].contains(&visibility) {
        return Err(invalid(format!("`{visibility}` is no visibility; it is `all` or `agents`")));
    }
    let body = json!({
        "chat_id": chat_id, "user_id": agent_id, "user_type": "agent", "visibility": visibility,
        "ignore_requester_presence": true,
    });
    Ok(on_chat("add_user_to_chat", chat_id, body))
}

/// Removes an agent, whether or not our own user is in the chat.
pub(super) fn remove(chat_id: &str, agent_id: &str) -> Result<Request, Error> {
    present("chat-id", chat_id)?;
    present("agent-id", agent_id)?;
    let body = json!({
        "chat_id": chat_id, "user_id": agent_id, "user_type": "agent", "ignore_requester_presence": true,
    });
    Ok(on_chat("remove_user_from_chat", chat_id, body))
}

/// A request to the Configuration API.
pub(super) fn configuration(action: &'static str, scope: &'static str, body: Value) -> Request {
    Request {
        api: Api::Configuration,
        action: action.into(),
        body,
        subject: ACCOUNT.to_owned(),
        scope,
        trace: None,
        plugin: None,
    }
}

/// A chat with one of its threads, by default the newest.
pub(super) fn get_chat(chat_id: &str, thread_id: Option<&str>) -> Result<Request, Error> {
    present("chat-id", chat_id)?;
    let mut body = json!({ "chat_id": chat_id });
    if let Some(thread_id) = thread_id {
        present("thread-id", thread_id)?;
        body["thread_id"] = thread_id.into();
    }
    Ok(Request { scope: "chats--all:ro or chats--access:ro", ..on_chat("get_chat", chat_id, body) })
}

fn send_event(origin: &Origin, chat_id: &str, text: &str, visibility: &str) -> Result<Request, Error> {
    present("chat-id", chat_id)?;
    present("text", text)?;
    if text.len() > TEXT_BYTES_MAX {
        let length = text.len();
        return Err(invalid(format!(
            "the text for chat {chat_id} has {length} bytes, LiveChat takes {TEXT_BYTES_MAX}: shorten it"
        )));
    }
    let event = json!({
        "type": "message", "text": text, "visibility": visibility, "custom_id": origin.custom_id(),
    });
    Ok(on_chat("send_event", chat_id, json!({ "chat_id": chat_id, "event": event })))
}

fn label(action: &'static str, chat_id: &str, thread_id: &str, tag: &str) -> Result<Request, Error> {
    present("chat-id", chat_id)?;
    present("thread-id", thread_id)?;
    present("tag", tag)?;
    Ok(on_chat(action, chat_id, json!({ "chat_id": chat_id, "thread_id": thread_id, "tag": tag })))
}

fn transfer(chat_id: &str, target: &TransferTarget) -> Result<Request, Error> {
    present("chat-id", chat_id)?;
    let target_body = match (target.group_ids.as_slice(), target.agent_ids.as_slice()) {
        ([], []) => return Err(invalid("a transfer needs groups or agents to go to")),
        (groups, []) => json!({ "type": "group", "ids": groups }),
        ([], agents) => {
            agents.iter().try_for_each(|id| present("agent-id", id))?;
            json!({ "type": "agent", "ids": agents })
        }
        _ => return Err(invalid("a transfer goes to groups or to agents, not to both")),
    };
    let body = json!({
        "id": chat_id, "target": target_body,
        "ignore_agents_availability": target.ignore_availability, "ignore_requester_presence": true,
    });
    Ok(on_chat("transfer_chat", chat_id, body))
}

fn deactivate(chat_id: &str) -> Result<Request, Error> {
    present("chat-id", chat_id)?;
    let body = json!({ "id": chat_id, "ignore_requester_presence": true });
    Ok(on_chat("deactivate_chat", chat_id, body))
}

fn set_properties(chat_id: &str, properties: &str) -> Result<Request, Error> {
    present("chat-id", chat_id)?;
    let properties: Value = serde_json::from_str(properties)
        .map_err(|error| invalid(format!("the properties for chat {chat_id} are not JSON: {error}")))?;
    let by_namespace = properties.as_object().is_some_and(|all| all.values().all(Value::is_object));
    if !by_namespace {
        return Err(invalid(format!(
            "the properties for chat {chat_id} must be an object of objects: {{\"namespace\": {{\"name\": value}}}}"
        )));
    }
    Ok(on_chat("update_chat_properties", chat_id, json!({ "id": chat_id, "properties": properties })))
}

fn get_customer(customer_id: &str) -> Result<Request, Error> {
    present("customer-id", customer_id)?;
    Ok(on_customer("get_customer", "customers:ro", customer_id, json!({ "id": customer_id })))
}

const CUSTOMER_FIELDS: [&str; 7] =
    ["name", "email", "avatar", "phone_number", "session_fields", "omnichannel", "address"];

fn update_customer(customer_id: &str, fields: &str) -> Result<Request, Error> {
    present("customer-id", customer_id)?;
    let mut body = object(&format!("the fields for customer {customer_id}"), fields, &CUSTOMER_FIELDS)?;
    if body.is_empty() {
        return Err(invalid(format!("the fields for customer {customer_id} hold nothing to change")));
    }
    body.insert("id".to_owned(), customer_id.into());
    Ok(on_customer("update_customer", "customers:rw", customer_id, Value::Object(body)))
}

fn ban_customer(customer_id: &str, days: u32) -> Result<Request, Error> {
    present("customer-id", customer_id)?;
    if days == 0 {
        return Err(invalid("a ban lasts at least one day"));
    }
    let body = json!({ "id": customer_id, "ban": { "days": days } });
    Ok(on_customer("ban_customer", "customers.ban:rw", customer_id, body))
}

fn on_customer(action: &'static str, scope: &'static str, customer_id: &str, body: Value) -> Request {
    Request { scope, subject: format!("customer {customer_id}"), ..on_chat(action, "", body) }
}

fn set_routing_status(agent_id: &str, status: &str) -> Result<Request, Error> {
    present("agent-id", agent_id)?;
    if !["accepting_chats", "not_accepting_chats", "offline"].contains(&status) {
        return Err(invalid(format!(
            "`{}` is no status; it is `accepting_chats`, `not_accepting_chats` or, for bots, `offline`",
            status.escape_debug()
        )));
    }
    let body = json!({ "agent_id": agent_id, "status": status });
    Ok(Request {
        scope: "agents--all:rw (agents-bot--all:rw for bots)",
        subject: format!("agent {agent_id}"),
        ..on_chat("set_routing_status", "", body)
    })
}

/// A call as the plugin has it; what it sends into chats is marked as ours.
fn direct(origin: &Origin, call: &Direct) -> Request {
    let mut body = call.body.clone();
    if let ("send_event", Some(event)) =
        (call.action.as_str(), body.get_mut("event").and_then(Value::as_object_mut))
    {
        event.insert("custom_id".to_owned(), origin.custom_id().into());
    }
    let subject = call.chat_id().map_or_else(|| ACCOUNT.to_owned(), |chat_id| format!("chat {chat_id}"));
    Request {
        api: call.api,
        action: Cow::Owned(call.action.clone()),
        body,
        subject,
        scope: "that the action needs",
        trace: None,
        plugin: None,
    }
}

fn on_chat(action: &'static str, chat_id: &str, body: Value) -> Request {
    Request {
        api: Api::Agent,
        action: action.into(),
        body,
        subject: format!("chat {chat_id}"),
        scope: "chats--all:rw or chats--access:rw",
        trace: None,
        plugin: None,
    }
}

/// The object in a JSON text of a plugin, which may have these keys.
fn object(what: &str, text: &str, keys: &[&str]) -> Result<Map<String, Value>, Error> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| invalid(format!("{what} is not JSON: {error}")))?;
    let Value::Object(object) = value else { return Err(invalid(format!("{what} is no JSON object"))) };
    match object.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(key) => {
            let (key, keys) = (key.escape_debug(), keys.join(", "));
            Err(invalid(format!("{what} has `{key}`; it may have {keys}")))
        }
        None => Ok(object),
    }
}

fn present(name: &str, value: &str) -> Result<(), Error> {
    match value {
        "" => Err(invalid(format!("{name} is empty"))),
        _ => Ok(()),
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(Code::Invalid, message)
}
