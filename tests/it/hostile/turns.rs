//! A guest that never yields by itself is made to, so that the runtime's timers go on; and one that works for long does it
//! in the background.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chatplug::action::memory::{Answer, Call, Memory};
use chatplug::action::{BoxFuture, Error};
use chatplug::delivery::{DeliveryId, Outcome, Resource};
use chatplug::event::trace_id::TraceId;
use chatplug::event::{Event, EventId};
use chatplug::grant::Policy;
use chatplug::journal::Run;
use chatplug::limits::{Limits, Loading, STACK_BYTES};
use chatplug::runtime::compile::Compiler;
use chatplug::runtime::{Attempt, Runtime, Services, Terms, Version, inspect};
use chatplug_tests::{chatplug, guest};

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
        payload: r#"{"chat_id":"C1","thread_id":"T1","event":{"id":"1","type":"message"}}"#.to_owned(),
        extra: "{}".to_owned(),
    }
}

/// The hostile guest.
async fn hostile(runtime: &Runtime) -> Arc<Version> {
    let folder = tempfile::tempdir().expect("a folder");
    let compiler = Compiler::new(chatplug().get_program().into(), folder.path()).expect("a compiler");
    let bytes = std::fs::read(guest("guest_hostile")).expect("a guest");
    let loading = Loading::default();
    let inspected = inspect::inspect(&bytes, &loading).expect("a plugin");
    let compiled = compiler.compile("sha256:loop", &bytes, &loading).await.expect("it compiles");
    Arc::new(runtime.load(compiled, &inspected).await.expect("it loads"))
}

/// An attempt in which it misbehaves.
fn attempt(version: Arc<Version>, misdeed: &str, limits: Limits) -> Attempt {
    let settings = format!(r#"{{"do":"{misdeed}"}}"#);
    let terms = Terms { policy: Policy::default(), settings, limits };
    let delivery = DeliveryId(1);
    let run = Run { delivery, number: 0, root: delivery, trace: TraceId::default() };
    Attempt {
        version,
        terms: Arc::new(terms),
        event: Arc::new(event()),
        run,
        journal: None,
        waited: Duration::ZERO,
        late: false,
        number: 1,
    }
}

/// If the guest is not made to yield, this is how long the test takes to fail.
const HOG_MS: u64 = 20_000;

// One thread for the guest and the timer: if the guest has it and doesn't give it back, the timer can't fire before
// the guest has used up its time, however fast or slow the machine is.
#[tokio::test(flavor = "current_thread")]
async fn a_guest_that_never_yields_does_not_hold_up_timers() {
    let runtime = Runtime::new(Services::none(), STACK_BYTES).expect("an engine");
    let limits = Limits { cpu_ms: HOG_MS, wall_ms: 10 * HOG_MS, ..Limits::default() };
    let attempt = attempt(hostile(&runtime).await, "loop", limits);
    tokio::select! {
        biased;
        report = runtime.run(attempt) => panic!("the guest ended first: {report:?}"),
        () = tokio::time::sleep(Duration::from_millis(1)) => {}
    }
}

/// Memory that holds nothing, and writes down from where it is read.
#[derive(Default)]
struct Watched {
    by_others: AtomicU32,
    here: Mutex<Vec<Option<String>>>,
}

impl Memory for Watched {
    fn read<'a>(&'a self, _: &'a str, _: Call) -> BoxFuture<'a, Result<Answer, Error>> {
        self.by_others.fetch_add(1, Ordering::Relaxed);
        Box::pin(async {
            tokio::task::yield_now().await;
            Ok(Answer::Value(None))
        })
    }

    fn read_here(&self, _: &str, _: Call) -> Result<Answer, Error> {
        let thread = std::thread::current().name().map(str::to_owned);
        self.here.lock().expect("nothing panics while it holds it").push(thread);
        Ok(Answer::Value(None))
    }
}

#[tokio::test]
async fn a_guest_that_reads_its_memory_again_and_again_goes_on_in_the_background() {
    let memory = Arc::new(Watched::default());
    let services = Services { memory: memory.clone(), ..Services::none() };
    let runtime = Runtime::new(services, STACK_BYTES).expect("an engine");
    let version = hostile(&runtime).await;
    let limits = Limits { host_calls: 100, ..Limits::default() };
    let reads = async || {
        let report = runtime.run(attempt(version.clone(), "calls", limits)).await;
        assert!(matches!(report.outcome, Outcome::OutOf(Resource::Calls, _)), "{report:?}");
        let threads = memory.here.lock().expect("nothing panics while it holds it").clone();
        assert!(threads.iter().all(|thread| thread.as_deref() == Some("background")), "{threads:?}");
        (memory.by_others.load(Ordering::Relaxed), threads.len())
    };
    let (by_others, here) = reads().await;
    let all = here + by_others as usize;
    // On a slow machine its CPU time may bring it there before its reads do.
    assert!(all > 90 && by_others <= 32, "{by_others} reads in the foreground, {here} behind it");
    assert_eq!(reads().await, (by_others, here + all), "the next attempt begins there");
}
