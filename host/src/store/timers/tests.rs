use super::*;
use crate::action::memory::Answer as MemoryAnswer;
use crate::delivery::State;
use crate::event::trace_id::TraceId;
use crate::journal::{Answered, Kind, Ledger, Lost, Own, Run, Step};
use crate::limits::Limits;
use crate::store::tests::{Bench, NOW_MS, PLUGIN};
use crate::store::{Decision, Selection};

const SECOND_MS: i64 = 1_000;

fn set(chat: Option<&str>, key: &str, delay_ms: u64, payload: &str) -> Call {
    let change = Change::Set { delay_ms, payload: payload.to_owned(), thread_id: Some("T1".to_owned()) };
    Call { chat_id: chat.map(str::to_owned), key: key.to_owned(), change }
}

fn cancel(chat: Option<&str>, key: &str) -> Call {
    Call { chat_id: chat.map(str::to_owned), key: key.to_owned(), change: Change::Cancel }
}

impl Bench {
    /// A run of a delivery makes a call.
    async fn call(&self, delivery: i64, call: Call) -> Result<MemoryAnswer, Error> {
        self.call_within(delivery, call, Limits::default().room())
            .await
            .expect("it is recorded")
            .answer
            .into_memory()
    }

    async fn call_within(&self, delivery: i64, call: Call, room: Room) -> Result<Answered, Lost> {
        let id = DeliveryId(delivery);
        let own = Own::Timer(call);
        let number = self.number(&format!("SELECT count(*) FROM steps WHERE delivery = {delivery}")) + 1;
        let number = u32::try_from(number).expect("a few steps");
        let step = Step { number, call: own.call(Kind::Own), at_ms: NOW_MS, answered: None, aside: false };
        let runs = self.number(&format!("SELECT runs FROM deliveries WHERE id = {delivery}"));
        let run = Run {
            delivery: id,
            number: u32::try_from(runs).expect("a few"),
            root: id,
            trace: TraceId::default(),
        };
        self.store().own(run, (PLUGIN, room), vec![], step, own).await
    }

    async fn fire(&self, now_ms: i64) -> Fired {
        self.store().fire_timers(now_ms, &[]).await.expect("the store answers")
    }

    /// The payloads of the timers' events, in order.
    fn told(&self) -> Vec<String> {
        self.on_file(|file| {
            let mut select =
                file.prepare("SELECT payload FROM events WHERE type = 'timer' ORDER BY id").expect("SQL");
            let rows = select.query_map([], |row| row.get(0)).expect("rows");
            rows.collect::<rusqlite::Result<_>>().expect("rows")
        })
    }
}

#[tokio::test]
async fn a_timer_becomes_an_event_of_its_chat_once_and_survives_a_restart() {
    let mut bench = Bench::new();
    let by = bench.accept("C1", "{}", NOW_MS).await;
    assert_eq!(bench.call(by, set(Some("C1"), "wait", 5_000, "{\"n\":1}")).await, Ok(MemoryAnswer::Done));
    assert_eq!(bench.call(by, set(None, "poll", 60_000, "null")).await, Ok(MemoryAnswer::Done));
    let due = NOW_MS + 5 * SECOND_MS;
    assert_eq!(bench.fire(due - 1).await, Fired { next_ms: Some(due), ..Fired::default() });
    bench.close();
    bench.open();
    let fired = bench.fire(due + 40).await;
    let by_plugin = [("recorder".to_owned(), 1)].into();
    assert_eq!(fired, Fired { late_ms: vec![40], by_plugin, next_ms: Some(NOW_MS + 60 * SECOND_MS) });
    assert!(bench.fire(due + 41).await.late_ms.is_empty());
    let told = bench.told();
    assert_eq!(told.len(), 1);
    assert!(
        told[0].starts_with("{\"key\":\"wait\"") && told[0].ends_with("\"payload\":{\"n\":1}}"),
        "{told:?}"
    );
    let sql = "SELECT count(*) FROM events JOIN deliveries ON event = events.id WHERE type = 'timer' AND lane = 'chat/C1'
        AND chat_id = 'C1' AND thread_id = 'T1' AND plugin = 'recorder' AND state = 'pending' AND occurred_at = ";
    assert_eq!(bench.number(&format!("{sql}{due}")), 1);
    assert_eq!(bench.number("SELECT timers FROM memory_use"), 1);
}

