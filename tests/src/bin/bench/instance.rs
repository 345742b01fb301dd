//! What a fresh instance per attempt costs, without door and store.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use chatplug::delivery::{DeliveryId, Outcome};
use chatplug::event::trace_id::TraceId;
use chatplug::event::{Event, EventId};
use chatplug::grant::Policy;
use chatplug::journal::Run;
use chatplug::limits::{Limits, Loading, STACK_BYTES};
use chatplug::runtime::compile::Compiler;
use chatplug::runtime::{Attempt, Runtime, Services, Terms, Version, inspect};
use chatplug_tests::guest;

use super::usage::memory_kib;

const BATCHES: usize = 50;
const BATCH: u32 = 1_000;

/// Runs a plugin that does nothing, one attempt after the other.
pub(crate) fn measure() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?.block_on(attempts())
}

async fn attempts() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let program = std::env::var_os("CHATPLUG_HOST").context("run it with `cargo xtask bench`")?;
    let compiler = Compiler::new(program.into(), folder.path()).map_err(anyhow::Error::msg)?;
    let runtime =
        Runtime::new(Services::none(), STACK_BYTES).map_err(|error| anyhow::anyhow!("{error:#}"))?;
    let loading = Loading::default();
    let bytes = std::fs::read(guest("guest_no_op"))?;
    let inspected = inspect::inspect(&bytes, &loading).map_err(anyhow::Error::msg)?;
    let compiled = compiler.compile("sha256:bench", &bytes, &loading).await.map_err(anyhow::Error::msg)?;
    let resident = || memory_kib(std::process::id(), "VmRSS");
    let before = resident();
    let version = Arc::new(runtime.load(compiled, &inspected).await.map_err(anyhow::Error::msg)?);
    let loaded = resident().saturating_sub(before);
    let terms =
        Arc::new(Terms { policy: Policy::default(), settings: "{}".to_owned(), limits: Limits::default() });
    let event = Arc::new(event());
    let mut times = Vec::new();
    for _ in 0..BATCHES {
        let began = Instant::now();
        for _ in 0..BATCH {
            let report = runtime.run(attempt(&version, &terms, &event)).await;
            anyhow::ensure!(report.outcome == Outcome::Handled, "{:?}", report.outcome);
        }
        times.push(began.elapsed() / BATCH);
    }
    times.sort_unstable();
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    println!(
        "a fresh instance and one call of a no-op plugin of {} kB: median {:.1} µs, best {:.1} µs (one thread); loading it, the \
         first one, took {loaded} KiB",
        bytes.len() / 1000,
        micros(times[times.len() / 2]),
        micros(times[0])
    );
    Ok(())
}

fn attempt(version: &Arc<Version>, terms: &Arc<Terms>, event: &Arc<Event>) -> Attempt {
    let run = Run { delivery: DeliveryId(1), number: 0, root: DeliveryId(1), trace: TraceId::default() };
    Attempt {
        version: version.clone(),
        terms: terms.clone(),
        event: event.clone(),
        run,
        journal: None,
        waited: Duration::ZERO,
        late: false,
        number: 1,
    }
}

fn event() -> Event {
    Event {
        id: EventId(1),
        event_type: "incoming_event".to_owned(),
        source: "livechat".to_owned(),
        organization: None,
        occurred_at_ms: None,
        received_at_ms: 0,
        chat_id: Some("C1".to_owned()),
        thread_id: Some("T1".to_owned()),
        possible_duplicate: false,
        recovered: false,
        own: None,
        payload: "{}".to_owned(),
        extra: "{}".to_owned(),
    }
}
