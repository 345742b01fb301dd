//! What operators say of actions in doubt: each thing that can be said, of one delivery and of many, by the API of a
//! running host and without one.

use chatplug::simulator::{Fault, Times};
use chatplug_tests::Host;
use serde_json::{Value, json};

use crate::client::{accept, message};
use crate::poster::Poster;

/// A host with held deliveries: `dl-1` of `ev-1` and so on. The first of the posts of each met one of the faults.
async fn with_held(posts: u32, faults: &[Fault]) -> Poster {
    let poster = Poster::start(&format!("posts = {posts}")).await;
    for (before, fault) in faults.iter().enumerate() {
        poster.slack.faults().set("webhook", fault.clone(), Times::Next(1));
        accept(&poster.host, message(&format!("C{before}"), before)).await;
        poster.host.wait_until_done(before + 1);
    }
    assert_eq!(held(&poster.host).len(), faults.len());
    poster
}

/// The ids of what is held, the newest first.
fn held(host: &Host) -> Vec<String> {
    let Value::Array(listed) = host.json(&["held", "list"]) else { panic!("a list") };
    listed.iter().filter_map(|delivery| delivery["id"].as_str()).map(str::to_owned).collect()
}

/// What `held resolve` answers to these arguments.
fn resolve(host: &Host, args: &str) -> Value {
    let args: Vec<&str> = ["held", "resolve"].into_iter().chain(args.split(' ')).collect();
    host.json(&args)
}

