//! A day of 240 chats, counted by hand; and long runs with all that may interrupt them.

use std::collections::BTreeMap;

use chatplug_sdk::objects::{Chat, ListPage};
use chatplug_sdk::prelude::*;
use jiff::{SignedDuration, Timestamp};

use crate::compare::Compared;
use crate::figures::{Figures, Tally};
use crate::gather::{Asking, Place, Slice, Within, gather};
use crate::keep::{Run, Sum, by_agent};
use crate::measure::{Measured, measure};
use crate::range::{Night, Range};
use crate::report::Report;
use crate::score::Score;
use crate::settings::{Settings, Zone};
use crate::{csv, page};

const CUSTOMER: &str = "b7eff798-f8df-4364-8059-649c35c9ed0c";
/// 08:00 in Warsaw.
const MORNING: &str = "2026-06-01T06:00:00Z";

/// Who has the chat of a number: Smith has half of them, Olga and Sam a quarter each.
fn agent(number: u64) -> (&'static str, u64) {
    match number % 4 {
        0 | 1 => ("smith@example.com", 30),
        2 => ("olga@example.com", 60),
        _ => ("sam@example.com", 90),
    }
}

fn time(second: u64) -> String {
    let morning: Timestamp = MORNING.parse().expect("a time");
    (morning + SignedDuration::from_secs(i64::try_from(second).expect("a number"))).to_string()
}

/// One chat a minute. The customer asks at once. Smith answers after 30 s, Olga after 60, Sam after 90; the customer asks
/// again 30 s later, and is answered in two thirds of that time; after 300 s the agent ends the chat. Each twelfth chat
/// nobody answers, and it is over after 120 s: those are Sam's.
fn chat(number: u64) -> Chat {
    let (agent, wait) = agent(number);
    let begin = number * 60;
    let said = |second: u64, author: &str| json!({ "type": "message", "visibility": "all", "created_at": time(begin + second), "author_id": author });
    let end = |second: u64| {
        json!({ "type": "system_message", "system_message_type": "routing.archived_inactive",
            "created_at": time(begin + second) })
    };
    let events = match number % 12 == 11 {
        true => vec![said(0, CUSTOMER), end(120)],
        false => vec![
            said(0, CUSTOMER),
            said(wait, agent),
            said(wait + 30, CUSTOMER),
            said(wait + 30 + wait * 2 / 3, agent),
            end(300),
        ],
    };
    let rating = match number % 10 {
        0 => json!({ "rating": { "score": 1 } }),
        1 => json!({ "rating": { "score": 0 } }),
        _ => json!({}),
    };
    let mut tags = Vec::new();
    tags.extend(number.is_multiple_of(8).then_some("urgent"));
    tags.extend((number % 6 == 2).then_some("sales"));
    let next = matches!(number % 24, 5 | 17).then(|| format!("N{number}"));
    let users = json!([{ "id": CUSTOMER, "type": "customer" }, { "id": agent, "type": "agent" }]);
    let thread = json!({
        "id": format!("T{number}"), "created_at": time(begin), "user_ids": [CUSTOMER, agent], "events": events,
        "properties": rating, "tags": tags, "next_thread_id": next,
    });
    let chat = json!({ "id": format!("C{number}"), "users": users, "thread": thread });
    serde_json::from_value(chat).expect("a chat")
}

/// The chat of each number that is 5 of 24 is opened again 20 hours after its end, that of 17 of 24 30 hours after it.
fn begun(followed: &[&Measured]) -> BTreeMap<String, i64> {
    let begin = |chat: &&Measured| {
        let next = chat.next_thread_id.clone()?;
        let number: u64 = next.strip_prefix('N')?.parse().ok()?;
        let hours = if number % 24 == 5 { 20 } else { 30 };
        Some((next, chat.ended_ms + hours * 3_600_000))
    };
    followed.iter().filter_map(begin).collect()
}

fn page_of(numbers: std::ops::Range<u64>, next: Option<String>) -> ListPage<Chat> {
    let mut page = ListPage::default();
    page.items = numbers.map(chat).collect();
    page.next_page_id = next;
    page
}

