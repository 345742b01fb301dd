//! `settings`: see `wit/settings.wit`. Needs no grant.

use crate::runtime::bindings::contract::settings;
use crate::runtime::guest::Guest;

impl settings::Host for Guest {
    async fn get(&mut self) -> wasmtime::Result<String> {
        self.count_call()?;
        Ok(self.terms.settings.clone())
    }
}
