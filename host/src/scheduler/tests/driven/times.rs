//! When schedules and timers come.

use super::*;

const START: &str = "2026-06-01T10:00:00Z";

#[tokio::test]
async fn each_time_comes_when_it_is_planned_and_the_loop_waits_until_then() {
    let start = ms(START);
    let schedules = vec![every("poll", 3, false), cron("minute", "* * * * *", "Europe/Warsaw", false)];
    let mut bench = Bench::begun(schedules, start + 400).await;
    // The clock goes on by what the loop waits, and nothing else wakes it.
    let (mut now_ms, mut looks) = (start + 400, 0);
    while now_ms < start + 2 * MINUTE_MS {
        bench.set_clock(now_ms);
        let wait = bench.look().await;
        assert!(!wait.is_zero() && wait <= LOOK_EVERY, "{wait:?}");
        bench.finish().await;
        now_ms += i64::try_from(wait.as_millis()).expect("a short time");
        looks += 1;
    }
    let planned = |name: &str, step: i64| -> Vec<Told> {
        (1..2 * MINUTE_MS / step).map(|number| live(name, start + number * step)).collect()
    };
    assert_eq!(bench.told_of("poll"), planned("poll", 3 * SECOND_MS));
    assert_eq!(bench.told_of("minute"), planned("minute", MINUTE_MS));
    assert_eq!(looks, 40, "the first one, and one for each time");
    assert_eq!((bench.counted("run"), bench.counted("missed")), (40, 0));
}

#[tokio::test]
async fn a_year_takes_a_moment_and_has_each_day_once() {
    let start = ms("2025-12-31T23:00:00Z");
    let mut bench = Bench::begun(vec![cron("nightly", "15 2 * * *", "Europe/Warsaw", true)], start).await;
    for day in 1..=365 {
        bench.at(start + day * 24 * HOUR_MS).await;
    }
    let zone = TimeZone::get("Europe/Warsaw").expect("a zone");
    let shown = |told: &Told| {
        let at = Timestamp::from_millisecond(told.at_ms).expect("a time").to_zoned(zone.clone());
        (at.date(), at.strftime("%H:%M%:z").to_string())
    };
    let told = bench.told();
    let shown: Vec<_> = told.iter().map(shown).collect();
    assert!(told.iter().all(|one| one.missed == 0 && !one.caught_up));
    let days = jiff::civil::date(2026, 1, 1).series(jiff::ToSpan::days(1)).take(365);
    assert_eq!(shown.iter().map(|(day, _)| *day).collect::<Vec<_>>(), days.collect::<Vec<_>>());
    let at = |offset: &str| shown.iter().filter(|(_, time)| time == offset).count();
    // Winter until 29 March, on which the clocks skip the time; summer until 25 October, on which it comes the first time.
    assert_eq!((at("02:15+01:00"), at("03:00+02:00"), at("02:15+02:00")), (154, 1, 210));
}

/// Drives the days around a change of a zone's clocks, and compares what came on the day itself: by a pattern that names
/// 01:45, by one that names 02:15, and how often by one for every hour.
async fn check(zone: &str, day: &str, early: &str, late: &str, hours: usize) {
    let schedules = vec![
        cron("early", "45 1 * * *", zone, true),
        cron("late", "15 2 * * *", zone, true),
        cron("hourly", "0 * * * *", zone, true),
    ];
    let of_zone = TimeZone::get(zone).expect("a zone");
    let day: jiff::civil::Date = day.parse().expect("a day");
    let noon = |day: jiff::civil::Date| {
        day.at(12, 0, 0, 0).to_zoned(of_zone.clone()).expect("a time").timestamp().as_millisecond()
    };
    let (start, end) = (noon(day.yesterday().expect("a day")), noon(day.tomorrow().expect("a day")));
    let mut bench = Bench::begun(schedules, start).await;
    for now_ms in (start..=end).step_by(usize::try_from(15 * MINUTE_MS).expect("a quarter")) {
        // The host is started anew four times a day.
        if (now_ms - start) % (6 * HOUR_MS) == 0 {
            bench.restart().await;
        }
        bench.at(now_ms).await;
    }
    let of_day = |name: &str| -> Vec<String> {
        let at =
            |told: Told| Timestamp::from_millisecond(told.at_ms).expect("a time").to_zoned(of_zone.clone());
        let all = bench.told_of(name).into_iter().map(at);
        all.filter(|at| at.date() == day).map(|at| at.strftime("%H:%M%:z").to_string()).collect()
    };
    assert_eq!(of_day("early"), [early], "{zone} {day}");
    assert_eq!(of_day("late"), [late], "{zone} {day}");
    assert_eq!(of_day("hourly").len(), hours, "{zone} {day}: {:?}", of_day("hourly"));
    let mut told = bench.told();
    assert!(told.iter().all(|one| one.missed == 0), "{told:?}");
    let all = told.len();
    told.sort();
    told.dedup();
    assert_eq!(told.len(), all, "nothing came twice");
}

