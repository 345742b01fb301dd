//! What the tests of the store share, and the tests of its opening.

use std::fs;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::atomic::AtomicI64;

use tempfile::TempDir;

use super::*;
use crate::delivery::{DeliveryId, State};
use crate::event::{Dedupe, EventId, NewEvent, Source};

pub(super) const PLUGIN: &str = "recorder";
pub(super) const DAY_MS: i64 = 24 * 3600 * 1000;
/// Some day in 2026.
pub(super) const NOW_MS: i64 = 1_780_000_000_000;

/// A store on a real file, with a clock that is set by hand.
pub(super) struct Bench {
    pub(super) folder: TempDir,
    opened: Option<Opened>,
    now_ms: Arc<AtomicI64>,
    meters: Meters,
}

impl Bench {
    pub(super) fn new() -> Bench {
        Bench::measured(Meters::none())
    }

    /// The same with something that counts its commits.
    pub(super) fn measured(meters: Meters) -> Bench {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let mut bench = Bench { folder, opened: None, now_ms: Arc::new(AtomicI64::new(NOW_MS)), meters };
        bench.open();
        bench
    }

    pub(super) fn open(&mut self) {
        let now_ms = self.now_ms.clone();
        let clock = Clock::new(move || now_ms.load(Ordering::Relaxed));
        let opened = Store::open_with(self.folder.path(), self.meters.clone(), clock);
        self.opened = Some(opened.expect("the store opens"));
    }

    pub(super) fn close(&mut self) {
        self.opened.take().expect("the store is open").close();
    }

    pub(super) fn set_clock(&self, now_ms: i64) {
        self.now_ms.store(now_ms, Ordering::Relaxed);
    }

    pub(super) fn store(&self) -> &Store {
        &self.opened.as_ref().expect("the store is open").store
    }

    /// Looks at, or changes, the file behind the store's back.
    pub(super) fn on_file<T>(&self, work: impl FnOnce(&Connection) -> T) -> T {
        work(&Connection::open(database(self.folder.path())).expect("the file opens"))
    }

    pub(super) fn number(&self, sql: &str) -> i64 {
        self.on_file(|file| {
            file.query_row(sql, [], |row| row.get(0)).unwrap_or_else(|e| panic!("{sql}: {e}"))
        })
    }

    /// Stores an event of a chat with one delivery; answers its number, which is the delivery's too.
    pub(super) async fn accept(&self, chat: &str, payload: &str, at_ms: i64) -> i64 {
        let event = NewEvent {
            event_type: "incoming_event".to_owned(),
            source: Source::Livechat,
            organization: None,
            occurred_at_ms: None,
            chat_id: Some(chat.to_owned()),
            thread_id: Some("T1".to_owned()),
            lane: Some(format!("chat/{chat}")),
            // Real keys hold ids and hashes, never what somebody wrote.
            dedupe: Dedupe::Key(format!(
                "{chat} T1 incoming_event {:x}",
                BuildHasherDefault::<DefaultHasher>::default().hash_one(payload)
            )),
            trace: Default::default(),
            payload: payload.to_owned(),
            extra: "{}".to_owned(),
            original: String::new(),
            recovered: false,
        };
        let routes = Routes::from([(
            "incoming_event".to_owned(),
            vec![Route { plugin: PLUGIN.into(), own_events: false }],
        )]);
        let webhook = NewWebhook { events: vec![event], rating: None };
        let accepted = self.store().accept(webhook, Arc::new(routes), at_ms).await.expect("it is stored");
        accepted.stored[0].0
    }

    pub(super) async fn finish(&self, delivery: i64, state: State, at_ms: i64) {
        let runs = self.number(&format!("SELECT runs FROM deliveries WHERE id = {delivery}"));
        let finish = Finish {
            id: DeliveryId(delivery),
            run: u32::try_from(runs).expect("it ran a few times"),
            state,
            due_at_ms: at_ms,
            attempts: 1,
            crashes: 0,
            version: None,
            outcome: "as the test says",
            reason: "a reason".to_owned(),
            log: "a log".to_owned(),
            crash: None,
            journaled: true,
            anew: false,
            decisions: Default::default(),
        };
        assert!(self.store().finish(finish, at_ms).await.expect("it is recorded"), "it was pending");
    }

