use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::delivery::State;
use crate::store::tests::{Bench, DAY_MS, NOW_MS};

const KEEP: Retention = Retention {
    payload_days: 7,
    dead_days: 20,
    metadata_days: 30,
    dedupe_days: 7,
    audit_days: 400,
    files_days: 90,
};

/// Does a job to its end, in batches of a few rows; answers in how many.
async fn prune(bench: &Bench, job: Job, now_ms: i64) -> u32 {
    for batches in 1.. {
        if bench.store().prune(job, KEEP, now_ms, BatchSize::of(3)).await.expect("a batch is done").is_done {
            return batches;
        }
    }
    unreachable!("a job ends")
}

async fn prune_all(bench: &Bench, now_ms: i64) {
    for job in Job::ALL {
        prune(bench, job, now_ms).await;
    }
}

/// How much there is of an event: its content, itself, or nothing.
fn left(bench: &Bench, event: i64) -> &'static str {
    let of = |table: &str, column: &str| {
        bench.number(&format!("SELECT count(*) FROM {table} WHERE {column} = {event}")) > 0
    };
    let is_empty = bench.number(&format!(
        "SELECT count(*) FROM events WHERE id = {event} AND payload = '' AND extra = '' AND removed = 'retention'"
    )) > 0;
    let is_logged =
        bench.number(&format!("SELECT count(*) FROM deliveries WHERE id = {event} AND log <> ''")) > 0;
    let parts =
        (of("events", "id"), is_empty, of("steps", "delivery"), of("journals", "delivery"), is_logged);
    match parts {
        (true, false, true, true, _) => "all",
        (true, true, false, false, false) => "metadata",
        (false, false, false, false, false) => "nothing",
        other => panic!("ev-{event} is in pieces: {other:?}"),
    }
}

async fn event(bench: &Bench, state: State, received_ms: i64, ended_ms: i64) -> i64 {
    // No two alike: the second would be a repetition.
    let before = bench.number("SELECT count(*) FROM events");
    let event = bench.accept("C1", &format!("{state:?} {before}"), received_ms).await;
    bench.journal(event);
    if state != State::Pending {
        bench.finish(event, state, ended_ms).await;
    }
    event
}

#[tokio::test]
async fn what_is_old_goes_and_what_is_unfinished_stays() {
    let bench = Bench::new();
    let mut events = BTreeMap::new();
    for state in [State::Pending, State::Held, State::Succeeded, State::Skipped, State::Dead] {
        events.insert(format!("{state:?}"), event(&bench, state, NOW_MS, NOW_MS + DAY_MS).await);
    }
    let check = |days: i64, expected: [(&str, &str); 5]| {
        for (state, what) in expected {
            assert_eq!(left(&bench, events[state]), what, "{state} after {days} days");
        }
    };
    // Held ones are given up after a day; here that job does not run.
    let jobs = Job::ALL.into_iter().filter(|job| *job != Job::Held);
    let rows = |ended, dead| {
        [("Pending", "all"), ("Held", "all"), ("Succeeded", ended), ("Skipped", ended), ("Dead", dead)]
    };
    for (days, expected) in [
        (0, rows("all", "all")),
        (7, rows("all", "all")),
        (8, rows("metadata", "all")),
        (20, rows("metadata", "all")),
        (22, rows("metadata", "metadata")),
        (31, rows("nothing", "nothing")),
        (500, rows("nothing", "nothing")),
    ] {
        for job in jobs.clone() {
            prune(&bench, job, NOW_MS + days * DAY_MS).await;
        }
        check(days, expected);
    }
    assert_eq!(bench.number("SELECT count(*) FROM deliveries"), 2);
}

