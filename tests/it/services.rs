//! A host among simulated services: a story is told in LiveChat, and what comes of it is looked for.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chatplug::simulator::{Chance, Fault, Hubspot, Livechat, Recorded, Slack, hubspot, livechat, slack};
use chatplug_tests::{Host, PATIENCE, SECRET, plugin};
use serde_json::Value;
use toml::Table;

/// The agent who accepts the chats of the simulated group Support, to which chats come.
pub(crate) const SMITH: &str = "smith@example.com";

/// The environment variables that the READMEs and the stage's own config name.
const ENV: [(&str, &str); 3] =
    [("HUBSPOT_TOKEN", hubspot::TOKEN), ("LIVECHAT_PAT", livechat::PAT), ("SLACK_TOKEN", slack::TOKEN)];

/// The services, and the host that works with them.
pub(crate) struct Stage {
    pub(crate) host: Host,
    pub(crate) livechat: Livechat,
    pub(crate) hubspot: Hubspot,
    pub(crate) slack: Slack,
}

impl Stage {
    /// A host with a plugin of the repository and what its README says to paste: the `number`th section, 0 for
    /// the first. `settings` is TOML that is put in place of the README's settings of the same names.
    pub(crate) async fn with_plugin(name: &str, number: usize, settings: &str) -> Stage {
        let stage = Stage::before_webhooks(name, number, settings).await;
        stage.send_webhooks();
        stage
    }

    /// The same, with no webhook registered yet: the host doesn't hear what happens until
    /// [`Stage::send_webhooks`].
    pub(crate) async fn before_webhooks(name: &str, number: usize, settings: &str) -> Stage {
        let mut config = readme_section(name, number);
        let changed: Table = settings.parse().expect("settings are TOML");
        let section = config["plugin"][name].as_table_mut().expect("a section");
        let all = section.entry("settings").or_insert_with(|| Table::new().into());
        all.as_table_mut().expect("settings are a table").extend(changed);
        Stage::with(config, plugin(name)).await
    }

    /// A host with this component and config, and no webhook registered. Connections named `hubspot` and `slack` are pointed at the
    /// simulated services.
    pub(crate) async fn with(mut config: Table, component: PathBuf) -> Stage {
        let livechat = Livechat::start().await.expect("a port");
        let hubspot = Hubspot::start().await.expect("a port");
        let slack = Slack::start().await.expect("a port");
        livechat.set_retry_spacing(Duration::from_millis(100));
        allow_private(&mut config);
        point(&mut config, "hubspot", &hubspot.base_url());
        point(&mut config, "slack", &slack.base_url());
        let text = whole(&config, &livechat);
        let mut host = Host::prepared(&text, &[component]).env("SLACK_WEBHOOK_URL", &slack.webhook_url());
        for (name, value) in ENV {
            host = host.env(name, value);
        }
        host.run();
        Stage { host, livechat, hubspot, slack }
    }

    /// Puts another config in the place of the one that the host has; its connections are taken as they are.
    pub(crate) fn set_config(&self, config: &Table) {
        self.host.set_config(&whole(config, &self.livechat));
    }

    /// Registers the host's webhooks.
    pub(crate) fn send_webhooks(&self) {
        self.livechat.send_webhooks_to(&self.host.url("/webhooks/livechat"), SECRET);
    }

    /// From now on LiveChat refuses so many of 1,000 requests for a second, and answers the others after 200 ms.
    pub(crate) fn slow_down_livechat(&self, seed: u64, refused: u32) {
        let chance = |fault, per_mille| Chance { operation: "*".to_owned(), fault, per_mille };
        let busy = Fault::TooManyRequests { retry_after: Some("1".to_owned()) };
        let slow = Fault::StallBeforeSaving(Some(Duration::from_millis(200)));
        self.livechat.faults().set_chances(seed, vec![chance(busy, refused), chance(slow, 1_000 - refused)]);
    }

