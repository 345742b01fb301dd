use super::*;
use crate::action::memory::Answer as MemoryAnswer;
use crate::event::trace_id::TraceId;
use crate::journal::{Answered, Kind, Ledger, Lost, Own, Run, Step};
use crate::limits::{FILE_TOKENS_MAX, Limits, Retention};
use crate::store::tests::{Bench, DAY_MS, NOW_MS, PLUGIN};
use crate::store::{BatchSize, FileToken, Job, Reader};

/// The run of a delivery publishes something as the step of this number.
async fn publish_as(
    bench: &Bench,
    (delivery, run, number): (i64, u32, u32),
    name: &str,
    content: &str,
    room: Room,
) -> Result<Answered, Lost> {
    let own = Own::File(Call { name: name.to_owned(), content: content.to_owned() });
    let step = Step { number, call: own.call(Kind::Own), at_ms: NOW_MS, answered: None, aside: false };
    let id = DeliveryId(delivery);
    let run = Run { delivery: id, number: run, root: id, trace: TraceId::default() };
    bench.store().own(run, (PLUGIN, room), vec![], step, own).await
}

/// The first run of the delivery publishes something.
async fn publish(bench: &Bench, name: &str, content: &str, room: Room) -> Result<MemoryAnswer, Code> {
    let number = bench.number("SELECT count(*) FROM steps") as u32 + 1;
    let answered = publish_as(bench, (1, 0, number), name, content, room).await.expect("it is recorded");
    answered.answer.into_memory().map_err(|error| error.code)
}

fn room() -> Room {
    Limits::default().room()
}

async fn bench() -> Bench {
    let bench = Bench::new();
    bench.accept("C1", "{}", NOW_MS).await;
    bench
}

fn reader(bench: &Bench) -> Reader {
    Reader::open(bench.folder.path()).expect("a reader").expect("a store")
}

/// What each version of a name says, the newest first.
fn contents(bench: &Bench, name: &str) -> Vec<String> {
    let reader = reader(bench);
    let versions = reader.file_versions(PLUGIN, name).expect("versions").into_iter();
    let content = |version: FileVersion| reader.file(PLUGIN, name, Some(version.version)).expect("a look");
    versions.map(|version| content(version).expect("it is there").content).collect()
}

/// The bytes as they are counted, and as they are.
fn bytes(bench: &Bench) -> (i64, i64) {
    let counted = bench.number("SELECT coalesce(sum(file_bytes), 0) FROM memory_use");
    (counted, bench.number("SELECT coalesce(sum(length(CAST(content AS BLOB))), 0) FROM files"))
}

#[tokio::test]
async fn the_newest_version_is_shown_and_the_others_are_kept() {
    let bench = bench().await;
    for content in ["one", "two", "trzy ż"] {
        assert_eq!(publish(&bench, "a.txt", content, room()).await, Ok(MemoryAnswer::Done));
    }
    publish(&bench, "dashboard.json", "{}", room()).await.expect("it is published");
    let reader = reader(&bench);
    let newest = reader.file(PLUGIN, "a.txt", None).expect("a look").expect("it is there");
    assert_eq!((newest.content.as_str(), newest.version), ("trzy ż", 3));
    assert_eq!(contents(&bench, "a.txt"), ["trzy ż", "two", "one"]);
    let listed = reader.files(Some(PLUGIN)).expect("a list");
    let shown: Vec<_> =
        listed.iter().map(|file| (&*file.name, file.version, file.versions, file.bytes)).collect();
    assert_eq!(shown, [("a.txt", 3, 3, 7), ("dashboard.json", 4, 1, 2)]);
    assert_eq!(
        (listed[0].media_type.as_str(), reader.files(Some("other")).expect("a list").len()),
        ("text/plain", 0)
    );
    assert_eq!(reader.newest_file("dashboard.json").expect("a look").map(|file| file.version), Some(4));
    assert_eq!(reader.newest_file("b.json").expect("a look"), None);
    assert_eq!(reader.file(PLUGIN, "a.txt", Some(4)).expect("a look"), None, "a version of another file");
    assert_eq!(reader.file("other", "a.txt", Some(3)).expect("a look"), None);
}

#[tokio::test]
async fn files_are_bounded() {
    let bench = bench().await;
    let small = Room { files: 2, file_bytes: 4, file_versions: 3, all_files_bytes: 20, ..room() };
    assert_eq!(publish(&bench, "a.txt", "12345", small).await, Err(Code::Limit));
    for content in ["1", "2", "3", "4"] {
        assert_eq!(publish(&bench, "a.txt", content, small).await, Ok(MemoryAnswer::Done));
    }
    assert_eq!(contents(&bench, "a.txt"), ["4", "3", "2"], "three versions are kept");
    assert_eq!(publish(&bench, "b.txt", "b", small).await, Ok(MemoryAnswer::Done));
    assert_eq!(publish(&bench, "c.txt", "c", small).await, Err(Code::Limit), "two names");
    assert_eq!(publish(&bench, "b.txt", "bb", small).await, Ok(MemoryAnswer::Done), "that is there already");
    assert_eq!(bytes(&bench), (6, 6));
    let fewer = Room { file_versions: 1, ..small };
    publish(&bench, "a.txt", "5", fewer).await.expect("it is published");
    assert_eq!(contents(&bench, "a.txt"), ["5"], "fewer from now on");
}

