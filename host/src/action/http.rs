//! Requests to connections, as the contract's interface `http` names them.

use serde::{Deserialize, Serialize};

use super::{BoxFuture, Effect, Error, Failure, Origin};
use crate::grant::{self, Asked, Facts};

impl Effect {
    /// The effect behind a word of the contract or the config.
    pub fn parse(word: &str) -> Option<Effect> {
        match word {
            "read" => Some(Effect::Read),
            "repeatable" => Some(Effect::Repeatable),
            "keyed" => Some(Effect::Keyed),
            "unknown" => Some(Effect::Unknown),
            _ => None,
        }
    }
}

/// A request to a named connection; see `wit/http.wit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The connection's name.
    pub connection: String,
    /// `GET`, `POST` …
    pub method: String,
    /// Below the base URL, percent-encoded, begins with `/`; empty for a secret-URL connection.
    pub path: String,
    /// Not encoded.
    pub query: Vec<(String, String)>,
    /// As the plugin gave them, not checked yet.
    pub headers: Vec<(String, String)>,
    /// The body.
    #[serde(with = "super::bytes::optional")]
    pub body: Option<Vec<u8>>,
    /// How long to wait for the whole answer, milliseconds.
    pub timeout_ms: Option<u32>,
    /// What the plugin says of sending it twice.
    pub effect: Option<String>,
}

impl Request {
    /// The request as grants see it.
    pub fn asked(&self) -> Asked<'_> {
        let facts = Facts::Request { method: &self.method, path: &self.path };
        Asked { capability: grant::http(&self.connection).into(), facts }
    }

    /// Whether its method changes nothing at the service (RFC 9110, section 9.2.1).
    pub fn is_safe(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD")
    }
}

/// The header that the host adds to an answer whose body is longer than the plugin gets: how many bytes of it are there.
pub const CUT_AT: &str = "x-chatplug-cut-at";

/// What a connection answered, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// At most as long as the limit on bodies.
    #[serde(with = "super::bytes::plain")]
    pub body: Vec<u8>,
}

impl Response {
    /// At how many bytes the host cut the body, if it did.
    pub fn cut_at(&self) -> Option<&str> {
        self.headers.iter().find(|(name, _)| name == CUT_AT).map(|(_, bytes)| bytes.as_str())
    }
}

/// The connections as a run sees them.
pub trait Connections: Send + Sync {
    /// What sending a request twice does: by the plugin's word, else by the method and the operator's word.
    ///
    /// # Errors
    /// `not-found` for an unknown connection, `invalid` for an unknown word.
    fn effect(&self, request: &Request) -> Result<Effect, Error>;

    /// Sends one request. Any answer is `Ok`, whatever its status; failures are requests that the host
    /// refuses (`invalid`, `not-found` for an unknown connection, `limit`) or that got no answer (`unavailable`),
    /// and everything but a success of Slack, whose failures would look like successes.
    fn send<'a>(&'a self, origin: &'a Origin, request: Request) -> BoxFuture<'a, Result<Response, Failure>>;

    /// Whether a request to this connection would be let out now. Asked before anything is written down of an action;
    /// that it was let out then is not promised.
    ///
    /// # Errors
    /// [`Failure::Closed`].
    fn ready(&self, connection: &str) -> Result<(), Failure> {
        let _ = connection;
        Ok(())
    }
}
