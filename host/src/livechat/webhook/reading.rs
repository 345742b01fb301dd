//! A webhook in the v3.6 shape, whatever format it came in.

use super::json::{self, Object};
use crate::event::types;

/// The longest type name of a webhook that the host doesn't know, in characters.
const LONGEST_NAME: usize = 64;

/// What a format's reader found.
pub(super) struct Reading {
    /// See [`event_type`].
    pub(super) event_type: String,
    /// Whether the host knows the type.
    pub(super) known: bool,
    /// LiveChat's organization id.
    pub(super) organization: Option<String>,
    /// When it happened, where the format says so outside of the v3.6 shape.
    pub(super) occurred_at_ms: Option<i64>,
    /// JSON text in the v3.6 shape of the type.
    pub(super) payload: String,
    /// JSON text: the body's other fields, and `wire`: `v3`, `v2` or `signed`.
    pub(super) extra: String,
    /// The body, where payload and extra don't say it all.
    pub(super) original: String,
}

/// The event type that a name on the wire means, and whether it is known. A name that nobody knows stays as
/// it is, unless it is one that only the host may give.
pub(super) fn event_type(name: &str) -> (String, bool) {
    if let Some(known) = types::of_wire(name) {
        return (known.to_owned(), true);
    }
    let name: String = name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
    match name.as_str() {
        "" => ("unknown".to_owned(), false),
        own if types::is_own(own) => (format!("livechat.{own}"), false),
        _ => (name, false),
    }
}

/// All fields but those that are told elsewhere. A type that was renamed keeps its old name as `action`.
pub(super) fn extra(
    object: &Object,
    is_told: impl Fn(&str) -> bool,
    wire: &str,
    sent_name: &str,
    event_type: &str,
) -> String {
    let (wire, sent) = (json::quoted(wire), json::quoted(sent_name));
    let rest = object.fields().filter(|(name, _)| !is_told(name));
    let renamed = (sent_name != event_type).then_some(("action", sent.as_str()));
    json::to_json(rest.chain([("wire", wire.as_str())]).chain(renamed))
}
