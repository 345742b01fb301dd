//! Contacts: by address or id, created once, searched with the index behind.

use serde_json::{Map, Value, json};

use super::problem::Problem;
use super::records::{Contact, object};
use super::{Answer, Query, State};
use crate::simulator::server::Request;

const SEARCH_LIMIT: u64 = 200;

pub(super) fn get(state: &State, id: &str, query: &Query) -> Answer {
    let contact = match query.get("idProperty") {
        Some("email") => state.records.contact_by_email(id),
        Some(other) => return Err(unknown_property(other)),
        None => state.records.contacts.iter().find(|contact| contact.id == number(id).unwrap_or(0)),
    };
    if query.get("idProperty").is_none() && number(id).is_none() {
        let problem =
            Problem::new(404, Some("OBJECT_NOT_FOUND"), "Object not found.  objectId are usually numeric.");
        return Err(problem.with_context(json!({"id": [id]})));
    }
    // A plain miss has no category.
    let contact = contact.ok_or_else(|| Problem::new(404, None, "resource not found"))?;
    Ok((200, object(contact.id, &contact.properties, &known(state, query.list("properties")))))
}

pub(super) fn create(state: &mut State, request: &Request) -> Answer {
    let properties = properties(request, |name| state.records.has_contact_property(name))?;
    let email = properties.get("email").and_then(Value::as_str).unwrap_or_default().to_owned();
    let named = ["firstname", "lastname"].iter().any(|name| properties.contains_key(*name));
    if email.is_empty() && !named {
        return Err(Problem::invalid("REQUIRED_FIELD", "one of email, firstname, lastname is required"));
    }
    if !email.is_empty() && !is_address(&email) {
        return Err(Problem::invalid("INVALID_EMAIL", format!("Email address {email} is invalid")));
    }
    if let Some(existing) = state.records.contact_by_email(&email).filter(|_| !email.is_empty()) {
        let message = format!("Contact already exists. Existing ID: {}", existing.id);
        return Err(Problem::new(409, Some("CONFLICT"), message));
    }
    let id = state.records.add_contact(properties.clone());
    Ok((201, object(id, &properties, &[])))
}

pub(super) fn update(state: &mut State, id: &str, request: &Request) -> Answer {
    let changed = properties(request, |name| state.records.has_contact_property(name))?;
    let contacts = &mut state.records.contacts;
    let contact = contacts.iter_mut().find(|contact| contact.id == number(id).unwrap_or(0));
    let contact = contact.ok_or_else(|| Problem::new(404, None, "resource not found"))?;
    contact.properties.extend(changed);
    Ok((200, object(contact.id, &contact.properties, &[])))
}

pub(super) fn search(state: &State, request: &Request) -> Answer {
    let body = request.json().ok_or_else(not_json)?;
    let groups = body["filterGroups"].as_array().map(Vec::as_slice).unwrap_or_default();
    let filters: usize = groups.iter().filter_map(|group| group["filters"].as_array()).map(Vec::len).sum();
    if groups.len() > 5 || filters > 18 {
        return Err(Problem::invalid("INVALID_FILTER", "too many filterGroups or filters"));
    }
    let limit = body["limit"].as_u64().unwrap_or(10);
    if limit > SEARCH_LIMIT {
        return Err(Problem::invalid("INVALID_LIMIT", "limit must be at most 200"));
    }
    let after = body["after"].as_str().map_or(Some(0), |after| after.parse().ok());
    let after: usize = after.ok_or_else(|| Problem::invalid("INVALID_AFTER", "after must be a number"))?;
    let mut found = Vec::new();
    for contact in
        state.records.contacts.iter().filter(|contact| contact.created_at.elapsed() >= state.search_lag)
    {
        if matches_any(state, groups, contact)? {
            found.push(contact);
        }
    }
    let wanted: Vec<String> = serde_json::from_value(body["properties"].clone()).unwrap_or_default();
    let page = found.iter().skip(after).take(limit as usize);
    let results: Vec<Value> =
        page.map(|contact| object(contact.id, &contact.properties, &known(state, wanted.clone()))).collect();
    let mut answer = json!({"total": found.len(), "results": results});
    let next = after + limit as usize;
    if next < found.len() {
        answer["paging"] = json!({"next": {"after": next.to_string()}});
    }
    Ok((200, answer))
}

/// Groups are alternatives; within one, all filters must hold.
fn matches_any(state: &State, groups: &[Value], contact: &Contact) -> Result<bool, Problem> {
    for group in groups {
        let filters = group["filters"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut all = true;
        for filter in filters {
            all &= matches(state, filter, contact)?;
        }
        if all {
            return Ok(true);
        }
    }
    Ok(groups.is_empty())
}

fn matches(state: &State, filter: &Value, contact: &Contact) -> Result<bool, Problem> {
    let name = filter["propertyName"].as_str().unwrap_or_default();
    if !state.records.has_contact_property(name) {
        return Err(unknown_property(name));
    }
    let value = contact.properties.get(name).and_then(Value::as_str);
    let is_equal = |wanted: &Value| {
        value.zip(wanted.as_str()).is_some_and(|(value, wanted)| value.eq_ignore_ascii_case(wanted))
    };
    match filter["operator"].as_str().unwrap_or_default() {
        "EQ" => Ok(is_equal(&filter["value"])),
        "NEQ" => Ok(!is_equal(&filter["value"])),
        "IN" => Ok(filter["values"].as_array().is_some_and(|values| values.iter().any(is_equal))),
        "HAS_PROPERTY" => Ok(value.is_some()),
        "NOT_HAS_PROPERTY" => Ok(value.is_none()),
        other => Err(Problem::invalid("INVALID_OPERATOR", format!("operator {other} is not simulated"))),
    }
}

/// The properties of a body: known names, and text as values.
pub(super) fn properties(
    request: &Request,
    is_known: impl Fn(&str) -> bool,
) -> Result<Map<String, Value>, Problem> {
    let body = request.json().ok_or_else(not_json)?;
    let unknown = body.as_object().into_iter().flat_map(Map::keys);
    let allowed = ["properties", "associations", "objectWriteTraceId"];
    if let Some(field) = unknown.into_iter().find(|field| !allowed.contains(&field.as_str())) {
        return Err(Problem::invalid("INVALID_JSON", format!("unknown field {field}")));
    }
    let properties = body["properties"].as_object().cloned();
    let properties =
        properties.ok_or_else(|| Problem::invalid("REQUIRED_FIELD", "properties is required"))?;
    for (name, value) in &properties {
        if !is_known(name) {
            return Err(unknown_property(name));
        }
        if !value.is_string() {
            return Err(Problem::invalid("INVALID_TYPE", format!("the value of {name} must be a string")));
        }
    }
    Ok(properties)
}

pub(super) fn not_json() -> Problem {
    Problem::invalid("INVALID_JSON", "the body must be JSON, with content-type application/json")
}

/// An id, if it is made of digits.
pub(super) fn number(id: &str) -> Option<u64> {
    id.parse().ok()
}

/// Unknown properties that are only asked for are dropped silently.
fn known(state: &State, mut wanted: Vec<String>) -> Vec<String> {
    wanted.retain(|name| state.records.has_contact_property(name));
    wanted
}

fn unknown_property(name: &str) -> Problem {
    Problem::invalid("PROPERTY_DOESNT_EXIST", format!("Property \"{name}\" does not exist"))
}

fn is_address(email: &str) -> bool {
    let parts: Vec<&str> = email.split('@').collect();
    matches!(parts[..], [name, domain] if !name.is_empty() && domain.contains('.') && !email.contains(' '))
}
