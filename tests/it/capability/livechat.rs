//! The calls to LiveChat that are granted.

use chatplug::simulator::livechat::PAT_OWNER;
use serde_json::{Value, json};

use super::{Caller, Opening, Row, SMITH, row};

/// All of them, with what they ask of LiveChat and what the plugin gets.
pub(super) fn calls(caller: &Caller) -> Vec<Row> {
    let mut rows = calls_to_our_chat(caller);
    rows.extend(calls_to_another_chat(caller));
    rows.extend(other_calls(caller));
    rows
}

/// Calls to a chat that our user is in.
fn calls_to_our_chat(caller: &Caller) -> Vec<Row> {
    let (chat, thread) = caller.chat("Dana");
    caller.stage.livechat.agent_joins(&chat, PAT_OWNER).expect("it joins");
    let event = |text: &str, visibility: &str| json!({"type": "message", "text": text, "visibility": visibility, "custom_id": "ours"});
    let label = json!({"chat_id": chat, "thread_id": thread, "tag": "urgent"});
    vec![
        row("chats.get-chat", json!([chat]), vec![("get_chat", json!({"chat_id": chat}))], json!(thread)),
        row(
            "chats.send-message",
            json!([chat, "hello <b>"]),
            vec![("send_event", json!({"chat_id": chat, "event": event("hello <b>", "all")}))],
            json!(format!("{thread}_1")),
        ),
        row(
            "chats.send-note",
            json!([chat, "psst"]),
            vec![("send_event", json!({"chat_id": chat, "event": event("psst", "agents")}))],
            json!(format!("{thread}_2")),
        ),
        row("chats.tag", json!([chat, thread, "urgent"]), vec![("tag_thread", label.clone())], Value::Null),
        row("chats.tag", json!([chat, thread, "urgent"]), vec![("tag_thread", label.clone())], Value::Null),
        row("chats.untag", json!([chat, thread, "urgent"]), vec![("untag_thread", label)], Value::Null),
    ]
}

/// Calls to a chat that our user is not in.
fn calls_to_another_chat(caller: &Caller) -> Vec<Row> {
    let (quiet, _) = caller.chat("Omar");
    let on = |chat: &str, user: &str, visibility: Option<&str>| {
        let mut body = json!({
            "chat_id": chat, "user_id": user, "user_type": "agent", "ignore_requester_presence": true,
        });
        if let Some(visibility) = visibility {
            body["visibility"] = json!(visibility);
        }
        body
    };
    let transfer = |kind: &str, id: Value, queue: bool| {
        json!({
            "id": quiet, "target": {"type": kind, "ids": [id]}, "ignore_agents_availability": queue,
            "ignore_requester_presence": true,
        })
    };
    let properties = json!({"test": {"string_property": "a", "int_property": 1, "bool_property": true}});
    vec![
        row(
            "chats.set-properties",
            json!([quiet, properties]),
            vec![("update_chat_properties", json!({"id": quiet, "properties": properties}))],
            Value::Null,
        ),
        row(
            "chats.assign",
            json!([quiet, "olga@example.com", "agents"]),
            vec![("add_user_to_chat", on(&quiet, "olga@example.com", Some("agents")))],
            Value::Null,
        ),
        row(
            "chats.remove-user",
            json!([quiet, "olga@example.com"]),
            vec![("remove_user_from_chat", on(&quiet, "olga@example.com", None))],
            Value::Null,
        ),
        row(
            "chats.transfer",
            json!([quiet, 2]),
            vec![("transfer_chat", transfer("group", json!(2), false))],
            Value::Null,
        ),
        row(
            "chats.transfer",
            json!([quiet, 3, true]),
            vec![("transfer_chat", transfer("group", json!(3), true))],
            Value::Null,
        ),
        row(
            "chats.transfer",
            json!([quiet, SMITH]),
            vec![("transfer_chat", transfer("agent", json!(SMITH), false))],
            Value::Null,
        ),
        row(
            "chats.deactivate",
            json!([quiet]),
            vec![("deactivate_chat", json!({"id": quiet, "ignore_requester_presence": true}))],
            Value::Null,
        ),
    ]
}

/// Calls to a chat that has ended, and to no chat.
fn other_calls(caller: &Caller) -> Vec<Row> {
    let (ended, ended_thread) = caller.ended_chat("Mia");
    let customer = Opening::by("Dana").customer_id;
    vec![
        row(
            "chats.get-chat",
            json!([ended, ended_thread]),
            vec![("get_chat", json!({"chat_id": ended, "thread_id": ended_thread}))],
            json!(ended_thread),
        ),
        row(
            "chats.deactivate",
            json!([ended]),
            vec![("deactivate_chat", json!({"id": ended, "ignore_requester_presence": true}))],
            Value::Null,
        ),
        row(
            "customers.get",
            json!([customer]),
            vec![("get_customer", json!({"id": customer}))],
            json!("Dana"),
        ),
        row(
            "agents.list-routing-statuses",
            json!([2]),
            vec![("list_routing_statuses", json!({"filters": {"group_ids": [2]}}))],
            json!([PAT_OWNER, "sam@example.com"]),
        ),
    ]
}
