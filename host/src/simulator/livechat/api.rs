//! The door of the Agent Chat, Configuration and Reports APIs, v3.6, and of the older API beside them: who asks, which
//! action, and the answer.

mod archives;
mod chats;
mod configuration;
mod events;
mod members;
mod older;
mod people;
mod reports;
mod scopes;
mod tokens;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::account::{Account, Requester};
use super::fields::Fields;
use super::outbox::Outbox;
use super::refusal::Refusal;
use super::webhook;
use crate::simulator::locked;
use crate::simulator::server::{Reply, Request, Service};

/// The API over the account; what a call changes goes out as webhooks.
pub(super) struct Api {
    pub(super) account: Arc<Mutex<Account>>,
    pub(super) outbox: Outbox,
}

/// What an action answers: `Null` is an empty body.
type Answer = Result<Value, Refusal>;

/// One call: who makes it, and the fields of its body.
struct Call<'a> {
    requester: Requester,
    fields: Fields<'a>,
}

impl Service for Api {
    /// The action's name: `send_event` …; of the older API method and path.
    fn operation(&self, request: &Request) -> String {
        if older::is_meant(request) {
            return older::operation(request);
        }
        request.path.rsplit('/').next().unwrap_or_default().to_owned()
    }

    fn answer(&self, action: &str, request: &Request) -> Reply {
        self.carry_out(action, request, None)
    }

    fn answer_unseen(&self, action: &str, request: &Request, unseen: Duration) -> Reply {
        self.carry_out(action, request, Some(unseen))
    }

    /// The one of the two regions that wasn't asked.
    fn misdirected(&self, request: &Request) -> Reply {
        let region = if request.header("x-region") == Some("fra") { "dal" } else { "fra" };
        Refusal::misdirected(region).reply()
    }

    fn refusal(&self, request: &Request, status: u16, error_type: &str) -> Reply {
        if older::is_meant(request) {
            return older::refusal(status, error_type);
        }
        let error = json!({"type": error_type, "message": "refused on demand"});
        Reply::json(status, &json!({ "error": error }))
    }

    fn failure(&self, _action: &str, status: u16) -> Reply {
        Refusal::of_status(status).reply()
    }
}

impl Api {
    fn carry_out(&self, action: &str, request: &Request, unseen_for: Option<Duration>) -> Reply {
        let mut account = locked(&self.account);
        if older::is_meant(request) {
            return older::carry_out(&mut account, request);
        }
        account.unseen_for = unseen_for;
        let answer = call(&mut account, action, request);
        account.unseen_for = None;
        // Sent under the lock, so that webhooks leave in the order of what they tell.
        self.outbox.send_all(&mut account);
        match answer {
            Ok(Value::Null) => Reply::text(200, ""),
            Ok(answer) => Reply::json(200, &answer),
            Err(refusal) => refusal.reply(),
        }
    }
}

fn call(account: &mut Account, action: &str, request: &Request) -> Answer {
    if request.path == tokens::PATH {
        return tokens::refresh(account, request);
    }
    let api = api_of(&request.path, action)?;
    if request.method != "POST" {
        return Err(Refusal::new(405, "validation", "every action is a POST"));
    }
    let body = request.json();
    let Some(Value::Object(body)) = body else {
        return Err(Refusal::validation(
            "the body must be a JSON object, with content-type application/json",
        ));
    };
    if action == "list_webhook_names" {
        return list_webhook_names(&body);
    }
    if (api, action) == ("configuration", "issue_bot_token") {
        return tokens::issue_bot_token(account, &body);
    }
    let requester = requester(account, request)?;
    scopes::check(account, api, action)?;
    let call = Call { requester, fields: Fields::of(&body) };
    match api {
        "agent" => agent(account, action, call),
        "reports" => reports::report(account, request.path.trim_start_matches(REPORTS), call),
        _ => configuration(account, action, call),
    }
}

const REPORTS: &str = "/v3.6/reports/";

