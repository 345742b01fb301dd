//! office-hours in a real host: who is set away, and who is set back.

use chatplug::simulator::livechat::RoutingStatus;
use chatplug::simulator::{Fault, Times};
use chatplug_tests::{PATIENCE, deliveries, plugin};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde_json::Value;
use toml::Table;

use crate::services::{SMITH, Stage, readme_section};

/// So many people are added: with Smith more than the plugin sets in one event.
const STAFF: usize = 30;

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

/// One of those who are added to the group Support, where they accept chats.
fn staff(number: usize) -> String {
    format!("agent{number:02}@example.com")
}

fn hire(stage: &Stage) {
    (0..STAFF).for_each(|number| stage.livechat.add_agent(&staff(number), "Agent", &[1]));
}

/// Everybody in the group Support who accepts chats at the start, in order, with a status.
fn everybody(status: &str) -> Vec<(String, String)> {
    let all = (0..STAFF).map(staff).chain([SMITH.to_owned()]);
    all.map(|id| (id, status.to_owned())).collect()
}

async fn wait_for_set(stage: &Stage, count: usize) {
    let asked = |livechat: &chatplug::simulator::Livechat| {
        livechat.requests().of_operation("set_routing_status").len() >= count
    };
    stage.livechat.wait_for("statuses to be set", PATIENCE, asked).await.expect("statuses");
}

/// How often LiveChat was asked for the statuses.
fn looks(stage: &Stage) -> usize {
    stage.livechat.requests().of_operation("list_routing_statuses").len()
}

/// Waits until the schedule's time has come and gone two more times.
fn wait_for_two_ticks(stage: &Stage) {
    let ticks = |events: &[Value]| {
        let ticks = events.iter().filter(|event| event["type"] == "schedule");
        ticks.filter(|event| deliveries(event).all(|one| one["state"] == "succeeded")).count()
    };
    let done = ticks(&stage.host.events());
    stage.host.wait_for_events("two more times", |events| ticks(events) >= done + 2);
}

