use schemars::Schema;
use serde::Serialize;

/// What a plugin says of itself (the contract's `manifest.schema.json`).
#[derive(Clone, Debug, Serialize)]
pub struct Manifest {
    name: String,
    release: String,
    description: String,
    events: Vec<String>,
    connections: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    livechat_calls: Vec<String>,
    wants_own_events: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    settings_schema: Option<Schema>,
}

impl Manifest {
    /// `name` is the plugin's identity, kebab-case; `release` the author's text for this version, such as
    /// `env!("CARGO_PKG_VERSION")`; `description` one line that says what it does.
    pub fn new(name: &str, release: &str, description: &str) -> Self {
        Manifest {
            name: name.into(),
            release: release.into(),
            description: description.into(),
            events: Vec::new(),
            connections: Vec::new(),
            livechat_calls: Vec::new(),
            wants_own_events: false,
            settings_schema: None,
        }
    }

    /// Adds an event type that the plugin handles: one of LiveChat's v3.6 webhook actions, or `chat_rated`.
    pub fn on(mut self, event_type: &str) -> Self {
        self.events.push(event_type.into());
        self
    }

    /// Adds a connection that the plugin names when it calls [`http`](crate::http).
    pub fn connection(mut self, name: &str) -> Self {
        self.connections.push(name.into());
        self
    }

    /// Adds a call that the plugin names when it calls [`livechat`](crate::livechat): API and action, such as
    /// `configuration.create_tag` or `reports.chats/forms`.
    pub fn livechat_call(mut self, name: &str) -> Self {
        self.livechat_calls.push(name.into());
        self
    }

    /// Says that the plugin also wants the events that it causes itself: its own messages, transfers … The
    /// operator has to agree (`own_events` in the config). Beware of answering yourself.
    pub fn with_own_events(mut self) -> Self {
        self.wants_own_events = true;
        self
    }

    pub(crate) fn with_settings_schema(mut self, schema: Schema) -> Self {
        self.settings_schema = Some(schema);
        self
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a manifest's keys are text")
    }
}
