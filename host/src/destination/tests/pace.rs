use std::cmp::Reverse;
use std::collections::BinaryHeap;

use proptest::prelude::*;

use super::*;
use crate::destination::pace::BURST_MIN;
use crate::destination::tally::PLUGINS_MAX;

#[test]
fn a_burst_goes_at_once_and_then_turns_keep_the_interval() {
    let mut pace = Pace::new(1.0);
    let turns: Vec<_> = (0..8).map(|_| pace.take("p", seconds(100), seconds(2))).collect();
    let expected = [0, 0, 0, 0, 0, 1, 2].map(|wait| Ok(seconds(wait)));
    assert_eq!(turns[..7], expected);
    assert_eq!(turns[7], Err(seconds(4)));
    assert_eq!(pace.take("p", seconds(100), seconds(2)), Err(seconds(5)));
    assert_eq!(pace.take("p", seconds(200), seconds(0)), Ok(seconds(0)));
}

#[test]
fn a_faster_rate_counts_at_once() {
    let mut pace = Pace::new(0.01);
    while pace.take("p", seconds(0), seconds(0)).is_ok() {}
    pace.set_rate(100.0, seconds(1));
    assert!(pace.take("p", seconds(2), seconds(0)).is_ok());
}

#[test]
fn a_plugin_is_put_off_behind_its_own_calls_and_by_its_share() {
    let mut pace = Pace::new(1.0);
    while pace.take("many", seconds(100), seconds(0)).is_ok() {}
    for call in 2..60 {
        assert_eq!(pace.take("many", seconds(100), seconds(0)), Err(seconds(1 + call)));
    }
    assert_eq!(pace.take("few", seconds(100), seconds(0)), Err(seconds(1 + 2)));
    assert_eq!(pace.take("other", seconds(100), seconds(0)), Err(seconds(1 + 3)));
    assert_eq!(pace.take("few", seconds(100), seconds(0)), Err(seconds(1 + 2 + 3)));
    assert_eq!(pace.take("many", seconds(100), seconds(0)), Err(seconds(1 + 59 + 3)));
}

#[test]
fn those_who_are_away_are_remembered_up_to_a_bound_and_until_they_come() {
    let mut pace = Pace::new(1.0);
    while pace.take("p", seconds(0), seconds(0)).is_ok() {}
    for number in 0..PLUGINS_MAX * 2 {
        assert!(pace.take(&format!("plugin-{number}"), seconds(0), seconds(0)).is_err());
    }
    assert_eq!(pace.waiting(), PLUGINS_MAX + 1);
    while pace.take("p", seconds(1_000), seconds(0)).is_ok() {}
    assert_eq!(pace.waiting(), 1);
}

/// How long the calls of `few` have to wait, which come one after the other while those of `many`, which came at once,
/// come back. Each comes back when it was told to and a little later by one of the `random`s, as the host has it.
fn longest_wait_of_few(rate: f64, calls: usize, random: &[f64]) -> Duration {
    let mut pace = Pace::new(rate);
    let interval = Duration::from_secs_f64(1.0 / rate);
    let many = (0..calls).map(|call| Reverse((Duration::ZERO, call, "many", Duration::ZERO)));
    let few = (0..5).map(|call| {
        let came = interval.mul_f64(5.3 + f64::from(call) * 7.0);
        Reverse((came, calls, "few", came))
    });
    let mut coming: BinaryHeap<_> = many.chain(few).collect();
    let (mut longest, mut random) = (Duration::ZERO, random.iter().cycle());
    while let Some(Reverse((now, call, plugin, came))) = coming.pop() {
        match pace.take(plugin, now, seconds(1)) {
            Ok(after) if plugin == "few" => longest = longest.max(now + after - came),
            Ok(_) => {}
            Err(wait) => {
                let later = wait.min(seconds(3)).mul_f64(*random.next().unwrap());
                coming.push(Reverse((now + wait + later, call, plugin, came)));
            }
        }
    }
    longest
}

proptest! {
    #[test]
    fn a_burst_of_one_plugin_puts_no_other_off(
        rate in prop::sample::select(vec![0.1, 1.0, 9.0]),
        random in prop::collection::vec(0.0..1.0, 1_009),
    ) {
        let intervals = longest_wait_of_few(rate, 400, &random).as_secs_f64() * rate;
        prop_assert!(intervals < 60.0, "{intervals} intervals");
    }

    #[test]
    fn no_window_has_more_turns_than_its_burst_and_its_rate(
        rate in 0.05..200.0,
        pauses in proptest::collection::vec(0..2_000_u64, 1..300),
        patience in 0..3_000_u64,
    ) {
        let mut pace = Pace::new(rate);
        let patience = Duration::from_millis(patience);
        let (mut now, mut turns, mut away) = (Duration::ZERO, Vec::new(), Duration::ZERO);
        for pause in pauses {
            now += Duration::from_millis(pause * u64::from(pause % 3 == 0));
            match pace.take("p", now, patience) {
                Ok(after) => {
                    prop_assert!(after <= patience);
                    turns.push(now + after);
                }
                Err(wait) => {
                    prop_assert!(wait > patience);
                    prop_assert!(now + wait >= away, "those who are sent away come back in their order");
                    away = (now + wait).min(now + seconds(600));
                }
            }
        }
        prop_assert!(turns.is_sorted());
        let burst = rate.max(BURST_MIN);
        for (first, begin) in turns.iter().enumerate() {
            for (last, end) in turns.iter().enumerate().skip(first) {
                let allowed = burst + (*end - *begin).as_secs_f64() * rate + 0.001;
                prop_assert!((last - first + 1) as f64 <= allowed, "{} turns in {:?}", last - first + 1, *end - *begin);
            }
        }
    }
}
