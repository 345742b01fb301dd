//! The contract's imports, one file per interface. Each only translates: counting and grants are
//! [`Guest`]'s, the work is done by the services.

mod agents;
mod chats;
mod customers;
mod files;
mod http;
mod livechat;
mod log;
mod memory;
mod reports;
mod settings;
mod timers;

use super::bindings::contract::types;
use super::guest::Guest;
use crate::action::livechat::Call;
use crate::action::{Effect, Error, Outgoing};

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
        if let Err(denied) = self.permit(&call.asked()) {
            return Ok(Err(denied.into()));
        }
        let effect = call.effect();
        let outgoing = Outgoing::Livechat(call);
        let answer = if effect == Effect::Read {
            self.read(outgoing).await?
        } else {
            self.count_action()?;
            self.act(outgoing, effect, once).await?
        };
        Ok(answer.into_text().map_err(Into::into))
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