fn day() -> Within {
    let range =
        Range { from: "2026-06-01".parse().expect("a day"), to: "2026-06-01".parse().expect("a day") };
    let zone = Zone::try_from("Europe/Warsaw".to_owned()).expect("a zone");
    let (from, to) = range.bounds(&zone).expect("bounds");
    Within { from_ms: from.as_millisecond(), to_ms: to.as_millisecond() }
}

fn counted() -> Tally {
    let mut asking = Asking {
        page: |id: Option<&str>| {
            let from: u64 = id.map_or(0, |id| id.parse().expect("a page"));
            Ok(page_of(from..from + 60, (from < 180).then(|| (from + 60).to_string())))
        },
        begun: |followed: &[&Measured]| Ok(begun(followed)),
    };
    let slice = gather(&Place::Start, 10, day(), &mut asking).expect("a slice");
    assert_eq!((&slice.next, slice.wait_ms), (&Place::End, 0));
    summed(&slice.pages)
}

fn summed(pages: &[Tally]) -> Tally {
    let mut all = Tally::default();
    pages.iter().for_each(|page| all.merge(page));
    all
}

fn tags(tags: &[(&str, u64)]) -> BTreeMap<String, u64> {
    tags.iter().map(|(tag, count)| ((*tag).to_owned(), *count)).collect()
}

#[test]
fn a_day_of_240_chats_is_what_was_counted_by_hand() {
    let tally = counted();
    let all = Figures {
        chats: 240,
        unanswered: 20,
        reopened: 10,
        first_count: 220,
        // 120 × 30 s, 60 × 60 s, 40 × 90 s.
        first_ms: 10_800_000,
        response_count: 440,
        // And 120 × 20 s, 60 × 40 s, 40 × 60 s.
        response_ms: 18_000_000,
        // 220 × 300 s, 20 × 120 s.
        duration_ms: 68_400_000,
        good: 24,
        bad: 24,
        tags: tags(&[("sales", 40), ("urgent", 30)]),
        beyond_history: 0,
    };
    assert_eq!(tally.all, all);
    let smith = Figures {
        chats: 120,
        unanswered: 0,
        reopened: 10,
        first_count: 120,
        first_ms: 3_600_000,
        response_count: 240,
        response_ms: 6_000_000,
        duration_ms: 36_000_000,
        good: 12,
        bad: 12,
        tags: tags(&[("sales", 20), ("urgent", 30)]),
        beyond_history: 0,
    };
    let olga = Figures {
        chats: 60,
        first_count: 60,
        first_ms: 3_600_000,
        response_count: 120,
        response_ms: 6_000_000,
        duration_ms: 18_000_000,
        good: 12,
        tags: tags(&[("sales", 20)]),
        ..Figures::default()
    };
    let sam = Figures {
        chats: 60,
        unanswered: 20,
        first_count: 40,
        first_ms: 3_600_000,
        response_count: 80,
        response_ms: 6_000_000,
        duration_ms: 14_400_000,
        bad: 12,
        ..Figures::default()
    };
    let agents = [("olga@example.com", olga), ("sam@example.com", sam), ("smith@example.com", smith)];
    assert_eq!(tally.agents, agents.map(|(id, figures)| (id.to_owned(), figures)).into());
}

fn report(tally: Tally) -> Report {
    let compared = vec![
        Compared { name: "chats", ours: Some(240.0), theirs: Some(241.0) },
        Compared { name: "first response, s", ours: Some(49.1), theirs: Some(49.099) },
    ];
    let range =
        Range { from: "2026-06-01".parse().expect("a day"), to: "2026-06-01".parse().expect("a day") };
    let zone = "Europe/Warsaw".to_owned();
    let score = Score::default();
    Report {
        range,
        zone,
        is_provisional: false,
        tally,
        has_more_agents: false,
        score,
        compared,
        not_compared: Vec::new(),
    }
}

