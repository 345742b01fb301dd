//! Who our own user is: LiveChat wants its id to let it join a chat.

use serde::Deserialize;
use serde_json::json;
use tokio::sync::OnceCell;

use super::Options;
use super::api::Api;
use super::credentials::Credentials;
use super::request;
use crate::action::{Code, Error};

/// The id of the agent or bot whose token we use, once it is known.
pub(super) struct Me {
    configured: Option<String>,
    found: OnceCell<String>,
}

#[derive(Deserialize)]
struct Agent {
    id: String,
    account_id: Option<String>,
}

impl Me {
    pub(super) fn new(options: &Options) -> Me {
        Me { configured: options.agent_id.clone(), found: OnceCell::new() }
    }

    /// Our id, as configured or as the list of agents has it for our account; asked for once.
    pub(super) async fn id(&self, api: &Api) -> Result<&str, Error> {
        if let Some(id) = &self.configured {
            return Ok(id);
        }
        let Credentials::Pat { account_id, .. } = api.credentials() else {
            return Err(Error::new(
                Code::Denied,
                "joining a chat needs the id of the agent or bot whose token this is: set livechat.agent_id",
            ));
        };
        self.found.get_or_try_init(|| look_up(api, account_id)).await.map(String::as_str)
    }
}

async fn look_up(api: &Api, account_id: &str) -> Result<String, Error> {
    let request = request::configuration("list_agents", "agents--all:ro", json!({}));
    let body = api.post(&request).await.map_err(|failure| Error {
        message: format!("{}. Setting livechat.agent_id makes this call unnecessary", failure.error.message),
        ..failure.error
    })?;
    let agents: Vec<Agent> = serde_json::from_str(&body).map_err(|error| {
        Error::new(Code::Unavailable, format!("LiveChat's list of agents has an unknown shape: {error}"))
    })?;
    let ours = |agent: &Agent| agent.account_id.as_deref() == Some(account_id);
    agents.into_iter().find(ours).map(|agent| agent.id).ok_or_else(|| {
        Error::new(
            Code::Denied,
            format!(
                "no agent of the LiveChat licence has the account id {account_id}: check livechat.account_id, \
                 or set livechat.agent_id"
            ),
        )
    })
}
