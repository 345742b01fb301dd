//! What refusals and missing answers are to a plugin.

use serde_json::json;

use super::*;
use crate::double::logged;

async fn failed(answer: Answer) -> Error {
    let double = Double::start([answer]).await;
    client(&double).call(&origin(), tag()).await.map_err(Failure::into_error).expect_err("an error")
}

async fn check_code(status: u16, class: &str, words: &str, code: Code) {
    let body = json!({"error": {"type": class, "message": words}}).to_string();
    let error = failed(Answer::text(status, &body)).await;
    assert_eq!(error.code, code, "{status} {class} {words}");
    assert!(error.message.contains("tag_thread on chat C1") && error.message.contains(words), "{error}");
    assert!(!error.message.contains("s3cret"));
}

#[tokio::test]
async fn an_errors_type_decides_before_its_status() {
    for (class, code) in [
        ("chat_inactive", Code::Inactive),
        ("authentication", Code::Credentials),
        ("Authorization", Code::Denied),
        ("missing_access", Code::Denied),
        ("license_expired", Code::Credentials),
        ("not_found", Code::NotFound),
        ("group_not_found", Code::NotFound),
        ("validation", Code::Invalid),
        ("Validation", Code::Invalid),
        ("entity_too_large", Code::Invalid),
        ("already_exists", Code::Conflict),
        ("agent_offline", Code::Conflict),
        ("groups_offline", Code::Conflict),
        ("limit_reached", Code::Limit),
        ("too_many_requests", Code::RateLimited),
        ("internal", Code::Unavailable),
        ("service_unavailable", Code::Unavailable),
        ("request_timeout", Code::Unavailable),
        ("unsupported_version", Code::Unsupported),
        ("wrong_product_version", Code::Unsupported),
        ("misdirected_request", Code::Other),
    ] {
        for status in [200, 400, 422, 500] {
            check_code(status, class, "words", code).await;
        }
    }
}

#[tokio::test]
async fn an_unknown_type_is_judged_by_status_and_words() {
    check_code(422, "validation", "Chat not active", Code::Inactive).await;
    check_code(422, "validation", "No active chat thread", Code::Inactive).await;
    check_code(422, "", "Chat not active", Code::Inactive).await;
    check_code(422, "validation", "Public agents in chat limit reached", Code::Limit).await;
    check_code(422, "validation", "user_id not found", Code::Invalid).await;
    check_code(401, "new_type", "words", Code::Credentials).await;
    check_code(403, "", "words", Code::Denied).await;
    check_code(404, "new_type", "words", Code::NotFound).await;
    check_code(409, "new_type", "words", Code::Conflict).await;
    check_code(408, "new_type", "words", Code::Unavailable).await;
    check_code(429, "new_type", "words", Code::RateLimited).await;
    check_code(418, "new_type", "words", Code::Invalid).await;
    check_code(599, "new_type", "words", Code::Unavailable).await;
    check_code(200, "new_type", "words", Code::Other).await;
}

