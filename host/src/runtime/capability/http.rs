//! `http`: see `wit/http.wit`.

use std::time::Duration;

use jiff::Timestamp;

use crate::action;
use crate::action::http::Request;
use crate::action::retry_after::retry_after;
use crate::grant;
use crate::runtime::bindings::contract::http::{self, Error, Response};
use crate::runtime::guest::Guest;

impl http::Host for Guest {
    async fn send(&mut self, request: http::Request) -> wasmtime::Result<Result<Response, Error>> {
        self.count_call()?;
        if let Err(denied) = self.permit(&grant::http(&request.connection)) {
            return Ok(Err(denied.into()));
        }
        if !matches!(request.method.as_str(), "GET" | "HEAD") && request.effect.as_deref() != Some("read") {
            self.count_action()?;
        }
        let origin = self.origin(request.once);
        let request = Request {
            connection: request.connection,
            method: request.method,
            path: request.path,
            query: request.query,
            headers: request.headers,
            body: request.body,
            timeout_ms: request.timeout_ms,
            effect: request.effect,
        };
        match self.services.connections.send(&origin, request).await {
            Ok(response) => {
                if let Some(wait) = asked_wait(&response) {
                    self.asked_to_wait(wait);
                }
                let action::http::Response { status, headers, body } = response;
                Ok(Ok(Response { status, headers, body }))
            }
            Err(failure) => Ok(Err(self.failed(failure.into_error()))),
        }
    }
}

/// What an answer says of when to come back, if it is one that says so.
fn asked_wait(response: &action::http::Response) -> Option<Duration> {
    if !matches!(response.status, 429 | 503) {
        return None;
    }
    let (_, value) = response.headers.iter().find(|(name, _)| name == "retry-after")?;
    retry_after(value, Timestamp::now())
}
