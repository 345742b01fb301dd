//! The same story, ended and begun anew at every point, compared with how it goes without.

use super::*;

/// The clock, step by step: each has something due, some have several things.
const STEPS: [i64; 10] = [7, 20, 31, 40, 60, 61, 80, 90, 100, 120];

/// At which point the host ends, in which step.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Nowhere,
    /// Before the clock goes on to each step.
    BeforeEach,
    /// In this step, after so many answers of the store: what the last command did is done, and nobody knows.
    In(usize, usize),
}

/// The story: what was told, how many times were missed, and whether it was cut at all.
async fn story(cut: Cut) -> (Vec<Told>, u64, bool) {
    let start = ms("2026-06-01T10:00:00Z");
    let schedules = vec![
        every("often", 20, true),
        every("poll", 30, false),
        cron("minute", "* * * * *", "America/New_York", true),
    ];
    let mut bench = Bench::begun(schedules, start).await;
    let timers = [("c", 31), ("a", 5), ("b", 5), ("d", 60), ("e", 90)];
    bench.set_timers(&timers.map(|(key, seconds)| (key.to_owned(), seconds * SECOND_MS))).await;
    let mut was_cut = false;
    for (number, seconds) in STEPS.into_iter().enumerate() {
        if matches!(cut, Cut::BeforeEach) {
            bench.restart().await;
            was_cut = true;
        }
        bench.set_clock(start + seconds * SECOND_MS);
        if let Cut::In(step, answers) = cut
            && step == number
            && !bench.look_cut(answers).await
        {
            bench.restart().await;
            was_cut = true;
        }
        bench.look().await;
        bench.finish().await;
    }
    (bench.told(), bench.counted("missed"), was_cut)
}

/// Name and time of all of these, or of all others, in an order of their own: at the same moment it doesn't matter which
/// comes first.
fn times(told: &[Told], of: impl Fn(&Told) -> bool) -> Vec<(String, i64)> {
    let mut times: Vec<_> =
        told.iter().filter(|one| of(one)).map(|one| (one.name.clone(), one.at_ms)).collect();
    times.sort();
    times
}

/// The keys of the timers, in the order in which they came.
fn timers(told: &[Told]) -> Vec<&str> {
    told.iter().map(|one| one.name.as_str()).filter(|name| name.len() == 1).collect()
}

#[tokio::test]
async fn a_restart_between_any_two_steps_changes_nothing() {
    let (whole, missed, _) = story(Cut::Nowhere).await;
    assert_eq!((whole.len(), missed), (6 + 4 + 2 + 5, 0));
    assert_eq!(timers(&whole), ["a", "b", "c", "d", "e"]);
    let (cut, missed, was_cut) = story(Cut::BeforeEach).await;
    assert_eq!((times(&cut, |_| true), missed, was_cut), (times(&whole, |_| true), 0, true));
    assert_eq!(timers(&cut), timers(&whole));
    assert!(cut.iter().all(|one| !one.caught_up), "nothing was due while it was down");
}

#[tokio::test]
async fn an_end_at_any_point_of_a_turn_loses_nothing_and_doubles_nothing() {
    let (whole, ..) = story(Cut::Nowhere).await;
    let mut cuts = 0;
    for step in 0..STEPS.len() {
        for answers in 0.. {
            let cut = Cut::In(step, answers);
            let (told, missed, was_cut) = story(cut).await;
            if !was_cut {
                break;
            }
            cuts += 1;
            // What catches up, and the timers: all, and each once.
            let all = |one: &Told| one.name != "poll";
            assert_eq!(times(&told, all), times(&whole, all), "{cut:?}");
            assert_eq!(timers(&told), timers(&whole), "{cut:?}");
            // What doesn't catch up is left out and counted, if it was due and not done yet.
            let (polls, expected) = (times(&told, |one| !all(one)), times(&whole, |one| !all(one)));
            assert!(polls.iter().all(|one| expected.contains(one)), "{cut:?}: {polls:?}");
            let lost = u64::try_from(expected.len() - polls.len()).expect("a few");
            assert_eq!(lost, missed, "{cut:?}: {polls:?}");
        }
    }
    assert!(cuts > STEPS.len(), "each step has points to end at: {cuts}");
}
