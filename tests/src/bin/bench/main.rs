//! Measures the real executable. Figures are for comparing on one machine, in one run: `docs/performance.md`.

use std::time::{Duration, Instant};

use anyhow::Context;
use chatplug::store::Reader;
use chatplug_tests::{Host, guest};
use clap::Parser;
use tikv_jemallocator::Jemalloc;

mod actions;
mod ask;
mod awake;
mod backlog;
mod disk;
mod filled;
mod instance;
mod lag;
mod load;
mod neighbour;
mod plugins;
mod retention;
mod service;
mod stored;
mod swap;
mod timers;
mod usage;

use load::Load;
use usage::Usage;

/// The allocator of the host, a part of which `instance` runs in this process.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

const NO_OP: &str = "[plugin.no-op]\nevents = [\"incoming_event\"]\n";
/// Connections of the load generator, each with one request under way.
const CONNECTIONS: usize = 256;

/// What to measure, and how much of it.
#[derive(Parser)]
#[command(name = "cargo xtask bench")]
struct Options {
    /// What to measure; everything if nothing is named.
    names: Vec<String>,
    /// Events that `stored` fills the store with.
    #[arg(long, default_value_t = 2_000_000)]
    events: usize,
    /// Plugins that `plugins` loads.
    #[arg(long, default_value_t = 100)]
    plugins: usize,
    /// Pending deliveries that `backlog` starts with.
    #[arg(long, default_value_t = 1_000_000)]
    pending: usize,
}

type Measure = fn(&Options) -> anyhow::Result<()>;

const MEASURES: [(&str, Measure); 14] = [
    ("disk", |_| disk::measure()),
    ("accept", |_| accept()),
    ("dispatch", |_| dispatch()),
    ("drain", |_| drain()),
    ("instance", |_| instance::measure()),
    ("lag", |_| lag::measure()),
    ("actions", |_| actions::measure()),
    ("plugins", |options| plugins::measure(options.plugins)),
    ("stored", |options| stored::measure(options.events)),
    ("backlog", |options| backlog::measure(options.pending)),
    ("neighbour", |_| neighbour::measure()),
    ("swap", |_| swap::measure()),
    ("timers", |_| timers::measure()),
    ("retention", |_| retention::measure()),
];

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let find = |name: &String| {
        let known = MEASURES.map(|(name, _)| name).join(", ");
        let found = MEASURES.iter().find(|(known, _)| known == name);
        found.with_context(|| format!("no such measurement: {name}; there are {known}"))
    };
    let mut chosen = options.names.iter().map(find).collect::<anyhow::Result<Vec<_>>>()?;
    if chosen.is_empty() {
        chosen = MEASURES.iter().collect();
    }
    chosen.into_iter().try_for_each(|(_, measure)| measure(&options))
}

/// Webhooks that are authenticated and stored, with no plugin.
fn accept() -> anyhow::Result<()> {
    for bytes in [400, 2048] {
        let host = started(Host::prepared("", &[]));
        let load = load(&host, bytes);
        load.run(0..20_000)?;
        let usage = Usage::begin(host.pid());
        let report = load.run(20_000..220_000)?;
        println!("accept, {bytes} B bodies, no plugin: {}; {report}", usage.per(200_000));
    }
    Ok(())
}

/// The whole way: accepted, stored, run through a plugin that does nothing, outcome stored.
fn dispatch() -> anyhow::Result<()> {
    let host = started(Host::prepared(NO_OP, &[guest("guest_no_op")]));
    host.wait_for_plugin("no-op", "active");
    println!("door, no-op plugin and outcome: {}", through(&host, 0, 100_000)?);
    Ok(())
}

/// A backlog that was stored while the plugin was away.
fn drain() -> anyhow::Result<()> {
    const EVENTS: usize = 200_000;
    let host = started(Host::prepared(NO_OP, &[]));
    load(&host, 400).run(0..EVENTS)?;
    host.drop_file(&guest("guest_no_op"), "no-op.wasm");
    host.wait_for_plugin("no-op", "active");
    let (usage, left) = (Usage::begin(host.pid()), pending(&host)?);
    wait_until_done(&host)?;
    println!("draining a stored backlog of {left} through a no-op plugin: {}", usage.per(left as usize));
    Ok(())
}

/// Posts `count` events and waits until the plugin has run for all; after a tenth as many that don't count.
fn through(host: &Host, first: usize, count: usize) -> anyhow::Result<String> {
    let warm = first + count / 10;
    let load = load(host, 400);
    load.run(first..warm)?;
    wait_until_done(host)?;
    let usage = Usage::begin(host.pid());
    load.run(warm..warm + count)?;
    wait_until_done(host)?;
    Ok(usage.per(count))
}

fn load(host: &Host, bytes: usize) -> Load {
    Load { address: host.address(), connections: CONNECTIONS, bytes, pace: None }
}

fn started(host: Host) -> Host {
    let mut host = host.env("CHATPLUG_LOG", "warn");
    host.run();
    host
}

fn pending(host: &Host) -> anyhow::Result<u64> {
    Ok(Reader::open(&host.data())?.map(|reader| reader.pending()).transpose()?.unwrap_or(0))
}

/// Waits until nothing is pending; counting what is left takes the longer the more it is.
fn wait_until_done(host: &Host) -> anyhow::Result<()> {
    while pending(host)? > 0 {
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Waits until something is so; answers how long that took.
fn time_until(mut is_so: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<Duration> {
    let began = Instant::now();
    while !is_so()? {
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(began.elapsed())
}
