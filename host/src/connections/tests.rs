use std::sync::Arc;

use super::*;
use crate::action::http::Connections as _;
use crate::double::{Answer, Double, logged};
use crate::event::trace_id::TraceId;

const BODY_MAX: usize = 1 << 20;

fn connection(kind: Kind, target: Target, credential: Credential) -> Connection {
    Connection {
        name: "crm".to_owned(),
        kind,
        target,
        credential,
        post: Effect::Unknown,
        reach: Reach::Private,
    }
}

fn below(double: &Double, kind: Kind) -> Connection {
    let bearer = Credential::Bearer("b-s3cret".into());
    connection(kind, Target::BaseUrl(format!("{}/base", double.url)), bearer)
}

fn secret(double: &Double, kind: Kind) -> Connection {
    let url = format!("{}/services/T0/B0/url-s3cret", double.url);
    connection(kind, Target::SecretUrl(url.into()), Credential::None)
}

fn one(connection: Connection) -> Connections {
    Connections::new(vec![connection]).expect("connections")
}

fn request(method: &str, path: &str) -> Request {
    Request {
        connection: "crm".to_owned(),
        method: method.to_owned(),
        path: path.to_owned(),
        query: vec![],
        headers: vec![],
        body: None,
        timeout_ms: None,
        effect: None,
    }
}

