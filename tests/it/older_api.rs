//! The older API, for accounts that have only an e-mail address and an API key: the same plugin, the same commands.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use chatplug::livechat::client_v2::{NOT_AT_ALL, shortfall};
use chatplug::simulator::Livechat;
use chatplug::simulator::livechat::{EndedBy, Opening, V2_KEY, V2_LOGIN};
use chatplug_tests::{Host, deliveries, guest, plugin};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::client::{accept, webhook};
use crate::metrics::{figures, most};
use crate::services::SMITH;

fn config(livechat: &Livechat) -> String {
    format!(
        "[livechat]\napi = \"v2\"\nbase_url = \"{}\"\nallow_private = true\nlogin = {{ env = \"LIVECHAT_LOGIN\" }}\n\
         api_key = {{ env = \"LIVECHAT_API_KEY\" }}\ntimezone = \"Europe/Warsaw\"\n\
         [connections.hubspot]\nkind = \"hubspot\"\nbase_url = \"https://api.hubapi.com\"\nbearer = {{ env = \"KEY\" }}\n\
         [connections.hook]\nkind = \"generic\"\nbase_url = \"https://hook.example\"\n\
         [plugin.caller]\nevents = [\"incoming_event\"]\ngrants = [\"chats.*\", \"customers.*\", \"agents.*\", \"reports.*\"]\n\
         denies = [\"http:hubspot\", \"http:hook\", \"livechat:configuration.*\", \"livechat:agent.*\", \"livechat:reports.*\"]\n",
        livechat.base_url()
    )
}

fn host(livechat: &Livechat) -> Host {
    Host::prepared(&config(livechat), &[guest("guest_caller")])
        .env("LIVECHAT_LOGIN", V2_LOGIN)
        .env("LIVECHAT_API_KEY", V2_KEY)
        .env("KEY", "hubspot-key-of-nobody")
}

fn ended_chat(livechat: &Livechat, customer: &str) -> (String, String) {
    let opening = Opening { first_message: Some("hi".to_owned()), ..Opening::by(customer) };
    let told = livechat.start_chat(&opening).expect("a chat");
    livechat.agent_says(&told.chat_id, SMITH, "hello").expect("an answer");
    livechat.end_chat(&told.chat_id, &EndedBy::Router).expect("it ends");
    (told.chat_id, told.thread_id)
}

