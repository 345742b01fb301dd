use proptest::prelude::*;

use super::*;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// 2026-05-28.
const NOW: i64 = 1_780_000_000_000;

/// A machine, the store's clock in it, and one who waits.
struct Machine {
    shown: Shown,
    clock: Steady,
    known: u64,
    /// When the wait was set and is over, by the store's clock.
    wait: (i64, i64),
    /// How long the machine has slept, by what the clock said of it.
    told_ms: i64,
}

impl Machine {
    fn new(wait_ms: i64) -> Machine {
        let shown = Shown { wall_ms: NOW, passed_ms: 5 * MINUTE, awake_ms: 5 * MINUTE };
        let clock = Steady::begin(shown);
        Machine { shown, clock, known: 0, wait: (NOW, NOW + wait_ms), told_ms: 0 }
    }

    fn now_ms(&self) -> i64 {
        self.clock.now_ms(self.shown.passed_ms)
    }

    fn pass(&mut self, ms: i64) {
        self.shown.awake_ms += ms;
        self.sleep(ms);
    }

    fn sleep(&mut self, ms: i64) {
        self.shown.passed_ms += ms;
        self.shown.wall_ms += ms;
    }

    fn look(&mut self) {
        let slept = self.clock.look(self.shown);
        self.told_ms += slept.map_or(0, |(from, to)| to - from);
        if let Some(due) = self.clock.due(self.shown.passed_ms) {
            self.clock.set(self.shown.passed_ms, due.by_ms);
        }
        for step in self.clock.steps().behind(self.known) {
            self.wait = step.carry(self.wait.0, self.wait.1);
        }
        self.known = self.clock.steps().count();
    }

    /// Looks every five seconds for so long.
    fn run(&mut self, ms: i64) {
        for _ in 0..ms / (5 * SECOND) {
            self.pass(5 * SECOND);
            self.look();
        }
    }

    fn is_due(&self) -> bool {
        self.wait.1 <= self.now_ms()
    }
}

#[test]
fn a_wait_that_comes_due_while_the_machine_sleeps_is_over_when_it_wakes() {
    let mut machine = Machine::new(15 * MINUTE);
    machine.run(MINUTE);
    machine.sleep(HOUR);
    assert!(machine.is_due());
    machine.look();
    assert!(machine.is_due());
    assert_eq!((machine.told_ms, machine.clock.steps().count()), (HOUR, 0));
}

#[test]
fn a_step_is_followed_once_it_lasts_and_fires_and_loses_no_wait() {
    let check = |by_ms: i64| {
        let mut machine = Machine::new(15 * MINUTE);
        machine.run(MINUTE);
        machine.shown.wall_ms += by_ms;
        machine.run(30 * SECOND);
        assert_eq!(machine.now_ms(), NOW + MINUTE + 30 * SECOND, "not yet, {by_ms}");
        machine.run(2 * MINUTE);
        assert_eq!(machine.now_ms(), machine.shown.wall_ms, "{by_ms}");
        machine.run(15 * MINUTE - 3 * MINUTE - 35 * SECOND);
        assert!(!machine.is_due(), "not fired, {by_ms}");
        machine.run(5 * SECOND);
        assert!(machine.is_due(), "not lost, {by_ms}");
        assert_eq!(machine.told_ms, 0, "{by_ms}");
    };
    // At boot, when the network came; summer time taken for a new time; an hour back; a day back; five minutes.
    [NOW - 86_400_000, 2 * HOUR, -HOUR, -24 * HOUR, 5 * MINUTE].into_iter().for_each(check);
}

