//! What is told of an attempt that trapped: what happened, where, how much was used, and how to run it again.

use chatplug_tests::{Host, deliveries, guest};
use serde_json::json;

use super::say;

/// The file and line in which the trapper panics.
fn place_of_the_panic() -> String {
    let source = include_str!("../../guests/trapper/src/lib.rs");
    let line = source.lines().position(|line| line.contains("panic!")).expect("it panics") + 1;
    format!("tests/guests/trapper/src/lib.rs:{line}")
}

#[tokio::test]
async fn a_trap_is_reported_with_its_place_its_figures_and_the_command_that_runs_it_again() {
    let host = Host::start(
        "[plugin.trapper]\nevents = [\"incoming_event\"]\n[plugin.trapper.limits]\ncpu_ms = 5000\n",
        &[guest("guest_trapper")],
    );
    host.wait_for_plugin("trapper", "active");
    say(&host, "C1", "hello").await;
    let events = host.wait_until_done(1);
    let id = deliveries(&events[0]).next().expect("a delivery")["id"].as_str().expect("an id").to_owned();
    let shown = host.json(&["dead", "show", &id]);
    let reason = shown["reason"].as_str().expect("a reason");
    let place = place_of_the_panic();
    assert!(reason.contains(&format!("{place}:9: trapped on purpose at ev-1")), "{reason}");
    let backtrace: Vec<&str> =
        shown["crash"]["backtrace"].as_array().expect("frames").iter().filter_map(|f| f.as_str()).collect();
    assert!(
        backtrace.first().is_some_and(|frame| frame.contains("handle") && frame.contains(&place)),
        "{backtrace:#?}"
    );
    assert!(backtrace.iter().any(|frame| frame.contains("guest_trapper::Trapper")), "{backtrace:#?}");
    assert!(!backtrace.iter().any(|frame| frame.contains("panicking")), "{backtrace:#?}");
    let used = shown["crash"]["used"].as_array().expect("figures");
    let of = |limit: &str| used.iter().find(|used| used["limit"] == limit).expect("a figure");
    assert_eq!(of("cpu_ms")["max"], 5000);
    assert_eq!((&of("host_calls")["used"], &of("actions")["used"]), (&json!(1), &json!(0)), "{used:#?}");
    assert!(of("memory_bytes")["used"].as_u64().is_some_and(|bytes| bytes >= 1 << 16), "{used:#?}");
    let text = String::from_utf8(host.cli(&["dead", "show", &id]).stdout).expect("text");
    for part in
        ["event       ev-1", "panicked at", "in        ", "used      host_calls 1 of 256", "log       Error"]
    {
        assert!(text.contains(part), "{part}:\n{text}");
    }
    let again = text.lines().find_map(|line| line.trim().strip_prefix("again ")).expect("a command").trim();
    let args: Vec<&str> = again.split(' ').skip(1).collect();
    assert!(host.cli(&args).status.success(), "{again}");
    host.wait_for_events("the second death", |events| {
        let delivery = deliveries(&events[0]).last().expect("a delivery");
        delivery["id"] != id.as_str() && delivery["state"] == "dead"
    });
    assert!(host.log().contains("guest_trapper::Trapper"), "{}", host.log());
}
