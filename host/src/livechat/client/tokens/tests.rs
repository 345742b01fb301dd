//! When a token is issued anew, and what it means if none is issued.

use std::sync::atomic::{AtomicU64, Ordering};

use super::super::credentials::{Bot, OAuth};
use super::super::region::Region;
use super::*;
use crate::double::{Answer, Double, logged};
use crate::egress::{self, Reach};
use crate::livechat::notices::Notices;

const HOUR: u64 = 3_600;

/// Tokens at a scripted desk, with a clock that is set by hand, in seconds.
struct Scene {
    tokens: Tokens,
    double: Double,
    clock: Arc<AtomicU64>,
    region: Region,
}

impl Scene {
    async fn of(
        answers: impl IntoIterator<Item = Answer>,
        credentials: impl Fn(&Double) -> Credentials,
    ) -> Scene {
        let double = Double::start(answers).await;
        let (clock, region) = (Arc::new(AtomicU64::new(0)), Region::default());
        let desk = Desk {
            http: egress::client(Reach::Private).expect("a client"),
            base: double.url.clone(),
            timeout: Duration::from_secs(20),
            region: region.clone(),
            notices: Arc::new(Notices::new("update chatplug")),
        };
        let seconds = clock.clone();
        let clock_of_tokens = Box::new(move || Duration::from_secs(seconds.load(Ordering::SeqCst)));
        let tokens = Tokens::new(credentials(&double), desk, clock_of_tokens);
        Scene { tokens, double, clock, region }
    }

    async fn bot(answers: impl IntoIterator<Item = Answer>) -> Scene {
        Scene::of(answers, |_| bot()).await
    }

    async fn oauth(answers: impl IntoIterator<Item = Answer>) -> Scene {
        Scene::of(answers, oauth).await
    }

    /// The token of the header at a time.
    async fn token_at(&self, second: u64) -> Result<String, Error> {
        self.clock.store(second, Ordering::SeqCst);
        self.tokens.header().await.map(|header| token(&header))
    }

    fn issued(&self) -> usize {
        self.double.asked().len()
    }

    fn regions(&self) -> Vec<String> {
        self.double.asked().iter().map(|asked| asked.header("x-region").to_owned()).collect()
    }
}

fn token(header: &Header) -> String {
    let text = header.value.to_str().expect("text");
    text.strip_prefix("Bearer ").expect("a bearer token").to_owned()
}

fn bot() -> Credentials {
    Credentials::Bot(Bot {
        id: "bot1".to_owned(),
        secret: "bot-s3cret".into(),
        client_id: "app1".to_owned(),
        organization: "org1".to_owned(),
    })
}

fn oauth(double: &Double) -> Credentials {
    Credentials::OAuth(OAuth {
        client_id: "app1".to_owned(),
        client_secret: "app-s3cret".into(),
        refresh_token: "refresh-s3cret".into(),
        token_url: format!("{}/v2/token", double.url),
    })
}

