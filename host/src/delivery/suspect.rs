//! What follows for a delivery that ran when the process ended without having been told to.

use std::time::Duration;

/// The word for it in the store, in listings and in metrics.
pub const OUTCOME: &str = "process ended";

/// Ends in a row, the delivery running at each, after which it is given up.
const ENDS_MAX: u32 = 4;
/// From so many on it runs apart from others.
pub const LAST: u32 = ENDS_MAX - 1;
/// So long it waits then, and half of the suspects twice as long: what runs beside it at the next end is something else, and
/// a host that is ended again and again for another reason doesn't live as long.
const APART: Duration = Duration::from_secs(20);

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It runs again: processes end for many reasons.
    AtOnce,
    /// It runs again after this long, apart from other suspects.
    Apart(Duration),
    /// It is given up.
    Dead,
}

/// Those who ran at [`LAST`] ends and more, this one too.
#[derive(Clone, Copy, Debug)]
pub struct Suspects {
    /// How many there are.
    pub count: usize,
    /// How many go before the one that is asked about.
    pub before: usize,
    /// How many of them could be given up now: nobody is, unless it is one, since only one of many is to blame.
    pub last: usize,
}

/// What follows after the process has ended so many times in a row while a delivery ran.
pub fn after(ends: u32, suspects: Suspects) -> Next {
    if ends < LAST {
        return Next::AtOnce;
    }
    if is_last(ends) && suspects.last == 1 {
        return Next::Dead;
    }
    let is_first_half = suspects.before < suspects.count.div_ceil(2);
    Next::Apart(if is_first_half { APART } else { 2 * APART })
}

/// Whether it is given up unless there are others.
pub fn is_last(ends: u32) -> bool {
    ends >= ENDS_MAX
}

/// Why, for people.
pub fn reason(ends: u32) -> String {
    format!(
        "the process ended {ends} times in a row while it ran: the supervisor's log says why, and the memory of the machine"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suspect_runs_again_then_apart_and_then_no_more() {
        let check = |ends, (count, before, last), expected| {
            assert_eq!(
                after(ends, Suspects { count, before, last }),
                expected,
                "{ends} {count} {before} {last}"
            );
        };
        let seconds = |seconds| Next::Apart(Duration::from_secs(seconds));
        check(1, (0, 0, 0), Next::AtOnce);
        check(2, (9, 9, 1), Next::AtOnce);
        check(3, (1, 0, 0), seconds(20));
        check(3, (3, 1, 0), seconds(20));
        check(3, (3, 2, 0), seconds(40));
        check(4, (1, 0, 1), Next::Dead);
        check(4, (2, 0, 1), Next::Dead);
        // Of many that ran at each end, one at most is to blame: half of them run alone.
        check(4, (150, 74, 150), seconds(20));
        check(9, (150, 75, 150), seconds(40));
    }
}
