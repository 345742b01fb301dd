//! Probation: what a new version has to show while the one before it stands by. A value: it is told which runs
//! begin and how they end, and says on which version each is to run.

use std::collections::BTreeSet;

use crate::delivery::DeliveryId;

/// Probation ends with so many attempts.
pub const ATTEMPTS: u32 = 200;
/// Or so long after the first of them began, milliseconds.
pub const TIME_MS: i64 = 10 * 60_000;
/// The version that fails so often where the older one doesn't is taken back.
pub const STRIKES_MAX: u32 = 3;

/// Where a new version stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is on probation.
    Open,
    /// It has proved itself.
    Proved,
    /// It is to be taken back.
    Failed,
}

/// On which version a run is to be made, and as what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// On the new version, under probation.
    Trial,
    /// On the older version, for a delivery with which the new one has just failed.
    StandIn,
    /// On the new version, which has proved itself.
    Proved,
    /// On the older version, to which the host goes back.
    Old,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It trapped or exceeded a limit.
    Crashed,
    /// It spent an attempt in another way.
    Spent,
    /// It spent no attempt.
    Unspent,
}

/// The probation of one new version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probation {
    /// When its first attempt began, milliseconds since 1970.
    began_ms: Option<i64>,
    attempts: u32,
    strikes: u32,
    /// Deliveries with which it has failed, and which the older version has not run to an end yet: no more than
    /// attempts.
    failed_with: BTreeSet<DeliveryId>,
    /// Deliveries that it failed with and the older version didn't: each is one strike, however often it runs. No
    /// more than strikes.
    struck: BTreeSet<DeliveryId>,
}

impl Probation {
    /// The probation of a version that has failed so often in an earlier start of the host.
    pub fn new(strikes: u32) -> Probation {
        Probation {
            began_ms: None,
            attempts: 0,
            strikes,
            failed_with: BTreeSet::new(),
            struck: BTreeSet::new(),
        }
    }

    /// Where the version stands.
    pub fn standing(&self, now_ms: i64) -> Standing {
        let is_over = self.began_ms.is_some_and(|began_ms| now_ms - began_ms >= TIME_MS);
        // What it failed with last is still to be tried on the older version; within a bound.
        let is_settled = self.failed_with.is_empty() || self.attempts >= 2 * ATTEMPTS;
        if self.strikes >= STRIKES_MAX {
            Standing::Failed
        } else if is_over || self.attempts >= ATTEMPTS && is_settled {
            Standing::Proved
        } else {
            Standing::Open
        }
    }

    /// How often it failed where the older version didn't.
    pub fn strikes(&self) -> u32 {
        self.strikes
    }

    /// Attempts that it has behind it.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// A run of a delivery begins.
    pub fn begin(&mut self, delivery: DeliveryId, now_ms: i64) -> Role {
        match self.standing(now_ms) {
            Standing::Failed => Role::Old,
            Standing::Proved => Role::Proved,
            Standing::Open if self.failed_with.contains(&delivery) => Role::StandIn,
            Standing::Open => {
                self.began_ms.get_or_insert(now_ms);
                Role::Trial
            }
        }
    }

