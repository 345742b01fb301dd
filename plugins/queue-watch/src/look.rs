//! Asking LiveChat, seldom enough, and keeping what it said in the plugin's memory.

use std::time::Duration;

use chatplug_sdk::objects::Report;
use chatplug_sdk::prelude::*;
use jiff::Timestamp;

use crate::board::{Known, Part, Reports, Seen, day, millis};
use crate::settings::Settings;
use crate::state::{Agents, Chats, News, is_person};

/// Pages of active chats that are read, a hundred on each.
const PAGES: u32 = 5;
/// People whose status is kept, so that it fits into one value of the memory.
const PEOPLE: usize = 500;
/// What one look goes through of the news.
const NEWS: u32 = 500;

const CHATS: &str = "chats";
const AGENTS: &str = "agents";
const REPORTS: &str = "reports";
/// When LiveChat was asked for the chats last, whether it answered or not.
const POLLED: &str = "polled";
const REPORTED: &str = "reported";
/// What webhooks have told of a chat.
pub const NEWS_OF: &str = "news/";
/// And of an agent's status.
pub const STATUS_OF: &str = "status/";

/// How an agent's status became.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusNews {
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// What it is.
    pub status: String,
}

/// Looks at everything, and asks LiveChat for what is due.
///
/// # Errors
/// The plugin's memory can't be read or written.
pub fn look(settings: &Settings, at: Timestamp) -> Result<Seen, Failure> {
    let now_ms = millis(at);
    let (news, mut problem) = (read_all::<News>(NEWS_OF)?, None);
    if is_due(POLLED, now_ms, u64::from(settings.poll_s()) * 1_000)? {
        problem = poll(settings, now_ms, &news)?;
    }
    let counts = |at_ms: u64| now_ms.saturating_sub(at_ms) <= settings.counts_ms();
    let why = || problem.clone().unwrap_or_else(|| "LiveChat has not told it for too long".to_owned());
    let chats = match memory::get::<Chats>(CHATS)?.filter(|chats| counts(chats.at_ms)) {
        Some(chats) => Ok(chats.with(news)),
        None => Err(why()),
    };
    let agents = match memory::get::<Agents>(AGENTS)?.filter(|agents| counts(agents.at_ms)) {
        Some(agents) => Ok(with_news(agents)?),
        None => Err(why()),
    };
    Ok(Seen { at, chats, agents, reports: reports(settings, at)? })
}

/// Whether something that is done again and again is due; then it counts as done. A little early is in time: samples
/// don't come to the millisecond.
fn is_due(key: &str, now_ms: u64, every_ms: u64) -> Result<bool, Failure> {
    let last: Option<u64> = memory::get(key)?;
    let is_due = last.is_none_or(|last| now_ms < last || now_ms - last + every_ms / 10 >= every_ms);
    if is_due {
        memory::set(key, &now_ms)?;
    }
    Ok(is_due)
}

/// Asks for the chats and the statuses; answers why something isn't there.
fn poll(settings: &Settings, now_ms: u64, news: &[(String, News)]) -> Result<Option<String>, Failure> {
    let mut problem = None;
    match active_chats(settings) {
        Ok(summaries) => {
            let before = memory::get::<Chats>(CHATS)?.unwrap_or_default().with(news.iter().cloned());
            keep(CHATS, &Chats::listed(now_ms, &summaries, &before), &mut problem)?;
        }
        Err(why) => problem = Some(why),
    }
    match agents::routing_statuses(&settings.groups) {
        Ok(all) => {
            let people = all.into_iter().filter(|one| is_person(&one.agent_id)).take(PEOPLE);
            let statuses = people.map(|one| (one.agent_id, one.status.as_str().to_owned())).collect();
            keep(AGENTS, &Agents { at_ms: now_ms, statuses }, &mut problem)?;
        }
        Err(error) => problem = Some(told(&error)),
    }
    Ok(problem)
}

/// Keeps what was read. What is too large is not known the next time.
fn keep<T: Serialize>(key: &str, value: &T, problem: &mut Option<String>) -> Result<(), Failure> {
    match memory::set(key, value) {
        Err(error) if error.code == ErrorCode::Limit => {
            *problem = Some(told(&error));
            memory::delete(key)?;
            Ok(())
        }
        done => Ok(done?),
    }
}

