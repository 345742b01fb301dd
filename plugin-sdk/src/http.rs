//! Outside HTTP, by named connections: the operator's config has their address and credentials, the plugin's
//! manifest their names. Grant: `http:NAME`.
//!
//! ```no_run
//! # use chatplug_sdk::prelude::*;
//! # fn handle() -> Result<(), Failure> {
//! http::post_json("slack", "/api/chat.postMessage", &json!({ "channel": "C1", "text": "Hello" }))
//!     .once("greeting")
//!     .send()?
//!     .success()?;
//! # Ok(()) }
//! ```
//!
//! ```no_run
//! # use chatplug_sdk::prelude::*;
//! # fn handle(email: &str) -> Result<(), Failure> {
//! let path = format!("/crm/v3/objects/contacts/{}", http::segment(email));
//! let contact = match http::get("hubspot", path).query("idProperty", "email").send()?.success() {
//!     Err(error) if error.code == ErrorCode::NotFound => None,
//!     response => Some(response?.json::<Value>()?),
//! };
//! # Ok(()) }
//! ```

mod response;

use std::fmt::Write;
use std::time::Duration;

use serde_json::Value;

pub use self::response::Response;
use crate::Error;
use crate::exported::bindings::chatplug::plugin::http as contract;

/// A GET. `path` is percent-encoded and begins with `/`; see [`segment`].
pub fn get(connection: &str, path: impl Into<String>) -> Request {
    request("GET", connection, path)
}

/// A POST with a JSON body. `path` is empty for a connection whose whole URL is the secret.
pub fn post_json(connection: &str, path: impl Into<String>, body: &Value) -> Request {
    request("POST", connection, path).json(body)
}

/// A PUT with a JSON body.
pub fn put_json(connection: &str, path: impl Into<String>, body: &Value) -> Request {
    request("PUT", connection, path).json(body)
}

/// A PATCH with a JSON body.
pub fn patch_json(connection: &str, path: impl Into<String>, body: &Value) -> Request {
    request("PATCH", connection, path).json(body)
}

/// A DELETE.
pub fn delete(connection: &str, path: impl Into<String>) -> Request {
    request("DELETE", connection, path)
}

/// A request with any method.
pub fn request(method: &str, connection: &str, path: impl Into<String>) -> Request {
    Request(contract::Request {
        connection: connection.to_owned(),
        method: method.to_owned(),
        path: path.into(),
        query: Vec::new(),
        headers: Vec::new(),
        body: None,
        timeout_ms: None,
        effect: None,
        once: None,
    })
}

/// Percent-encodes a text so that it is one segment of a path, whatever it holds.
pub fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => encoded.push(char::from(byte)),
            // A dot as well: `..` must not climb.
            _ => write!(encoded, "%{byte:02X}").expect("writing into a String can't fail"),
        }
    }
    encoded
}

/// What sending a request twice does. By default GET and HEAD are reads, PUT and DELETE repeatable, POST and
/// PATCH what the operator says of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// Changes nothing.
    Read,
    /// Has the same result as sending it once.
    Repeatable,
    /// The service knows an `Idempotency-Key`, which the host adds.
    Keyed,
    /// Not known: if the answer is lost, somebody has to look.
    Unknown,
}

/// A request that is ready to be sent. Nothing happens before [`Request::send`].
#[derive(Clone, Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct Request(contract::Request);

impl Request {
    /// Adds a query parameter, not encoded.
    pub fn query(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.query.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a header. The host refuses those that carry credentials or frame the message.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Sets a JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json; charset=utf-8", body.to_string())
    }

    /// Sets a body with its media type.
    pub fn body(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.0.body = Some(body.into());
        self.header("content-type", media_type)
    }

    /// How long to wait for the whole answer; never longer than the host's limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.0.timeout_ms = Some(u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX));
        self
    }

    /// What sending it twice does.
    pub fn effect(mut self, effect: Effect) -> Self {
        let word = match effect {
            Effect::Read => "read",
            Effect::Repeatable => "repeatable",
            Effect::Keyed => "keyed",
            Effect::Unknown => "unknown",
        };
        self.0.effect = Some(word.to_owned());
        self
    }

    /// Names the request within the event; see [`Action::once`](crate::Action::once).
    pub fn once(mut self, name: impl Into<String>) -> Self {
        self.0.once = Some(name.into());
        self
    }

    /// Sends it and waits for the answer. An answer with an error status is an answer; see
    /// [`Response::success`].
    ///
    /// # Errors
    /// The host refused the request, or there was no answer; on a connection of the kind `slack` also whatever
    /// Slack refuses, which it does with status 200 too.
    pub fn send(self) -> Result<Response, Error> {
        let response = contract::send(&self.0)?;
        Ok(Response { status: response.status, headers: response.headers, body: response.body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_never_leaves_its_place() {
        assert_eq!(segment("a.b+c@example.com"), "a%2Eb%2Bc%40example%2Ecom");
        assert_eq!(segment("../x?y#z é"), "%2E%2E%2Fx%3Fy%23z%20%C3%A9");
    }
}
