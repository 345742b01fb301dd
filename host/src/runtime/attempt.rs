//! One attempt: a fresh instance, one call, and what its end means.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::runtime::Handle;
use wasmtime::component::ResourceTableError;
use wasmtime::{Store, Trap, UpdateDeadline};

use super::bindings::contract::types as contract;
use super::bindings::{ComponentPre, export};
use super::cpu::{Meter, Metered};
use super::crash;
use super::fuse::Blown;
use super::guest::{Guest, HANDLES_MAX, Parts, RANDOM_BYTES_MAX, RanOut};
use super::log::{Log, Speaker, plain};
use super::steps::Suspend;
use super::{Attempt, Report, Runtime, Terms};
use crate::delivery::{DeliveryId, Outcome, Resource};
use crate::event::trace_id::TraceId;
use crate::event::{Event, types};
use crate::grant::Policy;
use crate::journal::{Header, Journal, Run, Step};
use crate::limits::Limits;
use crate::manifest::Manifest;

/// Runs one event through a plugin. What it uses can be read from the meter meanwhile; its requests are made in the
/// foreground.
pub(super) async fn run(runtime: Runtime, attempt: Attempt, meter: Arc<Meter>, foreground: Handle) -> Report {
    let Attempt { version, terms, event, run, journal, waited, late, number } = attempt;
    let terms = if is_job(&event) { Arc::new(terms.for_jobs()) } else { terms };
    let plugin = version.name.clone();
    let speaker = Speaker {
        plugin: plugin.clone(),
        event: event.id.to_string(),
        delivery: run.delivery.to_string(),
        trace: run.trace,
        chat: event.chat_id.clone(),
    };
    let log = Log::new(speaker, terms.limits.log_bytes);
    if event.event_type == types::COMMAND {
        let mut log = log.lock().expect("nobody else has it yet");
        log.tell(runtime.services.progress.clone(), run.root);
    }
    let mut guest = Guest::new(Parts {
        engine: runtime.engine.clone(),
        log,
        terms,
        services: runtime.services.clone(),
        asks: version.asks.clone(),
        plugin,
        run,
        recorded: journal.is_some(),
        journal: open(journal, &version.hash),
        happened_ms: happened_ms(&event, waited),
        accepted_ms: event.received_at_ms,
        foreground,
        meter: meter.clone(),
    });
    guest.chat_id = event.chat_id.clone();
    guest.thread_id = event.thread_id.clone();
    guest.is_job = is_job(&event);
    guest.fuse = Some(runtime.fuse.clone());
    let argument = contract_event(&event, number, late);
    let (ended, run) = call(&runtime, guest, meter, async |store| {
        let instance = version.instance.instantiate_async(&mut *store).await?;
        instance.chatplug_plugin_plugin().call_handle(&mut *store, &argument).await
    })
    .await;
    let (outcome, crash) = match ended {
        Ok(Ok(())) => (Outcome::Handled, None),
        Ok(Err(export::Failure::Retry(reason))) => (Outcome::Retry(plain(&reason)), None),
        Ok(Err(export::Failure::Reject(reason))) => (Outcome::Reject(plain(&reason)), None),
        Err(Ended { outcome, backtrace }) => {
            let is_crash = !matches!(outcome, Outcome::Suspended { .. } | Outcome::InDoubt(_));
            let crash = is_crash.then(|| crash::report(backtrace, &run.guest, run.cpu, run.wall));
            (outcome, crash)
        }
    };
    let log = run.guest.log.lock().expect("nothing panics while it holds the log").tail();
    let is_stale = run.guest.journal.is_stale();
    let Guest { host_calls, asked_wait, recorded, actions, decisions, .. } = run.guest;
    // What was sent is recorded before anything else happens in the delivery's lane.
    actions.close();
    actions.wait().await;
    Report {
        outcome,
        log,
        crash,
        cpu: run.cpu,
        wall: Duration::ZERO,
        host_calls,
        asked_wait,
        recorded,
        is_stale,
        decisions,
    }
}

/// Whether nobody in a chat waits for it.
fn is_job(event: &Event) -> bool {
    types::is_addressed(&event.event_type) && event.chat_id.is_none()
}

/// The journal of a run, with what earlier runs recorded.
fn open(recorded: Option<(Header, Vec<Step>)>, version: &str) -> Journal {
    let (began_ms, seed) = (Timestamp::now().as_millisecond(), rand::random());
    match recorded {
        Some((header, steps)) => Journal::load(header, steps, version, began_ms, seed),
        None => Journal::new(version, began_ms, seed),
    }
}

