//! Webhook bodies in the shape of v3.6.

use serde_json::{Map, Value, json};

use super::account::Account;
use crate::event::types;

/// Something that happened and that a webhook may tell.
pub(super) struct Occurrence {
    pub(super) action: &'static str,
    pub(super) chat_id: Option<String>,
    pub(super) payload: Value,
    /// What `additional_data` may hold, as it was at that moment.
    pub(super) extra: Option<Value>,
    /// Who changed the configuration.
    pub(super) requester: Option<Value>,
}

/// A registered webhook.
#[derive(Clone)]
pub(super) struct Registration {
    pub(super) id: String,
    pub(super) action: String,
    pub(super) url: String,
    pub(super) secret_key: String,
    pub(super) description: Option<String>,
    pub(super) owner_client_id: String,
    pub(super) kind: &'static str,
    pub(super) additional_data: Vec<String>,
}

/// What a registration may ask for besides the payload.
pub(super) const ADDITIONAL_DATA: [&str; 2] = ["chat_properties", "chat_presence_user_ids"];

impl Occurrence {
    /// The body that is posted for this registration.
    pub(super) fn body(&self, organization_id: &str, registration: &Registration) -> Value {
        let mut additional_data = Map::new();
        for name in &registration.additional_data {
            if let Some(value) = self.extra.as_ref().and_then(|extra| extra.get(name)) {
                additional_data.insert(name.clone(), value.clone());
            }
        }
        let mut body = json!({
            "webhook_id": registration.id,
            "secret_key": registration.secret_key,
            "action": self.action,
            "organization_id": organization_id,
            "payload": self.payload,
            "additional_data": additional_data,
        });
        if let Some(requester) = &self.requester {
            body["requester"] = requester.clone();
        }
        body
    }
}

impl Account {
    /// A registration like those of a whole app: everything that can be asked for.
    pub(super) fn registration(&mut self, action: &str, url: &str, secret_key: &str) -> Registration {
        Registration {
            id: format!("wh_{}", self.new_id().to_lowercase()),
            action: action.to_owned(),
            url: url.to_owned(),
            secret_key: secret_key.to_owned(),
            description: None,
            owner_client_id: super::CLIENT_ID.to_owned(),
            kind: "license",
            additional_data: ADDITIONAL_DATA.map(str::to_owned).to_vec(),
        }
    }
}

impl Registration {
    /// The object of `list_webhooks`; the secret is not shown.
    pub(super) fn json(&self) -> Value {
        let mut object = json!({
            "id": self.id, "url": self.url, "action": self.action,
            "owner_client_id": self.owner_client_id, "type": self.kind,
            "additional_data": self.additional_data,
        });
        if let Some(description) = &self.description {
            object["description"] = json!(description);
        }
        object
    }
}

/// The names of `list_webhook_names`.
pub(super) fn names() -> Value {
    let entry = |action: &&str| {
        json!({
            "action": action,
            "filters": ["source_type"],
            "additional_data": if is_of_chat(action) { &ADDITIONAL_DATA[..] } else { &[] },
        })
    };
    types::PLATFORM.iter().map(entry).collect()
}

fn is_of_chat(action: &str) -> bool {
    const OF_THE_ACCOUNT: [&str; 6] =
        ["agent_", "bot_", "group_", "tag_", "auto_accesses_", "routing_status_"];
    !OF_THE_ACCOUNT.iter().any(|prefix| action.starts_with(prefix))
}
