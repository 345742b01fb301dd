use serde_json::{Value, json};

use super::*;
use crate::action::livechat::{Direct, Report};
use crate::double::{Answer, Double, logged};
use crate::event::trace_id::TraceId;

/// The base64 of `ann@example.com:key-s3cret`.
const BASIC: &str = "Basic YW5uQGV4YW1wbGUuY29tOmtleS1zM2NyZXQ=";

fn client(double: &Double) -> Client {
    let options = Options {
        base_url: double.url.clone(),
        reach: Reach::Private,
        timezone: TimeZone::get("Europe/Warsaw").ok(),
        ..Options::new("ann@example.com", "key-s3cret".into())
    };
    Client::new(options).expect("a client")
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

async fn check(call: Call, target: &str, answer: Value, expected: Value) {
    let double = Double::start([Answer::text(200, &answer.to_string())]).await;
    let came = client(&double).call(&origin(), call).await.expect("an answer");
    assert_eq!(serde_json::from_str::<Value>(&came).expect("JSON"), expected, "{target}");
    let asked = &double.asked()[0];
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("GET", target));
    assert_eq!((asked.header("authorization"), asked.header("x-api-version")), (BASIC, "2"));
}

fn item() -> Value {
    json!({
        "id": "MH022RD0K5", "type": "chat", "rate": "rated_good", "duration": 60,
        "visitor": {"id": "S1.K1", "name": "Mary", "ip": "203.0.113.7", "city": "Wroclaw", "country": "Poland"},
        "agents": [{"display_name": "Ann", "email": "ann@example.com"}],
        "supervisors": [{"display_name": "Bob", "email": "bob@example.com"}],
        "prechat_survey": [{"key": "Question", "value": "how?"}, {"key": "E-mail:", "value": "mary@example.com"}],
        "started_timestamp": 1_358_937_653, "ended_timestamp": 1_358_939_109, "ended": "Wed, 01/23/13",
        "messages": [
            {"author_name": "Mary", "text": "hi", "timestamp": 1_358_937_654, "user_type": "visitor"},
            {"author_name": "Ann", "text": "hello", "timestamp": 1_358_937_660, "user_type": "agent", "agent_id": "ann@example.com"},
            {"author_name": "Bob", "text": "psst", "timestamp": 1_358_937_661, "user_type": "supervisor", "agent_id": "bob@example.com"},
        ],
        "tags": ["sales"], "group": [2], "custom_variables": [{"key": "tier", "value": "gold"}],
    })
}

fn shaped() -> Value {
    let event = |number: u32, author: &str, visibility: &str, text: &str, at: &str| {
        json!({"id": format!("MH022RD0K5_{number}"), "type": "message", "visibility": visibility, "text": text,
            "author_id": author, "created_at": at})
    };
    json!({
        "id": "MH022RD0K5", "access": {"group_ids": [2]},
        "users": [
            {"id": "S1.K1", "type": "customer", "name": "Mary", "email": "mary@example.com", "present": false,
                "visit": {"ip": "203.0.113.7", "geolocation": {"city": "Wroclaw", "country": "Poland"}},
                "session_fields": [{"tier": "gold"}]},
            {"id": "ann@example.com", "type": "agent", "name": "Ann", "email": "ann@example.com",
                "visibility": "all", "present": false},
            {"id": "bob@example.com", "type": "agent", "name": "Bob", "email": "bob@example.com",
                "visibility": "agents", "present": false},
        ],
        "thread": {
            "id": "MH022RD0K5", "active": false, "created_at": "2013-01-23T10:40:53.000000Z",
            "user_ids": ["S1.K1", "ann@example.com", "bob@example.com"], "access": {"group_ids": [2]}, "tags": ["sales"],
            "properties": {"rating": {"score": 1}},
            "events": [
                event(1, "S1.K1", "all", "hi", "2013-01-23T10:40:54.000000Z"),
                event(2, "ann@example.com", "all", "hello", "2013-01-23T10:41:00.000000Z"),
                event(3, "bob@example.com", "agents", "psst", "2013-01-23T10:41:01.000000Z"),
                {"id": "MH022RD0K5_end", "type": "system_message", "system_message_type": "system_archived",
                    "visibility": "all", "created_at": "2013-01-23T11:05:09.000000Z"},
            ],
        },
    })
}

