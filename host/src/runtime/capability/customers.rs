//! `customers`: see `wit/customers.wit`.

use crate::action::livechat::Call;
use crate::runtime::bindings::contract::customers::{self, Error};
use crate::runtime::guest::Guest;

type Answer<T> = wasmtime::Result<Result<T, Error>>;

impl customers::Host for Guest {
    async fn get(&mut self, customer_id: String) -> Answer<String> {
        self.livechat(Call::GetCustomer { customer_id }, None).await
    }

    async fn update(&mut self, customer_id: String, fields: String, once: Option<String>) -> Answer<()> {
        self.livechat_done(Call::UpdateCustomer { customer_id, fields }, once).await
    }

    async fn ban(&mut self, customer_id: String, days: u32, once: Option<String>) -> Answer<()> {
        self.livechat_done(Call::BanCustomer { customer_id, days }, once).await
    }
}
