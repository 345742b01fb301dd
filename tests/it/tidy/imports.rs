//! Who may know whom in the host: the rows of `ARCHITECTURE.md`.

use std::collections::BTreeSet;

use super::none;
use super::source::{code, file, files, line, name, words};

/// A row of modules, low to high: which, and whether they may import each other.
struct Row {
    name: &'static str,
    modules: &'static [&'static str],
    know_each_other: bool,
}

const ROWS: &[Row] = &[
    Row {
        name: "values",
        modules: &[
            "action",
            "delivery",
            "destination",
            "event",
            "grant",
            "incident",
            "journal",
            "limits",
            "manifest",
            "schedule",
        ],
        know_each_other: true,
    },
    Row { name: "crash tests", modules: &["crash_point"], know_each_other: false },
    Row { name: "way out", modules: &["egress"], know_each_other: false },
    Row { name: "edges", modules: &["connections", "livechat", "runtime", "store"], know_each_other: false },
    Row { name: "config", modules: &["config"], know_each_other: false },
    Row {
        name: "workings",
        modules: &[
            "capture",
            "destinations",
            "dispatcher",
            "heartbeat",
            "keeper",
            "measures",
            "notifier",
            "overview",
            "plugins",
            "recovery",
            "refusals",
            "registry",
            "scheduler",
            "watcher",
        ],
        know_each_other: true,
    },
    Row { name: "doors", modules: &["cli", "http"], know_each_other: false },
    Row { name: "wiring", modules: &["app", "simulator", "telemetry"], know_each_other: false },
];

/// What only tests have: edges may be tried against it.
const TEST_DOUBLE: &str = "double";

/// Crates that only some modules name, and why.
const OWNERS: &[(&str, &[&str])] = &[
    ("rusqlite", &["store"]),
    ("wasmtime", &["runtime"]),
    ("wasmtime_wasi", &["runtime"]),
    ("wasmtime_wasi_io", &["runtime"]),
    ("wasmparser", &["runtime"]),
    // The simulator is a server too; the double is one for tests.
    ("axum", &["http", "simulator", TEST_DOUBLE]),
    ("governor", &["http"]),
    ("hyper", &["http"]),
    ("hyper_util", &["http"]),
    // Requests go out at the edges, by the clients that `egress` makes, from `chatplug send`, and from the simulator's webhooks; the config checks
    // URLs and names of headers with the types that will carry them.
    ("reqwest", &["egress", "connections", "livechat", "cli", "simulator", "config"]),
    // The tests of the simulator read the config that the demo shows.
    ("toml", &["config", "simulator"]),
    ("html5gum", &["action"]),
    ("jsonschema", &["manifest"]),
    ("cronexpr", &["schedule"]),
    ("notify", &["watcher"]),
    ("metrics_exporter_prometheus", &["measures"]),
    ("clap", &["cli", "main"]),
    ("tracing_subscriber", &["telemetry", TEST_DOUBLE]),
];

/// What a value never does: time, files and services come in as arguments.
const NOT_IN_VALUES: &[&str] =
    &["await", "tokio", "fs", "net", "env", "thread", "now", "Instant", "SystemTime"];

/// The module that a file of the host belongs to, and how deep it lies.
fn module(path: &str) -> Option<(&str, usize)> {
    let inside = path.strip_prefix("host/src/")?.strip_suffix(".rs")?;
    let depth = inside.split('/').count();
    Some((inside.split('/').next()?, depth))
}

/// The modules of the crate that a text names, with the line.
fn imports(text: &str, depth: usize) -> Vec<(String, usize)> {
    let code = code(text);
    let mut found = Vec::new();
    for at in words(&code, "crate") {
        if let Some(path) = code[at..].strip_prefix("crate::") {
            found.extend(heads(path).into_iter().map(|head| (head, line(&code, at))));
        }
    }
    for at in words(&code, "use") {
        let climb = "super::".repeat(depth);
        if let Some(path) = code[at..].trim_start_matches("use").trim_start().strip_prefix(&climb)
            && !path.starts_with("super::")
            && is_top_level(&code, at)
        {
            found.extend(heads(path).into_iter().map(|head| (head, line(&code, at))));
        }
    }
    found
}

fn is_top_level(code: &str, at: usize) -> bool {
    code[..at].matches('{').count() == code[..at].matches('}').count()
}

/// The first names of a path, or of each path in a group.
fn heads(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else { return vec![name(path).to_owned()] };
    let (mut heads, mut depth, mut begins) = (Vec::new(), 0, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            c if begins && (c.is_alphabetic() || c == '_') => {
                heads.push(name(&group[at..]).to_owned());
                begins = false;
            }
            _ => {}
        }
    }
    heads
}

/// Whether `importer` may name `imported`.
fn may_import(importer: &str, imported: &str) -> bool {
    let row = |module: &str| ROWS.iter().position(|row| row.modules.contains(&module));
    let (Some(from), Some(to)) = (row(importer), row(imported)) else { return false };
    let wiring = ROWS.len() - 1;
    importer == imported
        || importer == "app"
        || to < from
        || (to == from && from != wiring && ROWS[from].know_each_other)
}

