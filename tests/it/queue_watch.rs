//! queue-watch in a real host: a day's queue, compared with what can be counted by hand.

use std::time::{Duration, Instant};

use chatplug::simulator::livechat::{EndedBy, Opening, RoutingStatus};
use chatplug::simulator::{Chance, Fault, Times};
use chatplug_tests::plugin;
use jiff::SignedDuration;
use serde_json::{Value, json};
use toml::Table;

use crate::browser::photograph;
use crate::services::{SMITH, Stage, readme_section};

const SAM: &str = "sam@example.com";
const OLGA: &str = "olga@example.com";
/// What the README grants, with samples on command only, and always open.
const SETTINGS: &str = "hours = []\npoll_s = 600\nalerts = { queued_above = 20, samples = 2 }\n";

async fn stage(settings: &str) -> Stage {
    let stage = stage_before_webhooks(settings).await;
    stage.send_webhooks();
    stage
}

/// No webhook tells of what happens.
async fn stage_before_webhooks(settings: &str) -> Stage {
    let mut config = readme_section("queue-watch", 0);
    let section = config["plugin"]["queue-watch"].as_table_mut().expect("a section");
    let changed: Table = settings.parse().expect("settings are TOML");
    section["settings"].as_table_mut().expect("settings").extend(changed);
    section.insert("schedules".to_owned(), "sample = false".parse::<Table>().expect("TOML").into());
    Stage::with(config, plugin("queue-watch")).await
}

fn open(stage: &Stage, number: usize, group_id: i64) -> String {
    let opening = Opening {
        group_id,
        first_message: Some("Hello?".to_owned()),
        ..Opening::by(&format!("Customer {number} of {group_id}"))
    };
    stage.livechat.start_chat(&opening).expect("a chat").chat_id
}

