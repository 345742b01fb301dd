//! What changes in the account, whoever causes it: each change tells what webhooks will tell.

use std::time::Instant;

use serde_json::{Map, Value, json};

use super::account::Account;
use super::chat::{Chat, Member, Thread};
use super::refusal::Refusal;

/// Where a transferred chat goes.
pub(super) enum Target {
    Groups(Vec<i64>),
    Agents(Vec<String>),
}

impl Account {
    /// Opens a thread: in the customer's chat if there is one, else in a new chat. Answers the chat's id.
    pub(super) fn open(
        &mut self,
        customer_id: &str,
        group_id: i64,
        properties: Map<String, Value>,
    ) -> String {
        let agent = self.available(&[group_id]).into_iter().next();
        let chat_id = match self.chat_of.get(customer_id) {
            Some(id) => id.clone(),
            None => self.new_id(),
        };
        self.chat_of.insert(customer_id.to_owned(), chat_id.clone());
        self.active.insert(chat_id.clone());
        let thread = self.new_thread(group_id, agent.is_none());
        let chat = self.chats.entry(chat_id.clone()).or_insert_with(|| Chat::empty(&chat_id));
        chat.properties.extend(properties);
        chat.group_ids = vec![group_id];
        chat.members.clear();
        chat.threads.push(thread);
        chat.join(customer_id, false, "all");
        if let Some(agent) = agent {
            chat.join(&agent, true, "all");
        }
        chat_id
    }

    fn new_thread(&mut self, group_id: i64, is_queued: bool) -> Thread {
        let created_at = self.now();
        Thread {
            id: self.new_id(),
            is_active: true,
            queue: is_queued.then(|| self.queue(&[group_id], &created_at)),
            waited: Vec::new(),
            created_at,
            user_ids: Vec::new(),
            events: Vec::new(),
            unseen: Vec::new(),
            properties: Map::new(),
            tags: Vec::new(),
            group_ids: vec![group_id],
        }
    }

    fn queue(&self, group_ids: &[i64], queued_at: &str) -> Value {
        let waits = |chat: &&Chat| {
            let same_group = chat.group_ids.iter().any(|group| group_ids.contains(group));
            chat.newest().queue.is_some() && same_group
        };
        let position = self.active_chats().filter(waits).count() + 1;
        json!({"position": position, "wait_time": position * 60, "queued_at": queued_at})
    }

    /// Adds an event to the newest thread and tells it. `event` lacks its id and time.
    pub(super) fn add_event(&mut self, chat_id: &str, event: Value) -> Result<String, Refusal> {
        let (id, payload) = self.store_event(chat_id, event)?;
        self.happened("incoming_event", Some(chat_id), payload);
        Ok(id)
    }

    /// Adds an event to the newest thread; answers its id and the payload that would tell it.
    pub(super) fn store_event(
        &mut self,
        chat_id: &str,
        mut event: Value,
    ) -> Result<(String, Value), Refusal> {
        let now = self.now();
        let unseen_until = self.unseen_for.map(|unseen| Instant::now() + unseen);
        let thread = self.chat_mut(chat_id)?.newest_mut();
        let id = format!("{}_{}", thread.id, thread.events.len() + 1);
        event["id"] = json!(id);
        event["created_at"] = json!(now);
        thread.events.push(event.clone());
        thread.unseen.extend(unseen_until.map(|until| (id.clone(), until)));
        let payload = json!({"chat_id": chat_id, "thread_id": thread.id, "event": event});
        Ok((id, payload))
    }

    /// Adds the platform's own message about something.
    pub(super) fn add_system_message(
        &mut self,
        chat_id: &str,
        kind: &str,
        text: String,
        text_vars: Value,
    ) -> Result<(), Refusal> {
        let event = json!({
            "type": "system_message", "system_message_type": kind, "text": text, "text_vars": text_vars,
            "visibility": "all",
        });
        self.add_event(chat_id, event).map(drop)
    }