#[test]
fn the_table_has_what_was_counted_by_hand() {
    let begin = "2026-06-01,2026-06-01,Europe/Warsaw,no";
    let expected = format!(
        "from,to,timezone,provisional,agent,chats,unanswered,beyond_history,first_response_s,response_s,duration_s,rated_good,rated_bad,\
         good_percent,reopened,resolved_percent,score,tags\r\n\
         {begin},all chats,240,20,0,49.1,40.9,285.0,24,24,50.0,10,95.8,82.3,\"sales: 40; urgent: 30\"\r\n\
         {begin},olga@example.com,60,0,0,60.0,50.0,300.0,12,0,100.0,0,100.0,100.0,sales: 20\r\n\
         {begin},sam@example.com,60,20,0,90.0,75.0,240.0,0,12,0.0,0,100.0,56.3,\r\n\
         {begin},smith@example.com,120,0,0,30.0,25.0,300.0,12,12,50.0,10,91.7,82.9,\"sales: 20; urgent: 30\"\r\n"
    );
    assert_eq!(csv::table(&report(counted())), expected);
}

#[test]
fn the_page_has_no_scripts_and_shows_what_differs() {
    let mut tally = counted();
    let hostile = "<script>alert(1)</script>\"'&";
    tally.all.tags.insert(hostile.to_owned(), 999);
    tally.agents.insert(format!("{hostile}@example.com"), Figures { chats: 1, ..Figures::default() });
    let html = page::page(&Report {
        is_provisional: true,
        not_compared: vec!["ratings", "response"],
        ..report(tally)
    });
    for part in [
        "<title>Quality report, 2026-06-01</title>",
        "Days in Europe/Warsaw. Provisional",
        "<b>82.3</b><span>score</span>",
        "<b>49 s</b><span>first response</span>",
        "<b>4 min 45 s</b><span>duration</span>",
        "<td>+1.0</td>",
        "<td>0.0</td>",
        "Not compared: ratings, response. LiveChat&#39;s reports could not be asked",
        "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;",
        "@media print",
        "30 × share of good ratings",
    ] {
        assert!(html.contains(part), "no {part} in {html}");
    }
    assert!(!html.to_lowercase().contains("<script") && !html.contains("http"), "{html}");
    assert_eq!(html.matches("<svg").count(), 5);
    assert_eq!(html.matches("<tr class=\"differs\">").count(), 1);
    assert!(!html.contains("-0.0"), "{html}");
    let plain = page::page(&report(counted()));
    assert!(!plain.contains("Not compared") && !plain.contains("class=\"notice\""), "{plain}");
}

#[test]
fn what_is_not_in_the_numbers_is_told_on_the_page() {
    let mut tally = counted();
    for (beyond_history, part) in [(1, ">1 conversation lies beyond"), (7, ">7 conversations lie beyond")] {
        tally.all.beyond_history = beyond_history;
        let html = page::page(&report(tally.clone()));
        assert!(html.contains(part) && html.matches("class=\"notice\"").count() == 1, "{html}");
    }
    let more = Report { has_more_agents: true, ..report(tally) };
    let html = page::page(&more);
    assert!(html.contains(">There are more than 400 agents. "), "{html}");
    assert_eq!((html.matches("class=\"notice\"").count(), more.notices().len()), (2, 2));
}

#[test]
fn chats_beyond_the_history_are_counted_apart() {
    let mut page = page_of(0..24, None);
    // As the archives show them: no events, and nobody knows what became of them. Number 5 is opened again.
    for chat in &mut page.items[4..8] {
        chat.thread.events.clear();
        chat.thread.restricted_access = Some("beyond the history of the plan".to_owned());
    }
    let mut followed_up = Vec::new();
    let mut asking = Asking {
        page: |_: Option<&str>| Ok(page.clone()),
        begun: |followed: &[&Measured]| {
            followed_up.extend(followed.iter().filter_map(|chat| chat.next_thread_id.clone()));
            Ok(begun(followed))
        },
    };
    let slice = gather(&Place::Start, 1, day(), &mut asking).expect("a slice");
    assert_eq!(followed_up, ["N17"], "nothing is asked about what isn't counted");
    let tally = summed(&slice.pages);
    let mut expected = Tally::default();
    for number in (0..24).filter(|number| !(4..8).contains(number)) {
        expected.add(&measure(&chat(number)).expect("a measure"), false);
    }
    expected.all.beyond_history = 4;
    for (agent, count) in [("smith@example.com", 2), ("olga@example.com", 1), ("sam@example.com", 1)] {
        expected.agents.get_mut(agent).expect("an agent").beyond_history = count;
    }
    assert_eq!(tally, expected);
    let only = Figures { beyond_history: 9, ..Figures::default() };
    assert_eq!((Score::default().of(&only), only.duration_s(), only.resolution()), (None, None, None));
}