/// What a command says to people, and whether all went well.
fn say(host: &Host, args: &[&str]) -> (String, bool) {
    let output = host.cli(args);
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_does_again_at_once_what_failed_does_nothing_twice() {
    let poster = Poster::start("posts = 1, insists = true").await;
    for (before, fault) in [Fault::ErrorAfterSaving, Fault::CutReply].into_iter().enumerate() {
        poster.slack.faults().set("webhook", fault.clone(), Times::Next(1));
        accept(&poster.host, message(&format!("C{before}"), before)).await;
        poster.host.wait_until_done(before + 1);
        let text = format!("ev-{} 0", before + 1);
        assert_eq!((poster.asked(&text), poster.posted(&text)), (1, 1), "{fault:?}");
    }
    assert_eq!(held(&poster.host).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_an_action_in_doubt_is_what_its_delivery_goes_on_with() {
    let faults = [Fault::ErrorAfterSaving, Fault::ErrorBeforeSaving, Fault::ErrorAfterSaving];
    let poster = with_held(2, &faults).await;
    let host = &poster.host;
    for (id, said, may_repeat) in [("dl-1", "--sent", 0), ("dl-2", "--not-sent", 1), ("dl-3", "--look", 0)] {
        let resolved = resolve(host, &format!("{id} {said}"));
        let changed = (&resolved["changed"], &resolved["may_repeat"], &resolved["deliveries"][0]["id"]);
        assert_eq!(changed, (&json!(1), &json!(may_repeat), &json!(id)), "{said}");
        host.wait_until_done(3);
    }
    assert_eq!(host.states(), ["succeeded", "succeeded", "held"]);
    assert_eq!(held(host), ["dl-6"]);
    // How often each post was asked for, and how often it was made.
    for (text, asked, posted) in [
        ("ev-1 0", 1, 1),
        ("ev-1 1", 1, 1),
        ("ev-2 0", 2, 1),
        ("ev-2 1", 1, 1),
        ("ev-3 0", 1, 1),
        ("ev-3 1", 0, 0),
    ] {
        assert_eq!((poster.asked(text), poster.posted(text)), (asked, posted), "{text}");
    }

    let (said, is_well) = say(host, &["held", "resolve", "dl-6", "--look"]);
    assert!(is_well && said.contains("is held once more, under its new number"), "{said}");
    host.wait_until_done(3);
    assert_eq!((held(host), poster.asked("ev-3 0")), (vec!["dl-7".to_owned()], 1));
    let (said, is_well) = say(host, &["held", "resolve", "dl-1", "--not-sent"]);
    assert!(!is_well && said.contains("dl-1 is not held (any more)"), "{said}");

    let deeds = host.deeds();
    let expected = [
        ("held.look", "dl-6 of ev-3 to poster", "dl-7"),
        ("held.look", "dl-3 of ev-3 to poster", "dl-6"),
        ("held.not-sent", "dl-2 of ev-2 to poster", "dl-5"),
        ("held.sent", "dl-1 of ev-1 to poster", "dl-4"),
    ];
    assert_eq!(deeds.len(), expected.len(), "{deeds:#?}");
    for (deed, (action, subject, now)) in deeds.iter().zip(expected) {
        assert_eq!((&deed["action"], &deed["subject"]), (&json!(action), &json!(subject)));
        let before = json!({ "state": "held", "outcome": "in doubt", "attempts": 0 });
        let after = json!({ "state": "pending", "delivery": now });
        assert_eq!((&deed["before"], &deed["after"]), (&before, &after), "{subject}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_is_shown_with_what_to_look_for_in_the_service() {
    let poster = with_held(1, &[Fault::CutReply, Fault::ErrorBeforeSaving]).await;
    let host = &poster.host;
    assert_eq!(held(host), ["dl-2", "dl-1"]);
    let (listed, _) = say(host, &["held", "list", "--reason", "http:hook"]);
    assert!(listed.contains("dl-1") && listed.contains("ev-2") && listed.contains("poster"), "{listed}");
    assert_eq!(say(host, &["held", "list", "--plugin", "nobody"]).0, "No held deliveries.\n");

    let shown = host.json(&["held", "show", "dl-1"]);
    assert_eq!((&shown["event"], &shown["state"]), (&json!("ev-1"), &json!("held")), "{shown:#}");
    let steps = shown["steps"].as_array().expect("the calls");
    let in_doubt: Vec<&Value> = steps.iter().filter(|step| step["state"] == "in doubt").collect();
    assert!(in_doubt.len() == 1 && in_doubt[0]["function"] == "http:hook", "{shown:#}");
    let (shown, _) = say(host, &["held", "show", "dl-1"]);
    assert!(shown.contains("ev-1 0"), "the text that was to be posted: {shown}");

    resolve(host, "dl-1 --sent");
    host.wait_until_done(2);
    let output = host.cli(&["held", "show", "dl-3"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("dl-3 is succeeded, not held"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_resolved_by_a_filter_in_a_running_host() {
    let mut poster = with_many_held().await;
    check_dry_run(&poster.host);
    resolve_many(&mut poster, "api:");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_resolved_by_a_filter_without_a_host_and_go_on_when_it_starts() {
    let mut poster = with_many_held().await;
    assert!(poster.host.stop(), "{}", poster.host.log());
    check_dry_run(&poster.host);
    resolve_many(&mut poster, "cli:");
}

/// Two actions that did not take place, and one that did.
async fn with_many_held() -> Poster {
    with_held(1, &[Fault::ErrorBeforeSaving, Fault::ErrorBeforeSaving, Fault::ErrorAfterSaving]).await
}

/// A dry run counts what each filter lets through, and changes nothing.
fn check_dry_run(host: &Host) {
    let before = host.json(&["held", "list"]);
    for (filter, total) in [
        ("--reason HTTP:hook", 3),
        ("--all --limit 2", 2),
        ("--type incoming_event --since 1h --plugin poster", 3),
        ("--plugin nobody", 0),
        ("dl-2 dl-9", 1),
    ] {
        let counted = resolve(host, &format!("{filter} --not-sent --dry-run"));
        assert_eq!(counted["total"], total, "{filter}: {counted}");
    }
    let (said, _) = say(host, &["held", "resolve", "--all", "--sent", "--dry-run"]);
    assert_eq!(said, "It would be 3 held deliveries; nothing was changed.\n  3 of poster\n");
    assert_eq!(host.json(&["held", "list"]), before);
    assert_eq!(host.deeds().len(), 0);
}

/// Says of the two oldest that they weren't sent, and of the rest that it was.
fn resolve_many(poster: &mut Poster, who: &str) {
    let host = &mut poster.host;
    let resolved = resolve(host, "--reason http:hook --limit 2 --not-sent");
    let ids = [&resolved["deliveries"][0]["id"], &resolved["deliveries"][1]["id"]];
    assert_eq!((&resolved["changed"], ids), (&json!(2), [&json!("dl-1"), &json!("dl-2")]), "{resolved:#}");
    let resolved = resolve(host, "--all --sent");
    let rest = (&resolved["changed"], &resolved["deliveries"][0]["id"]);
    assert_eq!(rest, (&json!(1), &json!("dl-3")), "{resolved:#}");
    if who == "cli:" {
        assert_eq!(host.states(), ["pending", "pending", "pending"]);
        host.run();
    }
    host.wait_until_done(3);
    assert_eq!(host.states(), ["succeeded", "succeeded", "succeeded"]);
    let deeds = host.deeds();
    assert_eq!(deeds.len(), 3, "{deeds:#?}");
    for deed in &deeds {
        assert!(deed["who"].as_str().is_some_and(|name| name.starts_with(who)), "{deed:#}");
    }
    for (text, asked) in [("ev-1 0", 2), ("ev-2 0", 2), ("ev-3 0", 1)] {
        assert_eq!((poster.asked(text), poster.posted(text)), (asked, 1), "{text}");
    }
}
