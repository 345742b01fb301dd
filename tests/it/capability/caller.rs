//! A host whose plugin makes the calls that messages name.

use std::path::PathBuf;

use chatplug::simulator::Recorded;
use chatplug::simulator::livechat::{EndedBy, Opening};
use chatplug_tests::{deliveries, guest};
use jiff::Timestamp;
use serde_json::{Value, json};
use toml::Table;

use crate::client::{accept, webhook};
use crate::services::Stage;

/// What the services are called, for a host with a plugin that calls them.
pub(crate) const CONNECTIONS: &str = r#"
[connections.hubspot]
kind = "hubspot"
base_url = "https://api.hubapi.com"
bearer = { env = "HUBSPOT_TOKEN" }

[connections.hook]
kind = "slack"
url = { env = "SLACK_WEBHOOK_URL" }

[connections.slack]
kind = "slack"
base_url = "https://slack.com"
bearer = { env = "SLACK_TOKEN" }
"#;

/// A host whose plugin makes the calls of [`Caller::call`].
pub(crate) struct Caller {
    pub(crate) stage: Stage,
    calls: usize,
    /// When the events happened on the platform; by default now.
    happened: Option<&'static str>,
}

const GRANTS: &str = r#"grants = ["chats.*", "customers.*", "agents.*", "reports.*", "http:hubspot", "http:hook", "http:slack",
    "livechat:configuration.create_tag", "livechat:agent.send_event", "livechat:reports.*"]"#;

/// What a caller asks for that gets none of it from LiveChat.
pub(crate) const NOTHING: &str = r#""chats.*", "customers.*", "agents.*", "reports.*", "livechat:configuration.*",
    "livechat:agent.*", "livechat:reports.*""#;

impl Caller {
    pub(super) async fn granted() -> Caller {
        Caller::with(GRANTS).await
    }

    /// The same, with limits of its own.
    pub(super) async fn limited(limits: &str) -> Caller {
        Caller::with(&format!("{GRANTS}\n[plugin.caller.limits]\n{limits}")).await
    }

    pub(super) async fn denied() -> Caller {
        Caller::with(&format!("denies = [{NOTHING}, \"http:hubspot\", \"http:hook\"]")).await
    }

    /// The same with a component that was built long ago.
    pub(crate) async fn granted_to(component: PathBuf) -> Caller {
        Caller::of(component, GRANTS).await
    }

    /// A host with these grants and denies.
    pub(super) async fn with(policy: &str) -> Caller {
        Caller::of(guest("guest_caller"), policy).await
    }

    async fn of(component: PathBuf, policy: &str) -> Caller {
        let config = format!("{CONNECTIONS}\n[plugin.caller]\nevents = [\"incoming_event\"]\n{policy}\n");
        let config: Table = config.parse().expect("TOML");
        Caller { stage: Stage::with(config, component).await, calls: 0, happened: None }
    }

    /// Events happen then from now on.
    pub(super) fn happened(&mut self, at: &'static str) {
        self.happened = Some(at);
    }

    /// Has the plugin make a call.
    pub(super) async fn ask(&mut self, name: &str, with: &Value) {
        self.calls += 1;
        let at = self.happened.map_or_else(|| Timestamp::now().to_string(), str::to_owned);
        let event = json!({
            "id": "1", "type": "message", "created_at": at, "visibility": "all",
            "author_id": "b7eff798", "text": json!({"call": name, "with": with}).to_string(),
        });
        let payload = json!({"chat_id": format!("CALL{}", self.calls), "thread_id": "T", "event": event});
        accept(&self.stage.host, webhook("incoming_event", &payload)).await;
    }

    /// The delivery of the call that was made last.
    pub(super) fn last_delivery(&self) -> Value {
        let chat_id = format!("CALL{}", self.calls);
        let events = self.stage.host.wait_until_done(self.calls);
        let event = events.iter().find(|event| event["chat_id"] == chat_id.as_str()).expect("the event");
        deliveries(event).next().expect("a delivery").clone()
    }

    /// Has the plugin make a call; answers what it was told.
    pub(crate) async fn call(&mut self, name: &str, with: &Value) -> Value {
        self.ask(name, with).await;
        let delivery = self.last_delivery();
        let reason = delivery["reason"].as_str().unwrap_or_default();
        let told = reason.strip_prefix("rejected by the plugin: ");
        let told = told.unwrap_or_else(|| panic!("{name} {with}: {delivery:#}"));
        serde_json::from_str(told).unwrap_or_else(|error| panic!("{name} {with}: {error}: {told}"))
    }

    /// What all services were asked so far.
    pub(super) fn asked(&self) -> Vec<Recorded> {
        let Stage { livechat, hubspot, slack, .. } = &self.stage;
        [livechat.requests(), hubspot.requests(), slack.requests()]
            .into_iter()
            .flat_map(|all| all.all())
            .collect()
    }

    /// A chat with Smith, and the ids of it and its thread.
    pub(super) fn chat(&self, customer: &str) -> (String, String) {
        let told = self.stage.livechat.start_chat(&Opening::by(customer)).expect("a chat");
        (told.chat_id, told.thread_id)
    }

    pub(super) fn ended_chat(&self, customer: &str) -> (String, String) {
        let ids = self.chat(customer);
        self.stage.livechat.end_chat(&ids.0, &EndedBy::Router).expect("it ends");
        ids
    }

    /// Has the plugin make a call that has to fail: with this code, and a message that holds `part`.
    pub(super) async fn expect_error(&mut self, name: &str, with: &Value, code: &str, part: &str) {
        let told = self.call(name, with).await;
        let message = told["message"].as_str().unwrap_or_default();
        assert!(told["code"] == code && message.contains(part), "{name} {with}: {told}");
    }
}
