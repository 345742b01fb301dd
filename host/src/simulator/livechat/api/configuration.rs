//! The Configuration API: agents, groups, tags, properties and webhooks.

use serde_json::{Value, json};

use super::super::account::{Account, Agent, Tag};
use super::super::fields::Fields;
use super::super::refusal::Refusal;
use super::super::webhook::{ADDITIONAL_DATA, Registration};
use super::{Answer, Call, done};
use crate::event::types;

/// Webhooks of one action and one client.
const WEBHOOKS_PER_ACTION: usize = 3;

/// What an agent's object has beside the rest, if the caller asks.
const FIELDS: [&str; 10] = [
    "work_scheduler",
    "groups",
    "email_subscriptions",
    "notifications",
    "job_title",
    "mobile",
    "max_chats_count",
    "suspended",
    "awaiting_approval",
    "last_logout",
];

pub(super) fn list_agents(account: &mut Account, mut call: Call<'_>) -> Answer {
    let mut filters = call.fields.within("filters")?;
    let group_ids = filters.numbers("group_ids")?;
    filters.flag("suspended")?;
    filters.end()?;
    let wanted = wanted_fields(&mut call.fields)?;
    call.fields.end()?;
    let agents = account.agents.iter().filter(|(_, agent)| !agent.is_bot).filter(|(_, agent)| {
        group_ids.is_empty() || agent.groups.iter().any(|group| group_ids.contains(group))
    });
    Ok(agents.map(|(id, agent)| agent_object(account, (id, agent), &wanted)).collect::<Vec<Value>>().into())
}

pub(super) fn wanted_fields(fields: &mut Fields<'_>) -> Result<Vec<String>, Refusal> {
    let wanted = fields.texts("fields")?;
    match wanted.iter().any(|name| !FIELDS.contains(&name.as_str())) {
        true => Err(fields.refuse("fields", &format!("must be of {}", FIELDS.join(", ")))),
        false => Ok(wanted),
    }
}

pub(super) fn agent_object(account: &Account, (id, agent): (&str, &Agent), wanted: &[String]) -> Value {
    let mut object = json!({
        "id": id, "account_id": agent.account_id, "name": agent.name, "role": agent.role,
        "login_status": agent.status.as_str().replace('_', " "),
        "avatar": "https://cdn.example.com/avatars/agent.png",
    });
    for name in wanted {
        object[name] = match name.as_str() {
            "groups" => agent.groups.iter().map(|group| json!({"id": group, "priority": "normal"})).collect(),
            "max_chats_count" => json!(6),
            "suspended" | "awaiting_approval" => json!(false),
            "work_scheduler" => match &account.work_timezone {
                Some(timezone) => json!({"timezone": timezone, "schedule": []}),
                None => json!({}),
            },
            "email_subscriptions" | "notifications" => json!([]),
            _ => json!(""),
        };
    }
    object
}

pub(super) fn list_groups(account: &mut Account, mut call: Call<'_>) -> Answer {
    let wanted = call.fields.texts("fields")?;
    if wanted.iter().any(|name| !["agent_priorities", "routing_status"].contains(&name.as_str())) {
        return Err(call.fields.refuse("fields", "must be of agent_priorities, routing_status"));
    }
    call.fields.end()?;
    let group = |(id, name): (&i64, &String)| {
        let mut object = json!({"id": id, "name": name, "language_code": "en"});
        let members = account.agents.iter().filter(|(_, agent)| agent.groups.contains(id));
        for field in &wanted {
            object[field] = match field.as_str() {
                "routing_status" if account.available(&[*id]).is_empty() => json!("offline"),
                "routing_status" => json!("accepting_chats"),
                _ => Value::Object(members.clone().map(|(id, _)| (id.clone(), json!("normal"))).collect()),
            };
        }
        object
    };
    Ok(account.groups.iter().map(group).collect::<Vec<Value>>().into())
}

pub(super) fn list_tags(account: &mut Account, mut call: Call<'_>) -> Answer {
    let mut filters = call.fields.within("filters")?;
    let group_ids = filters.numbers("group_ids")?;
    filters.end()?;
    call.fields.end()?;
    let of_groups = |tag: &Tag| group_ids.is_empty() || tag.group_ids.iter().any(|id| group_ids.contains(id));
    let tags = account.tags.iter().filter(|(_, tag)| of_groups(tag)).map(|(name, tag)| {
        json!({
            "name": name, "group_ids": tag.group_ids, "author_id": tag.author_id,
            "created_at": tag.created_at,
        })
    });
    Ok(tags.collect::<Vec<Value>>().into())
}

