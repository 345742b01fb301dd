//! The client against a LiveChat of its own: each function, where it works and where it doesn't.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::action::livechat::LiveChat;
use crate::action::{Code, Failure, Origin};
use crate::egress::Reach;
use crate::event::trace_id::TraceId;
use crate::grant::CAPABILITIES;
use crate::livechat::client::{Bot, Client, Credentials, Options};
use crate::simulator::livechat::{
    ACCOUNT_ID, BOT_ID, BOT_SECRET, CLIENT_ID, EndedBy, Livechat, ORGANIZATION_ID, Opening, PAT, PAT_OWNER,
};
use crate::simulator::{Fault, Recorded, Times};

mod older;
mod paging;
mod rows;

use rows::{Row, Told, rows};

/// All words that LiveChat has for an error, a status that may come with each, what it is to a plugin, and whether the
/// call may have been carried out all the same.
const CLASSES: [(&str, u16, Code, bool); 26] = [
    ("agent_offline", 422, Code::Conflict, false),
    ("already_exists", 422, Code::Conflict, false),
    ("authentication", 401, Code::Credentials, false),
    ("authorization", 403, Code::Denied, false),
    ("chat_anonymized", 422, Code::Conflict, false),
    ("chat_inactive", 422, Code::Inactive, false),
    ("customer_banned", 403, Code::Denied, false),
    ("entity_too_large", 413, Code::Invalid, false),
    ("group_not_found", 422, Code::NotFound, false),
    ("groups_offline", 422, Code::Conflict, false),
    ("internal", 500, Code::Unavailable, true),
    ("license_expired", 402, Code::Credentials, false),
    ("license_not_found", 404, Code::Credentials, false),
    ("limit_reached", 422, Code::Limit, false),
    ("misdirected_request", 421, Code::Other, false),
    ("missing_access", 403, Code::Denied, false),
    ("not_allowed", 403, Code::Denied, false),
    ("not_found", 404, Code::NotFound, false),
    ("ownership_transfer", 422, Code::Other, false),
    ("request_timeout", 408, Code::Unavailable, true),
    ("requester_suspended", 403, Code::Credentials, false),
    ("service_unavailable", 503, Code::Unavailable, true),
    ("too_many_requests", 429, Code::RateLimited, false),
    ("unsupported_version", 404, Code::Unsupported, false),
    ("validation", 422, Code::Invalid, false),
    ("wrong_product_version", 422, Code::Unsupported, false),
];

/// An account with a chat in which our user is, and one that has ended.
struct Scene {
    livechat: Livechat,
    chat: String,
    thread: String,
    ended: String,
    ended_thread: String,
}

impl Scene {
    /// `us` is our user's id.
    async fn of(us: &str) -> Scene {
        let livechat = Livechat::start().await.expect("a port");
        let told = livechat.start_chat(&Opening::by("Dana")).expect("a chat");
        livechat.agent_joins(&told.chat_id, us).expect("it joins");
        let over = livechat.start_chat(&Opening::by("Mia")).expect("a chat");
        livechat.end_chat(&over.chat_id, &EndedBy::Router).expect("it ends");
        Scene {
            livechat,
            chat: told.chat_id,
            thread: told.thread_id,
            ended: over.chat_id,
            ended_thread: over.thread_id,
        }
    }

    fn client(&self, credentials: Credentials) -> Client {
        let base_url = self.livechat.base_url();
        Client::new(Options { base_url, reach: Reach::Private, ..Options::new(credentials) })
            .expect("a client")
    }

    fn fail(&self, fault: Fault, times: Times) {
        self.livechat.faults().set("*", fault, times);
    }

    /// Makes a call that must work, and checks what it answers.
    async fn succeed(&self, client: &dyn LiveChat, row: &Row) {
        let Row { call, told, .. } = row;
        let answer =
            client.call(&origin(), call.clone()).await.unwrap_or_else(|error| panic!("{call:?}: {error:?}"));
        match told {
            Told::Nothing => assert_eq!(answer, "", "{call:?}"),
            Told::Sent => {
                let sent = self.livechat.sent().pop().expect("something was sent");
                assert_eq!(answer, sent.event_id, "{call:?}");
            }
            Told::Json(place, value) => {
                let answer: Value = serde_json::from_str(&answer).expect("JSON");
                assert_eq!(answer.pointer(place), Some(value), "{call:?}: {answer}");
            }
        }
    }

    /// The requests of an operation, behind those of before.
    fn asked(&self, operation: &str, before: usize) -> Vec<Recorded> {
        self.livechat.requests().of_operation(operation).split_off(before)
    }

    fn count(&self, operation: &str) -> usize {
        self.livechat.requests().of_operation(operation).len()
    }
}

fn pat() -> Credentials {
    Credentials::Pat { account_id: ACCOUNT_ID.to_owned(), token: PAT.into() }
}

fn bot() -> Credentials {
    Credentials::Bot(Bot {
        id: BOT_ID.to_owned(),
        secret: BOT_SECRET.into(),
        client_id: CLIENT_ID.to_owned(),
        organization: ORGANIZATION_ID.to_owned(),
    })
}

pub(super) fn origin() -> Origin {
    Origin {
        plugin: Arc::from("p"),
        delivery: 1,
        trace: TraceId::default(),
        step: 1,
        accepted_at_ms: 0,
        answer_bytes: 1 << 20,
    }
}

