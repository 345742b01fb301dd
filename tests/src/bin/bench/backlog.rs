//! A start with a long backlog: how soon the host is ready, how soon it is fast, and what it takes.

use std::path::Path;
use std::time::{Duration, Instant};

use chatplug_tests::{Host, guest};
use rusqlite::{Connection, OpenFlags};

use super::ask::get;
use super::filled::fill;
use super::usage::{cpu, memory_kib};
use super::{NO_OP, started, time_until};

/// How often it is looked how much is done.
const WINDOW: Duration = Duration::from_millis(500);
/// How long it is looked.
const WINDOWS: usize = 40;

/// Starts a host with `pending` deliveries.
pub(crate) fn measure(pending: usize) -> anyhow::Result<()> {
    let host = Host::prepared(NO_OP, &[guest("guest_no_op")]);
    fill(&host.data(), pending, pending)?;
    let began = Instant::now();
    let host = started(host);
    let listening = began.elapsed();
    time_until(|| Ok(get(host.address(), "/readyz")?.0 == 200))?;
    let ready = began.elapsed();
    let progress = Progress::open(&host.data())?;
    time_until(|| Ok(progress.done()? > 0))?;
    let (first, used) = (began.elapsed(), cpu(host.pid()));
    let mut rates = Vec::new();
    let mut done = progress.done()?;
    let from = done;
    while rates.len() < WINDOWS && done < pending {
        let window = Instant::now();
        std::thread::sleep(WINDOW);
        let now = progress.done()?;
        rates.push((began.elapsed(), (now - done) as f64 / window.elapsed().as_secs_f64()));
        done = now;
    }
    let each = (cpu(host.pid()) - used).as_secs_f64() * 1e6 / (done - from).max(1) as f64;
    let full = full_speed(&rates);
    println!(
        "start with {pending} pending deliveries: listening after {listening:.2?}, ready after {ready:.2?}, first runs after \
         {first:.2?}; {full}; {each:.1} µs of the host's CPU time each; resident {} MiB at most, {} MiB of it no file's",
        memory_kib(host.pid(), "VmHWM") / 1024,
        memory_kib(host.pid(), "RssAnon") / 1024
    );
    Ok(())
}

/// The rate that the host keeps, and when it was first nearly reached.
fn full_speed(rates: &[(Duration, f64)]) -> String {
    let mut sorted: Vec<f64> = rates.iter().map(|(_, rate)| *rate).collect();
    sorted.sort_by(f64::total_cmp);
    let kept = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
    let reached = rates.iter().find(|(_, rate)| *rate >= 0.9 * kept).map_or(Duration::ZERO, |(at, _)| *at);
    format!("{kept:.0}/s, nine tenths of it reached after {reached:.2?}")
}

/// How many of the oldest deliveries are done, by the oldest that is not.
struct Progress(Connection);

impl Progress {
    fn open(data: &Path) -> anyhow::Result<Progress> {
        let path = data.join("chatplug.db");
        Ok(Progress(Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?))
    }

    fn done(&self) -> anyhow::Result<usize> {
        let oldest =
            "SELECT coalesce((SELECT min(id) FROM deliveries WHERE state = 'pending' AND plugin = 'no-op'),
                        (SELECT max(id) + 1 FROM deliveries)) - 1";
        Ok(usize::try_from(self.0.query_row(oldest, [], |row| row.get::<_, i64>(0))?)?)
    }
}
