use proptest::prelude::*;

use super::*;
use crate::destination::breaker::{
    CALLS_IN_A_MINUTE, FAILURES_IN_A_ROW, JITTER, OPEN_FIRST, OPEN_MAX, PROBES, Ticket, Told,
};

/// Ends calls one after the other, one a millisecond, until it opens: `w`ell, `f`ailed, `-` nothing.
fn play(breaker: &mut Breaker, calls: &str) {
    for (at, call) in calls.chars().enumerate() {
        let now = Duration::from_millis(at as u64);
        if breaker.wait(now).is_some() {
            return;
        }
        let ticket = breaker.admit(now);
        breaker.told(ticket, now, told(call), 0.0);
    }
}

fn told(call: char) -> Told<'static> {
    match call {
        'w' => Told::Well,
        'f' => Told::Failed("HTTP 500"),
        _ => Told::Nothing,
    }
}

fn check(calls: &str, opens: bool) {
    let mut breaker = Breaker::new();
    play(&mut breaker, calls);
    let is_open = matches!(breaker.state(seconds(1)), State::Open { .. });
    assert_eq!(is_open, opens, "{calls}");
}

#[test]
fn ten_failures_in_a_row_open_it() {
    check("fffffffff", false);
    check("ffffffffff", true);
    check("fffffffffwfffffffff", false);
    check("fffff-----fffff", true);
    check(&"-".repeat(100), false);
}

#[test]
fn half_of_twenty_failures_in_a_minute_open_it() {
    check("wfwfwfwfwfwfwfwfwfw", false);
    check("wfwfwfwfwfwfwfwfwfwf", true);
    check(&format!("{}{}", "w".repeat(11), "f".repeat(9)), false);
    check(&format!("{}{}", "w".repeat(100), "wff".repeat(101)), true);
}

#[test]
fn failures_count_for_a_minute() {
    let mut breaker = Breaker::new();
    play(&mut breaker, "fwfwfwfwfwfwfwfwfw");
    let late = seconds(60);
    for call in "wfwfwfwfwf".chars() {
        let ticket = breaker.admit(late);
        breaker.told(ticket, late, told(call), 0.0);
    }
    assert_eq!(breaker.state(late), State::Flowing);
}

#[test]
fn it_stays_open_twice_as_long_each_time_up_to_ten_minutes() {
    let mut breaker = Breaker::new();
    play(&mut breaker, "ffffffffff");
    let mut now = Duration::from_millis(9);
    for expected in [30, 60, 120, 240, 480, 600, 600, 600] {
        assert_eq!(breaker.wait(now), Some(seconds(expected)));
        now += seconds(expected);
        assert_eq!(breaker.wait(now), None);
        let probe = breaker.admit(now);
        breaker.told(probe, now, Told::Failed("HTTP 502"), 0.0);
    }
    for _ in 0..PROBES {
        now += seconds(600);
        let probe = breaker.admit(now);
        breaker.told(probe, now, Told::Well, 0.0);
    }
    assert_eq!(breaker.state(now), State::Flowing);
}

#[test]
fn the_trouble_began_when_it_opened_first() {
    let mut breaker = Breaker::new();
    play(&mut breaker, "ffffffffff");
    let probe = breaker.admit(seconds(40));
    breaker.told(probe, seconds(41), Told::Failed("HTTP 502"), 0.5);
    let State::Open { since, until, cause } = breaker.state(seconds(41)) else { panic!("{breaker:?}") };
    assert_eq!((since, cause.as_str()), (Duration::from_millis(9), "HTTP 502"));
    assert_eq!(until, seconds(41) + seconds(60).mul_f64(1.0 + JITTER / 2.0));
}

#[test]
fn a_call_from_before_says_nothing_about_a_later_state() {
    let mut breaker = Breaker::new();
    let early = breaker.admit(seconds(0));
    play(&mut breaker, "ffffffffff");
    let probe = breaker.admit(seconds(31));
    breaker.told(early, seconds(31), Told::Failed("late"), 0.0);
    assert!(matches!(breaker.state(seconds(31)), State::Probing { out: 1, well: 0, .. }));
    breaker.told(probe, seconds(32), Told::Well, 0.0);
    assert!(matches!(breaker.state(seconds(32)), State::Probing { out: 0, well: 1, .. }));
}

