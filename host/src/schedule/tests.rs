use jiff::civil::DateTime;
use proptest::prelude::*;

use super::*;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Zones whose clocks change at other times, by other spans, and in the other half of the year.
const ZONES: [&str; 3] = ["Europe/Warsaw", "America/New_York", "Australia/Lord_Howe"];
/// The days of 2026 on which they go forward and back.
const CHANGES: [(&str, &str, &str); 3] = [
    ("Europe/Warsaw", "2026-03-29", "2026-10-25"),
    ("America/New_York", "2026-03-08", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-10-04", "2026-04-05"),
];

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).expect("a zone")
}

fn cron(pattern: &str, name: &str) -> Rule {
    Rule::cron(pattern, zone(name)).expect("a rule")
}

fn ms(time: &str) -> i64 {
    time.parse::<Timestamp>().expect("a time").as_millisecond()
}

/// The times of a rule between two, as the wall clock of the zone shows them.
fn times(rule: &Rule, name: &str, from: &str, to: &str) -> Vec<String> {
    let at = |text: &str| {
        let civil: DateTime = text.parse().expect("a time");
        civil.to_zoned(zone(name)).expect("a time of the zone").timestamp().as_millisecond()
    };
    let to = at(to);
    let all = std::iter::successors(rule.next_after(at(from) - 1), |at| rule.next_after(*at));
    let shown = all.take_while(|at| *at < to).map(|at| {
        let zoned = Timestamp::from_millisecond(at).expect("a time").to_zoned(zone(name));
        zoned.strftime("%H:%M%:z").to_string()
    });
    shown.collect()
}

#[track_caller]
fn check(pattern: &str, name: &str, day: &str, expected: &[&str]) {
    let next: DateTime = format!("{day}T00:00").parse().expect("a day");
    let next = next.checked_add(1.day()).expect("a day").to_string();
    assert_eq!(
        times(&cron(pattern, name), name, &format!("{day}T00:00"), &next),
        expected,
        "{pattern} {name}"
    );
}

#[test]
fn where_the_clocks_go_forward_nothing_is_left_out() {
    check("30 2 * * *", "Europe/Warsaw", "2026-03-28", &["02:30+01:00"]);
    check("30 2 * * *", "Europe/Warsaw", "2026-03-29", &["03:00+02:00"]);
    check("0,30 2 * * *", "Europe/Warsaw", "2026-03-29", &["03:00+02:00"]);
    check("0 3 * * *", "Europe/Warsaw", "2026-03-29", &["03:00+02:00"]);
    check("0 2,3 * * *", "Europe/Warsaw", "2026-03-29", &["03:00+02:00"]);
    check(
        "30 * 29 3 *",
        "Europe/Warsaw",
        "2026-03-29",
        &[
            "00:30+01:00",
            "01:30+01:00",
            "03:00+02:00",
            "03:30+02:00",
            "04:30+02:00",
            "05:30+02:00",
            "06:30+02:00",
            "07:30+02:00",
            "08:30+02:00",
            "09:30+02:00",
            "10:30+02:00",
            "11:30+02:00",
            "12:30+02:00",
            "13:30+02:00",
            "14:30+02:00",
            "15:30+02:00",
            "16:30+02:00",
            "17:30+02:00",
            "18:30+02:00",
            "19:30+02:00",
            "20:30+02:00",
            "21:30+02:00",
            "22:30+02:00",
            "23:30+02:00",
        ],
    );
    check("15 2 * * *", "America/New_York", "2026-03-08", &["03:00-04:00"]);
    check("15 2 * * *", "Australia/Lord_Howe", "2026-10-04", &["02:30+11:00"]);
}

#[test]
fn where_the_clocks_go_back_nothing_is_done_twice() {
    check("30 2 * * *", "Europe/Warsaw", "2026-10-25", &["02:30+02:00"]);
    check("0 2,3 * * *", "Europe/Warsaw", "2026-10-25", &["02:00+02:00", "03:00+01:00"]);
    check("30 1 * * *", "America/New_York", "2026-11-01", &["01:30-04:00"]);
    check("45 1 * * *", "Australia/Lord_Howe", "2026-04-05", &["01:45+11:00"]);
    check("59 1 * * *", "Australia/Lord_Howe", "2026-04-05", &["01:59+11:00"]);
}

#[test]
fn what_is_for_every_hour_goes_by_what_passes() {
    let hours =
        times(&cron("0 * * * *", "Europe/Warsaw"), "Europe/Warsaw", "2026-10-25T00:00", "2026-10-26T00:00");
    assert_eq!(hours.len(), 25, "{hours:?}");
    assert_eq!(hours[2..4], ["02:00+02:00", "02:00+01:00"]);
    let hours =
        times(&cron("0 * * * *", "Europe/Warsaw"), "Europe/Warsaw", "2026-03-29T00:00", "2026-03-30T00:00");
    assert_eq!(hours.len(), 23, "{hours:?}");
}

