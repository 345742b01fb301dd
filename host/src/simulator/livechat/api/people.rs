//! What is changed of agents and customers, and looking one agent up.

use serde_json::{Value, json};

use super::super::account::{Account, RoutingStatus};
use super::super::refusal::Refusal;
use super::configuration::{agent_object, wanted_fields};
use super::{Answer, Call, done};

pub(super) fn get_agent(account: &mut Account, mut call: Call<'_>) -> Answer {
    let id = call.fields.text("id")?;
    let wanted = wanted_fields(&mut call.fields)?;
    call.fields.end()?;
    let agent = account.agents.get(id).filter(|agent| !agent.is_bot);
    let agent = agent.ok_or_else(|| Refusal::not_found("Agent not found"))?;
    Ok(agent_object(account, (id, agent), &wanted))
}

pub(super) fn set_routing_status(account: &mut Account, mut call: Call<'_>) -> Answer {
    call.fields.text("status")?;
    let word = call.fields.word("status", &["accepting_chats", "not_accepting_chats", "offline"])?;
    let id = call.fields.optional_text("agent_id")?.unwrap_or(&call.requester.id);
    let status = match word {
        "accepting_chats" => RoutingStatus::AcceptingChats,
        "offline" => RoutingStatus::Offline,
        _ => RoutingStatus::NotAcceptingChats,
    };
    let agent = account.agents.get_mut(id).ok_or_else(|| Refusal::validation("agent_id not found"))?;
    if status == RoutingStatus::Offline && !agent.is_bot {
        return Err(call.fields.refuse("status", "can be offline for bots only"));
    }
    let id = id.to_owned();
    call.fields.end()?;
    agent.status = status;
    // The webhook spells it with spaces, the API with underscores.
    let payload = json!({"agent_id": id, "status": word.replace('_', " ")});
    account.happened("routing_status_set", None, payload);
    Ok(done())
}

pub(super) fn update_customer(account: &mut Account, mut call: Call<'_>) -> Answer {
    const TEXTS: [&str; 4] = ["name", "email", "avatar", "phone_number"];
    let fields = &mut call.fields;
    let id = fields.text("id")?;
    let mut changes = json!({});
    for name in TEXTS {
        if let Some(text) = fields.optional_text(name)? {
            changes[name] = json!(text);
        }
    }
    if changes["phone_number"].as_str().is_some_and(|number| !number.starts_with('+')) {
        return Err(fields.refuse("phone_number", "must be of E.164"));
    }
    if let Some(session_fields) = fields.array("session_fields")? {
        let is_one = |field: &Value| field.as_object().is_some_and(|field| field.len() == 1);
        if !session_fields.iter().all(is_one) {
            return Err(fields.refuse("session_fields", "must hold objects with one key"));
        }
        changes["session_fields"] = json!(session_fields);
    }
    for name in ["omnichannel", "address"] {
        if let Some(object) = fields.object(name)? {
            changes[name] = json!(object);
        }
    }
    if changes.as_object().is_some_and(|changes| changes.is_empty()) {
        return Err(Refusal::validation("at least one of the customer's fields is required"));
    }
    call.fields.end()?;
    let customer = account.customers.get_mut(id).ok_or_else(|| Refusal::not_found("Customer not found"))?;
    for (name, value) in changes.as_object().into_iter().flatten() {
        customer[name] = value.clone();
    }
    if !changes["session_fields"].is_null() {
        tell_session_fields(account, id, &changes["session_fields"]);
    }
    Ok(done())
}

fn tell_session_fields(account: &mut Account, customer_id: &str, session_fields: &Value) {
    let Some(chat) = account.chat_with(customer_id).filter(|chat| chat.is_active()) else {
        return;
    };
    let chat_id = chat.id.clone();
    let payload = json!({
        "id": customer_id, "active_chat": {"chat_id": chat_id, "thread_id": chat.newest().id},
        "session_fields": session_fields,
    });
    account.happened("customer_session_fields_updated", Some(&chat_id), payload);
}

pub(super) fn ban_customer(account: &mut Account, mut call: Call<'_>) -> Answer {
    let id = call.fields.text("id")?;
    call.fields.required_object("ban")?;
    let mut ban = call.fields.within("ban")?;
    let days =
        ban.number("days")?.filter(|days| *days > 0).ok_or_else(|| ban.refuse("days", "is required"))?;
    ban.end()?;
    call.fields.end()?;
    if !account.customers.contains_key(id) {
        return Err(Refusal::not_found("Customer not found"));
    }
    account.bans.insert(id.to_owned(), days);
    Ok(done())
}
