//! What follows for a delivery that ran when the process ended without having been told to.

use std::time::Duration;

/// The word for it in the store, in listings and in metrics.
pub const OUTCOME: &str = "process ended";

/// Ends in a row, the delivery running at each, after which it is given up.
const ENDS_MAX: u32 = 4;
const LAST: u32 = ENDS_MAX - 1;
/// Before the last of them it waits, one suspect behind the other, so that what runs beside it at the next end is something
/// else; and for longer than a host lives that is ended again and again for another reason.
const APART: Duration = Duration::from_secs(20);
/// So many wait one behind the other; the others with the last of them: nobody's chat should wait for long.
const APART_MAX: u32 = 3;

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

/// What follows after the process has ended so many times in a row while a delivery ran, `before` being the suspects that
/// go before it.
pub fn after(ends: u32, before: u32) -> Next {
    match ends {
        ENDS_MAX.. => Next::Dead,
        0..LAST => Next::AtOnce,
        LAST => Next::Apart(APART * before.saturating_add(1).min(APART_MAX)),
    }
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
        let seconds = |seconds| Next::Apart(Duration::from_secs(seconds));
        assert_eq!((after(1, 0), after(2, 9)), (Next::AtOnce, Next::AtOnce));
        assert_eq!((after(3, 0), after(3, 2), after(3, 150)), (seconds(20), seconds(60), seconds(60)));
        assert_eq!((after(4, 0), after(9, 9)), (Next::Dead, Next::Dead));
    }
}
