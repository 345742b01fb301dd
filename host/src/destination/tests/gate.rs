use proptest::prelude::*;

use super::*;

const TERMS: Terms = Terms { concurrency: 3, rate: 1_000.0 };

fn gate() -> Gate {
    Gate::new(TERMS, seconds(0))
}

fn pass(gate: &mut Gate, now: Duration) -> Pass {
    match gate.ask("p", now, seconds(0)) {
        Admission::Go(pass, _) => pass,
        other => panic!("{other:?}"),
    }
}

fn tell(gate: &mut Gate, now: Duration, signal: Signal) {
    let pass = pass(gate, now);
    gate.told(pass, now, &signal, 0.0);
}

/// What a call at `now` is answered: for how long not, and why.
fn closed(gate: &mut Gate, now: Duration) -> (Duration, String) {
    match gate.ask("p", now, seconds(0)) {
        Admission::Closed { reason, wait } => (wait, reason),
        other => panic!("{other:?}"),
    }
}

#[test]
fn so_many_calls_at_a_time() {
    let mut gate = gate();
    let first = pass(&mut gate, seconds(0));
    let _others = (pass(&mut gate, seconds(0)), pass(&mut gate, seconds(0)));
    assert_eq!(gate.ask("p", seconds(1), seconds(1)), Admission::Full);
    gate.told(first, seconds(1), &Signal::Nothing, 0.0);
    pass(&mut gate, seconds(1));
}

#[test]
fn a_wait_that_the_service_asks_for_is_kept_to_the_end() {
    let check = |asked: Option<u64>, kept: u64| {
        let mut gate = gate();
        tell(&mut gate, seconds(10), Signal::Wait(asked.map(seconds)));
        if kept > 0 {
            let last = seconds(10 + kept) - Duration::from_millis(1);
            assert_eq!(closed(&mut gate, last).0, Duration::from_millis(1), "{asked:?}");
            assert_eq!(gate.look(last).standing, Standing::Paused);
            assert_eq!(gate.look(last).until, Some(seconds(10 + kept)));
        }
        assert_eq!(gate.look(seconds(10 + kept)).standing, Standing::Working, "{asked:?}");
        pass(&mut gate, seconds(10 + kept));
    };
    check(Some(0), 0);
    check(Some(7), 7);
    check(Some(86_400), 86_400);
    check(Some(u64::MAX / 2), 86_400);
    check(None, 2);
}

#[test]
fn a_shorter_wait_does_not_cut_a_longer_one() {
    let mut gate = gate();
    let (first, second, third) =
        (pass(&mut gate, seconds(0)), pass(&mut gate, seconds(0)), pass(&mut gate, seconds(0)));
    gate.told(first, seconds(1), &Signal::Wait(Some(seconds(60))), 0.0);
    gate.told(second, seconds(2), &Signal::Wait(Some(seconds(1))), 0.0);
    gate.told(third, seconds(3), &Signal::Well, 0.0);
    assert_eq!(closed(&mut gate, seconds(4)).0, seconds(57));
}

#[test]
fn without_a_time_each_wait_is_longer_until_an_answer_comes() {
    let mut gate = gate();
    let mut now = seconds(0);
    for wait in [2, 4, 8, 16, 32, 60, 60] {
        tell(&mut gate, now, Signal::Wait(None));
        assert_eq!(closed(&mut gate, now).0, seconds(wait));
        now += seconds(wait);
    }
    tell(&mut gate, now, Signal::Well);
    tell(&mut gate, now, Signal::Wait(None));
    assert_eq!(closed(&mut gate, now).0, seconds(2));
}

#[test]
fn failures_open_it_and_the_reason_says_which() {
    let mut gate = gate();
    for _ in 0..10 {
        tell(&mut gate, seconds(5), Signal::Failed("HTTP 500".to_owned(), None));
    }
    let (wait, reason) = closed(&mut gate, seconds(5));
    assert_eq!(wait, seconds(30));
    assert!(reason.ends_with("HTTP 500"), "{reason}");
    let look = gate.look(seconds(6));
    assert_eq!((look.standing, look.since, look.until), (Standing::Open, seconds(5), Some(seconds(35))));
    assert_eq!((look.counts.failures, look.counts.turned_away), (10, 1));
    assert_eq!(gate.look(seconds(36)).standing, Standing::Probing);
    for _ in 0..3 {
        tell(&mut gate, seconds(36), Signal::Well);
    }
    assert_eq!(
        (gate.look(seconds(40)).standing, gate.look(seconds(40)).since),
        (Standing::Working, seconds(36))
    );
}

