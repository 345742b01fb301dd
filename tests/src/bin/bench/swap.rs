//! How long it takes from the rename of a file to the first event on the new code.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chatplug::store::{EventFilter, Reader};
use chatplug_tests::{Host, guest, version};
use jiff::Timestamp;

use super::load::Load;
use super::{NO_OP, started};

const SWAPS: u32 = 20;
const FILE: &str = "no_op.wasm";
/// Longer than a compile may take.
const TIME: Duration = Duration::from_secs(40);

/// Swaps versions that have to be compiled, and then between two that are known; webhooks come in all the time.
pub(crate) fn measure() -> anyhow::Result<()> {
    let host = started(Host::prepared(NO_OP, &[]).env("CHATPLUG_LOG", "warn"));
    host.drop_bytes(&version(&guest("guest_no_op"), 0), FILE);
    host.wait_for_plugin("no-op", "active");
    let mut sent = 0;
    let mut fresh = Vec::new();
    for number in 1..=SWAPS {
        fresh.push(swap(&host, number, &mut sent)?);
    }
    let mut known = Vec::new();
    for turn in 0..SWAPS {
        known.push(swap(&host, SWAPS - 1 + turn % 2, &mut sent)?);
    }
    let bytes = version(&guest("guest_no_op"), 0).len() / 1000;
    for (what, mut times) in [("compiled now", fresh), ("compiled before", known)] {
        times.sort_unstable();
        println!(
            "swap, plugin of {bytes} kB, {what}: median {} ms, worst {} ms from the rename to the end of the first event",
            times[times.len() / 2],
            times[times.len() - 1]
        );
    }
    Ok(())
}

/// Milliseconds from the rename to the end of the first event that ran on the version.
fn swap(host: &Host, number: u32, sent: &mut usize) -> anyhow::Result<i64> {
    let reader = Reader::open(&host.data())?.context("the store")?;
    let component = version(&guest("guest_no_op"), number);
    let versions = |reader: &Reader| -> anyhow::Result<Vec<(Option<String>, Option<String>)>> {
        let filter = EventFilter { limit: 20, ..EventFilter::default() };
        let deliveries = reader.events(&filter)?.into_iter().flat_map(|event| event.deliveries);
        Ok(deliveries.map(|delivery| (delivery.version, delivery.ended_at)).collect())
    };
    let load = Load { address: host.address(), connections: 1, bytes: 400, pace: None };
    let before = reader.versions()?.into_iter().filter_map(|known| known.active_at_ms).max();
    let (began, renamed) = (Timestamp::now(), Instant::now());
    host.drop_bytes(&component, FILE);
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