    /// A journal with a step.
    pub(super) fn journal(&self, delivery: i64) {
        let sql = format!(
            "INSERT INTO journals (delivery, version, began_at, seed, next) VALUES ({delivery}, 'v', 0, 0, 1);
             INSERT INTO steps (delivery, number, kind, function, arguments, about, at)
                VALUES ({delivery}, 1, 'read', 'chats.get-chat', x'00', 'a chat', 0);"
        );
        self.on_file(|file| file.execute_batch(&sql).expect("the journal is written"));
    }

    /// Another step, with an answer of this length.
    pub(super) fn answered(&self, delivery: i64, number: i64, kind: &str, bytes: usize) {
        let sql = format!(
            "INSERT INTO steps (delivery, number, kind, function, arguments, about, at, answered_at, answer)
                VALUES ({delivery}, {number}, '{kind}', 'chats.get-chat', x'00', 'a chat', 0, 1, '{}');",
            "x".repeat(bytes)
        );
        self.on_file(|file| file.execute_batch(&sql).expect("the step is written"));
    }

    pub(super) fn state(&self, delivery: i64) -> Option<String> {
        self.on_file(|file| {
            let mut select = file.prepare("SELECT state FROM deliveries WHERE id = ?1").expect("the select");
            select.query_row([delivery], |row| row.get(0)).ok()
        })
    }
}

#[tokio::test]
async fn long_answers_of_reads_go_when_nothing_can_repeat_them_any_more() {
    let bench = Bench::new();
    let kept = |delivery| {
        bench
            .number(&format!("SELECT count(*) FROM steps WHERE delivery = {delivery} AND answer IS NOT NULL"))
    };
    for (state, expected) in [(State::Pending, 3), (State::Dead, 3), (State::Succeeded, 2)] {
        let delivery = bench.accept("C1", state.as_str(), NOW_MS).await;
        bench.journal(delivery);
        bench.answered(delivery, 2, "read", 4 << 10);
        bench.answered(delivery, 3, "read", (4 << 10) + 1);
        bench.answered(delivery, 4, "keyed", 9_000);
        bench.finish(delivery, state, NOW_MS).await;
        assert_eq!(kept(delivery), expected, "{state:?}");
    }
    let reader = Reader::open(bench.folder.path()).expect("a reader").expect("a store");
    let shown = reader.event(EventId(3)).expect("a query").expect("the event");
    let steps = shown.deliveries[0].steps.as_ref().expect("steps");
    let read = &steps[2];
    assert_eq!((read.state, read.answer.as_deref()), ("answered", Some("(long, and not kept)")));
}

#[tokio::test]
async fn a_new_file_can_shrink_and_so_can_one_that_was_made_without() {
    let mut bench = Bench::new();
    assert_eq!(bench.number("PRAGMA auto_vacuum"), 2);
    let event = bench.accept("C1", "{}", NOW_MS).await;
    bench.close();
    bench.on_file(|file| {
        file.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = 0; VACUUM;").expect("a vacuum")
    });
    assert_eq!(bench.number("PRAGMA auto_vacuum"), 0);
    bench.open();
    assert_eq!(bench.number("PRAGMA auto_vacuum"), 2);
    assert!(bench.store().event(EventId(event)).await.expect("a look").is_some());
}

#[tokio::test]
async fn a_store_that_another_host_has_opened_takes_nothing_more() {
    let bench = Bench::new();
    bench.accept("C1", "1", NOW_MS).await;
    // A file system whose locks do nothing lets another process do this.
    bench.on_file(|file| {
        file.execute("INSERT INTO starts (started_at, alive_at) VALUES (1, 1)", []).expect("another start");
    });
    let refused = bench.store().probe(NOW_MS).await.expect_err("the store is not ours any more");
    assert!(matches!(refused, Error::TakenOver), "{refused}");
    assert!(matches!(bench.store().failed().await, Error::TakenOver));
    assert!(bench.store().probe(NOW_MS).await.is_err());
}

