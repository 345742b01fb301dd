//! One attempt: a fresh instance, one call, and what its end means.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::{Engine, Store, Trap, UpdateDeadline};

use super::bindings::contract::types;
use super::bindings::{ComponentPre, export};
use super::cpu::{Meter, Metered};
use super::guest::{Guest, RanOut};
use super::log::{Log, Speaker, plain};
use super::{Attempt, Report, Services, Terms};
use crate::delivery::{Outcome, Resource};
use crate::event::Event;
use crate::grant::Policy;
use crate::limits::Limits;
use crate::manifest::Manifest;

/// Runs one event through a plugin.
pub(super) async fn run(engine: &Engine, attempt: Attempt, services: Services) -> Report {
    let Attempt { version, terms, event, delivery, number } = attempt;
    let plugin = version.name.clone();
    let speaker = Speaker {
        plugin: plugin.clone(),
        event: event.id.to_string(),
        delivery: delivery.to_string(),
        chat: event.chat_id.clone(),
    };
    let log = Log::new(speaker, terms.limits.log_bytes);
    let guest = Guest::new(terms, services, version.asks.clone(), plugin, delivery.0, log);
    let argument = contract_event(&event, number);
    let (ended, run) = call(engine, guest, async |store| {
        let instance = version.instance.instantiate_async(&mut *store).await?;
        instance.chatplug_plugin_plugin().call_handle(&mut *store, &argument).await
    })
    .await;
    let outcome = match ended {
        Ok(Ok(())) => Outcome::Handled,
        Ok(Err(export::Failure::Retry(reason))) => Outcome::Retry(plain(&reason)),
        Ok(Err(export::Failure::Reject(reason))) => Outcome::Reject(plain(&reason)),
        Err(failure) => failure,
    };
    let log = run.guest.log.lock().expect("nothing panics while it holds the log").tail();
    let Guest { host_calls, asked_wait, .. } = run.guest;
    Report { outcome, log, cpu: run.cpu, wall: Duration::ZERO, host_calls, asked_wait }
}

/// Asks a component for its manifest, with nothing granted and little to spend.
pub(super) async fn describe(
    engine: &Engine,
    instance: &ComponentPre<Guest>,
    services: &Services,
) -> Result<Manifest, String> {
    let limits = Limits { cpu_ms: 100, wall_ms: 2_000, host_calls: 0, actions: 0, ..Limits::default() };
    let terms = Arc::new(Terms { policy: Policy::default(), settings: "{}".to_owned(), limits });
    let speaker = Speaker { plugin: Arc::from("(describe)"), ..Speaker::default() };
    let log = Log::new(speaker, limits.log_bytes);
    let guest = Guest::new(terms, services.clone(), Arc::new(BTreeSet::new()), Arc::from(""), 0, log);
    let (ended, _) = call(engine, guest, async |store| {
        let instance = instance.instantiate_async(&mut *store).await?;
        instance.chatplug_plugin_plugin().call_describe(&mut *store).await
    })
    .await;
    let text =
        ended.map_err(|outcome| format!("`describe` failed ({}): {}", outcome.as_str(), outcome.reason()))?;
    Manifest::parse(&text)
}

/// What is left of a guest after a call.
struct Ran {
    guest: Guest,
    cpu: Duration,
}

/// Makes one call into a guest under its limits. The error is the outcome of an attempt that did not return.
async fn call<T>(
    engine: &Engine,
    guest: Guest,
    call: impl AsyncFnOnce(&mut Store<Guest>) -> wasmtime::Result<T>,
) -> (Result<T, Outcome>, Ran) {
    let limits = guest.terms.limits;
    let meter = Arc::new(Meter::default());
    let mut store = Store::new(engine, guest);
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
        Ok(Err(error)) => Err(failure(&error, &guest)),
        Err(_) => {
            let message = format!("more than {} ms in one attempt (limits.wall_ms)", limits.wall_ms);
            Err(Outcome::OutOf(Resource::Time, message))
        }
    };
    (result, Ran { guest, cpu: meter.used() })
}

/// What an error of the engine says about the attempt.
fn failure(error: &wasmtime::Error, guest: &Guest) -> Outcome {
    if let Some(RanOut(resource, message)) = error.downcast_ref::<RanOut>() {
        return Outcome::OutOf(*resource, message.clone());
    }
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        return Outcome::Suspended("the pool of instances is full".to_owned());
    }
    if guest.memory.refused {
        let message =
            format!("more than {} bytes of memory (limits.memory_bytes)", guest.terms.limits.memory_bytes);
        return Outcome::OutOf(Resource::Memory, message);
    }
    if let Some(Trap::StackOverflow) = error.downcast_ref::<Trap>() {
        let message = format!("the stack is full ({} bytes): endless recursion?", crate::limits::STACK_BYTES);
        return Outcome::OutOf(Resource::Memory, message);
    }
    if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        return Outcome::Trapped(format!("the plugin called exit({}) instead of returning", exit.0));
    }
    let panic = guest.log.lock().expect("nothing panics while it holds the log").panic.clone();
    Outcome::Trapped(panic.unwrap_or_else(|| format!("{}", error.root_cause())))
}

fn contract_event(event: &Event, number: u32) -> types::Event {
    let unsigned = |ms: i64| u64::try_from(ms).unwrap_or(0);
    let mut flags = Vec::new();
    if event.possible_duplicate {
        flags.push("possible-duplicate".to_owned());
    }
    types::Event {
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
