//! Work that has an event of its own, so that the board waits neither for LiveChat nor for Slack: a timer for now, whose
//! events come one after the other, beside the samples.

use std::time::Duration;

use chatplug_sdk::prelude::*;

/// LiveChat is asked for the chats and the statuses.
pub const POLL: &str = "poll";
/// LiveChat is asked for today's reports.
pub const REPORTS: &str = "reports";
/// The team is told.
pub const TELL: &str = "tell";

/// For so long an event is believed to come or to be under way. A timer that is set anew takes the place of the one
/// before, so that one that is set with each sample would never come; and one whose event has died comes no more.
const BELIEVED_MS: u64 = 600_000;

/// When work was begun last, and when what ended last was begun: milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    /// When its timer was set last.
    pub begun_ms: Option<u64>,
    /// When that of the work that ended last was set, or a command did the work itself.
    pub ended_ms: Option<u64>,
}

impl Turns {
    /// Those of some work.
    ///
    /// # Errors
    /// The plugin's memory can't be read.
    pub fn of(work: &str) -> Result<Turns, Failure> {
        Ok(Turns { begun_ms: memory::get(&begun(work))?, ended_ms: memory::get(&ended(work))? })
    }

    /// Whether work that is done again and again is to be begun.
    pub fn is_due(self, now_ms: u64, every_ms: u64) -> bool {
        !self.is_under_way(now_ms) && is_over(self.begun_ms.max(self.ended_ms), now_ms, every_ms)
    }

    /// Whether somebody who can't wait for what is under way has to do it.
    pub fn is_wanted(self, now_ms: u64, every_ms: u64) -> bool {
        is_over(self.ended_ms, now_ms, every_ms)
    }

    /// Whether it was begun and has not ended, as far as is believed.
    pub fn is_under_way(self, now_ms: u64) -> bool {
        let begun_ms = self.begun_ms.filter(|_| self.begun_ms > self.ended_ms);
        begun_ms.is_some_and(|begun_ms| now_ms >= begun_ms && now_ms - begun_ms < BELIEVED_MS)
    }

    /// Whether it was never begun.
    pub fn is_first(self) -> bool {
        self == Turns::default()
    }
}

/// Whether so much time is over. A little early is in time: samples don't come to the millisecond. A clock that was put
/// back keeps nothing waiting.
fn is_over(last_ms: Option<u64>, now_ms: u64, every_ms: u64) -> bool {
    last_ms.is_none_or(|last_ms| now_ms < last_ms || now_ms - last_ms + every_ms / 10 >= every_ms)
}

/// Has the host come back for some work.
///
/// # Errors
/// The timer or the plugin's memory can't be set.
pub fn begin(work: &str, now_ms: u64) -> Result<(), Failure> {
    // The timer first: if the host ends between the two, the timer is set again; the other way round none would be.
    timers::set(work, Duration::ZERO, &now_ms)?;
    Ok(memory::set(&begun(work), &now_ms)?)
}

/// Work has ended that was begun then.
///
/// # Errors
/// The plugin's memory can't be read or written.
pub fn end(work: &str, begun_ms: u64) -> Result<(), Failure> {
    let before: Option<u64> = memory::get(&ended(work))?;
    match before {
        // A command has done it meanwhile.
        Some(later_ms) if later_ms >= begun_ms => Ok(()),
        _ => Ok(memory::set(&ended(work), &begun_ms)?),
    }
}

fn begun(work: &str) -> String {
    format!("begun/{work}")
}

fn ended(work: &str) -> String {
    format!("ended/{work}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_780_308_000_000;
    const MINUTE: u64 = 60_000;

    /// Begun and ended so long ago.
    fn turns(begun_ago_ms: Option<u64>, ended_ago_ms: Option<u64>) -> Turns {
        Turns { begun_ms: begun_ago_ms.map(|ago| NOW - ago), ended_ms: ended_ago_ms.map(|ago| NOW - ago) }
    }

    #[test]
    fn work_is_begun_when_it_is_time_and_what_was_begun_before_has_ended() {
        let check = |begun, ended, expected: bool| {
            let turns = turns(begun, ended);
            assert_eq!(turns.is_due(NOW, MINUTE), expected, "{turns:?}");
        };
        check(None, None, true);
        check(Some(30_000), Some(30_000), false);
        check(Some(54_000), Some(54_000), true); // a little early
        check(Some(53_999), Some(53_999), false);
        // It waits for LiveChat: its timer isn't set again, or its event would never come.
        check(Some(MINUTE), None, false);
        check(Some(9 * MINUTE), Some(10 * MINUTE), false);
        check(Some(10 * MINUTE), Some(11 * MINUTE), true);
        // A command did it after the timer had been set.
        check(Some(2 * MINUTE), Some(MINUTE), true);
        check(Some(2 * MINUTE), Some(30_000), false);
    }

    #[test]
    fn work_that_is_done_at_once_waits_only_for_itself() {
        assert!(turns(Some(1), Some(1)).is_due(NOW, 0));
        assert!(!turns(Some(1), Some(2)).is_due(NOW, 0));
    }

    #[test]
    fn a_clock_that_was_put_back_keeps_nothing_waiting() {
        let ahead = Turns { begun_ms: Some(NOW + 3_600_000), ended_ms: None };
        assert!(ahead.is_due(NOW, MINUTE));
        assert!(Turns { ended_ms: ahead.begun_ms, ..ahead }.is_due(NOW, MINUTE));
    }

    #[test]
    fn a_command_goes_by_what_has_ended() {
        assert!(turns(Some(MINUTE), Some(2 * MINUTE)).is_wanted(NOW, MINUTE));
        assert!(!turns(Some(1), Some(MINUTE / 2)).is_wanted(NOW, MINUTE));
        assert!(turns(None, None).is_first() && !turns(Some(1), None).is_first());
    }
}
