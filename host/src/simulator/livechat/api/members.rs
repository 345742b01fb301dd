//! Who is in a chat, and who could be.

use serde_json::{Value, json};

use super::super::account::Account;
use super::super::changes::Target;
use super::super::fields::Fields;
use super::super::refusal::Refusal;
use super::{Answer, Call, done};

pub(super) fn transfer_chat(account: &mut Account, mut call: Call<'_>) -> Answer {
    let chat_id = call.fields.text("id")?;
    let ignore_availability = call.fields.flag("ignore_agents_availability")?;
    let ignore_presence = call.fields.flag("ignore_requester_presence")?;
    let target = match call.fields.object("target")? {
        Some(_) => Some(target(account, call.fields.within("target")?)?),
        None => None,
    };
    account.active_chat(chat_id)?;
    call.must_be_in(account, chat_id, ignore_presence)?;
    let requester_id = call.requester.id;
    call.fields.end()?;
    let target = match target {
        Some(target) => target,
        None => Target::Groups(account.chat(chat_id)?.group_ids.clone()),
    };
    account.transfer(chat_id, target, ignore_availability, Some(&requester_id))?;
    Ok(done())
}

fn target(account: &Account, mut fields: Fields<'_>) -> Result<Target, Refusal> {
    let target = match fields.text("type")? {
        "group" => {
            let ids = fields.numbers("ids")?;
            if let Some(id) = ids.iter().find(|id| !account.groups.contains_key(id)) {
                return Err(fields.refuse("ids", &format!("names group {id}, which doesn't exist")));
            }
            Target::Groups(ids)
        }
        "agent" => {
            let ids = fields.texts("ids")?;
            if let Some(id) = ids.iter().find(|id| !account.agents.contains_key(*id)) {
                return Err(fields.refuse("ids", &format!("names agent {id}, who doesn't exist")));
            }
            Target::Agents(ids)
        }
        _ => return Err(fields.refuse("type", "must be group or agent")),
    };
    let is_empty = match &target {
        Target::Groups(ids) => ids.is_empty(),
        Target::Agents(ids) => ids.is_empty(),
    };
    if is_empty {
        return Err(fields.refuse("ids", "is required"));
    }
    fields.end()?;
    Ok(target)
}

pub(super) fn add_user_to_chat(account: &mut Account, mut call: Call<'_>) -> Answer {
    let chat_id = call.fields.text("chat_id")?;
    let user_id = call.fields.text("user_id")?;
    let user_type = call.fields.text("user_type")?;
    call.fields.text("visibility")?;
    let visibility = call.fields.word("visibility", &["all", "agents"])?;
    let ignore_presence = call.fields.flag("ignore_requester_presence")?;
    let chat = account.active_chat(chat_id)?;
    call.must_be_in(account, chat_id, ignore_presence)?;
    match user_type {
        "agent" if account.agents.contains_key(user_id) => {}
        "agent" => return Err(Refusal::validation("user_id not found")),
        "customer" => return Err(Refusal::validation("The chat has a customer already")),
        _ => return Err(call.fields.refuse("user_type", "must be agent or customer")),
    }
    let others = chat.public_agents().iter().filter(|id| *id != user_id).count();
    if visibility == "all" && others > 0 {
        return Err(Refusal::validation("Public agents in chat limit reached"));
    }
    let requester_id = call.requester.id;
    call.fields.end()?;
    account.add_member(chat_id, user_id, visibility, "manual", Some(&requester_id))?;
    Ok(done())
}

pub(super) fn remove_user_from_chat(account: &mut Account, mut call: Call<'_>) -> Answer {
    let chat_id = call.fields.text("chat_id")?;
    let user_id = call.fields.text("user_id")?;
    if call.fields.text("user_type")? != "agent" {
        return Err(call.fields.refuse("user_type", "must be agent"));
    }
    let ignore_presence = call.fields.flag("ignore_requester_presence")?;
    let chat = account.active_chat(chat_id)?;
    call.must_be_in(account, chat_id, ignore_presence)?;
    if !chat.is_present(user_id) {
        return Err(Refusal::validation("user_id not found"));
    }
    let requester_id = call.requester.id;
    call.fields.end()?;
    account.remove_member(chat_id, user_id, "manual", Some(&requester_id))?;
    Ok(done())
}

pub(super) fn list_routing_statuses(account: &mut Account, mut call: Call<'_>) -> Answer {
    let mut filters = call.fields.within("filters")?;
    let group_ids = filters.numbers("group_ids")?;
    filters.end()?;
    call.fields.end()?;
    let agents = account.agents.iter().filter(|(_, agent)| {
        group_ids.is_empty() || agent.groups.iter().any(|group| group_ids.contains(group))
    });
    let status = |(id, agent): (&String, &super::super::account::Agent)| json!({"agent_id": id, "status": agent.status.as_str()});
    Ok(agents.map(status).collect::<Vec<Value>>().into())
}