#[test]
fn patterns_that_mean_nothing_are_refused() {
    let check = |pattern: &str, part: &str| {
        let error = Rule::cron(pattern, TimeZone::UTC).expect_err(pattern);
        assert!(error.contains(part), "{error}");
    };
    check("", "five fields");
    check("* * * *", "4 fields, not five");
    check("0 3 * * * UTC", "6 fields");
    check("61 * * * *", "its fields are");
    check("@daily", "five fields");
    check("0 0 30 2 *", "no such day");
    assert!(Rule::every(0).is_err() && Rule::every(EVERY_MAX_S + 1).is_err());
    assert_eq!(cron("0  3 * * MON-FRI", "Europe/Warsaw").as_str(), "0 3 * * MON-FRI Europe/Warsaw");
    assert_eq!(Rule::every(30).expect("a rule").as_str(), "every 30 s");
}

#[test]
fn an_interval_is_counted_from_1970() {
    let rule = Rule::every(30).expect("a rule");
    assert_eq!(rule.next_after(ms("2026-01-01T00:00:00Z")), Some(ms("2026-01-01T00:00:30Z")));
    assert_eq!(rule.next_after(ms("2026-01-01T00:00:29.999Z")), Some(ms("2026-01-01T00:00:30Z")));
    assert_eq!(rule.next_after(-1), Some(0));
}

#[test]
fn a_year_of_a_schedule_takes_no_time() {
    for name in ZONES {
        let rule = cron("0 3 * * *", name);
        let watched = Watched { rule, catch_up: true, since_ms: ms("2026-01-01T00:00:00Z") };
        let (mut done, mut runs) = (watched.since_ms, 0);
        let mut now = done;
        let end = now + 365 * DAY_MS;
        while now < end {
            match turn(&watched, done, now) {
                Turn::Wait(next) => now = next.expect("there is always another day"),
                Turn::Run(tick) => {
                    assert_eq!((tick.missed, tick.caught_up), (0, false));
                    (done, runs) = (tick.at_ms, runs + 1);
                }
                Turn::Pass { .. } => panic!("nothing is missed"),
            }
        }
        assert_eq!(runs, 365, "{name}");
    }
}

