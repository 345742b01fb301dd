//! The client of LiveChat's Agent Chat API, Configuration API and Reports API, version 3.6.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::action::livechat::{Call, LiveChat, Visits};
use crate::action::{BoxFuture, Code, Error, Failure, Origin};
use crate::destination::tally::Tally;
use crate::egress::Reach;

mod api;
mod configuration;
mod credentials;
mod dates;
mod failure;
mod look_up;
mod me;
mod region;
mod registrations;
mod request;
mod sender;
#[cfg(test)]
mod tests;
mod tokens;

pub use credentials::{Bot, Credentials, OAuth, TOKEN_URL};

pub(super) use api::{base, up_to_limit};
pub(super) use request::reports::filled;

use api::Api;
use sender::{Audience, Message, Sender};

/// The platform's own address.
pub const BASE_URL: &str = "https://api.livechatinc.com";
/// How long one request may take, unless the options say otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// What a client is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// The API's address, without a path below it that belongs to a version; by default [`BASE_URL`].
    pub base_url: String,
    /// Which addresses it may lead to (`livechat.allow_private`).
    pub reach: Reach,
    /// Whose calls these are.
    pub credentials: Credentials,
    /// Whether `send-message` may join a chat, visible to its customer (`livechat.join`).
    pub join: bool,
    /// How long one request may take, answer included; by default [`TIMEOUT`].
    pub timeout: Duration,
    /// The account's data centre, `dal` or `fra`, sent as `X-Region`. Without it the client learns it from
    /// the token's prefix, or when LiveChat says that it was asked in the wrong place.
    pub region: Option<String>,
    /// LiveChat's id of the agent or bot whose token this is (`livechat.agent_id`). Needed for notes into
    /// chats that it isn't in; with a personal access token the client finds it out.
    pub agent_id: Option<String>,
    /// The account's time zone (`livechat.timezone`): what a day is.
    pub timezone: Option<TimeZone>,
    /// Where each request is counted.
    pub tally: Arc<Tally>,
}

impl Options {
    /// The options for the platform itself, with nothing but credentials.
    pub fn new(credentials: Credentials) -> Options {
        Options {
            base_url: BASE_URL.to_owned(),
            reach: Reach::Public,
            credentials,
            join: false,
            timeout: TIMEOUT,
            region: None,
            agent_id: None,
            timezone: None,
            tally: Arc::default(),
        }
    }
}

/// Why no client could be made of the options. Shows no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// Not a URL that the client can build on.
    #[error("livechat.base_url {0}; it looks like {BASE_URL}")]
    BaseUrl(&'static str),
    /// A credential that can't be sent.
    #[error("livechat.{key} {problem}")]
    Credential {
        /// The key in the config.
        key: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Not a region's name.
    #[error("livechat.region is not the name of a data centre; it is `dal` or `fra`")]
    Region,
    /// The TLS library or the system's certificates.
    #[error("the HTTP client of the LiveChat API could not be set up: {0}")]
    Http(String),
}

/// The client. Clones share connections and what was learnt.
#[derive(Clone)]
pub struct Client {
    api: Arc<Api>,
    sender: Arc<Sender>,
    timezone: Option<TimeZone>,
}

impl Client {
    /// Makes a client; sends nothing yet. A chat that it joins for a note is not left if the process ends in between.
    ///
    /// # Errors
    /// Options that no request can be built from.
    pub fn new(options: Options) -> Result<Client, SetupError> {
        Client::build(options, None)
    }

    /// The same, with a record of the visits that have to be [ended](Client::end_visits).
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with_visits(options: Options, visits: Arc<dyn Visits>) -> Result<Client, SetupError> {
        Client::build(options, Some(visits))
    }

    fn build(options: Options, visits: Option<Arc<dyn Visits>>) -> Result<Client, SetupError> {
        let api = Arc::new(Api::new(&options)?);
        let sender = Arc::new(Sender::new(api.clone(), &options, visits));
        Ok(Client { api, sender, timezone: options.timezone })
    }

    async fn make(&self, origin: &Origin, call: Call) -> Result<String, Failure> {
        let request = request::of(origin, &call, self.timezone.as_ref())?.traced(Some(origin.trace));
        match call {
            Call::SendMessage { chat_id, .. } => {
                self.send(Message { chat_id, audience: Audience::Everybody, request }).await
            }
            Call::SendNote { chat_id, .. } => {
                self.send(Message { chat_id, audience: Audience::Agents, request }).await
            }
            Call::Deactivate { .. } => match self.api.post(&request).await {
                Err(failure) if failure.error.code != Code::Inactive => Err(failure.into()),
                _ => Ok(String::new()),
            },
            Call::Report { report, .. } => {
                let body = self.api.post(&request).await?;
                Ok(request::reports::filled(report, &request.body, request.answered(body)?))
            }
            Call::Direct(_) => {
                let body = self.api.post(&request).await?;
                Ok(if body.is_empty() { "{}".to_owned() } else { body })
            }
            call => {
                let body = self.api.post(&request).await?;
                if call.is_read() { Ok(request.answered(body)?) } else { Ok(String::new()) }
            }
        }
    }

    /// Sends in a task of its own: it may take several requests, and if the caller goes away in the middle
    /// our user must still leave the chat that it joined.
    async fn send(&self, message: Message) -> Result<String, Failure> {
        let sender = self.sender.clone();
        let task = tokio::spawn(async move { sender.send(&message).await });
        task.await.unwrap_or_else(|gone| {
            Err(Failure::Doubt(Error::new(
                Code::Unavailable,
                format!("sending to LiveChat was cut off: {gone}"),
            )))
        })
    }

    /// Leaves the chats that our user joined for a note and is still in: the process ended in between, or LiveChat
    /// did not answer. The process is `up` for so long: what an earlier one sent may be under way at first.
    ///
    /// # Errors
    /// The first visit that could not be ended; the others are tried all the same.
    pub async fn end_visits(&self, up: Duration, is_ready: impl Fn() -> bool) -> Result<(), Error> {
        self.sender.end_visits(up, is_ready).await
    }

    async fn find(&self, origin: &Origin, call: &Call, sent_at_ms: i64) -> Result<Option<String>, Failure> {
        match call {
            Call::SendMessage { chat_id, .. } | Call::SendNote { chat_id, .. } => {
                Ok(look_up::message(&self.api, origin, chat_id, sent_at_ms).await?)
            }
            Call::Transfer { chat_id, target } => {
                Ok(look_up::transfer(&self.api, origin, chat_id, target, sent_at_ms).await?)
            }
            call => {
                let message = format!("nothing tells whether {} was done", call.capability());
                Err(Error::new(Code::Unsupported, message).into())
            }
        }
    }
}

impl LiveChat for Client {
    fn call<'a>(&'a self, origin: &'a Origin, call: Call) -> BoxFuture<'a, Result<String, Failure>> {
        Box::pin(self.make(origin, call))
    }

    fn validate(&self, origin: &Origin, call: &Call) -> Result<(), Error> {
        request::of(origin, call, self.timezone.as_ref()).map(|_| ())
    }

    fn look_up<'a>(
        &'a self,
        origin: &'a Origin,
        call: &'a Call,
        sent_at_ms: i64,
    ) -> BoxFuture<'a, Result<Option<String>, Failure>> {
        Box::pin(self.find(origin, call, sent_at_ms))
    }
}
