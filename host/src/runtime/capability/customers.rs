//! `customers`: see `wit/customers.wit`.

use crate::action::livechat::Call;
use crate::runtime::bindings::contract::customers::{self, Error};
use crate::runtime::guest::Guest;

impl customers::Host for Guest {
    async fn get(&mut self, customer_id: String) -> wasmtime::Result<Result<String, Error>> {
        self.livechat(Call::GetCustomer { customer_id }, None).await
    }
}
