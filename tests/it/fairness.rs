//! Who waits for whom: a chat for nobody else's chat, a plugin for no other plugin.

use std::sync::Arc;

use chatplug_tests::{Host, deliveries, guest};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::client::message;

/// The deliveries to a plugin, of a chat's events or of all, as listings show them.
fn deliveries_to(host: &Host, plugin: &str, chat: Option<&str>) -> Vec<Value> {
    let mut args = vec!["events", "list", "--limit", "10000"];
    args.extend(chat.iter().flat_map(|chat| ["--chat", chat]));
    let Value::Array(events) = host.json(&args) else { panic!("events are a list") };
    events.iter().flat_map(deliveries).filter(|delivery| delivery["plugin"] == plugin).cloned().collect()
}

fn count(deliveries: &[Value], state: &str) -> usize {
    deliveries.iter().filter(|delivery| delivery["state"] == state).count()
}

/// Posts messages side by side; each has to be taken.
async fn post_all(host: &Host, bodies: impl Iterator<Item = String>) {
    let (url, client) = (host.url("/webhooks/livechat"), reqwest::Client::new());
    let (places, mut posts) = (Arc::new(Semaphore::new(64)), JoinSet::new());
    for body in bodies {
        let place = places.clone().acquire_owned().await.expect("nobody closes it");
        let request = client.post(&url).body(body);
        posts.spawn(async move {
            let status = request.send().await.expect("an answer").status();
            drop(place);
            status
        });
    }
    while let Some(status) = posts.join_next().await {
        assert_eq!(status.expect("no panic"), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_events_of_one_chat_hold_up_no_other() {
    const QUEUED: usize = 10_000;
    // They are stored before the plugin is there, the busy chat's first: all could run at the same moment.
    let mut host = Host::prepared("[plugin.recorder]\nevents = [\"incoming_event\"]\n", &[]);
    host.run();
    post_all(&host, (0..QUEUED).map(|number| message("BUSY", number))).await;
    post_all(&host, (0..50).map(|chat| message(&format!("CALM{chat}"), 1))).await;
    host.drop_file(&guest("guest_recorder"), "recorder.wasm");
    for chat in 0..50 {
        let chat = format!("CALM{chat}");
        host.wait_for(&format!("{chat} to be done"), || {
            Some(()).filter(|()| count(&deliveries_to(&host, "recorder", Some(&chat)), "succeeded") == 1)
        });
    }
    let busy = deliveries_to(&host, "recorder", Some("BUSY"));
    assert_eq!(busy.len(), QUEUED);
    let ended_at = |delivery: &Value| delivery["ended_at"].as_str().map(str::to_owned);
    let mut before: Vec<String> = busy.iter().filter_map(ended_at).collect();
    before.sort();
    let calm = (0..50).flat_map(|chat| deliveries_to(&host, "recorder", Some(&format!("CALM{chat}"))));
    let last_calm = calm.filter_map(|delivery| ended_at(&delivery)).max().expect("fifty");
    // Each turn of the busy chat is one of many: far from all of its events came first.
    let came_first = before.partition_point(|at| *at < last_calm);
    assert!(
        came_first < QUEUED / 10,
        "{came_first} events of the busy chat came before the last of the others"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_takes_its_time_holds_up_no_other() {
    // Each of its events takes 20 seconds.
    let config = "
[plugin.hostile]
events = [\"incoming_event\"]
denies = [\"chats.tag\"]
settings = { do = \"sleep\" }
limits = { wall_ms = 20_000, concurrency = 4 }

[plugin.recorder]
events = [\"incoming_event\"]
";
    let host = Host::start(config, &[guest("guest_hostile"), guest("guest_recorder")]);
    post_all(&host, (0..400).map(|chat| message(&format!("C{chat}"), 1))).await;
    host.wait_for("the other plugin to be done with all of them", || {
        Some(()).filter(|()| count(&deliveries_to(&host, "recorder", None), "succeeded") == 400)
    });
    // Four at a time, three attempts each: at this speed it would need an hour.
    let slow = deliveries_to(&host, "hostile", None);
    assert_eq!((slow.len(), count(&slow, "succeeded")), (400, 0));
    assert!(count(&slow, "pending") > 350, "{}", count(&slow, "pending"));
}
