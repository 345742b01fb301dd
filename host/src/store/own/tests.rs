use std::sync::Arc;

use crate::action::Outgoing;
use crate::action::livechat::Call;
use crate::delivery::DeliveryId;
use crate::event::trace::Trace;
use crate::event::trace_id::TraceId;
use crate::event::{Dedupe, NewEvent, Source};
use crate::journal::{Answer, Answered, Call as Journaled, Change, Kind, Ledger, Run, Step, fingerprint};
use crate::store::tests::{Bench, NOW_MS, PLUGIN};
use crate::store::{NewWebhook, Reader, Route, Routes};

const HOUR_MS: i64 = 3_600_000;

fn assign() -> Call {
    Call::Assign { chat_id: "C".to_owned(), agent_id: "jo".to_owned(), visibility: "all".to_owned() }
}

fn note() -> Call {
    Call::SendNote { chat_id: "C".to_owned(), text: "Hi".to_owned() }
}

/// What our bot did in the chat `C`, as its webhook tells it.
fn event(event_type: &str, chat_event: Option<&str>) -> NewEvent {
    NewEvent {
        event_type: event_type.to_owned(),
        source: Source::Livechat,
        organization: None,
        occurred_at_ms: None,
        chat_id: Some("C".to_owned()),
        thread_id: Some("T".to_owned()),
        lane: Some("chat/C".to_owned()),
        dedupe: Dedupe::Always,
        trace: Trace { plugin: None, chat_event: chat_event.map(str::to_owned), by_us: true },
        payload: "{}".to_owned(),
        extra: "{}".to_owned(),
        original: String::new(),
        recovered: false,
    }
}

/// Takes an event in, which plugins `a` and `b` want; answers whose it is, and how many of the two get it.
async fn taken(bench: &Bench, event: NewEvent, now_ms: i64) -> (Option<String>, usize) {
    let route = |plugin: &str| Route { plugin: plugin.into(), own_events: false };
    let routes = Routes::from([(event.event_type.clone(), vec![route("a"), route("b")])]);
    let webhook = NewWebhook { events: vec![event], rating: None };
    let accepted = bench.store().accept(webhook, Arc::new(routes), now_ms).await.expect("it is stored");
    let reader = Reader::open(bench.folder.path()).expect("a reader").expect("a store");
    let shown = reader.event(accepted.stored[0]).expect("a query").expect("the event");
    (shown.own, accepted.deliveries)
}

#[tokio::test]
async fn what_two_plugins_expect_at_once_is_given_to_both() {
    let own_after = async |calls: &[(Call, &str, i64)]| {
        let bench = Bench::new();
        for (call, plugin, at_ms) in calls {
            let noted = bench.store().note_own_call(call.clone(), (*plugin).to_owned(), NOW_MS + at_ms);
            noted.await.expect("it is noted");
        }
        let last_ms = calls.last().map_or(0, |(_, _, at_ms)| *at_ms);
        taken(&bench, event("user_added_to_chat", None), NOW_MS + last_ms + 1_000).await
    };
    let of = |plugin: &str| Some(plugin.to_owned());
    assert_eq!(own_after(&[(assign(), "a", 0)]).await, (of("a"), 1));
    assert_eq!(own_after(&[(assign(), "a", 0), (note(), "a", 50)]).await, (of("a"), 1));
    assert_eq!(own_after(&[(assign(), "a", 0), (note(), "b", 50)]).await, (of(""), 2));
    assert_eq!(own_after(&[(assign(), "a", 0), (note(), "b", 50), (note(), "a", 99)]).await, (of(""), 2));
    assert_eq!(own_after(&[(assign(), "a", 0), (note(), "b", 120_000)]).await, (of(""), 2));
    assert_eq!(own_after(&[(assign(), "a", 0), (note(), "b", 120_001)]).await, (of("b"), 1));
}

#[tokio::test]
async fn what_a_run_did_is_known_whatever_the_machines_clock_says() {
    for machine_ms in [NOW_MS - HOUR_MS, NOW_MS + 24 * HOUR_MS, NOW_MS - 24 * 30 * HOUR_MS] {
        let bench = Bench::new();
        let delivery = DeliveryId(bench.accept("C", "{}", NOW_MS).await);
        let run = Run { delivery, number: 0, root: delivery, trace: TraceId::default() };
        let call = Journaled {
            kind: Kind::Call(note().effect()),
            function: "chats.send-note".to_owned(),
            arguments: fingerprint(b"{}"),
            once: None,
            about: note().about(),
            request: Some(Outgoing::Livechat(note()).to_json()),
        };
        let step = Step { number: 1, call, at_ms: machine_ms, answered: None, aside: false };
        let answer = Answer::Text("T_1".to_owned());
        let answered = Answered { at_ms: machine_ms, answer, succeeded: true };
        for change in [Change::Insert(step), Change::Answer { number: 1, answered }] {
            bench.store().record(run, vec![change]).await.expect("it is recorded");
        }
        for event in [event("user_added_to_chat", None), event("incoming_event", Some("T_1"))] {
            let (own, _) = taken(&bench, event, NOW_MS + 1_000).await;
            assert_eq!(own.as_deref(), Some(PLUGIN), "{} ms apart", machine_ms - NOW_MS);
        }
    }
}