fn regions(asked: &[Recorded]) -> Vec<&str> {
    asked.iter().map(region).collect()
}

/// The data centre that a request went to, as far as it said.
fn region(asked: &Recorded) -> &str {
    let header = asked.headers.iter().find(|(name, _)| name == "x-region");
    header.map_or("", |(_, region)| region.as_str())
}

#[tokio::test]
async fn each_function_works() {
    let scene = Scene::of(PAT_OWNER).await;
    let client = scene.client(pat());
    let rows = rows(&scene);
    for capability in CAPABILITIES {
        let has_row = rows.iter().any(|row| row.call.capability() == *capability);
        assert!(has_row, "no row for {capability}");
    }
    for row in &rows {
        let before = scene.count(row.operation);
        scene.succeed(&client, row).await;
        assert_eq!(scene.asked(row.operation, before).len(), 1, "{}", row.operation);
    }
}

#[tokio::test]
async fn each_function_tells_each_of_livechats_errors() {
    let scene = Scene::of(PAT_OWNER).await;
    let client = scene.client(pat());
    for row in rows(&scene) {
        for (class, status, code, in_doubt) in CLASSES {
            let before = scene.count(row.operation);
            scene.fail(Fault::Refuse { status, error_type: class.to_owned() }, Times::UntilCleared);
            let settled = client.call(&origin(), row.call.clone()).await;
            scene.livechat.faults().clear();
            assert!(scene.count(row.operation) > before, "{class}: {} was asked", row.operation);
            // What has ended already need not be ended.
            if (row.operation, class) == ("deactivate_chat", "chat_inactive") {
                assert_eq!(settled.as_deref(), Ok(""));
                continue;
            }
            let failure = settled.expect_err("refused");
            let place = format!("{} {class}: {failure:?}", row.operation);
            assert_eq!(matches!(failure, Failure::Doubt(_)), in_doubt, "{place}");
            let error = failure.into_error();
            assert_eq!(error.code, code, "{place}");
            assert!(error.message.contains(class) && !error.message.contains(PAT), "{place}");
        }
    }
    assert!(scene.livechat.sent().is_empty(), "nothing was done");
}

#[tokio::test]
async fn each_function_finds_the_right_data_centre_once_and_remembers_it() {
    let scene = Scene::of(PAT_OWNER).await;
    for row in rows(&scene) {
        let client = scene.client(pat());
        scene.fail(Fault::WrongRegion, Times::Next(1));
        let before = scene.count(row.operation);
        scene.succeed(&client, &row).await;
        assert_eq!(regions(&scene.asked(row.operation, before)), ["", "fra"], "{}", row.operation);
        let before = scene.count("list_groups");
        scene.succeed(&client, &rows::groups()).await;
        assert_eq!(regions(&scene.asked("list_groups", before)), ["fra"], "after {}", row.operation);
    }
}

#[tokio::test]
async fn each_function_says_how_long_livechat_wants_to_be_left_alone() {
    let scene = Scene::of(PAT_OWNER).await;
    let client = scene.client(pat());
    for row in rows(&scene) {
        scene.fail(Fault::TooManyRequests { retry_after: Some("7".to_owned()) }, Times::Next(1));
        let before = scene.count(row.operation);
        let failure = client.call(&origin(), row.call.clone()).await.expect_err("not now");
        assert!(matches!(failure, Failure::Refused(_)), "{}: {failure:?}", row.operation);
        let error = failure.into_error();
        assert_eq!((error.code, error.retry_after_ms), (Code::RateLimited, Some(7_000)), "{error}");
        assert_eq!(scene.asked(row.operation, before).len(), 1, "the client itself asks no second time");
        scene.succeed(&client, &row).await;
    }
}

#[tokio::test]
async fn each_function_survives_the_end_of_a_token_while_it_is_under_way() {
    let scene = Scene::of(BOT_ID).await;
    let client = scene.client(bot());
    scene.succeed(&client, &rows::groups()).await;
    for row in rows(&scene) {
        let (before, issued) = (scene.count(row.operation), scene.count("issue_bot_token"));
        let sent = scene.livechat.sent().len();
        scene.livechat.expire_tokens();
        scene.succeed(&client, &row).await;
        let statuses: Vec<Option<u16>> =
            scene.asked(row.operation, before).iter().map(|asked| asked.status).collect();
        assert_eq!(statuses, [Some(401), Some(200)], "{}", row.operation);
        assert_eq!(scene.count("issue_bot_token"), issued + 1, "{}", row.operation);
        let is_sent = usize::from(matches!(row.told, Told::Sent));
        assert_eq!(scene.livechat.sent().len(), sent + is_sent, "{}", row.operation);
    }
}

#[tokio::test]
async fn the_right_data_centre_is_found_while_a_token_is_issued() {
    let scene = Scene::of(BOT_ID).await;
    let client = scene.client(bot());
    scene.livechat.faults().set("issue_bot_token", Fault::WrongRegion, Times::Next(1));
    scene.succeed(&client, &rows::groups()).await;
    assert_eq!(regions(&scene.asked("issue_bot_token", 0)), ["", "fra"]);
    assert_eq!(regions(&scene.asked("list_groups", 0)), ["fra"], "the call knows it, too");
}
