use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::action::memory::{Answer as MemoryAnswer, Call};
use crate::delivery::Uptime;
use crate::event::trace::Trace;
use crate::event::{Dedupe, NewEvent, Source};
use crate::limits::Limits;
use crate::store::{Committed, NewWebhook, Opened, Pending, Reader, Route, Routes, memory};

const NOW: i64 = 1_790_000_000_000;

/// A store with deliveries in a folder of its own.
struct Scene {
    store: Store,
    committed: Committed,
    folder: TempDir,
}

impl Scene {
    fn new() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let Opened { store, committed, lock: _ } = Store::open(folder.path()).unwrap();
        Scene { store, committed, folder }
    }

    /// An event of a chat for each of these plugins; answers its deliveries.
    async fn deliver(&mut self, chat: &str, event_type: &str, plugins: &[&str]) -> Vec<Pending> {
        let event = NewEvent {
            event_type: event_type.to_owned(),
            source: Source::Livechat,
            organization: None,
            occurred_at_ms: None,
            chat_id: Some(chat.to_owned()),
            thread_id: None,
            lane: Some(format!("chat/{chat}")),
            dedupe: Dedupe::Always,
            trace: Trace::default(),
            payload: "{}".to_owned(),
            extra: "{}".to_owned(),
            original: String::new(),
            recovered: false,
        };
        let route = |plugin: &&str| Route { plugin: Arc::from(*plugin), own_events: false };
        let plugins = plugins.iter().map(route).collect();
        let routes = Arc::new(Routes::from([(event_type.to_owned(), plugins)]));
        let webhook = NewWebhook { events: vec![event], rating: None };
        self.store.accept(webhook, routes, NOW).await.unwrap();
        self.committed.next().await.unwrap()
    }

    /// A delivery that ended in a state, for a reason.
    async fn ended(&mut self, chat: &str, plugin: &str, state: State, reason: &str) -> DeliveryId {
        let made = self.deliver(chat, "incoming_chat", &[plugin]).await;
        let id = made[0].id;
        self.set(&format!(
            "UPDATE deliveries SET state = '{}', reason = '{reason}', outcome = 'retry', attempts = 3, crashes = 2,
             ended_at = {NOW} WHERE id = {}",
            state.as_str(),
            id.0
        ))
        .await;
        id
    }

    async fn set(&self, sql: &str) {
        let sql = sql.to_owned();
        self.store.write(move |group| group.connection.execute_batch(&sql)).await.unwrap();
    }

    /// A recorded step of a delivery.
    async fn step(&self, delivery: DeliveryId, number: i64, kind: &str, answer: Option<(&str, bool)>) {
        let (answer, succeeded) = match answer {
            Some((answer, succeeded)) => (format!("'{answer}'"), succeeded),
            None => ("NULL".to_owned(), false),
        };
        self.set(&format!(
            "INSERT OR IGNORE INTO journals (delivery, version, began_at, seed, next) VALUES ({0}, 'v', 0, 0, 0);
             INSERT INTO steps (delivery, number, kind, function, arguments, about, at, answer, succeeded)
             VALUES ({0}, {number}, '{kind}', 'chats.send-note', x'00', 'a note', {NOW}, {answer}, {succeeded})",
            delivery.0
        ))
        .await;
    }

    async fn decide(&self, decision: Decision, selection: Selection) -> Decided {
        self.store.decide(decision, selection, "cli:anna".to_owned(), NOW + 1).await.unwrap()
    }

    /// Whether a delivery gets what only one may have.
    async fn claims(&self, delivery: DeliveryId) -> bool {
        let call = Call::Claim { key: "told".into(), ttl_ms: 60_000 };
        let claim = self.store.write(move |group| {
            memory::change(group, ("p", Limits::default().room()), delivery.0, call, NOW)
        });
        claim.await.unwrap() == Ok(MemoryAnswer::Whether(true))
    }

    fn reader(&self) -> Reader {
        Reader::open(self.folder.path()).unwrap().unwrap()
    }

    fn shown(&self, id: DeliveryId) -> StoppedDelivery {
        self.reader().delivery(id).unwrap().unwrap()
    }

    /// The states of the steps of a delivery.
    fn steps(&self, id: DeliveryId) -> Vec<(i64, &'static str)> {
        self.shown(id)
            .delivery
            .steps
            .unwrap_or_default()
            .iter()
            .map(|step| (step.number, step.state))
            .collect()
    }
}

