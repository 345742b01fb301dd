//! What `chatplug webhooks` asks of the Configuration API.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::configuration::parse;
use super::request;
use super::{Client, Error};
use crate::livechat::registrations::{Change, KIND, Offered, Registration};

const SCOPE: &str = "webhooks.configuration:rw";

#[derive(Deserialize)]
struct State {
    license_webhooks_enabled: bool,
}

#[derive(Deserialize)]
struct Registered {
    id: String,
}

impl Client {
    /// The webhooks that LiveChat offers, with what each can bring; needs no credentials.
    ///
    /// # Errors
    /// `unavailable` if it can't be reached.
    pub async fn offered_webhooks(&self) -> Result<Vec<Offered>, Error> {
        let request = request::configuration("list_webhook_names", "", json!({}));
        let body = self.api.post_anonymously(&request).await.map_err(|failure| failure.error)?;
        parse(&request, &body)
    }

    /// The webhooks that are registered for an app.
    ///
    /// # Errors
    /// As LiveChat has it; `denied` if the token lacks the scope.
    pub async fn list_webhooks(&self, client_id: &str) -> Result<Vec<Registration>, Error> {
        let body = json!({ "owner_client_id": client_id });
        self.ask(&request::configuration("list_webhooks", SCOPE, body)).await
    }

    /// Registers a webhook; answers its id.
    ///
    /// # Errors
    /// As LiveChat has it. Whether it was registered behind an `unavailable`, the next listing tells.
    pub async fn register_webhook(
        &self,
        client_id: &str,
        url: &str,
        secret: &SecretString,
        change: &Change,
    ) -> Result<String, Error> {
        let body = json!({
            "action": change.action, "url": url, "secret_key": secret.expose_secret(), "type": KIND,
            "owner_client_id": client_id, "description": "Chatplug", "additional_data": change.additional_data,
        });
        let registered: Registered =
            self.ask(&request::configuration("register_webhook", SCOPE, body)).await?;
        Ok(registered.id)
    }

    /// Takes a registration away.
    ///
    /// # Errors
    /// As LiveChat has it; `not-found` if it is gone.
    pub async fn unregister_webhook(&self, client_id: &str, id: &str) -> Result<(), Error> {
        let body = json!({ "id": id, "owner_client_id": client_id });
        let request = request::configuration("unregister_webhook", SCOPE, body);
        self.api.post(&request).await.map(|_| ()).map_err(|failure| failure.error)
    }

    /// Whether LiveChat sends the webhooks of an app at all.
    ///
    /// # Errors
    /// As LiveChat has it; `denied` if the token lacks the scope.
    pub async fn are_webhooks_on(&self, client_id: &str) -> Result<bool, Error> {
        let body = json!({ "owner_client_id": client_id });
        let request = request::configuration("get_license_webhooks_state", "webhooks.state:ro", body);
        let state: State = self.ask(&request).await?;
        Ok(state.license_webhooks_enabled)
    }

    /// Has LiveChat send the webhooks of an app.
    ///
    /// # Errors
    /// As LiveChat has it; `denied` if the token lacks the scope.
    pub async fn switch_webhooks_on(&self, client_id: &str) -> Result<(), Error> {
        let body = json!({ "owner_client_id": client_id });
        let request = request::configuration("enable_license_webhooks", "webhooks.state:rw", body);
        self.api.post(&request).await.map(|_| ()).map_err(|failure| failure.error)
    }
}
