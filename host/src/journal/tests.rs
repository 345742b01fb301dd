//! Tables of single rules here; random histories against a model in [`histories`].

use super::*;
use crate::action::http::Response;
use crate::action::{Code, Error, memory};

mod histories;
mod own;
mod table;

fn call(kind: Kind, function: &str, arguments: u8, once: Option<&str>) -> Call {
    Call {
        kind,
        function: function.to_owned(),
        arguments: [arguments; 16],
        once: once.map(str::to_owned),
        about: String::new(),
        request: None,
    }
}

const READ: Kind = Kind::Call(Effect::Read);
const SET: Kind = Kind::Call(Effect::Repeatable);
const SEND: Kind = Kind::Call(Effect::LookedUp);

fn answered(text: &str, succeeded: bool) -> Answered {
    Answered { at_ms: 5, answer: Answer::Text(text.to_owned()), succeeded }
}

fn step(number: u32, call: Call, answered: Option<Answered>) -> Step {
    Step { number, call, at_ms: 1, answered, aside: false }
}

fn header() -> Header {
    Header { version: "v1".into(), began_ms: 1, seed: 7, next: 100, anew: false }
}

fn load(steps: &[Step]) -> Journal {
    Journal::load(header(), steps.to_vec(), "v1", 50, 8)
}

fn repeats(text: &str) -> Next {
    Next::Repeat(answered(text, true))
}

#[test]
fn a_run_repeats_up_to_the_last_action_that_succeeded_and_looks_anew_behind_it() {
    let agents = call(READ, "agents", 1, None);
    let note = call(SEND, "note", 1, None);
    let mut journal = load(&[
        step(1, agents.clone(), Some(answered("busy", true))),
        step(2, note.clone(), Some(answered("E1", true))),
        step(3, agents.clone(), Some(answered("nobody is free", true))),
    ]);
    assert_eq!(journal.header().seed, 7, "the clock and the random numbers are those of the way");
    assert_eq!(journal.next(&agents), repeats("busy"));
    assert_eq!(journal.next(&note), repeats("E1"));
    assert_eq!(journal.next(&agents), Next::Do(100), "nobody is told for a day that nobody is free");
}

#[test]
fn without_an_action_that_succeeded_everything_is_asked_anew() {
    let agents = call(READ, "agents", 1, None);
    let refused = call(SEND, "note", 1, None);
    let mut journal = load(&[
        step(1, agents.clone(), Some(answered("nobody", true))),
        step(2, refused.clone(), Some(answered("inactive", false))),
    ]);
    assert_eq!((journal.header().seed, journal.header().began_ms), (8, 50));
    assert_eq!(journal.next(&agents), Next::Do(100));
    assert_eq!(journal.next(&refused), Next::Do(101));
    let forgotten = [Change::Forget { number: 1 }, Change::Forget { number: 2 }];
    assert_eq!(journal.take()[1..], forgotten);
}

#[test]
fn a_run_that_is_stale_is_followed_by_one_that_looks_anew() {
    let agents = call(READ, "agents", 1, None);
    let note = call(SEND, "note", 1, None);
    let steps = [
        step(1, agents.clone(), Some(answered("nobody is free", true))),
        step(2, note.clone(), Some(answered("E1", true))),
    ];
    let mut journal = load(&steps);
    assert_eq!((journal.next(&agents), journal.next(&note)), (repeats("nobody is free"), repeats("E1")));
    assert!(journal.is_stale());
    let mut anew = Journal::load(Header { anew: true, ..header() }, steps.to_vec(), "v1", 50, 8);
    assert_eq!(anew.next(&agents), Next::Do(100), "the read is asked again");
    assert_eq!(anew.next(&note), repeats("E1"), "the note is not sent again");
    assert!(!anew.is_stale(), "it was told what is so now, and of a note that is sent");
}