/// What `describe` may use.
const DESCRIBE_CPU_MS: u64 = 100;
const DESCRIBE_WALL_MS: u64 = 2_000;

/// Asks a component for its manifest, with nothing granted and little to spend.
pub(super) async fn describe(
    runtime: Runtime,
    instance: ComponentPre<Guest>,
    meter: Arc<Meter>,
) -> Result<Manifest, String> {
    let limits = Limits {
        cpu_ms: DESCRIBE_CPU_MS,
        wall_ms: DESCRIBE_WALL_MS,
        host_calls: 0,
        actions: 0,
        ..Limits::default()
    };
    let terms = Arc::new(Terms { policy: Policy::default(), settings: "{}".to_owned(), limits });
    let speaker = Speaker { plugin: Arc::from("(describe)"), ..Speaker::default() };
    let log = Log::new(speaker, limits.log_bytes);
    let nobody = DeliveryId(0);
    let guest = Guest::new(Parts {
        engine: runtime.engine.clone(),
        terms,
        services: runtime.services.clone(),
        asks: Arc::new(BTreeSet::new()),
        plugin: Arc::from(""),
        run: Run { delivery: nobody, number: 0, root: nobody, trace: TraceId::default() },
        recorded: false,
        // The answer must not depend on when it is asked for.
        journal: Journal::new("", 0, 0),
        happened_ms: 0,
        accepted_ms: 0,
        log,
        foreground: Handle::current(),
        meter: meter.clone(),
    });
    let (ended, _) = call(&runtime, guest, meter, async |store| {
        let instance = instance.instantiate_async(&mut *store).await?;
        instance.chatplug_plugin_plugin().call_describe(&mut *store).await
    })
    .await;
    let text = ended.map_err(|Ended { outcome, .. }| {
        let reason = match outcome.reason().split_once(" (limits.") {
            // The operator's settings are for attempts.
            Some((limit, _)) => format!("{limit} (no setting raises that)"),
            None => outcome.reason().to_owned(),
        };
        format!("`describe` failed ({}): {reason}; it has only to say what the plugin is", outcome.as_str())
    })?;
    Manifest::parse(&text)
}

/// What is left of a guest after a call.
struct Ran {
    guest: Guest,
    cpu: Duration,
    wall: Duration,
}

/// How a call ended that did not return, and where.
struct Ended {
    outcome: Outcome,
    backtrace: Vec<String>,
}

/// Makes one call into a guest under its limits. The error is that it did not return.
async fn call<T>(
    runtime: &Runtime,
    guest: Guest,
    meter: Arc<Meter>,
    call: impl AsyncFnOnce(&mut Store<Guest>) -> wasmtime::Result<T>,
) -> (Result<T, Ended>, Ran) {
    let began = Instant::now();
    let limits = guest.terms.limits;
    let mut store = Store::new(&runtime.engine, guest);
    store.limiter(|guest| &mut guest.memory);
    store.set_hostcall_fuel(limits.hostcall_bytes);
    store.set_epoch_deadline(1);
    let watched = meter.clone();
    store.epoch_deadline_callback(move |_| {
        if watched.used_in_poll() >= limits.cpu() {
            let message =
                format!("more than {} ms of CPU time in one attempt (limits.cpu_ms)", limits.cpu_ms);
            return Err(RanOut(Resource::Cpu, message).into());
        }
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    });
    let running = Metered::new(call(&mut store), meter.clone());
    let ended = tokio::time::timeout(limits.wall(), running).await;
    let guest = store.into_data();
    let result = match ended {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => {
            let outcome = failure(&error, &guest, runtime.stack_bytes);
            Err(Ended { outcome, backtrace: crash::backtrace(&error) })
        }
        Err(_) => {
            let message = format!("more than {} ms in one attempt (limits.wall_ms)", limits.wall_ms);
            Err(Ended { outcome: Outcome::OutOf(Resource::Time, message), backtrace: Vec::new() })
        }
    };
    (result, Ran { guest, cpu: meter.used(), wall: began.elapsed() })
}

/// When an event happened, by the machine's clock; where the platform doesn't say, when it was received.
fn happened_ms(event: &Event, waited: Duration) -> i64 {
    event.occurred_at_ms.unwrap_or_else(|| {
        let waited_ms = i64::try_from(waited.as_millis()).unwrap_or(i64::MAX);
        Timestamp::now().as_millisecond().saturating_sub(waited_ms)
    })
}

