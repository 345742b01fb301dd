//! `chatplug serve --capture`: what the door accepts becomes files, without the secret, that can be sent again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use chatplug_tests::{Host, SECRET, payload};
use serde_json::{Value, json};

use crate::client::{accept, message, post, post_signed, signature};

/// Webhooks of each format, and whether they come with a signature.
const WEBHOOKS: [(&str, bool); 5] = [
    ("v3.6/incoming_chat.json", false),
    ("v3.2/incoming_event.json", false),
    ("v2/chat_ended.json", false),
    ("signed/rating_added.json", true),
    ("signed/v3.incoming_event.json", true),
];

/// How their files' names end.
const ENDINGS: [&str; 5] = [
    "-000001-incoming_chat.json",
    "-000002-incoming_event.json",
    "-000003-chat_deactivated.json",
    "-000004-rating_added.signed.json",
    "-000005-incoming_event.signed.json",
];

/// Where a test's host captures.
fn folder(host: &Host) -> PathBuf {
    host.config_path().with_file_name("captured")
}

fn capture(host: &mut Host, more: &[&str]) {
    let folder = folder(host);
    let args = [&["--capture", folder.to_str().expect("a path")], more].concat();
    host.run_with(&args);
}

async fn post_all(host: &Host) {
    for (path, signed) in WEBHOOKS {
        let body = payload(path);
        let (status, answer) = match signed {
            true => post_signed(host, body.clone(), &signature(&body)).await,
            false => post(host, body).await,
        };
        assert_eq!(status, 200, "{path}: {answer}");
    }
}

/// The files of a folder, in the order of their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

/// What a plugin would get of the stored events.
fn told(host: &Host) -> Vec<Value> {
    let told = |event: &Value| {
        let shown = host.json(&["events", "show", event["id"].as_str().expect("an id")]);
        let fields = ["type", "chat_id", "thread_id", "payload", "extra"];
        json!(fields.map(|field| shown[field].clone()))
    };
    host.events().iter().map(told).collect()
}

#[tokio::test]
async fn what_is_accepted_becomes_files_without_the_secret_that_make_the_same_events_again() {
    let mut host = Host::prepared("", &[]);
    capture(&mut host, &["--safe-mode"]);
    assert!(host.log().contains("capturing: each webhook that is accepted is written to"), "{}", host.log());
    // Nothing of what is refused is written.
    for body in [message("C1", 1).replace(SECRET, "another"), "{".to_owned(), "[1]".to_owned()] {
        let (status, answer) = post(&host, body).await;
        assert!(status.is_client_error(), "{answer}");
    }
    let (status, answer) =
        post_signed(&host, message("C1", 1).into_bytes(), &signature(b"another body")).await;
    assert!(status.is_client_error(), "{answer}");
    post_all(&host).await;
    // The host writes what waits before it ends.
    assert!(host.stop(), "{}", host.log());

    let folder = folder(&host);
    assert_eq!(fs::metadata(&folder).expect("the folder").permissions().mode() & 0o777, 0o700);
    let files = files(&folder);
    let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    assert_eq!(names.len(), ENDINGS.len(), "{names:#?}");
    for ((path, name), ending) in files.iter().zip(&names).zip(ENDINGS) {
        assert!(name.ends_with(ending), "{name} {ending}");
        assert_eq!(fs::metadata(path).expect("the file").permissions().mode() & 0o777, 0o600, "{name}");
        let text = fs::read_to_string(path).expect("the file");
        assert!(!text.contains(SECRET) && !text.contains("Signature"), "{name}: {text}");
        serde_json::from_str::<Value>(&text).unwrap_or_else(|error| panic!("{name}: {error}: {text}"));
    }

    let other = Host::start("", &[]);
    let url = other.url("/webhooks/livechat");
    for name in &names {
        let output = other.cli(&["send", name, "--url", &url]);
        assert!(output.status.success(), "{name}: {output:?}");
    }
    let first = told(&host);
    assert!(first.len() >= 4, "{first:#?}");
    assert_eq!(told(&other), first);
}

#[tokio::test]
async fn a_changed_config_and_a_new_start_go_on_with_the_same_folder() {
    let mut host = Host::prepared("", &[]);
    capture(&mut host, &[]);
    accept(&host, message("C1", 1)).await;
    host.set_config("[livechat]\norganization = \"org-1\"\n");
    host.wait_for("the new config", || host.log().contains("the config was changed").then_some(()));
    accept(&host, message("C1", 2)).await;
    let (status, _) = post(&host, message("C1", 3).replace("org-1", "org-2")).await;
    assert_eq!(status, 403, "of another organization");
    assert!(host.stop());
    assert_eq!(files(&folder(&host)).len(), 2);

    capture(&mut host, &[]);
    accept(&host, message("C1", 4)).await;
    assert!(host.stop());
    assert_eq!(files(&folder(&host)).len(), 3, "those of the first start are still there");

    host.run();
    accept(&host, message("C1", 5)).await;
    assert!(host.stop());
    assert_eq!(files(&folder(&host)).len(), 3, "without the argument nothing is captured");
}

#[tokio::test]
async fn webhooks_are_stored_and_answered_though_the_folder_is_gone() {
    let mut host = Host::prepared("", &[]);
    capture(&mut host, &[]);
    fs::remove_dir(folder(&host)).expect("it is empty");
    accept(&host, message("C1", 1)).await;
    host.wait_for("the warning", || host.log().contains("cannot write a captured webhook").then_some(()));
    assert_eq!(host.events().len(), 1);
    assert!(host.stop(), "{}", host.log());
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_at_the_start() {
    let mut host = Host::prepared("", &[]);
    // A folder below a file: nobody can make that, whatever they may do.
    let folder = host.config_path().join("captured");
    let args = ["--capture", folder.to_str().expect("a path")];
    let error = host.try_run_with(&args).expect_err("it does not start").to_string();
    assert!(error.contains("cannot capture webhooks in") && error.contains("name a folder"), "{error}");
}
