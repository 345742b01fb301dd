//! quality-report in a real host: a day of 240 chats, counted by hand, and a day of many more beside a service that is
//! slow and refuses.

use std::collections::BTreeMap;

use chatplug::simulator::livechat::{EndedBy, Opening};
use chatplug::simulator::{Fault, Livechat, Times};
use chatplug_tests::plugin;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::browser::{photograph, print};
use crate::services::{SMITH, Stage, readme_section};

mod read;

const OLGA: &str = "olga@example.com";
const SAM: &str = "sam@example.com";
/// 08:00 in Warsaw.
const MORNING: &str = "2025-06-02T06:00:00Z";

fn at(second: i64) -> Timestamp {
    let morning: Timestamp = MORNING.parse().expect("a time");
    morning + SignedDuration::from_secs(second)
}

fn opening(name: &str) -> Opening {
    // Nobody is in Billing: who answers joins.
    Opening { group_id: 3, first_message: Some("Hello?".to_owned()), ..Opening::by(name) }
}

/// So many chats are told at a time by hand.
const BATCH: i64 = 240;

/// One chat each `spacing` seconds, 60 in the scene that was counted. The customer asks at once. Smith answers half of them after 30 s, Olga a quarter after 60, Sam a
/// quarter after 90; the customer asks again 30 s later and is answered in two thirds of that time; the agent ends the chat
/// after 300 s. Each twelfth chat nobody answers, though Sam is there, and it is over after 120 s.
fn tell(livechat: &Livechat, number: i64, spacing: i64) {
    let begin = number * spacing;
    let (agent, wait) = match number % 4 {
        0 | 1 => (SMITH, 30),
        2 => (OLGA, 60),
        _ => (SAM, 90),
    };
    let clock = |second: i64| livechat.stop_clock_at(at(begin + second));
    clock(0);
    let opening = opening(&format!("Customer {number}"));
    let chat_id = livechat.start_chat(&opening).expect("a chat").chat_id;
    let tags = [("urgent", number % 8 == 0), ("sales", number % 6 == 2)];
    for (tag, _) in tags.into_iter().filter(|(_, has)| *has) {
        livechat.agent_tags(&chat_id, tag).expect("a tag");
    }
    let ended = if number % 12 == 11 {
        livechat.agent_joins(&chat_id, agent).expect("to join");
        clock(120);
        livechat.end_chat(&chat_id, &EndedBy::Router).expect("an end");
        120
    } else {
        clock(wait);
        livechat.agent_says(&chat_id, agent, "How can I help?").expect("a message");
        clock(wait + 30);
        livechat.customer_says(&chat_id, "Where is it?").expect("a message");
        clock(wait + 30 + wait * 2 / 3);
        livechat.agent_says(&chat_id, agent, "On its way").expect("a message");
        clock(300);
        livechat.end_chat(&chat_id, &EndedBy::Agent(agent.to_owned())).expect("an end");
        300
    };
    if number % 10 < 2 {
        clock(ended + 600);
        livechat.rate(&chat_id, 1 - number % 10).expect("a rating");
    }
    // Opened again after 20 or 30 hours; some of these go on.
    if matches!(number % 24, 5 | 17) {
        let hours = if number % 24 == 5 { 20 } else { 30 };
        clock(ended + hours * 3_600);
        livechat.start_chat(&opening).expect("a chat");
        if number % 48 < 24 {
            livechat.end_chat(&chat_id, &EndedBy::Router).expect("an end");
        }
    }
}

/// What is no chat of the day, or not over.
fn tell_others(livechat: &Livechat) {
    // 23:59:59 the day before, and midnight behind it.
    for (number, second) in [-8 * 3_600 - 1, 16 * 3_600].into_iter().enumerate() {
        livechat.stop_clock_at(at(second));
        let chat_id = livechat.start_chat(&opening(&format!("Stranger {number}"))).expect("a chat").chat_id;
        livechat.end_chat(&chat_id, &EndedBy::Router).expect("an end");
    }
    livechat.stop_clock_at(at(5 * 3_600));
    livechat.start_chat(&opening("Guest who stays")).expect("a chat");
}