/// What an error of the engine says about the attempt.
fn failure(error: &wasmtime::Error, guest: &Guest, stack_bytes: usize) -> Outcome {
    if let Some(RanOut(resource, message)) = error.downcast_ref::<RanOut>() {
        return Outcome::OutOf(*resource, message.clone());
    }
    if let Some(Blown(reason)) = error.downcast_ref::<Blown>() {
        return Outcome::Fuse(reason.clone());
    }
    match error.downcast_ref::<Suspend>() {
        Some(Suspend::Wait(reason, wait)) => {
            return Outcome::Suspended { reason: plain(reason), wait: *wait, by_host: false };
        }
        Some(Suspend::Host(reason, wait)) => {
            return Outcome::Suspended { reason: plain(reason), wait: *wait, by_host: true };
        }
        Some(Suspend::Doubt(reason)) => return Outcome::InDoubt(plain(reason)),
        None => {}
    }
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        let reason = "the pool of instances is full".to_owned();
        return Outcome::Suspended { reason, wait: Duration::from_secs(1), by_host: true };
    }
    if let Some(Trap::StackOverflow) = error.downcast_ref::<Trap>() {
        let message =
            format!("more than {stack_bytes} bytes of stack (plugins.stack_bytes): endless recursion?");
        return Outcome::OutOf(Resource::Memory, message);
    }
    if let Some(message) = full(error, guest) {
        return Outcome::OutOf(Resource::Memory, message);
    }
    if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        return Outcome::Trapped(format!("the plugin called exit({}) instead of returning", exit.0));
    }
    let panic = guest.log.lock().expect("nothing panics while it holds the log").panic.clone();
    Outcome::Trapped(panic.unwrap_or_else(|| format!("{}", error.root_cause())))
}

/// Which room was full, if that is what ended the guest.
fn full(error: &wasmtime::Error, guest: &Guest) -> Option<String> {
    if let Some(ResourceTableError::Full) = error.downcast_ref::<ResourceTableError>() {
        return Some(format!(
            "more than {HANDLES_MAX} open handles: drop those that are not needed any more"
        ));
    }
    // The engine has no types for these two that could be named here.
    let cause = error.root_cause().to_string();
    if is_too_random(&cause) {
        return Some(format!(
            "more than {RANDOM_BYTES_MAX} random bytes in one call (no setting raises that): draw fewer at a time"
        ));
    }
    if cause.contains("fuel allocated for hostcalls") {
        let max = guest.terms.limits.hostcall_bytes;
        return Some(format!(
            "more than {max} bytes in one call between plugin and host (limits.hostcall_bytes)"
        ));
    }
    // A guest that goes on after a refusal and panics later says itself what ended it.
    let has_panicked = guest.log.lock().expect("nothing panics while it holds the log").panic.is_some();
    guest.memory.refused().filter(|_| !has_panicked).map(str::to_owned)
}

/// Whether these are the engine's words for more random bytes than one call may draw.
fn is_too_random(cause: &str) -> bool {
    cause.starts_with("requested len ") && cause.contains(" exceeds limit ")
}

fn contract_event(event: &Event, number: u32, late: bool) -> contract::Event {
    let unsigned = |ms: i64| u64::try_from(ms).unwrap_or(0);
    let mut flags = Vec::new();
    if event.possible_duplicate {
        flags.push("possible-duplicate".to_owned());
    }
    if event.recovered {
        flags.push("recovered".to_owned());
    }
    if event.own.is_some() {
        flags.push("own".to_owned());
    }
    if late {
        flags.push("late".to_owned());
    }
    contract::Event {
        id: event.id.to_string(),
        event_type: event.event_type.clone(),
        source: event.source.clone(),
        organization: event.organization.clone(),
        occurred_at_ms: event.occurred_at_ms.map(unsigned),
        received_at_ms: unsigned(event.received_at_ms),
        chat_id: event.chat_id.clone(),
        thread_id: event.thread_id.clone(),
        attempt: number,
        flags,
        payload: event.payload.clone(),
        extra: event.extra.clone(),
    }
}

#[cfg(test)]
mod tests {
    use wasmtime_wasi::WasiCtxBuilder;
    use wasmtime_wasi::p2::bindings::random::random::Host;

    use super::*;

    #[test]
    fn the_engines_words_for_too_many_random_bytes_are_known() {
        let mut wasi = WasiCtxBuilder::new().max_random_size(RANDOM_BYTES_MAX).build();
        let drawn = wasi.random().get_random_bytes(RANDOM_BYTES_MAX).expect("as many as are allowed");
        assert_eq!(drawn.len() as u64, RANDOM_BYTES_MAX);
        let error = wasi.random().get_random_bytes(RANDOM_BYTES_MAX + 1).expect_err("one too many");
        assert!(is_too_random(&error.root_cause().to_string()), "{error}");
    }
}