fn these(ids: &[DeliveryId]) -> Selection {
    Selection { ids: ids.to_vec(), ..Selection::default() }
}

fn all(filter: DeliveryFilter) -> Selection {
    Selection { all: true, filter, ..Selection::default() }
}

#[tokio::test]
async fn a_replayed_dead_letter_comes_back_last_in_its_lane_with_its_journal() {
    let mut scene = Scene::new();
    let dead = scene.ended("C1", "p", State::Dead, "gave up").await;
    scene.step(dead, 1, "unknown", Some(("{}", true))).await;
    let newer = scene.deliver("C1", "incoming_chat", &["p"]).await;

    let decided = scene.decide(Decision::Replay { fresh: false }, these(&[dead])).await;
    let now = decided.deliveries[0].now.unwrap();
    assert!(now > newer[0].id);
    assert_eq!((decided.deliveries[0].id, decided.may_repeat, decided.next), (dead, 0, None));

    let handed_on = scene.committed.next().await.unwrap();
    assert_eq!((handed_on.len(), handed_on[0].id, handed_on[0].lane.as_deref()), (1, now, Some("chat/C1")));
    assert_eq!((handed_on[0].attempts, handed_on[0].crashes), (0, 0));
    assert_eq!((handed_on[0].accepted_at_ms, handed_on[0].due_at_ms), (NOW + 1, NOW + 1));
    assert!(scene.reader().delivery(dead).unwrap().is_none());
    assert_eq!(scene.shown(now).delivery.state, "pending");
    assert_eq!(scene.steps(now), [(1, "succeeded")]);
}

