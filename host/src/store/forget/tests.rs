use std::sync::{Arc, Mutex};

use metrics::{Histogram, HistogramFn};

use super::*;
use crate::delivery::State;
use crate::event::EventId;
use crate::store::Meters;
use crate::store::tests::{Bench, NOW_MS};

const CUSTOMER: &str = r#"{"chat":{"users":[{"type":"customer","name":"Mary","email":"Mary@example.com"}]}}"#;
const MENTION: &str = r#"{"event":{"text":"call mary@example.com back"}}"#;
const OTHER: &str = r#"{"event":{"text":"nothing of hers"}}"#;

/// Mary's chat C1 with three events, and C2 of somebody else with one that mentions her and one that doesn't.
async fn bench() -> Bench {
    let bench = Bench::new();
    for (event, (chat, payload, state)) in (1..).zip([
        ("C1", CUSTOMER, State::Succeeded),
        ("C1", OTHER, State::Dead),
        ("C1", r#"{"event":{"text":"and more"}}"#, State::Pending),
        ("C2", MENTION, State::Held),
        ("C2", OTHER, State::Pending),
    ]) {
        bench.accept(chat, payload, NOW_MS).await;
        bench.journal(event);
        if state != State::Pending {
            bench.finish(event, state, NOW_MS).await;
        }
    }
    bench.on_file(|file| {
        file.execute_batch(
            "INSERT INTO ratings VALUES ('C1', 'T1', '[]', 0), ('C2', 'T1', '[]', 0);
             INSERT INTO memory VALUES ('p', 'seen/C1', x'', NULL, NULL), ('p', 'seen/C10', x'', NULL, NULL),
                ('q', 'contact', CAST('MARY@example.com' AS BLOB), NULL, NULL), ('q', 'seen/C2', x'', NULL, NULL);
             INSERT INTO memory_use (plugin, keys, bytes) VALUES ('p', 2, 15), ('q', 2, 30);
             INSERT INTO timers (plugin, chat, key, due_at, set_at, payload) VALUES
                ('p', 'C1', 'wait', 1, 1, '{}'), ('p', 'C10', 'wait', 1, 1, '{}'), ('p', '', 'about/C1', 1, 1, '{}'),
                ('p', 'C2', 'wait', 1, 1, '{\"mail\":\"Mary@example.com\"}');
             INSERT INTO files (plugin, name, at, delivery, bytes, content) VALUES
                ('p', 'a.csv', 1, 1, 5, 'id,C1'), ('p', 'a.csv', 1, 1, 6, 'id,C10'),
                ('p', 'b.html', 1, 1, 23, '<td>MARY@example.com</td>'), ('q', 'c.txt', 1, 1, 15, 'ann@example.com');
             UPDATE memory_use SET file_bytes = 34 WHERE plugin = 'p';",
        )
        .expect("rows")
    });
    bench
}

async fn has_content(bench: &Bench) -> Vec<i64> {
    let mut left = Vec::new();
    for event in 1..=5 {
        if bench.store().event(EventId(event)).await.expect("a look").is_some() {
            left.push(event);
        }
    }
    left
}

fn keys(bench: &Bench) -> Vec<String> {
    bench.on_file(|file| {
        let mut select = file.prepare("SELECT key FROM memory ORDER BY key").expect("the select");
        let rows = select.query_map([], |row| row.get(0)).expect("rows");
        rows.collect::<rusqlite::Result<_>>().expect("keys")
    })
}

fn states(bench: &Bench) -> Vec<String> {
    (1..=5).filter_map(|delivery| bench.state(delivery)).collect()
}

fn would_forget(bench: &Bench, person: &Person) -> Forgotten {
    let reader = Reader::open(bench.folder.path()).expect("a reader").expect("a store");
    reader.would_forget(person).expect("a search")
}

#[tokio::test]
async fn a_chat_is_forgotten_and_the_others_stay() {
    let bench = bench().await;
    let person = Person::Chat("C1".to_owned());
    let expected = Forgotten {
        chats: ["C1".to_owned()].into(),
        events: 3,
        deliveries: 2,
        ratings: 1,
        dedupe_keys: 3,
        memory: 1,
        timers: 2,
        files: 1,
    };
    assert_eq!(would_forget(&bench, &person), expected);
    assert_eq!(has_content(&bench).await, [1, 2, 3, 4, 5], "only a look");
    assert_eq!(
        bench.store().forget(person, "test".to_owned(), NOW_MS).await.expect("it is forgotten"),
        expected
    );
    assert_eq!(has_content(&bench).await, [4, 5]);
    assert_eq!(states(&bench), ["succeeded", "skipped", "skipped", "held", "pending"]);
    assert_eq!(keys(&bench), ["contact", "seen/C10", "seen/C2"]);
    assert_eq!(bench.number("SELECT group_concat(id) = '2,3,4' FROM files"), 1);
    assert_eq!(bench.number("SELECT file_bytes FROM memory_use WHERE plugin = 'p'"), 29);
    let texts =
        "SELECT count(*) FROM deliveries WHERE event < 4 AND (log IS NOT NULL OR reason = 'a reason')";
    assert_eq!(bench.number(texts), 0);
    assert_eq!(bench.number("SELECT min(delivery) FROM steps"), 4);
    assert_eq!(bench.number("SELECT min(delivery) FROM journals"), 4);
    assert_eq!(bench.number("SELECT keys FROM memory_use WHERE plugin = 'p'"), 1);
    assert!(bench.store().may_be_forgotten(EventId(5)) && !bench.store().may_be_forgotten(EventId(6)));
}

#[tokio::test]
async fn a_chat_without_an_id_is_nobodys() {
    let bench = bench().await;
    let person = Person::Chat(String::new());
    let timers = bench.number("SELECT count(*) FROM timers");
    assert_eq!(would_forget(&bench, &person), Forgotten::default());
    let done = bench.store().forget(person, "test".to_owned(), NOW_MS).await.expect("it ends");
    assert_eq!(done, Forgotten::default());
    assert_eq!(bench.number("SELECT count(*) FROM timers"), timers);
}

#[tokio::test]
async fn an_address_takes_its_chats_and_what_mentions_it() {
    let bench = bench().await;
    let person = Person::Email("mary@Example.com".to_owned());
    let expected = Forgotten {
        chats: ["C1".to_owned()].into(),
        events: 4,
        deliveries: 3,
        ratings: 1,
        dedupe_keys: 3,
        memory: 2,
        timers: 3,
        files: 2,
    };
    assert_eq!(would_forget(&bench, &person), expected);
    assert_eq!(
        bench.store().forget(person.clone(), "test".to_owned(), NOW_MS).await.expect("it is forgotten"),
        expected
    );
    assert_eq!(has_content(&bench).await, [5]);
    assert_eq!(states(&bench), ["succeeded", "skipped", "skipped", "skipped", "pending"]);
    assert_eq!(keys(&bench), ["seen/C10", "seen/C2"]);
    assert_eq!(bench.number("SELECT group_concat(id) = '2,4' FROM files"), 1);
    assert_eq!(bench.store().forget(person, "test".to_owned(), NOW_MS).await.expect("again").events, 0);
}

#[tokio::test]
async fn nothing_of_what_was_forgotten_is_left_in_the_files() {
    let mut bench = bench().await;
    let person = Person::Email("mary@example.com".to_owned());
    bench.store().forget(person, "test".to_owned(), NOW_MS).await.expect("it is forgotten");
    bench.close();
    for entry in std::fs::read_dir(bench.folder.path()).expect("the folder") {
        let path = entry.expect("an entry").path();
        let bytes = std::fs::read(&path).expect("the file").to_ascii_lowercase();
        let found = bytes.windows(16).any(|window| window == b"mary@example.com");
        assert!(!found, "{} still has the address", path.display());
    }
}

#[tokio::test]
async fn many_chats_and_events_are_forgotten_in_batches() {
    let bench = Bench::new();
    for number in 0..107 {
        bench.accept("C1", &format!("{number}"), NOW_MS).await;
    }
    let forgotten = bench
        .store()
        .forget(Person::Chat("C1".to_owned()), "test".to_owned(), NOW_MS)
        .await
        .expect("it is forgotten");
    assert_eq!((forgotten.events, forgotten.deliveries), (107, 107));
    assert_eq!(forgotten.dedupe_keys, 107);
}

/// How many rows each commit changed.
#[derive(Default)]
struct Rows(Mutex<Vec<f64>>);

impl HistogramFn for Rows {
    fn record(&self, value: f64) {
        self.0.lock().expect("nobody panicked").push(value);
    }
}

/// Long steps of the journal in [`with_a_long_journal`].
const STEPS: i64 = 40;

/// A dead letter of chat C1 with a journal of 4 MB.
async fn with_a_long_journal(meters: Meters) -> Bench {
    let bench = Bench::measured(meters);
    let event = bench.accept("C1", "{}", NOW_MS).await;
    bench.journal(event);
    (2..=STEPS).for_each(|number| bench.answered(event, number, "keyed", 100 << 10));
    bench.finish(event, State::Dead, NOW_MS).await;
    bench
}

#[tokio::test]
async fn a_long_journal_is_forgotten_in_many_commits() {
    let rows = Arc::new(Rows::default());
    let commit_rows = Histogram::from_arc(rows.clone());
    let bench = with_a_long_journal(Meters { commit_rows, ..Meters::none() }).await;
    rows.0.lock().expect("nobody panicked").clear();
    let person = Person::Chat("C1".to_owned());
    let done = bench.store().forget(person, "test".to_owned(), NOW_MS).await.expect("it is forgotten");
    assert_eq!((done.events, done.deliveries), (1, 1));
    assert_eq!(bench.number("SELECT count(*) FROM steps"), 0);
    assert_eq!(bench.number("SELECT count(*) FROM journals"), 0);
    assert_eq!(bench.number("SELECT count(*) FROM events WHERE removed = 'forgotten'"), 1);
    let rows = rows.0.lock().expect("nobody panicked");
    // A few steps in each, and beside them the event, its delivery, the end of the journal.
    assert!(rows.iter().all(|rows| *rows <= 8.0), "{rows:?}");
    assert!(rows.iter().sum::<f64>() >= STEPS as f64, "{rows:?}");
}

#[tokio::test]
async fn what_was_forgotten_in_part_can_not_be_replayed_and_is_forgotten_when_asked_again() {
    let bench = with_a_long_journal(Meters::none()).await;
    bench.on_file(|file| {
        let sql = "CREATE TRIGGER t BEFORE DELETE ON steps WHEN old.number = 20
            BEGIN SELECT RAISE(ABORT, 'no'); END";
        file.execute_batch(sql).expect("a trigger");
    });
    let person = || Person::Chat("C1".to_owned());
    bench.store().forget(person(), "test".to_owned(), NOW_MS).await.expect_err("a step can't be removed");
    let left = bench.number("SELECT count(*) FROM steps");
    assert!((1..STEPS).contains(&left), "{left} steps are left");
    assert_eq!(bench.state(1).as_deref(), Some("skipped"));
    assert_eq!(bench.store().event(EventId(1)).await.expect("a look"), None);
    bench.on_file(|file| file.execute_batch("DROP TRIGGER t").expect("it is gone"));
    let done = bench.store().forget(person(), "test".to_owned(), NOW_MS).await.expect("it is forgotten");
    assert_eq!(done.events, 1);
    assert_eq!(bench.number("SELECT count(*) FROM steps"), 0);
}

/// A recorded call of a delivery, with what was answered, and what was sent.
fn step(bench: &Bench, delivery: i64, answer: &str, request: Option<&str>) {
    bench.on_file(|file| {
        let sql = "UPDATE steps SET answer = ?2, request = ?3 WHERE delivery = ?1";
        assert_eq!(file.execute(sql, params![delivery, answer, request]).expect("the step"), 1);
    });
}

#[tokio::test]
async fn an_address_that_stands_only_in_what_runs_recorded_is_found() {
    use crate::action::http::Response;
    use crate::journal::Answer;

    let shown = |email: &str, id: &str| {
        let chat = json!({ "id": id, "users": [{ "type": "customer", "email": email }] });
        Answer::Text(chat.to_string()).to_json()
    };
    let http = |body: &[u8]| {
        Answer::Http(Response { status: 200, headers: Vec::new(), body: body.to_vec() }).to_json()
    };
    let bytes = [&[0xff][..], b" mary@example.com"].concat();
    let path = r#"{"http":{"connection":"crm","method":"GET","path":"/mary%40example.com","query":[],"headers":[],"body":null,"timeout_ms":null,"effect":null}}"#;
    // Whether the event goes, and whether the whole chat does.
    for (what, answer, request, column, gone) in [
        ("a chat of hers", shown("Mary@example.com", "C1"), None, None, (2, true)),
        ("another chat of hers", shown("mary@example.com", "C7"), None, None, (1, false)),
        ("somebody else's chat", shown("rosemary@example.com", "C1"), None, None, (0, false)),
        ("a contact", http(br#"{"id":"7","email":"mary@example.com"}"#), None, None, (1, false)),
        ("bytes that are no text", http(&bytes), None, None, (1, false)),
        ("a path", http(b"{}"), Some(path), None, (1, false)),
        ("a reason", http(b"{}"), None, Some("reason"), (1, false)),
        ("a log", http(b"{}"), None, Some("log"), (1, false)),
        ("a crash", http(b"{}"), None, Some("crash"), (1, false)),
    ] {
        let bench = Bench::new();
        let event = bench.accept("C1", "{}", NOW_MS).await;
        bench.journal(event);
        bench.finish(event, State::Dead, NOW_MS).await;
        bench.accept("C1", OTHER, NOW_MS).await;
        step(&bench, event, &answer, request);
        if let Some(column) = column {
            let sql =
                format!("UPDATE deliveries SET {column} = 'no mary@example.com there' WHERE id = {event}");
            bench.on_file(|file| file.execute_batch(&sql).expect("the column"));
        }
        let person = Person::Email("mary@example.com".to_owned());
        let would = would_forget(&bench, &person);
        assert_eq!((would.events, would.chats.contains("C1")), gone, "{what}");
        let done = bench.store().forget(person, "test".to_owned(), NOW_MS).await.expect("it is forgotten");
        assert_eq!((done.events, done.chats.contains("C1")), gone, "{what}");
        assert_eq!(
            bench.state(event).as_deref(),
            Some(if gone.0 > 0 { "skipped" } else { "dead" }),
            "{what}"
        );
        let left = "SELECT count(*) FROM deliveries WHERE instr(lower(coalesce(reason, '') || coalesce(log, '') || coalesce(crash, '')), ' mary@') > 0";
        assert_eq!(bench.number(left), 0, "{what}");
    }
}

#[tokio::test]
async fn a_chat_that_stands_only_in_what_other_events_hold_is_found() {
    use crate::journal::Answer;

    let archive = Answer::Text(r#"{"chats":[{"id":"PJ0MRSHTDG","text":"a secret of hers"}]}"#.to_owned());
    // Whether one of its own is stored, by whose id it is asked for, and how many of the other three go.
    for (own, id, gone) in [
        (None, "PJ0MRSHTDG", 3),
        (Some("PJ0MRSHTDG"), "PJ0MRSHTDG", 3),
        (None, "secret", 0),
        (Some("secret"), "secret", 1),
    ] {
        let bench = Bench::new();
        let schedule = bench.accept("", "{}", NOW_MS).await;
        bench.journal(schedule);
        bench.finish(schedule, State::Dead, NOW_MS).await;
        step(&bench, schedule, &archive.to_json(), None);
        let reason = bench.accept("C2", "{}", NOW_MS).await;
        bench.finish(reason, State::Dead, NOW_MS).await;
        bench.accept("", r#"{"command":{"chat":"PJ0MRSHTDG"}}"#, NOW_MS).await;
        bench.accept("C2", OTHER, NOW_MS).await;
        bench.on_file(|file| {
            let sql = "UPDATE events SET chat_id = NULL WHERE chat_id = '';
                UPDATE deliveries SET reason = 'no chat PJ0MRSHTDG' WHERE id = 2";
            file.execute_batch(sql).expect("the columns")
        });
        if let Some(chat) = own {
            bench.accept(chat, "{}", NOW_MS).await;
        }
        let gone = gone + u64::from(own.is_some());
        let person = Person::Chat(id.to_owned());
        assert_eq!(would_forget(&bench, &person).events, gone, "{id}, {own:?}");
        let done = bench.store().forget(person, "test".to_owned(), NOW_MS).await.expect("it is forgotten");
        assert_eq!(done.events, gone, "{id}, {own:?}");
        let left = bench.number("SELECT count(*) FROM steps");
        assert_eq!(left, i64::from(gone == 0), "{id}, {own:?}");
        assert!(bench.store().event(EventId(4)).await.expect("a look").is_some(), "it tells of nobody");
    }
}

#[tokio::test]
async fn nothing_of_it_is_left_in_the_files_of_a_store_that_stays_open() {
    let bench = bench().await;
    let person = Person::Email("mary@example.com".to_owned());
    bench.store().forget(person, "test".to_owned(), NOW_MS).await.expect("it is forgotten");
    for name in ["chatplug.db", "chatplug.db-wal"] {
        let bytes = std::fs::read(bench.folder.path().join(name)).expect("the file").to_ascii_lowercase();
        assert!(
            !bytes.windows(16).any(|window| window == b"mary@example.com"),
            "{name} still has the address"
        );
    }
}

#[tokio::test]
async fn the_log_of_operators_says_that_it_was_begun_before_it_is_done() {
    let bench = bench().await;
    bench.on_file(|file| {
        let sql = "CREATE TRIGGER t BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'no'); END";
        file.execute_batch(sql).expect("a trigger");
    });
    let person = || Person::Chat("C1".to_owned());
    bench.store().forget(person(), "test".to_owned(), NOW_MS).await.expect_err("an event can't be changed");
    let audit = |action: &str| bench.number(&format!("SELECT count(*) FROM audit WHERE action = '{action}'"));
    assert_eq!((audit("forget.begun"), audit("forget")), (1, 0));
    bench.on_file(|file| file.execute_batch("DROP TRIGGER t").expect("it is gone"));
    bench.store().forget(person(), "test".to_owned(), NOW_MS).await.expect("it is forgotten");
    assert_eq!((audit("forget.begun"), audit("forget")), (2, 1));
}
