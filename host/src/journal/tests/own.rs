//! Changes of the own store: whatever earlier runs did to a key, it ends as the last one wants it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::Touch;
use super::table::Table;
use super::*;
use crate::action::memory::{self, COMPARE_AND_SWAP, INCREMENT};
use crate::action::timers;

fn set(key: &str, value: u8) -> Call {
    Call { arguments: fingerprint(format!("{key}={value}").as_bytes()), ..on(key, "memory.set") }
}

fn on(key: &str, function: &str) -> Call {
    let arguments = fingerprint(key.as_bytes());
    Call { about: key.to_owned(), arguments, ..call(Kind::Own, function, 0, None) }
}

fn done(number: u32, call: Call) -> Step {
    step(number, call, Some(answered("", true)))
}

/// What a run does with calls that it makes when these are recorded, off the way: true for what is done again.
fn check(recorded: &[Call], calls: &[(Call, bool)]) {
    let steps = recorded.iter().zip(1..).map(|(call, number)| done(number, call.clone())).collect();
    let mut journal = Journal::load(header(), steps, "v2", 50, 8);
    for (at, (call, is_done)) in calls.iter().enumerate() {
        let next = journal.next(call);
        assert_eq!(matches!(next, Next::Do(_)), *is_done, "{at}: {call:?} beside {recorded:?}");
        if let Next::Do(number) = next {
            journal.own(number, call.clone(), 1);
            journal.came(&answered("", true));
        }
    }
}

#[test]
fn off_the_way_a_change_that_was_undone_is_made_again() {
    let delete = on("k", memory::DELETE);
    let undone = [set("k", 1), delete.clone()];
    check(&undone, &[(set("k", 1), true), (delete.clone(), true)]);
    check(&undone, &[(delete.clone(), false), (set("k", 1), true)]);
    check(&undone, &[(set("k", 2), true), (delete.clone(), true)]);
    check(&undone, &[(set("other", 1), true), (delete.clone(), false)]);
    check(&[set("k", 1), set("other", 1)], &[(set("k", 1), false), (set("other", 1), false)]);
    let timer = |key: &str, change| {
        let chat_id = Some("T1".to_owned());
        Own::Timer(timers::Call { chat_id, key: key.to_owned(), change }).call(Kind::Own)
    };
    let begun = || timers::Change::Set { delay_ms: 5, payload: String::new(), thread_id: None };
    let cancelled = [timer("remind", begun()), timer("remind", timers::Change::Cancel)];
    check(&cancelled, &[(timer("remind", begun()), true)]);
    check(&cancelled[..1], &[(timer("remind", begun()), false)]);
}

#[test]
fn off_the_way_a_number_is_added_to_once_unless_it_was_begun_anew() {
    let add = on("k", INCREMENT);
    check(&[add.clone(), set("k", 5)], &[(add.clone(), false), (set("k", 5), false)]);
    check(std::slice::from_ref(&add), &[(add.clone(), false), (add.clone(), true)]);
    check(&[set("k", 0), add.clone()], &[(set("k", 0), true), (add.clone(), true)]);
    let again = [set("k", 0), set("k", 5), add.clone()];
    check(&again, &[(set("k", 0), true), (set("k", 5), true), (add.clone(), true)]);
    check(&[add.clone(), set("k", 5)], &[(set("k", 5), false), (add, true)]);
}

#[test]
fn off_the_way_a_lock_that_was_given_back_is_taken_again() {
    let (swap, delete) = (on("lock", COMPARE_AND_SWAP), on("lock", memory::DELETE));
    check(&[swap.clone(), delete.clone()], &[(swap.clone(), true), (delete.clone(), true)]);
    check(&[swap.clone(), set("lock", 2)], &[(swap.clone(), false), (set("lock", 2), false)]);
    let claim = on("lock", memory::CLAIM);
    check(&[claim.clone(), delete.clone()], &[(claim, true), (delete, true)]);
}

#[test]
fn a_swap_that_was_refused_is_no_change() {
    let (swap, delete) = (on("lock", COMPARE_AND_SWAP), on("lock", memory::DELETE));
    let mut journal = Journal::load(header(), vec![done(1, delete.clone())], "v2", 50, 8);
    assert_eq!(journal.next(&swap), Next::Do(100));
    journal.own(100, swap, 1);
    journal.came(&answered("no", false));
    assert_eq!(journal.next(&delete), repeats(""), "else it would delete what is another's");
}

