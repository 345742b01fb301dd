//! What follows from looking whether an action in doubt took place.

use std::time::Duration;

use super::RETRY_WINDOW;
use crate::journal::{Answered, LOOK_UP_COUNTS_AFTER};

/// What looking has brought.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// The action took place, or was refused: this is its answer.
    Answered(Answered),
    /// The service shows no trace of it.
    NoTrace,
    /// The service can't be asked right now, and why; not before this is over.
    Unreachable(String, Duration),
    /// Nothing that the host can ask will tell, and why.
    Unknowable(String),
}

/// What follows.
#[derive(Clone, Debug, PartialEq)]
pub enum Settled {
    /// The doubt is over: with an answer, or without one if the action never took place.
    Known(Option<Answered>),
    /// Look again after this long, because of this.
    Later(Duration, String),
    /// Only the operator can say, because of this.
    Held(String),
}

const WAIT_MIN: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Decides. `lasting` is how long this process has known of the doubt, which is not longer than the request has
/// left; `age` is that of the delivery.
pub fn settle(finding: Finding, lasting: Duration, age: Duration) -> Settled {
    // As long again as it has lasted: soon at first, and not often for ever.
    let wait = lasting.clamp(WAIT_MIN, WAIT_MAX);
    match finding {
        Finding::Answered(answered) => Settled::Known(Some(answered)),
        // A service that fails each time would have it tried, and its lane closed, for ever.
        Finding::NoTrace if lasting >= LOOK_UP_COUNTS_AFTER && age >= RETRY_WINDOW => {
            Settled::Held("for 24 h it ended in doubt each time it was tried".to_owned())
        }
        Finding::NoTrace if lasting >= LOOK_UP_COUNTS_AFTER => Settled::Known(None),
        Finding::NoTrace => {
            let left = LOOK_UP_COUNTS_AFTER - lasting;
            Settled::Later(wait.min(left), "the service shows no trace of it yet".to_owned())
        }
        Finding::Unreachable(reason, _) if age >= RETRY_WINDOW => {
            Settled::Held(format!("for 24 h the service could not be asked: {reason}"))
        }
        Finding::Unreachable(reason, asked) => Settled::Later(wait.max(asked), reason),
        Finding::Unknowable(reason) => Settled::Held(reason),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::journal::Answer;

    fn check(finding: Finding, lasting_s: u64, age_h: u64, expected: Settled) {
        let (lasting, age) = (Duration::from_secs(lasting_s), Duration::from_secs(age_h * 3600));
        assert_eq!(settle(finding.clone(), lasting, age), expected, "{finding:?} {lasting_s} s, {age_h} h");
    }

    #[test]
    fn a_look_up_that_comes_too_early_does_not_count() {
        let later = |seconds| {
            Settled::Later(Duration::from_secs(seconds), "the service shows no trace of it yet".to_owned())
        };
        check(Finding::NoTrace, 0, 0, later(1));
        check(Finding::NoTrace, 8, 0, later(8));
        check(Finding::NoTrace, 19, 0, later(1));
        check(Finding::NoTrace, 20, 0, Settled::Known(None));
        check(Finding::NoTrace, 19, 24, later(1));
        let held = "for 24 h it ended in doubt each time it was tried";
        check(Finding::NoTrace, 20, 24, Settled::Held(held.to_owned()));
    }

    #[test]
    fn what_is_found_counts_at_once() {
        let answered = Answered { at_ms: 1, answer: Answer::Text("E1".into()), succeeded: true };
        check(Finding::Answered(answered.clone()), 0, 0, Settled::Known(Some(answered)));
    }

    #[test]
    fn a_service_that_cannot_be_asked_is_asked_later_and_for_a_day() {
        let unreachable = |asked_s| Finding::Unreachable("gone".into(), Duration::from_secs(asked_s));
        let later = |seconds| Settled::Later(Duration::from_secs(seconds), "gone".to_owned());
        check(unreachable(0), 0, 0, later(1));
        check(unreachable(30), 5, 23, later(30));
        check(unreachable(0), 3600, 23, later(60));
        check(
            unreachable(0),
            3600,
            24,
            Settled::Held("for 24 h the service could not be asked: gone".into()),
        );
    }

    #[test]
    fn what_nobody_can_be_asked_about_is_held_at_once() {
        check(Finding::Unknowable("no key".into()), 0, 0, Settled::Held("no key".into()));
    }

    /// What a look at a service brings.
    fn findings() -> impl Strategy<Value = Finding> {
        prop_oneof![
            6 => Just(Finding::NoTrace),
            6 => prop_oneof![0..10_u64, 0..400_u64].prop_map(|wait_s| {
                Finding::Unreachable("gone".to_owned(), Duration::from_secs(wait_s))
            }),
            1 => Just(Finding::Unknowable("no key".to_owned())),
            1 => Just(Finding::Answered(Answered {
                at_ms: 1,
                answer: Answer::Text("E1".to_owned()),
                succeeded: true,
            })),
        ]
    }

    proptest! {
        /// A doubt, look after look, until it is over.
        #[test]
        fn a_doubt_ends_with_what_was_found_and_never_early(
            looks in prop::collection::vec(findings(), 1..200),
            age_h in 0..30_u64,
        ) {
            let (mut lasting, mut age) = (Duration::ZERO, Duration::from_secs(age_h * 3600));
            for finding in looks {
                let is_old = age >= Duration::from_secs(24 * 3600);
                // Requests take up to 20 s: before that an action without a trace may still come.
                let may_come = lasting < Duration::from_secs(20);
                let settled = settle(finding.clone(), lasting, age);
                let case = format!("{finding:?} after {lasting:?}, at the age of {age:?}: {settled:?}");
                match (&finding, settled) {
                    (Finding::Answered(answered), Settled::Known(Some(known))) => {
                        prop_assert_eq!(answered, &known);
                        return Ok(());
                    }
                    (Finding::NoTrace, Settled::Known(None)) => {
                        prop_assert!(!may_come && !is_old, "{}", case);
                        return Ok(());
                    }
                    (Finding::NoTrace, Settled::Held(_)) => {
                        prop_assert!(!may_come && is_old, "{}", case);
                        return Ok(());
                    }
                    (Finding::Unreachable(..), Settled::Held(_)) => {
                        prop_assert!(is_old, "{}", case);
                        return Ok(());
                    }
                    (Finding::Unknowable(_), Settled::Held(_)) => return Ok(()),
                    (Finding::NoTrace, Settled::Later(wait, _)) => {
                        prop_assert!(may_come && wait > Duration::ZERO, "{}", case);
                        prop_assert!(lasting + wait <= Duration::from_secs(20), "{}", case);
                        (lasting, age) = (lasting + wait, age + wait);
                    }
                    (Finding::Unreachable(_, asked), Settled::Later(wait, _)) => {
                        prop_assert!(!is_old && wait >= *asked && wait >= Duration::from_secs(1), "{}", case);
                        prop_assert!(wait <= Duration::from_secs(60).max(*asked), "{}", case);
                        (lasting, age) = (lasting + wait, age + wait);
                    }
                    _ => prop_assert!(false, "{}", case),
                }
            }
        }

        /// Not often for ever: a service that is away for a day is asked about once a minute.
        #[test]
        fn who_can_not_be_asked_is_asked_seldom_and_given_up(asked_s in 0..100_u64) {
            let (mut lasting, mut looks) = (Duration::ZERO, 0);
            loop {
                looks += 1;
                let finding = Finding::Unreachable("gone".to_owned(), Duration::from_secs(asked_s));
                match settle(finding, lasting, lasting) {
                    Settled::Later(wait, _) => lasting += wait,
                    Settled::Held(_) => break,
                    Settled::Known(_) => prop_assert!(false, "nobody knows"),
                }
            }
            prop_assert!(looks <= 24 * 60 + 10, "{} looks", looks);
        }
    }
}
