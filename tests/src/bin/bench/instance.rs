//! What a fresh instance per attempt costs, without door and store.

use std::path::Path;
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
use chatplug::runtime::{Attempt, Runtime, Services, Terms, inspect};
use chatplug_tests::guest;

const BATCHES: usize = 50;
const BATCH: u32 = 1_000;

/// Runs a plugin that does nothing, one attempt after the other.
pub(crate) async fn measure() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let program = std::env::var_os("CHATPLUG_HOST").context("run it with `cargo xtask bench`")?;
    let compiler = Compiler::new(program.into(), folder.path()).map_err(anyhow::Error::msg)?;
    let runtime =
        Runtime::new(Services::none(), STACK_BYTES).map_err(|error| anyhow::anyhow!("{error:#}"))?;
    let loading = Loading::default();
    let bytes = std::fs::read(guest("guest_no_op"))?;
    let inspected = inspect::inspect(&bytes, &loading).map_err(anyhow::Error::msg)?;
    let compiled = compiler.compile("sha256:bench", &bytes, &loading).await.map_err(anyhow::Error::msg)?;
    let before = resident_kib();
    let version = Arc::new(runtime.load(&compiled, &inspected).await.map_err(anyhow::Error::msg)?);
    let loaded = resident_kib().saturating_sub(before);
    let terms =
        Arc::new(Terms { policy: Policy::default(), settings: "{}".to_owned(), limits: Limits::default() });
    let event = Arc::new(event());
    let mut times = Vec::new();
    for _ in 0..BATCHES {
        let began = Instant::now();
        for _ in 0..BATCH {
            let attempt = Attempt {
                version: version.clone(),
                terms: terms.clone(),
                event: event.clone(),
                run: Run {
                    delivery: DeliveryId(1),
                    number: 0,
                    root: DeliveryId(1),
                    trace: TraceId::default(),
                },
                journal: None,
                late: false,
                number: 1,
            };
            let report = runtime.run(attempt).await;
            anyhow::ensure!(report.outcome == Outcome::Handled, "{:?}", report.outcome);
        }
        times.push(began.elapsed() / BATCH);
    }
    times.sort_unstable();
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    println!(
        "a fresh instance and one call of a no-op plugin of {} kB: median {:.1} µs, best {:.1} µs (one thread); loading it took {loaded} KiB",
        bytes.len() / 1000,
        micros(times[times.len() / 2]),
        micros(times[0])
    );
    Ok(())
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
        own: None,
        payload: "{}".to_owned(),
        extra: "{}".to_owned(),
    }
}

/// Resident memory of this process.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string(Path::new("/proc/self/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
