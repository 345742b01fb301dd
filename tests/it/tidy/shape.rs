//! What Rust files look like: their length, their names, and that each is part of a crate.

use std::collections::BTreeSet;

use super::none;
use super::source::{Source, code, file, files, line, name, words};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// Names that say nothing of what a thing is.
const EMPTY_WORDS: &[&str] = &["Manager", "Helper", "Helpers", "Util", "Utils", "Common", "Inner"];

/// What is written while something is not done yet, or to hide that it fails.
const UNFINISHED: &[&str] = &["todo!", "unimplemented!", "dbg!", "#[ignore", "should_panic"];

/// What makes state that nobody hands over. `host/src/crash_point.rs` may, and says why.
const GLOBALS: &[&str] = &["LazyLock", "OnceLock", "LazyCell", "thread_local!", "lazy_static!", "static mut"];

fn long_files(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    let too_long = (lines > FILE_LINES_MAX).then(|| format!("{}: {lines} lines", source.path));
    too_long.into_iter().collect()
}

fn long_functions(source: &Source) -> Vec<String> {
    let code = code(&source.text);
    let mut long = Vec::new();
    for at in words(&code, "fn") {
        let called = name(code[at + 2..].trim_start());
        let lines = body_end(&code, at).map_or(0, |end| code[at..end].matches('\n').count() + 1);
        if !called.is_empty() && lines > FUNCTION_LINES_MAX {
            long.push(format!("{}:{}: `{called}` has {lines} lines", source.path, line(&code, at)));
        }
    }
    long
}

/// Where the body ends of the function that begins at `at`; `None` if it has none.
fn body_end(code: &str, at: usize) -> Option<usize> {
    let (mut brackets, mut braces) = (0_i32, 0_i32);
    for (offset, c) in code[at..].char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            ';' if brackets == 0 && braces == 0 => return None,
            '{' => braces += 1,
            '}' => {
                braces -= 1;
                if braces <= 0 {
                    return Some(at + offset);
                }
            }
            _ => {}
        }
    }
    None
}

fn empty_names(source: &Source) -> Vec<String> {
    let code = code(&source.text);
    let kinds = ["struct", "enum", "trait", "type", "union"];
    let declared = kinds.iter().flat_map(|kind| words(&code, kind).map(|at| (at, at + kind.len())));
    let named = declared.map(|(at, end)| (at, name(code[end..].trim_start())));
    let empty = named.filter(|(_, name)| camel_words(name).any(|word| EMPTY_WORDS.contains(&word)));
    let types = empty.map(|(at, name)| format!("{}:{}: `{name}`", source.path, line(&code, at)));
    let stem = source.path.rsplit('/').next().and_then(|file| file.strip_suffix(".rs")).unwrap_or_default();
    let is_empty = EMPTY_WORDS.iter().any(|word| word.eq_ignore_ascii_case(stem));
    let file = is_empty.then(|| source.path.clone());
    types.chain(file).collect()
}

/// `ManagerOf` in `LaneManagerOf` is two words.
fn camel_words(name: &str) -> impl Iterator<Item = &str> {
    let starts: Vec<usize> =
        name.char_indices().filter(|(_, c)| c.is_uppercase()).map(|(at, _)| at).collect();
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([name.len()]).collect();
    starts.into_iter().zip(ends).map(|(start, end)| &name[start..end])
}

fn found(source: &Source, unwanted: &[&str]) -> Vec<String> {
    let code = code(&source.text);
    let places = unwanted.iter().flat_map(|text| code.match_indices(text));
    places.map(|(at, text)| format!("{}:{}: {text}", source.path, line(&code, at))).collect()
}