#[test]
fn what_is_read_behind_the_way_does_not_keep_a_run_from_looking_anew() {
    let agents = call(READ, "agents", 1, None);
    let chat = call(READ, "chat", 1, None);
    let tag = call(SET, "tag", 1, None);
    let run = |once: Option<&str>, came: &Answered, is_action: bool| {
        let note = call(SEND, "note", 1, once);
        let steps = [
            step(1, agents.clone(), Some(answered("nobody is free", true))),
            step(2, note.clone(), Some(answered("E1", true))),
        ];
        let mut journal = load(&steps);
        assert_eq!((journal.next(&agents), journal.next(&note)), (repeats("nobody is free"), repeats("E1")));
        if is_action {
            assert_eq!(journal.next(&tag), Next::Do(100));
            journal.begin(100, tag.clone(), 5);
            journal.came(came);
        } else {
            assert_eq!(journal.next(&chat), Next::Do(100));
            journal.note(100, chat.clone(), came.clone());
        }
        journal.is_stale()
    };
    let failed = |code: Code| Answered { at_ms: 5, answer: Error::new(code, "why").into(), succeeded: false };
    let http = |status| Answered {
        at_ms: 5,
        answer: Answer::Http(Response { status, headers: vec![], body: vec![] }),
        succeeded: false,
    };
    let named = Some("note");
    for is_action in [false, true] {
        assert!(run(named, &answered("open", true), is_action));
        assert!(run(named, &failed(Code::NotFound), is_action), "it isn't this that the plugin waits for");
        assert!(run(named, &http(422), is_action));
        assert!(!run(named, &failed(Code::Unavailable), is_action), "it is this that the plugin waits for");
        assert!(!run(named, &http(503), is_action));
    }
    let open = answered("open", true);
    assert!(
        !run(None, &open, false),
        "a note that says what was read would be another one, and be sent again"
    );
    assert!(run(None, &open, true), "nothing else was read that it may wait for");
}

#[test]
fn a_run_that_looks_anew_has_the_same_time_and_random_numbers() {
    let note = call(SEND, "note", 1, None);
    let steps = vec![step(1, note.clone(), Some(answered("E1", true)))];
    let header_of = |version: &str| {
        let recorded = Header { anew: true, ..header() };
        let mut journal = Journal::load(recorded, steps.clone(), version, 50, 8);
        let began = (journal.header().began_ms, journal.header().seed, journal.header().anew);
        assert_eq!(journal.next(&note), repeats("E1"));
        began
    };
    assert_eq!(header_of("v1"), (1, 7, false));
    assert_eq!(header_of("v2"), (50, 8, false));
}

#[test]
fn an_action_that_is_done_is_nothing_to_look_at_anew() {
    let (tag, seen) = (call(SET, "tag", 1, None), call(Kind::Own, "memory.set", 1, None));
    let steps =
        [step(1, seen.clone(), Some(answered("", true))), step(2, tag.clone(), Some(answered("", true)))];
    let mut journal = load(&steps);
    assert_eq!((journal.next(&seen), journal.next(&tag)), (repeats(""), repeats("")));
    assert!(!journal.is_stale(), "the tag would be set again at each retry");
}

#[test]
fn off_the_way_repeatable_actions_are_done_again_and_end_where_the_plugin_wants() {
    let status = |to| call(SET, "status", to, None);
    let done = |number, to| step(number, status(to), Some(answered("", true)));
    let mut journal = Journal::load(header(), vec![done(1, 1), done(2, 2), done(3, 1)], "v2", 50, 8);
    for number in 100..103 {
        assert_eq!(journal.next(&status(u8::from(number != 101))), Next::Do(number));
    }
}

