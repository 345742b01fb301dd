//! office-hours in a real host: who is set away, and who is set back.

use chatplug::simulator::livechat::RoutingStatus;
use chatplug_tests::{PATIENCE, deliveries, plugin};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde_json::Value;
use toml::Table;

use crate::services::{SMITH, Stage, readme_section};

const OPEN: &str = "{ from = \"00:00\", to = \"24:00\" }";

/// A timetable of the group Support that is open all day, but for holidays.
fn timetable(hours: &str, holidays: &[String]) -> String {
    format!(
        "[[timetables]]\nname = \"support\"\ntimezone = \"UTC\"\ngroups = [1]\nhours = [{hours}]\nholidays = {holidays:?}\n"
    )
}

/// Yesterday, today and tomorrow: closed, whatever happens around midnight.
fn these_days() -> Vec<String> {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    [-1, 0, 1].map(|days| today.checked_add(days.days()).expect("a day").to_string()).to_vec()
}

/// The README's section with other settings, and with a schedule that comes each second or never.
fn section(settings: &str, comes: bool) -> Table {
    let mut config = readme_section("office-hours", 0);
    let section = config["plugin"]["office-hours"].as_table_mut().expect("a section");
    let mut settings: Table = settings.parse().expect("settings are TOML");
    settings.insert("tell".to_owned(), true.into());
    section.insert("settings".to_owned(), settings.into());
    let schedule = if comes { "minute = { every_s = 1 }" } else { "minute = false" };
    section.insert("schedules".to_owned(), schedule.parse::<Table>().expect("TOML").into());
    config
}

async fn stage(settings: &str, comes: bool) -> Stage {
    let stage = Stage::with(section(settings, comes), plugin("office-hours")).await;
    stage.host.wait_for_plugin("office-hours", "active");
    stage.send_webhooks();
    stage
}

/// Changes a part of the config's text.
fn change(stage: &Stage, from: &str, to: &str) {
    let path = stage.host.config_path();
    let text = std::fs::read_to_string(&path).expect("the config");
    assert!(text.contains(from), "no {from} in {text}");
    let unfinished = path.with_extension("part");
    std::fs::write(&unfinished, text.replace(from, to)).expect("the config can be written");
    std::fs::rename(&unfinished, &path).expect("the config can be written");
}

/// Asks for a command; its report, and whether it succeeded.
fn command(stage: &Stage, name: &str) -> (String, bool) {
    let output = stage.host.cli(&["plugins", "command", "office-hours", name]);
    let said = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&said).into_owned(), output.status.success())
}

fn wait_for_show(stage: &Stage, part: &str) {
    stage.host.wait_for(part, || command(stage, "show").0.contains(part).then_some(()));
}

/// Whose status was set, and to what.
fn set(stage: &Stage) -> Vec<(String, String)> {
    let requests = stage.livechat.requests().of_operation("set_routing_status");
    let bodies = requests.into_iter().filter_map(|request| request.body);
    let text = |body: &Value, name: &str| body[name].as_str().unwrap_or_default().to_owned();
    bodies.map(|body| (text(&body, "agent_id"), text(&body, "status"))).collect()
}

fn smith(status: &str) -> (String, String) {
    (SMITH.to_owned(), status.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_away_outside_of_the_hours_and_only_they_are_set_back() {
    let closed = these_days();
    let stage = stage(&timetable(OPEN, &closed), false).await;
    // Smith accepts chats; Olga went away by herself; Sam is in another group.
    let (said, succeeded) = command(&stage, "apply");
    assert!(succeeded && said.contains("set away by the timetable `support`: smith@example.com"), "{said}");
    assert_eq!(set(&stage), [smith("not_accepting_chats")]);
    assert!(command(&stage, "apply").1);
    stage.settled().await;
    assert_eq!(set(&stage).len(), 1, "once more does nothing more");

    // Comes in at night: the webhook tells, and the plugin sends him home.
    stage.livechat.set_routing_status(SMITH, RoutingStatus::AcceptingChats);
    stage.settled().await;
    assert_eq!(set(&stage), [smith("not_accepting_chats"), smith("not_accepting_chats")]);

    closed.iter().for_each(|day| change(&stage, day, "2001-01-01"));
    wait_for_show(&stage, "support: open");
    assert!(command(&stage, "apply").1);
    assert!(command(&stage, "apply").1);
    for delivery in stage.settled().await.iter().flat_map(deliveries) {
        assert_eq!(delivery["state"], "succeeded", "{delivery:#}");
    }
    assert_eq!(set(&stage)[2..], [smith("accepting_chats")]);
    let posts: Vec<String> = stage.slack.posts().iter().map(|post| post.content()).collect();
    assert_eq!(posts.len(), 3, "{posts:?}");
    assert!(posts[0].contains("away now: smith@example.com (`support`)"), "{posts:?}");
    assert!(posts[2].contains("back now: smith@example.com (`support`)"), "{posts:?}");
    stage.expect_no_secrets();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schedule_does_it_by_itself_and_asks_only_when_hours_begin_or_end() {
    let closed = these_days();
    let stage = stage(&timetable(OPEN, &closed), true).await;
    let wait = |count: usize| {
        let livechat = stage.livechat.clone();
        async move {
            let asked = |livechat: &chatplug::simulator::Livechat| {
                livechat.requests().of_operation("set_routing_status").len() >= count
            };
            livechat.wait_for("a status to be set", PATIENCE, asked).await.expect("a status");
        }
    };
    wait(1).await;
    closed.iter().for_each(|day| change(&stage, day, "2001-01-01"));
    wait(2).await;
    assert_eq!(set(&stage), [smith("not_accepting_chats"), smith("accepting_chats")]);
    // Two more times have come and gone: nobody was asked.
    let ticks = |events: &[Value]| {
        let ticks = events.iter().filter(|event| event["type"] == "schedule");
        ticks.filter(|event| deliveries(event).all(|one| one["state"] == "succeeded")).count()
    };
    let done = ticks(&stage.host.events());
    stage.host.wait_for_events("two more times", |events| ticks(events) >= done + 2);
    let looks = || stage.livechat.requests().of_operation("list_routing_statuses").len();
    let before = looks();
    let done = ticks(&stage.host.events());
    stage.host.wait_for_events("two more times", |events| ticks(events) >= done + 2);
    assert_eq!(looks(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_timetable_is_refused_with_a_sentence() {
    let overlapping = format!("{OPEN}, {{ from = \"09:00\", to = \"10:00\" }}");
    let stage = stage(&timetable(&overlapping, &[]), false).await;
    let (said, succeeded) = command(&stage, "apply");
    assert!(!succeeded && said.contains("timetable `support`: its hours number 1 and 2 overlap"), "{said}");
    change(&stage, "timezone = \"UTC\"", "timezone = \"Mars/Base\"");
    stage.host.wait_for("the other settings", || {
        command(&stage, "apply").0.contains("`Mars/Base` is not a time zone").then_some(())
    });
    assert!(set(&stage).is_empty());
}