#[test]
fn refused_credentials_park_it_until_a_probe_or_new_ones() {
    let parked = || {
        let mut gate = gate();
        tell(&mut gate, seconds(0), Signal::Refused("HTTP 401".to_owned()));
        let (wait, reason) = closed(&mut gate, seconds(0));
        assert!(wait == seconds(3) && reason.ends_with("HTTP 401"), "{wait:?} {reason}");
        gate
    };
    let mut probed = parked();
    assert!(probed.probe(seconds(2)));
    probed.probed(seconds(2), Trial::Works, 0.0);
    pass(&mut probed, seconds(2));
    assert_eq!(probed.look(seconds(2)).since, seconds(2));
    let mut renewed = parked();
    renewed.renew(seconds(5));
    pass(&mut renewed, seconds(5));
}

#[test]
fn an_answer_to_old_credentials_says_nothing_about_new_ones() {
    let mut gate = gate();
    let old = pass(&mut gate, seconds(0));
    gate.renew(seconds(1));
    gate.told(old, seconds(2), &Signal::Refused("HTTP 401".to_owned()), 0.0);
    assert_eq!(gate.look(seconds(2)).standing, Standing::Working);
    assert_eq!(gate.look(seconds(2)).in_flight, 0);
}

#[test]
fn a_call_that_waits_for_its_turn_does_not_go_into_trouble() {
    let mut gate = gate();
    let (waits, first) = (pass(&mut gate, seconds(0)), pass(&mut gate, seconds(0)));
    assert!(!gate.is_void(&waits, seconds(1)));
    gate.told(first, seconds(1), &Signal::Wait(Some(seconds(9))), 0.0);
    assert!(gate.is_void(&waits, seconds(2)));
}

fn signal() -> impl Strategy<Value = Signal> {
    let wait = proptest::option::of((0..200_u64).prop_map(Duration::from_secs));
    prop_oneof![
        5 => Just(Signal::Well),
        3 => wait.clone().prop_map(|wait| Signal::Failed("HTTP 503".to_owned(), wait)),
        2 => wait.prop_map(Signal::Wait),
        1 => Just(Signal::Refused("HTTP 401".to_owned())),
        1 => (0..4_u64).prop_map(|request| Signal::Forbidden("HTTP 403".to_owned(), request)),
        1 => Just(Signal::Nothing),
    ]
}

proptest! {
    /// Whatever comes: a service is never asked before the time that it named, nor more at a time than allowed;
    /// and once it is well again, calls get through.
    #[test]
    fn it_keeps_its_word_and_opens_again(
        steps in proptest::collection::vec((0..30_000_u64, any::<bool>(), signal()), 0..300),
        random in 0.0..1.0,
    ) {
        let mut gate = gate();
        let (mut now, mut not_before, mut running) = (seconds(0), seconds(0), Vec::new());
        for (ms, ends, signal) in steps {
            now += Duration::from_millis(ms);
            if gate.probe(now) {
                gate.probed(now, Trial::CantTell, random);
            }
            if ends && !running.is_empty() {
                if let Signal::Failed(_, Some(wait)) | Signal::Wait(Some(wait)) = &signal {
                    not_before = not_before.max(now + *wait);
                }
                gate.told(running.remove(0), now, &signal, random);
            } else {
                match gate.ask("p", now, seconds(0)) {
                    Admission::Go(pass, _) => {
                        prop_assert!(now >= not_before);
                        running.push(pass);
                    }
                    Admission::Full => prop_assert_eq!(running.len(), TERMS.concurrency),
                    Admission::Closed { wait, .. } => prop_assert!(!wait.is_zero()),
                }
            }
            prop_assert_eq!(gate.look(now).in_flight, running.len());
            prop_assert!(running.len() <= TERMS.concurrency);
        }
        for pass in running {
            gate.told(pass, now, &Signal::Well, random);
        }
        for _ in 0..60 {
            now += seconds(30);
            if gate.probe(now) {
                gate.probed(now, Trial::CantTell, random);
            }
            if let Admission::Go(pass, _) = gate.ask("p", now, seconds(0)) {
                gate.told(pass, now, &Signal::Well, random);
            }
        }
        prop_assert_eq!(gate.look(now).standing, Standing::Working);
    }
}
