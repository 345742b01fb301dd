//! How long it takes from the rename of a file to the first event on the new code.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chatplug::store::{EventFilter, Reader};
use chatplug_tests::raw::Raw;
use chatplug_tests::{Host, guest, version};
use jiff::Timestamp;

use super::load::Load;
use super::started;

const SWAPS: u32 = 20;
const FILE: &str = "plugin.wasm";
/// Longer than a compile may take.
const TIME: Duration = Duration::from_secs(40);

/// Swaps versions of the plugin that does nothing, and of one written by hand that is so small that compiling it is hardly more
/// than the start of the child process that does it.
pub(crate) fn measure() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let small = folder.path().join("small.wasm");
    std::fs::write(&small, Raw::new("small").component())?;
    swaps("no-op", &guest("guest_no_op"))?;
    swaps("small", &small)
}

/// Swaps versions that have to be compiled, and then between two that are known; webhooks come in all the time.
fn swaps(plugin: &str, component: &Path) -> anyhow::Result<()> {
    let config = format!("[plugin.{plugin}]\nevents = [\"incoming_event\"]\n");
    let host = started(Host::prepared(&config, &[]).env("CHATPLUG_LOG", "warn"));
    host.drop_bytes(&version(component, 0), FILE);
    host.wait_for_plugin(plugin, "active");
    let mut sent = 0;
    let mut fresh = Vec::new();
    for number in 1..=SWAPS {
        fresh.push(swap(&host, &version(component, number), &mut sent)?);
    }
    let mut known = Vec::new();
    for turn in 0..SWAPS {
        known.push(swap(&host, &version(component, SWAPS - 1 + turn % 2), &mut sent)?);
    }
    let kb = version(component, 0).len() as f64 / 1000.0;
    for (what, mut times) in [("compiled now", fresh), ("compiled before", known)] {
        times.sort_unstable();
        println!(
            "swap, plugin of {kb:.1} kB, {what}: median {} ms, worst {} ms from the rename to the end of the first event",
            times[times.len() / 2],
            times[times.len() - 1]
        );
    }
    Ok(())
}

/// Milliseconds from the rename to the end of the first event that ran on the version.
fn swap(host: &Host, component: &[u8], sent: &mut usize) -> anyhow::Result<i64> {
    let reader = Reader::open(&host.data())?.context("the store")?;
    let versions = |reader: &Reader| -> anyhow::Result<Vec<(Option<String>, Option<String>)>> {
        let filter = EventFilter { limit: 20, ..EventFilter::default() };
        let deliveries = reader.events(&filter)?.into_iter().flat_map(|event| event.deliveries);
        Ok(deliveries.map(|delivery| (delivery.version, delivery.ended_at)).collect())
    };
    let load = Load { address: host.address(), connections: 1, bytes: 400, pace: None };
    let before = reader.versions()?.into_iter().filter_map(|known| known.active_at_ms).max();
    let (began, renamed) = (Timestamp::now(), Instant::now());
    host.drop_bytes(component, FILE);
    loop {
        load.run(*sent..*sent + 5)?;
        *sent += 5;
        let newest = reader.versions()?.into_iter().max_by_key(|known| known.active_at_ms);
        let newest = newest.filter(|known| known.active_at_ms > before).map(|known| known.name.hash);
        let ran =
            versions(&reader)?.into_iter().filter(|(version, _)| newest.is_some() && *version == newest);
        let ended =
            ran.filter_map(|(_, ended_at)| ended_at?.parse::<Timestamp>().ok()).filter(|at| *at >= began);
        if let Some(first) = ended.min() {
            return Ok(first.as_millisecond() - began.as_millisecond());
        }
        if renamed.elapsed() > TIME {
            bail!("the version did not become active:\n{}", host.log_end());
        }
    }
}
