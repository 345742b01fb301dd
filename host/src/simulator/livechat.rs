//! A LiveChat of one's own: the Agent Chat, Configuration and Reports APIs (v3.6), and the webhooks.

mod account;
mod api;
mod changes;
mod chat;
mod fields;
mod outbox;
mod refusal;
mod seed;
mod story;
#[cfg(test)]
mod tests;
mod webhook;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use account::{RoutingStatus, Sent};
pub use outbox::{PostState, Posted};
pub use story::{EndedBy, Happening, Impossible, Opening, Told};

use super::server::Server;
use super::{Faults, NotYet, Requests, locked};
use crate::event::types;
use account::{Account, Agent};
use api::Api;
use outbox::Outbox;

/// The account id that goes with [`PAT`].
pub const ACCOUNT_ID: &str = "5c4f1a2e-7b90-4d1c-a6e3-2f8b9d0c1e11";
/// The personal access token that the API knows.
pub const PAT: &str = "dal:simulated-personal-access-token";
/// The agent whose token it is: in no chat, and not accepting any.
pub const PAT_OWNER: &str = "automation@example.com";
/// The organization's id.
pub const ORGANIZATION_ID: &str = "390e44e6-f1e6-0368-z6ddb-74g14508c2ex";
/// The secret for which the bot gets tokens.
pub const BOT_SECRET: &str = "simulated-secret-of-the-bot";
/// The secret of the app.
pub const CLIENT_SECRET: &str = "simulated-secret-of-the-app";
/// What the app gets access tokens for.
pub const REFRESH_TOKEN: &str = "dal-simulated-refresh-token";
/// The e-mail address that opens the older API.
pub const V2_LOGIN: &str = "owner@example.com";
/// The API key that goes with it.
pub const V2_KEY: &str = "simulated-api-key-of-the-owner";
/// The bearer token of the bot.
pub const BOT_TOKEN: &str = "simulated-bot-token";
/// The bot's id.
pub const BOT_ID: &str = "5c9871d5372c824cbf22d860a707a578";
/// The client id of the app that both tokens belong to, and its property namespace.
pub const CLIENT_ID: &str = "9f2b5c1e0d7a4b638c25e1f4a7d09b36";
/// The client id of the chat widget.
const WIDGET_CLIENT_ID: &str = "c5e4f61e1a6c3b1521b541bc5c5a2ac5";

/// A running LiveChat. Clones are the same one; it ends with the last of them, or at [`Livechat::stop`].
#[derive(Clone)]
pub struct Livechat {
    account: Arc<Mutex<Account>>,
    outbox: Outbox,
    server: Server,
    _stop_outbox: Arc<DropGuard>,
}

impl Livechat {
    /// Starts one on a free port of this machine: groups General (0), Support (1, `smith@example.com`
    /// accepts chats), Sales (2, `sam@example.com` accepts chats) and Billing (3, nobody), some tags.
    ///
    /// # Errors
    /// No port could be opened.
    pub async fn start() -> io::Result<Livechat> {
        let account = Arc::new(Mutex::new(Account::seeded()));
        let requests = Requests::of("LiveChat");
        let stop = CancellationToken::new();
        let outbox = Outbox::new(requests.changes().clone(), stop.clone()).map_err(io::Error::other)?;
        let api = Api { account: account.clone(), outbox: outbox.clone() };
        let server = Server::start(api, requests).await?;
        Ok(Livechat { account, outbox, server, _stop_outbox: Arc::new(stop.drop_guard()) })
    }

    /// What to set as `livechat.base_url`.
    pub fn base_url(&self) -> String {
        self.server.base_url()
    }

    /// What was asked, in order. Operations are the actions' names.
    pub fn requests(&self) -> &Requests {
        &self.server.requests
    }

    /// What goes wrong, by action.
    pub fn faults(&self) -> &Faults {
        &self.server.faults
    }

    /// From now on connections are refused.
    pub fn stop(&self) {
        self.server.stop();
    }

    /// Registers every webhook action of v3.6 with all additional data.
    pub fn send_webhooks_to(&self, url: &str, secret_key: &str) {
        let mut account = locked(&self.account);
        for action in types::PLATFORM {
            let registration = account.registration(action, url, secret_key);
            account.registrations.push(registration);
        }
    }

    /// Switches webhooks on or off for the app, as its owner can in the Developer Console.
    pub fn switch_webhooks(&self, on: bool) {
        locked(&self.account).webhooks_on = on;
    }

    /// The time between the attempts of a webhook (15 s at the start).
    pub fn set_retry_spacing(&self, spacing: Duration) {
        self.outbox.set_spacing(spacing);
    }

    /// Puts a body on its way to where its action is registered, like the platform's own.
    pub fn deliver(&self, body: Value) {
        let chat_id = body["payload"]["chat_id"].as_str().or(body["payload"]["chat"]["id"].as_str());
        let chat_id = chat_id.map(str::to_owned);
        let registrations = locked(&self.account).registrations.clone();
        for registration in registrations.into_iter().filter(|known| body["action"] == known.action.as_str())
        {
            self.outbox.send(chat_id.clone(), registration.url, body.clone());
        }
    }

    /// Posts a body once.
    ///
    /// # Errors
    /// Why there was no answer.
    pub async fn post(&self, url: &str, body: &Value) -> Result<u16, String> {
        self.outbox.post(url, body).await
    }

