//! `chatplug doctor`: what it finds of a host that is well, and of one where this or that is wrong. Each finding with its
//! whole text is provoked beside its code (`host/src/app/doctor/tests.rs`); here the executable is asked.

use chatplug::simulator::livechat::{
    self, BOT_ID, BOT_SECRET, CLIENT_ID, CLIENT_SECRET, Livechat, ORGANIZATION_ID, REFRESH_TOKEN, V2_KEY,
    V2_LOGIN,
};
use chatplug::simulator::{Fault, Times};
use chatplug_tests::{Host, guest};
use serde_json::{Value, json};

/// A host that is not started, whose `[livechat]` has these lines beside the address, and its LiveChat.
async fn host(lines: &str) -> (Host, Livechat) {
    let livechat = Livechat::start().await.expect("a port");
    let config = config(&livechat, lines);
    (Host::prepared(&config, &[guest("guest_recorder")]).env("LIVECHAT_PAT", livechat::PAT), livechat)
}

fn config(livechat: &Livechat, lines: &str) -> String {
    format!(
        "[livechat]\nbase_url = \"{}\"\nallow_private = true\n{lines}\n[plugin.recorder]\nevents = [\"incoming_event\"]\n",
        livechat.base_url(),
    )
}

fn pat() -> String {
    format!(
        "account_id = \"{}\"\nclient_id = \"{CLIENT_ID}\"\ntoken = {{ env = \"LIVECHAT_PAT\" }}\n\
         timezone = \"Europe/Warsaw\"",
        livechat::ACCOUNT_ID
    )
}

/// What is found: whether it is well, and the findings.
fn doctor(host: &Host, args: &[&str]) -> (bool, Vec<Value>) {
    let ran = host.cli(&[&["--json", "doctor"], args].concat());
    let said: Value = serde_json::from_slice(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&ran.stderr)));
    (ran.status.success(), said.as_array().expect("a list").clone())
}

fn of<'a>(findings: &'a [Value], what: &str) -> Vec<&'a Value> {
    findings.iter().filter(|finding| finding["what"] == what).collect()
}

fn with_id<'a>(findings: &'a [Value], id: &str) -> &'a Value {
    let found = findings.iter().find(|finding| finding["id"] == id);
    found.unwrap_or_else(|| panic!("{id} is not among {findings:#?}"))
}

/// The words for what is not well, without what was not looked at, and without what is this machine's and not the host's.
fn ids(findings: &[Value]) -> Vec<&str> {
    let ids = findings.iter().filter_map(|finding| finding["id"].as_str());
    ids.filter(|id| !["not-looked-at", "disk-low", "sync-slow"].contains(id)).collect()
}

