use jiff::tz::TimeZone;
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
    /// The account's data centre, `dal` or `fra`, where the operator says it.
    pub region: Option<String>,
    /// The account that the personal access token belongs to. `None`: the token is a bearer token.
    pub account_id: Option<String>,
    /// The personal access token, or the bearer token of an app or a bot.
    pub token: Option<SecretString>,
    /// The e-mail address for the older API.
    pub login: Option<String>,
    /// The API key for the older API.
    pub api_key: Option<SecretString>,
    /// The OAuth app that tokens are issued for, in place of a token.
    pub oauth: Option<OAuth>,
    /// The bot that tokens are issued for, in place of a token.
    pub bot: Option<Bot>,
    /// The account's time zone: what a day is.
    pub timezone: Option<TimeZone>,
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

impl Livechat {
    /// Whether there is something to make calls of version 3.6 with.
    pub fn has_identity(&self) -> bool {
        self.token.is_some() || self.oauth.is_some() || self.bot.is_some()
    }
}

/// `livechat.oauth`: what the app of `livechat.client_id` has access tokens issued for.
#[derive(Clone, Debug)]
pub struct OAuth {
    /// The app's secret.
    pub client_secret: SecretString,
    /// The refresh token.
    pub refresh_token: SecretString,
    /// Where tokens are issued, if not by the platform.
    pub token_url: Option<String>,
}

/// `livechat.bot`: a bot of the app of `livechat.client_id`, for which tokens are issued.
#[derive(Clone, Debug)]
pub struct Bot {
    /// The bot's id.
    pub id: String,
    /// The bot's secret.
    pub secret: SecretString,
}

/// A version of the LiveChat API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// Agent Chat API, Configuration API and Reports API 3.6.
    V36,
    /// The REST API 2.
    V2,
}

/// LiveChat publishes no numbers; it says 429 where these are too many.
const TERMS_DEFAULT: Terms = Terms { concurrency: 32, rate: 50.0 };

/// How the problem of an e-mail address in the place of the account's id begins.
pub const IS_EMAIL: &str = "is an e-mail address";

const BASE_URL_DEFAULT: &str = "https://api.livechatinc.com";

pub(super) fn read(table: &mut Table<'_>) -> Livechat {
    let api = table.take("api").and_then(|item| api(&item)).unwrap_or(Api::V36);
    let (base_url, reach) = address(table);
    let region = table.take("region").and_then(|item| region(&item, api));
    let account_id = table.take("account_id");
    let token = table.take("token");
    let (login, api_key) = (table.take("login"), table.take("api_key"));
    let (oauth, bot) = (table.take("oauth"), table.take("bot"));
    let ways = [token.is_some(), oauth.is_some(), bot.is_some()].into_iter().filter(|is_set| *is_set).count();
    let (has_app, has_organization) = (table.has("client_id"), table.has("organization"));
    match api {
        Api::V36 if ways > 1 => table.report("has more than one of token, oauth and bot: keep one"),
        Api::V36 => {
            if let Some(oauth) = oauth.as_ref().filter(|_| !has_app) {
                oauth.report("needs `client_id` beside it, that of the app whose tokens these are");
            }
            if let Some(bot) = bot.as_ref().filter(|_| !(has_app && has_organization)) {
                bot.report(
                    "needs `client_id` and `organization` beside it: LiveChat issues a bot's tokens for both",
                );
            }
            pair(&account_id, &token, "token", "LIVECHAT_PAT");
            foreign([&login, &api_key], "v2", "account_id and token");
        }
        Api::V2 => {
            pair(&login, &api_key, "api_key", "LIVECHAT_API_KEY");
            pair(&api_key, &login, "login", "LIVECHAT_LOGIN");
            foreign([&account_id, &token], "v3.6", "login and api_key");
            foreign([&oauth, &bot], "v3.6", "login and api_key");
        }
    }
    let bot = bot.and_then(|item| self::bot(item.table()?));
    let agent_id = table.take("agent_id").and_then(|item| identifier(&item));
    let (webhook_secrets, webhook_limits) =
        table.section("webhooks", |table| (webhook_secrets(table), webhook_limits(table)));
    Livechat {
        api,
        base_url,
        reach,
        region,
        account_id: account_id.and_then(|item| account(&item)),
        token: token.and_then(|item| secret(&item)),
        oauth: oauth.and_then(|item| self::oauth(item.table()?, reach)),
        // A bot acts as itself.
        agent_id: agent_id.or(bot.as_ref().map(|bot| bot.id.clone())),
        bot,
        login: login.and_then(|item| identifier(&item)),
        api_key: api_key.and_then(|item| secret(&item)),
        timezone: table.take("timezone").and_then(|item| timezone(&item)),
        organization: table.take("organization").and_then(|item| identifier(&item)),
        client_id: table.take("client_id").and_then(|item| identifier(&item)),
        join: table.take("join").and_then(|item| item.boolean()).unwrap_or(false),
        terms: terms::read(table, TERMS_DEFAULT),
        webhook_secrets,
        webhook_limits,
    }
}