#[test]
fn a_line_has_the_most_frequent_tags_and_says_how_many_more_there_are() {
    let mut tally = counted();
    tally.all.tags = (1..=40).map(|number| (format!("tag {number:02}"), number)).collect();
    let html = page::page(&report(tally));
    assert!(html.contains("<td>tag 40 40, tag 39 39, "), "{html}");
    assert!(html.contains(", tag 36 36, and 35 more</td>"), "{html}");
}

#[test]
fn chats_of_other_days_are_left_out_and_a_list_that_goes_round_ends() {
    let mut asking = Asking {
        page: |_: Option<&str>| Ok(page_of(1_000..1_100, None)),
        begun: |followed: &[&Measured]| Ok(begun(followed)),
    };
    // Number 960 begins at midnight.
    let slice = gather(&Place::Start, 1, day(), &mut asking).expect("a slice");
    assert_eq!(slice.pages, [Tally::default()]);
    let mut asking = Asking {
        page: |_: Option<&str>| Ok(page_of(0..1, Some("again".to_owned()))),
        begun: |followed: &[&Measured]| Ok(begun(followed)),
    };
    let round = gather(&Place::Page("again".to_owned()), 9, day(), &mut asking).expect_err("an error");
    assert!(round.message.contains("goes round"), "{round}");
}

/// Numbers that look random and are the same in each run.
struct Chance(u64);

impl Chance {
    fn one_in(&mut self, n: u64) -> bool {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33).is_multiple_of(n)
    }
}

const CHATS: u64 = 20_000;
const PER_PAGE: u64 = 50;

/// A run over 20,000 chats as the host does it: event by event, with calls that are refused for a while, and attempts that
/// end before they are through, and are made again. What is kept is what the plugin keeps.
struct Long {
    chance: Chance,
    run: Run,
    sums: BTreeMap<String, Sum>,
    refused: u32,
    broken: u32,
    attempts: u32,
    calls_most: u32,
}

impl Long {
    fn page(&mut self, id: Option<&str>) -> Result<ListPage<Chat>, Error> {
        if self.chance.one_in(7) {
            self.refused += 1;
            let mut error = Error::new(ErrorCode::RateLimited, "too many requests");
            error.retry_after_ms = Some(2_000);
            return Err(error);
        }
        let from: u64 = id.map_or(0, |id| id.parse().expect("a page"));
        let to = (from + PER_PAGE).min(CHATS);
        let mut page = ListPage::default();
        // The same day again and again.
        page.items = (from..to).map(|number| chat(number % 240)).collect();
        page.next_page_id = (to < CHATS).then(|| to.to_string());
        Ok(page)
    }

