//! The client of LiveChat's older API, version 2, for accounts that have nothing but an e-mail address and an API key. It
//! takes the same calls and answers in the shape of v3.6, so that a plugin doesn't know which API is behind; what
//! version 2 has no call for is `unsupported`.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::client::{self, SetupError, TIMEOUT};
use super::notices::{self, Notices};
use crate::action::livechat::{Call, LiveChat};
use crate::action::{BoxFuture, Code, Error, Failure, Origin};
use crate::destination::tally::{HOST, Tally};
use crate::egress::secret::{Known, basic_pair, joined};
use crate::egress::{self, Reach, cause};
use crate::event::trace_id::TraceId;

mod asked;
mod shape;
#[cfg(test)]
mod tests;

use asked::Asked;

/// What a client is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// The API's address; by default [`client::BASE_URL`].
    pub base_url: String,
    /// Which addresses it may lead to (`livechat.allow_private`).
    pub reach: Reach,
    /// The e-mail address (`livechat.login`).
    pub login: String,
    /// The API key, or a personal access token of that person (`livechat.api_key`).
    pub api_key: SecretString,
    /// The account's time zone (`livechat.timezone`): what a day is.
    pub timezone: Option<TimeZone>,
    /// How long one request may take, answer included; by default [`TIMEOUT`].
    pub timeout: Duration,
    /// Where each request is counted.
    pub tally: Arc<Tally>,
}

impl Options {
    /// The options for the platform itself, with nothing but credentials.
    pub fn new(login: &str, api_key: SecretString) -> Options {
        Options {
            base_url: client::BASE_URL.to_owned(),
            reach: Reach::Public,
            login: login.to_owned(),
            api_key,
            timezone: None,
            timeout: TIMEOUT,
            tally: Arc::default(),
        }
    }
}

/// The client. Clones share connections.
#[derive(Clone)]
pub struct Client(Arc<Way>);

struct Way {
    http: reqwest::Client,
    base: Url,
    known: Known,
    notices: Notices,
    options: Options,
}

/// For whom a request is made.
struct Sender<'a> {
    plugin: &'a str,
    trace: Option<TraceId>,
}

/// The longest answer that is read, bytes.
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// How much of LiveChat's own words is repeated, characters.
const WORDS_MAX: usize = 300;

impl Client {
    /// Makes a client; sends nothing yet.
    ///
    /// # Errors
    /// Options that no request can be built from.
    pub fn new(options: Options) -> Result<Client, SetupError> {
        let base = client::base(&options.base_url, options.reach)?;
        let base = Url::parse(&base).map_err(|_| SetupError::BaseUrl("is not a URL"))?;
        let http = egress::client(options.reach).map_err(SetupError::Http)?;
        authorization(&options)?;
        let pair = basic_pair(&options.login, options.api_key.expose_secret());
        let known = Known::new([options.api_key.expose_secret(), pair.expose_secret()]);
        let notices = Notices::new("set livechat.api = \"v3.6\" with an account id and a token");
        Ok(Client(Arc::new(Way { http, base, known, notices, options })))
    }

    /// Whether LiveChat takes the credentials.
    ///
    /// # Errors
    /// `denied` with what to check if LiveChat doesn't know them; others if it can't say.
    pub async fn check_credentials(&self) -> Result<(), Error> {
        let asked = Asked::get(["agents"]);
        let host = Sender { plugin: HOST, trace: None };
        self.send(&host, &asked).await.map(|_| ()).map_err(Failure::into_error)
    }