#[tokio::test]
async fn both_days_on_which_the_clocks_change_are_right_in_three_zones() {
    check("Europe/Warsaw", "2026-03-29", "01:45+01:00", "03:00+02:00", 23).await;
    check("Europe/Warsaw", "2026-10-25", "01:45+02:00", "02:15+02:00", 25).await;
    check("America/New_York", "2026-03-08", "01:45-05:00", "03:00-04:00", 23).await;
    check("America/New_York", "2026-11-01", "01:45-04:00", "02:15-05:00", 25).await;
    // Half an hour: from 02:00 to 02:30, and back from 02:00 to 01:30. What is skipped at 02:00 comes at 02:30.
    check("Australia/Lord_Howe", "2026-10-04", "01:45+10:30", "02:30+11:00", 24).await;
    check("Australia/Lord_Howe", "2026-04-05", "01:45+11:00", "02:15+10:30", 24).await;
}

#[tokio::test]
async fn after_a_time_down_one_schedule_catches_up_once_and_another_one_does_not() {
    let start = ms(START);
    let schedules = vec![every("late", 60, true), every("poll", 60, false)];
    let mut bench = Bench::begun(schedules, start).await;
    bench.at(start + MINUTE_MS).await;
    bench.end();
    let up = start + 7 * MINUTE_MS + 30 * SECOND_MS;
    bench.set_clock(up);
    bench.begin().await;
    bench.at(up).await;
    bench.at(start + 8 * MINUTE_MS).await;
    let caught_up =
        Told { name: "late".to_owned(), at_ms: start + 7 * MINUTE_MS, missed: 5, caught_up: true };
    let late = |minute: i64| live("late", start + minute * MINUTE_MS);
    assert_eq!(bench.told_of("late"), [late(1), caught_up, late(8)]);
    let poll = |minute: i64| live("poll", start + minute * MINUTE_MS);
    assert_eq!(bench.told_of("poll"), [poll(1), poll(8)]);
    // Five before the one that was caught up with, and six of the other one.
    assert_eq!((bench.counted("run"), bench.counted("missed")), (5, 11));
}

#[tokio::test]
async fn while_the_plugin_is_busy_times_are_left_out_and_counted() {
    let start = ms(START);
    let mut bench = Bench::begun(vec![every("poll", 60, true)], start).await;
    for minute in 1..=3 {
        bench.set_clock(start + minute * MINUTE_MS);
        bench.look().await;
        // What is busy is so after a restart, too.
        bench.restart().await;
        bench.look().await;
    }
    assert_eq!((bench.counted("run"), bench.counted("busy")), (1, 2));
    bench.finish().await;
    bench.at(start + 4 * MINUTE_MS).await;
    let poll = |minute: i64| live("poll", start + minute * MINUTE_MS);
    assert_eq!(bench.told(), [poll(1), poll(4)]);
    assert_eq!((bench.counted("run"), bench.counted("busy"), bench.counted("missed")), (2, 2, 0));
}

