//! Requests for lists and pages.

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::{ACCOUNT, Request, invalid, object, present};
use crate::action::Error;
use crate::action::livechat::Api;
use crate::livechat::client::dates;

const CHATS: &str = "chats--all:ro or chats--access:ro";
const LIMIT_MAX: u64 = 100;

pub(super) fn list_chats(query: &str, page_id: Option<&str>) -> Result<Request, Error> {
    let body = page("list_chats", query, page_id, &["filters", "sort_order", "limit"], |_| Ok(()))?;
    Ok(request("list_chats", CHATS, body))
}

pub(super) fn list_archives(
    query: &str,
    page_id: Option<&str>,
    zone: Option<&TimeZone>,
) -> Result<Request, Error> {
    let keys = ["filters", "sort_order", "limit", "highlights"];
    let body = page("list_archives", query, page_id, &keys, |filters| dates::write_out(filters, zone))?;
    Ok(request("list_archives", CHATS, body))
}

/// The body for one page. The id of a page holds all that the first request said: LiveChat refuses both at once.
fn page(
    action: &str,
    query: &str,
    page_id: Option<&str>,
    keys: &[&str],
    change_filters: impl FnOnce(&mut Map<String, Value>) -> Result<(), Error>,
) -> Result<Value, Error> {
    let mut body = object(&format!("the query of {action}"), query, keys)?;
    if let Some(filters) = body.get_mut("filters") {
        let filters = filters.as_object_mut();
        change_filters(filters.ok_or_else(|| invalid(format!("`filters` of {action} is no object")))?)?;
    }
    if body.get("sort_order").is_some_and(|order| !["asc", "desc"].iter().any(|known| order == known)) {
        return Err(invalid(format!("`sort_order` of {action} is `desc` or `asc`")));
    }
    let fits = |limit: &Value| limit.as_u64().is_some_and(|limit| (1..=LIMIT_MAX).contains(&limit));
    if body.get("limit").is_some_and(|limit| !fits(limit)) {
        return Err(invalid(format!("`limit` of {action} is from 1 to {LIMIT_MAX}")));
    }
    match page_id {
        None => Ok(Value::Object(body)),
        Some(id) => {
            present("page-id", id)?;
            Ok(json!({ "page_id": id }))
        }
    }
}

pub(super) fn list_agents(group_ids: &[i64], fields: &[String]) -> Request {
    let mut body = of_groups(group_ids);
    add_fields(&mut body, fields);
    Request { api: Api::Configuration, ..request("list_agents", "agents--all:ro", body) }
}

pub(super) fn get_agent(agent_id: &str, fields: &[String]) -> Result<Request, Error> {
    present("agent-id", agent_id)?;
    let mut body = json!({ "id": agent_id });
    add_fields(&mut body, fields);
    let subject = format!("agent {agent_id}");
    Ok(Request { api: Api::Configuration, subject, ..request("get_agent", "agents--all:ro", body) })
}

pub(super) fn list_groups(fields: &[String]) -> Request {
    let mut body = json!({});
    add_fields(&mut body, fields);
    Request { api: Api::Configuration, ..request("list_groups", "groups--all:ro", body) }
}

pub(super) fn list_tags(group_ids: &[i64]) -> Request {
    let request = request("list_tags", "tags--all:ro or tags--groups:ro", of_groups(group_ids));
    Request { api: Api::Configuration, ..request }
}

pub(super) fn list_routing_statuses(group_ids: &[i64]) -> Request {
    request("list_routing_statuses", "agents--all:ro and agents-bot--all:ro", of_groups(group_ids))
}

fn of_groups(group_ids: &[i64]) -> Value {
    match group_ids {
        [] => json!({}),
        ids => json!({ "filters": { "group_ids": ids } }),
    }
}

fn add_fields(body: &mut Value, fields: &[String]) {
    if !fields.is_empty() {
        body["fields"] = json!(fields);
    }
}

fn request(action: &'static str, scope: &'static str, body: Value) -> Request {
    Request {
        api: Api::Agent,
        action: action.into(),
        body,
        subject: ACCOUNT.to_owned(),
        scope,
        trace: None,
        plugin: None,
    }
}