#[tokio::test]
async fn a_timer_that_is_set_anew_or_taken_back_comes_not_even_if_its_event_waits() {
    let bench = Bench::new();
    let by = bench.accept("C1", "{}", NOW_MS).await;
    for (key, again) in [("a", set(Some("C1"), "a", 9_000, "2")), ("b", cancel(Some("C1"), "b"))] {
        bench.call(by, set(Some("C1"), key, 1_000, "1")).await.expect("it is set");
        assert_eq!(bench.fire(NOW_MS + SECOND_MS).await.late_ms, [0]);
        let fired = DeliveryId(bench.number("SELECT max(id) FROM deliveries"));
        assert!(!bench.store().is_withdrawn(fired).await.expect("an answer"));
        bench.call(by, again).await.expect("it is done");
        assert!(bench.store().is_withdrawn(fired).await.expect("an answer"), "{key}");
    }
    assert_eq!(bench.call(by, cancel(Some("C1"), "b")).await, Ok(MemoryAnswer::Whether(false)));
    assert_eq!(
        bench.call(by, cancel(Some("C2"), "a")).await,
        Ok(MemoryAnswer::Whether(false)),
        "another chat"
    );
    assert_eq!(bench.call(by, cancel(Some("C1"), "a")).await, Ok(MemoryAnswer::Whether(true)));
    assert_eq!(bench.fire(NOW_MS + 10 * SECOND_MS).await, Fired::default());
    assert_eq!(bench.number("SELECT timers FROM memory_use"), 0);
}

#[tokio::test]
async fn timers_of_a_plugin_that_rests_stay() {
    let bench = Bench::new();
    let by = bench.accept("C1", "{}", NOW_MS).await;
    bench.call(by, set(Some("C1"), "a", 1_000, "1")).await.expect("it is set");
    let resting = ["recorder".to_owned()];
    let fired = bench.store().fire_timers(NOW_MS + 9 * SECOND_MS, &resting).await.expect("an answer");
    assert_eq!(fired, Fired::default());
    assert_eq!(bench.fire(NOW_MS + 9 * SECOND_MS).await.late_ms, [8_000]);
}

#[tokio::test]
async fn a_timer_can_be_taken_back_while_its_event_is_held_and_after_it_came_back() {
    let bench = Bench::new();
    let by = bench.accept("C1", "{}", NOW_MS).await;
    for (state, decision) in [
        (State::Held, Decision::NotSent),
        (State::Dead, Decision::Replay { fresh: false }),
        (State::Dead, Decision::Replay { fresh: true }),
    ] {
        bench.call(by, set(Some("C1"), "a", 1_000, "1")).await.expect("it is set");
        assert_eq!(bench.fire(NOW_MS + SECOND_MS).await.late_ms, [0]);
        let fired = bench.number("SELECT max(id) FROM deliveries");
        bench.finish(fired, state, NOW_MS + SECOND_MS).await;
        let all = Selection { ids: vec![DeliveryId(fired)], ..Selection::default() };
        if state == State::Dead {
            bench
                .store()
                .decide(decision, all, "op".to_owned(), NOW_MS + SECOND_MS)
                .await
                .expect("it comes back");
        }
        let now = bench.number("SELECT max(id) FROM deliveries");
        assert_eq!(
            bench.call(by, cancel(Some("C1"), "a")).await,
            Ok(MemoryAnswer::Whether(true)),
            "{decision:?}"
        );
        assert!(bench.store().is_withdrawn(DeliveryId(now)).await.expect("an answer"), "{decision:?}");
    }
}

