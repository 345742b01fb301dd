//! A host with a plugin that does one of each kind of action for each message, and the services in which it does them.

use chatplug::simulator::livechat::{self, Opening};
use chatplug::simulator::{Ledger, Livechat, ledger};
use chatplug_tests::disk::Disk;
use chatplug_tests::{Host, PATIENCE, SECRET, guest};
use serde_json::Value;

use crate::client::accept;

/// A host with a plugin that leaves a note, makes an entry, sets a tag and leaves a second note, for one message at a time.
pub(crate) struct Stage {
    pub(crate) livechat: Livechat,
    pub(crate) ledger: Ledger,
    pub(crate) host: Host,
}

impl Stage {
    pub(crate) async fn new() -> Stage {
        let mut stage = Stage::prepared().await;
        stage.start();
        stage
    }

    /// The same on a disk that may fail.
    pub(crate) async fn on_disk(seed: u64) -> (Stage, Disk) {
        let Stage { livechat, ledger, host } = Stage::prepared().await;
        let (host, disk) = Disk::under(host, seed);
        let mut stage = Stage { livechat, ledger, host };
        stage.start();
        (stage, disk)
    }

    async fn prepared() -> Stage {
        let livechat = Livechat::start().await.expect("a port");
        let ledger = Ledger::start().await.expect("a port");
        let config = format!(
            "[livechat]\nbase_url = \"{}\"\nallow_private = true\naccount_id = \"{}\"\ntoken = {{ env = \"LIVECHAT_PAT\" }}\n\
             [connections.ledger]\nkind = \"generic\"\nbase_url = \"{}\"\nallow_private = true\n\
             bearer = {{ env = \"LEDGER_TOKEN\" }}\n\
             [plugin.worker]\nevents = [\"incoming_event\"]\ngrants = [\"chats.send-note\", \"chats.tag\", \"http:ledger\"]\n\
             limits = {{ concurrency = 1 }}\n",
            livechat.base_url(),
            livechat::ACCOUNT_ID,
            ledger.base_url()
        );
        let host = Host::prepared(&config, &[guest("guest_worker")])
            .env("LIVECHAT_PAT", livechat::PAT)
            .env("LEDGER_TOKEN", ledger::TOKEN);
        Stage { livechat, ledger, host }
    }

    fn start(&mut self) {
        self.host.run();
        self.host.wait_for_plugin("worker", "active");
    }

    pub(crate) fn chat(&self, customer: &str) -> String {
        self.livechat.start_chat(&Opening::by(customer)).expect("a chat").chat_id
    }

    /// A chat in which our user is, so that a note is one request.
    pub(crate) fn chat_with_us(&self, customer: &str) -> String {
        let chat = self.chat(customer);
        self.livechat.agent_joins(&chat, livechat::PAT_OWNER).expect("it joins");
        chat
    }

    /// A customer says something, and the host takes it.
    pub(crate) async fn says(&self, chat: &str, text: &str) {
        let told = self.livechat.customer_says(chat, text).expect("a message");
        let mut body = told.webhooks[0].clone();
        body["secret_key"] = SECRET.into();
        accept(&self.host, body.to_string()).await;
    }

    /// Waits until LiveChat has been asked for something.
    pub(crate) async fn asked(&self, operation: &str) {
        let is_so = |livechat: &Livechat| !livechat.requests().of_operation(operation).is_empty();
        let waited = self.livechat.wait_for("a request", PATIENCE, is_so).await;
        waited.unwrap_or_else(|late| panic!("{late}; the log:\n{}", self.host.log()));
    }

    /// What our user has noted in a chat, in order.
    pub(crate) fn notes(&self, chat: &str) -> Vec<String> {
        let chat = self.livechat.chat(chat).expect("the chat");
        let events = chat["thread"]["events"].as_array().cloned().unwrap_or_default();
        let ours = events.iter().filter(|event| event["author_id"] == livechat::PAT_OWNER);
        ours.filter_map(|event| event["text"].as_str()).map(str::to_owned).collect()
    }

    /// What is recorded of the calls of the first delivery: which, and what came of them.
    pub(crate) fn recorded(&self) -> Vec<(String, String)> {
        let shown = self.host.json(&["events", "show", "ev-1"]);
        let steps = shown["deliveries"][0]["steps"].as_array().cloned().unwrap_or_default();
        let text = |step: &Value, key: &str| step[key].as_str().unwrap_or_default().to_owned();
        steps.iter().map(|step| (text(step, "function"), text(step, "state"))).collect()
    }
}