#[test]
fn a_change_that_was_refused_undoes_nothing() {
    let add = on("k", INCREMENT);
    let mut journal = Journal::load(header(), vec![done(1, add.clone())], "v2", 50, 8);
    assert_eq!(journal.next(&set("k", 9)), Next::Do(100));
    let (changes, _) = journal.own(100, set("k", 9), 1);
    assert!(
        changes.contains(&super::super::Change::Undo { number: 1 }),
        "only if it is applied: {changes:?}"
    );
    let bytes = journal.bytes();
    journal.came(&answered("too large", false));
    assert_eq!(journal.next(&add), repeats(""), "it was added once");
    assert!(journal.bytes() >= bytes);
}

#[test]
fn a_place_is_one_key_of_one_interface() {
    let place = |call: Call| Touch::by(1, &call).map(|(place, _)| place);
    assert_eq!(place(set("k", 1)), place(on("k", memory::DELETE)));
    assert_ne!(place(set("k", 1)), place(on("k", "timers.set")));
    assert_eq!(place(call(SEND, "memory.set", 1, None)), None);
}

/// What a program does to one of two keys.
#[derive(Clone, Copy, Debug)]
enum Change {
    Set(u8),
    Delete,
    Add,
}

fn program() -> impl Strategy<Value = Vec<(bool, Change)>> {
    let change = prop_oneof![(0..3_u8).prop_map(Change::Set), Just(Change::Delete), Just(Change::Add)];
    prop::collection::vec((any::<bool>(), change), 1..8)
}

fn apply(state: &mut BTreeMap<&'static str, u8>, key: &'static str, change: Change) {
    match change {
        Change::Set(value) => drop(state.insert(key, value)),
        Change::Delete => drop(state.remove(key)),
        Change::Add => *state.entry(key).or_default() += 1,
    }
}

fn as_call(key: &'static str, change: Change) -> Call {
    match change {
        Change::Set(value) => set(key, value),
        Change::Delete => on(key, memory::DELETE),
        Change::Add => on(key, INCREMENT),
    }
}

/// Carries a run out, as far as it comes.
fn run(program: &[(bool, Change)], state: &mut BTreeMap<&'static str, u8>, table: &mut Table) {
    let mut journal = table.load("v1");
    for (is_first, change) in program {
        let key = if *is_first { "a" } else { "b" };
        let call = as_call(key, *change);
        let Next::Do(number) = journal.next(&call) else { continue };
        table.own(&mut journal, number, call);
        apply(state, key, *change);
    }
}

/// What keys are when a program has run once, where that doesn't depend on what was there.
fn wanted(program: &[(bool, Change)]) -> BTreeMap<&'static str, Option<u8>> {
    let (mut state, mut begun) = (BTreeMap::new(), BTreeMap::new());
    for (is_first, change) in program {
        let key = if *is_first { "a" } else { "b" };
        apply(&mut state, key, *change);
        let is_begun = begun.entry(key).or_insert(false);
        *is_begun |= !matches!(change, Change::Add);
    }
    let begun = begun.into_iter().filter(|(_, is_begun)| *is_begun);
    begun.map(|(key, _)| (key, state.get(key).copied())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    /// Runs that differ, as they do where what they read differs.
    #[test]
    fn keys_end_as_the_last_run_wants_them(
        programs in prop::collection::vec(program(), 1..6),
        mut cuts in prop::collection::vec(0..8_usize, 6),
    ) {
        let (mut state, mut table) = (BTreeMap::new(), Table::default());
        cuts[programs.len() - 1] = usize::MAX;
        for (program, cut) in programs.iter().zip(&cuts) {
            run(&program[..program.len().min(*cut)], &mut state, &mut table);
        }
        for (key, value) in wanted(&programs[programs.len() - 1]) {
            prop_assert_eq!(state.get(key).copied(), value, "{}: {:?} cut at {:?}", key, programs, cuts);
        }
    }

    /// One program, cut at any place: it has done everything once.
    #[test]
    fn a_run_that_was_cut_does_nothing_twice(
        program in program(),
        cuts in prop::collection::vec(0..8_usize, 0..6),
    ) {
        let (mut state, mut table) = (BTreeMap::new(), Table::default());
        for cut in cuts {
            run(&program[..program.len().min(cut)], &mut state, &mut table);
        }
        run(&program, &mut state, &mut table);
        let mut once = BTreeMap::new();
        for (is_first, change) in &program {
            apply(&mut once, if *is_first { "a" } else { "b" }, *change);
        }
        prop_assert_eq!(state, once, "{:?}", program);
    }
}
