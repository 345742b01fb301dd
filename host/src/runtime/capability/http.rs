//! `http`: see `wit/http.wit`.

use crate::action::http::Request;
use crate::action::{self, Effect, Outgoing};
use crate::runtime::bindings::contract::http::{self, Error, Response};
use crate::runtime::guest::Guest;

impl http::Host for Guest {
    async fn send(&mut self, request: http::Request) -> wasmtime::Result<Result<Response, Error>> {
        self.count_call()?;
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
        let answer = if effect == Effect::Read {
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
