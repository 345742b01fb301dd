//! What the platform would refuse.

use super::*;

/// Each case: an action, its body with CHAT and THREAD for the ids of the one chat that exists, the status
/// and type of the error, and a part of its message.
type Case = (&'static str, Value, &'static str, &'static str);

async fn check(cases: impl IntoIterator<Item = Case>) {
    let (livechat, chat) = opened().await;
    for case in cases {
        check_in(&livechat, &chat, case).await;
    }
}

async fn check_in(livechat: &Livechat, chat: &Happening, (action, body, error, message): Case) {
    const CONFIGURATION: [&str; 3] = ["create_tag", "register_webhook", "list_agents"];
    let body = body.to_string().replace("CHAT", &chat.chat_id).replace("THREAD", &chat.thread_id);
    let body: Value = serde_json::from_str(&body).expect("JSON");
    let (status, answer) = match CONFIGURATION.contains(&action) {
        true => configure(livechat, action, body.clone()).await,
        false => call(livechat, action, body.clone()).await,
    };
    let kind = answer["error"]["type"].as_str().unwrap_or_default();
    assert_eq!(format!("{status} {kind}"), error, "{action} {body}: {answer}");
    let text = answer["error"]["message"].as_str().unwrap_or_default();
    assert!(text.contains(message), "{action} {body}: {text}");
}

const INVALID: &str = "422 validation";
const FORBIDDEN: &str = "403 authorization";
const MISSING: &str = "404 not_found";

#[tokio::test]
async fn reads_that_are_not_well_formed() {
    check([
        ("get_chat", json!({"id": "CHAT"}), INVALID, "`chat_id` is required"),
        ("get_chat", json!({"chat_id": "CHAT", "x": 1}), INVALID, "unknown field `x`"),
        ("get_chat", json!({"chat_id": 7}), INVALID, "must be a string"),
        ("get_chat", json!({"chat_id": "NONE"}), MISSING, "Chat not found"),
        ("get_chat", json!({"chat_id": "CHAT", "thread_id": "NONE"}), MISSING, "Thread"),
        ("list_chats", json!({"page_id": "[0,1,true,null,[]]", "limit": 1}), INVALID, "combined"),
        ("list_chats", json!({"page_id": "2"}), INVALID, "page_id"),
        ("list_chats", json!({"limit": 101}), INVALID, "from 1 to 100"),
        ("list_chats", json!({"filters": {"include_active": true}}), INVALID, "filters.include_active"),
        ("get_customer", json!({"customer_id": "x"}), INVALID, "`id` is required"),
        ("get_customer", json!({"id": "x"}), MISSING, "Customer"),
        ("list_routing_statuses", json!({"group_ids": [1]}), INVALID, "unknown field"),
        ("list_everything", json!({}), MISSING, "no action"),
    ])
    .await;
}

#[tokio::test]
async fn events_that_may_not_be_sent() {
    let send = |event: Value| json!({"chat_id": "CHAT", "event": event});
    let message = json!({"type": "message", "text": "hi"});
    let long = json!({"type": "message", "text": "x".repeat(16 * 1024 + 1)});
    check([
        ("send_event", send(message.clone()), FORBIDDEN, "Requester is not user of the chat"),
        ("send_event", send(long), INVALID, "16 KB"),
        ("send_event", send(json!({"type": "message"})), INVALID, "`event.text` is required"),
        ("send_event", send(json!({"type": "system"})), INVALID, "`event.type`"),
        (
            "send_event",
            send(json!({"type": "message", "text": "x", "recipients": "all"})),
            INVALID,
            "recipients",
        ),
        ("send_event", json!({"chat_id": "CHAT"}), INVALID, "`event` is required"),
    ])
    .await;
    let (livechat, chat) = opened().await;
    join(&livechat, &chat.chat_id).await;
    check_in(&livechat, &chat, ("send_event", send(message), FORBIDDEN, "`agents` only")).await;
}

#[tokio::test]
async fn tags_that_do_not_fit() {
    let tag = |name: &str| json!({"chat_id": "CHAT", "thread_id": "THREAD", "tag": name});
    check([
        ("tag_thread", tag("Sales"), INVALID, "doesn't exist"),
        ("tag_thread", tag("billing-only"), INVALID, "none of the thread's groups"),
        ("tag_thread", json!({"id": "CHAT", "thread_id": "THREAD", "tag": "sales"}), INVALID, "`chat_id`"),
        ("tag_thread", json!({"chat_id": "CHAT", "thread_id": "NO", "tag": "sales"}), MISSING, "Thread"),
        (
            "create_tag",
            json!({"name": "LOW-rating", "group_ids": [0]}),
            "422 already_exists",
            "already exists",
        ),
        ("create_tag", json!({"name": "new", "group_ids": [99]}), "422 group_not_found", "Group"),
    ])
    .await;
}

#[tokio::test]
async fn transfers_that_go_nowhere() {
    let to = |kind: &str, ids: Value| json!({"id": "CHAT", "target": {"type": kind, "ids": ids}, "ignore_requester_presence": true});
    check([
        ("transfer_chat", json!({"chat_id": "CHAT"}), INVALID, "`id` is required"),
        ("transfer_chat", json!({"id": "CHAT"}), FORBIDDEN, "not user of the chat"),
        ("transfer_chat", to("group", json!(["2"])), INVALID, "integers"),
        ("transfer_chat", to("group", json!([99])), INVALID, "group 99"),
        ("transfer_chat", to("group", json!([])), INVALID, "`target.ids` is required"),
        ("transfer_chat", to("agent", json!(["nobody@example.com"])), INVALID, "nobody@example.com"),
        ("transfer_chat", to("group", json!([3])), "422 agent_offline", "accepts chats"),
        ("transfer_chat", to("agent", json!(["olga@example.com"])), "422 agent_offline", "accepts chats"),
    ])
    .await;
}

#[tokio::test]
async fn members_that_may_not_come_or_go() {
    let add = |user_id: &str, visibility: &str| {
        json!({
            "chat_id": "CHAT", "user_id": user_id, "user_type": "agent", "visibility": visibility,
            "ignore_requester_presence": true,
        })
    };
    let remove = |user_id: &str, user_type: &str| {
        json!({
            "chat_id": "CHAT", "user_id": user_id, "user_type": user_type, "ignore_requester_presence": true,
        })
    };
    check([
        ("add_user_to_chat", add("12345", "all"), INVALID, "user_id not found"),
        ("add_user_to_chat", add(PAT_OWNER, "all"), INVALID, "Public agents in chat limit reached"),
        ("add_user_to_chat", add(PAT_OWNER, ""), INVALID, "`visibility` is required"),
        ("add_user_to_chat", add(PAT_OWNER, "none"), INVALID, "all, agents"),
        ("remove_user_from_chat", remove("smith@example.com", "customer"), INVALID, "user_type"),
        ("remove_user_from_chat", remove(PAT_OWNER, "agent"), INVALID, "user_id not found"),
        ("deactivate_chat", json!({"chat_id": "CHAT"}), INVALID, "`id` is required"),
        ("deactivate_chat", json!({"id": "CHAT"}), FORBIDDEN, "not user of the chat"),
    ])
    .await;
}

#[tokio::test]
async fn properties_and_webhooks_that_nobody_knows() {
    let set = |properties: Value| json!({"id": "CHAT", "properties": properties});
    let register = |action: &str, extra: &str| {
        json!({
            "action": action, "secret_key": "s", "url": "http://x", "owner_client_id": "c", "type": "license",
            "additional_data": [extra],
        })
    };
    check([
        ("update_chat_properties", set(json!({"mine": {}})), INVALID, "namespace `mine`"),
        ("update_chat_properties", set(json!({"test": {"other": "x"}})), INVALID, "test.other"),
        ("update_chat_properties", set(json!({"test": {"int_property": "1"}})), INVALID, "test.int_property"),
        ("update_chat_properties", set(json!({"rating": {"score": 1}})), FORBIDDEN, "rating"),
        ("list_agents", json!({"fields": ["e-mail"]}), INVALID, "fields"),
        ("register_webhook", register("rating_added", "chat_properties"), INVALID, "no webhook of v3.6"),
        ("register_webhook", register("incoming_chat", "everything"), INVALID, "additional_data"),
        ("register_webhook", json!({"action": "incoming_chat"}), INVALID, "`url` is required"),
    ])
    .await;
}

#[tokio::test]
async fn a_call_is_refused_when_no_scope_is_left_that_would_do() {
    let (livechat, _) = opened().await;
    livechat.without_scope("chats--all:ro");
    assert_eq!(call(&livechat, "list_archives", json!({})).await.0, 200, "there is another scope for it");
    livechat.without_scope("chats--access:ro");
    let (status, answer) = call(&livechat, "list_archives", json!({})).await;
    assert_eq!((status, &answer["error"]["type"]), (403, &json!("authorization")));
    livechat.without_scope("reports_read");
    let report = "/v3.6/reports/chats/total_chats";
    assert_eq!(call_as(&livechat, &pat(), report, &json!({})).await.0, 403);
    assert_eq!(configure(&livechat, "list_agents", json!({})).await.0, 200, "it needs another one");
    let path = "/v3.6/agent/action/list_archives";
    assert_eq!(call_as(&livechat, "", path, &json!({})).await.0, 401, "who asks comes first");
}
