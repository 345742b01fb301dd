//! What a well-behaved plugin feels of a hostile one beside it.

use anyhow::Context;
use chatplug_tests::{Host, guest};
use rusqlite::{Connection, OpenFlags};

use super::awake::Awake;
use super::load::Load;
use super::{NO_OP, started, wait_until_done};

const PER_SECOND: f64 = 100.0;
const EVENTS: usize = 1_500;
/// What the neighbour does at each event: nothing at all first.
const MISDEEDS: [&str; 7] = ["", "panic", "calls", "memory", "log", "sleep", "loop"];

/// Posts 100 events in a second, for fifteen seconds, to a plugin that does nothing: alone, and beside one that does
/// each of its misdeeds at every event. Its limits are the default ones, but for what would take minutes.
pub(crate) fn measure() -> anyhow::Result<()> {
    let _awake = Awake::begin();
    let mut alone = None;
    for misdeed in MISDEEDS {
        let times = ended(misdeed)?;
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        let (p50, p99) = (at(0.5), at(0.99));
        let before = *alone.get_or_insert(p99);
        let name = if misdeed.is_empty() { "alone".to_owned() } else { format!("beside `{misdeed}`") };
        println!(
            "at {PER_SECOND} events/s, a no-op plugin {name}: from accepting to its end p50 {p50} ms, p99 {p99} ms \
             ({:+.0} %)",
            (p99 as f64 / before.max(1) as f64 - 1.0) * 100.0
        );
    }
    Ok(())
}

/// Milliseconds from accepting each event to the end of its run, sorted.
fn ended(misdeed: &str) -> anyhow::Result<Vec<i64>> {
    let (mut config, mut guests) = (NO_OP.to_owned(), vec![guest("guest_no_op")]);
    if !misdeed.is_empty() {
        config.push_str(&format!(
            "[plugin.hostile]\nevents = [\"incoming_event\"]\ndenies = [\"chats.tag\"]\nsettings = {{ do = \"{misdeed}\" }}\n\
             [plugin.hostile.limits]\nwall_ms = 2000\n"
        ));
        guests.push(guest("guest_hostile"));
    }
    let host = started(Host::prepared(&config, &guests).env("CHATPLUG_LOG", "error"));
    host.wait_for_plugin("no-op", "active");
    if !misdeed.is_empty() {
        host.wait_for_plugin("hostile", "active");
    }
    let load = |pace| Load { address: host.address(), connections: 16, bytes: 400, pace: Some(pace) };
    load(PER_SECOND).run(0..EVENTS)?;
    let times = times(&host)?;
    if misdeed.is_empty() {
        wait_until_done(&host)?;
    }
    Ok(times)
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