fn origin() -> Origin {
    Origin {
        plugin: Arc::from("notes"),
        delivery: 7,
        trace: TraceId::default(),
        step: 3,
        accepted_at_ms: 0,
        answer_bytes: 1 << 20,
    }
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[tokio::test]
async fn a_request_goes_below_the_base_with_the_hosts_credential() {
    let answer = Answer::text(201, r#"{"id":"9"}"#).and("X-Rate", "5").and("Set-Cookie", "a=b");
    let double = Double::start([answer]).await;
    let request = Request {
        query: vec![pair("q", "a b&c")],
        headers: vec![pair("Content-Type", "application/json"), pair("X-A", "1"), pair("X-A", "2")],
        body: Some(b"{}".to_vec()),
        ..request("POST", "/v3/notes")
    };
    let response = one(below(&double, Kind::Hubspot)).send(&origin(), request).await.expect("an answer");
    assert_eq!((response.status, response.body.as_slice()), (201, br#"{"id":"9"}"#.as_slice()));
    assert!(response.headers.contains(&pair("x-rate", "5")));
    assert!(response.headers.iter().all(|(name, _)| name != "set-cookie"));
    let asked = &double.asked()[0];
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("POST", "/base/v3/notes?q=a+b%26c"));
    assert_eq!(asked.header("authorization"), "Bearer b-s3cret");
    assert_eq!(asked.header("user-agent"), concat!("chatplug/", env!("CARGO_PKG_VERSION")));
    assert_eq!(asked.header("content-type"), "application/json");
    assert_eq!(asked.headers.get_all("x-a").iter().count(), 2);
    assert_eq!(asked.headers.get_all("authorization").iter().count(), 1);
    assert_eq!(asked.header("idempotency-key"), "");
    assert_eq!(asked.body, b"{}");
}

#[tokio::test]
async fn each_kind_of_credential_stands_in_its_header() {
    let check = async |credential: Credential, header: &str, value: &str| {
        let double = Double::start([Answer::text(200, "")]).await;
        let connection = Connection { credential, ..below(&double, Kind::Generic) };
        one(connection).send(&origin(), request("GET", "/")).await.expect("an answer");
        assert_eq!(double.asked()[0].header(header), value);
    };
    check(Credential::None, "authorization", "").await;
    check(Credential::Bearer("t".into()), "authorization", "Bearer t").await;
    let basic = Credential::Basic { user: "u".to_owned(), password: "p:w".into() };
    check(basic, "authorization", "Basic dTpwOnc=").await;
    let own = |name: &str| Credential::Header { name: name.to_owned(), value: "k".into() };
    check(own("X-Api-Key"), "x-api-key", "k").await;
    check(own("X-Service"), "x-service", "k").await;
    check(own("Authorization"), "authorization", "k").await;
}

#[tokio::test]
async fn what_a_plugin_must_not_ask_is_not_sent() {
    let double = Double::start([]).await;
    let own = Credential::Header { name: "X-Service".to_owned(), value: "k".into() };
    let connections = one(Connection { credential: own, ..below(&double, Kind::Generic) });
    let check = async |request: Request, code: Code| {
        let error = connections
            .send(&origin(), request.clone())
            .await
            .map_err(Failure::into_error)
            .expect_err("refused");
        assert_eq!(error.code, code, "{request:?}");
    };
    for method in ["get", "CONNECT", "TRACE", "OPTIONS", "", "GET /evil", "POST\r\n"] {
        check(request(method, "/"), Code::Invalid).await;
    }
    check(request("GET", "/../admin"), Code::Invalid).await;
    check(request("GET", ""), Code::Invalid).await;
    let with = |name: &str| Request { headers: vec![pair(name, "x")], ..request("GET", "/") };
    check(with("Authorization"), Code::Invalid).await;
    check(with("x-service"), Code::Invalid).await;
    check(with("Host"), Code::Invalid).await;
    check(Request { timeout_ms: Some(0), ..request("GET", "/") }, Code::Invalid).await;
    check(Request { effect: Some("harmless".to_owned()), ..request("POST", "/") }, Code::Invalid).await;
    check(Request { connection: "other".to_owned(), ..request("GET", "/") }, Code::NotFound).await;
    assert!(double.asked().is_empty());
}

#[tokio::test]
async fn bodies_are_taken_up_to_the_limit() {
    let answer = |length| Answer::With(200, vec![], vec![b'x'; length]);
    let double = Double::start([answer(BODY_MAX), answer(BODY_MAX + 1)]).await;
    let connections = one(below(&double, Kind::Generic));
    let sent = Request { body: Some(vec![0; BODY_MAX]), ..request("POST", "/") };
    let response = connections.send(&origin(), sent).await.expect("just short enough");
    assert_eq!((response.body.len(), double.asked()[0].body.len()), (BODY_MAX, BODY_MAX));
    let error = connections.send(&origin(), request("GET", "/")).await;
    assert_eq!(error.map_err(Failure::into_error).expect_err("too long").code, Code::Limit);
}

#[tokio::test]
async fn what_was_done_is_done_however_long_the_answer_is() {
    // A letter of two bytes stands across the limit.
    let long = [vec![b'x'; BODY_MAX - 1], "ż and more".as_bytes().to_vec()].concat();
    for (method, effect, status) in
        [("POST", "unknown", 201), ("POST", "keyed", 200), ("PUT", "repeatable", 200), ("POST", "keyed", 422)]
    {
        let lie = vec![("x-chatplug-cut-at", "7".to_owned())];
        let double = Double::start([Answer::With(status, lie, long.clone())]).await;
        let sent = Request { effect: Some(effect.to_owned()), ..request(method, "/") };
        let response = one(below(&double, Kind::Generic)).send(&origin(), sent).await.expect("an answer");
        assert_eq!((response.status, response.body.len()), (status, BODY_MAX - 1), "{method} {effect}");
        assert_eq!(response.cut_at(), Some((BODY_MAX - 1).to_string().as_str()), "{:?}", response.headers);
    }
    let lie = Answer::text(200, "short").and("x-chatplug-cut-at", "7");
    let double = Double::start([lie]).await;
    let whole = one(below(&double, Kind::Generic)).send(&origin(), request("POST", "/")).await;
    assert_eq!(whole.expect("an answer").cut_at(), None, "only the host says so");
    let double = Double::start([Answer::With(200, vec![], long)]).await;
    let failure = one(below(&double, Kind::Slack)).send(&origin(), request("POST", "/")).await;
    assert!(matches!(failure, Err(Failure::Doubt(_))), "Slack says in the body what it did: {failure:?}");
}

#[tokio::test]
async fn an_error_status_is_an_answer_except_from_slack() {
    for status in [302, 400, 401, 403, 404, 409, 429, 500, 503] {
        for kind in [Kind::Hubspot, Kind::Generic] {
            let answer = Answer::text(status, "no").and("Retry-After", "9").and("Location", "/elsewhere");
            let double = Double::start([answer]).await;
            let response =
                one(below(&double, kind)).send(&origin(), request("GET", "/")).await.expect("an answer");
            assert_eq!((response.status, double.asked().len()), (status, 1));
            assert!(response.headers.contains(&pair("retry-after", "9")));
        }
    }
    let double = Double::start([Answer::text(200, r#"{"ok":false,"error":"channel_not_found"}"#)]).await;
    let error =
        one(below(&double, Kind::Slack)).send(&origin(), request("POST", "/api/chat.postMessage")).await;
    assert_eq!(error.map_err(Failure::into_error).expect_err("a failure").code, Code::NotFound);
}

#[tokio::test]
async fn connections_are_shared_by_requests_to_a_service() {
    let double = Double::start((0..5).map(|_| Answer::text(200, "{}"))).await;
    let connections = one(below(&double, Kind::Generic));
    for _ in 0..5 {
        connections.send(&origin(), request("GET", "/x")).await.expect("an answer");
    }
    let peers: std::collections::HashSet<_> = double.asked().iter().map(|asked| asked.peer).collect();
    assert_eq!(peers.len(), 1, "{peers:?}");
}

#[tokio::test]
async fn no_answer_is_unavailable() {
    let double = Double::start([Answer::Silence]).await;
    let impatient = Request { timeout_ms: Some(30), ..request("GET", "/") };
    let error = one(below(&double, Kind::Generic))
        .send(&origin(), impatient)
        .await
        .map_err(Failure::into_error)
        .expect_err("no answer");
    assert_eq!(error.code, Code::Unavailable);
    let gone = secret(&Double::start([]).await, Kind::Slack);
    let error = one(gone)
        .send(&origin(), request("POST", ""))
        .await
        .map_err(Failure::into_error)
        .expect_err("nobody there");
    assert_eq!(error.code, Code::Unavailable);
    assert!(error.message.contains("`crm`") && !error.message.contains("s3cret"), "{error}");
}

#[tokio::test]
async fn a_secret_url_is_used_whole_and_shown_nowhere() {
    let (lines, _guard) = logged();
    let double =
        Double::start([Answer::text(200, "ok"), Answer::text(403, "invalid_token"), Answer::Silence]).await;
    let connection = secret(&double, Kind::Slack);
    assert!(!format!("{connection:?}").contains("s3cret"));
    let connections = one(connection);
    let post = || Request { body: Some(b"{}".to_vec()), ..request("POST", "") };
    connections.send(&origin(), post()).await.expect("posted");
    let asked = &double.asked()[0];
    assert_eq!((asked.target.as_str(), asked.header("authorization")), ("/services/T0/B0/url-s3cret", ""));
    let mut errors = vec![
        connections.send(&origin(), post()).await.map_err(Failure::into_error).expect_err("refused"),
        connections
            .send(&origin(), Request { timeout_ms: Some(30), ..post() })
            .await
            .map_err(Failure::into_error)
            .expect_err("no answer"),
    ];
    for refused in [request("POST", "/"), Request { query: vec![pair("a", "b")], ..post() }] {
        let error = connections
            .send(&origin(), refused)
            .await
            .map_err(Failure::into_error)
            .expect_err("no path of its own");
        assert_eq!(error.code, Code::Invalid);
        errors.push(error);
    }
    assert!(errors.iter().all(|error| !error.message.contains("s3cret")), "{errors:?}");
    assert_eq!(double.asked().len(), 3);
    let text = lines.text();
    assert!(text.contains("request to a connection"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
}

#[tokio::test]
async fn a_call_leaves_a_line_without_its_query() {
    let (lines, _guard) = logged();
    let double = Double::start([Answer::text(401, "no")]).await;
    let request = Request { query: vec![pair("email", "ann@example.com")], ..request("GET", "/contacts") };
    one(below(&double, Kind::Hubspot)).send(&origin(), request).await.expect("an answer");
    let text = lines.text();
    let line = text.lines().find(|line| line.contains("request to a connection")).expect("a line");
    for part in
        ["DEBUG", "\"notes\"", "delivery=dl-7", "\"crm\"", "\"GET\"", "\"/contacts\"", "status=401", "ms="]
    {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert!(!line.contains("ann"), "{line}");
    let warning = text.lines().find(|line| line.contains("WARN")).expect("a warning");
    assert!(warning.contains("chatplug connections test crm"), "{warning}");
    assert!(!text.contains("s3cret"), "{text}");
}

#[tokio::test]
async fn a_keyed_request_carries_the_same_key_each_time() {
    let double = Double::start([Answer::text(200, ""), Answer::text(200, ""), Answer::text(200, "")]).await;
    let connections = one(Connection { post: Effect::Keyed, ..below(&double, Kind::Generic) });
    connections.send(&origin(), request("POST", "/")).await.expect("an answer");
    let own = Request { headers: vec![pair("Idempotency-Key", "mine")], ..request("POST", "/") };
    connections.send(&origin(), own).await.expect("an answer");
    connections.send(&origin(), request("PUT", "/")).await.expect("an answer");
    let keys: Vec<_> =
        double.asked().iter().map(|asked| asked.header("idempotency-key").to_owned()).collect();
    assert_eq!(keys, ["chatplug-notes-00000000-7-3", "mine", ""]);
}

#[tokio::test]
async fn an_effect_is_the_plugins_word_or_goes_by_the_method() {
    let double = Double::start([]).await;
    let connections = one(Connection { post: Effect::Keyed, ..below(&double, Kind::Generic) });
    let check = |method: &str, word: Option<&str>, expected: Effect| {
        let request = Request { effect: word.map(str::to_owned), ..request(method, "/") };
        assert_eq!(connections.effect(&request), Ok(expected), "{method} {word:?}");
    };
    check("GET", None, Effect::Read);
    check("HEAD", None, Effect::Read);
    check("PUT", None, Effect::Repeatable);
    check("DELETE", None, Effect::Repeatable);
    check("POST", None, Effect::Keyed);
    check("PATCH", None, Effect::Keyed);
    check("POST", Some("read"), Effect::Read);
    check("GET", Some("unknown"), Effect::Unknown);
}

#[tokio::test]
async fn connections_can_be_replaced_all_or_none() {
    let double = Double::start([Answer::text(200, ""), Answer::text(200, "")]).await;
    let named = |name: &str| Connection { name: name.to_owned(), ..below(&double, Kind::Generic) };
    let connections = Connections::new(vec![named("crm")]).expect("connections");
    let to = |name: &str| Request { connection: name.to_owned(), ..request("GET", "/") };
    let wrong = Connection { credential: Credential::Bearer("".into()), ..named("bad") };
    connections.replace(vec![named("new"), wrong]).expect_err("refused whole");
    connections.send(&origin(), to("crm")).await.expect("still there");
    connections.replace(vec![named("new")]).expect("replaced");
    connections.send(&origin(), to("new")).await.expect("there now");
    assert_eq!(
        connections.send(&origin(), to("crm")).await.map_err(Failure::into_error).expect_err("gone").code,
        Code::NotFound
    );
}

#[test]
fn connections_that_cannot_work_are_refused_without_showing_a_secret() {
    let good =
        || connection(Kind::Generic, Target::BaseUrl("https://h.example".to_owned()), Credential::None);
    let check = |connections: Vec<Connection>| {
        let error = Connections::new(connections).err().expect("refused").to_string();
        assert!(error.contains("`crm`") && !error.contains("s3cret"), "{error}");
    };
    for url in [
        "h.example",
        "ftp://h.example",
        "https://u:s3cret@h.example",
        "https://h.example/?k=s3cret",
        "https://h.example/#a",
    ] {
        check(vec![Connection { target: Target::BaseUrl(url.to_owned()), ..good() }]);
    }
    for url in ["", "s3cret", "file:///s3cret"] {
        check(vec![Connection { target: Target::SecretUrl(url.into()), ..good() }]);
    }
    let hubspot = Connection { kind: Kind::Hubspot, ..good() };
    check(vec![Connection { target: Target::SecretUrl("https://h.example/s3cret".into()), ..hubspot }]);
    let header = |name: &str, value: &str| Credential::Header { name: name.to_owned(), value: value.into() };
    for credential in [
        Credential::Bearer("".into()),
        Credential::Bearer("s3cret\n".into()),
        Credential::Basic { user: "a:b".to_owned(), password: "s3cret".into() },
        Credential::Basic { user: "a".to_owned(), password: "".into() },
        header("X Y", "s3cret"),
        header("Host", "s3cret"),
        header("Content-Length", "s3cret"),
        header("X-Y", ""),
        header("X-Y", "s3cret\r\nHost: h"),
    ] {
        check(vec![Connection { credential, ..good() }]);
    }
    check(vec![good(), good()]);
}

#[tokio::test]
async fn a_test_says_what_an_answer_means() {
    let check = async |secret_url: bool, kind: Kind, status: u16, body: &str, works: bool, said: &str| {
        let double = Double::start([Answer::text(status, body)]).await;
        let connection = if secret_url { secret(&double, kind) } else { below(&double, kind) };
        let trial = one(connection).test("crm").await.expect("a trial");
        assert_eq!((trial.works, trial.advice.is_none()), (works, works), "{trial:?}");
        assert!(format!("{} {:?}", trial.meaning, trial.advice).contains(said), "{trial:?}");
        assert!(trial.answer.contains(&status.to_string()), "{trial:?}");
        assert!(!format!("{trial:?}").contains("s3cret"));
    };
    check(false, Kind::Hubspot, 200, r#"{"results":[]}"#, true, "may read contacts").await;
    check(false, Kind::Hubspot, 401, "{}", false, "bearer").await;
    check(false, Kind::Hubspot, 403, "{}", false, "crm.objects.contacts.read").await;
    check(false, Kind::Hubspot, 404, "", false, "https://api.hubapi.com").await;
    check(false, Kind::Hubspot, 429, "", false, "wait").await;
    check(false, Kind::Slack, 200, r#"{"ok":true,"team":"Acme","user":"bot"}"#, true, "bot of Acme").await;
    check(false, Kind::Slack, 200, r#"{"ok":false,"error":"invalid_auth"}"#, false, "xoxb").await;
    check(false, Kind::Slack, 404, "<html>", false, "https://slack.com").await;
    check(false, Kind::Slack, 200, "<html>", false, "https://slack.com").await;
    check(false, Kind::Slack, 503, "", false, "problem of its own").await;
    check(true, Kind::Slack, 400, "no_text", true, "knows the URL").await;
    check(true, Kind::Slack, 400, "invalid_payload", true, "knows the URL").await;
    check(true, Kind::Slack, 200, "ok", true, "knows the URL").await;
    check(true, Kind::Slack, 403, "invalid_token", false, "new incoming webhook").await;
    check(true, Kind::Slack, 404, "no_service", false, "new incoming webhook").await;
    check(true, Kind::Slack, 410, "channel_is_archived", false, "new incoming webhook").await;
    check(true, Kind::Slack, 200, "<html>", false, "not Slack").await;
    check(true, Kind::Slack, 429, "", false, "wait").await;
    check(false, Kind::Generic, 204, "", true, "reached").await;
    check(false, Kind::Generic, 404, "", true, "reached").await;
    check(false, Kind::Generic, 302, "", false, "redirects").await;
    check(false, Kind::Generic, 403, "", false, "credential").await;
    check(false, Kind::Generic, 500, "", false, "problem").await;
    check(true, Kind::Generic, 405, "", true, "reached").await;
}

#[tokio::test]
async fn a_test_does_no_harm() {
    let check = async |secret_url: bool, kind: Kind, expected: (&str, &str, &str)| {
        let double = Double::start([Answer::text(200, "")]).await;
        let connection = if secret_url { secret(&double, kind) } else { below(&double, kind) };
        one(connection).test("crm").await.expect("a trial");
        let asked = &double.asked()[0];
        let body = String::from_utf8(asked.body.clone()).expect("text");
        assert_eq!((asked.method.as_str(), asked.target.as_str(), body.as_str()), expected);
        assert_eq!(asked.header("authorization"), if secret_url { "" } else { "Bearer b-s3cret" });
    };
    check(false, Kind::Hubspot, ("GET", "/base/crm/v3/objects/contacts?limit=1", "")).await;
    check(false, Kind::Slack, ("POST", "/base/api/auth.test", "")).await;
    check(true, Kind::Slack, ("POST", "/services/T0/B0/url-s3cret", "{}")).await;
    check(false, Kind::Generic, ("GET", "/base", "")).await;
    check(true, Kind::Generic, ("GET", "/services/T0/B0/url-s3cret", "")).await;
}

#[tokio::test]
async fn a_test_without_an_answer_says_so() {
    let gone = below(&Double::start([]).await, Kind::Hubspot);
    let connections = one(gone);
    let trial = connections.test("crm").await.expect("a trial");
    assert!(!trial.works && trial.answer.contains("no answer"), "{trial:?}");
    assert_eq!(connections.test("other").await.expect_err("unknown").code, Code::NotFound);
}

/// A message as it comes out of an incident.
fn message(text: &str) -> crate::incident::Message {
    use crate::incident::{Condition, Incidents, Key, Kind, Seen};
    let mut incidents = Incidents::default();
    let condition = Condition { key: Key::new(Kind::DeadLetters, "notes"), count: 2, text: text.to_owned() };
    incidents.observe(Seen { conditions: vec![condition], ..Seen::default() }, 1_000);
    incidents.next(1_000).expect("a message")
}

#[tokio::test]
async fn the_operator_is_told_in_the_form_of_the_service() {
    let double =
        Double::start([Answer::text(200, "ok"), Answer::text(204, ""), Answer::text(200, "no_team")]).await;
    let slack = one(secret(&double, Kind::Slack));
    slack.tell("crm", &message("2 dead letters & <no!here>")).await.expect("Slack takes it");
    let hook = one(below(&double, Kind::Generic));
    hook.tell("crm", &message("2 dead letters")).await.expect("the service takes it");
    let asked = double.asked();
    assert_eq!(asked[0].target, "/services/T0/B0/url-s3cret");
    assert_eq!(
        asked[0].json(),
        serde_json::json!({ "text": "*Chatplug* 2 dead letters &amp; &lt;no!here&gt;" })
    );
    assert_eq!((asked[1].target.as_str(), asked[1].header("authorization")), ("/base", "Bearer b-s3cret"));
    assert_eq!(asked[1].header("content-type"), "application/json");
    let expected = serde_json::json!({
        "incident": "dead-letters:notes", "state": "open", "text": "2 dead letters", "since": "1970-01-01T00:00:01Z",
    });
    assert_eq!(asked[1].json(), expected);
    let refused = slack.tell("crm", &message("2 dead letters")).await.expect_err("Slack doesn't take it");
    assert!(!refused.message.contains("s3cret"), "{refused}");
}

#[tokio::test]
async fn a_message_that_a_service_refuses_is_an_error() {
    let double = Double::start([Answer::text(500, "ouch")]).await;
    let error = one(below(&double, Kind::Generic)).tell("crm", &message("x")).await.expect_err("HTTP 500");
    assert_eq!(
        (error.code, error.message.as_str()),
        (Code::Unavailable, "`crm` answered HTTP 500 to a message for the operator")
    );
    let error = one(below(&double, Kind::Hubspot)).tell("crm", &message("x")).await.expect_err("no place");
    assert_eq!(error.code, Code::Unsupported);
    assert_eq!(double.asked().len(), 1);
}

#[test]
fn no_spelling_of_a_private_address_makes_a_connection() {
    for host in crate::egress::tests::HOSTS {
        for target in [
            Target::BaseUrl(format!("http://{host}:9/base")),
            Target::SecretUrl(format!("http://{host}:9/services/T0/B0/url-s3cret").into()),
        ] {
            let public = |target| Connection {
                reach: Reach::Public,
                ..connection(Kind::Generic, target, Credential::None)
            };
            let refused = Connections::new(vec![public(target)]).err();
            assert!(refused.is_some_and(|error| !error.to_string().contains("s3cret")), "{host}");
        }
    }
}