/// `agent`, `configuration` or `reports`, out of `/v3.6/agent/action/…`, `/v3.6/reports/chats/…`.
fn api_of<'a>(path: &'a str, action: &str) -> Result<&'a str, Refusal> {
    let Some(rest) = path.strip_prefix("/v3.6/") else {
        return Err(Refusal::new(404, "unsupported_version", "only version 3.6 is simulated"));
    };
    if path.starts_with(REPORTS) {
        return Ok("reports");
    }
    let api = rest.strip_suffix(action).and_then(|rest| rest.strip_suffix("/action/"));
    api.filter(|api| ["agent", "configuration"].contains(api))
        .ok_or_else(|| Refusal::not_found(format!("no such path: {path}")))
}

fn requester(account: &Account, request: &Request) -> Result<Requester, Refusal> {
    let header = request.header("authorization").unwrap_or_default();
    let credential =
        account.credentials.iter().chain(&account.issued).find(|credential| credential.header == header);
    credential.map(|known| known.requester.clone()).ok_or_else(Refusal::authentication)
}

fn list_webhook_names(body: &Map<String, Value>) -> Answer {
    let mut fields = Fields::of(body);
    fields.optional_text("version")?;
    fields.end()?;
    Ok(webhook::names())
}

fn agent(account: &mut Account, action: &str, call: Call<'_>) -> Answer {
    match action {
        "get_chat" => chats::get_chat(account, call),
        "list_chats" => chats::list_chats(account, call),
        "list_archives" => archives::list_archives(account, call),
        "get_customer" => chats::get_customer(account, call),
        "update_customer" => people::update_customer(account, call),
        "ban_customer" => people::ban_customer(account, call),
        "set_routing_status" => people::set_routing_status(account, call),
        "deactivate_chat" => chats::deactivate_chat(account, call),
        "update_chat_properties" => chats::update_chat_properties(account, call),
        "send_event" => events::send_event(account, call),
        "tag_thread" => events::tag_thread(account, call, true),
        "untag_thread" => events::tag_thread(account, call, false),
        "transfer_chat" => members::transfer_chat(account, call),
        "add_user_to_chat" => members::add_user_to_chat(account, call),
        "remove_user_from_chat" => members::remove_user_from_chat(account, call),
        "list_routing_statuses" => members::list_routing_statuses(account, call),
        _ => Err(unknown(action)),
    }
}

fn configuration(account: &mut Account, action: &str, call: Call<'_>) -> Answer {
    match action {
        "list_agents" => configuration::list_agents(account, call),
        "get_agent" => people::get_agent(account, call),
        "list_groups" => configuration::list_groups(account, call),
        "list_tags" => configuration::list_tags(account, call),
        "create_tag" => configuration::create_tag(account, call),
        "list_properties" => configuration::list_properties(account, call),
        "register_webhook" => configuration::register_webhook(account, call),
        "list_webhooks" => configuration::list_webhooks(account, call),
        "unregister_webhook" => configuration::unregister_webhook(account, call),
        "get_license_webhooks_state" => configuration::webhooks_state(account, call),
        "enable_license_webhooks" => configuration::switch_webhooks(account, call, true),
        "disable_license_webhooks" => configuration::switch_webhooks(account, call, false),
        _ => Err(unknown(action)),
    }
}

fn unknown(action: &str) -> Refusal {
    Refusal::not_found(format!("no action `{action}`"))
}

/// What the platform answers where it has nothing to say.
fn done() -> Value {
    json!({})
}

impl Call<'_> {
    /// Refuses a requester who isn't in the chat, unless the call asked to ignore that.
    fn must_be_in(&self, account: &Account, chat_id: &str, ignore_presence: bool) -> Result<(), Refusal> {
        if ignore_presence || account.chat(chat_id)?.is_present(&self.requester.id) {
            return Ok(());
        }
        Err(Refusal::outsider())
    }
}
