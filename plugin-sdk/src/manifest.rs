use std::time::Duration;

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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    schedules: Vec<Schedule>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    commands: Vec<Command>,
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
            schedules: Vec::new(),
            commands: Vec::new(),
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

    /// Adds something that the plugin does again and again: it gets a `schedule` event each time. Operators can change a
    /// schedule and switch it off.
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedules.push(schedule);
        self
    }

    /// Adds something that operators can ask of the plugin (`chatplug plugins command NAME COMMAND --key value`): it gets
    /// a `command` event. `name` is kebab-case; `description` is one line that says what it does, and its arguments.
    pub fn command(mut self, name: &str, description: &str) -> Self {
        self.commands.push(Command { name: name.into(), description: description.into() });
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

/// Something that a plugin does again and again.
#[derive(Clone, Debug, Serialize)]
pub struct Schedule {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cron: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    every_s: Option<u64>,
    catch_up: bool,
}

impl Schedule {
    /// At times of the wall clock: `pattern` is minute, hour, day of month, month, day of week, such as
    /// `0 3 * * MON-FRI`. `name` is kebab-case. The time zone is the account's, unless one is named.
    ///
    /// A time that the clocks skip when they go forward comes when they do. Where they go back, a pattern that names
    /// hours comes once for each time that it names; one for every hour (`*`) goes on by what passes.
    pub fn cron(name: &str, pattern: &str) -> Self {
        Schedule { cron: Some(pattern.into()), ..Schedule::new(name) }
    }

    /// Every so often, in whole seconds from 1 to a day.
    pub fn every(name: &str, interval: Duration) -> Self {
        Schedule { every_s: Some(interval.as_secs()), ..Schedule::new(name) }
    }

    /// The time zone of the pattern, an IANA name such as `Europe/Warsaw`.
    pub fn timezone(mut self, name: &str) -> Self {
        self.timezone = Some(name.into());
        self
    }

    /// What was missed, as the host was down or the plugin could not run, is done once when it can. Without this it is
    /// left out.
    pub fn catch_up(mut self) -> Self {
        self.catch_up = true;
        self
    }

    fn new(name: &str) -> Self {
        Schedule { name: name.into(), cron: None, timezone: None, every_s: None, catch_up: false }
    }
}

#[derive(Clone, Debug, Serialize)]
struct Command {
    name: String,
    description: String,
}
