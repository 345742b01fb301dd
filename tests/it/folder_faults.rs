//! What can go wrong with files while they are dropped, replaced and removed: the plugin that runs goes on, and in
//! the end what is in the folder runs.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use chatplug_tests::{Host, deliveries, guest, version};
use serde_json::Value;

use crate::client::{accept, message};

const RECORDER: &str = "[plugin.recorder]\nevents = [\"incoming_event\"]\n";
const FILE: &str = "guest_recorder.wasm";

/// Sends an event and waits until it is handled; answers the version that did it.
async fn handled_by(host: &Host) -> String {
    let known = host.events().len();
    accept(host, message("C1", known + 1)).await;
    let last = host.wait_until_done(known + 1).pop().expect("an event");
    let delivery = deliveries(&last).next().expect("a delivery");
    assert_eq!((&delivery["state"], &delivery["attempts"]), (&"succeeded".into(), &1.into()), "{delivery:#}");
    delivery["version"].as_str().expect("a version").to_owned()
}

/// The content hash, as the host gives it.
fn hash(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

fn wait_for_version(host: &Host, hash: &str) -> Value {
    host.wait_for(&format!("{hash} to be active"), || {
        host.plugin("recorder").filter(|status| status["version"] == hash && status["state"] == "active")
    })
}

fn recorder(number: u32) -> Vec<u8> {
    version(&guest("guest_recorder"), number)
}

#[tokio::test]
async fn a_file_that_is_written_in_place_and_slowly_becomes_active_when_it_is_whole() {
    let host = Host::start(RECORDER, &[guest("guest_recorder")]);
    let old = host.wait_for_plugin("recorder", "active")["version"].clone();
    let new = recorder(1);
    let mut file = File::create(host.plugins().join(FILE)).expect("the file can be written");
    file.write_all(&new[..new.len() / 2]).expect("half of it");
    file.sync_all().expect("on the disk");
    host.wait_for_plugin(FILE, "rejected");
    assert_eq!(handled_by(&host).await, old);
    file.write_all(&new[new.len() / 2..]).expect("the rest");
    drop(file);
    wait_for_version(&host, &hash(&new));
    assert_eq!(handled_by(&host).await, hash(&new));
}

#[tokio::test]
async fn of_files_that_replace_each_other_while_they_are_compiled_the_last_one_runs() {
    let host = Host::start(RECORDER, &[guest("guest_recorder")]);
    host.wait_for_plugin("recorder", "active");
    for round in 0..4 {
        for number in 0..4 {
            host.drop_bytes(&recorder(10 * round + number), FILE);
            accept(&host, message("C2", usize::try_from(10 * round + number).expect("a number") + 1)).await;
        }
        let last = hash(&recorder(10 * round + 3));
        wait_for_version(&host, &last);
        assert_eq!(handled_by(&host).await, last);
    }
    let events = host.wait_until_done(20);
    assert!(events.iter().flat_map(deliveries).all(|delivery| delivery["state"] == "succeeded"));
}

#[tokio::test]
async fn of_two_files_with_one_name_the_one_that_ran_goes_on_also_after_a_restart() {
    let mut host = Host::start(RECORDER, &[guest("guest_recorder")]);
    let active = host.wait_for_plugin("recorder", "active")["version"].clone();
    // It comes first in the folder, and is looked at first.
    host.drop_file(&guest("guest_recorder_v2"), "another.wasm");
    host.wait_for_plugin("another.wasm", "conflict");
    for _ in 0..3 {
        assert!(host.stop());
        host.run();
        host.wait_for_plugin("another.wasm", "conflict");
        assert_eq!(handled_by(&host).await, active);
    }
}

#[tokio::test]
async fn a_file_that_is_removed_and_put_back_at_once_loses_no_event() {
    let host = Host::start(RECORDER, &[guest("guest_recorder")]);
    let active = host.wait_for_plugin("recorder", "active")["version"].clone();
    for number in 1..=20 {
        fs::remove_file(host.plugins().join(FILE)).expect("the file goes");
        accept(&host, message("C1", number)).await;
        host.drop_file(&guest("guest_recorder"), FILE);
    }
    for event in host.wait_until_done(20) {
        let delivery = deliveries(&event).next().expect("a delivery").clone();
        let ended = (&delivery["state"], &delivery["attempts"], &delivery["version"]);
        assert_eq!(ended, (&"succeeded".into(), &1.into(), &active), "{delivery:#}");
    }
}

#[tokio::test]
async fn when_the_folder_is_gone_what_runs_goes_on_until_it_is_back() {
    let host = Host::start(RECORDER, &[guest("guest_recorder")]);
    let active = host.wait_for_plugin("recorder", "active")["version"].clone();
    let aside = host.plugins().with_file_name("aside");
    fs::rename(host.plugins(), &aside).expect("the folder can be moved");
    host.wait_for("the host to notice", || {
        host.log().contains("cannot read the plugin folder").then_some(())
    });
    assert_eq!(handled_by(&host).await, active);
    fs::rename(&aside, host.plugins()).expect("the folder can be moved back");
    host.wait_for("the host to notice", || host.log().contains("can be read again").then_some(()));
    assert_eq!(host.log().matches("cannot read the plugin folder").count(), 1, "it is said one time");
    host.drop_file(&guest("guest_recorder_v2"), FILE);
    host.wait_for("release 2", || host.plugin("recorder").filter(|status| status["release"] == "2.0.0"));
    fs::remove_file(host.plugins().join(FILE)).expect("the file goes");
    host.wait_for_plugin("recorder", "absent");
}

#[tokio::test]
async fn a_link_that_is_swapped_swaps_the_version() {
    let host = Host::start(RECORDER, &[]);
    let place = |number: u32| -> PathBuf {
        let path = host.data().with_file_name(format!("{number}.wasm"));
        fs::write(&path, recorder(number)).expect("the file can be written");
        path
    };
    let point_to = |target: &Path| {
        let unfinished = host.plugins().join("link.part");
        symlink(target, &unfinished)
            .and_then(|()| fs::rename(&unfinished, host.plugins().join(FILE)))
            .expect("the link can be made");
    };
    let (one, two) = (place(1), place(2));
    for (number, target) in [(1, &one), (2, &two), (1, &one)] {
        point_to(target);
        wait_for_version(&host, &hash(&recorder(number)));
        assert_eq!(handled_by(&host).await, hash(&recorder(number)));
    }
    // And what a link leads to may be replaced without touching the link.
    fs::write(one.with_extension("part"), recorder(3)).expect("the file can be written");
    fs::rename(one.with_extension("part"), &one).expect("the file can be replaced");
    wait_for_version(&host, &hash(&recorder(3)));
}

#[tokio::test]
async fn a_file_is_noticed_whatever_its_clock_says() {
    let host = Host::start(RECORDER, &[]);
    let hour = Duration::from_secs(3600);
    let now = SystemTime::now();
    let path = host.plugins().join(FILE);
    // All versions have the same size, and are written in place: the same file, with the same number.
    for (number, time) in [(1, now), (2, now - 48 * hour), (3, now - 48 * hour), (4, now + 24 * hour)] {
        fs::write(&path, recorder(number)).expect("the file can be written");
        let file = File::options().append(true).open(&path).expect("the file is there");
        file.set_modified(time).expect("its time can be set");
        wait_for_version(&host, &hash(&recorder(number)));
    }
    assert_eq!(handled_by(&host).await, hash(&recorder(4)));
}

/// Of two hundred files, so many are plugins of the config.
const PLUGINS: usize = 4;
/// So many others are components that differ and have one name.
const ALIKE: usize = 20;

fn alike(number: usize) -> String {
    format!("alike{number}.wasm")
}

/// Names and contents.
fn two_hundred() -> Vec<(String, Vec<u8>)> {
    let no_op = fs::read(guest("guest_no_op")).expect("a guest");
    let of = |number: usize| match number {
        0..PLUGINS => {
            (format!("p{number}.wasm"), renamed(&no_op, b"no-op", format!("p-{number:03}").as_bytes()))
        }
        _ if number < PLUGINS + ALIKE => {
            (alike(number - PLUGINS), version(&guest("guest_no_op"), number as u32))
        }
        _ => {
            let bytes = match number % 3 {
                0 => b"no component".to_vec(),
                1 => no_op[..100 + number].to_vec(),
                _ => Vec::new(),
            };
            (format!("bad{number}.wasm"), bytes)
        }
    };
    (0..200).map(of).collect()
}

#[tokio::test]
async fn two_hundred_files_at_once_hold_up_nobody() {
    let sections: String = (0..PLUGINS)
        .map(|number| format!("[plugin.p-{number:03}]\nevents = [\"incoming_event\"]\n"))
        .collect();
    let host = Host::start(&format!("{RECORDER}{sections}"), &[guest("guest_recorder")]);
    let active = host.wait_for_plugin("recorder", "active")["version"].clone();
    let files = two_hundred();
    let aside = host.plugins().with_file_name("aside");
    fs::create_dir(&aside).expect("a folder");
    files.iter().for_each(|(name, bytes)| fs::write(aside.join(name), bytes).expect("a file"));
    for (name, _) in &files {
        fs::rename(aside.join(name), host.plugins().join(name)).expect("the file can be dropped");
    }
    accept(&host, message("C1", 1)).await;
    let event = &host.wait_for_events("the recorder's event", |events| {
        events
            .iter()
            .flat_map(deliveries)
            .any(|one| one["plugin"] == "recorder" && one["state"] == "succeeded")
    })[0];
    let handled = deliveries(event).find(|delivery| delivery["plugin"] == "recorder").expect("a delivery");
    assert_eq!(handled["version"], active);
    // A good update behind them all has its turn, and each of them gets its state.
    host.drop_bytes(&recorder(1), FILE);
    for number in 0..ALIKE {
        host.wait_for_plugin(&alike(number), "conflict");
    }
    wait_for_version(&host, &hash(&recorder(1)));
    let all = host.wait_until_done(1);
    let plugins: BTreeSet<&str> = deliveries(&all[0])
        .filter(|one| one["state"] == "succeeded")
        .filter_map(|one| one["plugin"].as_str())
        .collect();
    assert_eq!(plugins.len(), PLUGINS + 1, "{all:#?}");
    host.wait_for("the others to be rejected", || {
        let Value::Array(statuses) = host.json(&["plugins", "list"]) else { panic!("a list") };
        let rejected = statuses.iter().filter(|status| status["state"] == "rejected").count();
        (rejected == 200 - PLUGINS - ALIKE).then_some(())
    });
}

/// A component with another text of the same length in the place of one.
fn renamed(component: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = component.to_vec();
    let places: Vec<usize> =
        (0..bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
    assert!(!places.is_empty(), "the name stands in the component");
    places.into_iter().for_each(|at| bytes[at..at + to.len()].copy_from_slice(to));
    bytes
}

/// The compiled code in the data folder.
fn compiled(host: &Host) -> Vec<PathBuf> {
    let entries = fs::read_dir(host.data().join("components")).expect("the folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "cwasm")).collect()
}

#[tokio::test]
async fn compiled_code_that_was_changed_or_swapped_is_not_loaded_but_made_anew() {
    const AGAIN: &str = "compiled code is not to be trusted; compiling again";
    let config = format!("{RECORDER}[plugin.no-op]\nevents = [\"incoming_event\"]\n");
    let mut host = Host::start(&config, &[guest("guest_recorder"), guest("guest_no_op")]);
    // So often was compiled again when both plugins have handled an event.
    let again = async |host: &Host| {
        handled_by(host).await;
        host.log().matches(AGAIN).count()
    };
    assert_eq!(again(&host).await, 0);
    assert!(host.stop());
    let files = compiled(&host);
    assert_eq!(files.len(), 2);
    host.run();
    assert_eq!(again(&host).await, 0, "what is as it was is loaded");
    assert!(host.stop());

    let mut code = fs::read(&files[0]).expect("the code");
    let middle = code.len() / 2;
    code[middle] ^= 1;
    fs::write(&files[0], code).expect("the code can be changed");
    host.run();
    assert_eq!(again(&host).await, 1, "{}", host.log_end());
    assert!(host.stop());

    let aside = host.data().join("aside");
    for (from, to) in [(&files[0], &aside), (&files[1], &files[0]), (&aside, &files[1])] {
        fs::rename(from, to).expect("the files can be swapped");
    }
    host.run();
    assert_eq!(again(&host).await, 3, "{}", host.log_end());
}
