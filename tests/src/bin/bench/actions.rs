//! What a journalled action adds: a plugin with 0, 1 and 2 requests to a fast service on this machine.

use chatplug_tests::{Host, guest};

use super::service::Service;
use super::usage::Usage;
use super::{load, started, wait_until_done};

const EVENTS: usize = 10_000;
const WARM: usize = 1_000;

/// Measures each number of actions in a host of its own.
pub(crate) fn measure() -> anyhow::Result<()> {
    let service = Service::start()?;
    for actions in 0..=2 {
        let host = started(Host::prepared(&service.poster(actions), &[guest("guest_poster")]));
        host.wait_for_plugin("poster", "active");
        let load = load(&host, 400);
        load.run(0..WARM)?;
        wait_until_done(&host)?;
        let usage = Usage::begin(host.pid());
        load.run(WARM..WARM + EVENTS)?;
        wait_until_done(&host)?;
        println!("a plugin with {actions} journalled actions: {}", usage.per(EVENTS));
        service.take();
    }
    Ok(())
}