#[tokio::test]
async fn old_versions_make_room_and_the_newest_ones_stay() {
    let bench = bench().await;
    let small = Room { all_files_bytes: 8, ..room() };
    for (name, content) in [("a.txt", "a1"), ("b.txt", "b1"), ("a.txt", "a2"), ("b.txt", "b2")] {
        assert_eq!(publish(&bench, name, content, small).await, Ok(MemoryAnswer::Done));
    }
    assert_eq!(publish(&bench, "c.txt", "c", small).await, Ok(MemoryAnswer::Done));
    assert_eq!((contents(&bench, "a.txt"), contents(&bench, "b.txt").len()), (vec!["a2".to_owned()], 2));
    assert_eq!(publish(&bench, "c.txt", "c23456", small).await, Err(Code::Limit), "the newest ones don't go");
    assert_eq!(contents(&bench, "b.txt").len(), 2, "what was refused has taken nothing away");
    assert_eq!(bytes(&bench), (7, 7));
}

#[tokio::test]
async fn the_version_that_is_replaced_makes_room_too() {
    let bench = bench().await;
    let small = Room { all_files_bytes: 8, ..room() };
    for content in ["12345", "678901", "2345678"] {
        assert_eq!(publish(&bench, "a.txt", content, small).await, Ok(MemoryAnswer::Done), "{content}");
    }
    assert_eq!((contents(&bench, "a.txt"), bytes(&bench)), (vec!["2345678".to_owned()], (7, 7)));
    assert_eq!(publish(&bench, "b.txt", "b", small).await, Ok(MemoryAnswer::Done));
    assert_eq!(publish(&bench, "b.txt", "bb", small).await, Err(Code::Limit), "the newest of another stays");
    assert_eq!((contents(&bench, "b.txt"), bytes(&bench)), (vec!["b".to_owned()], (8, 8)));
    assert_eq!(publish(&bench, "b.txt", "c", small).await, Ok(MemoryAnswer::Done));
    assert_eq!((contents(&bench, "b.txt"), bytes(&bench)), (vec!["c".to_owned()], (8, 8)));
}

const KEPT_MS: i64 = 90 * DAY_MS;

async fn prune(bench: &Bench, now_ms: i64) {
    while !bench
        .store()
        .prune(Job::Files, Retention::default(), now_ms, BatchSize::of(1))
        .await
        .expect("a batch")
        .is_done
    {}
}

/// Publishes files, and makes a link to each.
async fn linked(names: &[&str]) -> Bench {
    let bench = bench().await;
    for name in names {
        publish(&bench, name, "x", room()).await.expect("it is published");
        let made = bench.store().make_file_token(PLUGIN, name, "test".to_owned(), NOW_MS).await;
        assert!(matches!(made, Ok(FileToken::Made(_))), "{made:?}");
    }
    bench
}

fn links(bench: &Bench, name: &str) -> i64 {
    bench.number(&format!("SELECT count(*) FROM file_tokens WHERE name = '{name}'"))
}

#[tokio::test]
async fn what_is_old_goes_and_a_link_to_it_holds_as_long_again() {
    let bench = linked(&["a.txt", "b.txt"]).await;
    bench.on_file(|file| {
        file.execute_batch("UPDATE files SET at = at + 1 WHERE name = 'b.txt'").expect("SQL")
    });
    prune(&bench, NOW_MS + KEPT_MS).await;
    assert_eq!(bench.number("SELECT count(*) FROM files"), 2, "not yet");
    let gone_ms = NOW_MS + KEPT_MS + 1;
    prune(&bench, gone_ms).await;
    assert_eq!((contents(&bench, "a.txt").len(), contents(&bench, "b.txt").len()), (0, 1));
    assert_eq!(bytes(&bench), (1, 1));
    assert_eq!((links(&bench, "a.txt"), links(&bench, "b.txt")), (1, 1), "its file has only just gone");
    prune(&bench, gone_ms + KEPT_MS).await;
    assert_eq!((links(&bench, "a.txt"), links(&bench, "b.txt")), (1, 1), "not yet");
    prune(&bench, gone_ms + KEPT_MS + 1).await;
    assert_eq!((links(&bench, "a.txt"), links(&bench, "b.txt")), (0, 1));
    assert_eq!(bench.number("SELECT count(*) FROM files"), 0);
}

