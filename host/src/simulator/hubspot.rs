//! A HubSpot of one's own: contacts, notes and their associations, as strict as the documentation allows.

mod contacts;
mod notes;
mod problem;
mod quota;
mod records;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::server::{Reply, Request, Server, Service};
use super::{Faults, NotYet, Requests, locked};
use problem::Problem;
use quota::Quota;
use records::Records;

pub use records::{Contact, Note};

/// The token that the API knows.
pub const TOKEN: &str = "pat-eu1-simulated-token";

/// The form of a 429's body: both are in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RateLimitForm {
    /// `errorType` and `policyName`.
    #[default]
    ErrorType,
    /// `category`: the newer one.
    Category,
}

/// A running HubSpot. Clones are the same one; it ends with the last of them, or at [`Hubspot::stop`].
#[derive(Clone)]
pub struct Hubspot {
    state: Arc<Mutex<State>>,
    server: Server,
}

#[derive(Default)]
struct State {
    records: Records,
    quota: Quota,
    rate_limit_form: RateLimitForm,
    search_lag: Duration,
}

impl Hubspot {
    /// Starts an empty one on a free port of this machine.
    ///
    /// # Errors
    /// No port could be opened.
    pub async fn start() -> io::Result<Hubspot> {
        let state = Arc::new(Mutex::new(State::default()));
        let server = Server::start(Api(state.clone()), Requests::of("HubSpot")).await?;
        Ok(Hubspot { state, server })
    }

    /// What to set as the connection's `base_url`.
    pub fn base_url(&self) -> String {
        self.server.base_url()
    }

    /// What was asked, in order. Operations: `contacts.get`, `contacts.create`, `contacts.update`,
    /// `contacts.search`, `contacts.notes`, `notes.create`, `notes.get`, `notes.update`, `notes.delete`.
    pub fn requests(&self) -> &Requests {
        &self.server.requests
    }

    /// What goes wrong, by operation.
    pub fn faults(&self) -> &Faults {
        &self.server.faults
    }

    /// From now on connections are refused.
    pub fn stop(&self) {
        self.server.stop();
    }

    /// Adds a contact with this address; answers its id.
    pub fn add_contact(&self, email: &str) -> u64 {
        self.add_contact_with(&[("email", email)])
    }

    /// Adds a contact with these properties, names and values; answers its id. Names that HubSpot doesn't
    /// have become properties of the account's own.
    pub fn add_contact_with(&self, properties: &[(&str, &str)]) -> u64 {
        let records = &mut locked(&self.state).records;
        for (name, _) in properties {
            if !records.has_contact_property(name) {
                records.own_properties.push((*name).to_owned());
            }
        }
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), Value::from(*value));
        records.add_contact(properties.iter().map(pair).collect())
    }

    /// The contacts, oldest first.
    pub fn contacts(&self) -> Vec<Contact> {
        locked(&self.state).records.contacts.clone()
    }

    /// The notes that were not deleted, oldest first.
    pub fn notes(&self) -> Vec<Note> {
        locked(&self.state).records.notes.clone()
    }

    /// The notes of the contact with this address.
    pub fn notes_on(&self, email: &str) -> Vec<Note> {
        locked(&self.state).records.notes_on(email)
    }

    /// How long a new contact stays unseen by the search.
    pub fn set_search_lag(&self, lag: Duration) {
        locked(&self.state).search_lag = lag;
    }

    /// Refuses more than `burst` requests in 10 s and more than `search` searches in 1 s; `None` is no limit.
    pub fn limit(&self, burst: Option<u32>, search: Option<u32>) {
        locked(&self.state).quota = Quota::of(burst, search);
    }

    /// The form of the bodies of 429.
    pub fn set_rate_limit_form(&self, form: RateLimitForm) {
        locked(&self.state).rate_limit_form = form;
    }

    /// Waits until `done`, which is asked again after each request.
    ///
    /// # Errors
    /// [`NotYet`] names `what` and lists the newest requests, when the time is over.
    pub async fn wait_for(
        &self,
        what: &str,
        within: Duration,
        done: impl Fn(&Hubspot) -> bool,
    ) -> Result<(), NotYet> {
        self.server.requests.wait_until(what, within, || done(self)).await
    }
}

