//! The orderly stop: what is under way ends and is recorded, nothing new begins, and what takes too long is found out about
//! after the next start.

use std::time::Duration;

use chatplug::simulator::livechat::{self, Opening};
use chatplug::simulator::{Fault, Ledger, Livechat, Times, ledger};
use chatplug_tests::{Host, PATIENCE, SECRET, deliveries, guest};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::client::accept;

/// A host with a plugin that leaves a note, makes an entry, sets a tag and leaves a second note, for one message at a time.
struct Stage {
    livechat: Livechat,
    ledger: Ledger,
    host: Host,
}

impl Stage {
    async fn new() -> Stage {
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
        let mut host = Host::prepared(&config, &[guest("guest_worker")])
            .env("LIVECHAT_PAT", livechat::PAT)
            .env("LEDGER_TOKEN", ledger::TOKEN);
        host.run();
        host.wait_for_plugin("worker", "active");
        Stage { livechat, ledger, host }
    }

    fn chat(&self, customer: &str) -> String {
        self.livechat.start_chat(&Opening::by(customer)).expect("a chat").chat_id
    }

    /// A chat in which our user is, so that a note is one request.
    fn chat_with_us(&self, customer: &str) -> String {
        let chat = self.chat(customer);
        self.livechat.agent_joins(&chat, livechat::PAT_OWNER).expect("it joins");
        chat
    }

    /// A customer says something, and the host takes it.
    async fn says(&self, chat: &str, text: &str) {
        let told = self.livechat.customer_says(chat, text).expect("a message");
        let mut body = told.webhooks[0].clone();
        body["secret_key"] = SECRET.into();
        accept(&self.host, body.to_string()).await;
    }

    /// Waits until LiveChat has been asked for something.
    async fn asked(&self, operation: &str) {
        let is_so = |livechat: &Livechat| !livechat.requests().of_operation(operation).is_empty();
        let waited = self.livechat.wait_for("a request", PATIENCE, is_so).await;
        waited.unwrap_or_else(|late| panic!("{late}; the log:\n{}", self.host.log()));
    }

    /// Asks the host to stop, and returns once it knows.
    fn begin_stop(&self) {
        let pid = i32::try_from(self.host.pid()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, Signal::TERM).expect("the host runs");
        self.host.wait_for("the stop to begin", || {
            self.host.log().contains("stopping: no new work").then_some(())
        });
    }

    /// What our user has noted in a chat, in order.
    fn notes(&self, chat: &str) -> Vec<String> {
        let chat = self.livechat.chat(chat).expect("the chat");
        let events = chat["thread"]["events"].as_array().cloned().unwrap_or_default();
        let ours = events.iter().filter(|event| event["author_id"] == livechat::PAT_OWNER);
        ours.filter_map(|event| event["text"].as_str()).map(str::to_owned).collect()
    }

    /// The states of the deliveries, in order.
    fn states(&self) -> Vec<Value> {
        self.host.events().iter().flat_map(deliveries).map(|delivery| delivery["state"].clone()).collect()
    }

    /// What is recorded of the calls of the first delivery: which, and what came of them.
    fn recorded(&self) -> Vec<(String, String)> {
        let shown = self.host.json(&["events", "show", "ev-1"]);
        let steps = shown["deliveries"][0]["steps"].as_array().cloned().unwrap_or_default();
        let text = |step: &Value, key: &str| step[key].as_str().unwrap_or_default().to_owned();
        steps.iter().map(|step| (text(step, "function"), text(step, "state"))).collect()
    }

    /// Starts the host again, and expects that everything of these chats is done, each thing once.
    async fn expect_done_once(&mut self, chats: &[&str]) {
        self.host.run();
        self.host.wait_for_events("both to be done", |events| {
            let states: Vec<&Value> =
                events.iter().flat_map(deliveries).map(|delivery| &delivery["state"]).collect();
            states.len() >= chats.len() && states.iter().all(|state| *state == "succeeded")
        });
        for (number, chat) in (1..).zip(chats) {
            let expected = [format!("first work {number}"), format!("second work {number} count 1")];
            assert_eq!(self.notes(chat), expected, "{chat}");
        }
        assert_eq!(self.ledger.entries().len(), chats.len());
        assert!(self.ledger.entries().iter().all(|entry| entry.times == 1), "{:?}", self.ledger.entries());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_under_way_ends_and_is_recorded_and_no_other_begins() {
    let mut stage = Stage::new().await;
    let (one, two) = (stage.chat_with_us("Dana"), stage.chat_with_us("Omar"));
    stage.livechat.faults().set("send_event", Fault::StallAfterSaving(None), Times::Next(1));
    stage.says(&one, "work 1").await;
    stage.asked("send_event").await;
    // It waits for the first, which is where one is at work.
    stage.says(&two, "work 2").await;
    stage.begin_stop();
    stage.livechat.faults().release();
    assert!(stage.host.wait_for_end().success(), "{}", stage.host.log());

    assert_eq!(stage.notes(&one), ["first work 1"], "what was under way");
    assert_eq!(stage.notes(&two), [""; 0], "what was not");
    assert_eq!(stage.livechat.requests().of_operation("send_event").len(), 1);
    assert_eq!(stage.livechat.requests().of_operation("tag_thread").len(), 0);
    assert_eq!(stage.ledger.requests().all().len(), 0, "the run went on, and was told no");
    let recorded = [("chats.send-note".to_owned(), "succeeded".to_owned())];
    assert_eq!(stage.recorded(), recorded, "its answer is on disk");
    assert_eq!(stage.states(), ["pending", "pending"]);
    assert!(!stage.host.log().contains("cut off by the stop"), "{}", stage.host.log());
    stage.expect_done_once(&[&one, &two]).await;
    assert_eq!(stage.livechat.requests().of_operation("send_event").len(), 4, "none was sent twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_takes_too_long_is_found_out_about_after_the_next_start() {
    let mut stage = Stage::new().await;
    let chat = stage.chat("Dana");
    // Our user has to come for the note, which is one request more; together they take longer than the stop does, and each
    // less than the client waits.
    let slow = Fault::StallAfterSaving(Some(Duration::from_secs(15)));
    stage.livechat.faults().set("add_user_to_chat", slow, Times::Next(1));
    stage.says(&chat, "work 1").await;
    stage.asked("add_user_to_chat").await;
    stage.livechat.faults().set("send_event", Fault::StallAfterSaving(None), Times::UntilCleared);
    stage.begin_stop();
    assert!(stage.host.wait_for_end().success(), "{}", stage.host.log());
    assert!(stage.host.log().contains("cut off by the stop"), "{}", stage.host.log());
    assert_eq!(stage.notes(&chat), ["first work 1"]);
    let recorded = [("chats.send-note".to_owned(), "in doubt".to_owned())];
    assert_eq!(stage.recorded(), recorded, "nobody knows what came of it");
    assert_eq!(stage.states(), ["pending"]);
    stage.livechat.faults().clear();
    stage.expect_done_once(&[&chat]).await;
}
