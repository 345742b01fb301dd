//! Asking LiveChat, and keeping what it said in the plugin's memory.

use chatplug_sdk::objects::{ChatSummary, Report, RoutingStatus};
use chatplug_sdk::prelude::*;
use jiff::Timestamp;

use crate::board::{Known, Part, Reports, day, millis};
use crate::look::{self, ChatNews};
use crate::settings::Settings;
use crate::state::{Agents, Chats, is_person};

/// Pages of active chats that are read, a hundred on each.
const PAGES: u32 = 5;
/// People whose status is kept, so that it fits into one value of the memory.
const PEOPLE: usize = 500;

/// Why LiveChat did not tell something when it was asked last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Problems {
    /// The chats.
    pub chats: Option<String>,
    /// The agents' status.
    pub agents: Option<String>,
}

/// Asks for the chats and the statuses.
///
/// # Errors
/// The plugin's memory can't be read or written.
pub fn poll(settings: &Settings, at: Timestamp, news: &Known<ChatNews>) -> Result<(), Failure> {
    let now_ms = millis(at);
    let chats = match active_chats(settings) {
        Ok(summaries) => {
            let before = memory::get::<Chats>(look::CHATS)?.unwrap_or_default();
            let before = before.with(news.iter().flatten());
            keep(look::CHATS, &Chats::listed(now_ms, &summaries, &before))?
        }
        Err(why) => Some(why),
    };
    let agents =
        match agents::routing_statuses(&settings.groups).map_err(|error| told(&error)).and_then(people) {
            Ok(statuses) => {
                keep(look::AGENTS, &Agents { at_ms: now_ms, statuses: statuses.into_iter().collect() })?
            }
            Err(why) => Some(why),
        };
    let (before, now): (Problems, _) =
        (memory::get(look::PROBLEMS)?.unwrap_or_default(), Problems { chats, agents });
    if now == before {
        return Ok(());
    }
    for why in [&now.chats, &now.agents].into_iter().flatten() {
        warn!("a part of the board will be unknown: {why}");
    }
    Ok(memory::set(look::PROBLEMS, &now)?)
}

/// Keeps what was read; answers why it isn't kept. What is too large is not known the next time.
fn keep<T: Serialize>(key: &str, value: &T) -> Result<Option<String>, Failure> {
    match memory::set(key, value) {
        Err(error) if error.code == ErrorCode::Limit => {
            memory::delete(key)?;
            Ok(Some(told(&error)))
        }
        done => Ok(done.map(|()| None)?),
    }
}

fn active_chats(settings: &Settings) -> Known<Vec<ChatSummary>> {
    let mut query = Query::new().filter("active", true).limit(100);
    if !settings.groups.is_empty() {
        query = query.filter("group_ids", settings.groups.clone());
    }
    let (mut all, mut page_id) = (Vec::new(), None);
    for _ in 0..PAGES {
        let page = chats::list(&query, page_id.as_deref()).map_err(|error| told(&error))?;
        all.extend(page.items);
        match page.next_page_id {
            Some(next) => page_id = Some(next),
            None => return Ok(all),
        }
    }
    Err(format!("there are more than {} active chats", PAGES * 100))
}

/// The status of each person.
fn people(all: Vec<RoutingStatus>) -> Known<Vec<(String, String)>> {
    let people = all.into_iter().filter(|one| is_person(&one.agent_id));
    let people: Vec<_> = people.map(|one| (one.agent_id, one.status.as_str().to_owned())).collect();
    match people.len() {
        ..=PEOPLE => Ok(people),
        count => {
            Err(format!("LiveChat lists {count} people, more than {PEOPLE}: name groups in the settings"))
        }
    }
}