/// The rules once more, by lists instead of counters.
struct Model {
    /// The calls that ended since everything flows: when, and whether they failed.
    ended: Vec<(Duration, bool)>,
    /// Until when it is open, if it isn't flowing.
    open: Option<Duration>,
    openings: u32,
    probes: Vec<bool>,
    out: usize,
    epoch: u32,
}

impl Model {
    fn admits(&self, now: Duration) -> bool {
        match self.open {
            None => true,
            Some(until) => now >= until && self.out + self.probes.len() < PROBES as usize,
        }
    }

    fn ends(&mut self, now: Duration, failed: bool, random: f64) {
        if self.open.is_none() {
            self.ended.push((now, failed));
            let row = self.ended.iter().rev().take_while(|(_, failed)| *failed).count();
            let minute = self
                .ended
                .iter()
                .filter(|(at, _)| at.as_secs() + 60 > now.as_secs())
                .map(|(_, failed)| *failed);
            let minute: Vec<bool> = minute.collect();
            let bad = minute.iter().filter(|failed| **failed).count();
            let often = minute.len() >= CALLS_IN_A_MINUTE as usize && bad * 2 >= minute.len();
            if failed && (row >= FAILURES_IN_A_ROW as usize || often) {
                self.opens(now, random);
            }
            return;
        }
        self.out -= 1;
        match failed {
            true => self.opens(now, random),
            false => self.probes.push(true),
        }
        if self.probes.len() == PROBES as usize {
            *self = Model::new(self.epoch + 1);
        }
    }

    fn opens(&mut self, now: Duration, random: f64) {
        let wait = OPEN_FIRST.as_secs_f64() * 2_f64.powi(self.openings as i32);
        let wait = wait.min(OPEN_MAX.as_secs_f64()) * (1.0 + JITTER * random);
        let open = Some(now + Duration::from_secs_f64(wait));
        *self = Model { open, openings: self.openings + 1, ..Model::new(self.epoch + 1) };
    }

    fn new(epoch: u32) -> Model {
        Model { ended: Vec::new(), open: None, openings: 0, probes: Vec::new(), out: 0, epoch }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Begin,
    End(usize, char),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (0..40_000_u64).prop_map(Step::Pass),
        6 => Just(Step::Begin),
        6 => (any::<usize>(), prop_oneof![3 => Just('f'), 2 => Just('w'), 1 => Just('-')])
            .prop_map(|(which, how)| Step::End(which, how)),
    ]
}

proptest! {
    #[test]
    fn it_does_as_the_model(steps in proptest::collection::vec(step(), 0..400), random in 0.0..1.0) {
        let (mut breaker, mut model) = (Breaker::new(), Model::new(0));
        let mut now = Duration::ZERO;
        let mut running: Vec<(Ticket, u32)> = Vec::new();
        for step in steps {
            match step {
                Step::Pass(ms) => now += Duration::from_millis(ms),
                Step::Begin => {
                    let goes = breaker.wait(now).is_none();
                    prop_assert_eq!(goes, model.admits(now), "at {:?}: {:?}", now, breaker);
                    if goes {
                        // Probing is a state of its own.
                        if model.open.is_some() && model.out == 0 && model.probes.is_empty() {
                            model.epoch += 1;
                        }
                        model.out += usize::from(model.open.is_some());
                        running.push((breaker.admit(now), model.epoch));
                    }
                }
                Step::End(which, how) if !running.is_empty() => {
                    let (ticket, epoch) = running.swap_remove(which % running.len());
                    breaker.told(ticket, now, told(how), random);
                    if epoch == model.epoch {
                        match how {
                            '-' => model.out -= usize::from(model.open.is_some()),
                            how => model.ends(now, how == 'f', random),
                        }
                    }
                }
                Step::End(..) => {}
            }
        }
    }
}