#[tokio::test]
async fn a_link_whose_file_came_back_holds_as_if_it_had_never_gone() {
    let bench = linked(&["a.txt"]).await;
    let forget = || bench.on_file(|file| file.execute_batch("DELETE FROM files").expect("SQL"));
    forget();
    prune(&bench, NOW_MS).await;
    publish(&bench, "a.txt", "again", room()).await.expect("it is published");
    prune(&bench, NOW_MS + 10 * DAY_MS).await;
    forget();
    let gone_ms = NOW_MS + 80 * DAY_MS;
    prune(&bench, gone_ms).await;
    prune(&bench, gone_ms + KEPT_MS).await;
    assert_eq!(links(&bench, "a.txt"), 1, "it counts from when the file went the last time");
    prune(&bench, gone_ms + KEPT_MS + 1).await;
    assert_eq!(links(&bench, "a.txt"), 0);
}

#[tokio::test]
async fn a_run_that_was_overtaken_publishes_nothing() {
    let bench = bench().await;
    let overtaken = publish_as(&bench, (1, 7, 1), "a.txt", "a", room()).await;
    assert_eq!(overtaken.map(|_| ()), Err(Lost::Overtaken));
    assert_eq!(bench.number("SELECT count(*) FROM files"), 0);
}

#[tokio::test]
async fn what_the_journal_does_not_take_is_not_published() {
    let bench = bench().await;
    publish_as(&bench, (1, 0, 1), "a.txt", "first", room()).await.expect("it is recorded");
    // The step is there already: nothing of the command may stay.
    let lost = publish_as(&bench, (1, 0, 1), "a.txt", "second", room()).await;
    assert!(matches!(lost, Err(Lost::Failed(_))), "{lost:?}");
    assert_eq!(contents(&bench, "a.txt"), ["first"]);
    assert_eq!(bytes(&bench), (5, 5));
}

#[tokio::test]
async fn a_token_is_good_for_its_file_until_it_is_revoked() {
    let bench = bench().await;
    let store = bench.store();
    let make = async |name: &str| {
        store.make_file_token(PLUGIN, name, "test".to_owned(), NOW_MS).await.expect("an answer")
    };
    let is_good =
        async |name: &str, token: &str| store.is_file_token(PLUGIN, name, token).await.expect("an answer");
    assert_eq!(make("a.txt").await, FileToken::NoFile);
    for name in ["a.txt", "b.txt"] {
        publish(&bench, name, "x", room()).await.expect("it is published");
    }
    let FileToken::Made(token) = make("a.txt").await else { panic!("no token") };
    assert!(token.len() >= 43, "{token}");
    assert!(is_good("a.txt", &token).await && !is_good("b.txt", &token).await);
    for wrong in ["", &token[1..], &token.to_lowercase(), "null"] {
        assert!(!is_good("a.txt", wrong).await, "{wrong}");
    }
    assert!(!store.is_file_token("other", "a.txt", &token).await.expect("an answer"));
    for _ in 1..FILE_TOKENS_MAX {
        assert!(matches!(make("a.txt").await, FileToken::Made(_)));
    }
    assert_eq!(make("a.txt").await, FileToken::TooMany(FILE_TOKENS_MAX));
    let revoke = async || {
        store.revoke_file_tokens(PLUGIN, "a.txt", "test".to_owned(), NOW_MS).await.expect("an answer")
    };
    assert_eq!((revoke().await, revoke().await), (FILE_TOKENS_MAX.into(), 0));
    assert!(!is_good("a.txt", &token).await);
    assert_eq!(
        bench.number("SELECT count(*) FROM audit WHERE action = 'files.token'"),
        i64::from(FILE_TOKENS_MAX)
    );
    assert_eq!(
        bench.number(
            "SELECT count(*) FROM audit WHERE action = 'files.revoke' AND subject = 'file recorder/a.txt'"
        ),
        1
    );
    let text = bench.number("SELECT count(*) FROM file_tokens WHERE typeof(digest) <> 'blob'");
    assert_eq!(text, 0);
}

#[tokio::test]
async fn no_token_stands_in_the_files_of_the_store() {
    let mut bench = bench().await;
    publish(&bench, "a.txt", "x", room()).await.expect("it is published");
    let made = bench.store().make_file_token(PLUGIN, "a.txt", "test".to_owned(), NOW_MS).await;
    let Ok(FileToken::Made(token)) = made else { panic!("{made:?}") };
    bench.close();
    for entry in std::fs::read_dir(bench.folder.path()).expect("the folder") {
        let bytes = std::fs::read(entry.expect("an entry").path()).expect("the file");
        assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()));
    }
}
