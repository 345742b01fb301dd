//! From the config to the parts that act on it.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use crate::action::livechat::{Call, LiveChat, Visits};
use crate::action::{BoxFuture, Code, Error, Failure, Origin};
use crate::config::{self, Address, Config};
use crate::connections::{Connection, Credential, Kind, Target};
use crate::http::Reception;
use crate::livechat::client::{Client, Credentials, Options, SetupError};
use crate::livechat::webhook::{Door, Secrets, Us};
use crate::store::{Route, Routes};

/// The LiveChat API with the credentials of the config as it is now, if it has any.
pub(super) struct Account {
    client: ArcSwap<Option<Client>>,
    visits: Arc<dyn Visits>,
}

/// How often chats are left in which our user was left behind.
const END_VISITS_EVERY: Duration = Duration::from_secs(30);

impl Account {
    pub(super) fn new(livechat: &config::Livechat, visits: Arc<dyn Visits>) -> Result<Account, SetupError> {
        let client = ArcSwap::from_pointee(client(livechat, &visits)?);
        Ok(Account { client, visits })
    }

    /// Ends visits that were cut off, now and then, until `stop`.
    pub(super) async fn end_visits(self: Arc<Self>, stop: CancellationToken) {
        loop {
            if let Ok(client) = self.client()
                && let Err(error) = client.end_visits().await
            {
                tracing::warn!(%error, "cannot leave the chats that were joined for a note; trying again");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(END_VISITS_EVERY) => {}
            }
        }
    }

    pub(super) fn replace(&self, livechat: &config::Livechat) -> Result<(), SetupError> {
        self.client.store(Arc::new(client(livechat, &self.visits)?));
        Ok(())
    }

    /// Whether a client could be made of a config.
    pub(super) fn check(&self, livechat: &config::Livechat) -> Result<(), SetupError> {
        client(livechat, &self.visits).map(|_| ())
    }

    fn client(&self) -> Result<Client, Error> {
        (**self.client.load()).clone().ok_or_else(|| {
            Error::new(
                Code::Denied,
                "the host has no credentials for the LiveChat API: set `token` and `account_id` under [livechat]",
            )
        })
    }
}

impl LiveChat for Account {
    fn call<'a>(&'a self, origin: &'a Origin, call: Call) -> BoxFuture<'a, Result<String, Failure>> {
        Box::pin(async move { self.client()?.call(origin, call).await })
    }

    fn look_up<'a>(
        &'a self,
        origin: &'a Origin,
        call: &'a Call,
        sent_at_ms: i64,
    ) -> BoxFuture<'a, Result<Option<String>, Failure>> {
        Box::pin(async move { self.client()?.look_up(origin, call, sent_at_ms).await })
    }
}

/// A client for the account of the config; `None` if it has no token.
fn client(livechat: &config::Livechat, visits: &Arc<dyn Visits>) -> Result<Option<Client>, SetupError> {
    options(livechat).map(|options| Client::with_visits(options, visits.clone())).transpose()
}

/// How the account of the config is reached; `None` if it has no token.
pub(super) fn options(livechat: &config::Livechat) -> Option<Options> {
    let token = livechat.token.clone()?;
    let credentials = match livechat.account_id.clone() {
        Some(account_id) => Credentials::Pat { account_id, token },
        None => Credentials::Bearer { token },
    };
    let options = Options {
        base_url: livechat.base_url.clone(),
        join: livechat.join,
        agent_id: livechat.agent_id.clone(),
        ..Options::new(credentials)
    };
    Some(options)
}

/// The connections of the config.
pub(super) fn connections(config: &Config) -> Vec<Connection> {
    let connection = |connection: &config::Connection| Connection {
        name: connection.name.clone(),
        kind: match connection.kind {
            config::Kind::Hubspot => Kind::Hubspot,
            config::Kind::Slack => Kind::Slack,
            config::Kind::Generic => Kind::Generic,
        },
        target: match connection.address.clone() {
            Address::Base(url) => Target::BaseUrl(url),
            Address::Secret(url) => Target::SecretUrl(url),
        },
        credential: match connection.credentials.clone() {
            config::Credentials::None => Credential::None,
            config::Credentials::Bearer(token) => Credential::Bearer(token),
            config::Credentials::Basic { user, password } => Credential::Basic { user, password },
            config::Credentials::Header { name, value } => Credential::Header { name, value },
        },
        post: connection.post,
    };
    config.connections.iter().map(connection).collect()
}

/// What the webhook door takes, and who gets it.
pub(super) fn reception(config: &Config) -> Reception {
    let mut routes = Routes::new();
    for (name, plugin) in &config.plugins {
        let name: Arc<str> = Arc::from(name.as_str());
        for event in &plugin.events {
            let route = Route { plugin: name.clone(), own_events: plugin.own_events == Some(true) };
            routes.entry(event.clone()).or_default().push(route);
        }
    }
    let door = Door {
        secrets: Secrets::new(config.livechat.webhook_secrets.iter().cloned()),
        organization: config.livechat.organization.clone(),
        us: Us { client_id: config.livechat.client_id.clone(), agent_id: config.livechat.agent_id.clone() },
    };
    Reception { door, routes: Arc::new(routes) }
}