#[tokio::test]
async fn a_dead_letter_without_its_content_is_given_up() {
    use crate::store::{Decision, DeliveryFilter, Reader, Selection};

    let bench = Bench::new();
    let event = event(&bench, State::Dead, NOW_MS, NOW_MS).await;
    prune_all(&bench, NOW_MS + 22 * DAY_MS).await;
    assert_eq!(left(&bench, event), "metadata");
    assert_eq!(bench.state(event).as_deref(), Some("skipped"));
    let given_up = format!("SELECT count(*) FROM deliveries WHERE reason = '{GIVEN_UP}'");
    assert_eq!(bench.number(&given_up), 1);
    // Whatever left one like that, nothing is decided about it, and it is in no list of what could be.
    bench.on_file(|file| file.execute_batch("UPDATE deliveries SET state = 'dead'").expect("as before"));
    let reader = Reader::open(bench.folder.path()).expect("a reader").expect("a store");
    let filter = DeliveryFilter::default();
    assert!(reader.stopped(State::Dead, &filter, 10).expect("a list").is_empty());
    assert_eq!(reader.count(State::Dead, &filter, &[], None).expect("a count").total, 0);
    for selection in [
        Selection { all: true, ..Selection::default() },
        Selection { ids: vec![crate::delivery::DeliveryId(event)], ..Selection::default() },
    ] {
        let replay = Decision::Replay { fresh: false };
        let decided = bench.store().decide(replay, selection, "test".to_owned(), NOW_MS).await;
        assert!(decided.expect("a decision").deliveries.is_empty());
    }
}

#[tokio::test]
async fn what_is_pending_of_an_event_without_content_does_not_bring_it_along() {
    let bench = Bench::new();
    let event = bench.accept("C1", "{}", NOW_MS).await;
    let loaded = async || {
        let pending = bench.store().pending(crate::store::tests::PLUGIN.into(), Default::default(), 10).await;
        pending.expect("it is read").remove(0)
    };
    assert!(loaded().await.event.is_some());
    bench.on_file(|file| {
        let sql = format!("UPDATE events SET payload = '', removed = 'retention' WHERE id = {event}");
        file.execute_batch(&sql).expect("it is emptied");
    });
    assert_eq!(loaded().await.event, None);
    assert_eq!(bench.store().event(crate::event::EventId(event)).await.expect("a look"), None);
}

#[tokio::test]
async fn what_was_unfinished_goes_once_it_is_finished() {
    let bench = Bench::new();
    let event = event(&bench, State::Pending, NOW_MS, 0).await;
    let later_ms = NOW_MS + 40 * DAY_MS;
    prune_all(&bench, later_ms).await;
    assert_eq!(left(&bench, event), "all");
    bench.finish(event, State::Succeeded, later_ms).await;
    prune_all(&bench, later_ms).await;
    assert_eq!(left(&bench, event), "nothing");
    assert_eq!(bench.number("SELECT count(*) FROM spared"), 0);
}

#[tokio::test]
async fn a_long_journal_goes_step_by_step_and_what_has_lost_a_part_of_it_is_not_replayed() {
    const STEPS: i64 = 20;
    let bench = Bench::new();
    let dead = event(&bench, State::Dead, NOW_MS, NOW_MS).await;
    let other = event(&bench, State::Succeeded, NOW_MS, NOW_MS).await;
    bench.on_file(|file| {
        let copy = "INSERT INTO steps SELECT delivery, ?2, kind, function, arguments, once, about, request, at, answered_at,
            answer, succeeded, aside FROM steps WHERE delivery = ?1 ORDER BY number LIMIT 1";
        (1_000..1_000 + STEPS).for_each(|number| assert_eq!(file.execute(copy, [dead, number]), Ok(1)));
    });
    let later_ms = NOW_MS + 22 * DAY_MS;
    // Those that have to be left are passed, and then looked at again.
    prune(&bench, Job::Content, later_ms).await;
    assert_eq!((left(&bench, dead), left(&bench, other)), ("all", "metadata"));
    let steps = || bench.number(&format!("SELECT count(*) FROM steps WHERE delivery = {dead}"));
    let mut before = steps();
    let pruned =
        bench.store().prune(Job::Spared, KEEP, later_ms, BatchSize::of(3)).await.expect("a batch is done");
    assert!(!pruned.is_done);
    assert_eq!((before - steps(), bench.state(dead).as_deref()), (3, Some("skipped")));
    let emptied = format!("SELECT count(*) FROM events WHERE id = {dead} AND removed = 'retention'");
    assert_eq!(bench.number(&emptied), 1);
    while before > 0 {
        before = steps();
        bench.store().prune(Job::Spared, KEEP, later_ms, BatchSize::of(3)).await.expect("a batch is done");
        assert!(before - steps() <= 3);
    }
    assert_eq!(left(&bench, dead), "metadata");
    prune_all(&bench, NOW_MS + 31 * DAY_MS).await;
    assert_eq!((left(&bench, dead), left(&bench, other)), ("nothing", "nothing"));
    assert_eq!(bench.number("SELECT count(*) FROM spared"), 0);
}