#[test]
fn off_the_way_records_are_matched_by_name_else_by_arguments_and_used_up() {
    let sent = |number, arguments, once| {
        step(number, call(SEND, "note", arguments, once), Some(answered(&format!("E{number}"), true)))
    };
    let journal = || {
        let steps = vec![sent(1, 1, Some("first")), sent(2, 2, None), sent(3, 2, None)];
        Journal::load(header(), steps, "v2", 50, 8)
    };
    let check = |arguments, once, expected: &[Next]| {
        let mut journal = journal();
        for expected in expected {
            assert_eq!(journal.next(&call(SEND, "note", arguments, once)), *expected, "{arguments} {once:?}");
        }
    };
    check(9, Some("first"), &[repeats("E1"), Next::Do(101)]);
    check(2, None, &[repeats("E2"), repeats("E3"), Next::Do(102)]);
    check(1, None, &[repeats("E1")]);
    check(2, Some("second"), &[repeats("E2")]);
    check(1, Some("other"), &[Next::Do(100)]);
    check(9, None, &[Next::Do(100)]);
}

#[test]
fn off_the_way_records_answer_in_the_order_in_which_they_were_done() {
    let count = || call(Kind::Own, "memory.increment", 1, None);
    let sent = step(2, call(SEND, "note", 2, None), Some(answered("E1", true)));
    let counted = |number, sum: &str| step(number, count(), Some(answered(sum, true)));
    let steps = vec![counted(1, "1"), sent, counted(3, "2")];
    let mut journal = Journal::load(header(), steps, "v2", 50, 8);
    assert_eq!([journal.next(&count()), journal.next(&count())], [repeats("1"), repeats("2")]);
}

#[test]
fn off_the_way_a_named_record_is_left_to_its_name() {
    let note = |once| call(SEND, "note", 1, once);
    let steps = vec![
        step(1, note(Some("first")), Some(answered("E1", true))),
        step(2, note(None), Some(answered("E2", true))),
    ];
    let mut journal = Journal::load(header(), steps, "v2", 50, 8);
    assert_eq!(
        [journal.next(&note(None)), journal.next(&note(Some("first")))],
        [repeats("E2"), repeats("E1")]
    );
}

#[test]
fn off_the_way_a_claim_is_made_again() {
    let claim = call(Kind::Own, memory::CLAIM, 1, None);
    let mut journal =
        Journal::load(header(), vec![step(1, claim.clone(), Some(answered("", true)))], "v2", 50, 8);
    assert_eq!(journal.next(&claim), Next::Do(100), "it may have ended meanwhile");
}

#[test]
fn a_matched_record_is_on_the_way_of_the_next_run_where_this_one_had_it() {
    let note = |arguments| call(SEND, "note", arguments, None);
    let agents = call(READ, "agents", 1, None);
    let mut journal =
        Journal::load(header(), vec![step(1, note(1), Some(answered("E1", true)))], "v2", 50, 8);
    assert_eq!(journal.next(&agents), Next::Do(100));
    journal.note(100, agents, answered("bob", true));
    assert_eq!(journal.next(&note(1)), repeats("E1"));
    let changes = journal.take();
    let [
        Change::Begin(begin),
        Change::Aside { number: 1 },
        Change::Insert(read),
        Change::Move { from: 1, to: 101 },
    ] = changes.as_slice()
    else {
        panic!("{changes:?}")
    };
    assert_eq!((begin.version.as_str(), begin.next, read.number), ("v2", 102, 100));
}

#[test]
fn only_an_action_that_cannot_be_repeated_is_in_doubt() {
    let check = |kind, answer: Option<Answered>, expected: bool| {
        let steps = [step(1, call(kind, "f", 1, None), answer)];
        assert_eq!(unsettled(&steps).is_some(), expected, "{kind:?}");
    };
    check(SEND, None, true);
    check(Kind::Call(Effect::Unknown), None, true);
    check(Kind::Call(Effect::Keyed), None, true);
    check(SET, None, false);
    check(SEND, Some(answered("", false)), false);
}

#[test]
fn kinds_have_words() {
    for word in ["own", "read", "repeatable", "keyed", "looked-up", "unknown"] {
        assert_eq!(Kind::parse(word).map(Kind::as_str), Some(word));
    }
    assert_eq!(Kind::parse("else"), None);
}
