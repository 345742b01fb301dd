//! `files`: see `wit/files.wit`. Needs no grant: what is published stays with the host.

use crate::action::files::Call;
use crate::action::{Code, Error as ActionError};
use crate::journal::Own;
use crate::limits;
use crate::runtime::bindings::contract::files::{self, Error};
use crate::runtime::guest::Guest;

impl files::Host for Guest {
    async fn publish(
        &mut self,
        name: String,
        media_type: String,
        content: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        self.count_call()?;
        if let Err(error) = self.count_published(content.len()) {
            return Ok(Err(error.into()));
        }
        let call = match Call::new(name, &media_type, content) {
            Ok(call) => call,
            Err(error) => return Ok(Err(error.into())),
        };
        let answer = self.own(Own::File(call)).await?.into_memory();
        Ok(answer.map(|_| ()).map_err(Error::from))
    }
}

impl Guest {
    /// Counts what the attempt publishes: all of it is written to disk.
    fn count_published(&mut self, bytes: usize) -> Result<(), ActionError> {
        let max = (self.terms.limits.file_bytes as u64).saturating_mul(limits::FILES_PER_ATTEMPT);
        self.published_bytes = self.published_bytes.saturating_add(bytes as u64);
        if self.published_bytes <= max {
            return Ok(());
        }
        let times = limits::FILES_PER_ATTEMPT;
        let text = format!("an attempt publishes at most {max} bytes, {times} times limits.file_bytes");
        Err(ActionError::new(Code::Limit, text))
    }
}