    /// Ends the active thread. `user_id` is absent where the router does it.
    pub(super) fn deactivate(&mut self, chat_id: &str, user_id: Option<&str>) -> Result<(), Refusal> {
        let mut payload = json!({"chat_id": chat_id, "thread_id": self.active_chat(chat_id)?.newest().id});
        if let Some(user_id) = user_id {
            payload["user_id"] = json!(user_id);
        }
        self.happened("chat_deactivated", Some(chat_id), payload);
        self.active.remove(chat_id);
        let now = self.now();
        let chat = self.chat_mut(chat_id)?;
        let thread = chat.newest_mut();
        thread.is_active = false;
        thread.leave_queue(&now, true);
        chat.members.iter_mut().for_each(|member| member.is_present = false);
        Ok(())
    }

    /// Moves an active chat; the agents whom the customer saw leave it.
    pub(super) fn transfer(
        &mut self,
        chat_id: &str,
        target: Target,
        ignore_availability: bool,
        requester_id: Option<&str>,
    ) -> Result<(), Refusal> {
        let (group_ids, agent_ids) = match target {
            Target::Groups(ids) => {
                let free = self.available(&ids).into_iter().take(1).collect();
                (ids, free)
            }
            Target::Agents(ids) => (self.active_chat(chat_id)?.group_ids.clone(), self.free_of(&ids)),
        };
        if agent_ids.is_empty() && !ignore_availability {
            return Err(Refusal::new(422, "agent_offline", "no agent of the target accepts chats"));
        }
        let leaving = self.active_chat(chat_id)?.public_agents();
        for agent_id in leaving.iter().filter(|id| !agent_ids.contains(id)) {
            self.remove_member(chat_id, agent_id, "manual", requester_id)?;
        }
        let now = self.now();
        let queue = agent_ids.is_empty().then(|| self.queue(&group_ids, &now));
        let chat = self.chat_mut(chat_id)?;
        chat.group_ids = group_ids.clone();
        let thread = chat.newest_mut();
        thread.group_ids = group_ids.clone();
        thread.leave_queue(&now, false);
        thread.queue = queue.clone();
        self.tell_transfer(chat_id, &group_ids, &agent_ids, queue, requester_id)?;
        for agent_id in &agent_ids {
            self.add_member(chat_id, agent_id, "all", "manual", requester_id)?;
        }
        Ok(())
    }

    fn free_of(&self, agent_ids: &[String]) -> Vec<String> {
        let accepts = |id: &&String| {
            let agent = self.agents.get(*id);
            agent.is_some_and(|agent| agent.status == super::RoutingStatus::AcceptingChats)
        };
        agent_ids.iter().filter(accepts).take(1).cloned().collect()
    }

    fn tell_transfer(
        &mut self,
        chat_id: &str,
        group_ids: &[i64],
        agent_ids: &[String],
        queue: Option<Value>,
        requester_id: Option<&str>,
    ) -> Result<(), Refusal> {
        let mut transferred_to = json!({"group_ids": group_ids});
        if !agent_ids.is_empty() {
            transferred_to["agent_ids"] = json!(agent_ids);
        }
        let mut payload = self.membership(chat_id, "manual", requester_id)?;
        payload["transferred_to"] = transferred_to;
        if let Some(queue) = queue {
            payload["queue"] = queue;
        }
        self.happened("chat_transferred", Some(chat_id), payload);
        let text = format!("Chat transferred to group {group_ids:?}");
        self.add_system_message(chat_id, "chat_transferred", text, json!({"targets": group_ids}))
    }

    /// Adds an agent, or changes the visibility of one who is there.
    pub(super) fn add_member(
        &mut self,
        chat_id: &str,
        user_id: &str,
        visibility: &'static str,
        reason: &str,
        requester_id: Option<&str>,
    ) -> Result<(), Refusal> {
        let now = self.now();
        let chat = self.chat_mut(chat_id)?;
        if chat.member(user_id).is_some_and(|member| member.visibility == visibility) {
            return Ok(());
        }
        chat.join(user_id, true, visibility);
        if visibility == "all" {
            chat.newest_mut().leave_queue(&now, false);
        }
        let chat = self.chat(chat_id)?;
        let user = chat.member(user_id).map(|member| member.json(self));
        let mut payload = self.membership(chat_id, reason, requester_id)?;
        payload["user"] = json!(user);
        payload["user_type"] = json!("agent");
        self.happened("user_added_to_chat", Some(chat_id), payload);
        Ok(())
    }

