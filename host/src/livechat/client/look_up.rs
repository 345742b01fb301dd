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
/// How far LiveChat's clock and ours may be apart, where it has not said what time it has.
const SKEW_MS: i64 = 60_000;
/// How exactly it says so: in whole seconds, and the answer takes a while.
const INEXACT_MS: i64 = 2_000;

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
    if is_at(&chat, target) {
        return Ok(Some(String::new()));
    }
    // Known since its answer, if not before.
    let (sent_ms, apart_ms) = match api.ahead_ms() {
        Some(ahead_ms) => (sent_at_ms.saturating_add(ahead_ms), INEXACT_MS),
        None => (sent_at_ms, SKEW_MS),
    };
    match was_moved(shown_events(&chat["thread"], chat_id)?, sent_ms, apart_ms) {
        Moved::Since => Ok(Some(String::new())),
        Moved::Before => Ok(None),
        Moved::About => Err(hidden(format!(
            "chat {chat_id} was transferred at about the time of the request, and is not where that asked for"
        ))),
    }
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

/// When a chat was transferred last, compared with a request.
#[derive(Debug, PartialEq, Eq)]
enum Moved {
    /// Before it, or never.
    Before,
    /// The clocks are not exact enough to say.
    About,
    /// After it.
    Since,
}

/// Where the request left at `sent_ms` by LiveChat's clock, as far as that is known: to `apart_ms`.
fn was_moved(events: &[Value], sent_ms: i64, apart_ms: i64) -> Moved {
    let moves = events.iter().filter(|event| event["system_message_type"] == "chat_transferred");
    match moves.filter_map(|event| time_ms(&event["created_at"])).max() {
        Some(ms) if ms >= sent_ms.saturating_add(apart_ms) => Moved::Since,
        Some(ms) if ms > sent_ms.saturating_sub(apart_ms) => Moved::About,
        _ => Moved::Before,
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_transfer_counts_only_where_it_came_after_the_request_for_certain() {
        let moved = |at: &str| json!({"system_message_type": "chat_transferred", "created_at": at});
        let check = |events: Vec<Value>, apart_ms: i64, expected: Moved| {
            // 2026-06-01T12:00:00Z
            assert_eq!(was_moved(&events, 1_780_315_200_000, apart_ms), expected, "{events:?}, {apart_ms}");
        };
        check(vec![], INEXACT_MS, Moved::Before);
        check(
            vec![json!({"type": "message", "created_at": "2026-06-01T12:00:30Z"})],
            INEXACT_MS,
            Moved::Before,
        );
        check(vec![moved("2026-06-01T11:59:58Z")], INEXACT_MS, Moved::Before);
        check(vec![moved("2026-06-01T11:59:59Z")], INEXACT_MS, Moved::About);
        check(vec![moved("2026-06-01T12:00:01Z")], INEXACT_MS, Moved::About);
        check(vec![moved("2026-06-01T12:00:02Z")], INEXACT_MS, Moved::Since);
        check(vec![moved("2026-06-01T12:00:02Z"), moved("2026-06-01T11:00:00Z")], INEXACT_MS, Moved::Since);
        check(vec![moved("2026-06-01T11:59:00Z")], SKEW_MS, Moved::Before);
        check(vec![moved("2026-06-01T12:00:59Z")], SKEW_MS, Moved::About);
        check(vec![moved("2026-06-01T12:01:00Z")], SKEW_MS, Moved::Since);
    }
}