#[tokio::test]
async fn chats_have_the_shape_of_the_newer_api() {
    let get = |thread: Option<&str>| Call::GetChat {
        chat_id: "MH022RD0K5".to_owned(),
        thread_id: thread.map(str::to_owned),
    };
    check(get(None), "/chats/MH022RD0K5", item(), shaped()).await;
    check(get(Some("a/b c")), "/chats/a%2Fb%20c", item(), shaped()).await;
    let list = |query: Value, page_id: Option<&str>| Call::ListArchives {
        query: query.to_string(),
        page_id: page_id.map(str::to_owned),
    };
    let query = json!({"limit": 100, "filters": {"from": "2013-01-23", "to": "2013-01-24",
        "agents": {"values": ["ann@example.com"]}, "tags": {"values": ["a b", "c"]}, "query": "x"}});
    let target = "/chats?date_from=2013-01-23&date_to=2013-01-24&timezone=Europe%2FWarsaw&agent=ann%40example.com\
                  &tag%5B%5D=a+b&tag%5B%5D=c&query=x";
    let answer = json!({"chats": [item()], "total": 30, "pages": 2});
    let first = json!({"chats": [shaped()], "found_chats": 30, "next_page_id": "2"});
    check(list(query.clone(), None), target, answer.clone(), first).await;
    let last = json!({"chats": [shaped()], "found_chats": 30, "previous_page_id": "1"});
    check(list(query, Some("2")), &format!("{target}&page=2"), answer, last).await;
    check(list(json!({}), None), "/chats", json!({"chats": []}), json!({"chats": []})).await;
}

#[tokio::test]
async fn agents_and_reports_have_the_shape_of_the_newer_api() {
    let agents = json!([{"name": "Ann", "permission": "owner", "login": "ann@example.com", "status": "accepting chats"},
        {"login": "bob@example.com", "status": "offline"}]);
    let statuses = Call::ListRoutingStatuses { group_ids: vec![] };
    let shaped = json!([{"agent_id": "ann@example.com", "status": "accepting_chats"},
        {"agent_id": "bob@example.com", "status": "offline"}]);
    check(statuses, "/agents", agents.clone(), shaped).await;
    let list = Call::ListAgents { group_ids: vec![], fields: vec!["groups".to_owned()] };
    let shaped = json!([
        {"id": "ann@example.com", "name": "Ann", "role": "owner", "login_status": "accepting chats"},
        {"id": "bob@example.com", "login_status": "offline"},
    ]);
    check(list, "/agents", agents, shaped).await;
    let one = json!({"login": "ann@example.com", "login_status": "not accepting chats", "max_chats_count": 6,
        "groups": [{"id": 2, "name": "Sales"}], "last_logout": 1_358_427_204});
    let shaped = json!({"id": "ann@example.com", "login_status": "not accepting chats", "max_chats_count": 6,
        "groups": [{"id": 2, "priority": "normal"}], "last_logout": "2013-01-17T12:53:24.000000Z"});
    let get = Call::GetAgent { agent_id: "ann@example.com".to_owned(), fields: vec![] };
    check(get, "/agents/ann@example.com", one, shaped).await;
    let groups = json!([{"id": 0, "name": "All", "language": "en", "status": "online"}]);
    let shaped = json!([{"id": 0, "name": "All", "language_code": "en", "routing_status": "online"}]);
    check(Call::ListGroups { fields: vec![] }, "/groups", groups, shaped).await;

    let report = |report| {
        let query = json!({"filters": {"from": "2013-01-28", "to": "2013-01-28"}}).to_string();
        Call::Report { report, query }
    };
    let target = |name: &str| {
        format!(
            "/reports/chats/{name}?date_from=2013-01-28&date_to=2013-01-28&timezone=Europe%2FWarsaw&group_by=day"
        )
    };
    let chats = json!({"2013-01-28": {"chats": 18}, "2013-01-29": {"chats": 2}});
    let totals = json!({"total": 20, "records": {"2013-01-28": {"total": 18, "continuous": 0},
        "2013-01-29": {"total": 2, "continuous": 0}}});
    check(report(Report::TotalChats), &target("total_chats"), chats, totals).await;
    let ratings = json!({"2013-01-28": {"begin": "x", "bad": 1, "good": 6, "chats": 37}});
    let shaped = json!({"records": {"2013-01-28": {"chats": 37, "good": 6, "bad": 1}}});
    check(report(Report::Ratings), &target("ratings"), ratings, shaped).await;
    let waited = json!({"2013-01-28": {"first_response_time": {"count": 2, "seconds": 7.5}},
        "2013-01-29": {"first_response_time": {"count": 0, "seconds": null}}});
    let shaped = json!({"records": {"2013-01-28": {"count": 2, "first_response_time": 7.5},
        "2013-01-29": {"count": 0, "first_response_time": 0.0}}});
    check(report(Report::FirstResponseTime), &target("first_response_time"), waited, shaped).await;
    let waited = json!({"2013-01-28": {"response_time": {"count": 2, "seconds": 7}}});
    let shaped = json!({"records": {"2013-01-28": {"count": 2, "response_time": 7.0}}});
    check(report(Report::ResponseTime), &target("response_time"), waited, shaped).await;
}