#[tokio::test]
async fn setting_a_timer_anew_while_its_own_event_is_handled_takes_nothing_back() {
    let bench = Bench::new();
    let by = bench.accept("C1", "{}", NOW_MS).await;
    bench.call(by, set(None, "poll", 1_000, "1")).await.expect("it is set");
    for round in 1..=3 {
        bench.fire(NOW_MS + round * SECOND_MS).await;
        let fired = bench.number("SELECT max(id) FROM deliveries");
        bench.call(fired, set(None, "poll", 1_000, "1")).await.expect("it is set");
        assert!(!bench.store().is_withdrawn(DeliveryId(fired)).await.expect("an answer"));
        bench.finish(fired, State::Succeeded, NOW_MS + round * SECOND_MS).await;
        bench.set_clock(NOW_MS + round * SECOND_MS);
    }
    assert_eq!(bench.number("SELECT count(*) FROM fired_timers"), 1, "what has ended is not kept");
    assert_eq!(bench.number("SELECT count(*) FROM events WHERE type = 'timer'"), 3);
}

#[tokio::test]
async fn timers_are_bounded() {
    let bench = Bench::new();
    let by = bench.accept("C1", "{}", NOW_MS).await;
    let room = Room { timers: 2, timer_bytes: 4, ..Limits::default().room() };
    let call = async |call: Call| {
        let answered = bench.call_within(by, call, room).await.expect("it is recorded");
        answered.answer.into_memory().map_err(|error| error.code)
    };
    assert_eq!(call(set(None, "a", 1, "1")).await, Ok(MemoryAnswer::Done));
    assert_eq!(call(set(Some("C1"), "a", 1, "1")).await, Ok(MemoryAnswer::Done));
    assert_eq!(call(set(None, "b", 1, "1")).await, Err(Code::Limit));
    assert_eq!(call(set(None, "a", 1, "2")).await, Ok(MemoryAnswer::Done), "it takes the place of one");
    assert_eq!(call(set(None, "a", 1, "12345")).await, Err(Code::Limit));
    assert_eq!(call(set(None, "a", 1, "{")).await, Err(Code::Invalid));
    assert_eq!(call(set(None, "a", u64::MAX, "1")).await, Err(Code::Invalid));
    assert_eq!(call(set(None, "", 1, "1")).await, Err(Code::Invalid));
    assert_eq!(call(set(None, &"k".repeat(513), 1, "1")).await, Err(Code::Invalid));
    assert_eq!(call(cancel(None, "a")).await, Ok(MemoryAnswer::Whether(true)));
    assert_eq!(call(set(None, "b", 1, "1")).await, Ok(MemoryAnswer::Done));
}

#[tokio::test]
async fn a_run_that_was_overtaken_sets_no_timer() {
    let bench = Bench::new();
    let by = bench.accept("C1", "{}", NOW_MS).await;
    bench.finish(by, State::Dead, NOW_MS).await;
    let lost = bench.call_within(by, set(None, "a", 1, "1"), Limits::default().room()).await;
    assert_eq!(lost, Err(Lost::Overtaken));
    assert_eq!(bench.number("SELECT count(*) FROM timers"), 0);
}

#[tokio::test]
async fn a_clock_that_was_put_back_does_not_keep_a_timer_waiting() {
    let bench = Bench::new();
    let by = bench.accept("C1", "{}", NOW_MS).await;
    bench.call(by, set(None, "a", 5_000, "1")).await.expect("it is set");
    let now_ms = NOW_MS - 3_600 * SECOND_MS;
    bench.store().begin_timers(now_ms).await.expect("it is done");
    assert_eq!(bench.fire(now_ms).await.next_ms, Some(now_ms + 5 * SECOND_MS));
}

#[tokio::test]
async fn many_timers_that_are_due_come_in_order_and_in_several_commits() {
    let bench = Bench::new();
    let by = bench.accept("C1", "{}", NOW_MS).await;
    for number in 0..300_u64 {
        bench
            .call(by, set(None, &format!("k{number:03}"), 1_000 - number, &number.to_string()))
            .await
            .expect("it is set");
    }
    let now_ms = NOW_MS + SECOND_MS;
    let first = bench.fire(now_ms).await;
    assert_eq!(first.late_ms.len(), 256);
    assert_eq!(first.late_ms[0], 299);
    assert!(first.next_ms.is_some_and(|next_ms| next_ms <= now_ms));
    assert_eq!(bench.fire(now_ms).await.late_ms.len(), 44);
    assert_eq!(bench.number("SELECT timers FROM memory_use"), 0);
}
