//! One pass over those who go by a timetable: how many are tried in one event, and what is left for the next one. How
//! somebody is set is the caller's.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::time::Duration;

use crate::duty::{self, Change, Roster};

/// So many are tried in one event; the rest follows in the next one. The host's limit is 32 actions, and it counts those
/// that are refused, too.
pub const TRIES_MAX: usize = 25;

/// How long the rest waits where nobody could be set: LiveChat may refuse them all.
pub const PAUSE: Duration = Duration::from_secs(10);

/// What came of trying to set somebody's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is set.
    Set,
    /// It can't be set as things are.
    Refused,
    /// It could not be set now; a little later it may.
    Failed,
}

/// What came of a pass.
#[derive(Debug, Default, PartialEq)]
pub struct Sweep<'a> {
    /// Who was set away, each with the timetable.
    pub away: Vec<(&'a str, &'a str)>,
    /// Who was set back.
    pub back: Vec<(&'a str, &'a str)>,
    /// Of whom the plugin need not remember any more that it had set them away.
    pub forgotten: Vec<&'a str>,
    /// Whether somebody is to be tried again soon.
    pub has_failed: bool,
    /// Who was tried last, if others are left behind them.
    left_behind: Option<&'a str>,
}

impl<'a> Sweep<'a> {
    /// Sees to everybody whose id comes behind `behind`: tries at most `tries_max` of them with `set`. `ours` are those
    /// whom the plugin had set away.
    pub fn of(
        roster: &'a Roster<'_>,
        ours: &BTreeSet<String>,
        behind: Option<&str>,
        tries_max: usize,
        mut set: impl FnMut(&str, Change) -> Outcome,
    ) -> Sweep<'a> {
        let from = behind.map_or(Bound::Unbounded, Bound::Excluded);
        let (mut sweep, mut tries, mut last) = (Sweep::default(), 0, None);
        for (id, duty) in roster.range::<str, _>((from, Bound::Unbounded)) {
            let Some(change) = duty::change(duty.is_open, &duty.status, ours.contains(id)) else { continue };
            let outcome = match change {
                Change::Forget => Outcome::Set,
                Change::Away | Change::Back if tries == tries_max => {
                    sweep.left_behind = last;
                    break;
                }
                Change::Away | Change::Back => {
                    (tries, last) = (tries + 1, Some(id.as_str()));
                    set(id, change)
                }
            };
            sweep.note((id.as_str(), duty.timetable), change, outcome);
        }
        sweep
    }

    fn note(&mut self, agent: (&'a str, &'a str), change: Change, outcome: Outcome) {
        match (change, outcome) {
            (Change::Away, Outcome::Set) => self.away.push(agent),
            (Change::Back, Outcome::Set) => {
                self.back.push(agent);
                self.forgotten.push(agent.0);
            }
            (Change::Away, Outcome::Refused) | (Change::Forget, _) => self.forgotten.push(agent.0),
            // They are away by the plugin still: a later look sets them back.
            (Change::Back, Outcome::Refused) => {}
            (Change::Away | Change::Back, Outcome::Failed) => self.has_failed = true,
        }
    }

    /// Behind whom the next event goes on, and after which time: at once only if somebody was set in this one. Nothing if
    /// nobody is left. It comes to an end, as each goes on behind the one before.
    pub fn rest(&self) -> Option<(&'a str, Duration)> {
        let is_nobody_set = self.away.is_empty() && self.back.is_empty();
        self.left_behind.map(|behind| (behind, if is_nobody_set { PAUSE } else { Duration::ZERO }))
    }
}

#[cfg(test)]
mod tests {
    use chatplug_sdk::objects::Status;

    use super::*;
    use crate::duty::OnDuty;

