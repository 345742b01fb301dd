//! A table of all calls to LiveChat that succeed.

use chatplug::simulator::livechat::{Opening, PAT_OWNER};
use serde_json::{Value, json};

use super::caller::Caller;
use crate::services::SMITH;

/// A call, the one request that it makes, and the answer. A `custom_id` of ours stands as `ours`.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) with: Value,
    pub(super) action: &'static str,
    pub(super) body: Value,
    pub(crate) answer: Value,
}

/// The chats that the calls are about.
struct Chats {
    /// Our user is in it; and its thread.
    chat: (String, String),
    /// Our user is not.
    quiet: String,
    /// It has ended; and its thread.
    ended: (String, String),
}

/// All calls, in an order in which they can be made.
pub(crate) fn rows(caller: &Caller) -> Vec<Row> {
    let chats =
        Chats { chat: caller.chat("Dana"), quiet: caller.chat("Omar").0, ended: caller.ended_chat("Mia") };
    caller.stage.livechat.agent_joins(&chats.chat.0, PAT_OWNER).expect("it joins");
    let reads = [reads(&chats), lists(&chats), reports()];
    let actions =
        [account(), events(&chats), tags(&chats), members(&chats), transfers(&chats), endings(&chats)];
    reads.into_iter().chain(actions).flatten().collect()
}

fn row(name: &'static str, with: Value, action: &'static str, body: Value, answer: Value) -> Row {
    Row { name, with, action, body, answer }
}

fn done(name: &'static str, with: Value, action: &'static str, body: Value) -> Row {
    row(name, with, action, body, Value::Null)
}

fn reads(chats: &Chats) -> Vec<Row> {
    let Chats { chat: (chat, thread), ended: (ended, ended_thread), .. } = chats;
    let with_thread = json!({"chat_id": ended, "thread_id": ended_thread});
    let customer = Opening::by("Dana").customer_id;
    let of_sales = json!({"filters": {"group_ids": [2]}});
    let agents = json!([PAT_OWNER, "sam@example.com"]);
    vec![
        row("chats.get-chat", json!([chat]), "get_chat", json!({"chat_id": chat}), json!(thread)),
        row("chats.get-chat", json!([ended, ended_thread]), "get_chat", with_thread, json!(ended_thread)),
        row("customers.get", json!([customer]), "get_customer", json!({"id": customer}), json!("Dana")),
        row("agents.list-routing-statuses", json!([2]), "list_routing_statuses", of_sales, agents),
    ]
}

fn lists(chats: &Chats) -> Vec<Row> {
    let Chats { chat: (chat, _), quiet, ended: (ended, ended_thread) } = chats;
    let (all, few) = (json!({"limit": 100}), json!({"limit": 5}));
    let of_sales = json!({"filters": {"group_ids": [2]}, "fields": ["groups"]});
    let agents = json!([[PAT_OWNER, 3], ["sam@example.com", 2]]);
    let groups = json!(["General", "Support", "Sales", "Billing"]);
    let of_billing = json!({"filters": {"group_ids": [3]}});
    vec![
        row("chats.list-chats", json!([all]), "list_chats", all, json!([[ended, quiet, chat], null])),
        row("chats.list-archives", json!([few]), "list_archives", few, json!([[ended_thread], 1])),
        row("agents.list-agents", json!([]), "list_agents", of_sales, agents),
        row("agents.get-agent", json!([SMITH]), "get_agent", json!({"id": SMITH}), json!("Agent Smith")),
        row("agents.list-groups", json!([]), "list_groups", json!({}), groups),
        row("agents.list-tags", json!([]), "list_tags", of_billing, json!(["billing-only"])),
    ]
}

/// The sum of a number, of three chats in which nothing was said yet: all with Smith, and one with our user, too.
fn reports() -> Vec<Row> {
    let report = |name, action, number: &str, sum: f64| {
        row(name, json!([{}, number]), action, json!({"timezone": "Europe/Warsaw"}), json!(sum))
    };
    vec![
        report("reports.total-chats", "total_chats", "total", 3.0),
        report("reports.ratings", "ratings", "chats", 3.0),
        report("reports.ranking", "ranking", "total", 4.0),
        report("reports.first-response-time", "first_response_time", "count", 0.0),
        report("reports.response-time", "response_time", "response_time", 0.0),
        report("reports.duration", "duration", "count", 3.0),
        report("reports.tags", "tags", "urgent", 0.0),
        report("reports.engagement", "engagement", "started_by_customer_without_greeting", 3.0),
        report("reports.groups", "groups", "1", 3.0),
        report("reports.queued", "queued_visitors", "queued", 0.0),
        report("reports.availability", "availability", "hours", 0.0),
        report("reports.performance", "performance", "chats_count", 4.0),
        report("reports.visitors", "unique_visitors", "unique_visitors", 3.0),
    ]
}