#[tokio::test]
async fn the_time_between_two_starts_is_downtime() {
    let mut bench = Bench::new();
    bench.set_clock(NOW_MS + 1_000);
    bench.close();
    bench.set_clock(NOW_MS + DAY_MS);
    bench.open();
    let uptime = bench.store().uptime();
    assert_eq!(uptime.between(NOW_MS, NOW_MS + 2 * DAY_MS), Duration::from_millis(1_000 + DAY_MS as u64));
    bench.close();
    // After eight days nothing that waits can reach so far back.
    bench.set_clock(NOW_MS + 20 * DAY_MS);
    bench.open();
    assert_eq!(bench.number("SELECT count(*) FROM starts"), 2);
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_stretch_a_wait() {
    let bench = Bench::new();
    let delivery = bench.accept("C1", "1", NOW_MS).await;
    bench.finish(delivery, State::Pending, NOW_MS).await;
    bench.on_file(|file| {
        file.execute("UPDATE deliveries SET due_at = due_at + 60000", []).expect("it waits for a minute");
    });
    let pending = bench.store().pending(PLUGIN.into(), DeliveryId(0), 10).await.expect("it is read");
    let check = |now_ms: i64, due_at_ms: i64| {
        assert_eq!(pending[0].clone().by_clock(now_ms).due_at_ms, due_at_ms, "at {now_ms}");
    };
    check(NOW_MS + 10, NOW_MS + 60_000);
    check(NOW_MS, NOW_MS + 60_000);
    check(NOW_MS - DAY_MS, NOW_MS - DAY_MS + 60_000);
}

#[tokio::test]
async fn a_damaged_file_is_refused() {
    let mut bench = Bench::new();
    for number in 0..200 {
        bench.accept(&format!("C{number}"), &"x".repeat(2_000), NOW_MS).await;
    }
    bench.close();
    let path = database(bench.folder.path());
    let whole = fs::read(&path).expect("the file");
    assert!(whole.len() > 400_000, "the log was moved into the file: {} bytes", whole.len());
    let check = |what: &str, bytes: &[u8]| {
        fs::write(&path, bytes).expect("the file is written");
        let opened = Store::open(bench.folder.path());
        let error = opened.err().unwrap_or_else(|| panic!("{what}: it was opened"));
        assert!(matches!(error, Error::Damaged { .. }), "{what}: {error}");
    };
    check("cut in half", &whole[..whole.len() / 2]);
    check("the last page is missing", &whole[..whole.len() - 4096]);
    check("another file", &[b'x'; 100_000]);
    let mut scribbled = whole.clone();
    scribbled[8192..200_000].fill(0xa5);
    check("scribbled over", &scribbled);
    fs::write(&path, &whole).expect("the file is written");
    Store::open(bench.folder.path()).map(|_| ()).expect("the whole file is fine");
}

#[tokio::test]
async fn what_is_torn_at_the_end_of_the_log_is_left_out() {
    let mut bench = Bench::new();
    bench.accept("C1", "1", NOW_MS).await;
    // As a crash leaves it: the log, and something unfinished behind it.
    let path = database(bench.folder.path());
    // The file first: what a checkpoint moves meanwhile is in the log all the same.
    let file = fs::read(&path).expect("the file");
    let log = fs::read(path.with_extension("db-wal")).expect("the log");
    bench.close();
    for torn in [&[][..], &[0xa5; 10_000][..], &log[..log.len() / 2]] {
        // A folder for each: a store that was opened has moved its log into the file.
        let copy = tempfile::tempdir().expect("a folder");
        fs::write(database(copy.path()), &file).expect("a copy");
        let unfinished = [&log[..], torn].concat();
        fs::write(database(copy.path()).with_extension("db-wal"), unfinished).expect("the log is written");
        let opened = Store::open(copy.path()).expect("it opens");
        assert!(opened.store.event(EventId(1)).await.expect("a look").is_some());
    }
}

impl Store {
    /// Runs SQL, for tests of other modules, which must not know it else.
    pub async fn execute(&self, sql: &'static str) -> Result<(), Error> {
        self.write(move |group| group.connection.execute_batch(sql)).await
    }
}

#[tokio::test]
async fn a_read_on_the_calling_thread_answers_as_one_elsewhere() {
    use crate::action::memory::{Answer, Call, Memory};

    let bench = Bench::new();
    bench.on_file(|file| {
        file.execute_batch(&format!(
            "INSERT INTO memory VALUES ('p', 'key', x'78', NULL, NULL), ('p', 'old', x'78', {NOW_MS}, NULL),
                ('q', 'other', x'78', NULL, NULL);"
        ))
        .expect("rows")
    });
    for (key, expected) in [("key", Some(b"x".to_vec())), ("old", None), ("other", None)] {
        let call = || Call::Get { key: key.to_owned() };
        let here = bench.store().read_here("p", call()).expect("an answer");
        assert_eq!(here, Answer::Value(expected), "{key}");
        assert_eq!(here, Memory::read(bench.store(), "p", call()).await.expect("an answer"), "{key}");
    }
    let nameless = Call::Get { key: String::new() };
    let refused = bench.store().read_here("p", nameless.clone()).expect_err("a key has a name");
    assert_eq!(refused, Memory::read(bench.store(), "p", nameless).await.expect_err("a key has a name"));
}
