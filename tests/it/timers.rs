//! Timers: set by a run, durable, and taken back even if their event waits already.

use std::time::{Duration, SystemTime};

use chatplug_tests::{Host, deliveries, guest};
use serde_json::{Value, json};

use crate::client::{accept, said};

const CONFIG: &str = "[plugin.clockwork]\nevents = [\"incoming_event\"]\n[plugin.clockwork.schedules]\nsecond = false\nslow \
                      = false\nlate = false\nnightly = false\n";

/// The timers' events, the oldest first.
fn fired(host: &Host) -> Vec<Value> {
    host.events().into_iter().filter(|event| event["type"] == "timer").collect()
}

fn states(events: &[Value]) -> Vec<String> {
    events.iter().flat_map(deliveries).filter_map(|one| one["state"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_timer_comes_in_its_chat_with_what_it_was_set_with() {
    let host = Host::start(CONFIG, &[guest("guest_clockwork")]);
    accept(&host, said("C1", "1", "set a 300 first\nset b 0 second\nset a 1 third")).await;
    let events =
        host.wait_for("both timers", || Some(fired(&host)).filter(|all| states(all) == ["succeeded"; 2]));
    for event in &events {
        assert_eq!((&event["chat_id"], &event["thread_id"]), (&json!("C1"), &json!("C1T")));
        let shown = host.json(&["events", "show", event["id"].as_str().expect("an id")]);
        let (key, payload) = (&shown["payload"]["key"], &shown["payload"]["payload"]);
        assert!(*key == "a" && *payload == "third" || *key == "b" && *payload == "second", "{shown}");
        let plugins: Vec<&Value> = deliveries(event).map(|delivery| &delivery["plugin"]).collect();
        assert_eq!(plugins, ["clockwork"]);
    }
}

#[tokio::test]
async fn a_timer_that_was_due_while_the_host_was_down_comes_at_the_start() {
    let mut host = Host::start(CONFIG, &[guest("guest_clockwork")]);
    accept(&host, said("C1", "1", "set a 1500 kept")).await;
    host.wait_until_done(1);
    host.kill();
    let before = fired(&host).len();
    let until = SystemTime::now() + Duration::from_millis(1_600);
    host.wait_for("the timer to be due", || (SystemTime::now() > until).then_some(()));
    host.run();
    let events = host.wait_for("the timer", || Some(fired(&host)).filter(|all| states(all) == ["succeeded"]));
    assert!(before <= events.len() && events.len() == 1);
}

#[tokio::test]
async fn a_timer_that_is_taken_back_does_not_come_though_its_event_waits() {
    for (id, instead) in [("cancel", "cancel a"), ("replace", "set a 0 anew")] {
        let host = Host::start(CONFIG, &[guest("guest_clockwork")]);
        // Its own event stands in the lane as long as the plugin waits; so the timer's has to wait behind it.
        accept(&host, said("C1", id, &format!("set a 0 old\nwait\n{instead}"))).await;
        host.wait_for("the timer's event to wait", || {
            Some(fired(&host)).filter(|all| states(all) == ["pending"])
        });
        accept(&host, said("C2", "go", "go")).await;
        let events = host.wait_for("the timer's end", || {
            Some(fired(&host)).filter(|all| {
                let states = states(all);
                !states.is_empty()
                    && states.iter().all(|state| state != "pending")
                    && (id == "cancel" || states.len() == 2)
            })
        });
        let first = deliveries(&events[0]).next().expect("a delivery");
        assert_eq!(
            (&first["state"], &first["reason"]),
            (&json!("skipped"), &json!("the timer was taken back, or set anew"))
        );
        match id {
            "cancel" => assert_eq!(events.len(), 1),
            _ => assert_eq!(states(&events), ["skipped", "succeeded"]),
        }
        assert!(!host.log().contains("timer a with old"), "{}", host.log());
    }
}

#[tokio::test]
async fn a_person_s_timers_are_forgotten() {
    let host = Host::start(CONFIG, &[guest("guest_clockwork")]);
    accept(&host, said("C1", "1", "set a 3600000 private")).await;
    accept(&host, said("C2", "2", "set a 3600000 other")).await;
    host.wait_until_done(2);
    let forgotten = host.json(&["forget", "--chat", "C1"]);
    assert_eq!(forgotten["timers"], 1, "{forgotten}");
    assert_eq!(host.json(&["forget", "--chat", "C1"])["timers"], 0);
}
