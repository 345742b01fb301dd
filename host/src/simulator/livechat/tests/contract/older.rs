//! The same of the older API.

use jiff::tz::TimeZone;

use super::*;
use crate::action::livechat::{Call, Report};
use crate::livechat::client_v2::{self, NOT_AT_ALL, shortfall};
use crate::simulator::livechat::{V2_KEY, V2_LOGIN};

/// Version 2 has statuses only.
const STATUSES: [(u16, Code, bool); 9] = [
    (302, Code::Other, false),
    (400, Code::Invalid, false),
    (401, Code::Credentials, false),
    (403, Code::Denied, false),
    (404, Code::NotFound, false),
    (408, Code::Unavailable, true),
    (429, Code::RateLimited, false),
    (500, Code::Unavailable, true),
    (503, Code::Unavailable, true),
];

fn client(scene: &Scene) -> client_v2::Client {
    let options = client_v2::Options {
        base_url: scene.livechat.base_url(),
        reach: Reach::Private,
        timezone: TimeZone::get("Europe/Warsaw").ok(),
        ..client_v2::Options::new(V2_LOGIN, V2_KEY.into())
    };
    client_v2::Client::new(options).expect("a client")
}

/// All functions that version 2 has at least in part.
fn rows(scene: &Scene) -> Vec<Row> {
    let smith = || "smith@example.com".to_owned();
    let read = |call, operation, place, value| Row { call, operation, told: Told::Json(place, value) };
    let report = |report, operation, place| {
        let query = json!({"filters": {"from": "2026-01-01", "to": "2026-01-02"}}).to_string();
        read(Call::Report { report, query }, operation, place, json!(0))
    };
    let chat = Call::GetChat { chat_id: scene.ended_thread.clone(), thread_id: None };
    let archives = Call::ListArchives { query: "{}".to_owned(), page_id: None };
    let agents = Call::ListAgents { group_ids: vec![], fields: vec![] };
    let agent = Call::GetAgent { agent_id: smith(), fields: vec![] };
    let statuses = Call::ListRoutingStatuses { group_ids: vec![] };
    let status = Call::SetRoutingStatus { agent_id: smith(), status: "not_accepting_chats".to_owned() };
    let groups = Call::ListGroups { fields: vec![] };
    vec![
        read(chat, "v2 GET chats/{id}", "/thread/id", json!(scene.ended_thread)),
        read(archives, "v2 GET chats", "/chats/0/id", json!(scene.ended_thread)),
        read(agents, "v2 GET agents", "/0/id", json!(PAT_OWNER)),
        read(agent, "v2 GET agents/{id}", "/id", json!(smith())),
        read(statuses, "v2 GET agents", "/0/agent_id", json!(PAT_OWNER)),
        Row { call: status, operation: "v2 PUT agents/{id}", told: Told::Nothing },
        read(groups, "v2 GET groups", "/2/name", json!("Sales")),
        report(Report::TotalChats, "v2 GET reports/chats/total_chats", "/records/2026-01-02/total"),
        report(Report::Ratings, "v2 GET reports/chats/ratings", "/records/2026-01-01/good"),
        report(Report::ResponseTime, "v2 GET reports/chats/response_time", "/records/2026-01-02/count"),
        report(
            Report::FirstResponseTime,
            "v2 GET reports/chats/first_response_time",
            "/records/2026-01-01/first_response_time",
        ),
    ]
}

#[tokio::test]
async fn each_function_that_it_has_works() {
    let scene = Scene::of(PAT_OWNER).await;
    let (client, rows) = (client(&scene), rows(&scene));
    for capability in CAPABILITIES {
        let has_row = rows.iter().any(|row| row.call.capability() == *capability);
        assert_eq!(has_row, shortfall(capability) != Some(NOT_AT_ALL), "{capability}");
    }
    for row in &rows {
        let before = scene.count(row.operation);
        scene.succeed(&client, row).await;
        assert_eq!(scene.asked(row.operation, before).len(), 1, "{}", row.operation);
    }
}

#[tokio::test]
async fn each_function_tells_what_it_is_refused_for() {
    let scene = Scene::of(PAT_OWNER).await;
    let client = client(&scene);
    for row in rows(&scene) {
        for (status, code, in_doubt) in STATUSES {
            let before = scene.count(row.operation);
            scene.fail(Fault::Refuse { status, error_type: "some words".to_owned() }, Times::Next(1));
            let failure = client.call(&origin(), row.call.clone()).await.expect_err("refused");
            let place = format!("{} {status}: {failure:?}", row.operation);
            assert_eq!(scene.asked(row.operation, before).len(), 1, "{place}");
            assert_eq!(matches!(failure, Failure::Doubt(_)), in_doubt, "{place}");
            let error = failure.into_error();
            assert_eq!(error.code, code, "{place}");
            assert!(error.message.contains("some words") && !error.message.contains(V2_KEY), "{place}");
        }
        scene.fail(Fault::TooManyRequests { retry_after: Some("7".to_owned()) }, Times::Next(1));
        let error = client.call(&origin(), row.call.clone()).await.expect_err("not now").into_error();
        assert_eq!((error.code, error.retry_after_ms), (Code::RateLimited, Some(7_000)), "{error}");
    }
}