/// The files that a crate's root and its modules name, however deep.
fn reach(path: &str, is_root: bool, all: &BTreeSet<String>, reached: &mut BTreeSet<String>) {
    if !reached.insert(path.to_owned()) {
        return;
    }
    let folder = match is_root {
        true => path.rsplit_once('/').map_or("", |(folder, _)| folder),
        false => path.strip_suffix(".rs").unwrap_or(path),
    };
    let code = code(&file(path));
    for at in words(&code, "mod") {
        let called = name(code[at + 3..].trim_start());
        let child = format!("{folder}/{called}.rs");
        let is_file = code[at + 3..].trim_start()[called.len()..].starts_with(';');
        if is_file && all.contains(&child) {
            reach(&child, false, all, reached);
        }
    }
}

/// The roots of the crates of a package: where cargo looks by itself, and what its manifest names.
fn roots(manifest: &Source, all: &BTreeSet<String>) -> Vec<String> {
    let folder = manifest.path.strip_suffix("Cargo.toml").unwrap_or_default();
    let named = manifest.text.lines().filter_map(|line| {
        let path = line.strip_prefix("path = \"")?.strip_suffix('"')?;
        path.ends_with(".rs").then(|| format!("{folder}{path}"))
    });
    let bins = format!("{folder}src/bin/");
    let usual = ["src/lib.rs", "src/main.rs", "build.rs"].map(|path| format!("{folder}{path}"));
    let others = all.iter().filter(|path| {
        let inside = path.strip_prefix(&bins);
        inside.is_some_and(|inside| !inside.contains('/') || inside.ends_with("/main.rs"))
    });
    named.chain(usual).chain(others.cloned()).filter(|path| all.contains(path)).collect()
}

fn everywhere(check: impl Fn(&Source) -> Vec<String>) -> Vec<String> {
    files(&["rs"]).iter().flat_map(check).collect()
}

#[test]
fn files_and_functions_are_short() {
    none("no file has more than 500 lines", &everywhere(long_files));
    none("no function has more than 70 lines", &everywhere(long_functions));
}

#[test]
fn names_say_what_a_thing_is() {
    none("a name says what a thing is", &everywhere(empty_names));
}

#[test]
fn nothing_is_unfinished_or_silenced() {
    none("nothing is unfinished or silenced", &everywhere(|source| found(source, UNFINISHED)));
}

#[test]
fn there_are_no_globals() {
    let may = |path: &str| {
        path.starts_with("tests/") || ["host/src/crash_point.rs", "host/src/double.rs"].contains(&path)
    };
    let product = |source: &Source| match may(&source.path) {
        true => Vec::new(),
        false => found(source, GLOBALS),
    };
    none("state is handed over", &everywhere(product));
}

#[test]
fn every_rust_file_is_part_of_a_crate() {
    let all: BTreeSet<String> = files(&["rs"]).into_iter().map(|source| source.path).collect();
    let mut reached = BTreeSet::new();
    for manifest in files(&["toml"]).iter().filter(|source| source.path.ends_with("Cargo.toml")) {
        for root in roots(manifest, &all) {
            reach(&root, true, &all, &mut reached);
        }
    }
    let dead: Vec<String> = all.difference(&reached).cloned().collect();
    none("every file is named by a `mod` line", &dead);
    let mod_files: Vec<String> = all.into_iter().filter(|path| path.ends_with("/mod.rs")).collect();
    none("a module is `x.rs` beside `x/`", &mod_files);
}

#[test]
fn what_breaks_a_rule_of_shape_is_found() {
    let source = |text: &str| Source { path: "a/util.rs".to_owned(), text: text.to_owned() };
    let long = format!("fn long<T>(x: [u8; 2]) where T: X {{\n{}}}\nfn none();\n", "x();\n".repeat(70));
    assert_eq!(long_functions(&source(&long)).len(), 1);
    assert_eq!(long_functions(&source(&long.replacen("x();\n", "", 2))).len(), 0);
    assert_eq!(long_files(&source(&"\n".repeat(501))).len(), 1);
    assert_eq!(empty_names(&source("struct LaneManager; struct Innermost;")).len(), 2);
    assert_eq!(found(&source("#[ignore] fn f() { todo!() } // dbg!"), UNFINISHED).len(), 2);
}