/// A published file; `None` as long as there is none.
async fn published(stage: &Stage, name: &str) -> Option<String> {
    let url = stage.host.operator_url(&format!("/files/quality-report/{name}"));
    let answer = reqwest::get(url).await.expect("the host answers");
    if !answer.status().is_success() {
        return None;
    }
    Some(answer.text().await.expect("text"))
}

/// Has the report of the day made.
fn report(stage: &Stage) {
    let args = ["plugins", "command", "quality-report", "report", "--from", "2025-06-02"];
    let output = stage.host.cli(&args);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    // Where it takes several slices, the command ends with the first.
    let is_first = said.contains(" chats so far");
    assert_eq!(is_first, said.contains("the report goes on by itself"), "{said}");
}

fn is_published(stage: &Stage) -> bool {
    stage.host.log().contains("published 2025-06-02.html and 2025-06-02.csv")
}

/// How often the report of each day was published.
fn publications(log: &str) -> BTreeMap<&str, usize> {
    let days = log.split("published ").skip(1).filter_map(|rest| Some(rest.split_once(".html")?.0));
    days.filter(|day| day.len() == 10).fold(BTreeMap::new(), |mut counts, day| {
        *counts.entry(day).or_default() += 1;
        counts
    })
}

/// The README's numbers are those of the unit test of the plugin, by the same hand.
const TABLE: &str = "\
from,to,timezone,provisional,agent,chats,unanswered,beyond_history,first_response_s,response_s,duration_s,rated_good,rated_bad,good_percent,reopened,resolved_percent,score,tags\r
2025-06-02,2025-06-02,Europe/Warsaw,no,all chats,240,20,0,49.1,40.9,285.0,24,24,50.0,10,95.8,82.3,\"sales: 40; urgent: 30\"\r
2025-06-02,2025-06-02,Europe/Warsaw,no,olga@example.com,60,0,0,60.0,50.0,300.0,12,0,100.0,0,100.0,100.0,sales: 20\r
2025-06-02,2025-06-02,Europe/Warsaw,no,sam@example.com,60,20,0,90.0,75.0,240.0,0,12,0.0,0,100.0,56.3,\r
2025-06-02,2025-06-02,Europe/Warsaw,no,smith@example.com,120,0,0,30.0,25.0,300.0,12,12,50.0,10,91.7,82.9,\"sales: 20; urgent: 30\"\r
";

/// The same on the page, with times and tags as people say them.
const LINES: [&str; 4] = [
    "all chats|82.3|240|20|49 s|41 s|4 min 45 s|24|24|50.0|10|95.8|sales 40, urgent 30",
    "olga@example.com|100.0|60|0|1 min 00 s|50 s|5 min 00 s|12|0|100.0|0|100.0|sales 20",
    "sam@example.com|56.3|60|20|1 min 30 s|1 min 15 s|4 min 00 s|0|12|0.0|0|100.0|",
    "smith@example.com|82.9|120|0|30 s|25 s|5 min 00 s|12|12|50.0|10|91.7|urgent 30, sales 20",
];

const TILES: [(&str, &str); 8] = [
    ("82.3", "score"),
    ("240", "chats"),
    ("20", "unanswered"),
    ("49 s", "first response"),
    ("41 s", "response"),
    ("4 min 45 s", "duration"),
    ("50.0 %", "rated good"),
    ("95.8 %", "resolved"),
];

