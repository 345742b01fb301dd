//! `chats`: see `wit/chats.wit`.

use crate::action::livechat::{Call, TransferTarget};
use crate::runtime::bindings::contract::chats::{self, Error};
use crate::runtime::guest::Guest;

type Answer<T> = wasmtime::Result<Result<T, Error>>;

impl chats::Host for Guest {
    async fn get_chat(&mut self, chat_id: String, thread_id: Option<String>) -> Answer<String> {
        self.livechat(Call::GetChat { chat_id, thread_id }, None).await
    }

    async fn list_chats(&mut self, query: String, page_id: Option<String>) -> Answer<String> {
        self.livechat(Call::ListChats { query, page_id }, None).await
    }

    async fn list_archives(&mut self, query: String, page_id: Option<String>) -> Answer<String> {
        self.livechat(Call::ListArchives { query, page_id }, None).await
    }

    async fn send_message(&mut self, chat_id: String, text: String, once: Option<String>) -> Answer<String> {
        self.livechat(Call::SendMessage { chat_id, text }, once).await
    }

    async fn send_note(&mut self, chat_id: String, text: String, once: Option<String>) -> Answer<String> {
        self.livechat(Call::SendNote { chat_id, text }, once).await
    }

    async fn tag(
        &mut self,
        chat_id: String,
        thread_id: String,
        tag: String,
        once: Option<String>,
    ) -> Answer<()> {
        self.livechat_done(Call::Tag { chat_id, thread_id, tag }, once).await
    }

    async fn untag(
        &mut self,
        chat_id: String,
        thread_id: String,
        tag: String,
        once: Option<String>,
    ) -> Answer<()> {
        self.livechat_done(Call::Untag { chat_id, thread_id, tag }, once).await
    }

    async fn transfer(
        &mut self,
        chat_id: String,
        target: chats::TransferTarget,
        once: Option<String>,
    ) -> Answer<()> {
        let target = TransferTarget {
            group_ids: target.group_ids,
            agent_ids: target.agent_ids,
            ignore_availability: target.ignore_availability,
        };
        self.livechat_done(Call::Transfer { chat_id, target }, once).await
    }

    async fn assign(
        &mut self,
        chat_id: String,
        agent_id: String,
        visibility: String,
        once: Option<String>,
    ) -> Answer<()> {
        self.livechat_done(Call::Assign { chat_id, agent_id, visibility }, once).await
    }

    async fn remove_user(&mut self, chat_id: String, agent_id: String, once: Option<String>) -> Answer<()> {
        self.livechat_done(Call::RemoveUser { chat_id, agent_id }, once).await
    }

    async fn deactivate(&mut self, chat_id: String, once: Option<String>) -> Answer<()> {
        self.livechat_done(Call::Deactivate { chat_id }, once).await
    }

    async fn set_properties(
        &mut self,
        chat_id: String,
        properties: String,
        once: Option<String>,
    ) -> Answer<()> {
        self.livechat_done(Call::SetProperties { chat_id, properties }, once).await
    }
}
