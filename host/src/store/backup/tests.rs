use super::*;
use crate::store::tests::{Bench, DAY_MS, NOW_MS};
use crate::store::{AuditFilter, DeedOfOperator, Reader};

const WHO: &str = "cli:ada";

/// A copy of the files of a store, as a snapshot of the disk has them: an entry of memory is in the log only.
fn snapshot(bench: &Bench, to: &Path) {
    bench.on_file(|file| {
        file.execute_batch(
            "PRAGMA wal_autocheckpoint = 0;
             INSERT INTO memory VALUES ('p', 'in the log', x'', NULL, NULL)",
        )
        .expect("an entry");
        let from = database(bench.folder.path());
        for ending in ["", "-wal"] {
            fs::copy(beside(&from, ending), beside(to, ending)).expect("it is copied");
        }
    });
}

#[tokio::test]
async fn what_stands_in_the_log_beside_a_backup_is_restored_too() {
    let mut bench = Bench::new();
    bench.accept("C1", "{}", NOW_MS).await;
    bench.close();
    let folder = tempfile::tempdir().expect("a folder");
    let (copy, place) = (folder.path().join("copy.db"), folder.path().join("data"));
    snapshot(&bench, &copy);
    let checked = check(&copy).expect("it is whole");
    assert_eq!((checked.events, checked.memory), (1, 1));
    let restored = restore(&copy, &place, WHO, NOW_MS).expect("it is restored");
    assert_eq!(restored.store, checked, "what was checked is what is there");
    let opened = Store::open(&place).expect("it opens");
    opened.close();
    let left: Vec<String> = fs::read_dir(&place)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains(".part"))
        .collect();
    assert_eq!(left, [""; 0], "nothing unfinished is left over");
    let entries = Connection::open(database(&place)).expect("the file opens");
    let count: i64 = entries.query_row("SELECT count(*) FROM memory", [], |row| row.get(0)).expect("a count");
    assert_eq!(count, 1);
}

#[tokio::test]
async fn what_is_restored_belongs_to_who_owned_the_store_before() {
    let mut bench = Bench::new();
    bench.close();
    let place = database(bench.folder.path());
    let copy = bench.folder.path().join("copy.db");
    backup(bench.folder.path(), &copy).expect("a copy");
    // Only root can try it with another user.
    let owner =
        if rustix::process::geteuid().is_root() { 4_321 } else { rustix::process::geteuid().as_raw() };
    rustix::fs::chown(&place, Some(Uid::from_raw(owner)), None).expect("it is given away");
    fs::remove_file(bench.folder.path().join("lock")).expect("no host has run here yet");
    restore(&copy, bench.folder.path(), WHO, NOW_MS).expect("it is restored");
    for path in [&place, &bench.folder.path().join("lock")] {
        assert_eq!(fs::metadata(path).expect("the file").uid(), owner, "{}", path.display());
    }
}

#[tokio::test]
async fn the_time_since_the_backup_is_no_outage_and_is_told() {
    let mut bench = Bench::new();
    // One that nobody has looked at.
    bench.close();
    bench.set_clock(NOW_MS + DAY_MS);
    bench.open();
    let owed = bench.store().outage().await.expect("a look").expect("it was down for a day");
    let folder = tempfile::tempdir().expect("a folder");
    let copies = ["owed.db", "looked-at.db"].map(|name| folder.path().join(name));
    backup(bench.folder.path(), &copies[0]).expect("a copy");
    bench.store().outage_is_over(owed).await.expect("it is noted");
    backup(bench.folder.path(), &copies[1]).expect("a copy");
    bench.close();

    bench.set_clock(NOW_MS + 3 * DAY_MS);
    for (copy, until_ms) in copies.iter().zip([NOW_MS, NOW_MS + DAY_MS]) {
        let restored = restore(copy, bench.folder.path(), WHO, until_ms).expect("it is restored");
        assert_eq!(restored.until, Some(rfc3339(until_ms)));
        bench.open();
        assert_eq!(bench.store().outage().await.expect("a look"), None, "{}", copy.display());
        bench.close();
    }
    // From then on outages are noted again.
    bench.set_clock(NOW_MS + 4 * DAY_MS);
    bench.open();
    let outage = bench.store().outage().await.expect("a look").map(|outage| outage.began_ms);
    assert_eq!(outage, Some(NOW_MS + 3 * DAY_MS));
}