/// Here, in LiveChat's reports, the difference: one chat goes on, and nothing else differs.
const COMPARED: [&str; 5] = [
    "chats|240.0|241.0|+1.0",
    "rated good|24.0|24.0|0.0",
    "rated bad|24.0|24.0|0.0",
    "first response, s|49.1|49.1|0.0",
    "response, s|40.9|40.9|0.0",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_240_chats_is_published_as_it_was_counted_by_hand() {
    // Five pages and a few chats, so two slices.
    let stage = Stage::before_webhooks("quality-report", 0, "").await;
    (0..BATCH).for_each(|number| tell(&stage.livechat, number, 60));
    tell_others(&stage.livechat);
    let busy = Fault::TooManyRequests { retry_after: Some("1".to_owned()) };
    stage.livechat.faults().set("list_archives", busy, Times::Next(2));
    stage.host.wait_for_plugin("quality-report", "active");
    report(&stage);
    stage.host.wait_for("the report", || is_published(&stage).then_some(()));
    assert_eq!(published(&stage, "2025-06-02.csv").await.expect("a table"), TABLE);
    let page = published(&stage, "2025-06-02.html").await.expect("a page");
    assert_eq!(read::table(&page, 0), LINES);
    assert_eq!(read::tiles(&page), TILES);
    assert_eq!(read::table(&page, 1), COMPARED);
    assert_eq!(page.matches("class=\"differs\"").count(), 1, "the chat that goes on is marked: {page}");
    assert!(!page.contains("<script") && !page.contains("class=\"notice\""), "{page}");
    let slices = stage.host.events().iter().filter(|event| event["type"] == "timer").count();
    assert!(slices >= 1, "it worked through the pages in several events");
    assert_eq!(published(&stage, "latest.html").await, None, "the night's alone");
    let path = "/files/quality-report/2025-06-02.html";
    photograph(&stage.host, path, (1280, 1600), "quality-report");
    if let Some(pages) = print(&stage.host, path, "quality-report") {
        assert!((1..=3).contains(&pages), "{pages} pages");
    }
}

/// How many people the large team has.
const TEAM: usize = 60;

#[tokio::test(flavor = "multi_thread")]
async fn the_report_of_a_large_team_with_many_tags_can_be_printed() {
    let stage = Stage::before_webhooks("quality-report", 0, "").await;
    let agent = |number: usize| format!("agent-{:02}@example.com", number % TEAM);
    (0..TEAM).for_each(|number| stage.livechat.add_agent(&agent(number), &format!("Agent {number}"), &[0]));
    for number in 0..TEAM * 4 {
        let (begin, wait) = (number as i64 * 60, 10 + number as i64 % 50);
        stage.livechat.stop_clock_at(at(begin));
        let opening = opening(&format!("Customer {number}"));
        let chat_id = stage.livechat.start_chat(&opening).expect("a chat").chat_id;
        for other in 0..5 {
            let tag = format!("delivery problem {:02}", (number * 7 + other * 11) % 40);
            stage.livechat.agent_tags(&chat_id, &tag).expect("a tag");
        }
        stage.livechat.stop_clock_at(at(begin + wait));
        stage.livechat.agent_says(&chat_id, &agent(number), "How can I help?").expect("a message");
        stage.livechat.end_chat(&chat_id, &EndedBy::Agent(agent(number))).expect("an end");
        stage.livechat.rate(&chat_id, number as i64 / 7 % 2).expect("a rating");
    }
    stage.host.wait_for_plugin("quality-report", "active");
    report(&stage);
    stage.host.wait_for("the report", || is_published(&stage).then_some(()));
    let page = published(&stage, "2025-06-02.html").await.expect("a page");
    assert_eq!(read::table(&page, 0).len(), 1 + TEAM);
    let path = "/files/quality-report/2025-06-02.html";
    photograph(&stage.host, path, (1280, 7000), "quality-report-large-team");
    // Five pages of charts and five of lines, as somebody has looked at; a line or a chart that is longer than a page makes
    // many more.
    if let Some(pages) = print(&stage.host, path, "quality-report-large-team") {
        assert!((5..=16).contains(&pages), "{pages} pages");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chats_beyond_the_history_of_the_plan_are_counted_apart() {
    let stage = Stage::before_webhooks("quality-report", 0, "").await;
    (0..12).for_each(|number| tell(&stage.livechat, number, 60));
    // The first four: two of Smith's, which were rated, one of Olga's, one of Sam's.
    stage.livechat.cut_history_before(at(4 * 60));
    stage.host.wait_for_plugin("quality-report", "active");
    report(&stage);
    stage.host.wait_for("the report", || is_published(&stage).then_some(()));
    let csv = published(&stage, "2025-06-02.csv").await.expect("a table");
    for (agent, expected) in [
        ("all chats", ["8", "4", "1", "277.5", "1", "1"]),
        (SMITH, ["4", "2", "0", "300.0", "0", "0"]),
        (OLGA, ["2", "1", "0", "300.0", "1", "0"]),
        (SAM, ["2", "1", "1", "210.0", "0", "1"]),
    ] {
        let columns = ["chats", "beyond_history", "unanswered", "duration_s", "rated_good", "rated_bad"];
        let cells = columns.map(|name| read::cell(&csv, agent, name));
        assert_eq!(cells, expected.map(Some), "{agent}: {csv}");
    }
    let page = published(&stage, "2025-06-02.html").await.expect("a page");
    assert!(page.contains("<p class=\"notice\">4 conversations lie beyond the history"), "{page}");
    stage.expect_logged(&["WARN", "2025-06-02: 4 conversations lie beyond the history"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_published_without_those_of_livechat_that_cannot_be_had() {
    let stage = Stage::before_webhooks("quality-report", 0, "").await;
    (0..12).for_each(|number| tell(&stage.livechat, number, 60));
    stage.livechat.faults().set("total_chats", Fault::ErrorBeforeSaving, Times::UntilCleared);
    stage.host.wait_for_plugin("quality-report", "active");
    report(&stage);
    stage.host.wait_for("the report", || is_published(&stage).then_some(()));
    let table = published(&stage, "2025-06-02.csv").await.expect("a table");
    assert!(table.contains(",no,all chats,12,1,"), "{table}");
    let page = published(&stage, "2025-06-02.html").await.expect("a page");
    assert!(page.contains("Not compared: chats. "), "the others are compared: {page}");
    assert!(page.contains("<td>chats</td>\n<td>12.0</td>\n<td>–</td>\n<td>–</td>"), "{page}");
    stage.expect_logged(&["published 2025-06-02.html", ", not compared: chats"]);
    let asked = stage.livechat.requests().of_operation("total_chats").len();
    assert!(asked >= 5, "it was asked for {asked} times only");
}

/// How many times the chats that were counted by hand are told: more if the environment says so, as in
/// `CHATPLUG_CHATS=20000 cargo xtask test`.
fn batches() -> i64 {
    let chats = chatplug_tests::amount("CHATPLUG_CHATS", BATCH as usize) as i64;
    (chats + BATCH - 1) / BATCH
}

/// The table of so many times the chats that were counted by hand: means and shares stay.
fn table_of(batches: i64) -> String {
    let day = "2025-06-02,2025-06-02,Europe/Warsaw,no";
    let n = |count: i64| count * batches;
    format!(
        "{}\r\n\
         {day},all chats,{},{},0,49.1,40.9,285.0,{},{},50.0,{},95.8,82.3,\"sales: {}; urgent: {}\"\r\n\
         {day},olga@example.com,{},0,0,60.0,50.0,300.0,{},0,100.0,0,100.0,100.0,sales: {}\r\n\
         {day},sam@example.com,{},{},0,90.0,75.0,240.0,0,{},0.0,0,100.0,56.3,\r\n\
         {day},smith@example.com,{},0,0,30.0,25.0,300.0,{},{},50.0,{},91.7,82.9,\"sales: {}; urgent: {}\"\r\n",
        TABLE.lines().next().expect("a headline"),
        n(240),
        n(20),
        n(24),
        n(24),
        n(10),
        n(40),
        n(30),
        n(60),
        n(12),
        n(20),
        n(60),
        n(20),
        n(12),
        n(120),
        n(12),
        n(12),
        n(10),
        n(20),
        n(30),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn many_chats_are_counted_once_beside_a_service_that_is_slow_and_refuses() {
    assert_eq!(table_of(1), TABLE);
    let stage = Stage::before_webhooks("quality-report", 0, "").await;
    (0..batches() * BATCH).for_each(|number| tell(&stage.livechat, number, 2));
    stage.host.wait_for_plugin("quality-report", "active");
    let busy = Fault::TooManyRequests { retry_after: Some("1".to_owned()) };
    stage.livechat.faults().set("list_archives", busy, Times::Next(2));
    stage.slow_down_livechat(20_000, 50);
    report(&stage);
    let mut slices = 0;
    while !is_published(&stage) {
        // Each slice is waited for by itself: all of them take longer than a wait may.
        stage.host.wait_for("another slice", || {
            let done = stage.host.log().matches(" chats so far").count();
            (done > slices || is_published(&stage)).then(|| slices = done)
        });
    }
    assert_eq!(published(&stage, "2025-06-02.csv").await.expect("a table"), table_of(batches()));
    let refused = stage.livechat.faults().hits().by_fault()["429"];
    assert!(refused >= 1, "nothing was refused");
    eprintln!("{} chats in {slices} slices, {refused} refusals", batches() * BATCH);
}

/// A stage on which a night comes each second.
async fn with_short_nights() -> Stage {
    let mut config = readme_section("quality-report", 0);
    let section = config["plugin"]["quality-report"].as_table_mut().expect("a section");
    let nightly = "nightly = { every_s = 1 }".parse::<toml::Table>().expect("TOML");
    section.insert("schedules".to_owned(), nightly.into());
    Stage::with(config, plugin("quality-report")).await
}

/// The text of a file, once it is as it should be.
fn published_with(stage: &Stage, name: &str, is_so: impl Fn(&str) -> bool) -> String {
    stage.host.wait_for(name, || {
        let shown = stage.host.cli(&["files", "show", "quality-report", name]);
        let text = String::from_utf8_lossy(&shown.stdout).into_owned();
        (shown.status.success() && is_so(&text)).then_some(text)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_night_has_the_ratings_and_reopenings_that_came_after_the_first() {
    let stage = with_short_nights().await;
    let zone = TimeZone::get("Europe/Warsaw").expect("a zone");
    let day = Timestamp::now().to_zoned(zone.clone()).date().yesterday().expect("a day");
    let noon = day.at(12, 0, 0, 0).to_zoned(zone).expect("a time").timestamp();
    let clock = |second: i64| stage.livechat.stop_clock_at(noon + SignedDuration::from_secs(second));
    clock(0);
    let opening = opening("Dana");
    let chat_id = stage.livechat.start_chat(&opening).expect("a chat").chat_id;
    clock(30);
    stage.livechat.agent_says(&chat_id, SMITH, "How can I help?").expect("a message");
    clock(300);
    stage.livechat.end_chat(&chat_id, &EndedBy::Agent(SMITH.to_owned())).expect("an end");
    let name = format!("{day}.csv");
    let cells = |csv: &str| {
        let columns =
            ["provisional", "chats", "first_response_s", "rated_good", "reopened", "resolved_percent"];
        columns.map(|column| read::cell(csv, SMITH, column).unwrap_or_default().to_owned())
    };
    let first = published_with(&stage, &name, |csv| read::cell(csv, SMITH, "chats") == Some("1"));
    assert_eq!(cells(&first)[1..], ["1", "30.0", "0", "0", "100.0"], "{first}");
    clock(4_000);
    stage.livechat.rate(&chat_id, 1).expect("a rating");
    clock(8_000);
    stage.livechat.start_chat(&opening).expect("the chat again");
    let later = published_with(&stage, &name, |csv| {
        let cells = ["rated_good", "reopened"].map(|column| read::cell(csv, SMITH, column));
        cells == [Some("1"), Some("1")]
    });
    assert_eq!(cells(&later), ["yes", "1", "30.0", "1", "1", "0.0"], "{later}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_night_publishes_three_days_and_wrong_days_are_refused() {
    let stage = with_short_nights().await;
    stage.host.wait_for("three days", || {
        let log = stage.host.log();
        (log.matches(".csv: 0 chats, score none").count() >= 3).then_some(())
    });
    let table = published(&stage, "latest.csv").await.expect("a table");
    assert!(table.contains(",yes,all chats,0,0,"), "yesterday is provisional: {table}");
    // The oldest day is final. Later nights leave it out, and publish yesterday again.
    stage.host.wait_for("nights that remember what is final", || {
        let log = stage.host.log();
        let counts = publications(&log);
        let ((_, oldest), (_, newest)) = (counts.first_key_value()?, counts.last_key_value()?);
        (*newest >= oldest + 4).then_some(())
    });
    for (args, part) in [
        (vec![], "needs --from VALUE"),
        (vec!["--from", "june"], "`june` is not a day"),
        (vec!["--from", "2999-01-01"], "is not over yet"),
    ] {
        let all = [vec!["plugins", "command", "quality-report", "report"], args].concat();
        let output = stage.host.cli(&all);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && said.contains(part), "{said}");
    }
}
