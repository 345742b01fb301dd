//! Posting webhooks.

use chatplug_tests::{Host, SECRET};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::Sha256;

/// Posts a body; answers status and text.
pub(crate) async fn post(host: &Host, body: impl Into<reqwest::Body>) -> (StatusCode, String) {
    send(host, body, None).await
}

/// Posts a body with a signature of its own.
pub(crate) async fn post_signed(host: &Host, body: Vec<u8>, signature: &str) -> (StatusCode, String) {
    send(host, body, Some(signature)).await
}

async fn send(host: &Host, body: impl Into<reqwest::Body>, signature: Option<&str>) -> (StatusCode, String) {
    let mut request = reqwest::Client::new().post(host.url("/webhooks/livechat")).body(body);
    if let Some(signature) = signature {
        request = request.header("X-LiveChat-Signature", signature);
    }
    let response = request.send().await.expect("the host answers");
    (response.status(), response.text().await.expect("the answer is text"))
}

/// Posts a body that has to be taken.
pub(crate) async fn accept(host: &Host, body: impl Into<reqwest::Body>) {
    let (status, text) = post(host, body).await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, r#"{"status":"received"}"#));
}

/// The signature of a body under the test's secret.
pub(crate) fn signature(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length of key is fine");
    mac.update(body);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A v3.6 webhook.
pub(crate) fn webhook(action: &str, payload: &Value) -> String {
    json!({
        "webhook_id": "wh_1",
        "secret_key": SECRET,
        "action": action,
        "organization_id": "org-1",
        "payload": payload,
        "additional_data": {},
    })
    .to_string()
}

/// The webhook of a message, number `number` of its thread.
pub(crate) fn message(chat: &str, number: usize) -> String {
    let event = json!({
        "id": format!("{chat}T_{number}"),
        "type": "message",
        "created_at": "2026-06-01T12:00:03.512000Z",
        "visibility": "all",
        "author_id": "b7eff798-f8df-4364-8059-649c35c9ed0c",
        "text": format!("message {number}"),
    });
    webhook("incoming_event", &json!({ "chat_id": chat, "thread_id": format!("{chat}T"), "event": event }))
}

/// What a customer says in a chat.
pub(crate) fn said(chat: &str, id: &str, text: &str) -> String {
    let event = json!({
        "id": id, "type": "message", "created_at": "2026-06-01T12:00:03.512000Z", "visibility": "all",
        "author_id": "b7eff798-f8df-4364-8059-649c35c9ed0c", "text": text,
    });
    webhook("incoming_event", &json!({ "chat_id": chat, "thread_id": format!("{chat}T"), "event": event }))
}
