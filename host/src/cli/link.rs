//! How a command changes something: by the operator API of the host that runs with this config, or else in the
//! store itself, under its lock.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use jiff::Timestamp;
use reqwest::{StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::text;
use crate::config::{Config, Operator};
use crate::event::EventId;
use crate::event::person::Person;
use crate::manifest::is_kebab_case;
use crate::recovery::Report;
use crate::store::{
    Decided, Decision, Forgotten, Lock, Opened, Reader, Replayed, Selection, Store, WebhooksChanged,
};

mod files;

/// The file in the data folder in which a running host says where its operator listener is.
pub const ADDRESS_FILE: &str = "operator";

/// More than the host gives itself.
const REQUEST_TIME: Duration = Duration::from_secs(20);
/// To forget somebody takes as long as it takes.
const FORGET_TIME: Duration = Duration::from_secs(24 * 3600);
/// It asks LiveChat for one page after the other.
const RECOVER_TIME: Duration = Duration::from_secs(3600);
/// How often a host that has too much to do is asked again, and how long between.
const TRIES: u32 = 30;
const WAIT: Duration = Duration::from_secs(1);

/// The host that runs, or the store.
pub struct Link {
    way: Way,
    /// See [`who`].
    who: String,
}

enum Way {
    Host(Host),
    Store { store: Store, _lock: Lock },
}

/// A running host, seen from its operator API.
struct Host {
    client: reqwest::Client,
    address: SocketAddr,
    token: Option<SecretString>,
}

impl Link {
    /// Finds out whether a host runs with this config.
    ///
    /// # Errors
    /// If there is nothing stored yet, or the store can't be opened.
    pub fn open(config: &Config) -> anyhow::Result<Link> {
        if let Some(link) = Link::running(config)? {
            return Ok(link);
        }
        let (who, data_dir) = (who(), &config.data_dir);
        stored(data_dir)?;
        let Opened { store, lock, .. } = Store::open(data_dir)?;
        Ok(Link { way: Way::Store { store, _lock: lock }, who })
    }

    /// The host that runs with this config, if one does.
    ///
    /// # Errors
    /// If it doesn't say where it is.
    pub fn running(config: &Config) -> anyhow::Result<Option<Link>> {
        match running_at(&config.data_dir)? {
            Some(_) => Link::to_host(&config.data_dir, &config.operator).map(Some),
            None => Ok(None),
        }
    }

    /// The host that uses a data folder.
    ///
    /// # Errors
    /// If it doesn't say where it is.
    pub fn to_host(data_dir: &Path, operator: &Operator) -> anyhow::Result<Link> {
        let address = address(&data_dir.join(ADDRESS_FILE))?;
        let client =
            reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
        let host = Host { client, address, token: operator.token.clone() };
        Ok(Link { way: Way::Host(host), who: who() })
    }

    /// Has the host that runs change something of a plugin.
    ///
    /// # Errors
    /// Those of the host, or if none runs.
    pub async fn change_plugin<T: DeserializeOwned>(
        &self,
        name: &str,
        change: &str,
        wanted: &impl Serialize,
    ) -> anyhow::Result<T> {
        let Way::Host(host) = &self.way else { bail!("no host runs with this config") };
        if !is_kebab_case(name) {
            bail!("`{}` is no name of a plugin: these are in kebab-case", name.escape_debug());
        }
        host.post(&format!("/api/v1/plugins/{name}/{change}"), wanted, &self.who).await
    }

    /// Reads something of the host that runs; the fields of `asked` become the query.
    ///
    /// # Errors
    /// Those of the host, or if none runs.
    pub async fn read<T: DeserializeOwned>(&self, path: &str, asked: &impl Serialize) -> anyhow::Result<T> {
        let Way::Host(host) = &self.way else { bail!("no host runs with this config") };
        let asked = serde_json::to_value(asked)?;
        let mut url = Url::parse(&format!("http://{}{path}", host.address))?;
        for (name, value) in asked.as_object().into_iter().flatten() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            url.query_pairs_mut().append_pair(name, &text);
        }
        host.send(|client| client.get(url.clone()), &self.who).await
    }

    /// Asks the host that runs for something that it shows.
    ///
    /// # Errors
    /// Those of the host, or if none runs.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let Way::Host(host) = &self.way else { bail!("no host runs with this config") };
        let url = format!("http://{}{path}", host.address);
        host.send(|client| client.get(&url), &self.who).await
    }

    /// Decides about one batch of stopped deliveries.
    ///
    /// # Errors
    /// Those of the host or of the store.
    pub async fn decide(&self, decision: Decision, selection: Selection) -> anyhow::Result<Decided> {
        match &self.way {
            Way::Host(host) => {
                let (path, body) = request(decision, &selection);
                host.post(path, &body, &self.who).await
            }
            Way::Store { store, .. } => {
                Ok(store.decide(decision, selection, self.who.clone(), now_ms()).await?)
            }
        }
    }

    /// Makes new deliveries of an event; for one plugin or for all that the config enables.
    ///
    /// # Errors
    /// If there is no such event, or nobody gets it; those of the host or of the store.
    pub async fn replay_event(
        &self,
        config: &Config,
        event: EventId,
        plugin: Option<&str>,
    ) -> anyhow::Result<Replayed> {
        match &self.way {
            Way::Host(host) => {
                let body = json!({ "plugin": plugin });
                host.post(&format!("/api/v1/events/{event}/replay"), &body, &self.who).await
            }
            Way::Store { store, .. } => {
                let missing = || format!("{event} is not stored (any more)");
                let found = store.event(event).await?.with_context(missing)?;
                let plugins: Vec<Arc<str>> = config
                    .recipients(&found.event_type, found.own.as_deref(), plugin)
                    .map_err(anyhow::Error::msg)?;
                store.replay_event(event, plugins, self.who.clone(), now_ms()).await?.with_context(missing)
            }
        }
    }
}