struct Api(Arc<Mutex<State>>);

/// What a request answers when nothing is wrong: status and object.
type Answer = Result<(u16, Value), Problem>;

impl Service for Api {
    fn operation(&self, request: &Request) -> String {
        let operation = match (request.method.as_str(), &segments(request)[..]) {
            ("POST", [_, _, _, "contacts", "search"]) => "contacts.search",
            ("GET", [_, "v4", _, "contacts", _, "associations", "notes"]) => "contacts.notes",
            ("POST", [_, "v3", _, "contacts"]) => "contacts.create",
            ("GET", [_, "v3", _, "contacts", _]) => "contacts.get",
            ("PATCH", [_, "v3", _, "contacts", _]) => "contacts.update",
            ("POST", [_, "v3", _, "notes"]) => "notes.create",
            ("GET", [_, "v3", _, "notes", _]) => "notes.get",
            ("PATCH", [_, "v3", _, "notes", _]) => "notes.update",
            ("DELETE", [_, "v3", _, "notes", _]) => "notes.delete",
            _ => "unknown",
        };
        operation.to_owned()
    }

    fn answer(&self, operation: &str, request: &Request) -> Reply {
        let mut state = locked(&self.0);
        let counted = state.quota.count(operation);
        let reply = match counted.and_then(|()| carry_out(&mut state, operation, request)) {
            Ok((204, _)) => {
                Reply { status: 204, content_type: "text/plain", headers: Vec::new(), body: String::new() }
            }
            Ok((status, body)) => Reply::json(status, &body),
            Err(problem) => problem.reply(state.rate_limit_form),
        };
        if operation == "contacts.search" { reply } else { state.quota.headers(reply) }
    }

    fn failure(&self, operation: &str, status: u16) -> Reply {
        let form = locked(&self.0).rate_limit_form;
        Problem::of_status(status, operation).reply(form)
    }
}

fn carry_out(state: &mut State, operation: &str, request: &Request) -> Answer {
    if request.bearer() != Some(TOKEN) {
        return Err(Problem::of_status(401, operation));
    }
    let segments = segments(request);
    let id = segments.get(4).map(|id| percent_decode_str(id).decode_utf8_lossy().into_owned());
    let id = id.unwrap_or_default();
    let query = Query::of(&request.query);
    match operation {
        "contacts.get" => contacts::get(state, &id, &query),
        "contacts.create" => contacts::create(state, request),
        "contacts.update" => contacts::update(state, &id, request),
        "contacts.search" => contacts::search(state, request),
        "contacts.notes" => notes::of_contact(state, &id),
        "notes.create" => notes::create(state, request),
        "notes.get" => notes::get(state, &id, &query),
        "notes.update" => notes::update(state, &id, request),
        "notes.delete" => notes::delete(state, &id),
        _ => Err(Problem::new(404, None, "resource not found")),
    }
}

/// The path in parts: `crm`, `v3`, `objects`, `contacts`, the id …
fn segments(request: &Request) -> Vec<&str> {
    request.path.split('/').skip(1).collect()
}

/// A decoded query.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(query: &str) -> Query {
        let decode = |text: &str| {
            let spaced = text.replace('+', " ");
            percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
        };
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let split = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        };
        Query(pairs.map(split).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The parts of a list: given once with commas, or several times.
    fn list(&self, name: &str) -> Vec<String> {
        let values = self.0.iter().filter(|(known, _)| known == name);
        values.flat_map(|(_, value)| value.split(',')).map(str::to_owned).collect()
    }
}
