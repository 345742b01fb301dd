//! HubSpot's notes.

use chatplug_sdk::http::{self, Effect};
use chatplug_sdk::prelude::*;
use jiff::Timestamp;

use super::answer::{Answer, Trouble};
use super::contacts::id;
use super::{ASSOCIATIONS, CONNECTION, OBJECTS, send};
use crate::note;

/// HubSpot's number for "this note is about that contact".
const NOTE_TO_CONTACT: u32 = 202;

/// How many of a contact's notes are looked through, newest first: the one that is looked for was written
/// minutes ago.
const LOOKED_THROUGH: usize = 30;

/// Writes a note about a contact; answers its id. `at` is its place on the contact's timeline.
pub fn create(
    contact_id: &str,
    body: &str,
    at: Timestamp,
    owner_id: Option<&str>,
) -> Result<String, Trouble> {
    let doing = "writing the note";
    let note = new_note(contact_id, body, at, owner_id);
    let request = http::post_json(CONNECTION, format!("{OBJECTS}/notes"), &note)
        // Whatever the operator says of POSTs elsewhere: a second note would be a second note.
        .effect(Effect::Unknown)
        .once("note");
    let named = match send(doing, request)? {
        Answer::Done(body) => id(&body),
        other => {
            let failure =
                Failure::reject(format!("{doing}: HubSpot's answer makes no sense here: {other:?}"));
            return Err(Trouble { failure, unknown: false });
        }
    };
    // It was written: the next attempt finds it by its mark.
    named.ok_or_else(|| Trouble {
        failure: Failure::retry(format!("{doing}: HubSpot named no id")),
        unknown: true,
    })
}

/// Replaces a note's body; answers whether the note is still there.
pub fn update(note_id: &str, body: &str) -> Result<bool, Failure> {
    let change = json!({"properties": {"hs_note_body": body}});
    let path = format!("{OBJECTS}/notes/{}", http::segment(note_id));
    let request = http::patch_json(CONNECTION, path, &change).effect(Effect::Repeatable).once("update");
    Ok(send("updating the note", request)? != Answer::Missing)
}

/// The contact's note about a thread, known by its mark.
pub fn find(contact_id: &str, thread_id: &str) -> Result<Option<String>, Failure> {
    let path = format!("{ASSOCIATIONS}/contacts/{}/associations/notes", http::segment(contact_id));
    let request = http::get(CONNECTION, path).query("limit", "500");
    let Answer::Done(list) = send("listing the contact's notes", request)? else { return Ok(None) };
    for note_id in newest(&list) {
        let path = format!("{OBJECTS}/notes/{note_id}");
        let request = http::get(CONNECTION, path).query("properties", "hs_note_body");
        if let Answer::Done(note) = send("reading a note of the contact", request)?
            && note
                .pointer("/properties/hs_note_body")
                .and_then(Value::as_str)
                .is_some_and(|body| note::is_about(body, thread_id))
        {
            return Ok(Some(note_id.to_string()));
        }
    }
    Ok(None)
}

fn new_note(contact_id: &str, body: &str, at: Timestamp, owner_id: Option<&str>) -> Value {
    let mut properties = json!({"hs_timestamp": at.to_string(), "hs_note_body": body});
    if let Some(owner_id) = owner_id {
        properties["hubspot_owner_id"] = json!(owner_id);
    }
    json!({
        "properties": properties,
        "associations": [{
            "to": {"id": contact_id},
            "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": NOTE_TO_CONTACT}],
        }],
    })
}

/// Ids of notes in a list of associations, newest first: HubSpot's ids grow.
fn newest(list: &Value) -> Vec<u64> {
    let results = list.get("results").and_then(Value::as_array).into_iter().flatten();
    let mut ids: Vec<u64> = results
        .filter_map(|result| result.get("toObjectId").or_else(|| result.get("id")))
        .filter_map(|id| id.as_u64().or_else(|| id.as_str()?.parse().ok()))
        .collect();
    ids.sort_unstable_by(|left, right| right.cmp(left));
    ids.truncate(LOOKED_THROUGH);
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_note_has_its_time_and_its_contact() {
        let at = "2026-06-01T12:04:40.123Z".parse().expect("a timestamp");
        let expected = json!({
            "properties": {"hs_timestamp": "2026-06-01T12:04:40.123Z", "hs_note_body": "<p>x</p>", "hubspot_owner_id": "41"},
            "associations": [{
                "to": {"id": "501"},
                "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 202}]
            }]
        });
        assert_eq!(new_note("501", "<p>x</p>", at, Some("41")), expected);
        assert!(new_note("501", "", at, None)["properties"].get("hubspot_owner_id").is_none());
    }

    #[test]
    fn the_newest_notes_come_first_and_not_too_many() {
        let list = json!({"results": [{"toObjectId": 9}, {"toObjectId": "11"}, {"id": "10"}, {"odd": 1}]});
        assert_eq!(newest(&list), [11, 10, 9]);
        let many: Vec<Value> = (0..500).map(|id| json!({"toObjectId": id})).collect();
        assert_eq!(newest(&json!({"results": many})).len(), LOOKED_THROUGH);
        assert_eq!(newest(&Value::Null), [0; 0]);
    }
}
