//! `livechat`: see `wit/livechat.wit`.

use crate::action::livechat::{Call, Direct};
use crate::runtime::bindings::contract::livechat::{self, Error};
use crate::runtime::guest::Guest;

impl livechat::Host for Guest {
    async fn call(
        &mut self,
        api: String,
        action: String,
        body: String,
        effect: Option<String>,
        once: Option<String>,
    ) -> wasmtime::Result<Result<String, Error>> {
        match Direct::new(&api, &action, &body, effect.as_deref()) {
            Ok(call) => self.livechat(Call::Direct(call), once).await,
            Err(invalid) => {
                self.count_call()?;
                Ok(Err(invalid.into()))
            }
        }
    }
}
