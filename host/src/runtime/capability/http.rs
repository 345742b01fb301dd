//! `http`: see `wit/http.wit`.

use crate::action::http::Request;
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
        let answer = self.services.connections.send(&origin, request).await;
        Ok(answer
            .map(|response| Response {
                status: response.status,
                headers: response.headers,
                body: response.body,
            })
            .map_err(Error::from))
    }
}
