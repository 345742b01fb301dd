//! A plugin that misbehaves ends only its own attempt, with an outcome that names the limit; another plugin
//! in the same host goes on.

use chatplug_tests::{Host, deliveries, guest};
use serde_json::Value;

use crate::client::{accept, message};

/// Lets the hostile guest do something to two events beside the recorder; answers its last delivery.
async fn misbehave(what: &str, limits: &str) -> (Host, Value) {
    let config = format!(
        "[plugin.hostile]\nevents = [\"incoming_event\"]\ndenies = [\"chats.tag\"]\nsettings = {{ do = \"{what}\" }}\n{limits}\n
         [plugin.recorder]\nevents = [\"incoming_event\"]\n"
    );
    let host = Host::start(&config, &[guest("guest_hostile"), guest("guest_recorder")]);
    accept(&host, message("C1", 1)).await;
    accept(&host, message("C2", 1)).await;
    let events = host.wait_until_done(2);
    let of = |event: &Value, plugin: &str| {
        deliveries(event).find(|d| d["plugin"] == plugin).cloned().expect("a delivery")
    };
    for event in &events {
        assert_eq!(of(event, "recorder")["state"], "succeeded", "{what}: {event:#}");
    }
    let last = of(&events[1], "hostile");
    (host, last)
}

/// The attempt ends with this outcome, three times; answers the host for what else is to be seen.
async fn check(what: &str, limits: &str, outcome: &str, reason: &str) -> Host {
    let limits = format!("[plugin.hostile.limits]\n{limits}");
    let (host, delivery) = misbehave(what, &limits).await;
    assert_eq!(
        (&delivery["state"], &delivery["outcome"]),
        (&"dead".into(), &outcome.into()),
        "{what}: {delivery:#}"
    );
    let said = delivery["reason"].as_str().unwrap_or_default();
    assert!(said.contains(reason), "{what}: {said}");
    assert_eq!(delivery["attempts"], 3, "{what}");
    host
}

#[tokio::test]
async fn an_endless_loop_runs_out_of_cpu() {
    check("loop", "cpu_ms = 100", "out of CPU", "limits.cpu_ms").await;
}

#[tokio::test]
async fn a_hoard_runs_out_of_memory() {
    check("memory", "memory_bytes = 8388608", "out of memory", "limits.memory_bytes").await;
}

#[tokio::test]
async fn endless_recursion_runs_out_of_stack() {
    check("recursion", "", "out of memory", "stack").await;
}

#[tokio::test]
async fn a_flood_of_host_calls_runs_out_of_calls() {
    check("calls", "host_calls = 100", "out of calls", "limits.host_calls").await;
}

#[tokio::test]
async fn size_a_journal_without_end_ends_its_delivery_and_nothing_else() {
    let limits = "journal_bytes = 65536\ncpu_ms = 5000";
    let host = check("remember", limits, "out of journal", "limits.journal_bytes").await;
    assert!(host.log().contains("over 80 % of limits.journal_bytes"), "{}", host.log_end());
}

#[tokio::test]
async fn a_sleeper_runs_out_of_time() {
    check("sleep", "wall_ms = 200", "out of time", "limits.wall_ms").await;
}

#[tokio::test]
async fn leaving_by_exit_is_a_trap() {
    check("exit", "", "trapped", "exit(0)").await;
}

#[tokio::test]
async fn a_flood_of_printed_lines_is_cut_and_harms_nothing() {
    let (host, delivery) =
        misbehave("log", "[plugin.hostile.limits]\nlog_bytes = 2000\ncpu_ms = 10000").await;
    assert_eq!(delivery["state"], "succeeded", "{delivery:#}");
    assert!(host.log().contains("limits.log_bytes"));
    assert!(!host.log().contains("line 99999 of a flood"));
}

#[tokio::test]
async fn a_denied_call_is_answered_and_the_operator_is_told_what_to_grant() {
    let (host, delivery) = misbehave("tag", "").await;
    assert_eq!(
        (&delivery["state"], &delivery["outcome"]),
        (&"dead".into(), &"reject".into()),
        "{delivery:#}"
    );
    assert!(delivery["reason"].as_str().unwrap_or_default().contains("denied"), "{delivery:#}");
    assert!(host.log().contains("`denies` of [plugin.hostile]"), "{}", host.log());
}