impl Link {
    /// Has it written down what was changed of the registered webhooks.
    ///
    /// # Errors
    /// Those of the host or of the store.
    pub async fn note_webhooks(&self, changed: WebhooksChanged) -> anyhow::Result<()> {
        match &self.way {
            Way::Host(host) => {
                host.post::<Value>("/api/v1/webhooks/changed", &changed, &self.who).await.map(|_| ())
            }
            Way::Store { store, .. } => Ok(store.note_deed(changed.deed(self.who.clone()), now_ms()).await?),
        }
    }

    /// Has the host that runs look what webhooks it missed.
    ///
    /// # Errors
    /// Those of the host, or if none runs. A host for which nobody waits any more goes on with it.
    pub async fn recover(&self, from: Timestamp, to: Option<Timestamp>) -> anyhow::Result<Report> {
        let Way::Host(host) = &self.way else { bail!("no host runs with this config") };
        let body = json!({ "from": from, "to": to });
        host.post_patiently("/api/v1/events/recover", &body, &self.who, RECOVER_TIME).await
    }

    /// Takes away what is stored of a person.
    ///
    /// # Errors
    /// Those of the host or of the store. A host for which nobody waits any more goes on with it.
    pub async fn forget(&self, person: Person) -> anyhow::Result<Forgotten> {
        match &self.way {
            Way::Host(host) => {
                let body = match &person {
                    Person::Chat(id) => json!({ "chat": id }),
                    Person::Email(address) => json!({ "email": address }),
                };
                host.post_patiently("/api/v1/forget", &body, &self.who, FORGET_TIME).await
            }
            Way::Store { store, .. } => Ok(store.forget(person, self.who.clone(), now_ms()).await?),
        }
    }
}

/// Reads the store of a data folder. Whoever opens it to change something looks first whether there is one: opening makes
/// it.
///
/// # Errors
/// If nothing is stored there yet; those of the store.
pub fn stored(data_dir: &Path) -> anyhow::Result<Reader> {
    Reader::open(data_dir)?.with_context(|| {
        format!(
            "nothing is stored in {} yet: is that the `dir` of [data] that the host uses?",
            data_dir.display()
        )
    })
}

/// Where the host that uses a data folder listens for operators, if one does.
///
/// # Errors
/// If the lock can't be looked at, or the host doesn't say where it is.
pub fn running_at(data_dir: &Path) -> anyhow::Result<Option<SocketAddr>> {
    match Store::is_owned(data_dir)? {
        true => address(&data_dir.join(ADDRESS_FILE)).map(Some),
        false => Ok(None),
    }
}

/// Who runs a command, as the audit log tells it: `cli:NAME`, with the system's name of the user; `cli:NAME/sudo:OTHER` if
/// another user runs it as that one, as `sudo` has it. An account of a service is nobody.
pub fn who() -> String {
    named(&user(), std::env::var("SUDO_USER").ok().as_deref())
}

