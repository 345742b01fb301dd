//! From the config to the parts that act on it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use crate::action::livechat::{Call, LiveChat, Visits};
use crate::action::{BoxFuture, Code, Error, Failure, Origin};
use crate::config::{self, Address, Config};
use crate::connections::{Connection, Connections, Credential, Kind, Target};
use crate::destination::Terms;
use crate::destination::parking::Trial;
use crate::destination::tally::Tally;
use crate::destinations::{self, Destinations, LIVECHAT, Probe, States};
use crate::egress::Reach;
use crate::heartbeat::Heartbeat;
use crate::http::Reception;
use crate::livechat::client::{Bot, Client, Credentials, OAuth, Options, SetupError, TOKEN_URL};
use crate::livechat::client_v2;
use crate::livechat::webhook::{Door, Secrets, Us};
use crate::measures::Measures;
use crate::store::{Route, Routes, Store};

/// What stands between the host and the services.
#[derive(Clone)]
pub(super) struct Edges {
    pub(super) account: Arc<Account>,
    pub(super) connections: Arc<Connections>,
    /// In front of both.
    pub(super) destinations: Arc<Destinations>,
}

impl Edges {
    pub(super) fn new(config: &Config, store: &Store, measures: &Measures) -> anyhow::Result<Edges> {
        let account = Arc::new(Account::new(&config.livechat, Arc::new(store.clone()))?);
        let connections = Arc::new(Connections::new(self::connections(config))?);
        let destinations = in_front_of(&account, &connections, config, store, measures);
        Ok(Edges { account, connections, destinations })
    }
}

/// The LiveChat API of the config, whichever it is.
#[derive(Clone)]
pub(super) enum Way {
    /// Version 3.6.
    Current(Client),
    /// Version 2.
    Older(client_v2::Client),
}

impl Way {
    /// Whether LiveChat takes the credentials.
    pub(super) async fn check_credentials(&self) -> Result<(), Error> {
        match self {
            Way::Current(client) => client.check_credentials().await,
            Way::Older(client) => client.check_credentials().await,
        }
    }

    /// What makes the calls.
    pub(super) fn into_livechat(self) -> Arc<dyn LiveChat> {
        match self {
            Way::Current(client) => Arc::new(client),
            Way::Older(client) => Arc::new(client),
        }
    }

    fn livechat(&self) -> &dyn LiveChat {
        match self {
            Way::Current(client) => client,
            Way::Older(client) => client,
        }
    }
}

/// The LiveChat API with the credentials of the config as it is now, if it has any.
pub(super) struct Account {
    client: ArcSwap<Option<Way>>,
    visits: Arc<dyn Visits>,
    pub(super) tally: Arc<Tally>,
}

/// How often chats are left in which our user was left behind.
const END_VISITS_EVERY: Duration = Duration::from_secs(30);

impl Account {
    pub(super) fn new(livechat: &config::Livechat, visits: Arc<dyn Visits>) -> Result<Account, SetupError> {
        let tally = Arc::default();
        let client = ArcSwap::from_pointee(client(livechat, &visits, &tally)?);
        Ok(Account { client, visits, tally })
    }

    /// Ends visits that were cut off, now and then, while LiveChat takes calls, until `stop`.
    pub(super) async fn end_visits(
        self: Arc<Self>,
        livechat: Arc<dyn LiveChat>,
        heartbeat: Arc<Heartbeat>,
        stop: CancellationToken,
    ) {
        // Asked before each visit is ended: with many of them a turn may take long.
        let is_ready = || {
            heartbeat.beat();
            livechat.ready().is_ok()
        };
        let began = Instant::now();
        loop {
            // What is cut off by the stop is on disk, and ended after the next start.
            if let Ok(Way::Current(client)) = self.client()
                && let Some(Err(error)) =
                    stop.run_until_cancelled(client.end_visits(began.elapsed(), is_ready)).await
            {
                tracing::warn!(%error, "cannot leave the chats that were joined for a note; trying again");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = heartbeat.wait(END_VISITS_EVERY) => {}
            }
        }
    }

