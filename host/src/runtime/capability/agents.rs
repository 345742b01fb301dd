//! `agents`: see `wit/agents.wit`.

use crate::action::livechat::Call;
use crate::runtime::bindings::contract::agents::{self, Error};
use crate::runtime::guest::Guest;

type Answer<T> = wasmtime::Result<Result<T, Error>>;

impl agents::Host for Guest {
    async fn list_routing_statuses(&mut self, group_ids: Vec<i64>) -> Answer<String> {
        self.livechat(Call::ListRoutingStatuses { group_ids }, None).await
    }

    async fn list_agents(&mut self, group_ids: Vec<i64>, fields: Vec<String>) -> Answer<String> {
        self.livechat(Call::ListAgents { group_ids, fields }, None).await
    }

    async fn get_agent(&mut self, agent_id: String, fields: Vec<String>) -> Answer<String> {
        self.livechat(Call::GetAgent { agent_id, fields }, None).await
    }

    async fn list_groups(&mut self, fields: Vec<String>) -> Answer<String> {
        self.livechat(Call::ListGroups { fields }, None).await
    }

    async fn list_tags(&mut self, group_ids: Vec<i64>) -> Answer<String> {
        self.livechat(Call::ListTags { group_ids }, None).await
    }

    async fn set_routing_status(
        &mut self,
        agent_id: String,
        status: String,
        once: Option<String>,
    ) -> Answer<()> {
        self.livechat_done(Call::SetRoutingStatus { agent_id, status }, once).await
    }
}