    async fn make(&self, origin: &Origin, call: Call) -> Result<String, Failure> {
        let asked = asked::of(&call, self.0.options.timezone.as_ref())?;
        let sender = Sender { plugin: &origin.plugin, trace: Some(origin.trace) };
        let answer = self.send(&sender, &asked).await?;
        let shaped = match &call {
            Call::GetChat { chat_id, .. } => shape::chat(&answer).ok_or(chat_id.as_str()),
            Call::ListArchives { .. } => shape::archives(&answer, &asked).ok_or("chats"),
            Call::ListAgents { .. } => shape::agents(&answer).ok_or("agents"),
            Call::GetAgent { agent_id, .. } => shape::agent(&answer).ok_or(agent_id.as_str()),
            Call::ListRoutingStatuses { .. } => shape::statuses(&answer).ok_or("agents"),
            Call::ListGroups { .. } => shape::groups(&answer).ok_or("groups"),
            Call::Report { report, .. } => shape::report(*report, &answer, &asked).ok_or("report"),
            _ => return Ok(String::new()),
        };
        let shaped = shaped.map_err(|what| {
            let message = format!("LiveChat's answer to {asked} ({what}) has an unknown shape");
            Error::new(Code::Unavailable, message)
        })?;
        Ok(shaped.to_string())
    }

    async fn send(&self, sender: &Sender<'_>, asked: &Asked) -> Result<Value, Failure> {
        let Way { known, notices, options, .. } = &*self.0;
        options.tally.count(sender.plugin);
        let lost = |error: reqwest::Error| self.lost(asked, error);
        let mut answer = self.prepare(asked).send().await.map_err(lost)?;
        let status = answer.status().as_u16();
        let headers = std::mem::take(answer.headers_mut());
        notices.announce(&asked.name(), &headers);
        let body = client::up_to_limit(&mut answer, ANSWER_BYTES_MAX).await.map_err(lost)?;
        let Some(body) = body else {
            let message = format!("{asked} failed: the answer is longer than {} MiB", ANSWER_BYTES_MAX >> 20);
            return Err(Failure::Doubt(Error::new(Code::Limit, message)));
        };
        let body = known.clean(body);
        if !(200..300).contains(&status) {
            notices::log_refusal(&asked.name(), sender.trace, status, "", &headers);
            return Err(refused(asked, status, &body, &headers));
        }
        match serde_json::from_slice(&body) {
            Ok(answer) => Ok(answer),
            Err(_) if body.trim_ascii().is_empty() => Ok(Value::Null),
            Err(_) => {
                let message =
                    format!("{asked} failed: the answer was a success without JSON; check livechat.base_url");
                Err(Failure::Doubt(Error::new(Code::Unavailable, message)))
            }
        }
    }

    fn prepare(&self, asked: &Asked) -> reqwest::RequestBuilder {
        let Way { http, base, options, .. } = &*self.0;
        let mut url = base.clone();
        url.path_segments_mut().expect("an http URL has a path").pop_if_empty().extend(&asked.path);
        if !asked.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&asked.query);
        }
        let method = if asked.body.is_some() { Method::PUT } else { Method::GET };
        let request = http
            .request(method, url)
            .timeout(options.timeout)
            .header(AUTHORIZATION, authorization(options).expect("it was checked when the client was made"))
            .header("X-API-Version", "2");
        match &asked.body {
            Some(body) => request.json(body),
            None => request,
        }
    }

    fn lost(&self, asked: &Asked, error: reqwest::Error) -> Failure {
        let is_connect = error.is_connect();
        let what = if error.is_timeout() {
            format!("LiveChat did not answer within {:?}", self.0.options.timeout)
        } else {
            format!("LiveChat could not be reached ({})", cause(error))
        };
        let failure = Error::new(Code::Unavailable, format!("{asked} failed: {what}"));
        if is_connect { Failure::Refused(failure) } else { Failure::Doubt(failure) }
    }
}

impl LiveChat for Client {
    fn call<'a>(&'a self, origin: &'a Origin, call: Call) -> BoxFuture<'a, Result<String, Failure>> {
        Box::pin(self.make(origin, call))
    }

    fn validate(&self, _: &Origin, call: &Call) -> Result<(), Error> {
        asked::of(call, self.0.options.timezone.as_ref()).map(|_| ())
    }

    fn look_up<'a>(
        &'a self,
        _: &'a Origin,
        call: &'a Call,
        _: i64,
    ) -> BoxFuture<'a, Result<Option<String>, Failure>> {
        // What would have to be looked up, version 2 can't do in the first place.
        Box::pin(async move { Err(unsupported(call).into()) })
    }
}

