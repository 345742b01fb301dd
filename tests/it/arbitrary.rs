//! Bytes that nobody meant, where bytes come in from outside: nothing panics, and what is accepted is sound. What must
//! hold stands in `tests/src/arbitrary.rs`; `cargo xtask fuzz` looks longer, and what it found is in `fuzz/corpus`. The
//! webhook door has tests of this kind beside its code, as has the path of a request.

use std::fs;
use std::path::Path;

use chatplug::config::{Config, DEFAULT};
use chatplug::limits::Loading;
use chatplug::runtime::inspect::inspect;
use chatplug_tests::{arbitrary, guest};
use fastrand::Rng;

/// The same bytes each time: a failure can be looked at.
const SEED: u64 = 4;

/// What stands in config files, paths and headers, and means something there.
const WORDS: [&str; 24] = [
    "\"",
    "'",
    "{",
    "}",
    "[",
    "]",
    "=",
    "\n",
    "#",
    "\\",
    "%2e%2e",
    "%2F",
    "/",
    "..",
    "*",
    "\0",
    "\u{202e}",
    "é",
    "-1",
    "1e999",
    "99999999999999999999",
    "GMT",
    ",",
    "[[[[[[[[",
];

/// A text with some of its bytes taken out and others put in.
fn changed(rng: &mut Rng, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..rng.usize(1..5) {
        let at = rng.usize(0..=bytes.len());
        let end = (at + rng.usize(0..8)).min(bytes.len());
        let put_in: Vec<u8> = match rng.u8(0..3) {
            0 => rng.choice(WORDS).expect("there are words").as_bytes().to_vec(),
            1 => vec![rng.u8(..)],
            _ => (0..rng.usize(0..20)).map(|_| rng.u8(..)).collect(),
        };
        bytes.splice(at..end, put_in);
    }
    if rng.u8(0..8) == 0 {
        bytes.truncate(rng.usize(0..=bytes.len()));
    }
    bytes
}

#[test]
fn any_component_is_looked_into_or_refused() {
    let whole = fs::read(guest("guest_no_op")).expect("it was built");
    let asks = inspect(&whole, &Loading::default()).expect("it is one").asks;
    let mut rng = Rng::with_seed(SEED);
    let mut refused = 0;
    for _ in 0..300 {
        let bytes = changed(&mut rng, &whole);
        match inspect(&bytes, &Loading::default()) {
            // What isn't there when it is refused can't have come by chance.
            Ok(found) => assert!(found.asks.is_subset(&asks), "{found:?}"),
            Err(reason) => {
                assert!(!reason.is_empty());
                refused += 1;
            }
        }
    }
    assert!(refused > 100, "{refused} of 300 were refused");
    arbitrary::component(&whole);
    let caller = fs::read(guest("guest_caller")).expect("it was built");
    assert!(inspect(&caller, &Loading::default()).expect("it is one").asks.len() > 20);
    arbitrary::component(&caller);
    for length in 0..200 {
        let bytes: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(length).collect();
        inspect(&bytes, &Loading::default()).expect_err("it is noise");
        inspect(&[&whole[..8], &bytes].concat(), &Loading::default())
            .expect_err("it is noise behind a good beginning");
    }
}

#[test]
fn what_the_fuzzers_have_found_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (name, check) in arbitrary::CHECKS {
        let folder = corpus.join(name);
        let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut count = 0;
        for file in files {
            check(&fs::read(file.expect("an entry").path()).expect("a file"));
            count += 1;
        }
        assert!(count > 5, "{name} has a corpus of {count}");
    }
}

#[test]
fn plugins_among_the_seeds_are_looked_into_also_with_bytes_changed() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/component");
    let mut rng = Rng::with_seed(SEED);
    let mut found = Vec::new();
    for entry in fs::read_dir(&corpus).expect("the corpus") {
        let bytes = fs::read(entry.expect("an entry").path()).expect("a file");
        let Ok(inspected) = inspect(&bytes, &Loading::default()) else { continue };
        found.push(inspected);
        for _ in 0..2_000 {
            arbitrary::component(&changed(&mut rng, &bytes));
        }
    }
    assert!(found.iter().any(|found| found.asks.contains("chats.tag")), "{found:?}");
    assert!(found.iter().any(|found| found.sends_http && found.calls_livechat), "{found:?}");
}

#[test]
fn the_door_takes_what_has_the_secret_or_the_signature() {
    let mut rng = Rng::with_seed(SEED);
    let body = format!(
        r#"{{"action":"incoming_event","secret_key":"{}","payload":{{"chat_id":"C"}}}}"#,
        arbitrary::SECRET
    );
    let signed = format!("sha256={}\0{body}", arbitrary::signature_of(body.as_bytes()));
    for _ in 0..5_000 {
        arbitrary::door(&changed(&mut rng, body.as_bytes()));
        arbitrary::signature(&changed(&mut rng, signed.as_bytes()));
    }
}

#[test]
fn any_config_is_read_or_refused_with_lines_and_without_secrets() {
    let env = |name: &str| Some(format!("https://value.example/value-of-{name}-long-enough"));
    Config::parse(DEFAULT, "chatplug.toml", &env).expect("the default is one");
    let mut rng = Rng::with_seed(SEED);
    for _ in 0..1_000 {
        arbitrary::config(&changed(&mut rng, DEFAULT.as_bytes()));
    }
}

#[test]
fn any_retry_after_is_a_wait_of_a_day_at_most() {
    let mut rng = Rng::with_seed(SEED);
    let starts: [&str; 3] = ["120", "Sun, 01 Mar 2026 12:00:30 GMT", ""];
    for _ in 0..20_000 {
        let start = rng.choice(starts).expect("there are some");
        arbitrary::retry_after(&changed(&mut rng, start.as_bytes()));
    }
}

#[test]
fn any_path_has_the_segments_that_it_shows_or_none() {
    let mut rng = Rng::with_seed(SEED);
    for _ in 0..50_000 {
        arbitrary::path(&changed(&mut rng, b"/crm/v3/objects/a%40b"));
    }
}
