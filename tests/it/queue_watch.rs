//! queue-watch in a real host: a day's queue, compared with what can be counted by hand.

use std::time::Instant;

use chatplug::simulator::livechat::{EndedBy, Opening, RoutingStatus};
use chatplug::simulator::{Fault, Slack, Times};
use chatplug_tests::{PATIENCE, plugin};
use jiff::{SignedDuration, Timestamp};
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
    Stage::with(config(settings, ON_COMMAND), plugin("queue-watch")).await
}

const ON_COMMAND: &str = "sample = false";
const EACH_SECOND: &str = "sample = { every_s = 1 }";

fn config(settings: &str, schedules: &str) -> Table {
    let mut config = readme_section("queue-watch", 0);
    let section = config["plugin"]["queue-watch"].as_table_mut().expect("a section");
    let changed: Table = settings.parse().expect("settings are TOML");
    section["settings"].as_table_mut().expect("settings").extend(changed);
    section.insert("schedules".to_owned(), schedules.parse::<Table>().expect("TOML").into());
    config["connections"]["slack"]
        .as_table_mut()
        .expect("a section")
        .insert("allow_private".to_owned(), true.into());
    config
}

/// Has the host take samples by itself from now on.
fn sample_each_second(stage: &Stage, settings: &str) {
    stage.set_config(&config(settings, EACH_SECOND));
}

/// The number of the newest board; `None` before the first.
fn newest(stage: &Stage) -> Option<i64> {
    let output = stage.host.cli(&["--json", "files", "history", "queue-watch", "dashboard.json"]);
    let versions: Value = serde_json::from_slice(&output.stdout).ok()?;
    versions[0]["version"].as_i64()
}

/// Waits until so many more boards were published.
fn wait_for_boards(stage: &Stage, more: usize) {
    for _ in 0..more {
        let before = newest(stage);
        stage.host.wait_for("another board", || (newest(stage) > before).then_some(()));
    }
}

/// Waits for a board that is as it should be; there is one each second.
async fn wait_for_board(stage: &Stage, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let board: Value = get(stage, "/dashboard").await.parse().expect("JSON");
        if is_so(&board) {
            return board;
        }
        assert!(began.elapsed() < PATIENCE, "waited for {what} in vain: {board:#}");
        wait_for_boards(stage, 1);
    }
}

