//! Asks LiveChat now and then whether it sends the webhooks that the plugins need: an app that is uninstalled loses them
//! without a word.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use super::services::{Account, Way};
use super::webhooks::{self, App};
use crate::action::livechat::LiveChat;
use crate::config::{Api, Config};
use crate::destinations::Destinations;
use crate::heartbeat::Heartbeat;
use crate::livechat::client::Client;
use crate::livechat::registrations::{self, Deed};
use crate::notifier::{Known, Registrations};

/// The first time soon after the start: it may be why the host was started again.
const FIRST: Duration = Duration::from_secs(60);
/// Two calls an hour that LiveChat bills.
const EVERY: Duration = Duration::from_secs(3600);

/// What is asked and told.
pub(super) struct Registered {
    config: Arc<ArcSwap<Config>>,
    livechat: Arc<dyn LiveChat>,
    account: Arc<Account>,
    told: Arc<Registrations>,
    /// Beats as long as it turns.
    heartbeat: Arc<Heartbeat>,
}

impl Registered {
    pub(super) fn new(
        config: &Arc<ArcSwap<Config>>,
        destinations: &Arc<Destinations>,
        account: &Arc<Account>,
        told: &Arc<Registrations>,
        heartbeat: Arc<Heartbeat>,
    ) -> Registered {
        Registered {
            config: config.clone(),
            livechat: destinations.clone(),
            account: account.clone(),
            told: told.clone(),
            heartbeat,
        }
    }

    /// Runs until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut wait = FIRST;
        while stop.run_until_cancelled(self.heartbeat.wait(wait)).await.is_some() {
            wait = EVERY;
            let config = self.config.load_full();
            if is_watched(&config) && self.livechat.ready().is_err() {
                continue;
            }
            // The account's own client: another one would have tokens of its own issued.
            let client = match self.account.client() {
                Ok(Way::Current(client)) => Some(client),
                _ => None,
            };
            let Some(known) = stop.run_until_cancelled(look(&config, client)).await else { return };
            self.told.found(known.unwrap_or_else(|error| {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "cannot see whether the plugins' webhooks are registered"
                );
                Known::Nothing
            }));
        }
    }
}

/// Whether there is an app for which webhooks are registered. Without one nothing is: what was wrong with an earlier app is over.
fn is_watched(config: &Config) -> bool {
    config.livechat.client_id.is_some() && config.livechat.api != Api::V2
}

/// What LiveChat says, where the config allows to ask.
async fn look(config: &Config, client: Option<Client>) -> anyhow::Result<Known> {
    if !is_watched(config) {
        return Ok(Known::Well);
    }
    let Some(client) = client else { return Ok(Known::Nothing) };
    let app = App::with(config, client)?;
    let registered = app.registered().await?;
    let needed = webhooks::needed(config);
    let Some((url, _)) = registrations::urls(&registered, &needed).first().copied() else {
        return Ok(match needed.len() as u64 {
            0 => Known::Well,
            needed => Known::Wrong(
                "no webhook is registered for the app (was it uninstalled?): `chatplug webhooks apply --url https://…` \
                 registers what the plugins need"
                    .to_owned(),
                needed,
            ),
        });
    };
    let (plan, on) = app.plan_beside(config, url, &registered).await?;
    let missing: Vec<&str> = plan
        .changes
        .iter()
        .filter(|change| change.deed == Deed::Register)
        .map(|change| &*change.action)
        .collect();
    if !plan.problems.is_empty() && on != Some(false) {
        return Ok(Known::Wrong(plan.problems.join("; "), plan.problems.len() as u64));
    }
    Ok(match (on, missing.is_empty()) {
        (Some(false), _) => Known::Wrong(
            format!(
                "webhooks are switched off in LiveChat: `chatplug webhooks apply --url {url}` switches them on"
            ),
            1,
        ),
        (_, true) => Known::Well,
        (_, false) => Known::Wrong(
            format!(
                "LiveChat does not send {}, which plugins need: `chatplug webhooks apply --url {url}` registers them",
                missing.join(", ")
            ),
            missing.len() as u64,
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::services;
    use crate::simulator::livechat::{self, CLIENT_ID, Livechat};

    #[tokio::test]
    async fn what_is_not_registered_or_switched_off_is_known() {
        let livechat = Livechat::start().await.unwrap();
        let text = format!(
            "[livechat]\nbase_url = \"{}\"\nallow_private = true\naccount_id = \"{}\"\nclient_id = \"{CLIENT_ID}\"\n\
             token = {{ env = \"PAT\" }}\n[plugin.notes]\nevents = [\"incoming_chat\"]\n",
            livechat.base_url(),
            livechat::ACCOUNT_ID
        );
        let config =
            Config::parse(&text, "chatplug.toml", &|_: &str| Some(livechat::PAT.to_owned())).unwrap();
        let client = Client::new(services::options(&config.livechat).unwrap()).unwrap();
        let look = async || look(&config, Some(client.clone())).await.unwrap();
        assert!(matches!(look().await, Known::Wrong(text, 1) if text.contains("no webhook is registered")));
        let app = App::of(&config).unwrap();
        let (plan, _) = app.plan(&config, "https://host.example/webhooks/livechat").await.unwrap();
        let secret = secrecy::SecretString::from("a-secret");
        for change in &plan.changes {
            let url = "https://host.example/webhooks/livechat";
            client.register_webhook(CLIENT_ID, url, &secret, change).await.unwrap();
        }
        client.switch_webhooks_on(CLIENT_ID).await.unwrap();
        assert_eq!(look().await, Known::Well);
        livechat.switch_webhooks(false);
        assert!(matches!(look().await, Known::Wrong(text, 1) if text.contains("switched off")));
    }

    #[tokio::test]
    async fn without_an_app_nothing_is_wrong_and_without_credentials_nothing_is_known() {
        let config = |text: &str| Config::parse(text, "chatplug.toml", &|_: &str| None).unwrap();
        let app = format!("[livechat]\nclient_id = \"{CLIENT_ID}\"\n");
        for (text, expected) in [
            (String::new(), Known::Well),
            (format!("{app}api = \"v2\"\n"), Known::Well),
            (app, Known::Nothing),
        ] {
            assert_eq!(look(&config(&text), None).await.unwrap(), expected, "{text}");
        }
    }
}