/// What is changed of people, and a tag by LiveChat's own name of the action.
fn account() -> Vec<Row> {
    let (dana, mia) = (Opening::by("Dana").customer_id, Opening::by("Mia").customer_id);
    let status = json!({"agent_id": "olga@example.com", "status": "not_accepting_chats"});
    let set = json!(["olga@example.com", "not_accepting_chats"]);
    let fields = json!({"session_fields": [{"tier": "gold"}]});
    let updated = json!({"id": dana, "session_fields": [{"tier": "gold"}]});
    let banned = json!({"id": mia, "ban": {"days": 3}});
    let tag = json!({"name": "vip", "group_ids": [0]});
    vec![
        done("agents.set-routing-status", set, "set_routing_status", status),
        done("customers.update", json!([dana, fields]), "update_customer", updated),
        done("customers.ban", json!([mia, 3]), "ban_customer", banned),
        row("livechat:configuration.create_tag", json!([tag]), "create_tag", tag, json!({})),
    ]
}

fn events(chats: &Chats) -> Vec<Row> {
    let (chat, thread) = &chats.chat;
    let body = |text: &str, visibility: &str| {
        let event = json!({"type": "message", "text": text, "visibility": visibility, "custom_id": "ours"});
        json!({"chat_id": chat, "event": event})
    };
    let id = |number: u32| json!(format!("{thread}_{number}"));
    let custom = json!({"chat_id": chat, "event": {"type": "custom", "content": {"a": 1}}});
    let mut sent = custom.clone();
    sent["event"]["custom_id"] = json!("ours");
    vec![
        row("chats.send-message", json!([chat, "hello <b>"]), "send_event", body("hello <b>", "all"), id(1)),
        row("chats.send-note", json!([chat, "psst"]), "send_event", body("psst", "agents"), id(2)),
        row("livechat:agent.send_event", json!([custom]), "send_event", sent, json!({"event_id": id(3)})),
    ]
}

fn tags(chats: &Chats) -> Vec<Row> {
    let (chat, thread) = &chats.chat;
    let with = json!([chat, thread, "urgent"]);
    let body = json!({"chat_id": chat, "thread_id": thread, "tag": "urgent"});
    let properties = json!({"test": {"string_property": "a", "int_property": 1, "bool_property": true}});
    let changed = json!({"id": chat, "properties": properties});
    vec![
        done("chats.tag", with.clone(), "tag_thread", body.clone()),
        done("chats.tag", with.clone(), "tag_thread", body.clone()),
        done("chats.untag", with, "untag_thread", body),
        done("chats.set-properties", json!([chat, properties]), "update_chat_properties", changed),
    ]
}

fn members(chats: &Chats) -> Vec<Row> {
    let (chat, olga) = (&chats.quiet, "olga@example.com");
    let removed = json!({
        "chat_id": chat, "user_id": olga, "user_type": "agent", "ignore_requester_presence": true,
    });
    let mut added = removed.clone();
    added["visibility"] = json!("agents");
    vec![
        done("chats.assign", json!([chat, olga, "agents"]), "add_user_to_chat", added),
        done("chats.remove-user", json!([chat, olga]), "remove_user_from_chat", removed),
    ]
}

fn transfers(chats: &Chats) -> Vec<Row> {
    let chat = &chats.quiet;
    let body = |kind: &str, id: Value, queue: bool| {
        json!({
            "id": chat, "target": {"type": kind, "ids": [id]}, "ignore_agents_availability": queue,
            "ignore_requester_presence": true,
        })
    };
    vec![
        done("chats.transfer", json!([chat, 2]), "transfer_chat", body("group", json!(2), false)),
        done("chats.transfer", json!([chat, 3, true]), "transfer_chat", body("group", json!(3), true)),
        done("chats.transfer", json!([chat, SMITH]), "transfer_chat", body("agent", json!(SMITH), false)),
    ]
}

fn endings(chats: &Chats) -> Vec<Row> {
    let body = |chat: &str| json!({"id": chat, "ignore_requester_presence": true});
    let end = |chat: &str| done("chats.deactivate", json!([chat]), "deactivate_chat", body(chat));
    // An ended chat can be ended.
    vec![end(&chats.quiet), end(&chats.ended.0)]
}
