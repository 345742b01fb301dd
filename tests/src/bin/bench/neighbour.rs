//! What a well-behaved plugin feels of a hostile one beside it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::Context;
use chatplug::store::Reader;
use chatplug_tests::raw::{Raw, large_function};
use chatplug_tests::{Host, guest, version};
use rusqlite::{Connection, OpenFlags};

use super::awake::Awake;
use super::load::Load;
use super::{NO_OP, started, time_until};

const PER_SECOND: f64 = 100.0;
const EVENTS: usize = 1_500;
/// What the neighbour does at each event.
const MISDEEDS: [&str; 7] = ["panic", "calls", "memory", "log", "sleep", "loop", "recursion"];
/// A function of so many bytes is just within the limit; the compiler is busy with it for seconds.
const FUNCTION_BYTES: usize = 500 << 10;

/// Posts 100 events in a second, for fifteen seconds, to a plugin that does nothing: alone, beside one that does
/// each of its misdeeds at every event, and while files are dropped that keep the host busy. The limits are the default
/// ones, but for what would take minutes.
pub(crate) fn measure() -> anyhow::Result<()> {
    let _awake = Awake::begin();
    let alone = Some(tell("alone", &ended(&quiet())?, None));
    for misdeed in MISDEEDS {
        tell(&format!("beside `{misdeed}`"), &ended(&beside(misdeed))?, alone);
    }
    let folder = tempfile::tempdir()?;
    let large = folder.path().join("large.wasm");
    let function = large_function(FUNCTION_BYTES);
    std::fs::write(&large, Raw { fields: &function, ..Raw::new("large") }.component())?;
    for (what, component) in [
        ("files with a large function", large),
        ("files whose `describe` loops", guest("guest_describe_loops")),
    ] {
        let (times, dropped) = ended_while_dropping(&quiet(), &component)?;
        tell(&format!("beside {dropped} {what}"), &times, alone);
    }
    Ok(())
}

/// Says how long it took and how much longer, at p99, than alone; answers p99.
fn tell(name: &str, times: &[i64], alone: Option<i64>) -> i64 {
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let (p50, p99) = (at(0.5), at(0.99));
    let more = p99 as f64 / alone.unwrap_or(p99).max(1) as f64 - 1.0;
    println!(
        "at {PER_SECOND} events/s, a no-op plugin {name}: from accepting to its end p50 {p50} ms, p99 {p99} ms \
         ({:+.0} %)",
        more * 100.0
    );
    p99
}

/// A host with the well-behaved plugin alone.
fn quiet() -> Host {
    let host = started(Host::prepared(NO_OP, &[guest("guest_no_op")]));
    host.wait_for_plugin("no-op", "active");
    host
}

/// One with both.
fn beside(misdeed: &str) -> Host {
    let config = format!(
        "{NO_OP}[plugin.hostile]\nevents = [\"incoming_event\"]\ndenies = [\"chats.tag\"]\n\
         settings = {{ do = \"{misdeed}\" }}\n[plugin.hostile.limits]\nwall_ms = 2000\n"
    );
    let host = started(Host::prepared(&config, &[guest("guest_no_op"), guest("guest_hostile")]));
    host.wait_for_plugin("no-op", "active");
    host.wait_for_plugin("hostile", "active");
    host
}

/// Milliseconds from accepting each event to the end of its run, sorted.
fn ended(host: &Host) -> anyhow::Result<Vec<i64>> {
    let load = Load { address: host.address(), connections: 16, bytes: 400, pace: Some(PER_SECOND) };
    load.run(0..EVENTS)?;
    times(host)
}

/// The same while versions of a component are dropped; with how many.
fn ended_while_dropping(host: &Host, component: &Path) -> anyhow::Result<(Vec<i64>, u32)> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let dropping = scope.spawn(|| drop_versions(host, component, &is_over));
        let times = ended(host);
        is_over.store(true, Ordering::Relaxed);
        let dropped = dropping.join().expect("it does not panic");
        Ok((times?, dropped?))
    })
}

/// Drops versions of a component until it is over, each when the host is done with the one before; answers how many.
fn drop_versions(host: &Host, component: &Path, is_over: &AtomicBool) -> anyhow::Result<u32> {
    let reader = Reader::open(&host.data())?.context("the store")?;
    let mut dropped = 0;
    while !is_over.load(Ordering::Relaxed) {
        let file = format!("{dropped}.wasm");
        host.drop_bytes(&version(component, dropped), &file);
        dropped += 1;
        time_until(|| {
            let statuses = reader.plugin_statuses()?;
            let mut of_file = statuses.iter().filter(|status| status.file.as_ref() == Some(&file));
            Ok(of_file.any(|status| status.state != "compiling") || is_over.load(Ordering::Relaxed))
        })?;
    }
    Ok(dropped)
}

/// Waits for the last run of the well-behaved plugin; the other one has a backlog.
fn times(host: &Host) -> anyhow::Result<Vec<i64>> {
    let store =
        Connection::open_with_flags(host.data().join("chatplug.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut select = store.prepare(
        "SELECT ended_at - accepted_at FROM deliveries WHERE plugin = 'no-op' AND ended_at IS NOT NULL
         ORDER BY ended_at - accepted_at",
    )?;
    loop {
        let rows = select.query_map([], |row| row.get(0))?;
        let times = rows.collect::<Result<Vec<i64>, _>>().context("the times of the deliveries")?;
        if times.len() == EVENTS {
            return Ok(times);
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}
