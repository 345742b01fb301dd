use proptest::prelude::*;

use super::*;

fn check(outcome: Outcome, attempts: u32, crashes: u32, age_hours: u64, expected: Next) {
    let age = Duration::from_secs(age_hours * 3600);
    let history = History { attempts, crashes, ran_before: true, age, asked_wait: Duration::ZERO };
    assert_eq!(after(&outcome, history, 1.0), expected, "{outcome:?} after {history:?}");
}

#[test]
fn what_follows_an_outcome() {
    let again = |seconds| Next::Again(Duration::from_secs(seconds));
    check(Outcome::Handled, 1, 0, 0, Next::Succeeded);
    check(Outcome::Retry("busy".into()), 1, 0, 0, again(1));
    check(Outcome::Retry("busy".into()), 2, 0, 0, again(2));
    check(Outcome::Retry("busy".into()), 11, 0, 1, again(900));
    check(Outcome::Retry("busy".into()), u32::MAX, 0, 23, again(900));
    check(
        Outcome::Retry("busy".into()),
        99,
        0,
        24,
        Next::Dead("still failing after 99 attempts in 24 h: busy".into()),
    );
    check(Outcome::Reject("no".into()), 1, 0, 0, Next::Dead("rejected by the plugin: no".into()));
    check(Outcome::Trapped("boom".into()), 1, 1, 0, again(1));
    check(Outcome::Trapped("boom".into()), 3, 3, 0, Next::Dead("trapped 3 times, last: boom".into()));
    check(Outcome::OutOf(Resource::Cpu, "cpu".into()), 2, 2, 0, again(2));
    check(Outcome::Fuse("too much".into()), 1, 0, 0, Next::Dead("too much".into()));
    let suspended =
        |by_host| Outcome::Suspended { reason: "closed".into(), wait: Duration::from_secs(8), by_host };
    check(suspended(false), 0, 0, 0, again(10));
    check(suspended(false), 0, 0, 24, Next::Dead("still waiting after 24 h: closed".into()));
    check(suspended(true), 0, 0, 24, again(10));
    check(Outcome::InDoubt("cut".into()), 0, 0, 30, again(0));
}

#[test]
fn a_delivery_whose_lane_was_closed_for_a_day_is_tried_before_it_is_given_up() {
    let closed = |by_host| Outcome::Suspended { reason: "closed".into(), wait: Duration::ZERO, by_host };
    let check = |ran_before, outcome, is_given_up: bool| {
        let age = Duration::from_secs(30 * 3600);
        let history = History { attempts: 0, crashes: 0, ran_before, age, asked_wait: Duration::ZERO };
        let next = after(&outcome, history, 1.0);
        assert_eq!(matches!(next, Next::Dead(_)), is_given_up, "{outcome:?} after {history:?}: {next:?}");
    };
    check(false, closed(false), false);
    check(true, closed(false), true);
    check(true, closed(true), false);
}

#[test]
fn a_wait_that_a_service_asked_for_is_not_undercut() {
    let check = |asked, expected| {
        let asked_wait = Duration::from_secs(asked);
        let history = History { attempts: 3, crashes: 0, ran_before: true, age: Duration::ZERO, asked_wait };
        let next = after(&Outcome::Retry("busy".into()), history, 0.5);
        assert_eq!(next, Next::Again(Duration::from_secs(expected)), "{asked} s were asked for");
    };
    check(0, 2);
    check(1, 2);
    check(30, 30);
}

#[test]
fn jitter_spreads_the_delay_down_to_nothing() {
    assert_eq!(delay(3, 0.0), Duration::ZERO);
    assert_eq!(delay(3, 0.5), Duration::from_secs(2));
}

const HOUR_S: u64 = 3600;

fn outcomes() -> impl Strategy<Value = Outcome> {
    let resource = prop_oneof![
        Just(Resource::Cpu),
        Just(Resource::Time),
        Just(Resource::Memory),
        Just(Resource::Calls),
        Just(Resource::Journal),
    ];
    prop_oneof![
        1 => Just(Outcome::Handled),
        8 => Just(Outcome::Retry("why".to_owned())),
        1 => Just(Outcome::Reject("why".to_owned())),
        3 => Just(Outcome::Trapped("why".to_owned())),
        3 => resource.prop_map(|resource| Outcome::OutOf(resource, "why".to_owned())),
        1 => Just(Outcome::Fuse("why".to_owned())),
        4 => Just(Outcome::InDoubt("why".to_owned())),
        8 => (0..7_200_u64, any::<bool>()).prop_map(|(wait_s, by_host)| Outcome::Suspended {
            reason: "why".to_owned(),
            wait: Duration::from_secs(wait_s),
            by_host,
        }),
    ]
}