#[tokio::test]
async fn answers_that_are_not_livechats_are_failures_too() {
    for (status, body, code) in [
        (502, "<html>Bad Gateway</html>", Code::Unavailable),
        (503, "", Code::Unavailable),
        (404, "<html>nginx</html>", Code::NotFound),
        (403, "blocked", Code::Denied),
        (429, "slow down", Code::RateLimited),
        (302, "", Code::Other),
        (200, "<html>Welcome</html>", Code::Unavailable),
        (200, "{\"id\":", Code::Unavailable),
        (200, r#"{"error":"nope"}"#, Code::Other),
        (400, r#"[{"error":1}]"#, Code::Invalid),
        (400, r#"{"error":{"type":5,"message":{"a":1}}}"#, Code::Invalid),
    ] {
        assert_eq!(failed(Answer::text(status, body)).await.code, code, "{status} {body}");
    }
    let garbage = Answer::With(200, vec![], b"\"\xff\xfe\"".to_vec());
    assert_eq!(failed(garbage).await.code, Code::Unavailable);
}

#[tokio::test]
async fn a_read_that_is_answered_with_nothing_failed() {
    let double = Double::start([ok(" ")]).await;
    let error = client(&double).call(&origin(), Call::GetCustomer { customer_id: "K1".to_owned() }).await;
    assert_eq!(error.map_err(Failure::into_error).expect_err("nothing").code, Code::Unavailable);
}

#[tokio::test]
async fn an_error_of_credentials_says_what_to_check() {
    let answer =
        |class: &str| Answer::text(401, &json!({"error": {"type": class, "message": "no"}}).to_string());
    assert!(failed(answer("authentication")).await.message.contains("livechat.account_id"));
    assert!(failed(answer("missing_access")).await.message.contains("chats--access:rw"));
    let double = Double::start([answer("authentication")]).await;
    let client = Client::new(options(&double, bearer("jwt"))).expect("a client");
    let error = client.call(&origin(), tag()).await.map_err(Failure::into_error).expect_err("an error");
    assert!(error.message.contains("expired"), "{error}");
}

#[tokio::test]
async fn a_wait_is_handed_on_where_waiting_helps() {
    let check = async |status: u16, class: &str, header: &str, expected: Option<u64>| {
        let body = json!({"error": {"type": class, "message": "no"}}).to_string();
        let error = failed(Answer::text(status, &body).and("retry-after", header)).await;
        assert_eq!(error.retry_after_ms, expected, "{status} {class} {header}");
    };
    check(429, "too_many_requests", "7", Some(7_000)).await;
    check(503, "service_unavailable", "2", Some(2_000)).await;
    check(429, "too_many_requests", "999999", Some(86_400_000)).await;
    check(429, "too_many_requests", "-7", None).await;
    check(422, "validation", "7", None).await;
}

#[tokio::test]
async fn words_of_livechat_are_cut_and_cleaned() {
    let long = format!("a\nb{}", "x".repeat(5_000));
    let body = json!({"error": {"type": "validation", "message": long}}).to_string();
    let error = failed(Answer::text(422, &body)).await;
    assert!(error.message.len() < 500 && !error.message.contains('\n'));
}

#[tokio::test]
async fn a_chat_that_is_inactive_already_counts_as_deactivated() {
    for body in [
        r#"{"error":{"type":"chat_inactive","message":"Chat is inactive"}}"#,
        r#"{"error":{"type":"validation","message":"No active chat thread"}}"#,
    ] {
        let double = Double::start([Answer::text(422, body)]).await;
        let answered = client(&double).call(&origin(), Call::Deactivate { chat_id: chat() }).await;
        assert_eq!(answered.as_deref(), Ok(""));
    }
    let double = Double::start([Answer::text(404, r#"{"error":{"type":"not_found","message":"no"}}"#)]).await;
    let answered = client(&double).call(&origin(), Call::Deactivate { chat_id: chat() }).await;
    assert_eq!(answered.map_err(Failure::into_error).expect_err("no such chat").code, Code::NotFound);
}

#[tokio::test]
async fn an_answer_that_takes_too_long_or_is_too_long_is_given_up() {
    let double = Double::start([Answer::Silence]).await;
    let options = Options { timeout: Duration::from_millis(30), ..options(&double, pat()) };
    let error = Client::new(options)
        .expect("a client")
        .call(&origin(), tag())
        .await
        .map_err(Failure::into_error)
        .expect_err("no answer");
    assert_eq!(error.code, Code::Unavailable);
    assert!(error.message.contains("30ms"), "{error}");

    let error = failed(Answer::With(200, vec![], vec![b' '; (8 << 20) + 1])).await;
    assert_eq!(error.code, Code::Limit);
}

#[tokio::test]
async fn a_livechat_that_cannot_be_reached_is_unavailable() {
    let url = Double::start([]).await.url.clone();
    let options = Options { base_url: url, reach: Reach::Private, ..Options::new(pat()) };
    let error = Client::new(options)
        .expect("a client")
        .call(&origin(), tag())
        .await
        .map_err(Failure::into_error)
        .expect_err("nobody there");
    assert_eq!(error.code, Code::Unavailable);
    assert!(error.message.contains("livechat.base_url"), "{error}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let double = Double::start([Answer::text(307, "").and("location", "/elsewhere"), ok("{}")]).await;
    client(&double).call(&origin(), tag()).await.map_err(Failure::into_error).expect_err("not followed");
    assert_eq!(double.asked().len(), 1);
}

fn misdirected(region: &str) -> Answer {
    let error = json!({"type": "misdirected_request", "message": "Wrong region", "data": {"region": region}});
    Answer::text(421, &json!({"error": error}).to_string())
}

#[tokio::test]
async fn the_right_region_is_asked_once_and_remembered() {
    let double = Double::start([misdirected("fra"), ok("{}"), ok("{}")]).await;
    let client = client(&double);
    client.call(&origin(), tag()).await.expect("in the other region");
    client.call(&origin(), tag()).await.expect("at once");
    let regions: Vec<_> = double.asked().iter().map(|asked| asked.header("x-region").to_owned()).collect();
    assert_eq!(regions, ["", "fra", "fra"]);
}

#[tokio::test]
async fn regions_do_not_send_us_in_circles() {
    let check = async |answers: Vec<Answer>, region: Option<&str>, requests: usize| {
        let double = Double::start(answers).await;
        let options = Options { region: region.map(str::to_owned), ..options(&double, pat()) };
        let error = Client::new(options)
            .expect("a client")
            .call(&origin(), tag())
            .await
            .map_err(Failure::into_error)
            .expect_err("misdirected");
        assert_eq!(error.code, Code::Other);
        assert!(error.message.contains("livechat.region"), "{error}");
        assert_eq!(double.asked().len(), requests);
    };
    check(vec![misdirected("fra"), misdirected("dal")], None, 2).await;
    check(vec![misdirected("fra")], Some("fra"), 1).await;
    check(vec![misdirected("fra\r\nX: y")], None, 1).await;
    check(vec![misdirected("")], None, 1).await;
}

#[tokio::test]
async fn an_oauth_token_brings_its_region() {
    let double = Double::start([ok("{}")]).await;
    let client = Client::new(options(&double, bearer("fra:token"))).expect("a client");
    client.call(&origin(), tag()).await.expect("tagged");
    assert_eq!(actions(&double, "Bearer fra:token").len(), 1);
    assert_eq!(double.asked()[0].header("x-region"), "fra");
}

#[tokio::test]
async fn an_action_that_livechat_retires_is_logged_once() {
    let (lines, _guard) = logged();
    let retired = || ok("{}").and("Deprecation", "2027-01-01");
    let legacy = ok("{}").and("Legacy", "true");
    let double = Double::start([retired(), retired(), legacy]).await;
    let client = client(&double);
    client.call(&origin(), tag()).await.expect("tagged");
    client.call(&origin(), tag()).await.expect("tagged");
    client.call(&origin(), Call::Deactivate { chat_id: chat() }).await.expect("deactivated");
    let text = lines.text();
    let warnings: Vec<&str> = text.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 2, "{text}");
    assert!(warnings[0].contains("tag_thread") && warnings[0].contains("2027-01-01"), "{text}");
    assert!(warnings[1].contains("deactivate_chat"), "{text}");
}

#[tokio::test]
async fn a_refusal_is_logged_with_its_debug_id_and_without_the_token() {
    let (lines, _guard) = logged();
    let body = r#"{"error":{"type":"internal","message":"no"}}"#;
    failed(Answer::text(500, body).and("x-debug-id", "dbg-42")).await;
    let text = lines.text();
    assert!(text.contains("dbg-42"), "{text}");
    assert!(!text.contains("s3cret") && !text.contains(&BASIC[6..]), "{text}");
}