    /// Waits until nothing is under way: no webhook, no delivery, no webhook of what a plugin did. Answers
    /// the events.
    pub(crate) async fn settled(&self) -> Vec<Value> {
        loop {
            let told = self.livechat.posted().len();
            self.livechat.wait_delivered(PATIENCE).await.expect("the host takes every webhook");
            let events = self.host.wait_until_done(0);
            if self.livechat.posted().len() == told {
                return events;
            }
        }
    }

    /// The requests of an action of LiveChat's API that were about a chat.
    pub(crate) fn asked(&self, action: &str, chat_id: &str) -> Vec<Recorded> {
        let mut requests = self.livechat.requests().of_operation(action);
        requests.retain(|request| {
            let body = request.body.as_ref().unwrap_or(&Value::Null);
            body["chat_id"] == chat_id || body["id"] == chat_id
        });
        requests
    }

    /// The tags of a chat's newest thread.
    pub(crate) fn tags(&self, chat_id: &str) -> Vec<String> {
        let chat = self.livechat.chat(chat_id).expect("the chat");
        serde_json::from_value(chat["thread"]["tags"].clone()).unwrap_or_default()
    }

    /// The texts of the notes that the host's user has left in a chat's newest thread.
    pub(crate) fn notes(&self, chat_id: &str) -> Vec<String> {
        let chat = self.livechat.chat(chat_id).expect("the chat");
        let events = chat["thread"]["events"].as_array().cloned().unwrap_or_default();
        let ours =
            |event: &&Value| event["author_id"] == livechat::PAT_OWNER && event["visibility"] == "agents";
        events.iter().filter(ours).filter_map(|event| event["text"].as_str()).map(str::to_owned).collect()
    }

    /// Fails if a secret stands in the log or in any file of the data folder.
    pub(crate) fn expect_no_secrets(&self) {
        let url = self.slack.webhook_url();
        let secret_part = url.rsplit('/').next().expect("a path");
        for secret in [secret_part, hubspot::TOKEN, livechat::PAT, slack::TOKEN, SECRET] {
            assert!(!self.host.log().contains(secret), "`{secret}` is in the log");
            expect_absent(&self.host.data(), secret);
        }
    }

    /// Fails unless the log has a line with all these parts.
    pub(crate) fn expect_logged(&self, parts: &[&str]) {
        let log = self.host.log();
        let found = log.lines().any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(found, "no line with {parts:?} in the log");
    }
}

/// A section of a plugin's README: what its `number`th block of TOML says to paste.
pub(crate) fn readme_section(plugin: &str, number: usize) -> Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins").join(plugin).join("README.md");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let block = text.split("```toml").nth(number + 1).and_then(|rest| rest.split("```").next());
    let block = block.unwrap_or_else(|| panic!("{} has no such section", path.display()));
    block.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The simulated services are on this machine.
fn whole(config: &Table, livechat: &Livechat) -> String {
    toml::to_string(config).expect("a table is TOML") + &account(livechat)
}

fn allow_private(config: &mut Table) {
    let connections = config.get_mut("connections").and_then(toml::Value::as_table_mut);
    for (_, connection) in connections.into_iter().flatten() {
        connection.as_table_mut().expect("a section").insert("allow_private".to_owned(), true.into());
    }
}

/// Gives a connection that has a base URL another one.
fn point(config: &mut Table, connection: &str, base_url: &str) {
    let connection = config.get_mut("connections").and_then(|all| all.get_mut(connection));
    if let Some(known) = connection.and_then(|connection| connection.get_mut("base_url")) {
        *known = base_url.into();
    }
}

fn account(livechat: &Livechat) -> String {
    format!(
        "[livechat]\nbase_url = \"{}\"\nallow_private = true\naccount_id = \"{}\"\ntoken = {{ env = \"LIVECHAT_PAT\" }}\n\
         timezone = \"Europe/Warsaw\"\n",
        livechat.base_url(),
        livechat::ACCOUNT_ID
    )
}

fn expect_absent(folder: &Path, secret: &str) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            expect_absent(&path, secret);
            continue;
        }
        // Files of the store come and go.
        let bytes = fs::read(&path).unwrap_or_default();
        let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
        assert!(!found, "`{secret}` is in {}", path.display());
    }
}