    pub(super) fn replace(&self, livechat: &config::Livechat) -> Result<(), SetupError> {
        self.client.store(Arc::new(client(livechat, &self.visits, &self.tally)?));
        Ok(())
    }

    /// Whether a client could be made of a config.
    pub(super) fn check(&self, livechat: &config::Livechat) -> Result<(), SetupError> {
        client(livechat, &self.visits, &self.tally).map(|_| ())
    }

    /// What makes its calls now.
    pub(super) fn client(&self) -> Result<Way, Error> {
        (**self.client.load()).clone().ok_or_else(|| {
            Error::new(
                Code::Denied,
                "the host has no credentials for the LiveChat API: set `token` and `account_id` under [livechat], or \
                 `login` and `api_key` with the older API",
            )
        })
    }

    async fn probe(&self) -> Trial {
        let client = self.client.load_full();
        let Some(client) = &*client else { return Trial::Fails("there are no credentials".to_owned()) };
        match client.check_credentials().await {
            Ok(()) => Trial::Works,
            Err(error) => Trial::Fails(error.message),
        }
    }
}

impl LiveChat for Account {
    fn call<'a>(&'a self, origin: &'a Origin, call: Call) -> BoxFuture<'a, Result<String, Failure>> {
        Box::pin(async move { self.client()?.livechat().call(origin, call).await })
    }

    fn validate(&self, origin: &Origin, call: &Call) -> Result<(), Error> {
        self.client()?.livechat().validate(origin, call)
    }

    fn look_up<'a>(
        &'a self,
        origin: &'a Origin,
        call: &'a Call,
        sent_at_ms: i64,
    ) -> BoxFuture<'a, Result<Option<String>, Failure>> {
        Box::pin(async move { self.client()?.livechat().look_up(origin, call, sent_at_ms).await })
    }
}

/// A client for the account of the config; `None` if it has no credentials.
fn client(
    livechat: &config::Livechat,
    visits: &Arc<dyn Visits>,
    tally: &Arc<Tally>,
) -> Result<Option<Way>, SetupError> {
    if livechat.api == config::Api::V2 {
        let counted = |options| client_v2::Options { tally: tally.clone(), ..options };
        let client = older_options(livechat).map(|options| client_v2::Client::new(counted(options)));
        return Ok(client.transpose()?.map(Way::Older));
    }
    let counted = |options| Options { tally: tally.clone(), ..options };
    let client = options(livechat).map(|options| Client::with_visits(counted(options), visits.clone()));
    Ok(client.transpose()?.map(Way::Current))
}

/// A client that only reads, beside no running host; `None` if the config has no credentials.
pub(super) fn reading(livechat: &config::Livechat) -> Result<Option<Way>, SetupError> {
    match livechat.api {
        config::Api::V36 => Ok(options(livechat).map(Client::new).transpose()?.map(Way::Current)),
        config::Api::V2 => {
            Ok(older_options(livechat).map(client_v2::Client::new).transpose()?.map(Way::Older))
        }
    }
}

/// A client for what LiveChat says to anybody.
pub(super) fn anybody(base_url: &str, reach: Reach) -> Result<Client, SetupError> {
    // Nobody's: calls that need no credentials send none.
    let nobody = Credentials::Bearer { token: "nobody".into() };
    Client::new(Options { base_url: base_url.to_owned(), reach, ..Options::new(nobody) })
}

fn older_options(livechat: &config::Livechat) -> Option<client_v2::Options> {
    let (login, api_key) = (livechat.login.as_deref()?, livechat.api_key.clone()?);
    Some(client_v2::Options {
        base_url: livechat.base_url.clone(),
        reach: livechat.reach,
        timezone: livechat.timezone.clone(),
        ..client_v2::Options::new(login, api_key)
    })
}

/// How the account of the config is reached with version 3.6; `None` if it has no token.
pub(super) fn options(livechat: &config::Livechat) -> Option<Options> {
    let credentials = credentials(livechat)?;
    let options = Options {
        base_url: livechat.base_url.clone(),
        reach: livechat.reach,
        join: livechat.join,
        region: livechat.region.clone(),
        agent_id: livechat.agent_id.clone(),
        timezone: livechat.timezone.clone(),
        ..Options::new(credentials)
    };
    Some(options)
}

