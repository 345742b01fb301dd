use proptest::prelude::*;

use super::*;

const MINUTE: i64 = 60_000;

fn condition(subject: &str, count: u64) -> Condition {
    let key = Key::new(Kind::DeadLetters, subject);
    Condition { key, count, text: format!("{count} dead letters of {subject}") }
}

fn seen(conditions: &[Condition]) -> Seen {
    Seen { conditions: conditions.to_vec(), blind: BTreeSet::new() }
}

/// An operator who gets every message.
#[derive(Default)]
struct Story {
    incidents: Incidents,
    now_ms: i64,
    said: Vec<String>,
}

impl Story {
    /// `minutes` later this is what is wrong; answers what the operator is told.
    fn look(&mut self, minutes: i64, conditions: &[Condition]) -> Vec<String> {
        self.now_ms += minutes * MINUTE;
        self.incidents.observe(seen(conditions), self.now_ms);
        let mut said = Vec::new();
        while let Some(message) = self.incidents.next(self.now_ms) {
            said.push(format!("{}: {}", message.state.as_str(), message.text));
            self.incidents.told(&message, self.now_ms);
        }
        self.said.extend(said.clone());
        said
    }
}

#[test]
fn an_incident_is_told_when_it_begins_and_when_it_is_over() {
    let mut story = Story::default();
    let none: [&str; 0] = [];
    assert_eq!(story.look(0, &[condition("a", 1)]), ["open: 1 dead letters of a"]);
    assert_eq!(story.look(1, &[condition("a", 2)]), none);
    assert_eq!(story.look(30, &[]), none);
    assert_eq!(story.look(4, &[]), none);
    assert_eq!(story.look(1, &[]), ["over: over after 31 min: dead letters of a"]);
    assert_eq!(story.look(60, &[]), none);
    assert_eq!(story.incidents.all().len(), 0);
}

#[test]
fn what_flaps_is_one_incident_and_told_again_at_most_once_an_hour() {
    let mut story = Story::default();
    for _ in 0..40 {
        story.look(2, &[condition("a", 1)]);
        story.look(2, &[]);
    }
    let states: Vec<&str> = story.said.iter().filter_map(|text| text.split(':').next()).collect();
    assert_eq!(states, ["open", "again", "again"], "{:?}", story.said);
    assert_eq!(story.said[1], "again: 1 dead letters of a (for 60 min now, came 16 times)");
}

#[test]
fn what_grows_tenfold_is_told_again_after_an_hour() {
    let mut story = Story::default();
    story.look(0, &[condition("a", 5)]);
    assert_eq!(story.look(30, &[condition("a", 50)]).len(), 0);
    assert_eq!(story.look(29, &[condition("a", 49)]).len(), 0);
    assert_eq!(story.look(30, &[condition("a", 50)]).len(), 1);
    assert_eq!(story.look(120, &[condition("a", 499)]).len(), 0);
}

#[test]
fn an_incident_that_nobody_could_be_told_of_is_told_by_its_end() {
    let mut incidents = Incidents::default();
    incidents.observe(seen(&[condition("a", 1)]), 0);
    assert_eq!(incidents.next(0).map(|message| message.state), Some(State::Open));
    incidents.observe(seen(&[]), 10 * MINUTE);
    incidents.observe(seen(&[]), 15 * MINUTE);
    let message = incidents.next(15 * MINUTE).unwrap();
    assert_eq!((message.state, message.text.as_str()), (State::Over, "over after 10 min: dead letters of a"));
    assert_eq!(incidents.observe(seen(&[]), UNTOLD_MS), []);
    assert_eq!(incidents.observe(seen(&[]), UNTOLD_MS + 10 * MINUTE), [condition("a", 1).key]);
    assert_eq!(incidents.all().len(), 0);
}

#[test]
fn what_cannot_be_looked_at_neither_begins_nor_ends() {
    let mut story = Story::default();
    story.look(0, &[condition("a", 1)]);
    let blind = Seen { conditions: Vec::new(), blind: BTreeSet::from([Kind::DeadLetters]) };
    for minute in 1..30 {
        story.incidents.observe(blind.clone(), minute * MINUTE);
    }
    assert_eq!(story.incidents.next(30 * MINUTE), None);
}

#[test]
fn one_that_comes_back_while_its_end_is_told_is_another() {
    let mut incidents = Incidents::default();
    incidents.observe(seen(&[condition("a", 1)]), 0);
    let open = incidents.next(0).unwrap();
    incidents.told(&open, 0);
    incidents.observe(seen(&[]), MINUTE);
    incidents.observe(seen(&[]), 6 * MINUTE);
    let over = incidents.next(6 * MINUTE).unwrap();
    incidents.observe(seen(&[condition("a", 1)]), 7 * MINUTE);
    incidents.told(&over, 7 * MINUTE);
    assert_eq!(incidents.next(7 * MINUTE).map(|message| message.state), Some(State::Open));
}