/// The model: each minute of the wall clock is looked at, and its time is where it is shown first, or where the clocks
/// jump over it.
fn model(minute: impl Fn(DateTime) -> bool, name: &str, from_ms: i64, days: i64) -> Vec<i64> {
    let zone = zone(name);
    let mut wall = Timestamp::from_millisecond(from_ms).expect("a time").to_zoned(zone.clone()).datetime();
    wall = wall.date().at(0, 0, 0, 0);
    let mut all: Vec<i64> = Vec::new();
    for _ in 0..days * 24 * 60 {
        if minute(wall) {
            let shown = zone.to_ambiguous_zoned(wall);
            let at = match shown.offset() {
                // The time of the jump: as long after the old offset's midnight as the jump begins.
                jiff::tz::AmbiguousOffset::Gap { before, .. } => {
                    let inside = before.to_timestamp(wall).expect("a time");
                    zone.preceding(inside.checked_add(1.second()).expect("a time"))
                        .next()
                        .expect("a jump")
                        .timestamp()
                }
                _ => shown.earlier().expect("a time").timestamp(),
            };
            all.push(at.as_millisecond());
        }
        wall = wall.checked_add(1.minute()).expect("a time");
    }
    all.dedup();
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_times_are_those_of_the_wall_clock_on_both_days_of_three_zones(
        (hour, minute, step) in (0_i8..24, 0_i8..60, 1_i8..30), which in 0..3_usize, forward in any::<bool>(),
    ) {
        let (name, on, back) = CHANGES[which];
        let day: DateTime = format!("{}T00:00", if forward { on } else { back }).parse().expect("a day");
        let from = day.checked_sub(1.day()).expect("a day").to_zoned(zone(name)).expect("a day");
        let from_ms = from.timestamp().as_millisecond();
        let rule = cron(&format!("{minute}/{step} {hour},{} * * *", (hour + 5) % 24), name);
        let named = |wall: DateTime| {
            (wall.hour() == hour || wall.hour() == (hour + 5) % 24)
                && wall.minute() >= minute && (wall.minute() - minute) % step == 0
        };
        let expected = model(named, name, from_ms, 3);
        let end = *expected.last().expect("there are some");
        let all = std::iter::successors(rule.next_after(from_ms - 1), |at| rule.next_after(*at));
        prop_assert_eq!(all.take_while(|at| *at <= end).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn from_wherever_one_looks_the_next_time_is_the_same(
        minute in 0_i64..(3 * 24 * 60), which in 0..3_usize, forward in any::<bool>(), every in any::<bool>(),
    ) {
        let (name, on, back) = CHANGES[which];
        let day: DateTime = format!("{}T00:00", if forward { on } else { back }).parse().expect("a day");
        let from = day.checked_sub(1.day()).expect("a day").to_zoned(zone(name)).expect("a day");
        let rule = cron(if every { "*/7 * * * *" } else { "*/7 1,2,3 * * *" }, name);
        let at = from.timestamp().as_millisecond() + minute * MINUTE_MS;
        let next = rule.next_after(at).expect("a time");
        prop_assert!(next > at);
        for between in [at + 1, at + (next - at) / 2, next - 1] {
            prop_assert_eq!(rule.next_after(between), Some(next));
        }
    }

    #[test]
    fn a_host_that_stops_anywhere_does_nothing_twice_and_catches_up_once(
        ups in prop::collection::vec((1_i64..300, 0_i64..300), 1..12), catch_up in any::<bool>(), every in any::<bool>(),
    ) {
        let start = ms("2026-10-24T20:00:00Z");
        let rule = if every { Rule::every(1_800).expect("a rule") } else { cron("*/30 * * * *", "Europe/Warsaw") };
        let (mut done, mut now) = (start, start);
        for (up, down) in ups {
            let watched = Watched { rule: rule.clone(), catch_up, since_ms: now };
            let (began, end) = (now, now + up * MINUTE_MS);
            let due_at_begin = rule.next_after(done).is_some_and(|next| next <= began);
            let mut ran: Vec<Tick> = Vec::new();
            loop {
                match turn(&watched, done, now) {
                    Turn::Run(tick) => {
                        prop_assert!(tick.at_ms > done && tick.at_ms <= now);
                        done = tick.at_ms;
                        ran.push(tick);
                    }
                    Turn::Pass { to_ms, missed } => {
                        prop_assert!(!catch_up && to_ms > done && missed > 0);
                        done = to_ms;
                    }
                    Turn::Wait(next) => match next.filter(|next| *next <= end) {
                        Some(next) => now = next,
                        None => break,
                    },
                }
            }
            let caught_up = ran.iter().filter(|tick| tick.caught_up).count();
            prop_assert_eq!(caught_up, usize::from(catch_up && due_at_begin));
            let live: Vec<i64> = ran.iter().filter(|tick| !tick.caught_up).map(|tick| tick.at_ms).collect();
            let all = std::iter::successors(rule.next_after(began), |at| rule.next_after(*at));
            prop_assert_eq!(live, all.take_while(|at| *at <= end).collect::<Vec<_>>());
            now = end + down * MINUTE_MS;
        }
    }
}

#[test]
fn of_what_was_missed_only_the_last_counts() {
    let rule = Rule::every(60).expect("a rule");
    let now = ms("2026-01-02T00:00:30Z");
    let at_ms = ms("2026-01-02T00:00:00Z");
    let watched = |catch_up, since_ms| Watched { rule: rule.clone(), catch_up, since_ms };
    let run = |missed, caught_up| Turn::Run(Tick { at_ms, missed, caught_up });
    assert_eq!(turn(&watched(true, now), now - 5 * MINUTE_MS, now), run(4, true));
    assert_eq!(turn(&watched(false, now), now - 5 * MINUTE_MS, now), Turn::Pass { to_ms: at_ms, missed: 5 });
    assert_eq!(turn(&watched(false, now - DAY_MS), now - 5 * MINUTE_MS, now), run(4, false));
    assert_eq!(turn(&watched(true, now), now - DAY_MS, now), run(1_000, true));
    assert_eq!(turn(&watched(true, now), at_ms, now), Turn::Wait(Some(at_ms + MINUTE_MS)));
    assert_eq!(turn(&watched(true, now), now + 2 * DAY_MS, now), Turn::Pass { to_ms: now, missed: 0 });
    // The clock was put back: an interval goes on, and a night's work isn't done again.
    assert_eq!(turn(&watched(true, now), now + HOUR_MS, now), Turn::Pass { to_ms: now, missed: 0 });
    let nightly = Watched { rule: cron("0 3 * * *", "UTC"), catch_up: true, since_ms: now };
    let done = ms("2026-01-02T03:00:00Z");
    assert_eq!(turn(&nightly, done, now), Turn::Wait(Some(done + DAY_MS)));
}
