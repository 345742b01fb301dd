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
    let deeds = host.deeds();
    let done: Vec<&Value> = deeds.iter().map(|deed| &deed["after"]["done"]).collect();
    let said = |what: &str| needed.map(|action| Value::from(format!("{what} {action}"))).to_vec();
    let applied = [said("register"), vec!["switch webhooks on".into()]].concat();
    assert_eq!(done, [&Value::from(said("renew")), &Value::from(applied)], "{deeds:#?}");
    let is_there = |deed: &Value| deed["subject"].as_str().is_some_and(|subject| subject.starts_with(&url));
    assert!(deeds.iter().all(|deed| deed["action"] == "webhooks.changed" && is_there(deed)), "{deeds:#?}");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_not_there_is_made_and_what_is_registered_is_renewed_with_it() {
    let (mut host, livechat) = stage(true).await;
    let url = host.url("");
    host.json(&["webhooks", "apply", "--url", &url]);
    assert!(host.stop(), "{}", host.log());
    // From now on the secret is in a file that nobody has written.
    let config = std::fs::read_to_string(host.config_path()).expect("the config");
    let in_file = config.replace("{ env = \"TEST_WEBHOOK_SECRET\" }", "{ file = \"webhook-secret\" }");
    std::fs::write(host.config_path(), in_file).expect("the config can be written");
    let refused = host.cli(&["webhooks", "plan", "--url", &url]);
    assert!(!refused.status.success(), "only `apply` makes one");
    host.try_run().expect_err("the host needs it");
    let applied = host.json(&["webhooks", "apply", "--url", &url]);
    let needed =
        ["incoming_chat", "incoming_event", "thread_properties_deleted", "thread_properties_updated"];
    assert_eq!(changes(&applied), needed.map(|action| format!("renew {action}")));
    let file = host.config_path().with_file_name("webhook-secret");
    assert_eq!(applied["secret_file"].as_str().map(std::path::Path::new), Some(&*file));
    let secret = std::fs::read_to_string(&file).expect("it was written");
    assert!(secret.trim_end().len() >= 43, "32 bytes");
    assert!(!applied.to_string().contains(secret.trim_end()), "it is in the file only");
    let again = host.json(&["webhooks", "plan", "--url", &url]);
    assert_eq!(changes(&again), needed.map(|action| format!("keep {action}")));
    // What was registered is what the host takes.
    host.run();
    let now = host.url("");
    host.json(&["webhooks", "apply", "--url", &now]);
    livechat.start_chat(&Opening::by("Dana")).expect("a chat");
    host.wait_for_events("the chat", |events| events.iter().any(|event| event["type"] == "incoming_chat"));
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), secret, "nothing is written over");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_for_the_environment_is_shown_once_and_only_where_no_host_has_it() {
    let (mut host, _livechat) = stage(true).await;
    let url = host.url("");
    host.set_env("TEST_WEBHOOK_SECRET", None);
    let said = host.cli(&["webhooks", "apply", "--url", &url]);
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(!said.status.success() && text.contains("with the host's environment"), "{text}");
    assert!(host.stop(), "{}", host.log());
    let said = host.cli(&["webhooks", "apply", "--url", &url]);
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let shown = text.lines().find_map(|line| line.trim().strip_prefix("TEST_WEBHOOK_SECRET="));
    let secret = shown.expect("it is shown").to_owned();
    assert_eq!((secret.len(), text.matches(&secret).count()), (43, 1), "{text}");
    host.set_env("TEST_WEBHOOK_SECRET", Some(&secret));
    host.run();
    assert!(!host.log().contains(&secret));
}
