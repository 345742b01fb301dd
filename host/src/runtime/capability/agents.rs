//! `agents`: see `wit/agents.wit`.

use crate::action::livechat::Call;
use crate::runtime::bindings::contract::agents::{self, Error};
use crate::runtime::guest::Guest;

impl agents::Host for Guest {
    async fn list_routing_statuses(
        &mut self,
        group_ids: Vec<i64>,
    ) -> wasmtime::Result<Result<String, Error>> {
        self.livechat(Call::ListRoutingStatuses { group_ids }, None).await
    }
}
