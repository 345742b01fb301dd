use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::item::Item;
use super::secret::secret;
use super::table::Table;
use crate::egress::Reach;

/// Where a connection is.
#[derive(Clone, Debug)]
pub enum Address {
    /// `base_url`: requests go to paths below it. Without a slash at the end.
    Base(String),
    /// `url`: requests go to exactly this URL, and it is the secret.
    Secret(SecretString),
}

pub(super) fn read(table: &mut Table<'_>, reach: Reach) -> Option<Address> {
    match (table.take("base_url"), table.take("url")) {
        (Some(base), None) => base_url(&base, reach).map(Address::Base),
        (None, Some(url)) => secret_url(&url, reach).map(Address::Secret),
        _ => {
            table.report(
                "needs either base_url = \"https://…\", or url = { env = \"…\" } if the URL itself is the secret",
            );
            None
        }
    }
}

/// `allow_private`: how far from the internet requests may go.
pub(super) fn reach(table: &mut Table<'_>) -> Reach {
    Reach::new(table.take("allow_private").and_then(|item| item.boolean()).unwrap_or(false))
}

/// The base URL of an API, without a slash at the end.
pub(super) fn base_url(item: &Item<'_>, reach: Reach) -> Option<String> {
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
        Some(url) => {
            if let Err(refused) = reach.check_url(&url) {
                item.report(refused.of_url());
            }
            return Some(text.trim_end_matches('/').to_owned());
        }
    }
    None
}

fn secret_url(item: &Item<'_>, reach: Reach) -> Option<SecretString> {
    let secret = secret(item)?;
    let Some(url) = http_url(secret.expose_secret()) else {
        item.report("refers to something that is no URL with http or https");
        return None;
    };
    if let Err(refused) = reach.check_url(&url) {
        item.report(refused.of_url());
    }
    Some(secret)
}

fn http_url(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host())
}