    /// A run ends. Answers whether it counts for nothing, because the delivery is to be run again on the older
    /// version.
    pub fn end(&mut self, delivery: DeliveryId, role: Role, ending: Ending, now_ms: i64) -> bool {
        let standing = self.standing(now_ms);
        if role == Role::StandIn {
            self.failed_with.remove(&delivery);
        }
        match (role, standing, ending) {
            // What is still under way when the host has gone back runs on the older version as well.
            (Role::Trial, Standing::Failed, Ending::Crashed) => true,
            (Role::Trial, Standing::Open, Ending::Crashed) => {
                self.attempts += 1;
                self.failed_with.insert(delivery);
                true
            }
            (Role::Trial, Standing::Open, Ending::Spent) => {
                self.attempts += 1;
                false
            }
            // Where both fail, it is the event's fault or the world's.
            (Role::StandIn, Standing::Open, Ending::Spent | Ending::Unspent) => {
                self.strikes += u32::from(self.struck.insert(delivery));
                false
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: DeliveryId = DeliveryId(1);

    /// A run of a delivery from begin to end; answers its role, and whether it counts for nothing.
    fn run(probation: &mut Probation, delivery: i64, ending: Ending, now_ms: i64) -> (Role, bool) {
        let delivery = DeliveryId(delivery);
        let role = probation.begin(delivery, now_ms);
        (role, probation.end(delivery, role, ending, now_ms))
    }

    #[test]
    fn the_third_failure_that_the_older_version_did_not_have_is_the_last() {
        use Ending::{Crashed, Spent};
        let mut probation = Probation::new(0);
        for delivery in 1..=3 {
            assert_eq!(probation.standing(0), Standing::Open, "before delivery {delivery}");
            assert_eq!(run(&mut probation, delivery, Crashed, 0), (Role::Trial, true));
            assert_eq!(run(&mut probation, delivery, Spent, 0), (Role::StandIn, false));
        }
        assert_eq!(probation.standing(0), Standing::Failed);
        assert_eq!(run(&mut probation, 4, Spent, 0), (Role::Old, false));
        assert_eq!(run(&mut probation, 5, Crashed, 0), (Role::Old, false), "an ordinary crash");
    }

    #[test]
    fn an_event_with_which_both_fail_is_not_held_against_the_new_version() {
        let mut probation = Probation::new(0);
        for _ in 0..20 {
            assert_eq!(run(&mut probation, 1, Ending::Crashed, 0), (Role::Trial, true));
            assert_eq!(run(&mut probation, 1, Ending::Crashed, 0), (Role::StandIn, false));
        }
        assert_eq!((probation.strikes(), probation.standing(0)), (0, Standing::Open));
    }

    #[test]
    fn one_event_is_one_strike_however_often_it_comes_back() {
        let mut probation = Probation::new(0);
        for _ in 0..10 {
            assert_eq!(run(&mut probation, 1, Ending::Crashed, 0), (Role::Trial, true));
            assert_eq!(run(&mut probation, 1, Ending::Unspent, 0), (Role::StandIn, false));
        }
        assert_eq!((probation.strikes(), probation.standing(0)), (1, Standing::Open));
    }

    #[test]
    fn a_run_that_is_cut_short_for_no_fault_of_its_own_did_not_crash() {
        let mut probation = Probation::new(0);
        run(&mut probation, 1, Ending::Crashed, 0);
        assert_eq!(run(&mut probation, 1, Ending::Unspent, 0), (Role::StandIn, false));
        assert_eq!(probation.strikes(), 1);
        assert_eq!(run(&mut probation, 2, Ending::Unspent, 0), (Role::Trial, false));
        assert_eq!(probation.attempts(), 1, "no attempt was spent");
    }

    #[test]
    fn what_is_under_way_when_the_host_goes_back_counts_for_nothing_either() {
        let mut probation = Probation::new(2);
        let role = probation.begin(ONE, 0);
        run(&mut probation, 2, Ending::Crashed, 0);
        run(&mut probation, 2, Ending::Spent, 0);
        assert_eq!(probation.standing(0), Standing::Failed);
        assert!(probation.end(ONE, role, Ending::Crashed, 0));
        assert_eq!(probation.begin(ONE, 0), Role::Old);
    }

    #[test]
    fn probation_ends_with_attempts_or_with_time() {
        let mut probation = Probation::new(0);
        for delivery in 1..=i64::from(ATTEMPTS) {
            assert_eq!(run(&mut probation, delivery, Ending::Spent, 0).0, Role::Trial);
        }
        assert_eq!(run(&mut probation, 0, Ending::Crashed, 0), (Role::Proved, false));
        let mut probation = Probation { attempts: ATTEMPTS - 1, ..Probation::new(2) };
        assert_eq!(run(&mut probation, 1, Ending::Crashed, 0), (Role::Trial, true), "the last of them");
        assert_eq!(run(&mut probation, 1, Ending::Spent, 0), (Role::StandIn, false));
        assert_eq!(probation.standing(0), Standing::Failed);
        let mut probation = Probation::new(0);
        assert_eq!(
            probation.standing(1_000 * TIME_MS),
            Standing::Open,
            "without an attempt nothing is proved"
        );
        run(&mut probation, 1, Ending::Spent, 7);
        assert_eq!(probation.standing(6 + TIME_MS), Standing::Open);
        assert_eq!(probation.standing(7 + TIME_MS), Standing::Proved);
        assert_eq!(run(&mut probation, 2, Ending::Crashed, 7 + TIME_MS), (Role::Proved, false));
    }

    proptest! {
        /// Deliveries in lanes that run at the same time, as the dispatcher runs them: each until it has ended well
        /// or has spent three crashes. `bad` of them crash on the new version, `poison` on both.
        #[test]
        fn a_delivery_dies_only_of_what_the_older_version_fails_with_too(
            kinds in prop::collection::vec(0..3_u8, 1..60),
            order in prop::collection::vec(any::<prop::sample::Index>(), 400),
        ) {
            let mut probation = Probation::new(0);
            let mut open: Vec<(i64, u32, bool)> = (0..kinds.len() as i64).map(|id| (id, 0, false)).collect();
            let (mut under_way, mut strikes) = (Vec::new(), 0);
            for pick in order {
                if open.is_empty() && under_way.is_empty() {
                    break;
                }
                let place = pick.index(open.len() + under_way.len());
                if place < open.len() {
                    let one = open.swap_remove(place);
                    let role = probation.begin(DeliveryId(one.0), 0);
                    prop_assert_eq!(role == Role::StandIn, one.2 && probation.standing(0) == Standing::Open);
                    under_way.push((one, role));
                    continue;
                }
                let ((id, crashes, _), role) = under_way.swap_remove(place - open.len());
                let is_new = matches!(role, Role::Trial | Role::Proved);
                let kind = kinds[id as usize];
                let does_crash = kind == 2 || kind == 1 && is_new;
                let before = probation.standing(0);
                let ending = if does_crash { Ending::Crashed } else { Ending::Spent };
                let is_free = probation.end(DeliveryId(id), role, ending, 0);
                prop_assert!(!is_free || does_crash && role == Role::Trial);
                prop_assert_eq!(is_free, does_crash && role == Role::Trial && before != Standing::Proved);
                strikes += u32::from(role == Role::StandIn && !does_crash && before == Standing::Open);
                prop_assert_eq!(probation.strikes(), strikes);
                match (does_crash, is_free) {
                    (true, true) => open.push((id, crashes, true)),
                    (true, false) if crashes == 2 => prop_assert_eq!(kind, 2, "died of the new version"),
                    (true, false) => open.push((id, crashes + 1, false)),
                    (false, _) => {}
                }
            }
            prop_assert_eq!(probation.standing(0) == Standing::Failed, strikes >= STRIKES_MAX);
            prop_assert!(probation.failed_with.len() as u32 <= probation.attempts());
        }
    }
}