fn active_chats(settings: &Settings) -> Known<Vec<chatplug_sdk::objects::ChatSummary>> {
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

fn with_news(mut agents: Agents) -> Result<Agents, Failure> {
    for (agent, news) in read_all::<StatusNews>(STATUS_OF)? {
        // Somebody of another group isn't in the list at all.
        if news.at_ms > agents.at_ms && agents.statuses.contains_key(&agent) {
            agents.statuses.insert(agent, news.status);
        }
    }
    Ok(agents)
}

/// All values of the memory whose keys begin so, with the rest of the key.
fn read_all<T: serde::de::DeserializeOwned>(prefix: &str) -> Result<Vec<(String, T)>, Failure> {
    let mut all = Vec::new();
    for key in memory::keys(prefix, None, NEWS)? {
        if let Some(value) = memory::get(&key)? {
            all.push((key[prefix.len()..].to_owned(), value));
        }
    }
    Ok(all)
}

/// Today's reports, which are read anew when it is time.
fn reports(settings: &Settings, at: Timestamp) -> Result<Known<Reports>, Failure> {
    let (now_ms, today) = (millis(at), day(at, &settings.timezone.0));
    let known = memory::get::<Reports>(REPORTS)?.filter(|known| known.day == today);
    if !is_due(REPORTED, now_ms, u64::from(settings.reports_minutes) * 60_000)? {
        return Ok(known.ok_or_else(|| "the reports of today were not read yet".to_owned()));
    }
    let mut query = Query::new().days(&today, &today);
    if !settings.groups.is_empty() {
        query = query.filter("groups", json!({ "values": settings.groups }));
    }
    let read = Reports {
        at_ms: now_ms,
        first_response_s: part(reports::first_response_time(&query), |report| {
            average(report, &today, "first_response_time")
        }),
        response_s: part(reports::response_time(&query), |report| average(report, &today, "response_time")),
        longest_s: part(reports::queued(&query), |report| longest(report, &today)),
        day: today,
    };
    memory::set(REPORTS, &read)?;
    Ok(Ok(read))
}

fn part(report: Result<Report, Error>, read: impl FnOnce(&Report) -> Part) -> Part {
    match report {
        Ok(report) => read(&report),
        Err(error) => Part::Unknown(told(&error)),
    }
}

/// A time of a report of today, rounded.
fn average(report: &Report, today: &str, name: &str) -> Part {
    match report.records.get(today).and_then(|record| record[name].as_f64()) {
        Some(seconds) if report.number(today, "count") > 0.0 => Part::Is(seconds.round().max(0.0) as u64),
        _ => Part::Unknown("nobody was answered yet today, as far as LiveChat's report goes".to_owned()),
    }
}

/// The longest wait in the queue. LiveChat leaves out what is 0.
fn longest(report: &Report, today: &str) -> Part {
    let queued = report.records.get(today).map(|record| record["queued"].clone()).unwrap_or_default();
    match (queued["count"].as_f64().unwrap_or_default() > 0.0, queued["max"].as_f64()) {
        (false, _) => Part::Is(0),
        (true, Some(seconds)) => Part::Is(seconds.round().max(0.0) as u64),
        (true, None) => Part::Unknown("LiveChat's report doesn't say how long they waited".to_owned()),
    }
}

/// What keeps LiveChat from telling something, for people.
fn told(error: &Error) -> String {
    warn!("LiveChat does not tell: {error}");
    match error.code {
        ErrorCode::Denied => format!("the plugin may not ask for it: {}", error.message),
        _ => format!("LiveChat does not tell: {}", error.message),
    }
}

/// How long what a webhook told is kept: longer than what it adds to counts.
pub fn lifetime(settings: &Settings) -> Duration {
    Duration::from_millis(2 * settings.counts_ms())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(records: Value) -> Report {
        serde_json::from_value(json!({ "records": records })).expect("a report")
    }

    #[test]
    fn a_report_without_a_number_says_nothing_or_zero() {
        let check = |records: Value, expected: Option<u64>| {
            let found = average(&report(records.clone()), "2026-06-01", "response_time");
            assert_eq!(matches!(found, Part::Is(_)), expected.is_some(), "{records}: {found:?}");
            assert!(expected.is_none_or(|seconds| found == Part::Is(seconds)), "{records}: {found:?}");
        };
        check(json!({ "2026-06-01": { "count": 3, "response_time": 17.5 } }), Some(18));
        check(json!({ "2026-05-31": { "count": 3, "response_time": 17.5 } }), None);
        check(json!({ "2026-06-01": {} }), None);
        check(json!({}), None);
    }

    #[test]
    fn nobody_queued_is_zero_and_a_report_without_times_is_not() {
        let longest =
            |queued: Value| longest(&report(json!({ "2026-06-01": { "queued": queued } })), "2026-06-01");
        assert_eq!(longest(json!({ "count": 2, "min": 1, "max": 95.4, "avg": 30 })), Part::Is(95));
        assert_eq!(longest(json!(null)), Part::Is(0));
        assert!(matches!(longest(json!({ "count": 2 })), Part::Unknown(_)));
    }
}