#[tokio::test]
async fn what_passes_while_a_schedule_is_off_is_not_missed() {
    let start = ms(START);
    let all = vec![every("late", 60, true), every("poll", 60, true)];
    let mut bench = Bench::begun(all.clone(), start).await;
    bench.at(start + MINUTE_MS).await;
    bench.schedules = all[1..].to_vec();
    bench.follow().await;
    bench.at(start + 2 * MINUTE_MS).await;
    // Over a restart, too.
    bench.restart().await;
    bench.at(start + 3 * MINUTE_MS).await;
    bench.schedules = all;
    bench.follow().await;
    bench.at(start + 3 * MINUTE_MS + SECOND_MS).await;
    bench.at(start + 4 * MINUTE_MS).await;
    let at = |name: &str, minute: i64| live(name, start + minute * MINUTE_MS);
    assert_eq!(bench.told_of("late"), [at("late", 1), at("late", 4)]);
    assert_eq!(bench.told_of("poll"), (1..=4).map(|minute| at("poll", minute)).collect::<Vec<_>>());
    assert_eq!(bench.counted("missed"), 0);
}

#[tokio::test]
async fn a_wall_clock_that_is_put_back_repeats_nothing_and_delays_no_timer() {
    let start = ms(START);
    let mut bench = Bench::begun(vec![cron("hourly", "0 * * * *", "UTC", true)], start).await;
    bench.set_timers(&[("a".to_owned(), 90 * MINUTE_MS)]).await;
    bench.at(start + HOUR_MS).await;
    // It is 11:00; the wall says 10:10 from now on.
    for minutes in (0..=120).step_by(10) {
        bench.steady_ms.store(start + HOUR_MS + minutes * MINUTE_MS, Ordering::Relaxed);
        bench.wall_ms.store(start + (10 + minutes) * MINUTE_MS, Ordering::Relaxed);
        bench.look().await;
        bench.finish().await;
        assert_eq!(bench.told_of("a").len(), usize::from(minutes >= 30), "{minutes}");
    }
    let hour = |hour: i64| live("hourly", start + hour * HOUR_MS);
    assert_eq!(bench.told_of("hourly"), [hour(1), hour(2)]);
}

#[tokio::test]
async fn timers_that_were_due_while_the_host_was_down_come_at_the_start_in_order() {
    let start = ms(START);
    let mut bench = Bench::begun(vec![], start).await;
    let delays = [50, 10, 40, 20, 30, 900].map(|seconds| (format!("after {seconds}"), seconds * SECOND_MS));
    bench.set_timers(&delays).await;
    bench.end();
    bench.set_clock(start + 60 * SECOND_MS);
    bench.begin().await;
    assert_eq!(bench.look().await, LOOK_EVERY, "nothing is left for now");
    let expected =
        [10, 20, 30, 40, 50].map(|seconds| live(&format!("after {seconds}"), start + seconds * SECOND_MS));
    assert_eq!(bench.told(), expected);
    bench.finish().await;
    bench.restart().await;
    bench.at(start + 900 * SECOND_MS).await;
    assert_eq!(bench.told()[5..], [live("after 900", start + 900 * SECOND_MS)]);
}

#[tokio::test]
async fn more_timers_than_a_thousand_come_in_order_and_twenty_in_a_second() {
    let start = ms(START);
    let mut bench = Bench::begun(vec![], start).await;
    let timers: Vec<_> = (0..1_500).map(|number| (format!("{number:04}"), 1_000 + number)).collect();
    bench.set_timers(&timers).await;
    bench.end();
    let up = start + MINUTE_MS;
    bench.set_clock(up);
    bench.begin().await;
    let mut wait = bench.look().await;
    // They are fired 256 at a time, as long as there is one left to spare.
    assert_eq!(bench.fired(), 1_024);
    let mut now_ms = up;
    while bench.fired() < 1_500 {
        assert!(!wait.is_zero() && now_ms < up + MINUTE_MS, "{} came", bench.fired());
        now_ms += i64::try_from(wait.as_millis()).expect("a short time");
        bench.set_clock(now_ms);
        wait = bench.look().await;
        let allowed = 1_000 + (now_ms - up) / 50 + 256;
        assert!(bench.fired() <= allowed.cast_unsigned(), "{} at {now_ms}", bench.fired());
    }
    assert!(now_ms >= up + 12 * SECOND_MS, "they came too fast: {now_ms}");
    let keys: Vec<String> = bench.told().into_iter().map(|told| told.name).collect();
    assert_eq!(keys, timers.into_iter().map(|(key, _)| key).collect::<Vec<_>>());
}
