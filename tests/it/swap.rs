//! Versions change under a stream of webhooks: nothing is lost, nothing is handled twice, and each attempt
//! runs on one version that was active when it began.

use std::collections::BTreeSet;

use chatplug_tests::{Host, deliveries, guest};
use serde_json::Value;

use crate::client::{accept, message};

const RECORDER: &str = "[plugin.recorder]\nevents = [\"incoming_event\"]\n";

fn versions(events: &[Value]) -> BTreeSet<String> {
    events.iter().flat_map(deliveries).filter_map(|d| d["version"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn versions_are_swapped_under_a_stream_of_webhooks() {
    const SWAPS: usize = 10;
    let host = Host::start(RECORDER, &[guest("guest_recorder")]);
    let first = host.wait_for_plugin("recorder", "active")["version"].clone();
    let mut sent = 0;
    let mut seen = BTreeSet::from([first.as_str().expect("a hash").to_owned()]);
    for swap in 0..SWAPS {
        let component = if swap % 2 == 0 { "guest_recorder_v2" } else { "guest_recorder" };
        let release = if swap % 2 == 0 { "2.0.0" } else { "1.0.0" };
        host.drop_file(&guest(component), "guest_recorder.wasm");
        // Webhooks go on until the new version is active, and a few more.
        let mut more = 5;
        while more > 0 {
            sent += 1;
            accept(&host, message(&format!("C{}", sent % 7), sent)).await;
            let status = host.plugin("recorder");
            if status.is_some_and(|status| status["state"] == "active" && status["release"] == release) {
                more -= 1;
            }
        }
        seen.insert(
            host.wait_for_plugin("recorder", "active")["version"].as_str().expect("a hash").to_owned(),
        );
    }
    let events = host.wait_until_done(sent);
    assert_eq!(events.len(), sent);
    for delivery in events.iter().flat_map(deliveries) {
        assert_eq!(
            (&delivery["state"], &delivery["attempts"]),
            (&"succeeded".into(), &1.into()),
            "{delivery:#}"
        );
    }
    assert_eq!(seen.len(), 2);
    assert_eq!(versions(&events), seen);
}

#[tokio::test]
async fn an_event_after_the_swap_runs_on_the_new_version() {
    let host = Host::start(RECORDER, &[guest("guest_recorder")]);
    let old = host.wait_for_plugin("recorder", "active");
    accept(&host, message("C1", 1)).await;
    host.wait_until_done(1);
    host.drop_file(&guest("guest_recorder_v2"), "guest_recorder.wasm");
    let new =
        host.wait_for("release 2", || host.plugin("recorder").filter(|status| status["release"] == "2.0.0"));
    assert_ne!(new["version"], old["version"]);
    accept(&host, message("C1", 2)).await;
    let events = host.wait_until_done(2);
    let ran: Vec<&Value> = events.iter().flat_map(deliveries).map(|delivery| &delivery["version"]).collect();
    assert_eq!(ran, [&old["version"], &new["version"]]);
}
