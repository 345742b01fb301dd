//! The contract's imports, one file per interface. Each only translates: counting and grants are
//! [`Guest`]'s, the work is done by the services.

mod agents;
mod chats;
mod customers;
mod http;
mod log;
mod memory;
mod settings;

use std::time::Duration;

use super::bindings::contract::types;
use super::guest::Guest;
use crate::action::Error;
use crate::action::livechat::Call;

impl types::Host for Guest {}

impl From<Error> for types::Error {
    fn from(error: Error) -> types::Error {
        types::Error {
            code: error.code.as_str().to_owned(),
            message: error.message,
            retry_after_ms: error.retry_after_ms,
        }
    }
}

impl Guest {
    /// Makes a call to the LiveChat API, if the operator lets the plugin.
    async fn livechat(
        &mut self,
        call: Call,
        once: Option<String>,
    ) -> wasmtime::Result<Result<String, types::Error>> {
        self.count_call()?;
        if let Err(denied) = self.permit(call.capability()) {
            return Ok(Err(denied.into()));
        }
        if !call.is_read() {
            self.count_action()?;
        }
        let answer = self.services.livechat.call(&self.origin(once), call).await;
        Ok(answer.map_err(|failure| self.failed(failure.into_error())))
    }

    /// The error as the plugin gets it. What a service asked for holds also for a plugin that doesn't look.
    fn failed(&mut self, error: Error) -> types::Error {
        if let Some(ms) = error.retry_after_ms {
            self.asked_to_wait(Duration::from_millis(ms));
        }
        error.into()
    }

    /// The same for calls that answer nothing.
    async fn livechat_done(
        &mut self,
        call: Call,
        once: Option<String>,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        Ok(self.livechat(call, once).await?.map(|_| ()))
    }
}
