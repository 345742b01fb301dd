//! `log`: see `wit/log.wit`. Needs no grant, and does not count as a host call: it has a limit of its own.

use crate::runtime::bindings::contract::log;
use crate::runtime::guest::Guest;
use crate::runtime::log::Level;

impl log::Host for Guest {
    async fn write(
        &mut self,
        level: log::Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
            log::Level::Error => Level::Error,
        };
        self.log.lock().expect("nothing panics while it holds the log").write(level, &message, &fields);
        Ok(())
    }
}
