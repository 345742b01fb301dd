//! `memory`: see `wit/memory.wit`. Needs no grant: it is the plugin's own.

use crate::action::memory::{Answer, Call};
use crate::action::{Code, Error as ActionError};
use crate::journal::Own;
use crate::runtime::bindings::contract::memory::{self, Error};
use crate::runtime::guest::Guest;

type Result<T> = wasmtime::Result<std::result::Result<T, Error>>;

impl Guest {
    async fn remember<T>(&mut self, call: Call, unpack: impl FnOnce(Answer) -> Option<T>) -> Result<T> {
        self.count_call()?;
        let answer =
            if call.is_read() { self.look(call).await? } else { self.own(Own::Memory(call)).await? };
        let answer = answer.into_memory();
        let mismatch = || ActionError::new(Code::Other, "the store gave an answer of another kind");
        Ok(answer.and_then(|answer| unpack(answer).ok_or_else(mismatch)).map_err(Error::from))
    }
}

impl memory::Host for Guest {
    async fn get(&mut self, key: String) -> Result<Option<Vec<u8>>> {
        self.remember(Call::Get { key }, |answer| match answer {
            Answer::Value(value) => Some(value),
            _ => None,
        })
        .await
    }

    async fn list_keys(&mut self, prefix: String, after: Option<String>, limit: u32) -> Result<Vec<String>> {
        self.remember(Call::ListKeys { prefix, after, limit }, |answer| match answer {
            Answer::Keys(keys) => Some(keys),
            _ => None,
        })
        .await
    }

    async fn set(&mut self, key: String, value: Vec<u8>, ttl_ms: Option<u64>) -> Result<()> {
        self.remember(Call::Set { key, value, ttl_ms }, done).await
    }

    async fn delete(&mut self, key: String) -> Result<()> {
        self.remember(Call::Delete { key }, done).await
    }

    async fn increment(&mut self, key: String, by: i64, ttl_ms: Option<u64>) -> Result<i64> {
        self.remember(Call::Increment { key, by, ttl_ms }, |answer| match answer {
            Answer::Number(number) => Some(number),
            _ => None,
        })
        .await
    }

    async fn compare_and_swap(
        &mut self,
        key: String,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
        ttl_ms: Option<u64>,
    ) -> Result<bool> {
        self.remember(Call::CompareAndSwap { key, expected, value, ttl_ms }, whether).await
    }

    async fn claim(&mut self, key: String, ttl_ms: u64) -> Result<bool> {
        self.remember(Call::Claim { key, ttl_ms }, whether).await
    }
}

fn done(answer: Answer) -> Option<()> {
    matches!(answer, Answer::Done).then_some(())
}

fn whether(answer: Answer) -> Option<bool> {
    match answer {
        Answer::Whether(whether) => Some(whether),
        _ => None,
    }
}