/// Where the API is, and which addresses it may lead to; nothing else of the table.
pub(super) fn address(table: &mut Table<'_>) -> (String, Reach) {
    let reach = address::reach(table);
    let base = table.take("base_url").and_then(|item| base_url(&item, reach));
    (base.unwrap_or_else(|| BASE_URL_DEFAULT.to_owned()), reach)
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

fn api(item: &Item<'_>) -> Option<Api> {
    match item.text()? {
        "v3.6" => Some(Api::V36),
        "v2" => Some(Api::V2),
        _ => {
            item.report(
                "must be \"v3.6\", or \"v2\" for an account that has only an e-mail address and an API key",
            );
            None
        }
    }
}

fn region(item: &Item<'_>, api: Api) -> Option<String> {
    if api == Api::V2 {
        item.report("belongs to livechat.api = \"v3.6\": remove it, the older API knows no data centres");
        return None;
    }
    match item.text()? {
        name @ ("dal" | "fra") => Some(name.to_owned()),
        _ => {
            item.report("must be \"dal\" or \"fra\", the data centre that holds the account");
            None
        }
    }
}

fn oauth(mut table: Table<'_>, reach: Reach) -> Option<OAuth> {
    let (client_secret, refresh_token) = (table.take("client_secret"), table.take("refresh_token"));
    let token_url = table.take("token_url").map(|item| base_url(&item, reach));
    if client_secret.is_none() || refresh_token.is_none() {
        table.report("needs client_secret = { env = \"…\" } and refresh_token = { env = \"…\" }");
    }
    table.finish();
    let (client_secret, refresh_token) =
        (client_secret.map(|i| secret(&i)), refresh_token.map(|i| secret(&i)));
    Some(OAuth {
        client_secret: client_secret??,
        refresh_token: refresh_token??,
        token_url: match token_url {
            Some(url) => Some(url?),
            None => None,
        },
    })
}

fn bot(mut table: Table<'_>) -> Option<Bot> {
    let (id, bot_secret) = (table.take("id"), table.take("secret"));
    if id.is_none() || bot_secret.is_none() {
        table.report("needs id = \"…\" and secret = { env = \"…\" }");
    }
    table.finish();
    let (id, secret) = (id.map(|item| identifier(&item)), bot_secret.map(|item| secret(&item)));
    Some(Bot { id: id??, secret: secret?? })
}

/// Reports a key that is of no use without another one.
fn pair(one: &Option<Item<'_>>, other: &Option<Item<'_>>, name: &str, variable: &str) {
    if let (Some(one), None) = (one, other) {
        one.report(format!("is set, but `livechat.{name}` is not: add {name} = {{ env = \"{variable}\" }}"));
    }
}

/// Reports keys that belong to the other API.
fn foreign(items: [&Option<Item<'_>>; 2], api: &str, instead: &str) {
    for item in items.into_iter().flatten() {
        item.report(format!("belongs to livechat.api = \"{api}\": remove it, here it is {instead}"));
    }
}

fn account(item: &Item<'_>) -> Option<String> {
    let id = identifier(item)?;
    if id.contains('@') {
        item.report(format!(
            "{IS_EMAIL}: use the account id, the UUID that the Developer Console shows beside the personal access token"
        ));
        return None;
    }
    Some(id)
}

pub(super) fn timezone(item: &Item<'_>) -> Option<TimeZone> {
    let zone = TimeZone::get(item.text()?).ok();
    if zone.is_none() {
        item.report("is no time zone that this machine knows: write an IANA name such as \"Europe/Warsaw\"");
    }
    zone
}
