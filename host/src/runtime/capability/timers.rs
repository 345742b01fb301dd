//! `timers`: see `wit/timers.wit`. Needs no grant: they are the plugin's own.

use crate::action::memory::Answer;
use crate::action::timers::{Call, Change};
use crate::action::{Code, Error as ActionError};
use crate::journal::Own;
use crate::runtime::bindings::contract::timers::{self, Error};
use crate::runtime::guest::Guest;

type Result<T> = wasmtime::Result<std::result::Result<T, Error>>;

impl Guest {
    async fn timer<T>(
        &mut self,
        key: String,
        change: Change,
        unpack: impl FnOnce(Answer) -> Option<T>,
    ) -> Result<T> {
        self.count_call()?;
        let call = Call { chat_id: self.chat_id.clone(), key, change };
        let answer = self.own(Own::Timer(call)).await?.into_memory();
        let mismatch = || ActionError::new(Code::Other, "the store gave an answer of another kind");
        Ok(answer.and_then(|answer| unpack(answer).ok_or_else(mismatch)).map_err(Error::from))
    }
}

impl timers::Host for Guest {
    async fn set(&mut self, key: String, delay_ms: u64, payload: String) -> Result<()> {
        let change = Change::Set { delay_ms, payload, thread_id: self.thread_id.clone() };
        self.timer(key, change, |answer| matches!(answer, Answer::Done).then_some(())).await
    }

    async fn cancel(&mut self, key: String) -> Result<bool> {
        self.timer(key, Change::Cancel, |answer| match answer {
            Answer::Whether(whether) => Some(whether),
            _ => None,
        })
        .await
    }
}
