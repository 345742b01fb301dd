use reqwest::Client;

use super::*;
use crate::simulator::{Fault, Times};

async fn post(url: String, token: &str, body: &Value) -> (u16, String) {
    let request = Client::new().post(url).bearer_auth(token).json(body);
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("a body"))
}

async fn hook(slack: &Slack, body: &Value) -> (u16, String) {
    post(slack.webhook_url(), "", body).await
}

async fn api(slack: &Slack, method: &str, body: Value) -> Value {
    let (status, text) = post(format!("{}/api/{method}", slack.base_url()), TOKEN, &body).await;
    assert_eq!(status, 200);
    serde_json::from_str(&text).expect("JSON")
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": {"type": "mrkdwn", "text": text}})
}

async fn check(body: Value, status: u16, answer: &str, violations: usize) {
    let slack = Slack::start().await.expect("a port");
    assert_eq!(hook(&slack, &body).await, (status, answer.to_owned()), "{body}");
    assert_eq!(slack.violations().len(), violations, "{body}");
    assert_eq!(slack.posts().len(), usize::from(status == 200), "{body}");
}

#[tokio::test]
async fn the_webhook_refuses_what_no_client_should_send() {
    check(json!({"text": "hi &lt;!channel&gt;"}), 200, "ok", 0).await;
    check(json!({"text": ""}), 400, "no_text", 0).await;
    check(json!([]), 400, "invalid_payload", 0).await;
    check(json!({"text": "hi <!channel>"}), 400, "invalid_blocks", 1).await;
    check(json!({"blocks": [section("<@U1>")]}), 400, "invalid_blocks", 1).await;
    check(json!({"blocks": [section("<#C1>")]}), 400, "invalid_blocks", 1).await;
    let rich = json!({"type": "rich_text", "elements": [{"type": "broadcast", "range": "channel"}]});
    check(json!({"text": "x", "blocks": [rich]}), 400, "invalid_blocks", 1).await;
    let plain = json!({"type": "section", "text": {"type": "plain_text", "text": "<!channel>"}});
    check(json!({"text": "x", "blocks": [plain]}), 200, "ok", 0).await;
    check(json!({"blocks": vec![section("x"); 51]}), 400, "invalid_blocks", 1).await;
    check(json!({"blocks": [section(&"x".repeat(3_001))]}), 400, "invalid_blocks", 1).await;
    check(json!({"blocks": vec![section(&"x".repeat(2_900)); 5]}), 400, "msg_blocks_too_long", 1).await;
    check(json!({"text": "x".repeat(40_001)}), 400, "msg_too_long", 1).await;
    check(json!({"text": "x", "link_names": true}), 400, "invalid_blocks", 1).await;
}

#[tokio::test]
async fn the_webhooks_secret_counts_and_is_not_recorded() {
    let slack = Slack::start().await.expect("a port");
    let wrong = slack.webhook_url().replace("simulated", "guessed");
    assert_eq!(post(wrong, "", &json!({"text": "x"})).await, (403, "invalid_token".to_owned()));
    slack.archive();
    assert_eq!(hook(&slack, &json!({"text": "x"})).await, (410, "channel_is_archived".to_owned()));
    let shown = format!("{:?}", slack.requests().all());
    assert!(!shown.contains(HOOK_SECRET) && !shown.contains("guessed"), "{shown}");
}

#[tokio::test]
async fn the_web_api_fails_with_200() {
    let slack = Slack::start().await.expect("a port");
    let url = format!("{}/api/chat.postMessage", slack.base_url());
    let (status, answer) = post(url, "wrong", &json!({"channel": CHANNEL, "text": "x"})).await;
    assert_eq!((status, answer.contains("invalid_auth")), (200, true));
    assert_eq!(api(&slack, "auth.test", json!({})).await["ok"], true);
    let cases = [
        (json!({"channel": "C1", "text": "x"}), "channel_not_found"),
        (json!({"channel": CHANNEL}), "no_text"),
        (json!({"channel": CHANNEL, "text": "<!here>"}), "invalid_blocks"),
    ];
    for (body, error) in cases {
        let answer = api(&slack, "chat.postMessage", body).await;
        assert_eq!((&answer["ok"], &answer["error"]), (&json!(false), &json!(error)));
    }
    let missing = json!({"channel": CHANNEL, "ts": "1.2", "text": "x"});
    assert_eq!(api(&slack, "chat.update", missing).await["error"], "message_not_found");
}

#[tokio::test]
async fn an_update_without_blocks_takes_them_away() {
    let slack = Slack::start().await.expect("a port");
    let body = json!({"channel": CHANNEL, "text": "one", "blocks": [section("one")]});
    let ts = api(&slack, "chat.postMessage", body).await["ts"].clone();
    let answer = api(&slack, "chat.update", json!({"channel": CHANNEL, "ts": ts, "text": "two"})).await;
    assert_eq!(answer["ok"], true);
    let posts = slack.posts();
    assert_eq!((posts[0].text.as_str(), &posts[0].blocks), ("two", &Value::Null));
    assert_eq!(posts[0].earlier[0].0, "one");
}

#[tokio::test]
async fn faults_answer_in_slacks_own_forms() {
    let slack = Slack::start().await.expect("a port");
    let body = json!({"text": "x"});
    let limited = Fault::TooManyRequests { retry_after: Some("3".into()) };
    slack.faults().set("webhook", limited, Times::Next(1));
    let answer = Client::new().post(slack.webhook_url()).json(&body).send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 429);
    assert_eq!(answer.headers()["retry-after"], "3");
    slack.faults().set("webhook", Fault::ErrorAfterSaving, Times::Next(1));
    assert_eq!(hook(&slack, &body).await, (500, "rollup_error".to_owned()));
    assert_eq!(slack.posts().len(), 1);
    slack.faults().set("chat.postMessage", Fault::ErrorBeforeSaving, Times::Next(1));
    assert_eq!(api(&slack, "chat.postMessage", json!({})).await["error"], "internal_error");
    slack.faults().set("*", Fault::Down, Times::UntilCleared);
    assert_eq!(hook(&slack, &body).await.0, 503);
}