#[tokio::test]
async fn an_agent_is_switched_with_the_older_words() {
    let double = Double::start([Answer::text(200, "{}"), Answer::text(200, "")]).await;
    let client = client(&double);
    for _ in 0..2 {
        let status = "not_accepting_chats".to_owned();
        let call = Call::SetRoutingStatus { agent_id: "ann@example.com".to_owned(), status };
        assert_eq!(client.call(&origin(), call).await.as_deref(), Ok(""));
    }
    let asked = &double.asked()[0];
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("PUT", "/agents/ann@example.com"));
    assert_eq!(asked.json(), json!({"status": "not accepting chats"}));
}

fn of_days(report: Report, distribution: &str, from: &str, to: &str) -> Call {
    let query = json!({"distribution": distribution, "filters": {"from": from, "to": to}});
    Call::Report { report, query: query.to_string() }
}

#[tokio::test]
async fn each_day_that_was_asked_for_is_in_a_report() {
    let target = |name: &str, to: &str, group_by: &str| {
        format!(
            "/reports/chats/{name}?date_from=2013-01-28&date_to={to}&timezone=Europe%2FWarsaw&group_by={group_by}"
        )
    };
    let numbers = [
        (Report::TotalChats, "total_chats", json!({"total": 0, "continuous": 0})),
        (Report::Ratings, "ratings", json!({"chats": 0, "good": 0, "bad": 0})),
        (Report::ResponseTime, "response_time", json!({"count": 0, "response_time": 0})),
        (Report::FirstResponseTime, "first_response_time", json!({"count": 0, "first_response_time": 0})),
    ];
    for (report, name, none) in numbers {
        let mut expected = json!({"records": {"2013-01-28": none, "2013-01-29": none, "2013-01-30": none}});
        if report == Report::TotalChats {
            expected["total"] = json!(0);
        }
        let call = of_days(report, "day", "2013-01-28", "2013-01-30");
        check(call, &target(name, "2013-01-30", "day"), json!({}), expected).await;
    }
    // What there is stays as it is.
    let two = json!({"records": {"2013-01-28": {"total": 0, "continuous": 0}, "2013-01-29": {"total": 2, "continuous": 0}},
        "total": 2});
    let call = of_days(Report::TotalChats, "day", "2013-01-28", "2013-01-29");
    check(call, &target("total_chats", "2013-01-29", "day"), json!({"2013-01-29": {"chats": 2}}), two).await;
    // Only days are promised.
    let call = of_days(Report::Ratings, "hour", "2013-01-28", "2013-01-28");
    check(call, &target("ratings", "2013-01-28", "hour"), json!({}), json!({"records": {}})).await;
}

#[tokio::test]
async fn the_end_of_what_is_listed_is_not_taken_for_the_end_of_the_chats() {
    let list = |page: &str| Call::ListArchives { query: "{}".to_owned(), page_id: Some(page.to_owned()) };
    let answer = |pages: u64| json!({"chats": [], "total": pages * 25, "pages": pages});
    let page = |number: u64, pages: u64, next: Option<&str>| {
        let mut page =
            json!({"chats": [], "found_chats": pages * 25, "previous_page_id": (number - 1).to_string()});
        next.into_iter().for_each(|next| page["next_page_id"] = json!(next));
        page
    };
    check(list("999"), "/chats?page=999", answer(999), page(999, 999, None)).await;
    check(list("999"), "/chats?page=999", answer(1_000), page(999, 1_000, Some("1000"))).await;
    check(list("1000"), "/chats?page=1000", answer(1_000), page(1_000, 1_000, Some("1001"))).await;
    check(list("1000"), "/chats?page=1000", answer(2_000), page(1_000, 2_000, Some("1001"))).await;
    let double = Double::start([]).await;
    let failure = client(&double).call(&origin(), list("1001")).await.expect_err("there may be more");
    let error = failure.into_error();
    assert!(error.code == Code::Limit && error.message.contains("25,000"), "{error}");
    assert!(double.asked().is_empty(), "it can't be had");
}

#[tokio::test]
async fn what_is_retired_and_what_failed_is_logged() {
    let (lines, _guard) = logged();
    let chat = |id: &str| Call::GetChat { chat_id: id.to_owned(), thread_id: None };
    let retired = || Answer::text(200, &item().to_string()).and("Deprecation", "2027-01-01");
    let failed = Answer::text(500, r#"{"error":"key-s3cret"}"#).and("x-debug-id", "dbg-42");
    let double = Double::start([retired(), retired(), failed]).await;
    let client = client(&double);
    client.call(&origin(), chat("A1")).await.expect("a chat");
    client.call(&origin(), chat("B2")).await.expect("a chat");
    client.call(&origin(), chat("C3")).await.expect_err("a failure");
    let text = lines.text();
    let warnings: Vec<&str> = text.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 2, "{text}");
    assert!(warnings[0].contains("GET /chats/{id}") && warnings[0].contains("2027-01-01"), "{text}");
    assert!(warnings[0].contains("v3.6"), "it says what to do: {text}");
    assert!(warnings[1].contains("dbg-42") && !text.contains("s3cret"), "{text}");
}