    /// One attempt; whether it came to its end.
    fn attempt(&mut self) -> bool {
        self.attempts += 1;
        let (place, mut calls) = (self.run.place.clone(), 0);
        let slice = {
            let mut asking = Asking {
                page: |id: Option<&str>| {
                    calls += 1;
                    self.page(id)
                },
                begun: |followed: &[&Measured]| Ok(begun(followed)),
            };
            gather(&place, crate::PAGES_PER_SLICE, day(), &mut asking)
        };
        self.calls_most = self.calls_most.max(calls);
        let Ok(slice) = slice else { return false };
        for (key, figures) in by_agent(self.run.pages, &slice.pages) {
            if self.chance.one_in(40) {
                self.broken += 1;
                return false;
            }
            let kept = self.sums.entry(key.to_owned()).or_default();
            figures.into_iter().for_each(|(page, figures)| kept.add(page, figures));
            let bytes = serde_json::to_vec(&*kept).expect("JSON").len();
            assert!(bytes < 64 << 10, "a value of the memory has {bytes} bytes");
        }
        let mut run = self.run.clone();
        run.advance(&slice);
        let text = serde_json::to_string(&run).expect("JSON");
        self.run = serde_json::from_str(&text).expect("a run");
        // An attempt may break behind this, too: the next one goes on then.
        true
    }
}

#[test]
fn twenty_thousand_chats_count_once_whatever_interrupts_the_run() {
    let range =
        Range { from: "2026-06-01".parse().expect("a day"), to: "2026-06-01".parse().expect("a day") };
    let run = Run::new(vec![range], "2026-06-05".parse().expect("a day"), false);
    let mut long = Long {
        chance: Chance(20_000),
        run,
        sums: BTreeMap::new(),
        refused: 0,
        broken: 0,
        attempts: 0,
        calls_most: 0,
    };
    while long.run.place != Place::End {
        assert!(long.attempts < 2_000, "it doesn't end");
        long.attempt();
    }
    assert!(long.refused > 20 && long.broken > 5, "{} refused, {} broken", long.refused, long.broken);
    assert!(long.calls_most <= crate::PAGES_PER_SLICE);
    let mut expected = Tally::default();
    for number in 0..CHATS {
        let measured = measure(&chat(number % 240)).expect("a measure");
        expected.add(&measured, number % 240 % 24 == 5);
    }
    assert_eq!(long.run.chats, CHATS);
    assert_eq!(long.sums[""].figures, expected.all);
    assert_eq!(expected.all.chats, CHATS);
    for (agent, figures) in &expected.agents {
        assert_eq!(&long.sums[agent].figures, figures, "{agent}");
    }
    assert_eq!(long.sums.len(), 4);
}

#[test]
fn each_report_of_a_run_begins_anew() {
    let nights = Night::of("2026-06-04".parse().expect("a day"), &[]).days;
    let mut run = Run::new(nights.clone(), "2026-06-04".parse().expect("a day"), true);
    for (number, range) in nights.iter().enumerate() {
        assert_eq!((run.ranges.first(), run.made as usize), (Some(range), number));
        let mut page = Tally::default();
        page.all.chats = 7;
        run.advance(&Slice { pages: vec![page.clone(), page], next: Place::End, wait_ms: 0 });
        assert_eq!((&run.place, run.pages, run.chats), (&Place::End, 2, 14));
        assert_eq!(run.next_report(), number < 2);
        assert_eq!((&run.place, run.pages, run.chats), (&Place::Start, 0, 0));
    }
}

/// The section to paste, as the README shows it.
const README: &str = include_str!("../README.md");

#[test]
fn the_readmes_section_is_right() {
    let section = README.split("```toml").nth(1).and_then(|rest| rest.split("```").next());
    let config: Value = toml::from_str(section.expect("a section")).expect("TOML");
    let plugin = &config["plugin"]["quality-report"];
    let settings: Settings = serde_json::from_value(plugin["settings"].clone()).expect("settings");
    settings.check().expect("settings");
    assert_eq!(settings.score, Score::default(), "the README shows the defaults");
    let manifest = serde_json::to_value(crate::QualityReport::manifest()).expect("a manifest");
    assert_eq!(manifest["events"], plugin["events"]);
    assert_eq!(manifest["name"], "quality-report");
}

#[test]
fn the_night_is_at_three_and_is_made_up_for() {
    let manifest = serde_json::to_value(crate::QualityReport::manifest()).expect("a manifest");
    let nightly = json!({ "name": "nightly", "cron": "0 3 * * *", "catch_up": true });
    assert_eq!(manifest["schedules"], json!([nightly]), "by the account's time zone");
}
