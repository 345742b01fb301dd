//! Understanding webhooks: who sent one, and which events it makes. Pure: bytes and a time in, values out.
//!
//! Three wire formats are accepted, each authenticated by the same configured secrets: LiveChat v3.2 to v3.6
//! (the secret stands in the body), the legacy v2 (likewise), and bodies of any shape that a gateway signed.

use crate::event::rating::Signal;
use crate::event::{NewEvent, Source};

mod body;
mod captured;
mod derived;
mod facts;
mod flat;
mod json;
pub mod listed;
mod older;
mod payload;
mod rating;
mod reading;
mod refusal;
mod secrets;
mod trace;
mod v3;

pub use refusal::{Reason, Refusal};
pub use secrets::Secrets;
pub use trace::Us;

use json::Object;
use payload::Payload;

/// The fields of a body that hold a secret, whatever the format.
const PROOFS: [&str; 2] = ["secret_key", "token"];

/// What is accepted.
#[derive(Debug)]
pub struct Door {
    /// The secrets that a webhook may be authenticated by.
    pub secrets: Secrets,
    /// Where set, a body that names another organization is refused.
    pub organization: Option<String>,
    /// By whom the host's own doing is recognised.
    pub us: Us,
    /// How deep the JSON of a body may nest.
    pub json_depth: usize,
}

/// What a webhook says.
#[derive(Clone, Debug, PartialEq)]
pub struct Webhook {
    /// The webhook itself first, then the events that only come inside it; never empty.
    pub events: Vec<NewEvent>,
    /// What it says about a rating. Only to be heard if the first event is not a duplicate.
    pub rating: Option<Signal>,
    /// Whether the host knows this type of webhook.
    pub known: bool,
}

impl Door {
    /// Reads a request body. `signature` is the header `X-LiveChat-Signature`, if the request has one: a
    /// wrong one refuses, whatever the body says. `received_at_ms` counts from 1970.
    ///
    /// # Errors
    /// Why the webhook is refused; then nothing of it is to be stored.
    pub fn receive(
        &self,
        body: &[u8],
        signature: Option<&[u8]>,
        received_at_ms: i64,
    ) -> Result<Webhook, Refusal> {
        let refuse = |reason| Refusal::new(reason, body, self.json_depth);
        if self.secrets.is_empty() {
            return Err(refuse(Reason::NoSecretConfigured));
        }
        if signature.is_some_and(|signature| !self.secrets.signed(body, signature)) {
            return Err(refuse(Reason::WrongSignature));
        }
        let text = body::text(body, self.json_depth).map_err(refuse)?;
        let mut object = Object::parse(&text).map_err(refuse)?;
        let wrapped;
        if signature.is_some() && !text.trim_start().starts_with('{') {
            wrapped = format!("{{\"body\":{text}}}");
            object = Object::parse(&wrapped).map_err(refuse)?;
        }
        if signature.is_none() {
            self.authenticate(&object).map_err(refuse)?;
        }
        if self.is_of_another_organization(&object) {
            return Err(refuse(Reason::OtherOrganization));
        }
        PROOFS.iter().for_each(|name| object.remove(name));
        let wire = if signature.is_some() { "signed" } else { wire(&object) };
        if !self.secrets.appear_in_any(&object) {
            return Ok(understand(&self.us, &object, wire, received_at_ms));
        }
        let scrubbed = self.secrets.scrub(&object.to_json());
        let object = Object::parse(&scrubbed).map_err(refuse)?;
        Ok(understand(&self.us, &object, wire, received_at_ms))
    }

    fn is_of_another_organization(&self, object: &Object) -> bool {
        let named = object.raw("organization_id").filter(|raw| *raw != "null");
        // What is named but is no text is not ours either.
        let is_ours = |ours: &str| object.text("organization_id").is_some_and(|theirs| theirs == ours);
        named.is_some() && self.organization.as_deref().is_some_and(|ours| !is_ours(ours))
    }

    fn authenticate(&self, object: &Object) -> Result<(), Reason> {
        let field = match wire(object) {
            "v3" => "secret_key",
            "v2" => "token",
            _ => return Err(Reason::UnknownFormat),
        };
        let given = object.text(field).ok_or(Reason::MissingSecret)?;
        if self.secrets.accept(&given) { Ok(()) } else { Err(Reason::WrongSecret) }
    }
}

/// Which format a body has, by the field that names its type.
fn wire(object: &Object) -> &'static str {
    if object.text("action").is_some() {
        "v3"
    } else if object.text("event_type").is_some() {
        "v2"
    } else {
        "unknown"
    }
}

fn understand(us: &Us, object: &Object, wire_name: &'static str, received_at_ms: i64) -> Webhook {
    let reading = match wire(object) {
        "v3" => v3::read(object, wire_name),
        _ => flat::read(object, wire_name),
    };
    let payload = Payload::read(&reading.payload);
    let facts = facts::of(&reading.event_type, &payload);
    let rating = rating::signal(&reading, &payload, &facts, received_at_ms);
    let inside = derived::incoming_events(us, &reading, &payload, &facts);
    let trace = trace::of(us, &reading, &payload);
    let first = NewEvent {
        event_type: reading.event_type,
        source: Source::Livechat,
        organization: reading.organization,
        occurred_at_ms: reading.occurred_at_ms.or(facts.occurred_at_ms),
        chat_id: facts.chat_id,
        thread_id: facts.thread_id,
        lane: facts.lane,
        dedupe: facts.dedupe,
        trace,
        payload: reading.payload,
        extra: reading.extra,
        original: reading.original,
        recovered: false,
    };
    let mut events = Vec::with_capacity(1 + inside.len());
    events.push(first);
    events.extend(inside);
    Webhook { events, rating, known: reading.known }
}

#[cfg(test)]
mod tests;
