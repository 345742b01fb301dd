use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::item::Item;
use super::secret::secret;
use super::table::Table;

/// Where a connection is.
#[derive(Clone, Debug)]
pub enum Address {
    /// `base_url`: requests go to paths below it. Without a slash at the end.
    Base(String),
    /// `url`: requests go to exactly this URL, and it is the secret.
    Secret(SecretString),
}

pub(super) fn read(table: &mut Table<'_>) -> Option<Address> {
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