/// Reads today's reports, and keeps what was read before where that fails.
///
/// # Errors
/// The plugin's memory can't be read or written.
pub fn reports(settings: &Settings, at: Timestamp) -> Result<(), Failure> {
    let today = day(at, &settings.timezone.0);
    let before = memory::get::<Reports>(look::REPORTS)?.filter(|known| known.day == today);
    let query = of_today(settings, &today);
    let read = [
        reports::queued(&query).map(|report| longest(&report, &today)),
        reports::first_response_time(&query).map(|report| average(&report, &today, "first_response_time")),
        reports::response_time(&query).map(|report| average(&report, &today, "response_time")),
    ];
    for error in read.iter().filter_map(|one| one.as_ref().err()) {
        warn!("a report of today can't be read: {error}");
    }
    Ok(memory::set(look::REPORTS, &merged(before, today, millis(at), read))?)
}

fn of_today(settings: &Settings, today: &str) -> Query {
    let mut query = Query::new().days(today, today);
    if let Some(name) = settings.timezone.0.iana_name() {
        query = query.timezone(name);
    }
    match settings.groups.is_empty() {
        true => query,
        false => query.filter("groups", json!({ "values": settings.groups })),
    }
}

/// What is known after reading: what failed is as it was `before`, if that is of the same day and a number.
fn merged(before: Option<Reports>, day: String, at_ms: u64, read: [Result<Known<u64>, Error>; 3]) -> Reports {
    let is_whole = !read.iter().any(|one| one.as_ref().is_err_and(|error| error.code.may_pass()));
    let before = match before {
        Some(before) => [before.longest_s, before.first_response_s, before.response_s].map(Some),
        None => [None, None, None],
    };
    let mut parts = read.into_iter().zip(before).map(|(read, before)| match read {
        Ok(value) => Part { at_ms, value },
        Err(error) => {
            let why = told(&error);
            let kept = before.filter(|part| part.value.is_ok() && error.code.may_pass());
            kept.unwrap_or(Part { at_ms, value: Err(why) })
        }
    });
    let mut part = || parts.next().expect("there are three");
    Reports { day, is_whole, longest_s: part(), first_response_s: part(), response_s: part() }
}

/// A time of a report of today, rounded.
fn average(report: &Report, today: &str, name: &str) -> Known<u64> {
    match report.records.get(today).and_then(|record| record[name].as_f64()) {
        Some(seconds) if report.number(today, "count") > 0.0 => Ok(seconds.round().max(0.0) as u64),
        _ => Err("nobody was answered yet today, as far as LiveChat's report goes".to_owned()),
    }
}

/// The longest wait in the queue: of who came through it, and of who gave up. Where nobody did either it is 0; where
/// somebody did and the report doesn't say how long, it may have been any time.
fn longest(report: &Report, today: &str) -> Known<u64> {
    let Some(record) = report.records.get(today) else { return Ok(0) };
    let mut longest = 0;
    for (who, name) in [("waited", "queued"), ("gave up", "left_queue")] {
        let waits = &record[name];
        match (waits["max"].as_f64(), waits["count"].as_f64()) {
            (Some(seconds), _) => longest = longest.max(seconds.round().max(0.0) as u64),
            (None, Some(count)) if count > 0.0 => {
                return Err(format!("LiveChat's report doesn't say how long those waited who {who}"));
            }
            (None, _) => {}
        }
    }
    Ok(longest)
}

