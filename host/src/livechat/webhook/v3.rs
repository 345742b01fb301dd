//! LiveChat's own webhooks, v3.2 to v3.6. The versions can't be told apart by a field; what is older in one
//! is brought up to date where it is found.

use super::json::{self, Object};
use super::older;
use super::reading::{self, Reading};

/// The envelope's fields that have a place of their own in an event.
const TOLD: [&str; 3] = ["action", "organization_id", "payload"];

pub(super) fn read(object: &Object, wire: &str) -> Reading {
    let action = object.text("action").unwrap_or_default();
    let (event_type, known) = reading::event_type(&action);
    let sent = json::compact(object.raw("payload").unwrap_or("{}"));
    let modern = older::modernise(&event_type, &sent);
    Reading {
        extra: reading::extra(object, |name| TOLD.contains(&name), wire, &action, &event_type),
        original: if modern.is_some() { object.to_json() } else { String::new() },
        payload: modern.unwrap_or_else(|| sent.into_owned()),
        organization: organization(object),
        occurred_at_ms: None,
        event_type,
        known,
    }
}

/// The organization that a body names (v3.4 and later).
pub(super) fn organization(object: &Object) -> Option<String> {
    object.id("organization_id").map(|id| id.into_owned())
}
