//! Sending chat events, tagging threads.

use serde_json::{Value, json};

use super::super::account::{Account, Requester, Sent};
use super::super::fields::Fields;
use super::super::refusal::Refusal;
use super::{Answer, Call, done};

/// A message's text may hold this many bytes.
const TEXT_LIMIT: usize = 16 * 1024;

pub(super) fn send_event(account: &mut Account, mut call: Call<'_>) -> Answer {
    let chat_id = call.fields.text("chat_id")?;
    call.fields.required_object("event")?;
    let event = event(call.fields.within("event")?, &call.requester)?;
    call.fields.end()?;
    let chat = account.active_chat(chat_id)?;
    let Some(member) = chat.member(&call.requester.id) else { return Err(Refusal::outsider()) };
    if member.visibility == "agents" && event["visibility"] == "all" {
        return Err(Refusal::authorization(
            "Requester sees the chat as `agents` only and can't send to `all`",
        ));
    }
    let word = |name: &str| event[name].as_str().map(str::to_owned);
    let (custom_id, text) = (word("custom_id"), word("text").unwrap_or_default());
    let is_internal = event["visibility"] == "agents";
    let id = account.add_event(chat_id, event)?;
    account.sent.push(Sent {
        chat_id: chat_id.to_owned(),
        event_id: id.clone(),
        custom_id,
        text,
        is_internal,
    });
    Ok(json!({"event_id": id}))
}

fn event(mut fields: Fields<'_>, requester: &Requester) -> Result<Value, Refusal> {
    let kind = fields.text("type")?;
    let mut event = json!({
        "type": kind,
        "visibility": fields.word("visibility", &["all", "agents"])?,
        "properties": {"source": {"client_id": requester.client_id}},
    });
    if let Some(custom_id) = fields.optional_text("custom_id")? {
        event["custom_id"] = json!(custom_id);
    }
    match kind {
        "message" => {
            event["text"] = json!(text(&mut fields)?);
            event["author_id"] = json!(requester.id);
        }
        "system_message" => {
            event["system_message_type"] = json!(fields.text("system_message_type")?);
            event["text"] = json!(text(&mut fields)?);
            event["text_vars"] = json!(fields.object("text_vars")?);
        }
        "custom" => {
            event["content"] = json!(fields.required_object("content")?);
            event["author_id"] = json!(requester.id);
        }
        _ => return Err(fields.refuse("type", "must be message, system_message or custom")),
    }
    fields.end()?;
    Ok(event)
}

fn text<'a>(fields: &mut Fields<'a>) -> Result<&'a str, Refusal> {
    let text = fields.text("text")?;
    if text.len() > TEXT_LIMIT {
        return Err(fields.refuse("text", "is longer than 16 KB"));
    }
    Ok(text)
}

pub(super) fn tag_thread(account: &mut Account, mut call: Call<'_>, is_on: bool) -> Answer {
    let chat_id = call.fields.text("chat_id")?;
    let thread_id = call.fields.text("thread_id")?;
    let name = call.fields.text("tag")?;
    call.fields.end()?;
    let thread = account.chat(chat_id)?.thread(thread_id);
    let thread = thread.ok_or_else(|| Refusal::not_found("Thread not found"))?;
    let tag = account.tags.get(name);
    let tag = tag.ok_or_else(|| Refusal::validation(format!("Tag `{name}` doesn't exist")))?;
    // Group 0 means everybody.
    let shared = |group: &i64| *group == 0 || thread.group_ids.contains(group);
    if !tag.group_ids.iter().any(shared) {
        return Err(Refusal::validation(format!("Tag `{name}` belongs to none of the thread's groups")));
    }
    account.set_tag(chat_id, thread_id, name, is_on)?;
    Ok(done())
}