    pub(super) fn remove_member(
        &mut self,
        chat_id: &str,
        user_id: &str,
        reason: &str,
        requester_id: Option<&str>,
    ) -> Result<(), Refusal> {
        let mut payload = self.membership(chat_id, reason, requester_id)?;
        payload["user_id"] = json!(user_id);
        payload["user_type"] = json!("agent");
        self.chat_mut(chat_id)?.members.retain(|member| member.id != user_id);
        self.happened("user_removed_from_chat", Some(chat_id), payload);
        Ok(())
    }

    fn membership(&self, chat_id: &str, reason: &str, requester_id: Option<&str>) -> Result<Value, Refusal> {
        let chat = self.chat(chat_id)?;
        let mut payload = json!({"chat_id": chat_id, "reason": reason});
        if chat.is_active() {
            payload["thread_id"] = json!(chat.newest().id);
        }
        if let Some(requester_id) = requester_id {
            payload["requester_id"] = json!(requester_id);
        }
        Ok(payload)
    }

    /// Tags a thread, or takes the tag off. Tagging twice changes nothing and tells nothing.
    pub(super) fn set_tag(
        &mut self,
        chat_id: &str,
        thread_id: &str,
        tag: &str,
        is_on: bool,
    ) -> Result<(), Refusal> {
        let thread = self.chat_mut(chat_id)?.thread_mut(thread_id);
        let tags = &mut thread.ok_or_else(|| Refusal::not_found("Thread not found"))?.tags;
        if tags.iter().any(|known| known == tag) == is_on {
            return Ok(());
        }
        if is_on {
            tags.push(tag.to_owned())
        } else {
            tags.retain(|known| known != tag)
        }
        let action = if is_on { "thread_tagged" } else { "thread_untagged" };
        let payload = json!({"chat_id": chat_id, "thread_id": thread_id, "tag": tag});
        self.happened(action, Some(chat_id), payload);
        Ok(())
    }

    pub(super) fn set_chat_properties(
        &mut self,
        chat_id: &str,
        properties: &Map<String, Value>,
    ) -> Result<(), Refusal> {
        merge_properties(&mut self.chat_mut(chat_id)?.properties, properties);
        let payload = json!({"chat_id": chat_id, "properties": properties});
        self.happened("chat_properties_updated", Some(chat_id), payload);
        Ok(())
    }

    /// Sets properties of the newest thread.
    pub(super) fn set_thread_properties(&mut self, chat_id: &str, properties: Value) -> Result<(), Refusal> {
        let thread = self.chat_mut(chat_id)?.newest_mut();
        if let Some(properties) = properties.as_object() {
            merge_properties(&mut thread.properties, properties);
        }
        let payload = json!({"chat_id": chat_id, "thread_id": thread.id, "properties": properties});
        self.happened("thread_properties_updated", Some(chat_id), payload);
        Ok(())
    }
}

/// Writes the named values and leaves the others of the namespace.
fn merge_properties(stored: &mut Map<String, Value>, changed: &Map<String, Value>) {
    for (namespace, values) in changed {
        let stored = stored.entry(namespace.clone()).or_insert_with(|| json!({}));
        if let (Some(stored), Some(values)) = (stored.as_object_mut(), values.as_object()) {
            stored.extend(values.clone());
        }
    }
}

impl Chat {
    fn empty(id: &str) -> Chat {
        let id = id.to_owned();
        Chat { id, members: Vec::new(), properties: Map::new(), group_ids: Vec::new(), threads: Vec::new() }
    }

    fn join(&mut self, user_id: &str, is_agent: bool, visibility: &'static str) {
        self.members.retain(|member| member.id != user_id);
        let id = user_id.to_owned();
        self.members.push(Member { id, is_agent, visibility, is_present: true });
        let user_ids = &mut self.newest_mut().user_ids;
        if !user_ids.iter().any(|known| known == user_id) {
            user_ids.push(user_id.to_owned());
        }
    }
}