    /// So many people who accept chats outside of their hours.
    fn late(count: usize) -> Roster<'static> {
        roster(count, false, Status::AcceptingChats)
    }

    fn roster(count: usize, is_open: bool, status: Status) -> Roster<'static> {
        let person = |number| (id(number), OnDuty { timetable: "support", is_open, status: status.clone() });
        (0..count).map(person).collect()
    }

    fn id(number: usize) -> String {
        format!("agent{number:03}@example.com")
    }

    /// Passes until nobody is left; who was tried in each, and how long the next one waited.
    fn passes(
        roster: &Roster<'_>,
        outcome: impl Fn(&str) -> Outcome,
    ) -> Vec<(Vec<String>, Option<Duration>)> {
        let (mut passes, mut behind) = (Vec::new(), None::<String>);
        loop {
            let mut tried = Vec::new();
            let sweep = Sweep::of(roster, &BTreeSet::new(), behind.as_deref(), TRIES_MAX, |id, _| {
                tried.push(id.to_owned());
                outcome(id)
            });
            assert!(passes.len() <= roster.len(), "it does not end");
            passes.push((tried, sweep.rest().map(|(_, wait)| wait)));
            match sweep.rest() {
                Some((id, _)) => behind = Some(id.to_owned()),
                None => return passes,
            }
        }
    }

    #[test]
    fn what_is_tried_in_one_event_is_bounded_whatever_comes_of_it() {
        for outcome in [Outcome::Set, Outcome::Refused, Outcome::Failed] {
            let passes = passes(&late(60), |_| outcome);
            let tried: Vec<usize> = passes.iter().map(|(tried, _)| tried.len()).collect();
            assert_eq!(tried, [25, 25, 10], "{outcome:?}");
            let all: Vec<String> = passes.into_iter().flat_map(|(tried, _)| tried).collect();
            assert_eq!(
                all,
                (0..60).map(id).collect::<Vec<_>>(),
                "each is tried, and no one twice: {outcome:?}"
            );
        }
    }

    #[test]
    fn it_goes_on_at_once_only_if_somebody_was_set() {
        let waits = |outcome: &dyn Fn(&str) -> Outcome| {
            passes(&late(60), outcome).into_iter().map(|(_, wait)| wait).collect::<Vec<_>>()
        };
        let (now, later) = (Some(Duration::ZERO), Some(PAUSE));
        assert_eq!(waits(&|_| Outcome::Set), [now, now, None]);
        assert_eq!(waits(&|_| Outcome::Refused), [later, later, None]);
        assert_eq!(waits(&|_| Outcome::Failed), [later, later, None]);
        let only = |number: usize| {
            move |tried: &str| if tried == id(number) { Outcome::Set } else { Outcome::Refused }
        };
        assert_eq!(waits(&only(24)), [now, later, None]);
        assert_eq!(waits(&only(25)), [later, now, None]);
        assert_eq!(passes(&late(25), |_| Outcome::Set).len(), 1);
        assert_eq!(passes(&late(26), |_| Outcome::Set).len(), 2);
        assert_eq!(passes(&late(0), |_| Outcome::Set), [(vec![], None)]);
    }

    #[test]
    fn a_dry_run_sees_everybody_in_one_pass() {
        let roster = late(1_000);
        let sweep = Sweep::of(&roster, &BTreeSet::new(), None, usize::MAX, |_, _| Outcome::Set);
        assert_eq!((sweep.away.len(), sweep.rest()), (1_000, None));
    }

    #[test]
    fn who_needs_nothing_is_not_counted() {
        let mut roster = late(60);
        roster.values_mut().take(50).for_each(|duty| duty.status = Status::NotAcceptingChats);
        let sweep = Sweep::of(&roster, &BTreeSet::new(), None, TRIES_MAX, |_, _| Outcome::Set);
        assert_eq!((sweep.away.len(), sweep.rest()), (10, None));
    }

    #[track_caller]
    fn check_forgotten(is_open: bool, status: Status, outcome: Outcome, expected: bool) {
        let roster = roster(1, is_open, status.clone());
        let ours = BTreeSet::from([id(0)]);
        let sweep = Sweep::of(&roster, &ours, None, TRIES_MAX, |_, _| outcome);
        assert_eq!(!sweep.forgotten.is_empty(), expected, "{is_open} {status} {outcome:?}");
        assert_eq!(sweep.has_failed, outcome == Outcome::Failed, "{is_open} {status} {outcome:?}");
    }

    #[test]
    fn whom_the_plugin_had_set_away_is_remembered_until_they_accept_chats_in_their_hours() {
        use Outcome::{Failed, Refused, Set};
        use Status::{AcceptingChats, NotAcceptingChats, Offline};
        check_forgotten(false, AcceptingChats, Set, false);
        // They accept chats, so there is nothing to be set back.
        check_forgotten(false, AcceptingChats, Refused, true);
        // It may have been done all the same.
        check_forgotten(false, AcceptingChats, Failed, false);
        check_forgotten(true, NotAcceptingChats, Set, true);
        check_forgotten(true, NotAcceptingChats, Refused, false);
        check_forgotten(true, NotAcceptingChats, Failed, false);
        check_forgotten(true, AcceptingChats, Set, true);
        check_forgotten(true, Offline, Set, false);
        check_forgotten(false, Offline, Set, false);
    }
}