#[test]
fn there_are_never_more_than_there_may_be() {
    let mut incidents = Incidents::default();
    let many: Vec<Condition> = (0..1_000).map(|number| condition(&format!("p{number}"), 1)).collect();
    incidents.observe(seen(&many), 0);
    assert_eq!(incidents.all().len(), INCIDENTS_MAX);
    assert_eq!(incidents.take_changes().len(), INCIDENTS_MAX);
}

#[test]
fn keys_are_read_as_they_are_written() {
    for kind in Kind::ALL {
        for subject in ["", "crm-notes"] {
            let key = Key::new(kind, subject);
            assert_eq!(Key::parse(&key.to_string()), Some(key));
        }
    }
    assert_eq!(Key::parse("surprise:a"), None);
}

/// One moment of a history: how much time has passed, what is wrong, whether messages arrive.
#[derive(Clone, Debug)]
struct Moment {
    pause_ms: i64,
    wrong: [bool; 3],
    blind: bool,
    arrives: bool,
    kept: bool,
    restarts: bool,
}

fn moment() -> impl Strategy<Value = Moment> {
    let pause = prop_oneof![3 => 0..2 * MINUTE, 1 => 0..20 * MINUTE, 1 => -10 * MINUTE..0];
    let rarely = || proptest::bool::weighted(0.1);
    (pause, any::<[bool; 3]>(), rarely(), proptest::bool::weighted(0.7), any::<bool>(), rarely()).prop_map(
        |(pause_ms, wrong, blind, arrives, kept, restarts)| Moment {
            pause_ms,
            wrong,
            blind,
            arrives,
            kept,
            restarts,
        },
    )
}

/// A host with what it keeps on disk, and an operator who notes what arrives.
#[derive(Default)]
struct World {
    incidents: Incidents,
    kept: BTreeMap<Key, Incident>,
    now_ms: i64,
    arrived: Vec<(Key, State)>,
}

impl World {
    fn live(&mut self, moment: &Moment) {
        if moment.restarts {
            self.keep();
            self.incidents = Incidents::restore(self.kept.clone());
        }
        self.now_ms += moment.pause_ms;
        let wrong = ["a", "b", "c"].into_iter().zip(moment.wrong).filter(|(_, wrong)| *wrong);
        let conditions = wrong.map(|(subject, _)| condition(subject, 1)).collect();
        let blind = moment.blind.then_some(Kind::DeadLetters).into_iter().collect();
        self.incidents.observe(Seen { conditions, blind }, self.now_ms);
        while moment.arrives
            && let Some(message) = self.incidents.next(self.now_ms)
        {
            self.arrived.push((message.key.clone(), message.state));
            self.incidents.told(&message, self.now_ms);
        }
        let changes = self.incidents.take_changes();
        match moment.kept {
            true => self.write(changes),
            false => self.incidents.not_kept(changes.into_iter().map(|(key, _)| key)),
        }
    }

    fn keep(&mut self) {
        let changes = self.incidents.take_changes();
        self.write(changes);
    }

    fn write(&mut self, changes: Vec<(Key, Option<Incident>)>) {
        for (key, incident) in changes {
            match incident {
                Some(incident) => self.kept.insert(key, incident),
                None => self.kept.remove(&key),
            };
        }
    }
}

proptest! {
    #[test]
    fn what_begins_is_told_once_and_ends_once(history in proptest::collection::vec(moment(), 0..80)) {
        let mut world = World::default();
        for moment in &history {
            world.live(moment);
            prop_assert!(world.incidents.all().len() <= 3);
        }
        // All is well at last, and messages arrive.
        let well = Moment {
            pause_ms: CALM_MS, wrong: [false; 3], blind: false, arrives: true, kept: true, restarts: false,
        };
        for _ in 0..3 {
            world.live(&well);
        }
        prop_assert!(world.incidents.all().is_empty() && world.kept.is_empty(), "{:?}", world.incidents);
        for subject in ["a", "b", "c"] {
            let states: Vec<State> =
                world.arrived.iter().filter(|(key, _)| key.subject == subject).map(|(_, state)| *state).collect();
            let mut is_open = false;
            for state in &states {
                prop_assert!(*state != State::Open || !is_open, "begun twice: {states:?}");
                prop_assert!(*state != State::Again || is_open, "again before it began: {states:?}");
                is_open = *state != State::Over;
            }
            prop_assert!(!is_open, "not over: {states:?}");
        }
    }

    #[test]
    fn flapping_makes_no_more_messages_than_calm_times(pauses in proptest::collection::vec(1..10 * MINUTE, 1..200)) {
        let mut world = World::default();
        for (index, pause_ms) in pauses.iter().enumerate() {
            let wrong = [index % 2 == 0, false, false];
            let moment = Moment { pause_ms: *pause_ms, wrong, blind: false, arrives: true, kept: true, restarts: false };
            world.live(&moment);
        }
        let begun = world.arrived.iter().filter(|(_, state)| *state == State::Open).count() as i64;
        prop_assert!(begun <= 1 + world.now_ms / CALM_MS);
        let again = world.arrived.iter().filter(|(_, state)| *state == State::Again).count() as i64;
        prop_assert!(again <= world.now_ms / AGAIN_MS);
    }
}
