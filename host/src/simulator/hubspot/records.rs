//! What HubSpot stores.

use std::time::Instant;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// A contact.
#[derive(Clone, Debug)]
pub struct Contact {
    /// Digits.
    pub id: u64,
    /// Name to text.
    pub properties: Map<String, Value>,
    pub(super) created_at: Instant,
}

/// A note.
#[derive(Clone, Debug)]
pub struct Note {
    /// Digits.
    pub id: u64,
    /// Name to text: `hs_note_body`, `hs_timestamp` …
    pub properties: Map<String, Value>,
    /// The contacts that it is associated with.
    pub contact_ids: Vec<u64>,
    /// How often it was changed after it was made.
    pub updates: u32,
}

impl Note {
    /// The rich text.
    pub fn body(&self) -> &str {
        self.properties.get("hs_note_body").and_then(Value::as_str).unwrap_or_default()
    }
}

impl Contact {
    /// The primary address.
    pub fn email(&self) -> &str {
        self.properties.get("email").and_then(Value::as_str).unwrap_or_default()
    }
}

/// Contacts and notes, oldest first.
#[derive(Default)]
pub(super) struct Records {
    pub(super) contacts: Vec<Contact>,
    pub(super) notes: Vec<Note>,
    /// Contact properties of the account's own.
    pub(super) own_properties: Vec<String>,
    count: u64,
}

/// The properties that every account's contacts have, as far as this double needs them.
const CONTACT_PROPERTIES: [&str; 9] = [
    "email",
    "firstname",
    "lastname",
    "phone",
    "mobilephone",
    "company",
    "lifecyclestage",
    "createdate",
    "hs_additional_emails",
];

impl Records {
    pub(super) fn has_contact_property(&self, name: &str) -> bool {
        CONTACT_PROPERTIES.contains(&name) || self.own_properties.iter().any(|own| own == name)
    }

    pub(super) fn add_contact(&mut self, properties: Map<String, Value>) -> u64 {
        let id = self.new_id();
        self.contacts.push(Contact { id, properties, created_at: Instant::now() });
        id
    }

    pub(super) fn add_note(&mut self, properties: Map<String, Value>, contact_ids: Vec<u64>) -> u64 {
        let id = self.new_id();
        self.notes.push(Note { id, properties, contact_ids, updates: 0 });
        id
    }

    pub(super) fn contact_by_email(&self, email: &str) -> Option<&Contact> {
        self.contacts.iter().find(|contact| contact.email().eq_ignore_ascii_case(email))
    }

    pub(super) fn notes_on(&self, email: &str) -> Vec<Note> {
        let Some(contact) = self.contact_by_email(email) else { return Vec::new() };
        let on_contact = |note: &&Note| note.contact_ids.contains(&contact.id);
        self.notes.iter().filter(on_contact).cloned().collect()
    }

    fn new_id(&mut self) -> u64 {
        self.count += 1;
        500 + self.count
    }
}

/// The object of any record, with the properties that were asked for; all if none were.
pub(super) fn object(id: u64, properties: &Map<String, Value>, wanted: &[String]) -> Value {
    let shown: Map<String, Value> = if wanted.is_empty() {
        properties.clone()
    } else {
        // A property that nobody set is null; one that doesn't exist would be left out.
        wanted
            .iter()
            .map(|name| (name.clone(), properties.get(name).cloned().unwrap_or(Value::Null)))
            .collect()
    };
    let now = format!("{:.3}", Timestamp::now());
    json!({"id": id.to_string(), "properties": shown, "createdAt": now, "updatedAt": now, "archived": false})
}
