//! A disk that fails: nothing is called stored that isn't, and what was called stored is there afterwards.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::Command;

use chatplug::crash_point::CrashPoint;
use chatplug::simulator::{self, Times};
use chatplug_tests::crash::{Plan, run};
use chatplug_tests::disk::{Disk, Fault, Left, is_accepted, post_message};
use chatplug_tests::{Host, guest};

use crate::worker::Stage;

/// The file that a process writes to which tests the disk itself, and whether it syncs.
const WRITES_TO: &str = "TEST_DISK_WRITES_TO";
const SYNCS: &str = "TEST_DISK_SYNCS";

const RECORDER: &str = "[plugin.recorder]\nevents = [\"incoming_event\"]\n";

fn start() -> (Host, Disk) {
    let (mut host, disk) = Disk::under(Host::prepared(RECORDER, &[guest("guest_recorder")]), 1);
    host.run();
    (host, disk)
}

fn post(host: &Host, chat: &str) -> String {
    post_message(host.address(), chat).expect("an answer")
}

fn chats(host: &Host) -> Vec<String> {
    host.events().iter().filter_map(|event| event["chat_id"].as_str().map(str::to_owned)).collect()
}

#[test]
fn a_full_disk_is_answered_503_until_there_is_room() {
    let (mut host, disk) = start();
    assert!(is_accepted(&post(&host, "before")));
    disk.fail(Fault::Full);
    for _ in 0..3 {
        let refused = post(&host, "meanwhile").to_ascii_lowercase();
        assert!(refused.starts_with("http/1.1 503 ") && refused.contains("retry-after: "), "{refused}");
        assert!(refused.contains("disk-full"), "{refused}");
    }
    assert!(host.ended().is_none(), "a full disk is no reason to end: {}", host.log());
    disk.heal();
    assert!(is_accepted(&post(&host, "after")));
    host.wait_until_done(2);
    assert_eq!(chats(&host), ["before", "after"]);
}

#[test]
fn a_start_on_a_full_disk_says_which() {
    let (mut host, disk) = Disk::under(Host::prepared(RECORDER, &[]), 1);
    disk.fail(Fault::Full);
    let ended = host.try_run().expect_err("it can't start");
    let folder = host.data();
    let expected = format!("cannot use the data folder {}: its disk is full", folder.display());
    assert!(ended.to_string().contains(&expected), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_while_the_disk_is_full_is_kept_until_there_is_room() {
    let (stage, disk) = Stage::on_disk(1).await;
    let chat = stage.chat_with_us("Dana");
    stage.livechat.faults().set("send_event", simulator::Fault::StallAfterSaving(None), Times::Next(1));
    stage.says(&chat, "work 1").await;
    stage.asked("send_event").await;
    // The intent is on disk; the answer finds no room.
    disk.fail(Fault::Full);
    stage.livechat.faults().release();
    stage.host.wait_for("the answer to find no room", || {
        stage.host.log().contains("cannot record the answer to an action").then_some(())
    });
    disk.heal();
    stage.host.wait_until_done(1);

    assert_eq!(stage.host.states(), ["succeeded"]);
    assert_eq!(stage.notes(&chat), ["first work 1", "second work 1 count 1"]);
    assert_eq!(stage.livechat.requests().of_operation("send_event").len(), 2, "one for each note");
    let log = stage.host.log();
    assert!(!log.contains("a doubt is settled"), "its answer was there, so there was none: {log}");
}

/// A disk that fails in another way ends the host, which says so; nothing is lost that was answered 200.
fn check_end(fault: Fault) {
    let (mut host, disk) = start();
    assert!(is_accepted(&post(&host, "before")));
    disk.fail(fault);
    let answer = post_message(host.address(), "meanwhile");
    assert!(!answer.is_some_and(|answer| is_accepted(&answer)), "{fault:?}");
    let status = host.wait_for_end();
    assert!(!status.success(), "{fault:?}: {status}");
    assert!(host.log().contains("the store failed"), "{fault:?}: {}", host.log());
    disk.heal();
    host.run();
    assert!(is_accepted(&post(&host, "after")));
    let chats = chats(&host);
    assert!(
        chats.contains(&"before".to_owned()) && chats.contains(&"after".to_owned()),
        "{fault:?}: {chats:?}"
    );
}

#[test]
fn a_disk_that_cannot_write_ends_the_host() {
    check_end(Fault::Write);
}

#[test]
fn a_failed_sync_ends_the_host() {
    check_end(Fault::Sync);
}

/// Carried out by [`a_power_cut_leaves_what_was_synced_and_no_more`] in a process of its own; by itself it does nothing.
#[test]
fn write_as_told() {
    let Some(path) = std::env::var_os(WRITES_TO) else { return };
    // Read, too, as the store opens it: the disk remembers what it reads there.
    let file = OpenOptions::new().read(true).write(true).open(path).expect("the file opens");
    file.write_all_at(b"later", 0).expect("it is written");
    if std::env::var_os(SYNCS).is_some() {
        file.sync_data().expect("it is synced");
    }
}

#[test]
fn a_power_cut_leaves_what_was_synced_and_no_more() {
    let check = |is_synced: bool, expected: &str| {
        let (host, mut disk) = Disk::under(Host::prepared("", &[]), 1);
        let file: PathBuf = host.data().join("chatplug.db");
        fs::create_dir(host.data()).and_then(|()| fs::write(&file, "first")).expect("a file of the store");
        let mut writer = Command::new(std::env::current_exe().expect("this program"));
        writer.args(["--exact", "disk::write_as_told"]).envs(disk.env()).env(WRITES_TO, &file);
        if is_synced {
            writer.env(SYNCS, "yes");
        }
        assert!(writer.output().expect("it runs").status.success());
        let text = || fs::read_to_string(&file).expect("the file");
        assert_eq!(text(), "later", "while there is power");
        disk.cut_power(Left::Synced);
        assert_eq!(text(), expected, "synced: {is_synced}");
    };
    check(false, "first");
    check(true, "later");
}

#[test]
fn a_power_cut_under_a_host_that_writes_past_the_disk_is_none() {
    let (mut host, mut disk) = Disk::under(Host::prepared("", &[]), 1);
    host.set_env("LD_PRELOAD", None);
    host.run();
    host.kill();
    let cut = catch_unwind(AssertUnwindSafe(|| disk.cut_power(Left::Synced)));
    assert!(cut.is_err(), "it would prove nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_loses_nothing_that_was_answered_and_has_no_action_done_twice() {
    let report = run(&Plan::short_power_cuts(20_261_128)).await.expect("the host starts after each cut");
    assert_eq!(report.broken(), [""; 0], "{report}");
    assert!(report.succeeded > 0 && report.power_cuts.len() == 2, "{report}");
    // Intents without answers: the power was cut between an action's intent and its request, and before its answer was on disk.
    for place in [CrashPoint::AfterIntent, CrashPoint::AfterRequest] {
        assert!(report.endings.contains_key(place.as_str()), "no power cut {}: {report}", place.as_str());
    }
}
