//! `http`: see `wit/http.wit`.

use crate::action::http::Request;
use crate::action::{self, Code, Effect, Outgoing};
use crate::runtime::bindings::contract::http::{self, Error, Response};
use crate::runtime::guest::Guest;

impl Guest {
    fn check_body(&self, request: &http::Request) -> Result<(), action::Error> {
        let max = self.terms.limits.http_body_bytes;
        match &request.body {
            Some(body) if body.len() > max => {
                let message = format!(
                    "the body for `{}` has {} bytes, {max} are allowed (limits.http_body_bytes)",
                    request.connection.escape_debug(),
                    body.len()
                );
                Err(action::Error::new(Code::Limit, message))
            }
            _ => Ok(()),
        }
    }
}

impl http::Host for Guest {
    async fn send(&mut self, request: http::Request) -> wasmtime::Result<Result<Response, Error>> {
        self.count_call()?;
        if let Err(limit) = self.check_body(&request) {
            return Ok(Err(limit.into()));
        }
        let once = request.once;
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
        if let Err(denied) = self.permit(&request.asked()) {
            return Ok(Err(denied.into()));
        }
        let effect = match self.services.connections.effect(&request) {
            Ok(effect) => effect,
            Err(invalid) => return Ok(Err(invalid.into())),
        };
        // What reads by the plugin's own word may change something all the same: it is counted with what does.
        let answer = if effect == Effect::Read {
            if !request.is_safe() {
                self.count_action()?;
            }
            self.read(Outgoing::Http(request)).await?
        } else {
            self.count_action()?;
            self.act(Outgoing::Http(request), effect, once).await?
        };
        let response = answer.into_response();
        Ok(response.map_err(Error::from).map(|action::http::Response { status, headers, body }| Response {
            status,
            headers,
            body,
        }))
    }
}
