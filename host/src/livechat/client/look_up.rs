//! Finding out whether an action took place whose answer was lost: by what LiveChat shows of the chat.

use jiff::Timestamp;
use serde_json::Value;

use super::api::Api;
use super::failure::Failure;
use super::request;
use crate::action::livechat::TransferTarget;
use crate::action::{Code, Error, Origin};

/// Threads that are looked through: the newest, and those before it that can have been the newest when the
/// message left.
const THREADS_MAX: usize = 3;
/// How far LiveChat's clock and ours may be apart.
const SKEW_MS: i64 = 60_000;

/// The id of the chat event that carries the `custom_id` of `origin`'s action, if a thread that was open since
/// `sent_at_ms` has one.
pub(super) async fn message(
    api: &Api,
    origin: &Origin,
    chat_id: &str,
    sent_at_ms: i64,
) -> Result<Option<String>, Failure> {
    let (mut thread_id, custom_id) = (None, origin.custom_id());
    for _ in 0..THREADS_MAX {
        let chat = chat(api, origin, chat_id, thread_id.as_deref()).await?;
        let thread = &chat["thread"];
        let events = shown_events(thread, chat_id)?;
        if let Some(event) = events.iter().find(|event| event["custom_id"] == custom_id.as_str()) {
            return Ok(Some(text(&event["id"])));
        }
        let began_after = time_ms(&thread["created_at"]).is_some_and(|ms| ms > sent_at_ms - SKEW_MS);
        thread_id = thread["previous_thread_id"].as_str().map(str::to_owned);
        if !began_after || thread_id.is_none() {
            return Ok(None);
        }
    }
    // It can be in a thread before these: that nothing was found says nothing.
    Err(hidden(format!("the message can be in a thread of chat {chat_id} before its last {THREADS_MAX}")))
}

/// A thread's events. One that the plan's history limit hides shows none, which is not the same as having none.
fn shown_events<'a>(thread: &'a Value, chat_id: &str) -> Result<&'a Vec<Value>, Failure> {
    let hides = || hidden(format!("LiveChat doesn't show the events of chat {chat_id}"));
    thread["events"].as_array().ok_or_else(hides)
}

/// Looking again will not help.
fn hidden(message: String) -> Failure {
    Failure::refused(Error::new(Code::Unsupported, message))
}

/// Whether a transfer took place: the chat is where it should go, or somebody moved it after the request left.
/// In the second case it isn't moved again, against whoever moved it last.
pub(super) async fn transfer(
    api: &Api,
    origin: &Origin,
    chat_id: &str,
    target: &TransferTarget,
    sent_at_ms: i64,
) -> Result<Option<String>, Failure> {
    let chat = chat(api, origin, chat_id, None).await?;
    let done = is_at(&chat, target) || was_moved_after(shown_events(&chat["thread"], chat_id)?, sent_at_ms);
    Ok(done.then(String::new))
}

fn is_at(chat: &Value, target: &TransferTarget) -> bool {
    let groups = chat["access"]["group_ids"].as_array();
    let in_group =
        groups.into_iter().flatten().filter_map(Value::as_i64).any(|id| target.group_ids.contains(&id));
    let users = chat["users"].as_array();
    let has_agent = users.into_iter().flatten().any(|user| {
        user["present"] == true
            && user["id"].as_str().is_some_and(|id| target.agent_ids.iter().any(|a| a == id))
    });
    in_group || has_agent
}

fn was_moved_after(events: &[Value], sent_at_ms: i64) -> bool {
    events.iter().any(|event| {
        event["system_message_type"] == "chat_transferred"
            && time_ms(&event["created_at"]).is_some_and(|ms| ms >= sent_at_ms)
    })
}

async fn chat(api: &Api, origin: &Origin, chat_id: &str, thread_id: Option<&str>) -> Result<Value, Failure> {
    let request = request::get_chat(chat_id, thread_id).map_err(Failure::refused)?.traced(Some(origin.trace));
    let body = api.post(&request).await?;
    serde_json::from_str(&body).map_err(|error| {
        let message = format!("LiveChat's chat {chat_id} has an unknown shape: {error}");
        Failure::refused(Error::new(Code::Unavailable, message))
    })
}

fn time_ms(value: &Value) -> Option<i64> {
    value.as_str()?.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
