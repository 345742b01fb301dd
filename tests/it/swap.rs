//! Versions change under a stream of webhooks: nothing is lost, nothing is handled twice, and each attempt
//! runs on one version that was active when it began.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use chatplug_tests::raw::Raw;
use chatplug_tests::{Host, PATIENCE, deliveries, guest, version};
use serde_json::Value;

use crate::client::{accept, message};

/// It keeps a key for each event, and many swaps see more of them than a plugin may keep by default.
const RECORDER: &str = "[plugin.recorder]\nevents = [\"incoming_event\"]\n\
    limits = { kept_keys = 1000000, kept_bytes = 1073741824 }\n";
const FILE: &str = "guest_recorder.wasm";

/// How many versions are swapped: more if the environment says so: `cargo xtask swaps 1000`.
fn swaps() -> u32 {
    u32::try_from(chatplug_tests::amount("CHATPLUG_SWAPS", 12)).expect("not that many")
}

/// What is swapped: a plugin as teams write it or, if the environment says so, one of a few instructions: compiling it takes
/// no time to speak of. `cargo xtask swaps 10000 --small`.
fn component(folder: &Path) -> PathBuf {
    if std::env::var_os("CHATPLUG_SMALL").is_none() {
        return guest("guest_recorder");
    }
    let file = folder.join(FILE);
    std::fs::write(&file, Raw::new("recorder").component()).expect("the component is written");
    file
}

/// Resident memory of the host, KiB.
fn resident(host: &Host) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", host.pid())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).expect("the memory of the host")
}

/// The content hash of the plugin that is active now.
fn active(host: &Host) -> Option<String> {
    let status = host.plugin("recorder").filter(|status| status["state"] == "active")?;
    status["version"].as_str().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_swapped_under_a_stream_of_webhooks() {
    let folder = tempfile::tempdir().expect("a folder");
    let component = component(folder.path());
    let host = Host::start(RECORDER, std::slice::from_ref(&component));
    host.wait_for_plugin("recorder", "active");
    // By content hash, the number of the swap that made it active; by event, the newest that was active before.
    let mut seen = HashMap::from([(active(&host).expect("a version"), 0)]);
    let mut active_before = Vec::new();
    let mut memory = Vec::new();
    for swap in 1..=swaps() {
        host.drop_bytes(&version(&component, swap), FILE);
        let (began, mut more) = (Instant::now(), 3);
        // Webhooks go on until the new version is active, and a few more.
        while more > 0 {
            assert!(began.elapsed() < PATIENCE, "swap {swap} does not happen:\n{}", host.log_end());
            let newest = seen.values().copied().max().unwrap_or(0);
            active_before.push(newest);
            let sent = active_before.len();
            accept(&host, message(&format!("C{}", sent % 7), sent)).await;
            if newest == swap {
                more -= 1;
            } else if let Some(hash) = active(&host) {
                seen.entry(hash).or_insert(swap);
            }
        }
        memory.push(resident(&host));
    }
    let reader = chatplug::store::Reader::open(&host.data()).expect("the store").expect("a store");
    host.wait_for("all outcomes", || (reader.pending().expect("a number") == 0).then_some(()));
    let filter = chatplug::store::EventFilter { limit: 1_000_000, ..Default::default() };
    let mut events: Vec<Value> = reader
        .events(&filter)
        .expect("the events")
        .iter()
        .map(|event| serde_json::to_value(event).expect("an event is JSON"))
        .collect();
    events.reverse();
    assert_eq!(events.len(), active_before.len(), "an event was lost");
    for (event, before) in events.iter().zip(&active_before) {
        let delivery = deliveries(event).next().expect("a delivery");
        assert_eq!(
            (&delivery["state"], &delivery["attempts"]),
            (&"succeeded".into(), &1.into()),
            "{delivery:#}"
        );
        let ran = seen[delivery["version"].as_str().expect("a version")];
        assert!(ran >= *before, "ran on version {ran} after {before} was active: {delivery:#}");
    }
    assert_eq!(seen.len(), swaps() as usize + 1, "each version was active");
    // Of versions that are gone nothing stays.
    let files = std::fs::read_dir(host.data().join("components")).expect("the folder").count();
    assert!(files <= 2 * 5 + 1, "{files} files");
    let (warm, last) = (memory[memory.len() / 5], memory[memory.len() - 1]);
    if swaps() >= 200 {
        assert!(last < warm + warm / 10, "memory grew: {memory:?} KiB");
    }
    println!("{} swaps, {} events, {warm} KiB after a fifth, {last} KiB at the end", swaps(), events.len());
}

#[tokio::test]
async fn an_event_after_the_swap_runs_on_the_new_version() {
    let host = Host::start(RECORDER, &[guest("guest_recorder")]);
    let old = host.wait_for_plugin("recorder", "active");
    accept(&host, message("C1", 1)).await;
    host.wait_until_done(1);
    host.drop_file(&guest("guest_recorder_v2"), FILE);
    let new =
        host.wait_for("release 2", || host.plugin("recorder").filter(|status| status["release"] == "2.0.0"));
    assert_ne!(new["version"], old["version"]);
    accept(&host, message("C1", 2)).await;
    let events = host.wait_until_done(2);
    let ran: Vec<&Value> = events.iter().flat_map(deliveries).map(|delivery| &delivery["version"]).collect();
    assert_eq!(ran, [&old["version"], &new["version"]]);
}

#[tokio::test]
async fn a_wildcard_decides_for_a_version_that_asks_for_more_unless_each_update_waits() {
    for (updates, state) in [("auto", "active"), ("approve", "awaiting approval")] {
        let config = format!("{RECORDER}grants = [\"chats.*\"]\nupdates = \"{updates}\"\n");
        let host = Host::start(&config, &[guest("guest_recorder")]);
        let old = host.wait_for_plugin("recorder", "active")["version"].clone();
        host.drop_file(&guest("guest_recorder_asks"), FILE);
        let serving = if updates == "auto" { Value::Null } else { old };
        host.wait_for(&format!("the one that asks for chats.tag to be {state}"), || {
            host.plugin("recorder").filter(|status| {
                status["release"] == "4.0.0" && status["state"] == state && status["serving"] == serving
            })
        });
    }
}