/// Takes a sample; answers the figures.
async fn sample(stage: &Stage) -> Value {
    stage.settled().await;
    let output = stage.host.cli(&["plugins", "command", "queue-watch", "sample"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    get(stage, "/dashboard").await.parse().expect("JSON")
}

async fn get(stage: &Stage, path: &str) -> String {
    let answer = reqwest::get(stage.host.operator_url(path)).await.expect("the host answers");
    assert_eq!(answer.status(), 200, "{path}");
    answer.text().await.expect("text")
}

/// The values of figures, by their names.
fn values(board: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| board[name]["value"].clone()).collect()
}

const COUNTS: [&str; 4] = ["active_chats", "queued_chats", "agents_accepting", "agents_not_accepting"];

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_chats_are_counted_as_by_hand_and_webhooks_keep_the_count() {
    let stage = stage(SETTINGS).await;
    // 120 chats with Smith, of which five end; 60 with Sam; 25 wait in the queue of Billing, where nobody is, for two
    // minutes.
    let smiths: Vec<String> = (0..120).map(|number| open(&stage, number, 1)).collect();
    let sams: Vec<String> = (0..60).map(|number| open(&stage, number, 2)).collect();
    let began = Instant::now();
    stage.livechat.shift_clock(SignedDuration::from_secs(-120));
    let queued: Vec<String> = (0..25).map(|number| open(&stage, number, 3)).collect();
    stage.livechat.shift_clock(SignedDuration::from_secs(120));
    for chat_id in &smiths[..5] {
        stage.livechat.end_chat(chat_id, &EndedBy::Customer).expect("an end");
    }
    let board = sample(&stage).await;
    assert_eq!(values(&board, &COUNTS), json!([200, 25, 2, 2]), "{board:#}");
    assert_eq!(board["chats_per_agent"]["value"], json!({ SMITH: 115, SAM: 60 }));
    let waited = board["waiting_longest_s"]["value"].as_u64().expect("a number");
    assert!((120..=121 + began.elapsed().as_secs()).contains(&waited), "{waited}");
    assert_eq!(board["first_response_today_s"]["value"], json!(null), "nobody was answered");
    assert_eq!(stage.livechat.requests().of_operation("list_chats").len(), 2, "200 chats are two pages");

    // From now on only webhooks tell.
    for chat_id in &queued[..3] {
        stage.livechat.agent_joins(chat_id, SMITH).expect("somebody comes");
    }
    stage.livechat.end_chat(&sams[0], &EndedBy::Customer).expect("an end");
    stage.livechat.end_chat(&queued[3], &EndedBy::Customer).expect("an end");
    open(&stage, 1_000, 2);
    open(&stage, 1_000, 3);
    stage.livechat.agent_transfers(&sams[1], SAM, 3).expect("a transfer");
    stage.livechat.set_routing_status(OLGA, RoutingStatus::AcceptingChats);
    let board = sample(&stage).await;
    // 25 waited: three were taken, one gave up; one came, and one came from Sam.
    assert_eq!(values(&board, &COUNTS), json!([200, 23, 3, 1]), "{board:#}");
    assert_eq!(board["chats_per_agent"]["value"][SMITH], 118);
    assert_eq!(board["chats_per_agent"]["value"][OLGA], 0);
    assert_eq!(stage.livechat.requests().of_operation("list_chats").len(), 2);
    assert_eq!(stage.livechat.requests().of_operation("list_routing_statuses").len(), 1);

    // It was above the threshold twice: the team is told, one time.
    sample(&stage).await;
    let posts: Vec<String> = stage.slack.posts().iter().map(|post| post.text.clone()).collect();
    assert_eq!(posts, ["23 customers wait in the queue (more than 20)."]);
    for chat_id in &queued[4..10] {
        stage.livechat.end_chat(chat_id, &EndedBy::Customer).expect("an end");
    }
    sample(&stage).await;
    assert_eq!(stage.slack.posts().len(), 1);
    sample(&stage).await;
    let posts: Vec<String> = stage.slack.posts().iter().map(|post| post.text.clone()).collect();
    assert_eq!(posts[1..], ["The queue is short again: 17 wait (no more than 20)."]);
    let page = get(&stage, "/files/queue-watch/board.html").await;
    assert!(page.contains("<h2>Waiting in the queue</h2><b>17</b>"), "{page}");
    stage.expect_no_secrets();
    let link = stage.host.json(&["files", "token", "queue-watch", "board.html"]);
    photograph(&stage.host, link["path"].as_str().expect("a path"), (1920, 1080), "queue-watch");
}

/// How many chats there were today: more if the environment says so, as in `CHATPLUG_CHATS=20000 cargo xtask test`.
fn chats() -> usize {
    std::env::var("CHATPLUG_CHATS").ok().and_then(|text| text.parse().ok()).unwrap_or(600)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_team_is_counted_beside_a_service_that_is_slow_and_refuses() {
    let stage = stage_before_webhooks(SETTINGS).await;
    // All but the last 450 are over; of these each third waits in Billing.
    for number in 0..chats() {
        let group = if number % 3 == 0 { 3 } else { 1 };
        let chat_id = open(&stage, number, group);
        if number + 450 < chats() {
            stage.livechat.end_chat(&chat_id, &EndedBy::Customer).expect("an end");
        }
    }
    let chance = |fault, per_mille| Chance { operation: "*".to_owned(), fault, per_mille };
    let busy = Fault::TooManyRequests { retry_after: Some("1".to_owned()) };
    let slow = Fault::StallBeforeSaving(Some(Duration::from_millis(200)));
    stage.livechat.faults().set_chances(3, vec![chance(busy, 300), chance(slow, 700)]);
    let board = sample(&stage).await;
    assert_eq!(values(&board, &COUNTS), json!([450, 150, 2, 2]), "{board:#}");
    assert_eq!(board["chats_per_agent"]["value"][SMITH], 300);
    assert!(stage.livechat.faults().hits().by_fault()["429"] >= 1, "nothing was refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_livechat_does_not_tell_is_unknown_and_no_alert() {
    let stage = stage("hours = []\nalerts = { queued_above = 0, samples = 1 }\n").await;
    open(&stage, 1, 3);
    stage.livechat.faults().set("list_chats", Fault::Down, Times::UntilCleared);
    let board = sample(&stage).await;
    assert_eq!(values(&board, &COUNTS), json!([null, null, 2, 2]), "{board:#}");
    assert!(
        board["queued_chats"]["unknown_because"].as_str().is_some_and(|why| why.contains("LiveChat")),
        "{board:#}"
    );
    assert!(stage.slack.posts().is_empty());
    let page = get(&stage, "/files/queue-watch/board.html").await;
    assert!(page.contains("<h2>Waiting in the queue</h2><b class=\"unknown\">unknown</b>"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn outside_the_office_hours_nothing_is_asked() {
    // An hour that is half a day away.
    let hour = (jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).hour() + 12) % 24;
    let hours =
        format!("timezone = \"UTC\"\nhours = [{{ from = \"{hour:02}:00\", to = \"{hour:02}:01\" }}]\n");
    let stage = stage(&hours).await;
    open(&stage, 1, 1);
    let board = sample(&stage).await;
    assert_eq!(
        (&board["is_open"], values(&board, &COUNTS)),
        (&json!(false), json!([null, null, null, null]))
    );
    sample(&stage).await;
    assert_eq!(
        stage.host.json(&["files", "history", "queue-watch", "dashboard.json"]).as_array().map(Vec::len),
        Some(1)
    );
    for action in ["list_chats", "list_routing_statuses", "first_response_time"] {
        assert!(stage.livechat.requests().of_operation(action).is_empty(), "{action}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_what_the_settings_cost() {
    let stage = stage("hours = []\npoll_s = 30\n").await;
    let output = stage.host.cli(&["check"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // 730.5 hours with 120 polls of two calls, and four times three reports.
    assert!(text.contains("queue-watch: about 184086 calls of LiveChat's API a month: $49.70"), "{text}");
}