/// What a refusal means; version 2 has only the status, and sometimes words.
fn refused(asked: &Asked, status: u16, body: &[u8], headers: &HeaderMap) -> Failure {
    let (code, advice) = match status {
        401 => (
            Code::Credentials,
            "; check that livechat.login is an e-mail address of the account and livechat.api_key a key of that person \
             which has not been revoked",
        ),
        403 if asked.is_report() => (Code::Denied, "; reports need the key of the account's owner"),
        403 => (Code::Denied, "; the key's person may not do that"),
        404 => (Code::NotFound, ""),
        429 => (Code::RateLimited, ""),
        408 | 500.. => (Code::Unavailable, ""),
        400..500 => (Code::Invalid, ""),
        _ => (Code::Other, "; check livechat.base_url"),
    };
    let words = serde_json::from_slice::<Value>(body).ok().and_then(|body| words(&body));
    let words = words.map_or_else(String::new, |words| format!(": {words}"));
    let message = format!("{asked} failed: LiveChat answered HTTP {status}{words}{advice}");
    let retry_after_ms = notices::wait(headers)
        .filter(|_| matches!(code, Code::RateLimited | Code::Unavailable))
        .and_then(|wait| u64::try_from(wait.as_millis()).ok());
    let error = Error { code, message, retry_after_ms };
    match code {
        Code::Unavailable => Failure::Doubt(error),
        _ => Failure::Refused(error),
    }
}

/// `{"error": "…"}`, `{"errors": ["…"]}` or `{"message": "…"}`.
fn words(body: &Value) -> Option<String> {
    let text = body["error"].as_str().or(body["message"].as_str()).or(body["errors"][0].as_str())?;
    Some(text.chars().filter(|c| !c.is_control()).take(WORDS_MAX).collect())
}

/// The error for what version 2 has no call for.
fn unsupported(call: &Call) -> Error {
    let message = format!(
        "`{}` can't be done with the older API (livechat.api = \"v2\"): set livechat.api = \"v3.6\" with an account id and \
         a personal access token",
        call.capability()
    );
    Error::new(Code::Unsupported, message)
}

fn authorization(options: &Options) -> Result<HeaderValue, SetupError> {
    let key = options.api_key.expose_secret();
    let problem = |key, problem| SetupError::Credential { key, problem };
    if options.login.is_empty() || options.login.contains(':') {
        return Err(problem("login", "is empty or holds a colon; it is an e-mail address"));
    }
    if key.is_empty() || key.contains(|c: char| c.is_ascii_control()) {
        return Err(problem(
            "api_key",
            "is empty, or holds a line break or another character that no key has",
        ));
    }
    let text = joined(["Basic ", basic_pair(&options.login, key).expose_secret()]);
    let mut value = HeaderValue::from_str(text.expose_secret())
        .map_err(|_| problem("login", "holds a character that no header can carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// How far version 2 serves a capability, for people: `None` if whole.
pub fn shortfall(capability: &str) -> Option<&'static str> {
    match capability {
        "agents.get-agent" | "agents.set-routing-status" | "chats.get-chat" => None,
        "agents.list-routing-statuses" => Some("for all groups together"),
        "reports.total-chats"
        | "reports.ratings"
        | "reports.response-time"
        | "reports.first-response-time" => Some("days only, one agent, one group, and tags as filters"),
        "chats.list-archives" => Some(
            "days only, the newest first, 25 on a page and 25,000 in all; one agent, one group, tags and a text as \
                 filters",
        ),
        "agents.list-agents" => Some("not by groups, and without the fields that only single agents have"),
        "agents.list-groups" => Some("without priorities"),
        _ if capability.starts_with("http:") => None,
        _ => Some(NOT_AT_ALL),
    }
}

/// What [`shortfall`] says of what version 2 lacks.
pub const NOT_AT_ALL: &str = "not with the older API";

/// What is sent as a status of an agent.
fn status(word: &str) -> Value {
    json!({ "status": word.replace('_', " ") })
}
