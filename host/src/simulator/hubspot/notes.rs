//! Notes on contacts.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::contacts::{not_json, number, properties};
use super::problem::Problem;
use super::records::{Note, object};
use super::{Answer, Query, State};
use crate::simulator::server::Request;

const PROPERTIES: [&str; 4] = ["hs_timestamp", "hs_note_body", "hubspot_owner_id", "hs_attachment_ids"];
/// Characters of `hs_note_body`, markup included.
const BODY_LIMIT: usize = 65_536;
/// The association type from a note to a contact.
const NOTE_TO_CONTACT: u64 = 202;
/// Epoch milliseconds below this would be before 2001: somebody sent seconds.
const FIRST_MILLISECOND: i64 = 1_000_000_000_000;

pub(super) fn create(state: &mut State, request: &Request) -> Answer {
    let mut properties = properties(request, |name| PROPERTIES.contains(&name))?;
    if !properties.contains_key("hs_timestamp") {
        return Err(Problem::invalid("REQUIRED_FIELD", "hs_timestamp is required"));
    }
    check(&mut properties)?;
    let body = request.json().ok_or_else(not_json)?;
    let mut contact_ids = Vec::new();
    for association in body["associations"].as_array().into_iter().flatten() {
        contact_ids.push(associated(state, association)?);
    }
    let id = state.records.add_note(properties.clone(), contact_ids);
    Ok((201, object(id, &properties, &[])))
}

pub(super) fn update(state: &mut State, id: &str, request: &Request) -> Answer {
    let mut changed = properties(request, |name| PROPERTIES.contains(&name))?;
    check(&mut changed)?;
    let note = state.records.notes.iter_mut().find(|note| Some(note.id) == number(id));
    let note = note.ok_or_else(missing)?;
    note.properties.extend(changed);
    note.updates += 1;
    Ok((200, object(note.id, &note.properties, &[])))
}

pub(super) fn get(state: &State, id: &str, query: &Query) -> Answer {
    let note = state.records.notes.iter().find(|note| Some(note.id) == number(id)).ok_or_else(missing)?;
    let mut wanted = query.list("properties");
    wanted.retain(|name| PROPERTIES.contains(&name.as_str()));
    let mut answer = object(note.id, &note.properties, &wanted);
    // Associations come only when asked for.
    if query.list("associations").iter().any(|kind| kind == "contacts") {
        answer["associations"] = associations(note);
    }
    Ok((200, answer))
}

fn associations(note: &Note) -> Value {
    let entry = |id: &u64| json!({"id": id.to_string(), "type": "note_to_contact"});
    let results: Vec<Value> = note.contact_ids.iter().map(entry).collect();
    json!({"contacts": {"results": results}})
}

pub(super) fn delete(state: &mut State, id: &str) -> Answer {
    state.records.notes.retain(|note| Some(note.id) != number(id));
    Ok((204, Value::Null))
}

/// The ids of a contact's notes; these are numbers, unlike those of v3.
pub(super) fn of_contact(state: &State, id: &str) -> Answer {
    let contact = state.records.contacts.iter().find(|contact| Some(contact.id) == number(id));
    let contact = contact.ok_or_else(missing)?;
    let notes = state.records.notes.iter().filter(|note| note.contact_ids.contains(&contact.id));
    let entry = |note: &Note| {
        json!({
            "toObjectId": note.id,
            "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": 201, "label": null}],
        })
    };
    Ok((200, json!({"results": notes.map(entry).collect::<Vec<Value>>()})))
}

/// Checks the values, and prints the time as the reply does.
fn check(properties: &mut serde_json::Map<String, Value>) -> Result<(), Problem> {
    if let Some(text) = properties.get("hs_timestamp").and_then(Value::as_str) {
        let at = time(text)
            .ok_or_else(|| Problem::invalid("INVALID_DATE", format!("hs_timestamp {text} is no ISO time")))?;
        properties.insert("hs_timestamp".to_owned(), json!(format!("{at:.3}")));
    }
    let body = properties.get("hs_note_body").and_then(Value::as_str).unwrap_or_default();
    if body.chars().count() > BODY_LIMIT {
        return Err(Problem::invalid("INVALID_LENGTH", "hs_note_body is longer than 65536 characters"));
    }
    Ok(())
}

/// ISO, or epoch milliseconds; seconds are refused.
fn time(text: &str) -> Option<Timestamp> {
    match text.parse::<i64>() {
        Ok(number) if number < FIRST_MILLISECOND => None,
        Ok(number) => Timestamp::from_millisecond(number).ok(),
        Err(_) => text.parse().ok(),
    }
}

/// The contact of an association, which must be of the right type and exist.
fn associated(state: &State, association: &Value) -> Result<u64, Problem> {
    let types = association["types"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_right = |kind: &Value| {
        kind["associationCategory"] == "HUBSPOT_DEFINED" && kind["associationTypeId"] == NOTE_TO_CONTACT
    };
    if types.is_empty() || !types.iter().all(is_right) {
        let message = "invalid from object type 0-1 for associations to be created. expected: 0-46";
        return Err(Problem::new(400, Some("VALIDATION_ERROR"), message));
    }
    let id = &association["to"]["id"];
    let known = id.as_str().and_then(number).filter(|id| state.records.contacts.iter().any(|c| c.id == *id));
    known.ok_or_else(|| {
        let problem = Problem::new(400, Some("VALIDATION_ERROR"), "One or more associations are invalid");
        problem.with_context(json!({"INVALID_OBJECT_IDS": [id], "objectId": [id], "objectType": ["0-1"]}))
    })
}

fn missing() -> Problem {
    Problem::new(404, None, "resource not found")
}