    /// The webhooks so far, oldest first.
    pub fn posted(&self) -> Vec<Posted> {
        self.outbox.log()
    }

    /// Waits until each webhook was answered 200.
    ///
    /// # Errors
    /// [`NotYet`] names those that were not, also if LiveChat gave them up.
    pub async fn wait_delivered(&self, within: Duration) -> Result<(), NotYet> {
        let settled = || self.posted().iter().all(|posted| posted.state != PostState::UnderWay);
        let _ = self.requests().wait_until("", within, settled).await;
        let all = self.posted();
        let missing: Vec<String> = all
            .iter()
            .filter(|posted| posted.state != PostState::Delivered)
            .map(|posted| format!("{} {:?}", posted.action, posted.attempts))
            .collect();
        let what = format!("all webhooks answered 200, missing: {}", missing.join(", "));
        self.requests().wait_until(&what, Duration::ZERO, || missing.is_empty()).await
    }

    /// Waits until `done`, which is asked again after each request and change.
    ///
    /// # Errors
    /// [`NotYet`] names `what` and lists the newest requests, when the time is over.
    pub async fn wait_for(
        &self,
        what: &str,
        within: Duration,
        done: impl Fn(&Livechat) -> bool,
    ) -> Result<(), NotYet> {
        self.requests().wait_until(what, within, || done(self)).await
    }

    /// A chat with its newest thread, as `get_chat` shows it.
    pub fn chat(&self, chat_id: &str) -> Option<Value> {
        let account = locked(&self.account);
        let chat = account.chats.get(chat_id)?;
        Some(chat.json(&account, chat.newest()))
    }

    /// A thread with its events, tags and properties.
    pub fn thread(&self, chat_id: &str, thread_id: &str) -> Option<Value> {
        let account = locked(&self.account);
        let chat = account.chats.get(chat_id)?;
        Some(chat.json(&account, chat.thread(thread_id)?)["thread"].clone())
    }

    /// What came through `send_event` and was saved, in the order in which it was saved: the truth by which doubled
    /// and missing messages are counted, whatever their senders were told and readers see.
    pub fn sent(&self) -> Vec<Sent> {
        locked(&self.account).sent.clone()
    }

    /// Ends all tokens that were issued so far.
    pub fn expire_tokens(&self) {
        locked(&self.account).issued.clear();
    }

    /// Takes a scope away from all tokens; a call that needs it is refused, unless another scope does.
    pub fn without_scope(&self, scope: &str) {
        locked(&self.account).scopes_lacked.insert(scope.to_owned());
    }

    /// Gives the agents schedules in a time zone.
    pub fn work_in(&self, timezone: &str) {
        locked(&self.account).work_timezone = Some(timezone.to_owned());
    }

    /// What is known of a customer, as `get_customer` shows it.
    pub fn customer(&self, customer_id: &str) -> Option<Value> {
        locked(&self.account).customers.get(customer_id).cloned()
    }

    /// For how many days a customer is banned.
    pub fn banned_for(&self, customer_id: &str) -> Option<i64> {
        locked(&self.account).bans.get(customer_id).copied()
    }

    /// The ids of all chats.
    pub fn chat_ids(&self) -> Vec<String> {
        locked(&self.account).chats.keys().cloned().collect()
    }

    /// Adds a group.
    pub fn add_group(&self, id: i64, name: &str) {
        locked(&self.account).groups.insert(id, name.to_owned());
    }

    /// Adds an agent, who accepts chats.
    pub fn add_agent(&self, id: &str, name: &str, groups: &[i64]) {
        let agent = Agent {
            account_id: format!("account of {id}"),
            name: name.to_owned(),
            role: "normal",
            groups: groups.to_vec(),
            status: RoutingStatus::AcceptingChats,
            is_bot: false,
        };
        locked(&self.account).agents.insert(id.to_owned(), agent);
    }

    /// Adds a tag; group 0 means all groups.
    pub fn add_tag(&self, name: &str, group_ids: &[i64]) {
        locked(&self.account).add_tag(name, group_ids);
    }

    /// Registers a property: `kind` is `string`, `tokenized_string`, `int` or `bool`.
    pub fn register_property(&self, namespace: &str, name: &str, kind: &str) {
        let mut account = locked(&self.account);
        let properties = account.namespaces.entry(namespace.to_owned()).or_default();
        properties.insert(name.to_owned(), json!({"type": kind}));
    }

    /// Moves the platform's clock: chats that start now carry that time.
    pub fn shift_clock(&self, by: SignedDuration) {
        locked(&self.account).clock_shift = by;
    }

    /// Stops the platform's clock at a time: what happens carries it, until it is stopped at another one.
    pub fn stop_clock_at(&self, at: Timestamp) {
        locked(&self.account).stopped_at = Some(at);
    }

    /// From now on the plan gives the history since a time only: of threads that began before nobody reads what was said.
    pub fn cut_history_before(&self, from: Timestamp) {
        locked(&self.account).history_from = Some(from);
    }

    /// From now on the list of chats doesn't say who waits in the queue: nobody knows whether the platform's does.
    pub fn leave_queue_out_of_lists(&self) {
        locked(&self.account).lists_queue = false;
    }

    /// Makes calls on inactive chats answer the error type `chat_inactive` instead of `validation`.
    pub fn say_chat_inactive(&self) {
        locked(&self.account).inactive_as = "chat_inactive";
    }
}
