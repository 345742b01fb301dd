//! What the journal adds: a plugin with 0, 1 and 2 changes of its own memory, which is the journalled write alone, and with 1
//! and 2 requests to a fast service on this machine, which are two writes and the way there and back.

use chatplug_tests::{Host, guest};

use super::service::Service;
use super::usage::Usage;
use super::{load, started, wait_until_done};

const EVENTS: usize = 10_000;
const WARM: usize = 1_000;

/// Measures each number of changes and of requests in a host of its own.
pub(crate) fn measure() -> anyhow::Result<()> {
    let service = Service::start()?;
    for (changes, posts) in [(0, 0), (1, 0), (2, 0), (0, 1), (0, 2)] {
        let host = started(Host::prepared(&service.poster(changes, posts), &[guest("guest_poster")]));
        host.wait_for_plugin("poster", "active");
        let load = load(&host, 400);
        load.run(0..WARM)?;
        wait_until_done(&host)?;
        let usage = Usage::begin(host.pid());
        load.run(WARM..WARM + EVENTS)?;
        wait_until_done(&host)?;
        let usage = usage.per(EVENTS);
        println!("journalled: {changes} changes of the plugin's memory, {posts} requests: {usage}");
        service.take();
    }
    Ok(())
}