#[tokio::test]
async fn a_wrong_clock_stops_nobody_else() {
    let bench = Bench::new();
    let ahead = event(&bench, State::Succeeded, NOW_MS + 900 * DAY_MS, NOW_MS).await;
    let old = event(&bench, State::Succeeded, NOW_MS, NOW_MS).await;
    prune_all(&bench, NOW_MS + 8 * DAY_MS).await;
    assert_eq!((left(&bench, ahead), left(&bench, old)), ("all", "metadata"));
    prune_all(&bench, NOW_MS + 940 * DAY_MS).await;
    assert_eq!((left(&bench, ahead), left(&bench, old)), ("nothing", "nothing"));
}

#[tokio::test]
async fn keys_ratings_the_audit_log_and_memory_go_by_their_own_days() {
    let bench = Bench::new();
    for number in 0..10 {
        bench.accept("C1", &format!("{number}"), NOW_MS + number * DAY_MS).await;
    }
    bench.on_file(|file| {
        file.execute_batch(&format!(
            "INSERT INTO ratings VALUES ('C1', 'T1', '[]', {NOW_MS}), ('C1', 'T2', '[]', {NOW_MS} + 900000);
             INSERT INTO audit (at, who, action, subject) VALUES ({NOW_MS}, 'w', 'a', 's'), ({NOW_MS} + 900000, 'w', 'a', 's');
             INSERT INTO memory VALUES ('p', 'a', x'78', {NOW_MS}, NULL), ('p', 'b', x'78', NULL, NULL);
             INSERT INTO memory_use (plugin, keys, bytes) VALUES ('p', 2, 4);
             INSERT INTO decisions VALUES ({NOW_MS} / 60000, 'p', 'chats.tag', 'denied', 1, 1),
                ({NOW_MS} / 60000 + 15, 'p', 'chats.tag', 'denied', 1, 1);"
        ))
        .expect("rows")
    });
    let check = |table: &str, count: i64| {
        assert_eq!(bench.number(&format!("SELECT count(*) FROM {table}")), count, "{table}");
    };
    prune_all(&bench, NOW_MS + 7 * DAY_MS).await;
    for (table, count) in [("dedupe", 10), ("ratings", 2), ("audit", 2), ("memory", 1), ("decisions", 2)] {
        check(table, count);
    }
    assert_eq!(bench.number("SELECT bytes FROM memory_use"), 2);
    prune_all(&bench, NOW_MS + 9 * DAY_MS + 1).await;
    check("dedupe", 7);
    prune_all(&bench, NOW_MS + 30 * DAY_MS + 1).await;
    check("ratings", 1);
    check("decisions", 1);
    prune_all(&bench, NOW_MS + 400 * DAY_MS + 1).await;
    check("audit", 1);
}

#[tokio::test]
async fn the_audit_log_goes_from_its_old_end() {
    let bench = Bench::new();
    let entry = |at_ms: i64| {
        let sql = format!("INSERT INTO audit (at, who, action, subject) VALUES ({at_ms}, 'w', 'a', 's')");
        bench.on_file(|file| file.execute_batch(&sql).expect("an entry"));
    };
    // The first one was written under a wrong clock: those behind it are older than it says.
    [900, 0, 0, 0, 1, 2].into_iter().for_each(|day| entry(NOW_MS + day * DAY_MS));
    let left = || bench.number("SELECT coalesce(group_concat(id), '') = '5,6' FROM audit");
    prune(&bench, Job::Audit, NOW_MS + 399 * DAY_MS).await;
    assert_eq!(bench.number("SELECT count(*) FROM audit"), 6);
    assert_eq!(prune(&bench, Job::Audit, NOW_MS + 400 * DAY_MS + 1).await, 2, "in batches of three");
    assert_eq!(left(), 1);
    prune(&bench, Job::Audit, NOW_MS + 400 * DAY_MS + 1).await;
    assert_eq!(left(), 1);
}

#[tokio::test]
async fn a_batch_takes_few_long_steps_however_many_rows_it_may_take() {
    const STEPS: i64 = 20;
    let bench = Bench::new();
    let event = event(&bench, State::Succeeded, NOW_MS, NOW_MS).await;
    (2..=STEPS).for_each(|number| bench.answered(event, number, "keyed", 100 << 10));
    let steps = || bench.number("SELECT count(*) FROM steps");
    for batches in 1.. {
        let before = steps();
        let pruned = bench.store().prune(Job::Content, KEEP, NOW_MS + 8 * DAY_MS, BatchSize::of(1_024)).await;
        assert!(before - steps() <= 4, "{} steps in one batch", before - steps());
        if pruned.expect("a batch is done").is_done {
            assert!(batches >= STEPS / 4, "{batches} batches");
            break;
        }
    }
    assert_eq!(left(&bench, event), "metadata");
}

