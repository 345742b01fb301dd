//! How long the host was up: waiting ends after a day of the host's uptime, since a weekend's outage is no
//! fault of what waits.

use std::time::Duration;

/// When the host was down, as far as it matters: disjoint periods, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uptime {
    downtimes: Vec<(i64, i64)>,
}

/// Downtimes that are remembered; of more, the latest.
const DOWNTIMES_MAX: usize = 10_000;

impl Uptime {
    /// From the starts of the host, in order: when each began and when it was last known to be alive,
    /// milliseconds since 1970. It was down between one start's last sign of life and the next start. What lies
    /// before the first start counts as up, and so does what a clock that was set back hides.
    pub fn of_starts(starts: &[(i64, i64)]) -> Uptime {
        let gaps = starts.windows(2).map(|pair| (pair[0].1, pair[1].0));
        Uptime::of_downtimes(gaps.filter(|(from, to)| from < to).collect())
    }

    fn of_downtimes(mut downtimes: Vec<(i64, i64)>) -> Uptime {
        downtimes.sort_unstable();
        let mut merged: Vec<(i64, i64)> = Vec::with_capacity(downtimes.len());
        for (from, to) in downtimes {
            match merged.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        let kept = merged.len().saturating_sub(DOWNTIMES_MAX);
        Uptime { downtimes: merged.split_off(kept) }
    }

    /// The same, but for a time in which nothing waited although the host was there: the machine slept, or its clock was
    /// set forward.
    pub fn without(&self, (from_ms, to_ms): (i64, i64)) -> Uptime {
        if from_ms >= to_ms {
            return self.clone();
        }
        let downtimes = self.downtimes.iter().copied().chain([(from_ms, to_ms)]);
        Uptime::of_downtimes(downtimes.collect())
    }

    /// How long the host was up between two times, milliseconds since 1970; nothing if they are the wrong way
    /// around.
    pub fn between(&self, from_ms: i64, to_ms: i64) -> Duration {
        let down = self.downtimes.iter().map(|&(from, to)| (to.min(to_ms) - from.max(from_ms)).max(0));
        let up = to_ms.saturating_sub(from_ms).saturating_sub(down.sum());
        Duration::from_millis(u64::try_from(up).unwrap_or(0))
    }

    /// The times in which nobody was up, and that are so long that they may be none but a clock that was set, if the latest of
    /// them was less than `span` of uptime ago: how long they were together, and how long the host was up since.
    pub fn leapt(&self, now_ms: i64, longer_than: Duration, span: Duration) -> Option<(i64, Duration)> {
        let longer_ms = i64::try_from(longer_than.as_millis()).unwrap_or(i64::MAX);
        let leaps = || self.downtimes.iter().filter(|(from, to)| *to <= now_ms && to - from > longer_ms);
        let up = self.between(leaps().next_back()?.1, now_ms);
        let long_ms = leaps().fold(0, |sum: i64, (from, to)| sum.saturating_add(to - from));
        (up < span).then_some((long_ms, up))
    }

    /// The latest time from which on the host was up for `span` until `now_ms`, milliseconds since 1970.
    pub fn ago(&self, now_ms: i64, span: Duration) -> i64 {
        let mut left = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        let mut end = now_ms;
        for &(from, to) in self.downtimes.iter().rev().filter(|(from, _)| *from < now_ms) {
            let up = (end - to.min(end)).max(0);
            if up >= left {
                break;
            }
            left -= up;
            end = from.min(end);
        }
        end.saturating_sub(left)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(starts: &[(i64, i64)], between: (i64, i64), expected_ms: u64) {
        let up = Uptime::of_starts(starts).between(between.0, between.1);
        assert_eq!(up, Duration::from_millis(expected_ms), "{starts:?} between {between:?}");
    }

    #[test]
    fn downtimes_do_not_count() {
        check(&[], (10, 30), 20);
        check(&[(0, 50)], (10, 100), 90);
        check(&[(0, 20), (60, 80)], (10, 100), 50);
        check(&[(0, 20), (60, 80)], (30, 50), 0);
        check(&[(0, 20), (60, 80), (90, 91)], (10, 100), 40);
        check(&[(0, 20), (60, 80)], (70, 10), 0);
    }

    #[test]
    fn a_clock_that_was_set_back_hides_no_uptime() {
        check(&[(0, 50), (40, 60)], (0, 100), 100);
        check(&[(0, 10), (50, 60), (30, 90), (100, 110)], (0, 100), 50);
    }

    #[test]
    fn a_pause_does_not_count_either() {
        let uptime =
            Uptime::of_starts(&[(0, 20), (60, 80)]).without((70, 90)).without((50, 65)).without((95, 95));
        assert_eq!(uptime, Uptime { downtimes: vec![(20, 65), (70, 90)] });
        assert_eq!(uptime.between(10, 100), Duration::from_millis(10 + 5 + 10));
    }

    #[test]
    fn a_leap_is_told_until_the_host_was_up_for_long_enough_since() {
        let check = |starts: &[(i64, i64)], now_ms: i64, expected: Option<(i64, u64)>| {
            let (longer, span) = (Duration::from_millis(24), Duration::from_millis(20));
            let leapt = Uptime::of_starts(starts).leapt(now_ms, longer, span);
            let expected = expected.map(|(long_ms, up_ms)| (long_ms, Duration::from_millis(up_ms)));
            assert_eq!(leapt, expected, "{starts:?} at {now_ms}");
        };
        check(&[], 100, None);
        check(&[(0, 10), (34, 34)], 34, None);
        check(&[(0, 10), (35, 35)], 35, Some((25, 0)));
        check(&[(0, 10), (35, 40), (45, 45)], 50, Some((25, 10)));
        check(&[(0, 10), (35, 55)], 55, None);
        check(&[(0, 10), (100, 110), (200, 200)], 200, Some((180, 0)));
        // The wrong time was put right.
        check(&[(0, 10), (100, 110), (12, 12)], 13, None);
    }

    fn starts() -> impl Strategy<Value = Vec<(i64, i64)>> {
        proptest::collection::vec((0..20_i64, 0..20_i64), 0..8).prop_map(|steps| {
            let mut at = 0;
            let start = |(down, up)| {
                let began = at + down;
                at = began + up;
                (began, at)
            };
            steps.into_iter().map(start).collect()
        })
    }

    proptest! {
        #[test]
        fn uptime_is_what_counting_each_moment_gives(starts in starts(), from in 0..200_i64, long in 0..200_i64) {
            let is_down = |at: i64| starts.windows(2).any(|pair| pair[0].1 <= at && at < pair[1].0);
            let counted = (from..from + long).filter(|at| !is_down(*at)).count() as u64;
            prop_assert_eq!(Uptime::of_starts(&starts).between(from, from + long), Duration::from_millis(counted));
        }

        #[test]
        fn so_long_ago_is_the_latest_time_with_that_uptime(starts in starts(), now in 0..300_i64, span in 1..200_u64) {
            let (uptime, span) = (Uptime::of_starts(&starts), Duration::from_millis(span));
            let then = uptime.ago(now, span);
            prop_assert_eq!(uptime.between(then, now), span);
            prop_assert!(uptime.between(then + 1, now) < span);
        }
    }
}