fn wrong_imports(path: &str, text: &str) -> Vec<String> {
    let Some((own, depth)) = module(path).filter(|(own, _)| !["lib", "main"].contains(own)) else {
        return Vec::new();
    };
    let known: BTreeSet<&str> = ROWS.iter().flat_map(|row| row.modules).copied().collect();
    let wrong = |imported: &str| {
        known.contains(imported) && !may_import(own, imported) && own != TEST_DOUBLE
            || own == TEST_DOUBLE && known.contains(imported)
    };
    let named = imports(text, depth).into_iter().filter(|(imported, _)| wrong(imported));
    named.map(|(imported, line)| format!("{path}:{line}: `{own}` must not know `{imported}`")).collect()
}

fn wrong_crates(path: &str, text: &str) -> Vec<String> {
    let Some((own, _)) = module(path) else { return Vec::new() };
    let code = code(text);
    let mut wrong = Vec::new();
    for (foreign, _) in OWNERS.iter().filter(|(_, owners)| !owners.contains(&own)) {
        // A path begins with the crate's name; a field or a variable of that name is something else.
        let paths = words(&code, foreign)
            .filter(|at| code[at + foreign.len()..].starts_with("::") && !code[..*at].ends_with("::"));
        wrong.extend(paths.map(|at| format!("{path}:{}: `{own}` must not name {foreign}", line(&code, at))));
    }
    wrong
}

fn impurities(path: &str, text: &str) -> Vec<String> {
    let Some((own, _)) = module(path).filter(|(own, _)| ROWS[0].modules.contains(own)) else {
        return Vec::new();
    };
    let code = code(text);
    let found = NOT_IN_VALUES.iter().flat_map(|word| words(&code, word).map(move |at| (word, at)));
    let call = |(word, at): &(&&str, usize)| {
        let (before, after) = (&code[..*at], &code[at + word.len()..]);
        before.ends_with("::") || before.ends_with('.') || after.starts_with("::")
    };
    let found = found.filter(call);
    found.map(|(word, at)| format!("{path}:{}: `{own}` is a value: no `{word}`", line(&code, at))).collect()
}

fn everywhere(check: impl Fn(&str, &str) -> Vec<String>) -> Vec<String> {
    files(&["rs"]).iter().flat_map(|source| check(&source.path, &source.text)).collect()
}

#[test]
fn modules_import_from_the_rows_below_them() {
    none("a module imports from the rows above it in ARCHITECTURE.md", &everywhere(wrong_imports));
}

#[test]
fn each_library_has_its_owners() {
    none("a library is named only by those who own it", &everywhere(wrong_crates));
}

#[test]
fn values_do_nothing_by_themselves() {
    none("values know no clock, no file, no network", &everywhere(impurities));
}

#[test]
fn the_library_and_the_architecture_show_the_same_rows() {
    let library = file("host/src/lib.rs");
    let declared: Vec<&str> =
        library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let modules: Vec<&str> = ROWS.iter().flat_map(|row| row.modules).copied().collect();
    assert_eq!(declared, modules, "host/src/lib.rs and the rows here");
    let architecture = file("ARCHITECTURE.md");
    for row in ROWS {
        let listed = row.modules.iter().map(|module| format!("`{module}`")).collect::<Vec<_>>().join(", ");
        let line = format!("| {} | {listed} |", row.name);
        assert!(architecture.contains(&line), "ARCHITECTURE.md lacks the row\n{line}");
    }
}

#[test]
fn a_wrong_import_is_found() {
    let check = |path: &str, text: &str, count: usize| {
        let found = wrong_imports(path, text);
        assert_eq!(found.len(), count, "{path}: {text}: {found:?}");
    };
    check("host/src/store/accept.rs", "use crate::livechat::webhook;", 1);
    check("host/src/store/accept.rs", "use crate::{event::{self, lane}, config::Config, delivery};", 1);
    check("host/src/store/accept.rs", "use super::super::http;", 1);
    check("host/src/store.rs", "fn f() { crate::runtime::x() }", 1);
    check("host/src/cli/send.rs", "use crate::http; use crate::store;", 1);
    check("host/src/event.rs", "use crate::grant; // crate::store", 0);
    check("host/src/telemetry.rs", "use crate::app;", 1);
    check("host/src/app/check.rs", "use crate::{cli, http, simulator};", 0);
    check("xtask/src/main.rs", "use crate::store;", 0);
}

#[test]
fn a_foreign_crate_and_a_clock_are_found() {
    assert_eq!(wrong_crates("host/src/http.rs", "use rusqlite::params; fn f(axum: u8) {}").len(), 1);
    assert_eq!(wrong_crates("host/src/store.rs", "use rusqlite::params; let x = config::toml;").len(), 0);
    assert_eq!(impurities("host/src/event.rs", "let now = Timestamp::now();").len(), 1);
    assert_eq!(impurities("host/src/event.rs", "fn f(now: Timestamp) {}").len(), 0);
    assert_eq!(impurities("host/src/store.rs", "let now = Timestamp::now();").len(), 0);
}
