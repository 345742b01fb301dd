//! From accepting an event to the plugin's start, while the host has time.

use chatplug_tests::{Host, guest};

use super::ask::{buckets, metrics, within};
use super::load::Load;
use super::usage::Usage;
use super::{NO_OP, started, wait_until_done};

const PER_SECOND: f64 = 1_000.0;
const EVENTS: usize = 20_000;

/// Posts 1,000 events in a second, for twenty seconds. The host itself measures, for its operator's metrics.
pub(crate) fn measure() -> anyhow::Result<()> {
    let host = started(Host::prepared(NO_OP, &[guest("guest_no_op")]));
    host.wait_for_plugin("no-op", "active");
    let load = Load { address: host.address(), connections: 64, bytes: 400, pace: Some(PER_SECOND) };
    let usage = Usage::begin(host.pid());
    let report = load.run(0..EVENTS)?;
    let usage = usage.per(EVENTS);
    wait_until_done(&host)?;
    let metrics = metrics(&host)?;
    let at = |name: &str, share: f64| within(&buckets(&metrics, name), share);
    println!("at {PER_SECOND} events/s: {usage}; answered: {report}");
    for (name, what) in [
        ("chatplug_dispatch_lag_seconds", "from accepting to the plugin's start"),
        ("chatplug_store_commit_seconds", "a commit"),
    ] {
        println!("at {PER_SECOND} events/s, {what}: p50 {}, p99 {}", at(name, 0.5), at(name, 0.99));
    }
    Ok(())
}
