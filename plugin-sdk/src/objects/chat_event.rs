use serde::Deserialize;
use serde_json::Value;

use super::{ChatEventKind, Properties, Visibility};
use crate::json::or_default;

/// LiveChat's event inside a thread: a message, a file, a filled form … Which fields are there depends on
/// its kind.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ChatEvent {
    /// Its id.
    pub id: String,
    /// The sender's own id for it.
    pub custom_id: Option<String>,
    /// What it is.
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub kind: ChatEventKind,
    /// When, RFC 3339.
    pub created_at: Option<String>,
    /// Who; absent where the platform speaks.
    pub author_id: Option<String>,
    /// Who sees it.
    #[serde(deserialize_with = "or_default")]
    pub visibility: Visibility,
    /// Its properties.
    #[serde(deserialize_with = "or_default")]
    pub properties: Properties,
    /// Of a message or system message.
    pub text: Option<String>,
    /// Of a file: its name.
    pub name: Option<String>,
    /// Of a file: where it is.
    pub url: Option<String>,
    /// Of a file: its media type.
    pub content_type: Option<String>,
    /// Of a form: `prechat`, `postchat`, `ask_for_email` …
    pub form_type: Option<String>,
    /// Of a form.
    #[serde(deserialize_with = "or_default")]
    pub fields: Vec<FormField>,
    /// Of a rich message: `cards`, `quick_replies` …
    pub template_id: Option<String>,
    /// Of a rich message: its cards, as LiveChat sent them.
    pub elements: Value,
    /// Of a custom event, as LiveChat sent it.
    pub content: Value,
    /// Of a system message, such as `routing.archived_inactive`.
    pub system_message_type: Option<String>,
    /// Of a system message, as LiveChat sent it.
    pub text_vars: Value,
    /// Of what the platform says to programs: what it is about.
    pub subtype: Option<String>,
    /// Of what the platform says to programs: JSON text.
    pub details: Option<String>,
}

impl ChatEvent {
    /// The text, if it is a message.
    pub fn message(&self) -> Option<&str> {
        if self.kind == ChatEventKind::Message { self.text.as_deref() } else { None }
    }

    /// Whether only agents see it.
    pub fn is_internal(&self) -> bool {
        self.visibility == Visibility::Agents
    }

    /// Whether LiveChat sent it by itself in an agent's name: the welcome message, or a greeting. Nobody has said that.
    pub fn is_automatic(&self) -> bool {
        let marks = ["welcome_message", "greeting_id"].map(|name| self.properties.get("lc2", name));
        marks.into_iter().flatten().any(|mark| !matches!(mark, Value::Null | Value::Bool(false)))
    }
}

/// A field of a form.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct FormField {
    /// `name`, `email`, `question`, `radio`, `checkbox` …
    #[serde(rename = "type")]
    pub kind: String,
    /// What the form asked.
    #[serde(deserialize_with = "or_default")]
    pub label: String,
    /// Text, or an object with `label`; null if there is none.
    pub answer: Value,
    /// Of a checkbox: objects with `label`.
    #[serde(deserialize_with = "or_default")]
    pub answers: Vec<Value>,
}

impl FormField {
    /// What the customer answered, several answers joined with commas; empty if nothing.
    pub fn answer_text(&self) -> String {
        let texts: Vec<&str> = std::iter::once(&self.answer)
            .chain(&self.answers)
            .filter_map(|answer| answer.as_str().or_else(|| answer.get("label")?.as_str()))
            .collect();
        texts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_livechat_says_by_itself_is_told_by_its_properties() {
        #[track_caller]
        fn check(properties: Value, expected: bool) {
            let event =
                json!({ "type": "message", "author_id": "ann@example.com", "properties": properties });
            let event: ChatEvent = serde_json::from_value(event).expect("a chat event");
            assert_eq!(event.is_automatic(), expected, "{properties}");
        }
        check(Value::Null, false);
        check(json!({ "source": { "client_id": "a" } }), false);
        check(json!({ "lc2": { "form_type": "prechat" } }), false);
        check(json!({ "lc2": { "welcome_message": false, "greeting_id": null } }), false);
        check(json!({ "lc2": { "welcome_message": true } }), true);
        check(json!({ "lc2": { "greeting_id": 17 } }), true);
        check(json!({ "lc2": { "greeting_id": "17", "greeting_unique_id": "QS3JE7" } }), true);
    }
}