/// What keeps LiveChat from telling something, for people.
fn told(error: &Error) -> String {
    match error.code {
        ErrorCode::Denied => format!("the plugin may not ask for it: {}", error.message),
        _ => format!("LiveChat does not tell: {}", error.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: &str = "2026-06-01";

    fn report(records: Value) -> Report {
        serde_json::from_value(json!({ "records": records })).expect("a report")
    }

    #[test]
    fn a_report_without_a_number_says_nothing_or_zero() {
        let check = |records: Value, expected: Option<u64>| {
            assert_eq!(average(&report(records.clone()), TODAY, "response_time").ok(), expected, "{records}");
        };
        check(json!({ "2026-06-01": { "count": 3, "response_time": 17.5 } }), Some(18));
        check(json!({ "2026-05-31": { "count": 3, "response_time": 17.5 } }), None);
        check(json!({ "2026-06-01": {} }), None);
        check(json!({}), None);
    }

    #[test]
    fn the_longest_wait_is_of_who_waited_and_of_who_gave_up_or_nobody_knows() {
        let check = |record: Value, expected: Option<u64>| {
            let found = longest(&report(json!({ "2026-06-01": record })), TODAY);
            assert_eq!(found.ok(), expected, "{record}");
        };
        let nobody = || json!({ "count": 0 });
        let waits = |max: f64| json!({ "count": 2, "min": 1, "max": max, "avg": 30 });
        check(json!({ "queued": waits(95.4), "left_queue": nobody() }), Some(95));
        check(json!({ "queued": waits(95.4), "left_queue": waits(600.0) }), Some(600));
        check(json!({ "queued": waits(95.4), "left_queue": waits(12.0) }), Some(95));
        check(json!({ "queued": nobody(), "left_queue": waits(600.0) }), Some(600));
        check(json!({ "queued": { "max": 7 } }), Some(7));
        check(json!({ "queued": nobody(), "left_queue": nobody() }), Some(0));
        check(json!({}), Some(0));
        check(json!({ "queued": { "count": 2 } }), None);
        check(json!({ "queued": { "count": 2, "max": null }, "left_queue": waits(9.0) }), None);
        check(json!({ "queued": waits(95.4), "left_queue": { "count": 1 } }), None);
        assert_eq!(longest(&report(json!({})), TODAY), Ok(0), "no bucket: nobody waited");
    }

    #[test]
    fn reports_are_of_the_day_in_the_zone_of_the_settings() {
        let query = |more: Value| {
            let mut settings = json!({ "timezone": "Asia/Tokyo" });
            settings
                .as_object_mut()
                .expect("an object")
                .extend(more.as_object().cloned().expect("an object"));
            of_today(&serde_json::from_value(settings).expect("settings"), TODAY)
        };
        let days = Query::new().days(TODAY, TODAY).timezone("Asia/Tokyo");
        assert_eq!(query(json!({})), days);
        assert_eq!(query(json!({ "groups": [1, 5] })), days.filter("groups", json!({ "values": [1, 5] })));
    }

    #[test]
    fn a_report_that_fails_leaves_what_was_known() {
        let failed = |code| Err(Error::new(code, "no"));
        let part = |at_ms, value: Known<u64>| Part { at_ms, value };
        let before = merged(
            None,
            TODAY.to_owned(),
            1,
            [Ok(Ok(95)), Ok(Ok(17)), Ok(Err("nobody was answered".to_owned()))],
        );
        assert!(before.is_whole);
        let busy = [failed(ErrorCode::Unavailable), Ok(Ok(18)), failed(ErrorCode::RateLimited)];
        let now = merged(Some(before.clone()), TODAY.to_owned(), 2, busy.clone());
        assert!(!now.is_whole, "it is tried again soon");
        assert_eq!((&now.longest_s, &now.first_response_s), (&part(1, Ok(95)), &part(2, Ok(18))));
        assert_eq!(now.response_s, part(2, Err("LiveChat does not tell: no".to_owned())));
        // Of another day nothing is left.
        assert!(merged(None, "2026-06-02".to_owned(), 2, busy).longest_s.value.is_err());
        // What isn't allowed any more isn't shown any more, and isn't asked for again soon.
        let denied = [failed(ErrorCode::Denied), failed(ErrorCode::Denied), failed(ErrorCode::Denied)];
        let now = merged(Some(before), TODAY.to_owned(), 2, denied);
        assert!(now.is_whole && now.longest_s.value.is_err());
    }

    #[test]
    fn more_people_than_fit_are_not_cut() {
        let team = |count: usize| {
            let one = |id: String| json!({ "agent_id": id, "status": "accepting_chats" });
            let bot = one("5c9871d5372c824cbf22d860a707a578".to_owned());
            let team: Vec<Value> = (0..count).map(|number| one(format!("a{number}@example.com"))).collect();
            let all: Vec<Value> = team.into_iter().chain([bot]).collect();
            people(serde_json::from_value(json!(all)).expect("statuses"))
        };
        assert_eq!(team(500).map(|people| people.len()), Ok(500));
        assert!(team(501).is_err_and(|why| why.contains("501 people")));
    }
}
