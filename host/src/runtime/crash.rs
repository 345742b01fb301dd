//! What is told of an attempt that did not return: where it was, and what it had used.

use std::time::Duration;

use wasmtime::{FrameInfo, WasmBacktrace};

use super::guest::Guest;
use super::log::plain;
use crate::delivery::crash::{Crash, Used};

/// Frames that are kept, the innermost ones.
const FRAMES_MAX: usize = 30;
/// A frame's text is cut to this many characters.
const FRAME_CHARS_MAX: usize = 200;
/// What functions of the SDK, the standard library and the generated code begin with: the author's are of interest.
const NOT_THE_AUTHORS: &[&str] = &[
    "alloc::",
    "core::",
    "std::",
    "chatplug_sdk::",
    "chatplug:plugin/",
    "wit_bindgen",
    "dlmalloc",
    "rust_",
    "_rust_",
    "__",
    "cabi_",
    "abort",
    "_initialize",
];

/// Where the guest was when an error ended it; empty if it was not running.
pub(super) fn backtrace(error: &wasmtime::Error) -> Vec<String> {
    let Some(trace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let all: Vec<(String, String)> = trace.frames().iter().flat_map(frames).collect();
    let own: Vec<&(String, String)> = all.iter().filter(|(name, _)| is_the_authors(name)).collect();
    // Better those of others than none: everything may have been inlined into the generated code.
    let shown = if own.is_empty() { all.iter().collect() } else { own };
    folded(shown.into_iter().map(|(name, place)| text(name, place)))
}

/// The functions of one frame, inlined ones first, each with its place.
fn frames(frame: &FrameInfo) -> Vec<(String, String)> {
    let symbols = frame.symbols();
    if symbols.is_empty() {
        let unnamed = || format!("function {}", frame.func_index());
        return vec![(frame.func_name().map_or_else(unnamed, demangled), String::new())];
    }
    let symbol = |symbol: &wasmtime::FrameSymbol| {
        let name = symbol.name().or(frame.func_name()).map_or_else(String::new, demangled);
        let line = symbol.line().map(|line| format!(":{line}")).unwrap_or_default();
        (name, symbol.file().map(|file| format!("{file}{line}")).unwrap_or_default())
    };
    symbols.iter().map(symbol).collect()
}

fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

fn is_the_authors(name: &str) -> bool {
    // A method of a trait is called `<Type as Trait>::method`: whose type it is decides.
    let name = name.trim_start_matches('<');
    !NOT_THE_AUTHORS.iter().any(|others| name.starts_with(others)) && !name.contains("::_::")
}

fn text(name: &str, place: &str) -> String {
    let text = if place.is_empty() { plain(name) } else { plain(&format!("{name} at {place}")) };
    text.chars().take(FRAME_CHARS_MAX).collect()
}

/// The same frame many times, one after the other, is recursion: told once, with how often.
fn folded(frames: impl Iterator<Item = String>) -> Vec<String> {
    let mut told: Vec<(String, usize)> = Vec::new();
    for frame in frames {
        match told.last_mut() {
            Some((last, count)) if *last == frame => *count += 1,
            _ => told.push((frame, 1)),
        }
    }
    let one = |(frame, count)| if count == 1 { frame } else { format!("{frame} ({count} times)") };
    told.into_iter().take(FRAMES_MAX).map(one).collect()
}

/// What an attempt that did not return is reported with.
pub(super) fn report(backtrace: Vec<String>, guest: &Guest, cpu: Duration, wall: Duration) -> Crash {
    let limits = &guest.terms.limits;
    let log_bytes = guest.log.lock().expect("nothing panics while it holds the log").used();
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let used = |limit: &str, used: u64, max: u64| Used { limit: limit.to_owned(), used, max };
    let used = vec![
        used("cpu_ms", ms(cpu), limits.cpu_ms),
        used("wall_ms", ms(wall), limits.wall_ms),
        used("memory_bytes", guest.memory.used() as u64, limits.memory_bytes as u64),
        used("host_calls", guest.host_calls.into(), limits.host_calls.into()),
        used("actions", guest.actions_counted.into(), limits.actions.into()),
        used("journal_bytes", guest.journal.bytes() as u64, limits.journal_bytes as u64),
        used("log_bytes", log_bytes as u64, limits.log_bytes as u64),
    ];
    Crash { backtrace, used }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authors_functions_are_told_from_others() {
        for (name, expected) in [
            ("alert::rate", true),
            ("<alert::Alert as chatplug_sdk::Plugin>::handle", true),
            ("<chatplug_sdk::exported::Exported<alert::Alert> as Guest>::handle", false),
            ("core::panicking::panic_fmt", false),
            ("<core::option::Option<alert::Score>>::unwrap", false),
            ("chatplug:plugin/plugin@0.1.0#handle", false),
            ("__rustc::rust_begin_unwind", false),
            ("alert::_::__export_handle", false),
        ] {
            assert_eq!(is_the_authors(name), expected, "{name}");
        }
    }

    #[test]
    fn recursion_is_told_once() {
        let frames = ["a", "b", "b", "b", "a"].into_iter().map(str::to_owned);
        assert_eq!(folded(frames), ["a", "b (3 times)", "a"]);
    }

    #[test]
    fn a_name_can_neither_forge_lines_nor_fill_the_store() {
        assert_eq!(text("a\nb", "c.rs:3"), "a\\nb at c.rs:3");
        assert_eq!(text(&"x".repeat(10_000), "").len(), FRAME_CHARS_MAX);
    }
}
