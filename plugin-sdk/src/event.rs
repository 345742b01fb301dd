use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::exported::bindings::chatplug::plugin::types;
use crate::{Failure, Payload, json};

/// One event, as the host stored it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// The host's id of the event, the same in every attempt.
    pub id: String,
    /// One of LiveChat's v3.6 webhook actions, or one of the host's own types such as `chat_rated`.
    pub event_type: String,
    /// `livechat`, or `chatplug` if the host made it.
    pub source: String,
    /// LiveChat's organization id, an opaque text.
    pub organization: Option<String>,
    /// When it happened on the platform, in milliseconds since 1970, where the platform says so.
    pub occurred_at_ms: Option<u64>,
    /// When the host stored it, in milliseconds since 1970.
    pub received_at_ms: u64,
    /// The chat it belongs to.
    pub chat_id: Option<String>,
    /// The thread it belongs to.
    pub thread_id: Option<String>,
    /// 1 for the first attempt at this event, 2 for the second …
    pub attempt: u32,
    /// Names such as `possible-duplicate`; newer hosts may know more than this SDK.
    pub flags: Vec<String>,
    /// JSON text in LiveChat's v3.6 shape for this event type; [`Event::payload`] reads it.
    pub payload_json: String,
    /// JSON text: what has no place above (`additional_data`, `requester` …); `{}` if there is nothing.
    pub extra_json: String,
}

impl Event {
    /// For tests: the event that the host makes of a LiveChat webhook, v3.6, given its body. Files that
    /// `chatplug serve --capture` writes are such bodies, unless they came in another format, which the host brings into
    /// this shape first. What the body doesn't say is empty, and the times are those of 1970.
    ///
    /// ```
    /// # use chatplug_sdk::{Event, Payload};
    /// let event = Event::from_webhook(
    ///     r#"{ "action": "chat_deactivated", "payload": { "chat_id": "PJ0MRSHTDG", "thread_id": "K600PKZON8" } }"#,
    /// )?;
    /// let Payload::ChatDeactivated(payload) = event.payload()? else { panic!("{event:?}") };
    /// assert_eq!(payload.thread_id, "K600PKZON8");
    /// # Ok::<(), chatplug_sdk::Failure>(())
    /// ```
    ///
    /// # Errors
    /// [`Failure::Reject`] if the text is no such body.
    pub fn from_webhook(body: &str) -> Result<Event, Failure> {
        let mut fields: Map<String, Value> = json::read("the webhook", body).map_err(Failure::from)?;
        fields.insert("wire".to_owned(), "v3".into());
        fields.remove("secret_key");
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let action = fields.remove("action").as_ref().and_then(text);
        let organization = fields.remove("organization_id").as_ref().and_then(text);
        let payload = fields.remove("payload").filter(Value::is_object);
        let (Some(event_type), Some(payload)) = (action, payload) else {
            let error =
                json::invalid("the webhook", "it has no `action` or no `payload`: is it one of v3.6?");
            return Err(error.into());
        };
        Ok(Event {
            id: String::new(),
            event_type,
            source: "livechat".to_owned(),
            organization,
            occurred_at_ms: None,
            received_at_ms: 0,
            chat_id: text(&payload["chat_id"]).or_else(|| text(&payload["chat"]["id"])),
            thread_id: text(&payload["thread_id"]).or_else(|| text(&payload["chat"]["thread"]["id"])),
            attempt: 1,
            flags: Vec::new(),
            payload_json: payload.to_string(),
            extra_json: Value::Object(fields).to_string(),
        })
    }

    /// The payload in typed form.
    ///
    /// # Errors
    /// [`Failure::Reject`] if the payload is not what the event type promises.
    pub fn payload(&self) -> Result<Payload, Failure> {
        Payload::read(&self.event_type, &self.payload_json).map_err(Failure::from)
    }

    /// The payload as one of the types of [`payload`](crate::payload), or one of your own. For a plugin that
    /// handles one event type: its component holds the code for this type only, and is smaller.
    ///
    /// # Errors
    /// [`Failure::Reject`] if the payload is not a `T`.
    pub fn payload_as<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        json::read(&format!("the payload of this {}", self.event_type), &self.payload_json)
            .map_err(Failure::from)
    }

    /// Whether the same webhook may have come before: LiveChat repeats some without an id to know them by.
    pub fn possible_duplicate(&self) -> bool {
        self.has_flag("possible-duplicate")
    }

    /// Whether the host fetched it after an outage, instead of being told at once.
    pub fn recovered(&self) -> bool {
        self.has_flag("recovered")
    }

    /// Whether a plugin of this host caused it, or else the host's app or bot. What the plugin itself caused it gets
    /// only if its manifest says so ([`Manifest::with_own_events`](crate::Manifest::with_own_events)).
    pub fn own(&self) -> bool {
        self.has_flag("own")
    }

    /// Whether later events of its lane were handled before it.
    pub fn late(&self) -> bool {
        self.has_flag("late")
    }

    /// When it happened, or else when the host stored it: milliseconds since 1970.
    pub fn at_ms(&self) -> u64 {
        self.occurred_at_ms.unwrap_or(self.received_at_ms)
    }

    fn has_flag(&self, name: &str) -> bool {
        self.flags.iter().any(|flag| flag == name)
    }
}

impl From<types::Event> for Event {
    fn from(event: types::Event) -> Self {
        Event {
            id: event.id,
            event_type: event.event_type,
            source: event.source,
            organization: event.organization,
            occurred_at_ms: event.occurred_at_ms,
            received_at_ms: event.received_at_ms,
            chat_id: event.chat_id,
            thread_id: event.thread_id,
            attempt: event.attempt,
            flags: event.flags,
            payload_json: event.payload,
            extra_json: event.extra,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_becomes_the_event_of_a_test() {
        let body = r#"{
            "webhook_id": "wh_1", "secret_key": "[secret removed]", "action": "incoming_chat",
            "organization_id": "org-1", "additional_data": { "a": 1 },
            "payload": { "chat": { "id": "C", "thread": { "id": "T" } } }
        }"#;
        let event = Event::from_webhook(body).unwrap();
        assert_eq!(
            (event.event_type.as_str(), event.organization.as_deref()),
            ("incoming_chat", Some("org-1"))
        );
        assert_eq!((event.chat_id.as_deref(), event.thread_id.as_deref()), (Some("C"), Some("T")));
        assert_eq!(event.extra_json, r#"{"additional_data":{"a":1},"webhook_id":"wh_1","wire":"v3"}"#);
        let Payload::IncomingChat(payload) = event.payload().unwrap() else { panic!("{event:?}") };
        assert_eq!(payload.chat.id, "C");
    }

    #[test]
    fn what_is_no_webhook_of_v3_6_is_no_event() {
        let v2 = r#"{"event_type":"chat_ended","token":"[secret removed]","chat":{"id":"C"}}"#;
        for body in ["", "[1]", "{}", v2, r#"{"action":1,"payload":{}}"#, r#"{"action":"x","payload":[]}"#] {
            let failure = Event::from_webhook(body).unwrap_err();
            assert!(
                matches!(&failure, Failure::Reject(reason) if reason.contains("the webhook")),
                "{failure:?}"
            );
        }
    }
}
