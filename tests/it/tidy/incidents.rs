//! The table of what went wrong elsewhere: each class has a test that is named after it, and each test that is named exists.

use super::none;
use super::source::{Source, code, file, files, name, words};

/// A line of the table: the class, and the tests that prove it.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    class: String,
    tests: Vec<String>,
}

fn rows(text: &str) -> Vec<Row> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("//! | ")).skip(1);
    lines
        .map(|line| {
            let cells: Vec<&str> = line.trim_end_matches(" |").split(" | ").collect();
            let quoted = cells.last().unwrap_or(&"").split('`').skip(1).step_by(2);
            // Commands, modules and harnesses stand there too.
            let tests = quoted.filter(|word| !word.contains(' ') && word.contains('_'));
            Row { class: cells[0].replace(' ', "_"), tests: tests.map(str::to_owned).collect() }
        })
        .collect()
}

/// The tests of a file: functions behind an attribute, and those that proptest makes.
fn tests(source: &Source) -> Vec<String> {
    let text = code(&source.text);
    let is_test = |at: usize| {
        let before = text[..at].trim_end().trim_end_matches("async").trim_end();
        before.ends_with(']') && before.rfind("#[").is_some_and(|begin| before[begin..].contains("test"))
    };
    words(&text, "fn")
        .filter(|at| is_test(*at))
        .map(|at| name(text[at + 2..].trim_start()).to_owned())
        .collect()
}

/// Whether a file has a test under its path: `keeping::growth_…` in `tests/it/keeping.rs`, `notifier::tests::stuck_…` in
/// `host/src/notifier/tests.rs` or in a module `tests` of `host/src/notifier.rs`.
fn has(source: &Source, path: &str) -> bool {
    let mut modules: Vec<&str> = path.split("::").collect();
    let test = modules.pop().unwrap_or_default();
    let file = source.path.trim_end_matches(".rs");
    let is_there = modules.is_empty() && file == "tests/it/incidents"
        || file.ends_with(&format!("/{}", modules.join("/")))
        || modules.last() == Some(&"tests")
            && file.ends_with(&format!("/{}", modules[..modules.len() - 1].join("/")));
    is_there && tests(source).iter().any(|known| known == test)
}

/// What is wrong with the rows, by these files.
fn broken(rows: &[Row], sources: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for Row { class, tests } in rows {
        let missing = tests.iter().filter(|test| !sources.iter().any(|source| has(source, test)));
        broken.extend(missing.map(|test| format!("{class}: there is no test {test}")));
        let of_class =
            |test: &&String| test.rsplit("::").next().is_some_and(|name| name.starts_with(class.as_str()));
        if !tests.iter().any(|test| of_class(&test)) {
            broken.push(format!("{class}: no test is named after it"));
        }
    }
    broken
}

#[test]
fn each_class_of_incident_has_a_test_that_is_named_after_it() {
    let rows = rows(&file("tests/it/incidents.rs"));
    assert!(rows.len() > 15, "{} rows", rows.len());
    none("what is proved is tried", &broken(&rows, &files(&["rs"])));
}

#[test]
fn a_row_without_its_test_is_found() {
    let text = "//! | Class | Seen as | Proved by |\n//! |---|---|---|\n\
        //! | wrong state | a | `wrong_state_a`; at random, `crash` |\n//! | leak | b | `lanes::tests::leak_b`, `keeping::leak_c` |\n";
    let rows = rows(text);
    let row = |class: &str, tests: &[&str]| Row {
        class: class.to_owned(),
        tests: tests.iter().map(|test| (*test).to_owned()).collect(),
    };
    assert_eq!(
        rows,
        [row("wrong_state", &["wrong_state_a"]), row("leak", &["lanes::tests::leak_b", "keeping::leak_c"])]
    );
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let all = [
        source("tests/it/incidents.rs", "#[tokio::test]\nasync fn wrong_state_a() {}\n"),
        source("host/src/dispatcher/lanes.rs", "mod tests {\n    #[test]\n    fn leak_b() {}\n}\n"),
        source("tests/it/keeping.rs", "fn leak_c() {}\n"),
    ];
    assert_eq!(broken(&rows, &all), ["leak: there is no test keeping::leak_c"], "that one is no test");
    assert_eq!(broken(&rows[..1], &all[1..]), ["wrong_state: there is no test wrong_state_a"]);
    assert_eq!(broken(&[row("leak", &["wrong_state_a"])], &all), ["leak: no test is named after it"]);
}
