//! What `chatplug check --online` asks of the Configuration API.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::Client;
use super::request::{self, Request};
use crate::action::{Code, Error};

#[derive(Deserialize)]
struct Scheduled {
    #[serde(default)]
    work_scheduler: Value,
}

#[derive(Deserialize)]
struct Tag {
    name: String,
}

impl Client {
    /// Whether LiveChat takes the credentials, whatever they are allowed to do.
    ///
    /// # Errors
    /// `denied` with what to check if LiveChat doesn't know them; others if it can't say.
    pub async fn check_credentials(&self) -> Result<(), Error> {
        let request = request::configuration("list_agents", "agents--all:ro", json!({}));
        match self.api.post(&request).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.known => Ok(()),
            Err(failure) => Err(failure.error),
        }
    }

    /// By how many milliseconds LiveChat's clock is ahead of ours, to about a second; `None` before its first answer.
    pub fn ahead_ms(&self) -> Option<i64> {
        self.api.ahead_ms()
    }

    /// The data centre that calls go to: of the config, of the token in it, or, if LiveChat said that another one has the
    /// account, that one. `None` where none is named.
    pub fn region(&self) -> Option<String> {
        self.api.region()
    }

    /// The data centre that the token names which was issued to us, where one was. It holds as long as
    /// [`Client::region`] names none.
    pub async fn region_of_token(&self) -> Option<String> {
        self.api.region_of_token().await
    }

    /// The time zones in which the account's agents work, by their schedules; those that have none name none.
    ///
    /// # Errors
    /// As LiveChat has it; `denied` if the token lacks the scope.
    pub async fn agent_timezones(&self) -> Result<BTreeSet<String>, Error> {
        let body = json!({ "fields": ["work_scheduler"] });
        let agents: Vec<Scheduled> =
            self.ask(&request::configuration("list_agents", "agents--all:ro", body)).await?;
        let zone = |agent: Scheduled| agent.work_scheduler["timezone"].as_str().map(str::to_owned);
        Ok(agents.into_iter().filter_map(zone).filter(|zone| !zone.is_empty()).collect())
    }

    /// The names of the account's tags.
    ///
    /// # Errors
    /// As LiveChat has it; `denied` if the token lacks the scope.
    pub async fn list_tags(&self) -> Result<Vec<String>, Error> {
        let request = request::configuration("list_tags", "tags--all:ro or tags--groups:ro", json!({}));
        let tags: Vec<Tag> = self.ask(&request).await?;
        Ok(tags.into_iter().map(|tag| tag.name).collect())
    }

    /// The names of the properties that are registered in a namespace, which is the client id of the app
    /// that owns them. Empty if nothing is registered there.
    ///
    /// # Errors
    /// As LiveChat has it; `denied` if the token lacks the scope.
    pub async fn list_properties(&self, namespace: &str) -> Result<Vec<String>, Error> {
        let body = json!({ "owner_client_id": namespace });
        let request = request::configuration("list_properties", "properties.configuration:rw", body);
        let properties: Map<String, Value> = self.ask(&request).await?;
        Ok(properties.into_iter().map(|(name, _)| name).collect())
    }

    pub(super) async fn ask<T: DeserializeOwned>(&self, request: &Request) -> Result<T, Error> {
        let body = self.api.post(request).await.map_err(|failure| failure.error)?;
        parse(request, &body)
    }
}

pub(super) fn parse<T: DeserializeOwned>(request: &Request, body: &str) -> Result<T, Error> {
    serde_json::from_str(body).map_err(|error| {
        let action = &request.action;
        Error::new(Code::Unavailable, format!("LiveChat's answer to {action} has an unknown shape: {error}"))
    })
}
