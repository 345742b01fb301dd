//! What the plugin's memory says of the queue now: what LiveChat said last, and what webhooks have told since. LiveChat is
//! not asked here.

use std::time::Duration;

use chatplug_sdk::prelude::*;
use jiff::Timestamp;

use crate::ask::Problems;
use crate::board::{Known, Reports, Seen, day, millis, timestamp};
use crate::settings::{SAMPLE_S, Settings};
use crate::state::{Agents, Chats, News};
use crate::turn::{self, Turns};

/// Chats of which news is read: each is a call of the host.
const CHATS_CHANGED: usize = 600;
/// Agents of which news is read.
const AGENTS_CHANGED: usize = 250;
// What a sample or a command may call; what else it asks for, keeps and publishes comes to less than a hundred calls.
const _: () = assert!(CHATS_CHANGED + AGENTS_CHANGED + 100 <= 1_000);

/// Where the chats are kept.
pub const CHATS: &str = "chats";
/// And the agents' status.
pub const AGENTS: &str = "agents";
/// And today's reports.
pub const REPORTS: &str = "today";
/// And why something isn't there.
pub const PROBLEMS: &str = "problems";
/// What webhooks have told of a chat.
pub const NEWS_OF: &str = "news/";
/// And of an agent's status.
pub const STATUS_OF: &str = "status/";

/// What webhooks have told of chats, by their ids.
pub type ChatNews = Vec<(String, News)>;

/// How an agent's status became.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusNews {
    /// When it came, milliseconds since 1970.
    pub at_ms: u64,
    /// What it is.
    pub status: String,
}

/// What webhooks have told of chats lately.
///
/// # Errors
/// The plugin's memory can't be read.
pub fn news() -> Result<Known<ChatNews>, Failure> {
    read_all(NEWS_OF, CHATS_CHANGED, "chats")
}

/// What is known.
///
/// # Errors
/// The plugin's memory can't be read.
pub fn look(settings: &Settings, at: Timestamp, news: &Known<ChatNews>) -> Result<Seen, Failure> {
    let now_ms = millis(at);
    let counts = |at_ms: u64| now_ms.saturating_sub(at_ms) <= settings.counts_ms();
    let problems: Problems = memory::get(PROBLEMS)?.unwrap_or_default();
    let turns = Turns::of(turn::POLL)?;
    let chats = match memory::get::<Chats>(CHATS)?.filter(|chats| counts(chats.at_ms)) {
        Some(chats) => news.as_ref().map(|news| chats.with(news)).map_err(Clone::clone),
        None => Err(why(problems.chats, turns, now_ms)),
    };
    let agents = match memory::get::<Agents>(AGENTS)?.filter(|agents| counts(agents.at_ms)) {
        Some(agents) => {
            read_all(STATUS_OF, AGENTS_CHANGED, "agents' statuses")?.map(|news| with(agents, news))
        }
        None => Err(why(problems.agents, turns, now_ms)),
    };
    let today = day(at, &settings.timezone.0);
    let reports = match memory::get::<Reports>(REPORTS)?.filter(|known| known.day == today) {
        Some(reports) => Ok(reports),
        None => Err(why(None, Turns::of(turn::REPORTS)?, now_ms)),
    };
    Ok(Seen { at, chats, agents, reports })
}

/// Why something isn't known. The last reason that LiveChat gave stands until it tells.
fn why(problem: Option<String>, turns: Turns, now_ms: u64) -> String {
    let silent = match (turns.is_under_way(now_ms), turns.is_first()) {
        (true, _) => "LiveChat was asked, and has not answered yet",
        (false, true) => "LiveChat was not asked yet",
        (false, false) => "LiveChat has not told it for too long",
    };
    problem.unwrap_or_else(|| silent.to_owned())
}

fn with(mut agents: Agents, news: Vec<(String, StatusNews)>) -> Agents {
    for (agent, news) in news {
        // Somebody of another group isn't in the list at all.
        if news.at_ms > agents.at_ms && agents.statuses.contains_key(&agent) {
            agents.statuses.insert(agent, news.status);
        }
    }
    agents
}