#[test]
fn what_cannot_be_taken_back_follows_a_step_forward_a_day_later() {
    let (day, year) = (24 * HOUR, 365 * 24 * HOUR);
    let mut clock = Machine::new(0).clock;
    let trusted = |clock: &Steady, passed_ms: i64| clock.trusted_ms(passed_ms) - NOW;
    let began = 5 * MINUTE;
    clock.set(began, year);
    assert_eq!((clock.now_ms(began) - NOW, trusted(&clock, began)), (year, 0));
    assert_eq!(trusted(&clock, began + day - 1), day - 1);
    assert_eq!(trusted(&clock, began + day), year + day, "it stayed: it is right");
    // The wrong year is noticed, and put right.
    clock.set(began + 2 * day, year);
    clock.set(began + 2 * day + HOUR, -year);
    assert_eq!(trusted(&clock, began + 2 * day + HOUR), year + 2 * day + HOUR);
    // A step back is followed at once: nothing is older by it.
    clock.set(began + 9 * day, -HOUR);
    assert_eq!(trusted(&clock, began + 9 * day), year + 9 * day - HOUR);
}

#[test]
fn a_wrong_time_that_is_put_right_at_once_is_not_followed() {
    let mut machine = Machine::new(MINUTE);
    machine.shown.wall_ms += 30 * 365 * 24 * HOUR;
    machine.run(50 * SECOND);
    machine.shown.wall_ms -= 30 * 365 * 24 * HOUR;
    machine.run(10 * MINUTE);
    assert_eq!((machine.now_ms(), machine.clock.steps().count()), (NOW + 11 * MINUTE - 10 * SECOND, 0));
}

#[test]
fn what_was_set_after_a_step_forward_is_told_from_what_was_set_before() {
    let step = Step { at_ms: 1_000, by_ms: 500 };
    let check = |wait: (i64, i64), expected: (i64, i64)| {
        let carried = step.carry(wait.0, wait.1);
        assert_eq!(carried, expected, "{wait:?}");
        assert_eq!(step.carry(carried.0, carried.1), carried, "once only, {wait:?}");
    };
    check((900, 1_200), (1_500, 1_700));
    check((900, 950), (1_500, 950));
    check((1_000, 1_001), (1_500, 1_501));
    check((1_500, 1_600), (1_500, 1_600));
}

/// What can happen to a machine.
#[derive(Clone, Debug)]
enum Happens {
    Pass(i64),
    Sleep(i64),
    Set(i64),
}

fn happens() -> impl Strategy<Value = Happens> {
    let step = prop_oneof![-90_000..90_000_i64, -48 * HOUR..48 * HOUR, Just(56 * 365 * 24 * HOUR)];
    prop_oneof![
        4 => (0..300 * SECOND).prop_map(Happens::Pass),
        1 => (2 * SECOND..72 * HOUR).prop_map(Happens::Sleep),
        1 => step.prop_map(Happens::Set),
    ]
}

proptest! {
    /// However the time of day is set: what is left of a wait goes down by what has passed, and never by more or less.
    #[test]
    fn a_wait_lasts_as_long_as_it_was_to_last(
        wait_ms in 0..24 * HOUR,
        story in prop::collection::vec(happens(), 0..60),
    ) {
        let mut machine = Machine::new(wait_ms);
        let (mut passed_ms, mut slept_ms) = (0, 0);
        for event in story {
            let left_ms = wait_ms - passed_ms;
            match event {
                Happens::Pass(ms) => { machine.pass(ms); passed_ms += ms }
                Happens::Sleep(ms) => { machine.sleep(ms); (passed_ms, slept_ms) = (passed_ms + ms, slept_ms + ms) }
                Happens::Set(by_ms) => machine.shown.wall_ms += by_ms,
            }
            prop_assert_eq!(machine.is_due(), wait_ms <= passed_ms, "before the look, {} ms left", left_ms);
            machine.look();
            prop_assert_eq!(machine.is_due(), wait_ms <= passed_ms, "after the look, {} ms left", left_ms);
            if !machine.is_due() {
                prop_assert_eq!(machine.wait.1 - machine.now_ms(), wait_ms - passed_ms);
            }
        }
        prop_assert_eq!(machine.told_ms, slept_ms);
        // It shows the time of day in the end.
        machine.run(2 * MINUTE);
        prop_assert!((machine.now_ms() - machine.shown.wall_ms).abs() < NOTICED_MS);
    }
}