fn bot_token(token: &str) -> Answer {
    Answer::text(200, &format!(r#"{{"token":"{token}"}}"#))
}

fn access_token(token: &str, expires_in: u64) -> Answer {
    Answer::text(200, &format!(r#"{{"access_token":"{token}","expires_in":{expires_in}}}"#))
}

fn typed(status: u16, class: &str) -> Answer {
    Answer::text(status, &format!(r#"{{"error":{{"type":"{class}","message":"words"}}}}"#))
}

fn misdirected(region: &str) -> Answer {
    let error = format!(r#"{{"error":{{"type":"misdirected_request","data":{{"region":"{region}"}}}}}}"#);
    Answer::text(421, &error)
}

fn ok(token: &str) -> Result<String, Error> {
    Ok(token.to_owned())
}

#[tokio::test]
async fn a_bots_token_is_issued_anew_after_twenty_hours() {
    let scene = Scene::bot([bot_token("one"), bot_token("two"), bot_token("three")]).await;
    assert_eq!(scene.issued(), 0, "not before it is needed");
    assert_eq!(scene.token_at(5).await, ok("one"));
    assert_eq!(scene.token_at(5 + 20 * HOUR - 1).await, ok("one"));
    assert_eq!(scene.issued(), 1);
    assert_eq!(scene.token_at(5 + 20 * HOUR).await, ok("two"));
    assert_eq!(scene.token_at(5 + 40 * HOUR - 1).await, ok("two"));
    assert_eq!(scene.token_at(5 + 40 * HOUR).await, ok("three"));
    assert_eq!(scene.issued(), 3);
}

#[tokio::test]
async fn an_access_token_is_issued_anew_five_minutes_before_its_end() {
    let scene = Scene::oauth([
        access_token("fra:one", 8 * HOUR),
        access_token("two", 100),
        access_token("three", 999 * HOUR),
    ])
    .await;
    assert_eq!(scene.token_at(0).await, ok("fra:one"));
    assert_eq!(scene.token_at(8 * HOUR - 301).await, ok("fra:one"));
    let header = scene.tokens.header().await.expect("a header");
    assert_eq!(header.region.as_deref(), Some("fra"), "the token names it");
    assert_eq!(scene.issued(), 1);
    let renewed = 8 * HOUR - 300;
    assert_eq!(scene.token_at(renewed).await, ok("two"));
    // One that ends before that is kept for a while all the same.
    assert_eq!(scene.token_at(renewed + 29).await, ok("two"));
    assert_eq!(scene.token_at(renewed + 30).await, ok("three"));
    // And none for longer than a bot's.
    assert_eq!(scene.token_at(renewed + 30 + 20 * HOUR - 1).await, ok("three"));
    assert_eq!(scene.issued(), 3);
    assert!(scene.token_at(renewed + 30 + 20 * HOUR).await.is_err(), "the script has ended");
}

#[tokio::test]
async fn calls_in_flight_share_one_renewal() {
    let scene = Scene::bot([bot_token("one"), bot_token("two")]).await;
    let headers = tokio::join!(scene.tokens.header(), scene.tokens.header(), scene.tokens.header());
    let headers = [headers.0, headers.1, headers.2].map(|header| header.expect("a header"));
    assert!(headers.iter().all(|header| token(header) == "one"));
    assert_eq!(scene.issued(), 1, "the first need is shared, too");
    // All of them are refused, one after the other has a new one already.
    let renew = async |header: &Header| {
        assert!(scene.tokens.refused(header).await);
        token(&scene.tokens.header().await.expect("a header"))
    };
    let renewed = tokio::join!(renew(&headers[0]), renew(&headers[1]));
    assert_eq!((renewed.0.as_str(), renewed.1.as_str()), ("two", "two"));
    assert_eq!(renew(&headers[2]).await, "two", "what is refused late was an older one");
    assert_eq!(scene.issued(), 2);
}

#[tokio::test]
async fn a_token_that_nobody_issues_is_not_renewed() {
    let pat = |_: &Double| Credentials::Pat { account_id: "acc".to_owned(), token: "pat-s3cret".into() };
    let scene = Scene::of([], pat).await;
    let header = scene.tokens.header().await.expect("a header");
    assert!(!scene.tokens.refused(&header).await);
    assert_eq!(scene.issued(), 0);
}

/// What no token at the desk means: its code, and whether the error says so much.
async fn check(answer: Answer, code: Code, part: &str) -> Error {
    let scene = Scene::bot([answer]).await;
    let error = scene.token_at(0).await.expect_err("no token");
    assert_eq!(error.code, code, "{error}");
    assert!(error.message.contains(part) && !error.message.contains("s3cret"), "{error}");
    error
}

#[tokio::test]
async fn a_refusal_is_judged_by_its_type_first() {
    for class in [
        "authentication",
        "authorization",
        "requester_suspended",
        "license_expired",
        "not_found",
        "validation",
    ] {
        for status in [200, 400, 401, 404, 422] {
            check(typed(status, class), Code::Credentials, "livechat.bot").await;
        }
    }
    for class in ["internal", "service_unavailable", "request_timeout"] {
        for status in [400, 401, 500, 503] {
            check(typed(status, class), Code::Unavailable, class).await;
        }
    }
    check(typed(401, "too_many_requests"), Code::RateLimited, "too_many_requests").await;
    check(typed(404, "unsupported_version"), Code::Unsupported, "unsupported_version").await;
    check(typed(422, "limit_reached"), Code::Unavailable, "limit_reached").await;
    check(typed(401, "new_type"), Code::Credentials, "new_type").await;
    check(typed(502, "new_type"), Code::Unavailable, "new_type").await;
    let told = r#"{"error":{"type":"validation","message":"no such bot-s3cret"}}"#;
    check(Answer::text(422, told), Code::Credentials, "validation").await;
}

#[tokio::test]
async fn an_answer_that_is_not_livechats_refuses_no_credentials() {
    let page = "<html>nginx</html>";
    for status in [301, 302, 307, 400, 403, 404, 405, 410, 418, 421] {
        check(Answer::text(status, page), Code::Unavailable, "livechat.base_url").await;
    }
    for status in [408, 500, 502, 503, 504] {
        check(Answer::text(status, page), Code::Unavailable, &status.to_string()).await;
    }
    check(Answer::text(401, page), Code::Credentials, "livechat.bot").await;
    check(Answer::text(429, page), Code::RateLimited, "429").await;
    check(Answer::text(200, page), Code::Unavailable, "no token").await;
    check(Answer::text(200, "{}"), Code::Unavailable, "no token").await;
    check(Answer::text(200, &" ".repeat(65 << 10)), Code::Unavailable, "no token").await;
}

#[tokio::test]
async fn what_oauth_refuses_is_known_by_its_word() {
    let check = async |status: u16, body: &str, code: Code, part: &str| {
        let error = Scene::oauth([Answer::text(status, body)]).await.token_at(0).await.expect_err("no token");
        assert_eq!(error.code, code, "{body}: {error}");
        assert!(error.message.contains(part) && !error.message.contains("s3cret"), "{error}");
    };
    check(400, r#"{"error":"invalid_grant"}"#, Code::Credentials, "livechat.oauth").await;
    check(401, r#"{"error":"invalid_client"}"#, Code::Credentials, "invalid_client").await;
    check(200, r#"{"error":"invalid_grant"}"#, Code::Credentials, "invalid_grant").await;
    check(400, r#"{"oauth_exception":"invalid_request"}"#, Code::Credentials, "invalid_request").await;
    check(400, r#"{"identity_exception":"unauthorized"}"#, Code::Credentials, "unauthorized").await;
    check(400, r#"{"reason":"refresh-s3cret"}"#, Code::Credentials, "HTTP 400").await;
    check(400, r#"{"error":"temporarily_unavailable"}"#, Code::Unavailable, "temporarily_unavailable").await;
    check(500, r#"{"error":"server_error"}"#, Code::Unavailable, "server_error").await;
}

#[tokio::test]
async fn a_wait_is_kept_and_nobody_asks_before_it_is_over() {
    for (answer, code) in [
        (typed(429, "too_many_requests"), Code::RateLimited),
        (Answer::text(429, ""), Code::RateLimited),
        (typed(503, "service_unavailable"), Code::Unavailable),
    ] {
        let scene = Scene::bot([answer.and("retry-after", "90"), bot_token("one")]).await;
        let error = scene.token_at(0).await.expect_err("not now");
        assert_eq!((error.code, error.retry_after_ms), (code, Some(90_000)), "{error}");
        let later = scene.token_at(60).await.expect_err("not yet");
        assert_eq!((later.code, later.retry_after_ms), (code, Some(30_000)), "what is left of it");
        assert_eq!(scene.issued(), 1);
        assert_eq!(scene.token_at(90).await, ok("one"));
    }
}

#[tokio::test]
async fn a_failure_is_not_repeated_with_each_call() {
    let scene = Scene::bot([typed(500, "internal"), bot_token("one")]).await;
    for second in [0, 1, 9] {
        let error = scene.token_at(second).await.expect_err("not now");
        assert_eq!((error.code, error.retry_after_ms), (Code::Unavailable, None));
    }
    assert_eq!(scene.issued(), 1);
    assert_eq!(scene.token_at(10).await, ok("one"));
    // A wrong secret has nothing to wait for, whatever a header says.
    let error = check(typed(401, "authentication").and("retry-after", "90"), Code::Credentials, "").await;
    assert_eq!(error.retry_after_ms, None);
}

#[tokio::test]
async fn the_right_region_is_asked_once_and_remembered() {
    let scene = Scene::bot([misdirected("fra"), bot_token("one"), bot_token("two")]).await;
    assert_eq!(scene.token_at(0).await, ok("one"));
    assert_eq!(scene.region.known().as_deref(), Some("fra"), "calls know it now, too");
    assert_eq!(scene.token_at(20 * HOUR).await, ok("two"));
    assert_eq!(scene.regions(), ["", "fra", "fra"]);

    let scene = Scene::bot([bot_token("one")]).await;
    assert!(scene.region.learn(None, Some("fra")), "a call has learnt it");
    assert_eq!(scene.token_at(0).await, ok("one"));
    assert_eq!(scene.regions(), ["fra"]);
}

#[tokio::test]
async fn regions_do_not_send_us_in_circles_and_refuse_no_credentials() {
    for (answers, requests) in [
        (vec![misdirected("fra"), misdirected("dal")], 2),
        (vec![misdirected("")], 1),
        (vec![misdirected("fra\\r\\nX: y")], 1),
    ] {
        let scene = Scene::bot(answers).await;
        let error = scene.token_at(0).await.expect_err("no token");
        assert_eq!(error.code, Code::Unavailable);
        assert!(error.message.contains("livechat.region"), "{error}");
        assert_eq!(scene.issued(), requests);
    }
}

#[tokio::test]
async fn a_refusal_is_logged_with_its_debug_id_and_without_a_secret() {
    let (lines, _guard) = logged();
    let told = r#"{"error":{"type":"internal","message":"bot-s3cret"}}"#;
    let answer = Answer::text(500, told).and("x-debug-id", "dbg-7").and("Deprecation", "2027-01-01");
    Scene::bot([answer]).await.token_at(0).await.expect_err("no token");
    let text = lines.text();
    assert!(text.contains("dbg-7") && text.contains("2027-01-01"), "{text}");
    assert!(text.contains("issue_bot_token") && !text.contains("s3cret"), "{text}");
}
