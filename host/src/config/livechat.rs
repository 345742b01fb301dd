use secrecy::SecretString;

use super::address::{self, base_url};
use super::item::Item;
use super::secret::{identifier, secret};
use super::table::Table;
use super::terms;
use crate::destination::Terms;
use crate::egress::Reach;
use crate::limits::WebhookLimits;

/// `[livechat]`: the account whose webhooks come in and whose API is called.
#[derive(Clone, Debug)]
pub struct Livechat {
    /// Which API is spoken.
    pub api: Api,
    /// Where the API is, without a slash at the end.
    pub base_url: String,
    /// Which addresses it may lead to.
    pub reach: Reach,
    /// The account that the personal access token belongs to. `None`: the token is a bearer token.
    pub account_id: Option<String>,
    /// The personal access token, or the bearer token of an app or a bot.
    pub token: Option<SecretString>,
    /// The account's time zone, an IANA name.
    pub timezone: Option<String>,
    /// The only organization whose webhooks are taken.
    pub organization: Option<String>,
    /// The id of the app that the token belongs to: tells what we sent ourselves.
    pub client_id: Option<String>,
    /// The agent or bot that acts with the token, as chats name it.
    pub agent_id: Option<String>,
    /// Whether the host may join a chat publicly in order to send a message to it.
    pub join: bool,
    /// How much the API may be asked.
    pub terms: Terms,
    /// The secrets that a webhook may prove itself with; with none, every webhook is refused.
    pub webhook_secrets: Vec<SecretString>,
    /// What a webhook may be.
    pub webhook_limits: WebhookLimits,
}

/// A version of the LiveChat API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// Agent Chat API and Configuration API 3.6.
    V36,
}

/// LiveChat publishes no numbers; it says 429 where these are too many.
const TERMS_DEFAULT: Terms = Terms { concurrency: 32, rate: 50.0 };

const BASE_URL_DEFAULT: &str = "https://api.livechatinc.com";

pub(super) fn read(table: &mut Table<'_>) -> Livechat {
    if let Some(item) = table.take("api") {
        check_api(&item);
    }
    let reach = address::reach(table);
    let base = table.take("base_url").and_then(|item| base_url(&item, reach));
    let account_id = table.take("account_id");
    let token = table.take("token");
    if let (Some(account_id), None) = (&account_id, &token) {
        account_id.report("is set, but `livechat.token` is not: add token = { env = \"LIVECHAT_PAT\" }");
    }
    let (webhook_secrets, webhook_limits) =
        table.section("webhooks", |table| (webhook_secrets(table), webhook_limits(table)));
    Livechat {
        api: Api::V36,
        base_url: base.unwrap_or_else(|| BASE_URL_DEFAULT.to_owned()),
        reach,
        account_id: account_id.and_then(|item| account(&item)),
        token: token.and_then(|item| secret(&item)),
        timezone: table.take("timezone").and_then(|item| timezone(&item)),
        organization: table.take("organization").and_then(|item| identifier(&item)),
        client_id: table.take("client_id").and_then(|item| identifier(&item)),
        agent_id: table.take("agent_id").and_then(|item| identifier(&item)),
        join: table.take("join").and_then(|item| item.boolean()).unwrap_or(false),
        terms: terms::read(table, TERMS_DEFAULT),
        webhook_secrets,
        webhook_limits,
    }
}

fn webhook_secrets(table: &mut Table<'_>) -> Vec<SecretString> {
    let items = table.take("secrets").map(|item| item.items()).unwrap_or_default();
    items.iter().filter_map(secret).collect()
}

fn webhook_limits(table: &mut Table<'_>) -> WebhookLimits {
    let default = WebhookLimits::default();
    let mut limit = |key, range, default: usize| {
        // Lossless: the ranges end below what `usize` can hold.
        table.take(key).and_then(|item| item.integer(range)).map_or(default, |number| number as usize)
    };
    WebhookLimits {
        body_bytes: limit("body_bytes", 1 << 10..=16 << 20, default.body_bytes),
        // The parser itself ends at 128.
        json_depth: limit("json_depth", 4..=100, default.json_depth),
    }
}

fn check_api(item: &Item<'_>) {
    match item.text() {
        None | Some("v3.6") => {}
        Some("v2") => item.report("is \"v2\", but the older API is not supported yet: use \"v3.6\""),
        Some(_) => item.report("must be \"v3.6\""),
    }
}

fn account(item: &Item<'_>) -> Option<String> {
    let id = identifier(item)?;
    if id.contains('@') {
        item.report(
            "is an e-mail address: use the account id, the UUID that the Developer Console shows beside the \
             personal access token",
        );
        return None;
    }
    Some(id)
}

pub(super) fn timezone(item: &Item<'_>) -> Option<String> {
    let name = item.text()?;
    if jiff::tz::TimeZone::get(name).is_err() {
        item.report("is no time zone that this machine knows: write an IANA name such as \"Europe/Warsaw\"");
        return None;
    }
    Some(name.to_owned())
}
