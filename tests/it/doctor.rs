//! `chatplug doctor`: what it finds of a host that is well, and of one where this or that is wrong.

use chatplug::simulator::livechat::{self, CLIENT_ID, Livechat};
use chatplug_tests::{Host, guest};
use serde_json::Value;

/// A host and its LiveChat; the token is the one that it runs with.
async fn stage(account_id: &str, token: &str) -> (Host, Livechat) {
    let livechat = Livechat::start().await.expect("a port");
    let config = format!(
        "[livechat]\nbase_url = \"{}\"\nallow_private = true\naccount_id = \"{account_id}\"\nclient_id = \"{CLIENT_ID}\"\n\
         token = {{ env = \"LIVECHAT_PAT\" }}\n[plugin.recorder]\nevents = [\"incoming_event\"]\n",
        livechat.base_url(),
    );
    let host = Host::prepared(&config, &[guest("guest_recorder")]).env("LIVECHAT_PAT", token);
    (host, livechat)
}

/// What is found: exit code, and the findings of a matter.
fn doctor(host: &Host, args: &[&str]) -> (bool, Vec<Value>) {
    let ran = host.cli(&[&["--json", "doctor"], args].concat());
    let said: Value = serde_json::from_slice(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&ran.stderr)));
    (ran.status.success(), said.as_array().expect("a list").clone())
}

fn of<'a>(findings: &'a [Value], what: &str) -> Vec<&'a Value> {
    findings.iter().filter(|finding| finding["what"] == what).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_well_has_no_problem_and_one_that_nothing_is_registered_for_has() {
    let (mut host, _livechat) = stage(livechat::ACCOUNT_ID, livechat::PAT).await;
    host.run();
    let (is_well, findings) = doctor(&host, &[]);
    assert!(!is_well);
    assert_eq!(of(&findings, "webhooks")[0]["came"], "none is registered for the app", "{findings:#?}");

    let url = host.url("/webhooks/livechat");
    host.json(&["webhooks", "apply", "--url", &url]);
    let (is_well, findings) = doctor(&host, &["--url", &url]);
    assert!(is_well, "{findings:#?}");
    for what in ["config", "host", "disk", "credentials", "webhooks", "the way in"] {
        assert!(!of(&findings, what).is_empty(), "{what} is looked at: {findings:#?}");
    }
    let way = of(&findings, "the way in")[0];
    assert_eq!(way["grade"], "warning", "it has no TLS: {way:#}");
    assert!(way["came"].as_str().unwrap_or_default().contains("a host answers there"), "{way:#}");

    assert!(host.stop());
    let (is_well, findings) = doctor(&host, &["--url", &url]);
    assert!(!is_well, "nobody answers from outside");
    assert_eq!(of(&findings, "host")[0]["grade"], "warning", "{findings:#?}");
    assert_eq!(of(&findings, "the way in")[0]["grade"], "problem", "{findings:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_told_by_their_form_and_by_what_livechat_says() {
    for (account_id, token, form) in
        [("1520", livechat::PAT, "is a number"), (livechat::ACCOUNT_ID, "not-the-token-of-anybody", "")]
    {
        let (host, _livechat) = stage(account_id, token).await;
        let (is_well, findings) = doctor(&host, &[]);
        let found = of(&findings, "credentials");
        assert!(!is_well && found.iter().all(|finding| finding["grade"] == "problem"), "{findings:#?}");
        assert_eq!(found.len(), if form.is_empty() { 1 } else { 2 }, "{findings:#?}");
        assert!(found[0]["came"].as_str().unwrap_or_default().contains(form), "{findings:#?}");
        let text = host.cli(&["doctor"]);
        let text = String::from_utf8_lossy(&text.stdout).into_owned();
        assert!(text.contains("         do ") && !text.contains(token), "{text}");
    }
    let (host, _livechat) = stage("ana@example.com", livechat::PAT).await;
    let refused = host.cli(&["doctor"]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is an e-mail address"), "{refused:?}");
}