fn named(user: &str, sudo: Option<&str>) -> String {
    // With the longest name of a user, no more than a host takes for the name of a client; and only what it takes.
    const CHARS_MAX: usize = 22;
    let word = |c: char| match c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@') {
        true => c,
        false => '_',
    };
    match sudo.filter(|sudo| !sudo.is_empty() && *sudo != user) {
        Some(sudo) => {
            format!("cli:{user}/sudo:{}", sudo.chars().take(CHARS_MAX).map(word).collect::<String>())
        }
        None => format!("cli:{user}"),
    }
}

impl Host {
    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        who: &str,
    ) -> anyhow::Result<T> {
        self.post_patiently(path, body, who, REQUEST_TIME).await
    }

    async fn post_patiently<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        who: &str,
        patience: Duration,
    ) -> anyhow::Result<T> {
        let url = format!("http://{}{path}", self.address);
        self.send(|client| client.post(&url).timeout(patience).json(body), who).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        request: impl Fn(&reqwest::Client) -> reqwest::RequestBuilder,
        who: &str,
    ) -> anyhow::Result<T> {
        for _ in 1..TRIES {
            let mut request = request(&self.client).header("X-Chatplug-Client", who);
            if let Some(token) = &self.token {
                request = request.bearer_auth(token.expose_secret());
            }
            let response = request.send().await.with_context(|| {
                format!(
                    "a host uses the data folder, but cannot be reached at {} (`listen` of [operator])",
                    self.address
                )
            })?;
            match response.status() {
                StatusCode::OK => return response.json().await.context("the host's answer can't be read"),
                StatusCode::TOO_MANY_REQUESTS => tokio::time::sleep(WAIT).await,
                status => bail!("the host refuses: {}", refusal(status, response).await),
            }
        }
        bail!("the host at {} has had too much to do for {TRIES} s: try again later", self.address)
    }
}

/// What the host says of a request that it doesn't do.
async fn refusal(status: StatusCode, response: reqwest::Response) -> String {
    let answer: Value = response.json().await.unwrap_or_default();
    let message = answer["error"]["message"].as_str().unwrap_or("it doesn't say why");
    let hint = match status {
        StatusCode::UNAUTHORIZED => {
            "; the command takes the token from the config: is its environment that of the host?"
        }
        _ => "",
    };
    format!("{} ({}){hint}", text::escape(message), status.as_u16())
}

fn request(decision: Decision, selection: &Selection) -> (&'static str, Value) {
    let resolve = |word: &str| ("/api/v1/held/resolve", json!({ "selection": selection, "as": word }));
    match decision {
        Decision::Replay { fresh } => {
            ("/api/v1/dead/replay", json!({ "selection": selection, "fresh": fresh }))
        }
        Decision::Discard => ("/api/v1/dead/discard", json!({ "selection": selection })),
        Decision::Sent => resolve("sent"),
        Decision::NotSent => resolve("not-sent"),
        Decision::Look => resolve("look"),
    }
}

fn address(path: &Path) -> anyhow::Result<SocketAddr> {
    let text = std::fs::read_to_string(path).with_context(|| {
        format!(
            "another chatplug process uses the data folder, but {} does not say where it listens: is it just starting?",
            path.display()
        )
    })?;
    text.trim().parse().with_context(|| format!("{} holds no address", path.display()))
}

/// The system's name of the user whose process this is, or their number.
fn user() -> String {
    let id = rustix::process::geteuid().as_raw().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number == id).then(|| name.to_owned())
    });
    named.unwrap_or(id)
}

fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_runs_a_command_by_sudo_is_named_beside_the_account() {
        let check =
            |sudo: Option<&str>, expected: &str| assert_eq!(named("chatplug", sudo), expected, "{sudo:?}");
        check(None, "cli:chatplug");
        check(Some(""), "cli:chatplug");
        check(Some("chatplug"), "cli:chatplug");
        check(Some("anna"), "cli:chatplug/sudo:anna");
        check(Some("a b\n\u{1b}[1m)ü"), "cli:chatplug/sudo:a_b___1m__");
        check(Some(&"a".repeat(1_000)), &format!("cli:chatplug/sudo:{}", "a".repeat(22)));
    }
}