/// All values of the memory whose keys begin so, with the rest of the key; `what` names them for people.
fn read_all<T: serde::de::DeserializeOwned>(
    prefix: &str,
    most: usize,
    what: &str,
) -> Result<Known<Vec<(String, T)>>, Failure> {
    let keys = match all_of(|after, limit| memory::keys(prefix, after, limit), most)? {
        Some(keys) => keys,
        None => {
            return Ok(Err(format!("too many changes: of more than {most} {what} since LiveChat was asked")));
        }
    };
    let mut all = Vec::with_capacity(keys.len());
    for key in keys {
        if let Some(value) = memory::get(&key)? {
            all.push((key[prefix.len()..].to_owned(), value));
        }
    }
    Ok(Ok(all))
}

/// All keys, a page after the other; `None` if there are more than `most`.
fn all_of(
    mut page: impl FnMut(Option<&str>, u32) -> Result<Vec<String>, Error>,
    most: usize,
) -> Result<Option<Vec<String>>, Error> {
    /// Keys of a page.
    const PAGE: usize = 500;
    let mut all: Vec<String> = Vec::new();
    loop {
        let limit = PAGE.min(most + 1 - all.len());
        let keys = page(all.last().map(String::as_str), u32::try_from(limit).unwrap_or(u32::MAX))?;
        let is_last = keys.len() < limit;
        all.extend(keys);
        match (all.len() > most, is_last) {
            (true, _) => return Ok(None),
            (false, true) => return Ok(Some(all)),
            (false, false) => {}
        }
    }
}

/// How long what a webhook told is kept: as long as the list before it may count, and a sample more.
pub fn lifetime(settings: &Settings) -> Duration {
    Duration::from_millis(settings.counts_ms()) + Duration::from_secs(SAMPLE_S.into())
}

/// How long what a webhook told of a chat at `at` is kept. Outside of the hours nobody asks LiveChat, and its list need not
/// say who waits: so that who queues before the hours begin is counted then, that is kept until they have begun.
pub fn kept_for(settings: &Settings, at: Timestamp, news: &News) -> Duration {
    let lifetime = lifetime(settings);
    let then = timestamp(millis(at) + u64::try_from(lifetime.as_millis()).unwrap_or_default());
    if !news.waits() || settings.is_open(at) && settings.is_open(then) {
        return lifetime;
    }
    let until_ms = settings.opens(then).map_or(0, millis).saturating_sub(millis(at));
    Duration::from_millis(until_ms) + lifetime
}

/// How often today's reports are to be read now, milliseconds: a new day's at once, and again soon what failed.
///
/// # Errors
/// The plugin's memory can't be read.
pub fn reports_every_ms(settings: &Settings, at: Timestamp) -> Result<u64, Failure> {
    let known: Option<Reports> = memory::get(REPORTS)?;
    Ok(every_ms(settings, known.as_ref(), &day(at, &settings.timezone.0)))
}