/// Has the plugin make a call, the `number`th one; answers what it was told.
async fn call(host: &Host, number: usize, name: &str, with: Value) -> Value {
    let event = json!({
        "id": "1", "type": "message", "created_at": Timestamp::now().to_string(), "visibility": "all",
        "author_id": "b7eff798", "text": json!({"call": name, "with": with}).to_string(),
    });
    let chat_id = format!("CALL{number}");
    accept(host, webhook("incoming_event", &json!({"chat_id": chat_id, "thread_id": "T", "event": event})))
        .await;
    let events = host.wait_until_done(number);
    let event = events.iter().find(|event| event["chat_id"] == chat_id.as_str()).expect("the event");
    let delivery = deliveries(event).next().expect("a delivery");
    let reason = delivery["reason"].as_str().unwrap_or_default();
    let told =
        reason.strip_prefix("rejected by the plugin: ").unwrap_or_else(|| panic!("{name}: {delivery:#}"));
    serde_json::from_str(told).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_does_not_know_which_api_is_behind() {
    let livechat = Livechat::start().await.expect("a port");
    let mut threads = Vec::new();
    for number in 0..30 {
        threads.push(ended_chat(&livechat, &format!("Customer {number}")).1);
    }
    let mut host = host(&livechat);
    host.run();
    let today = Timestamp::now().to_zoned(TimeZone::get("Europe/Warsaw").expect("a time zone")).date();
    let yesterday = today.yesterday().expect("a day").to_string();
    let days = json!([yesterday, today.tomorrow().expect("a day").to_string()]);
    let (list, report) = (json!([{"days": days, "limit": 100}]), json!([{"days": days}, "total"]));

    let all = call(&host, 1, "chats.all-archives", list).await;
    assert_eq!(all, json!({"ok": 30}), "all pages");
    assert_eq!(livechat.requests().of_operation("v2 GET chats").len(), 2);
    let one = call(&host, 2, "chats.get-chat", json!([threads[0]])).await;
    assert_eq!(one, json!({"ok": threads[0]}));
    assert_eq!(call(&host, 3, "reports.total-chats", report).await, json!({"ok": 30.0}));
    let away = json!([SMITH, "not_accepting_chats"]);
    assert_eq!(call(&host, 4, "agents.set-routing-status", away).await, json!({"ok": null}));
    let billed = most(&figures(&host).await, "chatplug_livechat_calls_total", "plugin=\"caller\"");
    assert!(billed.is_some_and(|billed| billed >= 5.0), "{billed:?} requests are the plugin's");
    let agents = host.json(&["agents"]);
    let smith = agents.as_array().and_then(|all| all.iter().find(|agent| agent["id"] == SMITH));
    assert_eq!(smith.expect("Smith")["status"], "not_accepting_chats");
    for (number, name, with) in [
        (5, "chats.send-note", json!(["C1", "psst"])),
        (6, "chats.transfer", json!(["C1", 2])),
        (7, "customers.get", json!(["K1"])),
        (8, "reports.tags", json!([{}, ""])),
    ] {
        let told = call(&host, number, name, with).await;
        assert_eq!(told["code"], "unsupported", "{name}: {told}");
        assert!(told["message"].as_str().is_some_and(|message| message.contains(name)), "{told}");
    }
    let versions = livechat.requests().all();
    assert!(versions.iter().all(|request| request.operation.starts_with("v2 ")), "nothing else was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_work_and_the_check_says_what_is_missing() {
    let livechat = Livechat::start().await.expect("a port");
    let (chat, thread) = ended_chat(&livechat, "Dana");
    livechat.rate(&chat, 1).expect("a rating");
    let host = host(&livechat);
    let chats = host.json(&["chats"])["chats"].clone();
    assert_eq!((&chats[0]["id"], &chats[0]["rating"]), (&json!(thread), &json!("good")), "{chats}");
    assert_eq!(
        (&chats[0]["customer_email"], &chats[0]["message_count"]),
        (&json!("dana@example.com"), &json!(2))
    );
    let stats = host.json(&["stats"]);
    assert_eq!((&stats["total_chats"], &stats["rated_good"]), (&json!(1), &json!(1)), "{stats}");
    let checked = host.cli(&["check", "--online"]);
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success() && text.contains("LiveChat takes the credentials"), "{text}");
    let line = text
        .lines()
        .find(|line| line.contains("caller: with the older API"))
        .unwrap_or_else(|| panic!("{text}"));
    assert!(line.contains("`chats.send-note` not with the older API"), "{line}");
    assert!(line.contains("`chats.list-archives` days only") && !line.contains("`chats.get-chat`"), "{line}");

    let mut wrong = Host::prepared(&config(&livechat), &[guest("guest_caller")])
        .env("LIVECHAT_LOGIN", V2_LOGIN)
        .env("KEY", "hubspot-key-of-nobody");
    wrong.set_env("LIVECHAT_API_KEY", Some("another-key-that-is-wrong"));
    let checked = wrong.cli(&["check", "--online"]);
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(!checked.status.success() && text.contains("livechat.api_key"), "{text}");
    assert!(!text.contains("another-key"), "{text}");
}

#[test]
fn the_check_says_it_of_a_plugin_without_event_types_too() {
    let config = "[livechat]\napi = \"v2\"\nlogin = \"ann@example.com\"\napi_key = { env = \"KEY\" }\ntimezone = \"Europe/Warsaw\"\n\
                  [plugin.quality-report]\nevents = []\ngrants = [\"chats.*\", \"reports.*\"]\n\
                  settings = { timezone = \"Europe/Warsaw\" }\n";
    let host = Host::prepared(config, &[plugin("quality-report")]).env("KEY", "a-key-of-nobody");
    let checked = host.cli(&["check"]);
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    let line = text.lines().find(|line| line.contains("quality-report: with the older API"));
    let line = line.unwrap_or_else(|| panic!("{text}"));
    assert!(line.contains("`chats.list-archives` days only, the newest first"), "{line}");
}

/// What the document says of a plugin: the word, what it lacks, what it has in part.
type Said = (String, BTreeSet<String>, BTreeSet<String>);

/// The table of plugins in docs/older-api.md, by name.
fn documented() -> Vec<(String, Said)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/older-api.md");
    let text = fs::read_to_string(path).expect("the document");
    let (_, section) = text.split_once("\n## Plugins\n").expect("the section");
    let section = section.split("\n## ").next().expect("a section");
    // Behind the names of the columns and the line.
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    let row = |row: &str| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, words, lacks, part] = cells.as_slice() else { panic!("four columns: {row}") };
        let spans = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let word = words.split(':').next().expect("a word").to_owned();
        ((*name).to_owned(), (word, spans(lacks), spans(part)))
    };
    rows.map(row).collect()
}

#[test]
fn what_is_documented_of_each_plugin_is_what_the_check_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
    let entries = fs::read_dir(folder).expect("the plugins").map(|entry| entry.expect("an entry"));
    let folders = entries.filter(|entry| entry.path().join("Cargo.toml").exists());
    let names: BTreeSet<String> =
        folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let documented = documented();
    assert_eq!(documented.iter().map(|(name, _)| name.clone()).collect::<BTreeSet<_>>(), names);

    let components: Vec<_> = names.iter().map(|name| plugin(name)).collect();
    let host = Host::prepared("", &components);
    for (name, (word, lacks, part)) in documented {
        let asks = host.plugin(&name).expect("a status")["asks"].clone();
        let asks: Vec<String> = serde_json::from_value(asks).expect("a list");
        let is_lacking = |ask: &&String| shortfall(ask) == Some(NOT_AT_ALL);
        let expected: BTreeSet<String> = asks.iter().filter(is_lacking).cloned().collect();
        assert_eq!(lacks, expected, "{name} lacks");
        let is_part = |ask: &&String| shortfall(ask).is_some_and(|what| what != NOT_AT_ALL);
        let expected: BTreeSet<String> = asks.iter().filter(is_part).cloned().collect();
        assert_eq!(part, expected, "{name} has in part");
        let is_full = lacks.is_empty() && part.is_empty();
        assert_eq!(word == "full", is_full, "{name}: {word}");
        assert!(["full", "partly", "no"].contains(&word.as_str()), "{name}: {word}");
    }
}