fn credentials(livechat: &config::Livechat) -> Option<Credentials> {
    if let Some(oauth) = livechat.oauth.clone() {
        return Some(Credentials::OAuth(OAuth {
            client_id: livechat.client_id.clone()?,
            client_secret: oauth.client_secret,
            refresh_token: oauth.refresh_token,
            token_url: oauth.token_url.unwrap_or_else(|| TOKEN_URL.to_owned()),
        }));
    }
    if let Some(bot) = livechat.bot.clone() {
        return Some(Credentials::Bot(Bot {
            id: bot.id,
            secret: bot.secret,
            client_id: livechat.client_id.clone()?,
            organization: livechat.organization.clone()?,
        }));
    }
    let token = livechat.token.clone()?;
    Some(match livechat.account_id.clone() {
        Some(account_id) => Credentials::Pat { account_id, token },
        None => Credentials::Bearer { token },
    })
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
        reach: connection.reach,
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
        json_depth: config.livechat.webhook_limits.json_depth,
    };
    Reception { door, routes: Arc::new(routes), body_bytes: config.livechat.webhook_limits.body_bytes }
}

/// The destinations in front of LiveChat and the connections.
pub(super) fn in_front_of(
    account: &Arc<Account>,
    connections: &Arc<Connections>,
    config: &Config,
    store: &Store,
    measures: &Measures,
) -> Arc<Destinations> {
    let (begun, store_clock) = (Instant::now(), store.clock().clone());
    let services = destinations::Services {
        livechat: account.clone(),
        connections: connections.clone(),
        probe: probe(account.clone(), connections.clone()),
        tally: account.tally.clone(),
        clock: Arc::new(move || begun.elapsed()),
        now_ms: Box::new(move || store_clock.now_ms()),
        patience: destinations::PATIENCE,
        wait_seconds: measures.histogram("chatplug_rate_limit_wait_seconds"),
    };
    Arc::new(Destinations::new(services, destinations(config)))
}

/// How the destinations are, for those who only look.
pub(super) fn states(destinations: &Arc<Destinations>) -> Arc<States> {
    let destinations = destinations.clone();
    Arc::new(move || destinations.states())
}

/// The destinations of the config, and what each may be asked.
pub(super) fn destinations(config: &Config) -> Vec<(String, Terms)> {
    let connection =
        |connection: &config::Connection| (destinations::connection(&connection.name), connection.terms);
    let livechat = (LIVECHAT.to_owned(), config.livechat.terms);
    std::iter::once(livechat).chain(config.connections.iter().map(connection)).collect()
}

/// Asks a destination whether it takes our credentials.
fn probe(account: Arc<Account>, connections: Arc<Connections>) -> Box<Probe> {
    Box::new(move |destination| {
        let (account, connections) = (account.clone(), connections.clone());
        let destination = destination.to_owned();
        Box::pin(async move {
            let Some(name) = destinations::connection_name(&destination) else {
                return account.probe().await;
            };
            match connections.check_credentials(name).await {
                Ok(Some(())) => Trial::Works,
                Ok(None) => Trial::CantTell,
                Err(error) => Trial::Fails(error.message),
            }
        })
    })
}

/// The keys by which LiveChat is another service, or gets other credentials. Those of an app and of a bot are issued for
/// a client id and an organization.
const LIVECHAT_IS: [&str; 12] = [
    "api",
    "base_url",
    "allow_private",
    "region",
    "account_id",
    "token",
    "oauth",
    "bot",
    "client_id",
    "organization",
    "login",
    "api_key",
];
/// The others that go into its client.
const CLIENT_HAS: [&str; 3] = ["agent_id", "join", "timezone"];

/// Whether a change of the config, by its [`Config::differences`], makes another service of a destination, or
/// gives it other credentials.
pub(super) fn is_renewed(differences: &[String], destination: &str) -> bool {
    match destination {
        LIVECHAT => names(differences, LIVECHAT, &LIVECHAT_IS),
        _ => names(differences, destination, &["kind", "address", "allow_private", "credentials"]),
    }
}

