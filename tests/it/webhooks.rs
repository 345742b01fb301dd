//! `chatplug webhooks`: what is registered with LiveChat follows the plugins that are switched on.

use chatplug::simulator::livechat::{self, CLIENT_ID, Livechat, Opening};
use chatplug_tests::{Host, PATIENCE, guest};
use serde_json::Value;

/// A host with a LiveChat account and two plugins, and nothing registered.
async fn stage(client_id: bool) -> (Host, Livechat) {
    let livechat = Livechat::start().await.expect("a port");
    let client = if client_id { format!("client_id = \"{CLIENT_ID}\"") } else { String::new() };
    let config = format!(
        "[livechat]\nbase_url = \"{}\"\nallow_private = true\naccount_id = \"{}\"\ntoken = {{ env = \"LIVECHAT_PAT\" }}\n{client}\n
         [plugin.recorder]\nevents = [\"incoming_event\"]\n
         [plugin.rater]\nevents = [\"chat_rated\"]\n",
        livechat.base_url(),
        livechat::ACCOUNT_ID
    );
    let mut host = Host::prepared(&config, &[guest("guest_recorder")]).env("LIVECHAT_PAT", livechat::PAT);
    host.run();
    (host, livechat)
}

/// The changes of a plan or of what was applied, as `deed action`.
fn changes(said: &Value) -> Vec<String> {
    let all = said["changes"].as_array().expect("changes").iter();
    all.map(|change| format!("{} {}", change["deed"], change["action"]).replace('"', "")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_plugins_need_is_registered_and_brings_events() {
    let (host, livechat) = stage(true).await;
    livechat.switch_webhooks(false);
    let url = host.url("");
    let plan = ["webhooks", "plan", "--url", &url];
    let planned = host.cli(&[&["--json"][..], &plan].concat());
    let planned: Value = serde_json::from_slice(&planned.stdout).expect("JSON");
    let needed =
        ["incoming_chat", "incoming_event", "thread_properties_deleted", "thread_properties_updated"];
    assert_eq!(changes(&planned), needed.map(|action| format!("register {action}")));
    assert_eq!(planned["on"], false);
    assert_eq!(host.json(&["webhooks", "list"]), Value::Array(vec![]), "a plan changes nothing");

    let applied = host.json(&["webhooks", "apply", "--url", &url]);
    assert_eq!(changes(&applied), changes(&planned));
    let chat = livechat.start_chat(&Opening::by("Dana")).expect("a chat");
    livechat.customer_says(&chat.chat_id, "Hello").expect("a message");
    livechat
        .wait_delivered(PATIENCE)
        .await
        .expect("the host takes what was registered: the secret is the config's");
    host.wait_for_events("the message", |events| {
        events.iter().any(|event| event["type"] == "incoming_event")
    });

    let again = host.json(&["webhooks", "plan", "--url", &url]);
    assert_eq!(changes(&again), needed.map(|action| format!("keep {action}")));
    let renewed = host.json(&["webhooks", "apply", "--url", &url, "--renew"]);
    assert_eq!(changes(&renewed), needed.map(|action| format!("renew {action}")));
    let listed = host.json(&["webhooks", "list"]);
    assert_eq!(listed.as_array().map(Vec::len), Some(needed.len()), "{listed:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_plugin_needs_is_removed_and_what_belongs_to_others_is_not() {
    let (host, livechat) = stage(true).await;
    livechat.send_webhooks_to("https://other.example/hook", "theirs");
    let url = host.url("/webhooks/livechat");
    livechat.send_webhooks_to(&url, "theirs");
    let applied = changes(&host.json(&["webhooks", "apply", "--url", &url]));
    let removed = applied.iter().filter(|change| change.starts_with("remove")).count();
    let kept = applied.iter().filter(|change| change.starts_with("keep")).count();
    assert_eq!((removed, kept), (34, 4), "of 38");
    let listed = host.json(&["webhooks", "list"]);
    let at =
        |wanted: &str| listed.as_array().into_iter().flatten().filter(|one| one["url"] == wanted).count();
    assert_eq!((at(&url), at("https://other.example/hook")), (4, 38));

    let said = host.cli(&["webhooks", "remove", "--url", &url]);
    assert!(said.status.success() && String::from_utf8_lossy(&said.stdout).contains("Removed 4."));
    let said = host.cli(&["webhooks", "remove", "--url", &url]);
    assert!(!said.status.success(), "there is none any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_or_wrong_is_named() {
    let (host, livechat) = stage(false).await;
    let refused = |args: &[&str], part: &str| {
        let said = host.cli(args);
        let text = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(!said.status.success() && text.contains(part), "{args:?}: {text}");
    };
    refused(&["webhooks", "list"], "livechat.client_id is missing");
    refused(&["webhooks", "plan", "--url", "http://host.example"], "https://");
    refused(&["webhooks", "plan"], "--url");
    refused(&["webhooks", "remove"], "--url");
    drop(livechat);
    let (host, livechat) = stage(true).await;
    livechat.stop();
    let said = host.cli(&["webhooks", "plan", "--url", "https://host.example"]);
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(!said.status.success() && text.contains("LiveChat could not be reached"), "{text}");
}
