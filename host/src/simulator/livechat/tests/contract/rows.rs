//! All functions of the contract that ask LiveChat, in an order in which they can be called.

use serde_json::{Value, json};

use super::Scene;
use crate::action::livechat::{Call, Direct, Report, TransferTarget};
use crate::simulator::livechat::{Opening, PAT_OWNER};

const SMITH: &str = "smith@example.com";
const OLGA: &str = "olga@example.com";

/// A call, the one action that it asks for, and what it answers.
pub(super) struct Row {
    pub(super) call: Call,
    pub(super) operation: &'static str,
    pub(super) told: Told,
}

/// What a call answers.
pub(super) enum Told {
    Nothing,
    /// The id of what was sent.
    Sent,
    /// A value at a place in JSON.
    Json(&'static str, Value),
}

pub(super) fn rows(scene: &Scene) -> Vec<Row> {
    let parts = [reads(scene), lists(scene), reports(), account(), in_chat(scene), of_chat(scene)];
    parts.into_iter().flatten().collect()
}

/// One that can be called at any time.
pub(super) fn groups() -> Row {
    read(Call::ListGroups { fields: vec![] }, "list_groups", "/2/name", json!("Sales"))
}

fn read(call: Call, operation: &'static str, place: &'static str, value: Value) -> Row {
    Row { call, operation, told: Told::Json(place, value) }
}

fn done(call: Call, operation: &'static str) -> Row {
    Row { call, operation, told: Told::Nothing }
}

fn customer(name: &str) -> String {
    Opening::by(name).customer_id
}

fn reads(scene: &Scene) -> Vec<Row> {
    let (chat_id, thread_id) = (scene.ended.clone(), Some(scene.ended_thread.clone()));
    let agent = Call::GetAgent { agent_id: SMITH.to_owned(), fields: vec![] };
    vec![
        read(Call::GetChat { chat_id, thread_id }, "get_chat", "/thread/id", json!(scene.ended_thread)),
        read(Call::GetCustomer { customer_id: customer("Dana") }, "get_customer", "/name", json!("Dana")),
        read(agent, "get_agent", "/name", json!("Agent Smith")),
    ]
}

fn lists(scene: &Scene) -> Vec<Row> {
    let query = json!({"limit": 5}).to_string();
    let chats = Call::ListChats { query: query.clone(), page_id: None };
    let archives = Call::ListArchives { query, page_id: None };
    let agents = Call::ListAgents { group_ids: vec![2], fields: vec!["groups".to_owned()] };
    let statuses = Call::ListRoutingStatuses { group_ids: vec![2] };
    vec![
        read(chats, "list_chats", "/found_chats", json!(2)),
        read(archives, "list_archives", "/chats/0/thread/id", json!(scene.ended_thread)),
        read(agents, "list_agents", "/1/id", json!("sam@example.com")),
        groups(),
        read(Call::ListTags { group_ids: vec![3] }, "list_tags", "/0/name", json!("billing-only")),
        read(statuses, "list_routing_statuses", "/0/agent_id", json!(PAT_OWNER)),
    ]
}

fn reports() -> Vec<Row> {
    let row = |report| {
        let operation = match report {
            Report::TotalChats => "total_chats",
            Report::Ratings => "ratings",
            Report::Ranking => "ranking",
            Report::FirstResponseTime => "first_response_time",
            Report::ResponseTime => "response_time",
            Report::Duration => "duration",
            Report::Tags => "tags",
            Report::Engagement => "engagement",
            Report::Groups => "groups",
            Report::Queued => "queued_visitors",
            Report::Availability => "availability",
            Report::Performance => "performance",
            Report::Visitors => "unique_visitors",
        };
        let call = Call::Report { report, query: "{}".to_owned() };
        read(call, operation, "/name", json!(format!("{operation}-report")))
    };
    Report::ALL.map(row).into()
}

fn account() -> Vec<Row> {
    let (agent_id, status) = (OLGA.to_owned(), "accepting_chats".to_owned());
    let fields = json!({"session_fields": [{"tier": "gold"}]}).to_string();
    let tag = json!({"name": "vip", "group_ids": [0]}).to_string();
    let tag = Direct::new("configuration", "create_tag", &tag, None).expect("a call");
    vec![
        done(Call::SetRoutingStatus { agent_id, status }, "set_routing_status"),
        done(Call::UpdateCustomer { customer_id: customer("Dana"), fields }, "update_customer"),
        done(Call::BanCustomer { customer_id: customer("Mia"), days: 3 }, "ban_customer"),
        read(Call::Direct(tag), "create_tag", "", json!({})),
    ]
}

fn in_chat(scene: &Scene) -> Vec<Row> {
    let Scene { chat, thread, .. } = scene;
    let label = || (chat.clone(), thread.clone(), "urgent".to_owned());
    let sent = |call| Row { call, operation: "send_event", told: Told::Sent };
    let (chat_id, thread_id, tag) = label();
    let tagged = Call::Tag { chat_id, thread_id, tag };
    let (chat_id, thread_id, tag) = label();
    let untagged = Call::Untag { chat_id, thread_id, tag };
    let properties = json!({"test": {"string_property": "a"}}).to_string();
    vec![
        sent(Call::SendMessage { chat_id: chat.clone(), text: "hello".to_owned() }),
        sent(Call::SendNote { chat_id: chat.clone(), text: "psst".to_owned() }),
        done(tagged, "tag_thread"),
        done(untagged, "untag_thread"),
        done(Call::SetProperties { chat_id: chat.clone(), properties }, "update_chat_properties"),
    ]
}

fn of_chat(scene: &Scene) -> Vec<Row> {
    let chat_id = || scene.chat.clone();
    let (agent_id, visibility) = (OLGA.to_owned(), "agents".to_owned());
    let assign = Call::Assign { chat_id: chat_id(), agent_id: agent_id.clone(), visibility };
    let target = TransferTarget { group_ids: vec![2], ..TransferTarget::default() };
    vec![
        done(assign, "add_user_to_chat"),
        done(Call::RemoveUser { chat_id: chat_id(), agent_id }, "remove_user_from_chat"),
        done(Call::Transfer { chat_id: chat_id(), target }, "transfer_chat"),
        done(Call::Deactivate { chat_id: chat_id() }, "deactivate_chat"),
    ]
}