/// Whether such a change makes another client for LiveChat: what it only lets the client be asked, and what concerns
/// webhooks, doesn't.
pub(super) fn is_other_client(differences: &[String]) -> bool {
    is_renewed(differences, LIVECHAT) || names(differences, LIVECHAT, &CLIENT_HAS)
}

fn names(differences: &[String], section: &str, keys: &[&str]) -> bool {
    let is_named = |key: &&str| differences.iter().any(|told| told.contains(&format!("`{section}.{key}`")));
    keys.iter().any(is_named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::double::{Answer, Double};

    #[test]
    fn other_credentials_make_a_destination_new_and_other_terms_do_not() {
        let config = |token: &str, rate: u32| {
            let text = format!(
                "[livechat]\ntoken = {{ env = \"{token}\" }}\n[connections.a]\nkind = \"generic\"\nbase_url = \"http://a\"\n\
                 bearer = {{ env = \"{token}\" }}\nrate = {rate}\n"
            );
            Config::parse(&text, "chatplug.toml", &|name| Some(name.to_owned())).expect("a config")
        };
        let renewed = |new: &Config| {
            let differences = config("A", 1).differences(new);
            [LIVECHAT, "connections.a", "connections.b"].map(|name| is_renewed(&differences, name))
        };
        assert_eq!(renewed(&config("A", 1)), [false, false, false]);
        assert_eq!(renewed(&config("A", 2)), [false, false, false]);
        assert_eq!(renewed(&config("B", 1)), [true, true, false]);
    }

    #[test]
    fn only_what_goes_into_the_client_makes_another_one() {
        let config = |more: &str| {
            let text = format!(
                "[livechat]\ntoken = {{ env = \"A\" }}\naccount_id = \"a\"\n{more}\n[connections.a]\nkind = \"generic\"\n\
                 base_url = \"http://a\"\nbearer = {{ env = \"A\" }}\n"
            );
            Config::parse(&text, "chatplug.toml", &|name| Some(name.to_owned())).expect("a config")
        };
        let check = |more: &str, other_client: bool, renewed: bool| {
            let differences = config("").differences(&config(more));
            assert_eq!(differences.len(), 1, "{differences:?}");
            let found = (is_other_client(&differences), is_renewed(&differences, LIVECHAT));
            assert_eq!(found, (other_client, renewed), "{more}");
        };
        check("rate = 7", false, false);
        check("concurrency = 7", false, false);
        check("[livechat.webhooks]\nsecrets = [{ env = \"B\" }]", false, false);
        check("[livechat.webhooks]\nbody_bytes = 4096", false, false);
        check("join = true", true, false);
        check("agent_id = \"b@example.com\"", true, false);
        check("timezone = \"Europe/Berlin\"", true, false);
        check("region = \"fra\"", true, true);
        check("client_id = \"c\"", true, true);
        check("organization = \"o\"", true, true);
    }

    #[tokio::test]
    async fn the_data_centre_of_the_config_is_the_one_that_is_asked() {
        for (line, expected) in [("", ""), ("region = \"fra\"\n", "fra"), ("region = \"dal\"\n", "dal")] {
            let double = Double::start([Answer::text(200, "[]")]).await;
            let text = format!(
                "[livechat]\naccount_id = \"a\"\ntoken = {{ env = \"A\" }}\nallow_private = true\nbase_url = \"{}\"\n{line}",
                double.url
            );
            let config =
                Config::parse(&text, "chatplug.toml", &|name| Some(name.to_owned())).expect("a config");
            let way = reading(&config.livechat).expect("a client").expect("credentials");
            way.check_credentials().await.expect("they are good");
            assert_eq!(double.asked()[0].header("x-region"), expected, "{line}");
        }
    }

    #[test]
    fn another_data_centre_is_another_service() {
        assert!(is_renewed(&["`livechat.region` changed".to_owned()], LIVECHAT));
    }
}
