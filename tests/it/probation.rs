//! A new version that fails where the one before it doesn't is taken back by the host itself, and nothing comes of
//! it: no event is lost, none becomes a dead letter, none is done twice.

use chatplug::simulator::Slack;
use chatplug_tests::{Host, PATIENCE, deliveries, guest, version};
use serde_json::{Value, json};

use crate::client::{accept, message};
use crate::echo::Echo;

const RECORDER: &str = "[plugin.recorder]\nevents = [\"incoming_event\"]\n";
const FILE: &str = "guest_recorder.wasm";

fn history(host: &Host) -> Vec<String> {
    let Value::Array(changes) = host.json(&["plugins", "history", "recorder"]) else { panic!("a list") };
    changes.iter().map(|change| change["what"].as_str().unwrap_or_default().to_owned()).collect()
}

/// A release of the recorder that is seen.
fn wait_for_release(host: &Host, release: &str, state: &str) -> Value {
    host.wait_for(&format!("release {release} to be {state}"), || {
        host.plugin("recorder").filter(|status| status["release"] == release && status["state"] == state)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_traps_on_every_event_is_taken_back_and_no_event_is_lost() {
    let slack = Slack::start().await.expect("a port");
    let config = format!(
        "[operator]\nlisten = \"127.0.0.1:0\"\nnotify = \"alerts\"\n\
         [connections.alerts]\nkind = \"slack\"\nurl = {{ env = \"ALERTS_URL\" }}\nallow_private = true\n{RECORDER}"
    );
    let mut host =
        Host::prepared(&config, &[guest("guest_recorder")]).env("ALERTS_URL", &slack.webhook_url());
    host.run();
    let good = host.wait_for_plugin("recorder", "active")["version"].clone();
    host.drop_file(&guest("guest_recorder_panics"), FILE);
    let status = wait_for_release(&host, "3.0.0", "active");
    assert_eq!(status["standby"], good, "{status:#}");
    const EVENTS: usize = 20;
    for number in 1..=EVENTS {
        accept(&host, message(&format!("C{}", number % 5), number)).await;
    }
    let events = host.wait_until_done(EVENTS);
    for delivery in events.iter().flat_map(deliveries) {
        let ended = (&delivery["state"], &delivery["attempts"], &delivery["version"]);
        assert_eq!(ended, (&json!("succeeded"), &json!(1), &good), "{delivery:#}");
    }
    let status = wait_for_release(&host, "3.0.0", "rolled back");
    assert_eq!(status["serving"], good, "{status:#}");
    // What the failed run did before it panicked stands in the journal, and was not done again.
    let shown = host.json(&["events", "show", "ev-1"])["deliveries"][0]["id"].clone();
    let steps = steps(&host, shown.as_str().expect("an id")).await;
    assert_eq!(steps, ["memory.set"]);
    assert_eq!(history(&host), ["active", "rolled back", "active", "active"]);
    // There may be other incidents, such as little room on this machine's disk.
    let of_it = |slack: &Slack| slack.posts().into_iter().find(|post| post.text.contains("taken back"));
    let told = slack.wait_for("a message to the operator", PATIENCE, |slack| of_it(slack).is_some()).await;
    told.unwrap_or_else(|late| panic!("{late}"));
    let text = of_it(&slack).expect("a message").text;
    assert!(text.contains("a new version of recorder failed"), "{text}");
    assert!(!text.contains("on purpose"), "a plugin's text could hold a customer's: {text}");

    // It stays taken back, over a restart and for the same file under another name.
    assert!(host.stop());
    host.run();
    wait_for_release(&host, "3.0.0", "rolled back");
    accept(&host, message("C9", 1)).await;
    let last = host.wait_until_done(EVENTS + 1).pop().expect("an event");
    assert_eq!(deliveries(&last).next().expect("a delivery")["version"], good);
    let approval = host.json(&["plugins", "approve", "recorder"]);
    assert_eq!(approval["serving"], good, "{approval:#}");
    wait_for_release(&host, "3.0.0", "active");
    host.drop_file(&guest("guest_recorder_v2"), FILE);
    wait_for_release(&host, "2.0.0", "active");
    accept(&host, message("C9", 2)).await;
    host.wait_until_done(EVENTS + 2);
}

/// The host calls that a delivery has recorded.
async fn steps(host: &Host, delivery: &str) -> Vec<String> {
    let url = host.operator_url(&format!("/api/v1/deliveries/{delivery}"));
    let text = reqwest::get(url).await.expect("an answer").text().await.expect("a text");
    let shown: Value = serde_json::from_str(&text).expect("a delivery");
    let steps = shown["steps"].as_array().expect("steps").iter();
    steps.map(|step| step["function"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn strikes_are_counted_over_a_restart() {
    let mut host = Host::start(RECORDER, &[guest("guest_recorder")]);
    let good = host.wait_for_plugin("recorder", "active")["version"].clone();
    host.drop_file(&guest("guest_recorder_panics"), FILE);
    wait_for_release(&host, "3.0.0", "active");
    for number in 1..=2 {
        accept(&host, message("C1", number)).await;
        host.wait_until_done(number);
    }
    host.wait_for("two strikes on disk", || {
        let shown = host.json(&["plugins", "show", "recorder"]);
        let versions = shown["versions"].as_array()?.clone();
        versions.iter().any(|version| version["strikes"] == 2).then_some(())
    });
    assert!(host.stop());
    host.run();
    wait_for_release(&host, "3.0.0", "active");
    accept(&host, message("C1", 3)).await;
    host.wait_until_done(3);
    wait_for_release(&host, "3.0.0", "rolled back");
    assert!(host.events().iter().flat_map(deliveries).all(|delivery| delivery["version"] == good));
}

/// Each message has the plugin act once in the same chat. The version that stands by is asked though the new one has used
/// the minute's actions up, and has a fuse of its own: what goes on for ever comes to an end all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_blows_the_fuse_is_taken_back_and_its_events_are_handled() {
    let service = Echo::start();
    let config = format!(
        "[connections.hook]\nkind = \"generic\"\nbase_url = \"{}\"\nallow_private = true\n\
         [plugin.poster]\nevents = [\"incoming_event\"]\ngrants = [\"http:hook\"]\nsettings = {{ posts = 1 }}\n\
         [plugin.poster.limits]\nactions_per_chat_minute = 3\n",
        service.url
    );
    let host = Host::start(&config, &[guest("guest_poster")]);
    let good = host.wait_for_plugin("poster", "active")["version"].clone();
    host.drop_bytes(&version(&guest("guest_poster"), 2), "guest_poster.wasm");
    let status = host.wait_for("the new version to be on probation", || {
        host.plugin("poster").filter(|status| status["state"] == "active" && status["standby"] == good)
    });
    let new = status["version"].clone();
    const EVENTS: usize = 7;
    for number in 1..=EVENTS {
        accept(&host, message("C1", number)).await;
    }
    let events = host.wait_until_done(EVENTS);
    let ended: Vec<(&Value, &Value)> = events
        .iter()
        .flat_map(deliveries)
        .map(|delivery| (&delivery["state"], &delivery["version"]))
        .collect();
    let (succeeded, dead) = (json!("succeeded"), json!("dead"));
    let mut expected = vec![(&succeeded, &new); 3];
    // Three strikes, none of which spends anything.
    expected.extend([(&succeeded, &good); 3]);
    // The old version's own fourth action.
    expected.push((&dead, &good));
    assert_eq!(ended, expected, "{events:#?}");
    assert!(events.iter().flat_map(deliveries).all(|delivery| delivery["attempts"] == 1), "{events:#?}");
    let last = deliveries(&events[EVENTS - 1]).next().expect("a delivery");
    assert_eq!(last["outcome"], "fuse", "{last:#}");
    host.wait_for("the new version to be taken back", || {
        host.plugin("poster").filter(|status| status["state"] == "rolled back" && status["serving"] == good)
    });
}

#[tokio::test]
async fn an_operator_goes_back_to_an_older_version_and_forward_again() {
    let mut host = Host::start(RECORDER, &[guest("guest_recorder")]);
    let first = host.wait_for_plugin("recorder", "active")["version"].clone();
    let early = host.cli(&["plugins", "rollback", "recorder"]);
    assert!(
        !early.status.success() && String::from_utf8_lossy(&early.stderr).contains("no such good version")
    );
    host.drop_file(&guest("guest_recorder_v2"), FILE);
    let second = wait_for_release(&host, "2.0.0", "active")["version"].clone();
    let went = host.json(&["plugins", "rollback", "recorder"]);
    assert_eq!((&went["from"], &went["to"]), (&second, &first));
    let status = wait_for_release(&host, "2.0.0", "rolled back");
    assert_eq!(status["serving"], first, "{status:#}");
    accept(&host, message("C1", 1)).await;
    let events = host.wait_until_done(1);
    assert_eq!(deliveries(&events[0]).next().expect("a delivery")["version"], first);

    // Without a host the same is done in the store.
    assert!(host.stop());
    host.json(&["plugins", "approve", "recorder"]);
    host.run();
    wait_for_release(&host, "2.0.0", "active");
    assert!(host.stop());
    let went =
        host.json(&["plugins", "rollback", "recorder", "--to", &first.as_str().expect("a hash")[7..15]]);
    assert_eq!(went["to"], first);
    host.run();
    let status = wait_for_release(&host, "2.0.0", "rolled back");
    assert_eq!(status["serving"], first, "{status:#}");
    let audit = host.deeds();
    let deeds: Vec<&str> = audit.iter().filter_map(|entry| entry["action"].as_str()).collect();
    assert_eq!(deeds, ["plugins.rollback", "plugins.approve", "plugins.rollback"]);
    let shown = host.json(&["plugins", "show", "recorder"]);
    assert_eq!(shown["versions"].as_array().map(Vec::len), Some(2), "{shown:#}");
}
