use proptest::prelude::*;

use super::*;
use crate::destination::pace::BURST_MIN;

#[test]
fn a_burst_goes_at_once_and_then_turns_keep_the_interval() {
    let mut pace = Pace::new(1.0);
    let turns: Vec<_> = (0..8).map(|_| pace.take(seconds(100), seconds(2))).collect();
    let expected = [0, 0, 0, 0, 0, 1, 2].map(|wait| Ok(seconds(wait)));
    assert_eq!(turns[..7], expected);
    assert_eq!(turns[7], Err(seconds(4)));
    assert_eq!(pace.take(seconds(100), seconds(2)), Err(seconds(5)));
    assert_eq!(pace.take(seconds(200), seconds(0)), Ok(seconds(0)));
}

#[test]
fn a_faster_rate_counts_at_once() {
    let mut pace = Pace::new(0.01);
    while pace.take(seconds(0), seconds(0)).is_ok() {}
    pace.set_rate(100.0, seconds(1));
    assert!(pace.take(seconds(2), seconds(0)).is_ok());
}

proptest! {
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
            match pace.take(now, patience) {
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