pub(super) fn create_tag(account: &mut Account, mut call: Call<'_>) -> Answer {
    let name = call.fields.text("name")?;
    let group_ids = call.fields.numbers("group_ids")?;
    if group_ids.is_empty() {
        return Err(call.fields.refuse("group_ids", "is required"));
    }
    if group_ids.iter().any(|id| !account.groups.contains_key(id)) {
        return Err(Refusal::new(422, "group_not_found", "Group not found"));
    }
    if account.tags.keys().any(|known| known.to_lowercase() == name.to_lowercase()) {
        return Err(Refusal::new(422, "already_exists", format!("Tag `{name}` already exists")));
    }
    let requester = call.requester;
    call.fields.end()?;
    let created_at = account.now();
    let payload = json!({
        "name": name, "group_ids": group_ids, "created_at": created_at, "author_id": requester.id,
    });
    account.tags.insert(name.to_owned(), Tag { group_ids, author_id: requester.id.clone(), created_at });
    account.happened("tag_created", None, payload);
    if let Some(occurrence) = account.occurrences.last_mut() {
        let account_id = account.agents.get(&requester.id).map(|agent| &agent.account_id);
        occurrence.requester = Some(json!({
            "user_id": requester.id, "account_id": account_id, "client_id": requester.client_id,
        }));
    }
    Ok(done())
}

/// Property name to its definition, of one namespace: that of the `owner_client_id`.
pub(super) fn list_properties(account: &mut Account, mut call: Call<'_>) -> Answer {
    let owner = call.fields.optional_text("owner_client_id")?.unwrap_or(&call.requester.client_id);
    let properties = account.namespaces.get(owner).cloned().unwrap_or_default();
    call.fields.end()?;
    Ok(properties.into())
}

pub(super) fn register_webhook(account: &mut Account, mut call: Call<'_>) -> Answer {
    let fields = &mut call.fields;
    let action = fields.text("action")?;
    let url = fields.text("url")?;
    let registration = Registration {
        id: format!("wh_{}", account.new_id().to_lowercase()),
        action: action.to_owned(),
        url: url.to_owned(),
        secret_key: fields.text("secret_key")?.to_owned(),
        description: fields.optional_text("description")?.map(str::to_owned),
        owner_client_id: fields.text("owner_client_id")?.to_owned(),
        kind: {
            fields.text("type")?;
            fields.word("type", &["license", "bot"])?
        },
        additional_data: fields.texts("additional_data")?,
    };
    if fields.object("filters")?.is_some() {
        return Err(fields.refuse("filters", "can't be simulated: register without them"));
    }
    if !types::PLATFORM.contains(&action) {
        return Err(fields.refuse("action", "is no webhook of v3.6"));
    }
    if url.len() > 500 {
        return Err(fields.refuse("url", "is longer than 500 characters"));
    }
    if registration.additional_data.iter().any(|name| !ADDITIONAL_DATA.contains(&name.as_str())) {
        return Err(fields.refuse("additional_data", &format!("must be of {}", ADDITIONAL_DATA.join(", "))));
    }
    call.fields.end()?;
    let same = |known: &&Registration| {
        known.action == registration.action && known.owner_client_id == registration.owner_client_id
    };
    if account.registrations.iter().filter(same).count() >= WEBHOOKS_PER_ACTION {
        return Err(Refusal::new(422, "limit_reached", "three webhooks of this action exist already"));
    }
    let id = registration.id.clone();
    account.registrations.push(registration);
    Ok(json!({"id": id}))
}

pub(super) fn list_webhooks(account: &mut Account, mut call: Call<'_>) -> Answer {
    let owner = call.fields.text("owner_client_id")?;
    call.fields.end()?;
    let registrations = account.registrations.iter();
    let own = registrations.filter(|registration| registration.owner_client_id == owner);
    Ok(own.map(Registration::json).collect::<Vec<Value>>().into())
}

pub(super) fn unregister_webhook(account: &mut Account, mut call: Call<'_>) -> Answer {
    let id = call.fields.text("id")?;
    let owner = call.fields.text("owner_client_id")?;
    call.fields.end()?;
    let registrations = account.registrations.iter();
    let place = registrations.clone().position(|known| known.id == id && known.owner_client_id == owner);
    let place = place.ok_or_else(|| Refusal::not_found("Webhook not found"))?;
    account.registrations.remove(place);
    Ok(done())
}

pub(super) fn webhooks_state(account: &mut Account, mut call: Call<'_>) -> Answer {
    call.fields.text("owner_client_id")?;
    call.fields.end()?;
    Ok(json!({"license_webhooks_enabled": account.webhooks_on}))
}

pub(super) fn switch_webhooks(account: &mut Account, mut call: Call<'_>, on: bool) -> Answer {
    call.fields.text("owner_client_id")?;
    call.fields.end()?;
    account.webhooks_on = on;
    Ok(done())
}