#[tokio::test]
async fn a_held_delivery_is_given_up_after_a_day_of_uptime() {
    let mut bench = Bench::new();
    let held = event(&bench, State::Held, NOW_MS, NOW_MS).await;
    // Down for ten days, in which nobody could say anything.
    bench.close();
    let up_ms = NOW_MS + 10 * DAY_MS;
    bench.set_clock(up_ms);
    bench.open();
    prune(&bench, Job::Held, up_ms + DAY_MS - 1_000).await;
    assert_eq!(bench.state(held).as_deref(), Some("held"));
    prune(&bench, Job::Held, up_ms + DAY_MS + 1_000).await;
    assert_eq!(bench.state(held).as_deref(), Some("dead"));
    let reason = bench.on_file(|file| {
        file.query_row("SELECT reason FROM deliveries", [], |row| row.get::<_, String>(0)).expect("a reason")
    });
    assert!(reason.starts_with("nobody said within 24 h") && reason.ends_with("a reason"), "{reason}");
}

#[tokio::test]
async fn free_pages_go_back_in_steps() {
    let bench = Bench::new();
    for number in 0..100 {
        bench.accept("C1", &format!("{number}{}", "x".repeat(20_000)), NOW_MS).await;
        bench.finish(number + 1, State::Succeeded, NOW_MS).await;
    }
    let before = bench.number("PRAGMA page_count");
    prune(&bench, Job::Content, NOW_MS + 8 * DAY_MS).await;
    let batches = prune(&bench, Job::Pages, NOW_MS + 8 * DAY_MS).await;
    let after = bench.number("PRAGMA page_count");
    assert!(batches > 50, "a few pages at a time, not {batches} batches");
    assert!(after < before / 2, "{before} pages became {after}");
    assert_eq!(
        bench.on_file(|file| file.query_row("PRAGMA quick_check", [], |row| row.get::<_, String>(0))),
        Ok("ok".into())
    );
}

fn states() -> impl Strategy<Value = Vec<(State, i64, i64)>> {
    let state = prop::sample::select(vec![
        State::Pending,
        State::Held,
        State::Succeeded,
        State::Skipped,
        State::Dead,
    ]);
    // Received, and ended so many days later; in any order, as a clock that is set back makes them.
    prop::collection::vec((state, 0_i64..60, 0_i64..30), 1..12)
}

/// What the rules say of an event, without batches, positions and tables.
fn model(state: State, received: i64, ended: i64, today: i64) -> &'static str {
    let is_needed = match state {
        State::Pending | State::Held => true,
        State::Dead => today - ended <= KEEP.dead_days.into(),
        State::Succeeded | State::Skipped => false,
    };
    let age = today - received;
    if is_needed || age <= KEEP.payload_days.into() {
        "all"
    } else if age <= KEEP.metadata_days.into() {
        "metadata"
    } else {
        "nothing"
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn retention_does_what_its_rules_say(events in states(), days in prop::collection::vec(60_i64..130, 1..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let bench = Bench::new();
            let mut stored = Vec::new();
            for (state, received, after) in events {
                let (received_ms, ended_ms) = (NOW_MS + received * DAY_MS, NOW_MS + (received + after) * DAY_MS);
                stored.push((event(&bench, state, received_ms, ended_ms).await, state, received, received + after));
            }
            let mut days = days;
            days.sort_unstable();
            for today in days {
                for job in [Job::Content, Job::Spared, Job::Metadata] {
                    prune(&bench, job, NOW_MS + today * DAY_MS).await;
                }
                for (event, state, received, ended) in &stored {
                    let (rules, found) = (model(*state, *received, *ended, today), left(&bench, *event));
                    let place = |what| ["all", "metadata", "nothing"].iter().position(|one| *one == what);
                    // One that is young may hold up older ones behind it, but nothing goes too early.
                    prop_assert!(place(found) <= place(rules), "{state:?} of day {received}: {found} on {today}");
                    if today > 125 {
                        prop_assert_eq!(found, rules, "{:?} of day {}, ended {}, on {}", state, received, ended, today);
                    }
                }
            }
            Ok(())
        })?;
    }
}
