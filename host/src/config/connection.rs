use reqwest::Url;
use reqwest::header::HeaderName;
use secrecy::{ExposeSecret, SecretString};

use super::reader::{Item, Table};
use super::secret::{identifier, secret, spaced_secret};
use crate::action::http::Effect;

/// `[connections.NAME]`: an outside HTTP service that plugins reach by its name.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The name, kebab-case.
    pub name: String,
    /// What counts as a failure.
    pub kind: Kind,
    /// Where it is.
    pub address: Address,
    /// How the host proves itself.
    pub credentials: Credentials,
    /// What sending a POST or PATCH twice does; never [`Effect::Read`].
    pub post: Effect,
}

/// A kind of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The HubSpot API.
    Hubspot,
    /// The Slack Web API, or a Slack incoming webhook.
    Slack,
    /// Any other service: its status tells.
    Generic,
}

impl Kind {
    /// The word in the config.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Hubspot => "hubspot",
            Kind::Slack => "slack",
            Kind::Generic => "generic",
        }
    }
}

/// Where a connection is.
#[derive(Clone, Debug)]
pub enum Address {
    /// `base_url`: requests go to paths below it. Without a slash at the end.
    Base(String),
    /// `url`: requests go to exactly this URL, and it is the secret.
    Secret(SecretString),
}

/// How the host proves itself to a connection.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// Not at all, or by the secret URL.
    None,
    /// `Authorization: Bearer …`.
    Bearer(SecretString),
    /// `Authorization: Basic …`.
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// A header of the service's own.
    Header {
        /// The header's name, lower case.
        name: String,
        /// The header's value.
        value: SecretString,
    },
}

/// Reads one connection; `None` if it lacks what a connection needs.
pub(super) fn read(name: &str, table: &mut Table<'_>) -> Option<Connection> {
    let kind_item = table.take("kind");
    if kind_item.is_none() {
        table.report("needs a kind: add kind = \"hubspot\", \"slack\" or \"generic\"");
    }
    let kind = kind_item.and_then(|item| kind(&item));
    let address = address(table);
    let credentials = credentials(table);
    let post = table.take("post").and_then(|item| post(&item)).unwrap_or(Effect::Unknown);
    let (kind, address, credentials) = (kind?, address?, credentials?);
    check_credentials(table, kind, &address, &credentials);
    Some(Connection { name: name.to_owned(), kind, address, credentials, post })
}

fn kind(item: &Item<'_>) -> Option<Kind> {
    let word = item.text()?;
    let kind = [Kind::Hubspot, Kind::Slack, Kind::Generic].into_iter().find(|kind| kind.as_str() == word);
    if kind.is_none() {
        item.report("must be \"hubspot\", \"slack\" or \"generic\"");
    }
    kind
}

fn address(table: &mut Table<'_>) -> Option<Address> {
    match (table.take("base_url"), table.take("url")) {
        (Some(base), None) => base_url(&base).map(Address::Base),
        (None, Some(url)) => secret_url(&url).map(Address::Secret),
        _ => {
            table.report(
                "needs either base_url = \"https://…\", or url = { env = \"…\" } if the URL itself is the secret",
            );
            None
        }
    }
}

/// The base URL of an API, without a slash at the end.
pub(super) fn base_url(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    let url = http_url(text);
    let plain = |url: &Url| url.username().is_empty() && url.password().is_none();
    match url {
        None => item.report("is no URL: write one with http or https, such as \"https://api.example.com\""),
        Some(url) if !plain(&url) => {
            item.report("has credentials in it: use bearer, basic or header instead");
        }
        Some(url) if url.query().is_some() || url.fragment().is_some() => {
            item.report("has a query or a fragment: write only scheme, host and path");
        }
        Some(_) => return Some(text.trim_end_matches('/').to_owned()),
    }
    None
}

fn secret_url(item: &Item<'_>) -> Option<SecretString> {
    let secret = secret(item)?;
    if http_url(secret.expose_secret()).is_none() {
        item.report("refers to something that is no URL with http or https");
        return None;
    }
    Some(secret)
}

fn http_url(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host())
}

fn credentials(table: &mut Table<'_>) -> Option<Credentials> {
    let (bearer, basic, header) = (table.take("bearer"), table.take("basic"), table.take("header"));
    match (bearer, basic, header) {
        (None, None, None) => Some(Credentials::None),
        (Some(item), None, None) => secret(&item).map(Credentials::Bearer),
        (None, Some(item), None) => self::basic(item.table()?),
        (None, None, Some(item)) => self::header(item.table()?),
        _ => {
            table.report("has more than one of bearer, basic and header: keep one");
            None
        }
    }
}

fn basic(mut table: Table<'_>) -> Option<Credentials> {
    let (user, password) = (table.take("user"), table.take("password"));
    if user.is_none() || password.is_none() {
        table.report("needs user = \"…\" and password = { env = \"…\" }");
    }
    table.finish();
    let (user, password) = (user.map(|item| identifier(&item)), password.map(|item| spaced_secret(&item)));
    Some(Credentials::Basic { user: user??, password: password?? })
}

fn header(mut table: Table<'_>) -> Option<Credentials> {
    let (name, value) = (table.take("name"), table.take("value"));
    if name.is_none() || value.is_none() {
        table.report("needs name = \"X-Api-Key\" (or another header) and value = { env = \"…\" }");
    }
    table.finish();
    let (name, value) = (name.map(|item| header_name(&item)), value.map(|item| spaced_secret(&item)));
    Some(Credentials::Header { name: name??, value: value?? })
}

// They belong to the transport; a request with one of them would be misread or refused.
const TRANSPORT_HEADERS: &[&str] =
    &["connection", "content-length", "content-type", "host", "transfer-encoding", "upgrade"];

fn header_name(item: &Item<'_>) -> Option<String> {
    match HeaderName::from_bytes(item.text()?.as_bytes()) {
        Ok(name) if !TRANSPORT_HEADERS.contains(&name.as_str()) => Some(name.as_str().to_owned()),
        Ok(_) => {
            item.report(
                "is a header that the host sets itself: name the one that the service reads a key from",
            );
            None
        }
        Err(_) => {
            item.report("is no name of a header");
            None
        }
    }
}

fn post(item: &Item<'_>) -> Option<Effect> {
    let effect = Effect::parse(item.text()?).filter(|effect| *effect != Effect::Read);
    if effect.is_none() {
        item.report("must be \"repeatable\", \"keyed\" or \"unknown\"");
    }
    effect
}

fn check_credentials(table: &Table<'_>, kind: Kind, address: &Address, credentials: &Credentials) {
    match (address, credentials) {
        (Address::Secret(_), Credentials::None) => {}
        (Address::Secret(_), _) => table.report("has a secret url and credentials: keep one of them"),
        (Address::Base(_), Credentials::None) if kind != Kind::Generic => {
            table.report("needs credentials: add bearer = { env = \"…\" }");
        }
        (Address::Base(_), _) => {}
    }
}
