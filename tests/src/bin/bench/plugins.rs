//! What loaded plugins cost that have nothing to do.

use std::path::PathBuf;

use anyhow::Context;
use chatplug_tests::{Host, guest};

use super::usage::{cpu, memory_kib};
use super::{NO_OP, started, through, time_until};

const EVENTS: usize = 50_000;
/// The name that the component was built with; it stands in it as it is, and so can be changed.
const NAME: &[u8] = b"no-op-0000";

/// The cost of an event with one plugin alone, and with ever more idle ones beside it.
pub(crate) fn measure(most: usize) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    println!("an idle host without plugins: {:.1} MiB", mib(&started(Host::prepared("", &[]))));
    for idle in [0, 10.min(most), most] {
        let mut config = NO_OP.to_owned();
        for number in 0..idle {
            config.push_str(&format!("[plugin.no-op-{number:04}]\nevents = [\"chat_rated\"]\n"));
        }
        let host = started(Host::prepared(&config, &[guest("guest_no_op")]));
        host.wait_for_plugin("no-op", "active");
        let copies = copies(idle, folder.path())?;
        let (before, used) = (memory_kib(host.pid(), "VmRSS"), cpu(host.pid()));
        for (number, copy) in copies.iter().enumerate() {
            host.drop_file(copy, &format!("no-op-{number:04}.wasm"));
        }
        let took = time_until(|| Ok(active(&host) == idle + 1))?;
        let (after, used) = (memory_kib(host.pid(), "VmRSS"), cpu(host.pid()) - used);
        match idle {
            0 => println!("an idle host with the no-op plugin: {:.1} MiB", mib(&host)),
            _ => println!(
                "{idle} idle plugins: compiled and loaded in {took:.1?} ({used:.1?} of the host's own CPU time), \
                 {:.0} KiB each, the host with them {:.1} MiB",
                after.saturating_sub(before) as f64 / idle as f64,
                mib(&host)
            ),
        }
        println!("door, no-op plugin and outcome beside {idle} idle plugins: {}", through(&host, 0, EVENTS)?);
    }
    Ok(())
}

/// The host's resident memory.
fn mib(host: &Host) -> f64 {
    memory_kib(host.pid(), "VmRSS") as f64 / 1024.0
}

fn active(host: &Host) -> usize {
    let listed = host.json(&["plugins", "list"]);
    listed.as_array().map_or(0, |all| all.iter().filter(|plugin| plugin["state"] == "active").count())
}

/// Components that differ in their name only.
fn copies(count: usize, folder: &std::path::Path) -> anyhow::Result<Vec<PathBuf>> {
    let bytes = std::fs::read(guest("guest_no_op_numbered"))?;
    let at =
        bytes.windows(NAME.len()).position(|window| window == NAME).context("the component has its name")?;
    let copy = |number: usize| -> anyhow::Result<PathBuf> {
        let mut copy = bytes.clone();
        copy[at..at + NAME.len()].copy_from_slice(format!("no-op-{number:04}").as_bytes());
        let path = folder.join(format!("{number}.wasm"));
        std::fs::write(&path, copy)?;
        Ok(path)
    };
    (0..count).map(copy).collect()
}