#[tokio::test]
async fn a_delivery_that_comes_back_again_and_again_keeps_the_number_that_it_had_first() {
    let mut scene = Scene::new();
    let first = scene.ended("C1", "p", State::Dead, "gave up").await;
    let mut id = first;
    for _ in 0..3 {
        let decided = scene.decide(Decision::Replay { fresh: false }, these(&[id])).await;
        id = decided.deliveries[0].now.unwrap();
        scene.set(&format!("UPDATE deliveries SET state = 'dead' WHERE id = {}", id.0)).await;
    }
    let root: (i64, bool) = scene
        .reader()
        .connection
        .query_row("SELECT root, late FROM deliveries WHERE id = ?1", [id.0], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!(root, (first.0, true));
}

#[tokio::test]
async fn a_fresh_replay_forgets_the_journal_says_what_may_repeat_and_is_no_duplicate() {
    let mut scene = Scene::new();
    let dead = scene.ended("C1", "p", State::Dead, "gave up").await;
    for (number, kind, answer) in [
        (1, "read", Some(("{}", true))),
        (2, "keyed", Some(("{}", true))),
        (3, "repeatable", Some(("{}", false))),
        (4, "own", Some(("{}", true))),
        (5, "unknown", None),
    ] {
        scene.step(dead, number, kind, answer).await;
    }
    assert!(scene.claims(dead).await);
    let decided = scene.decide(Decision::Replay { fresh: true }, these(&[dead])).await;
    assert_eq!(decided.may_repeat, 2);
    let now = decided.deliveries[0].now.unwrap();
    assert_eq!(scene.steps(now), []);
    assert!(scene.claims(now).await);
    assert!(!scene.claims(DeliveryId(now.0 + 1)).await);
    let left: i64 =
        scene.reader().connection.query_row("SELECT count(*) FROM journals", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_replay_takes_over_what_was_claimed_for_its_event_but_nothing_that_is_under_way() {
    let mut scene = Scene::new();
    let dead = scene.ended("C1", "p", State::Dead, "gave up").await;
    assert!(scene.claims(dead).await);
    let plugins = vec![Arc::from("p")];
    let replayed = scene.store.replay_event(EventId(1), plugins, "cli:anna".to_owned(), NOW + 1).await;
    let under_way = replayed.unwrap().unwrap().deliveries[0].id;
    assert!(scene.claims(under_way).await);
    let fresh = Decision::Replay { fresh: true };
    let second = scene.decide(fresh, these(&[dead])).await.deliveries[0].now.unwrap();
    assert!(!scene.claims(second).await && scene.claims(under_way).await);
    scene.set("UPDATE deliveries SET state = 'dead'").await;
    let third = scene.decide(fresh, these(&[second])).await.deliveries[0].now.unwrap();
    assert!(scene.claims(third).await && !scene.claims(under_way).await);
}

#[tokio::test]
async fn what_an_operator_says_of_a_held_delivery_settles_the_action_in_doubt() {
    let (first, sent, open) = ((1, "succeeded"), (2, "succeeded"), (2, "in doubt"));
    let cases = [
        (Decision::Sent, vec![first, sent], 0),
        (Decision::NotSent, vec![first], 1),
        (Decision::Look, vec![first, open], 0),
    ];
    for (decision, steps, may_repeat) in cases {
        let mut scene = Scene::new();
        let held = scene.ended("C1", "p", State::Held, "in doubt").await;
        scene.step(held, 1, "keyed", Some(("{}", true))).await;
        scene.step(held, 2, "unknown", None).await;
        let decided = scene.decide(decision, these(&[held])).await;
        assert_eq!(decided.may_repeat, may_repeat, "{decision:?}");
        let now = decided.deliveries[0].now.unwrap();
        assert_eq!(scene.steps(now), steps, "{decision:?}");
        let handed_on = scene.committed.next().await.unwrap();
        assert_eq!((handed_on[0].attempts, handed_on[0].crashes), (3, 2), "it goes on where it stopped");
        if decision == Decision::Sent {
            let sql = "SELECT answer FROM steps WHERE delivery = ?1 AND number = 2";
            let answer: String = scene.reader().connection.query_row(sql, [now.0], |row| row.get(0)).unwrap();
            assert_eq!(Answer::from_json(&answer).unwrap(), Answer::Done);
        }
    }
}

#[tokio::test]
async fn a_discarded_dead_letter_is_skipped_and_its_event_stays() {
    let mut scene = Scene::new();
    let dead = scene.ended("C1", "p", State::Dead, "gave up").await;
    let decided = scene.decide(Decision::Discard, these(&[dead])).await;
    assert_eq!(decided.deliveries[0].now, None);
    let shown = scene.shown(dead).delivery;
    assert_eq!((shown.state.as_str(), shown.reason.as_deref()), ("skipped", Some(DISCARDED)));
    assert!(scene.decide(Decision::Discard, these(&[dead])).await.deliveries.is_empty());
    assert!(scene.decide(Decision::Replay { fresh: false }, these(&[dead])).await.deliveries.is_empty());
}

#[tokio::test]
async fn a_decision_is_about_deliveries_in_its_state_only_and_about_none_unless_they_are_named() {
    let mut scene = Scene::new();
    let dead = scene.ended("C1", "p", State::Dead, "").await;
    let held = scene.ended("C1", "p", State::Held, "").await;
    let pending = scene.deliver("C1", "incoming_chat", &["p"]).await[0].id;
    for (decision, others) in
        [(Decision::Replay { fresh: true }, [held, pending]), (Decision::Sent, [dead, pending])]
    {
        assert!(scene.decide(decision, these(&others)).await.deliveries.is_empty(), "{decision:?}");
        assert!(scene.decide(decision, Selection::default()).await.deliveries.is_empty(), "{decision:?}");
    }
}

#[tokio::test]
async fn filters_choose_by_plugin_type_reason_and_time() {
    let mut scene = Scene::new();
    let one = scene.ended("C1", "one", State::Dead, "Slack said 100% no").await;
    let two = scene.ended("C2", "two", State::Dead, "timeout").await;
    scene.set(&format!("UPDATE deliveries SET ended_at = ended_at + 60000 WHERE id = {}", two.0)).await;
    let none = DeliveryFilter::default;
    let reason = |text: &str| DeliveryFilter { reason: Some(text.to_owned()), ..none() };
    let since = |ms| DeliveryFilter { since: jiff::Timestamp::from_millisecond(ms).ok(), ..none() };
    let of_type = |name: &str| DeliveryFilter { event_type: Some(name.to_owned()), ..none() };
    let cases = [
        (none(), vec![two, one]),
        (DeliveryFilter { plugin: Some("one".into()), ..none() }, vec![one]),
        (of_type("incoming_chat"), vec![two, one]),
        (of_type("chat_rated"), vec![]),
        (reason("slack SAID 100%"), vec![one]),
        (reason("t'm"), vec![]),
        (since(NOW + 1), vec![two]),
        (since(NOW), vec![two, one]),
    ];
    for (filter, expected) in cases {
        let listed = scene.reader().stopped(State::Dead, &filter, 10).unwrap();
        let listed: Vec<String> = listed.into_iter().map(|stopped| stopped.delivery.id).collect();
        let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
        assert_eq!(listed, expected, "{filter:?}");
        let count = scene.reader().count(State::Dead, &filter, &[], None).unwrap();
        assert_eq!(count.total, expected.len() as u64, "{filter:?}");
    }
    assert_eq!(scene.reader().count(State::Dead, &none(), &[one], None).unwrap().total, 1);
    for (limit, total, plugins) in
        [(0, 0, vec![]), (1, 1, vec!["one"]), (2, 2, vec!["one", "two"]), (9, 2, vec!["one", "two"])]
    {
        let count = scene.reader().count(State::Dead, &none(), &[], Some(limit)).unwrap();
        let of: Vec<&str> = count.by_plugin.keys().map(String::as_str).collect();
        assert_eq!((count.total, of), (total, plugins), "the oldest {limit}");
    }
    let decided = scene.decide(Decision::Discard, all(reason("slack"))).await;
    assert_eq!(decided.deliveries.iter().map(|one| one.id).collect::<Vec<_>>(), [one]);
}

#[tokio::test]
async fn bulk_work_ends_although_what_is_replayed_dies_again_at_once() {
    let mut scene = Scene::new();
    let count = 2 * BATCH + 7;
    for _ in 0..count {
        scene.ended("C1", "p", State::Dead, "").await;
    }
    let mut selection = all(DeliveryFilter::default());
    let mut batches = Vec::new();
    loop {
        let decided = scene.decide(Decision::Replay { fresh: false }, selection.clone()).await;
        batches.push(decided.deliveries.len());
        scene.set("UPDATE deliveries SET state = 'dead'").await;
        selection.cursor = decided.next;
        if decided.next.is_none() {
            break;
        }
    }
    assert_eq!(batches, [BATCH, BATCH, 7]);
    let limited = Selection { limit: Some(3), ..all(DeliveryFilter::default()) };
    assert_eq!(scene.decide(Decision::Discard, limited).await.deliveries.len(), 3);
}

#[tokio::test]
async fn an_event_is_replayed_for_the_plugins_that_have_ended_with_it() {
    let mut scene = Scene::new();
    let made = scene.deliver("C1", "incoming_chat", &["a", "b"]).await;
    scene.set(&format!("UPDATE deliveries SET state = 'succeeded' WHERE id = {}", made[0].id.0)).await;
    let event = made[0].event_id;
    let plugins = || ["a", "b", "c"].map(Arc::from).to_vec();
    let replay = |event| scene.store.replay_event(event, plugins(), "cli:anna".to_owned(), NOW + 5);
    let replayed = replay(event).await.unwrap().unwrap();
    let names = |list: &[ReplayedDelivery]| list.iter().map(|one| one.plugin.clone()).collect::<Vec<_>>();
    assert_eq!(
        (names(&replayed.deliveries), names(&replayed.unfinished)),
        (vec!["a".into(), "c".into()], vec!["b".into()])
    );
    assert_eq!(replayed.unfinished[0].id, made[1].id);
    assert_eq!(replay(EventId(99)).await.unwrap(), None);
    let handed_on = scene.committed.next().await.unwrap();
    assert_eq!(
        handed_on.iter().map(|one| one.id).collect::<Vec<_>>(),
        [replayed.deliveries[0].id, replayed.deliveries[1].id]
    );
    assert!(handed_on.iter().all(|one| one.lane.as_deref() == Some("chat/C1")));
}

#[tokio::test]
async fn each_deed_is_in_the_audit_log_and_the_log_can_not_be_rewritten() {
    let mut scene = Scene::new();
    let dead = scene.ended("C1", "p", State::Dead, "text of a customer").await;
    let other = scene.ended("C1", "p", State::Dead, "").await;
    let now =
        scene.decide(Decision::Replay { fresh: false }, these(&[dead])).await.deliveries[0].now.unwrap();
    let entries = scene.reader().audit(&AuditFilter { since: None, limit: 10 }).unwrap();
    assert_eq!(entries.len(), 1);
    let entry = &entries[0];
    assert_eq!((entry.who.as_str(), entry.action.as_str()), ("cli:anna", "dead.replay"));
    assert_eq!(entry.subject, "dl-1 of ev-1 to p");
    assert_eq!(entry.before, Some(json!({ "state": "dead", "outcome": "retry", "attempts": 3 })));
    assert_eq!(entry.after, Some(json!({ "state": "pending", "delivery": now })));
    let later = jiff::Timestamp::from_millisecond(NOW + 2).unwrap();
    assert!(scene.reader().audit(&AuditFilter { since: Some(later), limit: 10 }).unwrap().is_empty());
    scene.decide(Decision::Discard, these(&[other])).await;
    for sql in [
        "UPDATE audit SET who = 'nobody'",
        "DELETE FROM audit WHERE id = (SELECT max(id) FROM audit)",
        "DELETE FROM audit WHERE action = 'dead.discard'",
    ] {
        let refused = scene.store.write(move |group| group.connection.execute_batch(sql)).await;
        assert!(refused.expect_err(sql).to_string().contains("append-only"), "{sql}");
    }
    assert_eq!(scene.reader().audit(&AuditFilter { since: None, limit: 10 }).unwrap().len(), 2);
}

#[tokio::test]
async fn the_backlog_is_counted_and_the_most_overdue_delivery_of_a_plugin_found() {
    let mut scene = Scene::new();
    scene.ended("C1", "p", State::Dead, "").await;
    scene.ended("C1", "p", State::Held, "").await;
    let made = scene.deliver("C1", "incoming_chat", &["p", "q"]).await;
    scene.set(&format!("UPDATE deliveries SET due_at = due_at + 600000 WHERE id = {}", made[1].id.0)).await;
    let backlog = scene.reader().backlog(NOW + 30_500, &Uptime::default()).unwrap();
    assert_eq!((backlog.pending, backlog.held, backlog.dead), (2, 1, 1));
    assert_eq!(backlog.overdue_seconds, [("p".to_owned(), 30), ("q".to_owned(), 0)]);
    assert_eq!(backlog.past_due, [("p".to_owned(), 0), ("q".to_owned(), 0)], "not yet");
    let later = scene.reader().backlog(NOW + 60_500, &Uptime::default()).unwrap().past_due;
    assert_eq!(later, [("p".to_owned(), 1), ("q".to_owned(), 0)], "one waits for its time");
    // What is due behind a retry couldn't run.
    scene.deliver("C1", "incoming_chat", &["q"]).await;
    assert_eq!(
        scene.reader().backlog(NOW + 30_500, &Uptime::default()).unwrap().overdue_seconds[1],
        ("q".to_owned(), 0)
    );
    let sizes = scene.store.sizes().await.unwrap();
    assert!(
        sizes.database > 0 && sizes.log > 0 && sizes.disk_free > 0 && sizes.disk >= sizes.disk_free,
        "{sizes:?}"
    );
}

#[tokio::test]
async fn to_look_for_deliveries_keeps_nobody_from_writing_and_needs_no_leave_to_write() {
    let mut scene = Scene::new();
    scene.ended("C1", "p", State::Dead, "gave up").await;
    let other = Connection::open(scene.folder.path().join("chatplug.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // On the writer's thread this would wait for the other, and then fail.
    let none = all(DeliveryFilter { plugin: Some("q".to_owned()), ..DeliveryFilter::default() });
    assert!(scene.decide(Decision::Discard, none).await.deliveries.is_empty());
    other.execute_batch("ROLLBACK").unwrap();
}

#[tokio::test]
async fn bulk_work_is_committed_in_parts() {
    let mut scene = Scene::new();
    for _ in 0..40 {
        scene.ended("C1", "p", State::Dead, "").await;
    }
    // The last one can't be decided about: those of the parts before it are.
    scene
        .set(
            "CREATE TRIGGER t BEFORE INSERT ON audit WHEN NEW.subject LIKE 'dl-40 %'
             BEGIN SELECT RAISE(ABORT, 'no'); END",
        )
        .await;
    let everything = all(DeliveryFilter::default());
    let decided = scene.store.decide(Decision::Discard, everything, "cli:anna".to_owned(), NOW + 1).await;
    assert!(decided.is_err());
    let left = scene.reader().count(State::Dead, &DeliveryFilter::default(), &[], None).unwrap().total;
    assert!((1..40).contains(&left), "{left} are still dead");
}
