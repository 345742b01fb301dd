use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;

/// Noon, milliseconds since 1970.
const NOON_MS: i64 = 1_780_315_200_000;

fn sample(body: &str) -> Sample<'static> {
    Sample { received_at_ms: NOON_MS, event_type: "incoming_chat", signed: false, body: body.to_owned() }
}

/// The files of a folder with their text, sorted.
fn files(folder: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<_> = entries
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

fn file(number: u64, body: &str) -> (String, String) {
    (format!("20260601T120000.000Z-{number:06}-incoming_chat.json"), body.to_owned())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Runs a writer to its end.
async fn run(writer: Writer) {
    tokio::time::timeout(Duration::from_secs(60), writer.run()).await.expect("it ends when no more comes");
}

#[tokio::test]
async fn what_waits_when_the_door_closes_is_written_for_the_owner_alone() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("not/there/yet");
    let (capture, writer) = open(&folder).unwrap();
    let is_open = capture.while_open();
    for body in ["one", "two", "three"] {
        capture.take(sample(body));
    }
    drop(is_open);
    run(writer).await;
    assert_eq!(files(&folder), [file(1, "one"), file(2, "two"), file(3, "three")]);
    assert_eq!((mode(&folder), mode(&folder.join(file(1, "").0))), (0o700, 0o600));
    // One that was cut off when the host stopped: nobody takes it, and nothing happens.
    capture.take(sample("late"));
    assert_eq!(files(&folder).len(), 3);
}

#[tokio::test]
async fn the_writer_goes_on_as_long_as_the_door_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let (capture, writer) = open(folder.path()).unwrap();
    let is_open = capture.while_open();
    let writing = tokio::spawn(run(writer));
    capture.take(sample("one"));
    // The room is given back when the file is there.
    let all = u32::try_from(WAITING_KIB_MAX).unwrap();
    let written = capture.room.clone().acquire_many_owned(all);
    drop(tokio::time::timeout(Duration::from_secs(60), written).await.expect("it is written"));
    assert_eq!(files(folder.path()), [file(1, "one")]);
    assert!(!writing.is_finished());
    drop(is_open);
    writing.await.unwrap();
}

#[tokio::test]
async fn what_has_no_room_is_dropped_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (capture, writer) = open(folder.path()).unwrap();
    (0..WAITING_MAX).for_each(|_| capture.take(sample("x")));
    assert_eq!(capture.dropped.load(Ordering::Relaxed), 0);
    (0..3).for_each(|_| capture.take(sample("too many")));
    assert_eq!(capture.dropped.load(Ordering::Relaxed), 3);
    drop(capture.while_open());
    run(writer).await;
    assert_eq!(files(folder.path()).len(), WAITING_MAX);

    let folder = tempfile::tempdir().unwrap();
    let (capture, writer) = open(folder.path()).unwrap();
    // As large as all the room: alone it has a place, beside another one it has none.
    let large = "x".repeat(WAITING_KIB_MAX << 10);
    for body in [large.as_str(), "small"] {
        capture.take(sample(body));
    }
    assert_eq!(capture.dropped.load(Ordering::Relaxed), 1);
    drop(capture.while_open());
    run(writer).await;
    assert_eq!(files(folder.path()), [file(1, &large)]);
}

#[test]
fn a_folder_takes_a_number_of_files_and_those_of_earlier_starts_count() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("notes.txt"), "not a webhook").unwrap();
    let mut first = Folder::open(folder.path(), 3).unwrap();
    first.keep("a.json", "1");
    first.keep("b.json", "2");
    let mut second = Folder::open(folder.path(), 3).unwrap();
    ["c.json", "d.json", "e.json"].iter().for_each(|name| second.keep(name, "3"));
    assert_eq!((first.written, second.written, second.failed), (2, 1, 0));
    let names: Vec<String> = files(folder.path()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a.json", "b.json", "c.json", "notes.txt"]);
}

#[test]
fn a_file_that_cannot_be_written_is_counted_and_the_next_one_is_tried() {
    let folder = tempfile::tempdir().unwrap();
    let mut kept = Folder::open(folder.path(), 10).unwrap();
    kept.keep("a.json", "1");
    kept.keep("a.json", "no file is written over");
    kept.keep("no-such-folder/b.json", "2");
    kept.keep("c.json", "3");
    assert_eq!((kept.written, kept.failed), (2, 2));
    let expected = [("a.json", "1"), ("c.json", "3")].map(|(name, body)| (name.to_owned(), body.to_owned()));
    assert_eq!(files(folder.path()), expected);
}

#[test]
fn a_folder_that_cannot_be_one_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let sentence = open(&path).err().expect("nothing can be written there");
        let begin = format!("cannot capture webhooks in {}: ", path.display());
        assert!(sentence.starts_with(&begin) && sentence.contains("name a folder"), "{sentence}");
    }
}
