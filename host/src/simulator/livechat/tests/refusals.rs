//! What the platform would refuse.

use super::*;

/// Makes one call in a world with one chat and checks status, error type and a part of the message.
async fn check(action: &str, body: Value, status: u16, kind: &str, message: &str) {
    let (livechat, chat) = opened().await;
    if message.contains("`agents` only") {
        join(&livechat, &chat.chat_id).await;
    }
    let body = body.to_string().replace("CHAT", &chat.chat_id).replace("THREAD", &chat.thread_id);
    let body: Value = serde_json::from_str(&body).expect("JSON");
    let is_configuration =
        ["list_properties", "create_tag", "register_webhook", "list_agents"].contains(&action);
    let (got, answer) = match is_configuration {
        true => configure(&livechat, action, body.clone()).await,
        false => call(&livechat, action, body.clone()).await,
    };
    assert_eq!(got, status, "{action} {body}: {answer}");
    assert_eq!(answer["error"]["type"], kind, "{action} {body}: {answer}");
    let text = answer["error"]["message"].as_str().unwrap_or_default();
    assert!(text.contains(message), "{action} {body}: {text}");
}

#[tokio::test]
async fn what_the_platform_would_refuse_is_refused() {
    let message = json!({"type": "message", "text": "hi"});
    let long = json!({"type": "message", "text": "x".repeat(16 * 1024 + 1)});
    let cases = [
        ("get_chat", json!({"id": "CHAT"}), 422, "validation", "`chat_id` is required"),
        ("get_chat", json!({"chat_id": "CHAT", "x": 1}), 422, "validation", "unknown field `x`"),
        ("get_chat", json!({"chat_id": 7}), 422, "validation", "must be a string"),
        ("get_chat", json!({"chat_id": "NONE"}), 404, "not_found", "Chat not found"),
        ("get_chat", json!({"chat_id": "CHAT", "thread_id": "NONE"}), 404, "not_found", "Thread"),
        ("list_chats", json!({"page_id": "[0,1,true,null,[]]", "limit": 1}), 422, "validation", "combined"),
        ("list_chats", json!({"limit": 101}), 422, "validation", "from 1 to 100"),
        ("list_chats", json!({"filters": {"include_active": true}}), 422, "validation", "include_active"),
        (
            "send_event",
            json!({"chat_id": "CHAT", "event": message}),
            403,
            "authorization",
            "not user of the chat",
        ),
        ("send_event", json!({"chat_id": "CHAT", "event": message}), 403, "authorization", "Requester"),
        ("send_event", json!({"chat_id": "CHAT", "event": long}), 422, "validation", "16 KB"),
        (
            "send_event",
            json!({"chat_id": "CHAT", "event": {"type": "message"}}),
            422,
            "validation",
            "`event.text`",
        ),
        (
            "send_event",
            json!({"chat_id": "CHAT", "event": {"type": "system"}}),
            422,
            "validation",
            "event.type",
        ),
        (
            "tag_thread",
            json!({"chat_id": "CHAT", "thread_id": "THREAD", "tag": "Sales"}),
            422,
            "validation",
            "exist",
        ),
        (
            "tag_thread",
            json!({"chat_id": "CHAT", "thread_id": "THREAD", "tag": "billing-only"}),
            422,
            "validation",
            "none of the thread's groups",
        ),
        (
            "tag_thread",
            json!({"chat_id": "CHAT", "thread_id": "NO", "tag": "sales"}),
            404,
            "not_found",
            "Thread",
        ),
        ("transfer_chat", json!({"chat_id": "CHAT"}), 422, "validation", "`id` is required"),
        ("transfer_chat", json!({"id": "CHAT"}), 403, "authorization", "not user of the chat"),
        (
            "transfer_chat",
            json!({"id": "CHAT", "target": {"type": "group", "ids": ["2"]}}),
            422,
            "validation",
            "integers",
        ),
        (
            "transfer_chat",
            json!({"id": "CHAT", "target": {"type": "group", "ids": [99]}}),
            422,
            "validation",
            "group 99",
        ),
        (
            "transfer_chat",
            json!({"id": "CHAT", "target": {"type": "group", "ids": [3]}, "ignore_requester_presence": true}),
            422,
            "agent_offline",
            "accepts chats",
        ),
        (
            "add_user_to_chat",
            json!({"chat_id": "CHAT", "user_id": "12345", "user_type": "agent", "visibility": "all", "ignore_requester_presence": true}),
            422,
            "validation",
            "user_id not found",
        ),
        (
            "add_user_to_chat",
            json!({"chat_id": "CHAT", "user_id": PAT_OWNER, "user_type": "agent", "visibility": "all", "ignore_requester_presence": true}),
            422,
            "validation",
            "Public agents in chat limit reached",
        ),
        (
            "add_user_to_chat",
            json!({"chat_id": "CHAT", "user_id": PAT_OWNER, "user_type": "agent"}),
            422,
            "validation",
            "`visibility` is required",
        ),
        (
            "remove_user_from_chat",
            json!({"chat_id": "CHAT", "user_id": "x", "user_type": "customer"}),
            422,
            "validation",
            "user_type",
        ),
        ("deactivate_chat", json!({"chat_id": "CHAT"}), 422, "validation", "`id` is required"),
        ("deactivate_chat", json!({"id": "CHAT"}), 403, "authorization", "not user of the chat"),
        (
            "update_chat_properties",
            json!({"id": "CHAT", "properties": {"mine": {}}}),
            422,
            "validation",
            "`mine`",
        ),
        (
            "update_chat_properties",
            json!({"id": "CHAT", "properties": {"test": {"int_property": "1"}}}),
            422,
            "validation",
            "test.int_property",
        ),
        (
            "update_chat_properties",
            json!({"id": "CHAT", "properties": {"rating": {"score": 1}}}),
            403,
            "authorization",
            "rating",
        ),
        ("get_customer", json!({"customer_id": "x"}), 422, "validation", "`id` is required"),
        ("get_customer", json!({"id": "x"}), 404, "not_found", "Customer"),
        ("list_archives_of_everything", json!({}), 404, "not_found", "no action"),
        (
            "create_tag",
            json!({"name": "LOW-rating", "group_ids": [0]}),
            422,
            "already_exists",
            "already exists",
        ),
        ("create_tag", json!({"name": "new", "group_ids": [99]}), 422, "group_not_found", "Group"),
        ("list_agents", json!({"fields": ["e-mail"]}), 422, "validation", "fields"),
        (
            "register_webhook",
            json!({"action": "rating_added", "secret_key": "s", "url": "http://x", "owner_client_id": "c", "type": "license"}),
            422,
            "validation",
            "no webhook of v3.6",
        ),
    ];
    for (action, body, status, kind, message) in cases {
        check(action, body, status, kind, message).await;
    }
    let to_all = json!({"chat_id": "CHAT", "event": {"type": "message", "text": "hi"}});
    check("send_event", to_all, 403, "authorization", "`agents` only").await;
}
