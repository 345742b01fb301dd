//! Measures the real executable. Figures are for comparing on one machine, in one run: `docs/performance.md`.

use std::time::{Duration, Instant};

use anyhow::bail;
use chatplug::store::Reader;
use chatplug_tests::{Host, guest};

mod instance;
mod load;
mod swap;

use load::Load;

const NO_OP: &str = "[plugin.no-op]\nevents = [\"incoming_event\"]\n";
/// Connections of the load generator, each with one request under way.
const CONNECTIONS: usize = 256;

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        match args.first().map(String::as_str) {
            None => {
                accept().await?;
                dispatch().await?;
                drain().await?;
                instance::measure().await?;
                swap::measure().await
            }
            Some("accept") => accept().await,
            Some("dispatch") => dispatch().await,
            Some("drain") => drain().await,
            Some("instance") => instance::measure().await,
            Some("swap") => swap::measure().await,
            Some(other) => {
                bail!("no such benchmark: {other}; there are accept, dispatch, drain, instance and swap")
            }
        }
    })
}

/// Webhooks that are authenticated and stored, with no plugin.
async fn accept() -> anyhow::Result<()> {
    for bytes in [400, 2048] {
        let host = Host::prepared("", &[]).env("CHATPLUG_LOG", "warn");
        let host = started(host);
        let load = Load { address: host.address(), connections: CONNECTIONS, bytes };
        load.run(0..20_000).await?;
        let report = load.run(20_000..220_000).await?;
        println!("accept, {bytes} B bodies, no plugin: {report}");
    }
    Ok(())
}

/// The whole way: accepted, stored, run through a plugin that does nothing, outcome stored.
async fn dispatch() -> anyhow::Result<()> {
    const EVENTS: usize = 100_000;
    let host = started(Host::prepared(NO_OP, &[guest("guest_no_op")]).env("CHATPLUG_LOG", "warn"));
    host.wait_for_plugin("no-op", "active");
    let load = Load { address: host.address(), connections: CONNECTIONS, bytes: 400 };
    load.run(0..10_000).await?;
    wait_until_done(&host)?;
    let began = Instant::now();
    let report = load.run(10_000..10_000 + EVENTS).await?;
    wait_until_done(&host)?;
    println!(
        "door, no-op plugin and outcome: {:.0} events/s (accepting: {report})",
        EVENTS as f64 / began.elapsed().as_secs_f64()
    );
    Ok(())
}

/// A backlog that was stored while the plugin was away.
async fn drain() -> anyhow::Result<()> {
    const EVENTS: usize = 200_000;
    let host = started(Host::prepared(NO_OP, &[]).env("CHATPLUG_LOG", "warn"));
    Load { address: host.address(), connections: CONNECTIONS, bytes: 400 }.run(0..EVENTS).await?;
    host.drop_file(&guest("guest_no_op"), "no-op.wasm");
    host.wait_for_plugin("no-op", "active");
    let (began, left) = (Instant::now(), pending(&host)?);
    wait_until_done(&host)?;
    println!(
        "draining a stored backlog of {left} through a no-op plugin: {:.0} events/s",
        left as f64 / began.elapsed().as_secs_f64()
    );
    Ok(())
}

fn started(mut host: Host) -> Host {
    host.run();
    host
}

fn pending(host: &Host) -> anyhow::Result<u64> {
    Ok(Reader::open(&host.data())?.map(|reader| reader.pending()).transpose()?.unwrap_or(0))
}

fn wait_until_done(host: &Host) -> anyhow::Result<()> {
    while pending(host)? > 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
