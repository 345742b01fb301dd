use super::*;
use crate::destination::parking::Told;

/// What three calls make of it, one a second, as long as they may go.
fn parked(told: Told<'_>) -> Parking {
    parked_by([told; 3])
}

fn parked_by<const CALLS: usize>(told: [Told<'_>; CALLS]) -> Parking {
    let mut parking = Parking::default();
    for (told, second) in told.into_iter().zip(0..) {
        if parking.wait(seconds(second)).is_some() {
            break;
        }
        let ticket = parking.admit();
        parking.told(ticket, seconds(second), told, 0.0);
    }
    parking
}

#[test]
fn refused_credentials_park_it_at_once_and_forbidden_requests_when_nothing_else_comes_of_it() {
    let reason = |parking: &Parking| parking.parked().map(|parked| (parked.since, parked.reason.clone()));
    assert_eq!(reason(&parked(Told::Refused("no"))), Some((seconds(0), "no".to_owned())));
    let forbidden = |requests: [u64; 4]| reason(&parked_by(requests.map(|it| Told::Forbidden("no", it))));
    assert_eq!(forbidden([1, 2, 3, 4]), Some((seconds(2), "no".to_owned())));
    assert_eq!(forbidden([1, 1, 2, 3]), Some((seconds(3), "no".to_owned())));
    assert_eq!(forbidden([1, 1, 1, 1]), None, "a plugin may not ask for that, and the others may go on");
    assert_eq!(reason(&parked(Told::Nothing)), None);
    let mut mixed = Parking::default();
    for _ in 0..10 {
        for told in [Told::Forbidden("no", 1), Told::Forbidden("no", 2), Told::Taken] {
            let ticket = mixed.admit();
            mixed.told(ticket, seconds(0), told, 0.0);
        }
    }
    assert_eq!(reason(&mixed), None);
}

#[test]
fn probes_come_at_once_and_then_after_a_minute_doubling_to_a_quarter_of_an_hour() {
    let mut parking = parked(Told::Refused("no"));
    let mut now = seconds(0);
    for wait in [2, 60, 120, 240, 480, 900, 900] {
        let due = now + seconds(wait);
        assert!(!parking.probe(due - Duration::from_millis(1)), "{wait}");
        assert_eq!(parking.wait(now), Some(seconds((wait + 1).min(30))), "an operator may put it right");
        assert!(parking.probe(due), "{wait}");
        assert!(!parking.probe(due), "one at a time");
        parking.probed(due, Trial::Fails("no".to_owned()), 0.0);
        now = due;
    }
    assert!(parking.probe(now + seconds(900)));
    parking.probed(now + seconds(900), Trial::Works, 0.0);
    assert_eq!(parking.wait(now + seconds(900)), None);
    assert!(parking.parked().is_none());
}

#[test]
fn a_probe_that_is_lost_is_done_again() {
    let mut parking = parked(Told::Refused("no"));
    assert!(parking.probe(seconds(2)));
    assert!(!parking.probe(seconds(61)));
    assert!(parking.probe(seconds(62)));
}

#[test]
fn if_a_probe_said_too_much_the_next_comes_later() {
    let mut parking = parked(Told::Refused("no"));
    assert!(parking.probe(seconds(2)));
    parking.probed(seconds(2), Trial::Works, 0.0);
    let ticket = parking.admit();
    parking.told(ticket, seconds(3), Told::Refused("still no"), 0.0);
    assert!(!parking.probe(seconds(3 + 59)));
    assert!(parking.probe(seconds(3 + 60)));
}

#[test]
fn where_no_probe_can_tell_one_call_does() {
    let tried = |told: Told<'_>| {
        let mut parking = parked(Told::Refused("no"));
        assert!(parking.probe(seconds(60)));
        parking.probed(seconds(60), Trial::CantTell, 0.0);
        assert_eq!(parking.wait(seconds(60)), None);
        let ticket = parking.admit();
        assert!(parking.wait(seconds(60)).is_some(), "one at a time");
        parking.told(ticket, seconds(61), told, 0.0);
        parking
    };
    assert!(tried(Told::Taken).parked().is_none());
    assert_eq!(tried(Told::Nothing).wait(seconds(61)), None, "the next one tries");
    for told in [Told::Refused("no"), Told::Forbidden("no", 1)] {
        let mut parking = tried(told);
        assert!(!parking.probe(seconds(61 + 59)));
        assert!(parking.probe(seconds(61 + 60)));
    }
}

#[test]
fn answers_to_what_was_asked_before_change_nothing() {
    let mut parking = Parking::default();
    let (early, first) = (parking.admit(), parking.admit());
    parking.told(first, seconds(0), Told::Refused("no"), 0.0);
    parking.told(early, seconds(1), Told::Taken, 0.0);
    assert!(parking.parked().is_some());
    let next = parking.parked().map(|parked| parked.next_probe);
    parking.told(early, seconds(2), Told::Refused("no"), 0.0);
    assert_eq!(parking.parked().map(|parked| parked.next_probe), next);
}