/// Waits until the team was told so many times, and the host knows; answers what.
async fn told(stage: &Stage, count: usize) -> Vec<String> {
    let is_told = |slack: &Slack| slack.posts().len() >= count;
    stage.slack.wait_for("a message to the team", PATIENCE, is_told).await.expect("it is told");
    stage.settled().await;
    stage.slack.posts().into_iter().map(|post| post.text).collect()
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

/// What a board of this stage says of where its figures come from.
mod source {
    pub(super) const CHATS: &str = "LiveChat's list of active chats, and webhooks since";
    pub(super) const QUEUE: &str =
        "the queue state that LiveChat shows of a chat: in its list, in incoming_chat and chat_transferred";
    pub(super) const STATUSES: &str =
        "LiveChat's routing statuses, and routing_status_set since; people, without bots";
    pub(super) const AGENTS: &str =
        "LiveChat's list of active chats and its routing statuses, and webhooks since; people, without bots";
    pub(super) const LONGEST: &str = "LiveChat's report queued_visitors, today: the longest of queued.max and \
                                      left_queue.max; or the longest wait now where that is longer";
    pub(super) const FIRST: &str = "LiveChat's report first_response_time, today";
    pub(super) const RESPONSE: &str = "LiveChat's report response_time, today";
}

/// The figures of a board as they were counted by hand.
struct ByHand {
    /// When LiveChat was asked last, as the board has it.
    asked_at: Value,
    /// The values of `COUNTS`.
    counts: [u64; 4],
    /// The average and the longest wait now, and the longest today, seconds.
    waits: [u64; 3],
    per_agent: Value,
}

impl ByHand {
    /// The whole board; nothing else may stand in it.
    fn board(&self, at: &Value) -> Value {
        let figure =
            |value: Value, source: &str| json!({ "value": value, "as_of": self.asked_at, "source": source });
        let [active, queued, accepting, not_accepting] = self.counts;
        let [average, longest, longest_today] = self.waits;
        json!({
            "title": "Chat queue",
            "at": at,
            "is_open": true,
            "active_chats": figure(json!(active), source::CHATS),
            "queued_chats": figure(json!(queued), source::QUEUE),
            "waiting_average_s": figure(json!(average), source::QUEUE),
            "waiting_longest_s": figure(json!(longest), source::QUEUE),
            "waiting_longest_today_s": figure(json!(longest_today), source::LONGEST),
            "agents_accepting": figure(json!(accepting), source::STATUSES),
            "agents_not_accepting": figure(json!(not_accepting), source::STATUSES),
            "chats_per_agent": figure(self.per_agent.clone(), source::AGENTS),
            // After 20, 40 and 90 s; and one more answer after 10 s.
            "first_response_today_s": figure(json!(50), source::FIRST),
            "response_today_s": figure(json!(40), source::RESPONSE),
        })
    }
}

/// A day at the chats up to `now`, at which LiveChat's clock stops.
struct Day {
    now: Timestamp,
    smiths: Vec<String>,
    sams: Vec<String>,
    queued: Vec<String>,
}

impl Day {
    /// The seconds from its end to when a board was made.
    fn until(&self, board: &Value) -> u64 {
        let at: Timestamp = board["at"].as_str().and_then(|at| at.parse().ok()).expect("a time");
        u64::try_from((at.as_millisecond() - self.now.as_millisecond()) / 1_000).expect("it was made later")
    }
}

/// 120 chats with Smith, of which five end; 60 with Sam; 25 wait in the queue of Billing, where nobody is: ten for five
/// minutes and fifteen for two. One of Smith's had waited for 440 s, and somebody gave up after 700 s.
fn tell_a_day(stage: &Stage) -> Day {
    let livechat = &stage.livechat;
    let now = Timestamp::from_millisecond(Timestamp::now().as_millisecond()).expect("a time");
    let ago = |seconds: i64| livechat.stop_clock_at(now - SignedDuration::from_secs(seconds));
    let says =
        |chat_id: &str, agent: &str| livechat.agent_says(chat_id, agent, "Good morning").expect("an answer");
    ago(900);
    let gone = open(stage, 2_000, 3);
    ago(600);
    let mut smiths: Vec<String> = (0..119).map(|number| open(stage, number, 1)).collect();
    let sams: Vec<String> = (0..60).map(|number| open(stage, number, 2)).collect();
    ago(580);
    says(&smiths[10], SMITH);
    ago(560);
    says(&smiths[11], SMITH);
    ago(510);
    says(&sams[5], SAM);
    ago(500);
    let taken = open(stage, 2_001, 3);
    ago(400);
    livechat.customer_says(&smiths[10], "And then?").expect("a question");
    ago(390);
    says(&smiths[10], SMITH);
    ago(300);
    let mut queued: Vec<String> = (0..10).map(|number| open(stage, number, 3)).collect();
    ago(200);
    livechat.end_chat(&gone, &EndedBy::Customer).expect("an end");
    ago(120);
    queued.extend((10..25).map(|number| open(stage, number, 3)));
    ago(60);
    livechat.agent_joins(&taken, SMITH).expect("somebody comes");
    smiths.push(taken);
    ago(0);
    for chat_id in &smiths[..5] {
        livechat.end_chat(chat_id, &EndedBy::Customer).expect("an end");
    }
    Day { now, smiths, sams, queued }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_chats_are_counted_as_by_hand_and_webhooks_keep_the_count() {
    let stage = stage(&format!("{SETTINGS}timezone = \"{}\"\n", zone_at_noon())).await;
    let day = tell_a_day(&stage);
    assert_eq!(day.smiths.len(), 120);
    let board = sample(&stage).await;
    let since = day.until(&board);
    let expected = ByHand {
        asked_at: board["at"].clone(),
        counts: [200, 25, 2, 2],
        // (10 * 300 + 15 * 120) / 25
        waits: [since + 192, since + 300, 700_u64.max(since + 300)],
        per_agent: json!({ SMITH: 115, SAM: 60 }),
    };
    assert_eq!(board, expected.board(&board["at"]), "{board:#}");
    assert_eq!(stage.livechat.requests().of_operation("list_chats").len(), 2, "200 chats are two pages");

    // From now on only webhooks tell. LiveChat's clock stands still: by it, all this came before the poll.
    let Day { sams, queued, .. } = &day;
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
    let since = day.until(&board);
    let expected = ByHand {
        // 25 waited: three were taken, one gave up; one came, and one came from Sam.
        counts: [200, 23, 3, 1],
        // (6 * 300 + 15 * 120 + 2 * 0) / 23
        waits: [since + 156, since + 300, 700_u64.max(since + 300)],
        per_agent: json!({ SMITH: 118, SAM: 59, OLGA: 0 }),
        ..expected
    };
    assert_eq!(board, expected.board(&board["at"]), "{board:#}");
    assert_eq!(stage.livechat.requests().of_operation("list_chats").len(), 2);
    assert_eq!(stage.livechat.requests().of_operation("list_routing_statuses").len(), 1);

    // It was above the threshold twice: the team is told, one time.
    assert_eq!(told(&stage, 1).await, ["23 customers wait in the queue (more than 20)."]);
    sample(&stage).await;
    for chat_id in &queued[4..10] {
        stage.livechat.end_chat(chat_id, &EndedBy::Customer).expect("an end");
    }
    sample(&stage).await;
    assert_eq!(stage.slack.posts().len(), 1);
    sample(&stage).await;
    assert_eq!(told(&stage, 2).await[1..], ["The queue is short again: 17 wait (no more than 20)."]);
    let page = get(&stage, "/files/queue-watch/board.html").await;
    assert!(page.contains("<h2>Waiting in the queue</h2><b>17</b>"), "{page}");
    stage.expect_no_secrets();
    let link = stage.host.json(&["files", "token", "queue-watch", "board.html"]);
    photograph(&stage.host, link["path"].as_str().expect("a path"), (1920, 1080), "queue-watch");
}

/// How many chats there were today: more if the environment says so, as in `CHATPLUG_CHATS=20000 cargo xtask test`.
fn chats() -> usize {
    chatplug_tests::amount("CHATPLUG_CHATS", 600)
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
    stage.host.wait_for_plugin("queue-watch", "active");
    stage.slow_down_livechat(3, 300);
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

/// A time zone in which it is about noon, so that today stays today.
fn zone_at_noon() -> String {
    match 12 - jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).hour() {
        // What is behind UTC has a plus in these names.
        hours @ ..0 => format!("Etc/GMT+{}", -hours),
        0 => "Etc/GMT".to_owned(),
        hours => format!("Etc/GMT-{hours}"),
    }
}

/// An agent answers the customer's first message after some seconds.
fn answer(stage: &Stage, number: usize, (group, agent): (i64, &str), seconds: i64) -> String {
    let chat_id = open(stage, number, group);
    stage.livechat.shift_clock(SignedDuration::from_secs(seconds));
    stage.livechat.agent_says(&chat_id, agent, "Good morning").expect("an answer");
    stage.livechat.shift_clock(SignedDuration::from_secs(-seconds));
    chat_id
}

#[tokio::test(flavor = "multi_thread")]
async fn with_groups_only_their_chats_count_whoever_tells_of_them() {
    let zone = zone_at_noon();
    let stage = stage(&format!("hours = []\npoll_s = 600\ngroups = [1]\ntimezone = \"{zone}\"\n")).await;
    let began = Instant::now();
    let ours: Vec<String> = (0..3).map(|number| open(&stage, number, 1)).collect();
    let theirs = open(&stage, 0, 2);
    answer(&stage, 10, (1, SMITH), 30);
    answer(&stage, 10, (2, SAM), 300);
    let board = sample(&stage).await;
    // Of the group's people Smith accepts chats.
    assert_eq!(values(&board, &COUNTS), json!([4, 0, 1, 2]), "{board:#}");
    assert_eq!(board["chats_per_agent"]["value"], json!({ SMITH: 4 }));
    let answered = board["first_response_today_s"]["value"].as_u64().expect("a number");
    assert!((30..=31 + began.elapsed().as_secs()).contains(&answered), "{answered}");
    let asked = stage.livechat.requests().of_operation("first_response_time");
    let body = asked[0].body.as_ref().expect("a body");
    assert_eq!((asked.len(), &body["timezone"]), (1, &json!(zone)), "{body}");

    // From now on only webhooks tell: of all groups.
    open(&stage, 20, 1);
    open(&stage, 20, 2);
    open(&stage, 20, 3);
    stage.livechat.agent_transfers(&ours[0], SMITH, 3).expect("a transfer out");
    stage.livechat.agent_transfers(&theirs, SAM, 1).expect("a transfer in");
    stage.livechat.agent_joins(&ours[0], SAM).expect("somebody comes elsewhere");
    let board = sample(&stage).await;
    assert_eq!(values(&board, &COUNTS), json!([5, 0, 1, 2]), "{board:#}");
    assert_eq!(board["chats_per_agent"]["value"], json!({ SMITH: 5 }));
    assert_eq!(stage.livechat.requests().of_operation("list_chats").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_board_goes_on_while_livechat_has_nobody_ask() {
    let settings = "hours = []\npoll_s = 30\n";
    let stage = stage(settings).await;
    open(&stage, 1, 1);
    let busy = Fault::TooManyRequests { retry_after: Some("2".to_owned()) };
    stage.livechat.faults().set("*", busy, Times::UntilCleared);
    sample_each_second(&stage, settings);
    wait_for_boards(&stage, 3);
    let board = wait_for_board(&stage, "a reason", |board| {
        board["active_chats"]["unknown_because"] == "LiveChat was asked, and has not answered yet"
    })
    .await;
    assert_eq!(values(&board, &COUNTS), json!([null, null, null, null]), "{board:#}");
    // The timers were not set again and again meanwhile: what waits for LiveChat comes.
    stage.livechat.faults().clear();
    let is_known = |board: &Value| values(board, &COUNTS) == json!([1, 0, 2, 2]);
    wait_for_board(&stage, "what LiveChat tells", is_known).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_board_goes_on_while_slack_has_nobody_ask_and_the_team_is_told_once() {
    let settings = "hours = []\nalerts = { queued_above = 0, samples = 1 }\n";
    let stage = stage(settings).await;
    let chat_id = open(&stage, 1, 3);
    let busy = Fault::TooManyRequests { retry_after: Some("2".to_owned()) };
    stage.slack.faults().set("webhook", busy, Times::UntilCleared);
    sample_each_second(&stage, settings);
    stage
        .slack
        .wait_for("a message that is refused", PATIENCE, |slack| !slack.requests().all().is_empty())
        .await
        .expect("it is tried");
    wait_for_boards(&stage, 3);
    assert!(stage.slack.posts().is_empty());
    stage.slack.faults().clear();
    let is_told = |slack: &Slack| !slack.posts().is_empty();
    stage.slack.wait_for("the alert", PATIENCE, is_told).await.expect("it is told");
    wait_for_boards(&stage, 2);
    let texts = |stage: &Stage| stage.slack.posts().into_iter().map(|post| post.text).collect::<Vec<_>>();
    assert_eq!(texts(&stage), ["1 customers wait in the queue (more than 0)."]);
    stage.livechat.end_chat(&chat_id, &EndedBy::Customer).expect("an end");
    let is_over = |slack: &Slack| slack.posts().len() == 2;
    stage.slack.wait_for("the end of it", PATIENCE, is_over).await.expect("it is told");
    assert_eq!(texts(&stage)[1..], ["The queue is short again: 0 wait (no more than 0)."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_hours_is_told_though_slack_fails_at_first() {
    let alerts = "alerts = { queued_above = 0, samples = 1 }\n";
    let stage = stage(&format!("hours = []\n{alerts}")).await;
    open(&stage, 1, 3);
    sample(&stage).await;
    assert_eq!(told(&stage, 1).await.len(), 1);
    stage.slack.faults().set("webhook", Fault::ErrorBeforeSaving, Times::Next(2));
    sample_each_second(&stage, &format!("{}{alerts}", hours_half_a_day_away()));
    let is_told = |slack: &Slack| slack.posts().len() == 2;
    stage.slack.wait_for("the end of the hours", PATIENCE, is_told).await.expect("it is told");
    stage.expect_logged(&["the team could not be told"]);
    assert!(stage.slack.posts()[1].text.contains("the office hours have ended"));
}

fn hours_half_a_day_away() -> String {
    let hour = (jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).hour() + 12) % 24;
    format!("timezone = \"UTC\"\nhours = [{{ from = \"{hour:02}:00\", to = \"{hour:02}:01\" }}]\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn outside_the_office_hours_nothing_is_asked() {
    let stage = stage(&hours_half_a_day_away()).await;
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
async fn who_queued_before_the_hours_is_counted_when_they_begin_though_the_list_is_silent() {
    let stage = stage(&hours_half_a_day_away()).await;
    stage.livechat.leave_queue_out_of_lists();
    open(&stage, 1, 1);
    let (gone, _waits) = (open(&stage, 1, 3), open(&stage, 2, 3));
    stage.livechat.end_chat(&gone, &EndedBy::Customer).expect("an end");
    let closed = sample(&stage).await;
    assert_eq!((&closed["is_open"], &closed["queued_chats"]["value"]), (&json!(false), &json!(null)));
    assert!(stage.livechat.requests().of_operation("list_chats").is_empty(), "nothing is asked");
    sample_each_second(&stage, "hours = []\npoll_s = 600\n");
    wait_for_board(&stage, "the hours to begin", |board| values(board, &COUNTS) == json!([2, 1, 2, 2])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_what_the_settings_cost() {
    let stage = stage("hours = []\npoll_s = 30\n").await;
    let output = stage.host.cli(&["check"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // 730.5 hours with 120 polls of two calls, and four times three reports.
    assert!(text.contains("queue-watch: about 184086 calls of LiveChat's API a month: $49.70"), "{text}");
}
