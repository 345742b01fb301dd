//! When it is looked after an outage, and when that is enough.

use std::time::Duration;

use tokio::time::Instant;

use crate::store::Outage;

/// LiveChat's archives may show a conversation only some time after its end: so long after the first look comes another.
const SECOND: Duration = Duration::from_secs(600);
/// After a look that was not finished.
const RETRY: Duration = Duration::from_secs(30);
const RETRY_MAX: Duration = Duration::from_secs(3600);
/// Looks that were not finished, one after the other, before it is left to the operator: more than half a day.
const FAILURES_MAX: u32 = 20;
/// Looks after an outage.
const LOOKS: u32 = 2;

/// What has been done about an outage.
#[derive(Debug)]
pub(super) struct Owed {
    outage: Option<Outage>,
    looks: u32,
    failures: u32,
    due: Instant,
    /// What can't be recovered of it, as it was told last.
    told: String,
    /// Nothing is looked at before.
    first: Instant,
}

/// What follows from a look.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another look, at its time.
    Again,
    /// Nothing.
    Over,
}

impl Owed {
    /// Nothing has been done, and nothing is done before `first`.
    pub(super) fn new(first: Instant) -> Owed {
        Owed { outage: None, looks: 0, failures: 0, due: first, told: String::new(), first }
    }

    /// The outage to look at now. One that has become longer is another one.
    pub(super) fn turn(&mut self, outage: Option<Outage>, now: Instant) -> Option<Outage> {
        if self.outage != outage {
            *self = Owed { outage, due: self.first.max(now), ..Owed::new(self.first) };
        }
        outage.filter(|_| now >= self.due)
    }

    /// Whether it has to be told that this can't be recovered: not if it is nothing, nor what was told before.
    pub(super) fn is_news(&mut self, loss: String) -> bool {
        let is_news = !loss.is_empty() && loss != self.told;
        self.told = loss;
        is_news
    }

    /// It was looked.
    pub(super) fn looked(&mut self, is_finished: bool, now: Instant) -> Next {
        if is_finished {
            (self.looks, self.failures, self.due) = (self.looks + 1, 0, now + SECOND);
            return if self.looks < LOOKS { Next::Again } else { Next::Over };
        }
        self.failures += 1;
        self.due = now + RETRY.saturating_mul(1 << self.failures.min(10).saturating_sub(1)).min(RETRY_MAX);
        if self.failures < FAILURES_MAX { Next::Again } else { Next::Over }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTAGE: Outage = Outage { began_ms: 1, ended_ms: 2 };

    fn owed() -> (Owed, Instant) {
        let now = Instant::now();
        (Owed::new(now + Duration::from_secs(10)), now)
    }

    #[test]
    fn it_is_looked_twice() {
        let (mut owed, now) = owed();
        let at = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(owed.turn(None, at(20)), None);
        assert_eq!(owed.turn(Some(OUTAGE), at(9)), None, "too early");
        assert_eq!(owed.turn(Some(OUTAGE), at(10)), Some(OUTAGE));
        assert_eq!(owed.looked(true, at(20)), Next::Again);
        assert_eq!(owed.turn(Some(OUTAGE), at(619)), None, "the archives have time");
        assert_eq!(owed.turn(Some(OUTAGE), at(620)), Some(OUTAGE));
        assert_eq!(owed.looked(true, at(620)), Next::Over);
    }

    #[test]
    fn what_fails_is_tried_later_and_later_and_at_last_left() {
        let (mut owed, mut now) = owed();
        now += Duration::from_secs(10);
        let mut waits = Vec::new();
        loop {
            assert_eq!(owed.turn(Some(OUTAGE), now), Some(OUTAGE));
            let next = owed.looked(false, now);
            waits.push((owed.due - now).as_secs());
            now = owed.due;
            if next == Next::Over {
                break;
            }
        }
        assert_eq!(waits[..9], [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
        assert_eq!(waits.len(), FAILURES_MAX as usize);
    }

    #[test]
    fn what_is_lost_is_told_once_for_each_outage() {
        let (mut owed, now) = owed();
        let now = now + Duration::from_secs(30);
        owed.turn(Some(OUTAGE), now);
        let news = |owed: &mut Owed, loss: &str| owed.is_news(loss.to_owned());
        assert!(!news(&mut owed, ""));
        assert!(news(&mut owed, "a type"));
        assert!(!news(&mut owed, "a type"));
        assert!(news(&mut owed, "a type and a chat"));
        owed.turn(Some(Outage { ended_ms: 3, ..OUTAGE }), now);
        assert!(news(&mut owed, "a type and a chat"));
    }

    #[test]
    fn a_longer_outage_is_another_one() {
        let (mut owed, now) = owed();
        let now = now + Duration::from_secs(30);
        assert_eq!(owed.turn(Some(OUTAGE), now), Some(OUTAGE));
        assert_eq!(owed.looked(true, now), Next::Again);
        assert_eq!(owed.turn(Some(OUTAGE), now), None);
        let longer = Outage { ended_ms: 3, ..OUTAGE };
        assert_eq!(owed.turn(Some(longer), now), Some(longer));
        assert_eq!(owed.looked(true, now), Next::Again, "the first of two");
    }
}
