//! What a well-behaved plugin feels of a hostile one beside it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use chatplug::store::Reader;
use chatplug_tests::raw::{Raw, large_function};
use chatplug_tests::{Host, guest, version};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use super::awake::Awake;
use super::load::{Load, due_after};
use super::service::{Asked, Service};
use super::{started, time_until};

const PER_SECOND: f64 = 100.0;
const WARM: usize = 100;
const EVENTS: usize = 2_000;
/// What the neighbour does at each event.
const MISDEEDS: [&str; 7] = ["panic", "calls", "memory", "log", "sleep", "loop", "recursion"];
/// A function of so many bytes is just within the limit; the compiler is busy with it for seconds.
const FUNCTION_BYTES: usize = 500 << 10;

/// Posts 100 events in a second, for twenty seconds, to a plugin that asks a service once for each: alone, beside one that
/// does each of its misdeeds at every event, while files are dropped that keep the host busy, and alone again, which says
/// how much of a difference is none. The limits are the default ones, but for what would take minutes.
pub(crate) fn measure() -> anyhow::Result<()> {
    let _awake = Awake::begin();
    let stage = Stage { service: Service::start()? };
    let alone = Times(stage.posted(&stage.alone())?);
    println!("{alone} alone");
    let tell = |times: Vec<Duration>, what: &str| {
        let times = Times(times);
        let more = times.at(0.99).as_secs_f64() / alone.at(0.99).as_secs_f64() - 1.0;
        println!("{times} {what}: p99 {:+.0} %", more * 100.0);
    };
    for misdeed in MISDEEDS {
        tell(stage.posted(&stage.beside(misdeed))?, &format!("beside `{misdeed}`"));
    }
    let folder = tempfile::tempdir()?;
    let large = folder.path().join("large.wasm");
    let function = large_function(FUNCTION_BYTES);
    std::fs::write(&large, Raw { fields: &function, ..Raw::new("large") }.component())?;
    for (what, component) in [
        ("files with a large function", large),
        ("files whose `describe` loops", guest("guest_describe_loops")),
    ] {
        let (times, dropped) = stage.posted_while_dropping(&component)?;
        tell(times, &format!("beside {dropped} {what}"));
    }
    tell(stage.posted(&stage.alone())?, "alone again");
    Ok(())
}

/// Times, sorted.
struct Times(Vec<Duration>);

impl Times {
    fn at(&self, share: f64) -> Duration {
        self.0[((self.0.len() - 1) as f64 * share) as usize]
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |share| self.at(share).as_secs_f64() * 1e3;
        let (p50, p99) = (ms(0.5), ms(0.99));
        write!(
            f,
            "at {PER_SECOND} events/s, from the webhook to the plugin's request: p50 {p50:.2} ms, p99 {p99:.2} ms,"
        )
    }
}

/// What the well-behaved plugin asks.
struct Stage {
    service: Service,
}

impl Stage {
    /// A host with the well-behaved plugin alone.
    fn alone(&self) -> Host {
        let host = started(Host::prepared(&self.service.poster(0, 1), &[guest("guest_poster")]));
        host.wait_for_plugin("poster", "active");
        host
    }

    /// One with both.
    fn beside(&self, misdeed: &str) -> Host {
        let config = format!(
            "{}[plugin.hostile]\nevents = [\"incoming_event\"]\ndenies = [\"chats.tag\"]\n\
             settings = {{ do = \"{misdeed}\" }}\n[plugin.hostile.limits]\nwall_ms = 2000\n",
            self.service.poster(0, 1)
        );
        let host = started(Host::prepared(&config, &[guest("guest_poster"), guest("guest_hostile")]));
        host.wait_for_plugin("poster", "active");
        host.wait_for_plugin("hostile", "active");
        host
    }

    /// The times from when each webhook was due until the plugin asked the service, sorted.
    fn posted(&self, host: &Host) -> anyhow::Result<Vec<Duration>> {
        let load = Load { address: host.address(), connections: 16, bytes: 400, pace: Some(PER_SECOND) };
        load.run(0..WARM)?;
        self.wait_for(WARM);
        let began = load.run(WARM..WARM + EVENTS)?.began;
        let asked = self.wait_for(EVENTS);
        let numbers = numbers(host)?;
        let time = |asked: &Asked| {
            let body: Value = serde_json::from_slice(&asked.body)?;
            let text = body["text"].as_str().context("a text")?;
            let (id, _) = text.trim_start_matches("ev-").split_once(' ').context("an event's id")?;
            let before = numbers[id.parse::<usize>()?] - WARM;
            Ok(asked.at.saturating_duration_since(began + due_after(before, PER_SECOND)))
        };
        let mut times = asked.iter().map(time).collect::<anyhow::Result<Vec<_>>>()?;
        times.sort_unstable();
        Ok(times)
    }

    /// Waits until the service was asked so often; the other plugin has a backlog.
    fn wait_for(&self, count: usize) -> Vec<Asked> {
        let mut asked = Vec::new();
        while asked.len() < count {
            asked.extend(self.service.take());
            thread::sleep(Duration::from_millis(20));
        }
        asked
    }

    /// The same while versions of a component are dropped; with how many.
    fn posted_while_dropping(&self, component: &Path) -> anyhow::Result<(Vec<Duration>, u32)> {
        let (host, is_over) = (self.alone(), AtomicBool::new(false));
        thread::scope(|scope| {
            let dropping = scope.spawn(|| drop_versions(&host, component, &is_over));
            let times = self.posted(&host);
            is_over.store(true, Ordering::Relaxed);
            let dropped = dropping.join().expect("it does not panic");
            Ok((times?, dropped?))
        })
    }
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

/// Which webhook an event was, by its id: where two are under way at the same time, the host may take the later one first.
fn numbers(host: &Host) -> anyhow::Result<Vec<usize>> {
    let store =
        Connection::open_with_flags(host.data().join("chatplug.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut select = store.prepare("SELECT id, payload ->> '$.event.id' FROM events")?;
    let mut rows = select.query([])?;
    let mut numbers = vec![0; WARM + EVENTS + 1];
    while let Some(row) = rows.next()? {
        let (id, event) = (row.get::<_, i64>(0)?, row.get::<_, String>(1)?);
        let number = numbers.get_mut(usize::try_from(id)?).context("more events than were posted")?;
        *number = event.rsplit('_').next().context("a number")?.parse()?;
    }
    Ok(numbers)
}