/// What is promised of a delivery, written down once more: by counting, without a look at how it is decided.
#[derive(Default)]
struct Model {
    runs: u32,
    attempts: u32,
    crashes: u32,
    age: Duration,
}

impl Model {
    /// An attempt ends; the shortest and the longest wait for the next one, or `None` if there is no next one.
    fn end(&mut self, outcome: &Outcome, asked: Duration) -> Option<(Duration, Duration)> {
        let is_over = self.age >= Duration::from_secs(24 * HOUR_S);
        self.runs += 1;
        match outcome {
            Outcome::Handled | Outcome::Reject(_) | Outcome::Fuse(_) => None,
            Outcome::InDoubt(_) => Some((Duration::ZERO, Duration::ZERO)),
            Outcome::Suspended { wait, by_host, .. } => {
                (*by_host || self.runs == 1 || !is_over).then_some((*wait, *wait + *wait / 4))
            }
            Outcome::Retry(_) => {
                self.attempts += 1;
                (!is_over).then(|| self.wait(asked))
            }
            Outcome::Trapped(_) | Outcome::OutOf(..) => {
                self.attempts += 1;
                self.crashes += 1;
                (self.crashes < 3).then(|| self.wait(asked))
            }
        }
    }

    /// 1 s, 2 s, 4 s … 15 min at most, and what a service asked for at least.
    fn wait(&self, asked: Duration) -> (Duration, Duration) {
        let mut longest_s = 1;
        for _ in 1..self.attempts {
            longest_s = (longest_s * 2).min(15 * 60);
        }
        (asked, Duration::from_secs(longest_s).max(asked))
    }
}

proptest! {
    /// A life: attempt after attempt until nothing follows.
    #[test]
    fn a_delivery_lives_as_it_is_promised(
        ends in prop::collection::vec((outcomes(), 0.0..=1.0_f64, prop_oneof![3 => Just(0), 1 => 1..3_000_u64]), 1..120),
        took_s in 0..30_u64,
    ) {
        let mut model = Model::default();
        for (outcome, jitter, asked_s) in ends {
            model.age += Duration::from_secs(took_s);
            let asked = Duration::from_secs(asked_s);
            let promised = model.end(&outcome, asked);
            let (attempts, crashes, age) = (model.attempts, model.crashes, model.age);
            let history =
                History { attempts, crashes, ran_before: model.runs > 1, age, asked_wait: asked };
            let next = after(&outcome, history, jitter);
            let case = format!("{outcome:?} at {age:?}, {attempts} attempts, {crashes} crashes: {next:?}");
            match (next, promised) {
                (Next::Again(wait), Some((shortest, longest))) => {
                    prop_assert!(shortest <= wait && wait <= longest, "{} not {:?} to {:?}", case, shortest, longest);
                    model.age += wait;
                }
                (Next::Succeeded, None) => {
                    prop_assert_eq!(outcome, Outcome::Handled);
                    return Ok(());
                }
                (Next::Dead(reason), None) => {
                    prop_assert!(outcome != Outcome::Handled && reason.contains("why"), "{}", case);
                    return Ok(());
                }
                _ => prop_assert!(false, "{} but promised was {:?}", case, promised),
            }
        }
    }

    /// Whatever the jitter, what fails for ever is given up, and not early.
    #[test]
    fn what_fails_for_ever_is_given_up_after_a_day(jitter in 0.05..=1.0_f64, asked_s in 0..2_000_u64) {
        let (mut age, mut attempts) = (Duration::ZERO, 0);
        loop {
            attempts += 1;
            let asked_wait = Duration::from_secs(asked_s);
            let history = History { attempts, crashes: 0, ran_before: attempts > 1, age, asked_wait };
            match after(&Outcome::Retry("busy".to_owned()), history, jitter) {
                Next::Again(wait) => age += wait + Duration::from_millis(1),
                Next::Dead(_) => break,
                Next::Succeeded => prop_assert!(false, "it failed"),
            }
            prop_assert!(attempts < 5_000, "{} attempts within {:?}", attempts, age);
        }
        prop_assert!(age >= RETRY_WINDOW && age <= RETRY_WINDOW + DELAY_MAX.max(Duration::from_secs(asked_s)) + DELAY_FIRST);
    }

    /// From attempt to attempt the longest wait never gets shorter.
    #[test]
    fn the_longest_wait_grows(attempts in 1..u32::MAX) {
        prop_assert!(delay(attempts, 1.0) <= delay(attempts + 1, 1.0));
        prop_assert!(delay(attempts, 1.0) <= DELAY_MAX && delay(attempts, 1.0) >= DELAY_FIRST);
    }
}