fn every_ms(settings: &Settings, known: Option<&Reports>, today: &str) -> u64 {
    match known {
        Some(known) if known.day != today => 0,
        Some(known) if known.is_whole => u64::from(settings.reports_minutes) * 60_000,
        _ => u64::from(settings.poll_s()) * 1_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Part;

    fn settings() -> Settings {
        serde_json::from_value(json!({ "timezone": "UTC", "hours": [] })).expect("settings")
    }

    #[test]
    fn all_keys_are_read_or_it_is_said_that_there_are_too_many() {
        let check = |count: usize, most: usize, calls: usize| {
            let keys: Vec<String> = (0..count).map(|number| format!("news/{number:04}")).collect();
            let mut asked = 0;
            let found = all_of(
                |after, limit| {
                    asked += 1;
                    let behind = keys.iter().filter(|key| after.is_none_or(|after| key.as_str() > after));
                    Ok(behind.take(limit as usize).cloned().collect())
                },
                most,
            );
            assert_eq!(found, Ok((count <= most).then_some(keys)), "{count} of {most}");
            assert_eq!(asked, calls, "{count} of {most}");
        };
        check(0, 600, 1);
        check(499, 600, 1);
        check(500, 600, 2);
        check(600, 600, 2);
        check(601, 600, 2);
        check(5_000, 600, 2);
        check(1_200, 1_200, 3);
    }

    #[test]
    fn news_lives_as_long_as_the_list_before_it_counts() {
        let settings = settings();
        assert!(lifetime(&settings) > Duration::from_millis(settings.counts_ms()));
        assert_eq!(lifetime(&settings), Duration::from_secs(210));
    }

    #[test]
    fn who_queues_outside_of_the_hours_is_known_when_they_begin() {
        let settings: Settings =
            serde_json::from_value(json!({ "timezone": "Europe/Warsaw" })).expect("settings");
        let chat = |thread: Value| -> chatplug_sdk::payload::IncomingChat {
            let chat = json!({ "id": "C1", "users": [], "access": { "group_ids": [1] }, "thread": thread });
            serde_json::from_value(json!({ "chat": chat })).expect("a payload")
        };
        let kept = |thread: Value, at: &str| {
            let at: Timestamp = at.parse().expect("a time");
            let mut news = News::default();
            news.begin(&chat(thread), millis(at), crate::state::Groups(&[]));
            let until = timestamp(
                millis(at) + u64::try_from(kept_for(&settings, at, &news).as_millis()).expect("a time"),
            );
            until.to_string()
        };
        let waiting = || json!({ "id": "T1", "queue": { "position": 1, "wait_time": 60 } });
        // Monday, 07:58 and 03:00; Friday evening; right before the hours end.
        assert_eq!(kept(waiting(), "2026-06-01T05:58:00Z"), "2026-06-01T06:04:30Z");
        assert_eq!(kept(waiting(), "2026-06-01T01:00:00Z"), "2026-06-01T06:03:30Z");
        assert_eq!(kept(waiting(), "2026-06-05T19:00:00Z"), "2026-06-08T06:03:30Z");
        assert_eq!(kept(waiting(), "2026-06-01T17:59:00Z"), "2026-06-02T06:03:30Z");
        // In the hours the next list counts, and so it does for whom nobody waits.
        assert_eq!(kept(waiting(), "2026-06-01T10:00:00Z"), "2026-06-01T10:03:30Z");
        assert_eq!(kept(json!({ "id": "T1" }), "2026-06-01T01:00:00Z"), "2026-06-01T01:03:30Z");
    }

    #[test]
    fn the_last_reason_stands_until_livechat_tells() {
        let begun = Turns { begun_ms: Some(1_000), ended_ms: None };
        let ended = Turns { ended_ms: Some(1_000), ..begun };
        let check = |problem: Option<&str>, turns, expected: &str| {
            assert_eq!(why(problem.map(str::to_owned), turns, 2_000), expected);
        };
        check(Some("there are more than 500 active chats"), ended, "there are more than 500 active chats");
        check(None, begun, "LiveChat was asked, and has not answered yet");
        check(None, ended, "LiveChat has not told it for too long");
        check(None, Turns::default(), "LiveChat was not asked yet");
    }

    #[test]
    fn a_new_day_s_reports_are_read_at_once_and_what_failed_with_the_next_poll() {
        let of = |day: &str, is_whole: bool| {
            let part = Part { at_ms: 0, value: Ok(1) };
            let day = day.to_owned();
            Reports {
                day,
                is_whole,
                longest_s: part.clone(),
                first_response_s: part.clone(),
                response_s: part,
            }
        };
        let every = |known: Option<Reports>| every_ms(&settings(), known.as_ref(), "2026-06-01");
        assert_eq!(every(Some(of("2026-06-01", true))), 15 * 60_000);
        assert_eq!(every(Some(of("2026-06-01", false))), 60_000);
        assert_eq!(every(Some(of("2026-05-31", true))), 0);
        assert_eq!(every(None), 60_000);
    }

    #[test]
    fn the_status_of_somebody_is_the_newest_and_of_others_nothing_is_known() {
        let agents =
            Agents { at_ms: 10, statuses: [("ann@example.com".to_owned(), "offline".to_owned())].into() };
        let news = |agent: &str, at_ms| {
            (agent.to_owned(), StatusNews { at_ms, status: "accepting_chats".to_owned() })
        };
        let check = |news, expected: &str| {
            let found = with(agents.clone(), vec![news]);
            assert_eq!(found.statuses, [("ann@example.com".to_owned(), expected.to_owned())].into());
        };
        check(news("ann@example.com", 11), "accepting_chats");
        check(news("ann@example.com", 10), "offline");
        check(news("ben@example.com", 11), "offline");
    }
}
