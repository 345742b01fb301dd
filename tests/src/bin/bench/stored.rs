//! What an event costs in an empty store, and in one that holds millions.

use std::time::Instant;

use chatplug_tests::{Host, guest};

use super::filled::fill;
use super::{NO_OP, started, through};

const EVENTS: usize = 50_000;

/// Measures the same with nothing stored and with `stored` events.
pub(crate) fn measure(stored: usize) -> anyhow::Result<()> {
    for stored in [0, stored] {
        let host = Host::prepared(NO_OP, &[guest("guest_no_op")]);
        if stored > 0 {
            let began = Instant::now();
            fill(&host.data(), stored, 0)?;
            let bytes = std::fs::metadata(host.data().join("chatplug.db"))?.len();
            println!("filled a store with {stored} events in {:.0?}: {} MiB", began.elapsed(), bytes >> 20);
        }
        let host = started(host);
        host.wait_for_plugin("no-op", "active");
        println!(
            "door, no-op plugin and outcome beside {stored} stored events: {}",
            through(&host, 0, EVENTS)?
        );
    }
    Ok(())
}