/// Waits until the team has been told so many messages; answers their texts. They are told in events of their own.
async fn told(stage: &Stage, count: usize) -> Vec<String> {
    let waited = stage.slack.wait_for("the team to be told", PATIENCE, |slack| slack.posts().len() >= count);
    waited.await.expect("messages");
    stage.slack.posts().into_iter().map(|post| post.text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_away_outside_of_the_hours_and_only_they_are_set_back() {
    let closed = these_days();
    let stage = stage(&timetable(OPEN, &closed), false).await;
    // Smith accepts chats; Olga went away by herself; Sam is in another group.
    let (said, succeeded) = command(&stage, "apply");
    assert!(succeeded && said.contains("set away by the timetable `support`: smith@example.com"), "{said}");
    assert_eq!(set(&stage), [smith("not_accepting_chats")]);
    told(&stage, 1).await;
    assert!(command(&stage, "apply").1);
    stage.settled().await;
    assert_eq!(set(&stage).len(), 1, "once more does nothing more");

    // Comes in at night: the webhook tells, and the plugin sends him home.
    stage.livechat.set_routing_status(SMITH, RoutingStatus::AcceptingChats);
    stage.settled().await;
    assert_eq!(set(&stage), [smith("not_accepting_chats"), smith("not_accepting_chats")]);
    told(&stage, 2).await;

    closed.iter().for_each(|day| change(&stage, day, "2001-01-01"));
    wait_for_show(&stage, "support: open");
    assert!(command(&stage, "apply").1);
    assert!(command(&stage, "apply").1);
    told(&stage, 3).await;
    for delivery in stage.settled().await.iter().flat_map(deliveries) {
        assert_eq!(delivery["state"], "succeeded", "{delivery:#}");
    }
    assert_eq!(set(&stage)[2..], [smith("accepting_chats")]);
    let posts = told(&stage, 3).await;
    assert_eq!(posts.len(), 3, "{posts:?}");
    assert!(posts[0].contains("away now: smith@example.com (`support`)"), "{posts:?}");
    assert!(posts[2].contains("back now: smith@example.com (`support`)"), "{posts:?}");
    stage.expect_no_secrets();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schedule_does_it_by_itself_and_asks_only_when_hours_begin_or_end() {
    let closed = these_days();
    let stage = stage(&timetable(OPEN, &closed), true).await;
    wait_for_set(&stage, 1).await;
    closed.iter().for_each(|day| change(&stage, day, "2001-01-01"));
    wait_for_set(&stage, 2).await;
    assert_eq!(set(&stage), [smith("not_accepting_chats"), smith("accepting_chats")]);
    // Two more times have come and gone: nobody was asked.
    wait_for_two_ticks(&stage);
    let before = looks(&stage);
    wait_for_two_ticks(&stage);
    assert_eq!(looks(&stage), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_of_everybody_and_comes_to_an_end() {
    let stage = stage(&format!("dry_run = true\n{}", timetable(OPEN, &these_days())), false).await;
    hire(&stage);
    let (said, succeeded) = command(&stage, "apply");
    assert!(succeeded, "{said}");
    for (id, _) in everybody("") {
        let line = format!("would have set away by the timetable `support`: {id}");
        assert!(said.contains(&line), "{id}: {said}");
    }
    // That was the look: the schedule has nothing to do, and no timer goes on with it.
    change(&stage, "minute = false", "minute = { every_s = 1 }");
    wait_for_two_ticks(&stage);
    assert_eq!(looks(&stage), 1);
    let timers = stage.host.events().into_iter().filter(|event| event["type"] == "timer");
    assert_eq!(timers.count(), 0);
    assert!(set(&stage).is_empty() && stage.slack.requests().all().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn while_slack_asks_to_wait_the_timetable_goes_on_and_everybody_is_told_of_afterwards() {
    let closed = these_days();
    let stage = stage(&timetable(OPEN, &closed), false).await;
    hire(&stage);
    let busy = Fault::TooManyRequests { retry_after: Some("1".to_owned()) };
    stage.slack.faults().set("webhook", busy, Times::UntilCleared);
    change(&stage, "minute = false", "minute = { every_s = 1 }");
    wait_for_set(&stage, STAFF + 1).await;
    assert_eq!(set(&stage), everybody("not_accepting_chats"));
    // The event in which the rest was set is over, too; those that tell the team wait.
    let is_done =
        |event: &Value| event["type"] == "timer" && deliveries(event).all(|one| one["state"] == "succeeded");
    stage.host.wait_for_events("the rest to be seen to", |events| events.iter().any(is_done));
    closed.iter().for_each(|day| change(&stage, day, "2001-01-01"));
    wait_for_set(&stage, 2 * (STAFF + 1)).await;
    assert_eq!(set(&stage)[STAFF + 1..], everybody("accepting_chats"));
    assert!(stage.slack.posts().is_empty());

    stage.slack.faults().clear();
    // Twice two messages: of 25 people each, and of the rest.
    let posts = told(&stage, 4).await;
    for (id, _) in everybody("") {
        let of = |what: &str| {
            let lines = posts.iter().flat_map(|post| post.lines()).filter(|line| line.starts_with(what));
            lines.filter(|line| line.contains(&id)).count()
        };
        assert_eq!((of("Hours are over"), of("Hours have begun")), (1, 1), "{id}: {posts:#?}");
    }
    assert_eq!((posts.len(), stage.slack.violations()), (4, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_statuses_can_not_be_set_a_look_ends_and_another_one_sets_them() {
    let stage = stage(&timetable(OPEN, &these_days()), false).await;
    hire(&stage);
    let elsewhere = Fault::Redirect("https://elsewhere.example.com".to_owned());
    stage.livechat.faults().set("set_routing_status", elsewhere, Times::UntilCleared);
    let (said, succeeded) = command(&stage, "apply");
    assert!(succeeded && said.contains("can't be set now"), "{said}");
    assert_eq!(set(&stage), everybody("not_accepting_chats")[..25]);
    stage.livechat.faults().clear();
    // The rest has its turn after a pause, the others with the next look.
    wait_for_set(&stage, STAFF + 1).await;
    stage.settled().await;
    assert_eq!(set(&stage), everybody("not_accepting_chats"));
    assert!(command(&stage, "apply").1);
    assert_eq!(set(&stage)[STAFF + 1..], everybody("not_accepting_chats")[..25]);
    for delivery in stage.settled().await.iter().flat_map(deliveries) {
        assert_eq!(delivery["state"], "succeeded", "{delivery:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_late_or_could_not_be_set_back_at_first_is_set_back_later() {
    const EVENTS: &str = "events = [\"routing_status_set\"]";
    let closed = these_days();
    let stage = stage(&timetable(OPEN, &closed), false).await;
    assert!(command(&stage, "apply").1);
    stage.livechat.set_routing_status(SMITH, RoutingStatus::Offline);
    let denied = format!("{EVENTS}\ndenies = [\"agents.set-routing-status\"]");
    change(&stage, EVENTS, &denied);
    closed.iter().for_each(|day| change(&stage, day, "2001-01-01"));
    wait_for_show(&stage, "support: open");
    assert!(command(&stage, "apply").1);
    // He comes when the hours have begun, and is away still.
    stage.livechat.set_routing_status(SMITH, RoutingStatus::NotAcceptingChats);
    let (said, succeeded) = command(&stage, "apply");
    assert!(succeeded && said.contains("the agent's status can't be set"), "{said}");
    assert_eq!(set(&stage), [smith("not_accepting_chats")]);
    change(&stage, &denied, EVENTS);
    stage.host.wait_for("the grant", || {
        assert!(command(&stage, "apply").1);
        (set(&stage).len() > 1).then_some(())
    });
    assert_eq!(set(&stage)[1..], [smith("accepting_chats")]);
    // Back for good: what he does from now on is up to him.
    stage.livechat.set_routing_status(SMITH, RoutingStatus::NotAcceptingChats);
    assert!(command(&stage, "apply").1);
    stage.settled().await;
    assert_eq!(set(&stage).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_late_and_accepts_chats_may_go_away_before_the_next_look() {
    let closed = these_days();
    let stage = stage(&timetable(OPEN, &closed), false).await;
    assert!(command(&stage, "apply").1);
    stage.livechat.set_routing_status(SMITH, RoutingStatus::Offline);
    closed.iter().for_each(|day| change(&stage, day, "2001-01-01"));
    wait_for_show(&stage, "support: open");
    stage.livechat.set_routing_status(SMITH, RoutingStatus::AcceptingChats);
    stage.settled().await;
    stage.livechat.set_routing_status(SMITH, RoutingStatus::NotAcceptingChats);
    stage.settled().await;
    assert!(command(&stage, "apply").1);
    assert_eq!(set(&stage), [smith("not_accepting_chats")]);
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