#[tokio::test]
async fn what_it_lacks_is_unsupported_and_not_sent() {
    let double = Double::start([]).await;
    let client = client(&double);
    let text = || "x".to_owned();
    let list = |query: &str| Call::ListArchives { query: query.to_owned(), page_id: None };
    let direct = Direct::new("agent", "list_chats", "{}", None).expect("a call");
    for call in [
        Call::SendNote { chat_id: text(), text: text() },
        Call::SendMessage { chat_id: text(), text: text() },
        Call::Deactivate { chat_id: text() },
        Call::GetCustomer { customer_id: text() },
        Call::ListChats { query: "{}".to_owned(), page_id: None },
        Call::ListAgents { group_ids: vec![2], fields: vec![] },
        Call::Report { report: Report::Tags, query: "{}".to_owned() },
        Call::Report { report: Report::Ratings, query: "{}".to_owned() },
        Call::Report { report: Report::Ratings, query: r#"{"filters":{"from":"2026-06-01"}}"#.to_owned() },
        Call::Direct(direct),
        list(r#"{"sort_order":"asc"}"#),
        list(r#"{"filters":{"from":"2026-06-01T10:00:00Z"}}"#),
        list(r#"{"filters":{"agents":{"values":["a","b"]}}}"#),
        list(r#"{"filters":{"agents":{"exclude_values":["a"]}}}"#),
        list(r#"{"filters":{"customer_email":"a@example.com"}}"#),
        list(r#"{"highlights":{}}"#),
    ] {
        let error =
            client.call(&origin(), call.clone()).await.map_err(Failure::into_error).expect_err("refused");
        assert_eq!(error.code, Code::Unsupported, "{call:?}: {error}");
        assert!(error.message.contains("livechat.api"), "{error}");
    }
    for chat_id in ["", ".", ".."] {
        let call = Call::GetChat { chat_id: chat_id.to_owned(), thread_id: None };
        let error = client.call(&origin(), call).await.map_err(Failure::into_error).expect_err("refused");
        assert_eq!(error.code, Code::Invalid);
    }
    assert!(double.asked().is_empty());
}

#[tokio::test]
async fn a_refusal_says_what_to_check_and_shows_no_secret() {
    let call = || Call::ListRoutingStatuses { group_ids: vec![] };
    let check = async |answer: Answer, code: Code, part: &str, in_doubt: bool| {
        let double = Double::start([answer]).await;
        let failure = client(&double).call(&origin(), call()).await.expect_err("a failure");
        assert_eq!(matches!(failure, Failure::Doubt(_)), in_doubt, "{failure:?}");
        let error = failure.into_error();
        assert!(error.code == code && error.message.contains(part), "{error}");
        assert!(!error.message.contains("s3cret"), "{error}");
        error.retry_after_ms
    };
    check(Answer::text(401, "{}"), Code::Credentials, "livechat.login", false).await;
    check(Answer::text(403, r#"{"error":"no key-s3cret"}"#), Code::Denied, "may not do that", false).await;
    check(Answer::text(404, r#"{"errors":["gone"]}"#), Code::NotFound, "gone", false).await;
    check(Answer::text(400, ""), Code::Invalid, "HTTP 400", false).await;
    let busy = Answer::text(429, "").and("retry-after", "3");
    assert_eq!(check(busy, Code::RateLimited, "429", false).await, Some(3_000));
    check(Answer::text(500, "<html>"), Code::Unavailable, "500", true).await;
    check(Answer::text(200, "<html>"), Code::Unavailable, "without JSON", true).await;
    check(Answer::text(200, "{}"), Code::Unavailable, "unknown shape", false).await;
}

#[test]
fn options_that_cannot_work_are_refused() {
    let check = |login: &str, key: &str, named: &str| {
        let error = Client::new(Options::new(login, key.into())).err().expect("refused").to_string();
        assert!(error.contains(named) && !error.contains("s3cret"), "{error}");
    };
    check("", "s3cret", "livechat.login");
    check("a:b", "s3cret", "livechat.login");
    check("ann@example.com", "", "livechat.api_key");
    check("ann@example.com", "s3cret\n", "livechat.api_key");
    assert!(!format!("{:?}", Options::new("a", "s3cret".into())).contains("s3cret"));
}
