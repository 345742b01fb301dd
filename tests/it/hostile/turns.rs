//! A guest that never yields by itself is made to, so that the runtime's timers go on.

use std::sync::Arc;
use std::time::Duration;

use chatplug::delivery::DeliveryId;
use chatplug::event::trace_id::TraceId;
use chatplug::event::{Event, EventId};
use chatplug::grant::Policy;
use chatplug::journal::Run;
use chatplug::limits::{Limits, Loading, STACK_BYTES};
use chatplug::runtime::compile::Compiler;
use chatplug::runtime::{Attempt, Runtime, Services, Terms, inspect};
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

/// An attempt of the hostile guest that loops until it has used an hour of CPU.
async fn endless(runtime: &Runtime) -> Attempt {
    let folder = tempfile::tempdir().expect("a folder");
    let compiler = Compiler::new(chatplug().get_program().into(), folder.path()).expect("a compiler");
    let bytes = std::fs::read(guest("guest_hostile")).expect("a guest");
    let loading = Loading::default();
    let inspected = inspect::inspect(&bytes, &loading).expect("a plugin");
    let compiled = compiler.compile("sha256:loop", &bytes, &loading).await.expect("it compiles");
    let version = Arc::new(runtime.load(&compiled, &inspected).await.expect("it loads"));
    let limits = Limits { cpu_ms: HOG_MS, wall_ms: 10 * HOG_MS, ..Limits::default() };
    let terms = Terms { policy: Policy::default(), settings: r#"{"do":"loop"}"#.to_owned(), limits };
    let delivery = DeliveryId(1);
    let run = Run { delivery, number: 0, root: delivery, trace: TraceId::default() };
    Attempt {
        version,
        terms: Arc::new(terms),
        event: Arc::new(event()),
        run,
        journal: None,
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
    let attempt = endless(&runtime).await;
    tokio::select! {
        biased;
        report = runtime.run(attempt) => panic!("the guest ended first: {report:?}"),
        () = tokio::time::sleep(Duration::from_millis(1)) => {}
    }
}