fn says(finding: &Value, field: &str, part: &str) {
    assert!(finding[field].as_str().is_some_and(|text| text.contains(part)), "{part}: {finding:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_well_has_no_problem_and_one_that_nothing_is_registered_for_has() {
    let (mut host, _livechat) = host(&pat()).await;
    host.run();
    let (is_well, findings) = doctor(&host, &[]);
    assert!(!is_well);
    assert_eq!(ids(&findings), ["webhooks-none"], "{findings:#?}");

    let url = host.url("/webhooks/livechat");
    host.json(&["webhooks", "apply", "--url", &url]);
    let (is_well, findings) = doctor(&host, &["--url", &url]);
    assert!(is_well, "{findings:#?}");
    assert_eq!(ids(&findings), ["way-no-tls"], "{findings:#?}");
    for what in [
        "config",
        "host",
        "disk",
        "LiveChat",
        "clock",
        "credentials",
        "region",
        "reports",
        "archives",
        "webhooks",
    ] {
        assert!(!of(&findings, what).is_empty(), "{what} is looked at: {findings:#?}");
    }
    says(with_id(&findings, "way-no-tls"), "came", "a host answers there");

    assert!(host.stop());
    let (is_well, findings) = doctor(&host, &["--url", &url]);
    assert!(!is_well, "nobody answers from outside");
    assert_eq!(ids(&findings), ["no-host", "way-no-answer"], "{findings:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_told_by_their_form_and_by_what_livechat_says() {
    let number = pat().replace(livechat::ACCOUNT_ID, "1520");
    for (lines, token, expected) in [
        (&number, livechat::PAT, &["account-id-number", "credentials-refused"][..]),
        (&pat(), "not-the-token-of-anybody", &["credentials-refused"][..]),
    ] {
        let (mut host, _livechat) = host(lines).await;
        host.set_env("LIVECHAT_PAT", Some(token));
        let (is_well, findings) = doctor(&host, &[]);
        let found: Vec<&str> =
            of(&findings, "credentials").iter().filter_map(|found| found["id"].as_str()).collect();
        assert!(!is_well && found == expected, "{findings:#?}");
        assert_eq!(of(&findings, "LiveChat")[0]["grade"], "ok", "it is not the network: {findings:#?}");
        let text = host.cli(&["doctor"]);
        let text = String::from_utf8_lossy(&text.stdout).into_owned();
        assert!(text.contains("         do ") && !text.contains(token), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_that_is_refused_is_a_finding_and_the_rest_is_looked_at() {
    let email = pat().replace(livechat::ACCOUNT_ID, "ana@example.com");
    let (mut host, livechat) = host(&email).await;
    host.set_env("LIVECHAT_PAT", Some(" not a token\n"));
    let (is_well, findings) = doctor(&host, &["--url", "http://127.0.0.1:1"]);
    assert!(!is_well);
    says(with_id(&findings, "account-id-email"), "came", "is an e-mail address");
    says(with_id(&findings, "white-space"), "came", "white space around it");
    with_id(&findings, "no-data-folder");
    with_id(&findings, "way-no-answer");
    assert_eq!(of(&findings, "LiveChat")[0]["grade"], "ok", "{findings:#?}");
    assert_eq!(of(&findings, "credentials")[0]["grade"], "skipped", "{findings:#?}");

    // What is wrong elsewhere keeps nobody from looking at the account.
    host.set_env("LIVECHAT_PAT", Some(livechat::PAT));
    host.set_config(&config(&livechat, &pat()).replace("events =", "evnts ="));
    let (_, findings) = doctor(&host, &[]);
    says(with_id(&findings, "config-refused"), "came", "did you mean `events`");
    assert_eq!(of(&findings, "credentials")[0]["grade"], "ok", "{findings:#?}");

    std::fs::remove_file(host.config_path()).expect("it is there");
    let (is_well, findings) = doctor(&host, &[]);
    assert!(!is_well);
    says(with_id(&findings, "config-refused"), "came", "chatplug config default");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_authenticate_is_looked_at_and_told_what_it_lacks() {
    let app = format!(
        "client_id = \"{CLIENT_ID}\"\norganization = \"{ORGANIZATION_ID}\"\ntimezone = \"Europe/Warsaw\""
    );
    let bot = format!("{app}\nbot = {{ id = \"{BOT_ID}\", secret = {{ env = \"SECRET\" }} }}");
    let oauth = |url: &str| {
        format!(
            "{app}\noauth = {{ client_secret = {{ env = \"SECRET\" }}, refresh_token = {{ env = \"REFRESH_TOKEN\" }}, \
             token_url = \"{url}/v2/token\" }}"
        )
    };
    let older = format!(
        "api = \"v2\"\nlogin = \"{V2_LOGIN}\"\napi_key = {{ env = \"SECRET\" }}\ntimezone = \"Europe/Warsaw\""
    );
    for (way, secret, todo) in [
        ("bot", BOT_SECRET, "livechat.bot"),
        ("oauth", CLIENT_SECRET, "authorise it anew"),
        ("v2", V2_KEY, "livechat.api_key"),
    ] {
        let livechat = Livechat::start().await.expect("a port");
        let lines = match way {
            "bot" => bot.clone(),
            "oauth" => oauth(&livechat.base_url()),
            _ => older.clone(),
        };
        let mut host = Host::prepared(&config(&livechat, &lines), &[guest("guest_recorder")])
            .env("REFRESH_TOKEN", REFRESH_TOKEN)
            .env("SECRET", secret);
        let (_, findings) = doctor(&host, &[]);
        let credentials = of(&findings, "credentials");
        assert!(credentials.iter().all(|found| found["grade"] == "ok"), "{way}: {findings:#?}");
        assert_eq!(of(&findings, "clock")[0]["grade"], "ok", "{way}: {findings:#?}");
        let region = of(&findings, "region")[0];
        match way {
            "v2" => {
                assert_eq!(region["grade"], "skipped", "{findings:#?}");
                says(of(&findings, "webhooks")[0], "came", "LiveChat's settings");
            }
            _ => says(region, "came", "`dal`, as the token says"),
        }
        host.set_env("SECRET", Some("another-secret"));
        let (is_well, findings) = doctor(&host, &[]);
        assert!(!is_well, "{way}");
        says(with_id(&findings, "credentials-refused"), "todo", todo);
        assert!(!format!("{findings:?}").contains("another-secret"), "{way}: {findings:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_that_the_token_lacks_is_named() {
    let (host, livechat) = host(&pat()).await;
    for scope in
        ["reports_read", "chats--all:ro", "chats--access:ro", "webhooks.configuration:rw", "agents--all:ro"]
    {
        livechat.without_scope(scope);
    }
    let (is_well, findings) = doctor(&host, &[]);
    assert!(is_well, "these are warnings: {findings:#?}");
    for (id, scope) in [
        ("reports-refused", "reports_read"),
        ("archives-refused", "chats--all:ro"),
        ("webhooks-refused", "webhooks.configuration:rw"),
    ] {
        let found = with_id(&findings, id);
        says(found, "todo", scope);
        says(found, "came", "LiveChat says `authorization`");
    }
    assert_eq!(of(&findings, "credentials")[0]["grade"], "ok", "it knows who asks: {findings:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_of_webhooks_that_the_token_may_not_ask_for_is_a_finding() {
    let (host, livechat) = host(&pat()).await;
    livechat.send_webhooks_to("https://host.example/webhooks/livechat", "secret");
    livechat.without_scope("webhooks.state:ro");
    let (_, findings) = doctor(&host, &[]);
    says(with_id(&findings, "webhooks-state-unknown"), "todo", "webhooks.state:ro");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_livechat_names_is_a_finding() {
    let (host, livechat) = host(&pat()).await;
    livechat.faults().set("list_agents", Fault::WrongRegion, Times::Next(1));
    let (_, findings) = doctor(&host, &[]);
    let found = with_id(&findings, "region-learnt");
    says(found, "came", "`misdirected_request`: `fra` has the account");
    says(found, "todo", "region = \"fra\"");
    assert_eq!(of(&findings, "credentials")[0]["grade"], "ok", "{findings:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_in_which_nobody_works_is_a_finding() {
    let (host, livechat) = host(&pat()).await;
    livechat.work_in("America/New_York");
    let (_, findings) = doctor(&host, &[]);
    says(
        with_id(&findings, "time-zone-differs"),
        "came",
        "Europe/Warsaw; the schedules are in America/New_York",
    );
    let unset = pat().replace("timezone = \"Europe/Warsaw\"", "");
    host.set_config(&config(&livechat, &unset));
    let (_, findings) = doctor(&host, &[]);
    says(with_id(&findings, "time-zone-unset"), "todo", "timezone = \"America/New_York\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_has_changed_is_told_from_one_that_was_never_registered() {
    const OLD: &str = "https://old.example/webhooks/livechat";
    const NEW: &str = "https://new.example/webhooks/livechat";
    let (host, _livechat) = host(&pat()).await;
    host.json(&["webhooks", "apply", "--url", OLD]);
    let (_, findings) = doctor(&host, &["--url", NEW]);
    let found = with_id(&findings, "webhooks-url-changed");
    says(found, "came", OLD);
    says(found, "todo", &format!("chatplug webhooks apply --url {NEW}"));
    assert!(!ids(&findings).contains(&"webhooks-missing"), "{findings:#?}");

    // Nobody says which of two is this host's.
    host.json(&["webhooks", "apply", "--url", NEW]);
    host.set_config(&host_config_with_tags(&host));
    host.json(&["webhooks", "apply", "--url", NEW]);
    let (_, findings) = doctor(&host, &[]);
    let found = with_id(&findings, "webhooks-several-urls");
    says(found, "came", &format!("at {NEW}; there are others: 2 at {OLD}"));
    assert_eq!(ids(&findings).iter().filter(|id| id.starts_with("webhooks-")).count(), 1, "{findings:#?}");
}

/// The config of a host whose plugin gets one type more.
fn host_config_with_tags(host: &Host) -> String {
    let text = std::fs::read_to_string(host.config_path()).expect("a config");
    let from = text.find("[livechat]\n").expect("the test's own part");
    text[from..].replace("\"incoming_event\"", "\"incoming_event\", \"thread_tagged\"")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_matter_of_credentials_is_not_called_one() {
    let (host, livechat) = host(&pat()).await;
    let too_many = Fault::TooManyRequests { retry_after: Some("7".to_owned()) };
    livechat.faults().set("list_agents", too_many, Times::Next(1));
    let (_, findings) = doctor(&host, &[]);
    says(with_id(&findings, "livechat-rate-limited"), "todo", "wait the 7 s");
    assert_eq!(of(&findings, "LiveChat")[0]["grade"], "ok", "{findings:#?}");

    livechat.stop();
    let (is_well, findings) = doctor(&host, &[]);
    assert!(!is_well);
    let found: Vec<&Value> = findings.iter().filter(|found| found["id"] == "livechat-unreachable").collect();
    assert_eq!(found.len(), 1, "it is said once: {findings:#?}");
    assert_eq!(of(&findings, "credentials")[0]["grade"], json!("skipped"), "{findings:#?}");
}