#[tokio::test]
async fn the_audit_log_goes_on_over_a_restore_which_is_in_it() {
    let mut bench = Bench::new();
    let deed = |action| DeedOfOperator {
        who: WHO.to_owned(),
        action,
        subject: "p".to_owned(),
        before: None,
        after: None,
    };
    bench.store().note_deed(deed("plugins.enable"), NOW_MS).await.expect("it is noted");
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("copy.db");
    backup(bench.folder.path(), &copy).expect("a copy");
    bench.store().note_deed(deed("plugins.disable"), NOW_MS + 1).await.expect("it is noted");
    bench.close();
    let actions = |place: &Path| -> Vec<(String, String)> {
        let reader = Reader::open(place).expect("it opens").expect("a store");
        let entries = reader.audit(&AuditFilter { since: None, limit: 10 }).expect("a list");
        entries.into_iter().rev().map(|entry| (entry.action, entry.who)).collect()
    };
    let said = |actions: &[&str]| -> Vec<(String, String)> {
        actions.iter().map(|action| ((*action).to_owned(), WHO.to_owned())).collect()
    };
    restore(&copy, bench.folder.path(), WHO, NOW_MS + 2).expect("it is restored");
    assert_eq!(actions(bench.folder.path()), said(&["plugins.enable", "plugins.disable", "restore"]));
    // Another store has another history.
    let mut other = Bench::new();
    other.store().note_deed(deed("dead.discard"), NOW_MS).await.expect("it is noted");
    other.store().note_deed(deed("dead.replay"), NOW_MS).await.expect("it is noted");
    other.close();
    restore(&copy, other.folder.path(), WHO, NOW_MS + 3).expect("it is restored");
    assert_eq!(actions(other.folder.path()), said(&["plugins.enable", "restore"]));
    // One that can't be read keeps nobody from restoring.
    fs::write(database(other.folder.path()), b"no database").expect("it is damaged");
    restore(&copy, other.folder.path(), WHO, NOW_MS + 4_000).expect("it is restored");
    assert_eq!(actions(other.folder.path()), said(&["plugins.enable", "restore"]));
}

#[tokio::test]
async fn damage_is_found_while_the_store_is_in_use() {
    let bench = Bench::new();
    const PATIENCE: Duration = Duration::from_secs(60);
    for number in 0..200 {
        bench.accept("C1", &format!("{number}{}", "x".repeat(2_000)), NOW_MS).await;
    }
    assert!(bench.store().look_through(PATIENCE).await.is_ok());
    // An entry of an index that leads nowhere; of the file itself somebody else may hold a page.
    bench.on_file(|file| {
        let sql = "PRAGMA writable_schema = ON;
            UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'dedupe')
                WHERE name = 'deliveries_of_event'";
        file.execute_batch(sql).expect("it is damaged");
    });
    let found = bench.store().look_through(PATIENCE).await;
    assert!(matches!(found, Err(Error::Damaged { .. })), "{found:?}");
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_said_of_that_file_with_what_to_do() {
    let bench = Bench::new();
    bench.accept("C1", "{}", NOW_MS).await;
    let folder = tempfile::tempdir().expect("a folder");
    let of = |name: &str| folder.path().join(name);
    let check_said = |what: &str, said: Result<Checked, Error>, expected: &str| {
        let error = said.expect_err(what);
        assert!(error.to_string().contains(expected), "{what}: {error}");
        assert!(!error.to_string().contains("data folder"), "{what}: {error}");
    };
    let data = bench.folder.path();
    backup(data, &of("copy.db")).expect("a copy");
    check_said("once more", backup(data, &of("copy.db")), "name another");
    check_said("a folder", backup(data, folder.path()), "it is a folder: name a file in it");
    check_said("no folder", backup(data, &of("none/copy.db")), "does its folder exist");
    let whole = fs::read(of("copy.db")).expect("the copy");
    fs::write(of("half.db"), &whole[..whole.len() / 2]).expect("a half");
    fs::write(of("text"), "no store").expect("a text");
    check_said("a half", check(&of("half.db")), "half.db is damaged");
    check_said("a text", check(&of("text")), "use another one");
    check_said("a folder", check(folder.path()), "it is no file: name one that `chatplug backup` wrote");
    check_said("nothing", check(&of("none.db")), "name a file that `chatplug backup` wrote");
    let left = fs::read_dir(folder.path()).expect("the folder").count();
    assert_eq!(left, 3, "nothing unfinished is left over");
}

/// The names in a folder that contain something.
fn names(folder: &Path, part: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    names.filter(|name| name.contains(part)).collect()
}

#[tokio::test]
async fn each_store_that_a_restore_takes_the_place_of_has_a_name_of_its_own() {
    let mut bench = Bench::new();
    bench.close();
    let data = bench.folder.path();
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("copy.db");
    backup(data, &copy).expect("a copy");
    for number in 1..=3 {
        restore(&copy, data, WHO, NOW_MS).expect("it is restored");
        assert_eq!(names(data, ".before-").len(), number);
    }
    assert_eq!(names(data, ".part"), [""; 0]);
}

#[tokio::test]
async fn nothing_of_a_copy_is_left_over_of_a_restore_that_failed() {
    let mut bench = Bench::new();
    bench.accept("C1", "{}", NOW_MS).await;
    let data = bench.folder.path().to_owned();
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("copy.db");
    backup(&data, &copy).expect("a copy");
    bench.close();
    // What is in the way of the last step.
    let place = database(&data);
    fs::remove_file(&place).expect("the store is gone");
    fs::create_dir(&place).expect("a folder has its name");
    restore(&copy, &data, WHO, NOW_MS).expect_err("a file can't take a folder's place");
    assert_eq!(names(&data, ".part"), [""; 0]);
}

#[tokio::test]
async fn numbers_are_skipped_though_nothing_had_been_delivered_before_the_backup() {
    let mut bench = Bench::new();
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("copy.db");
    backup(bench.folder.path(), &copy).expect("a copy");
    assert_eq!(bench.accept("C1", "{}", NOW_MS).await, 1);
    bench.close();
    restore(&copy, bench.folder.path(), WHO, NOW_MS).expect("it is restored");
    bench.open();
    bench.accept("C1", "{}", NOW_MS).await;
    assert_eq!(bench.number("SELECT min(id) FROM deliveries"), NUMBERS_SKIPPED + 1);
}
