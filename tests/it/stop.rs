//! The orderly stop: what is under way ends and is recorded, nothing new begins, and what takes too long is found out about
//! after the next start. And a process that stands still for a while.

use std::time::{Duration, SystemTime};

use chatplug::simulator::{Fault, Times};
use chatplug_tests::deliveries;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::worker::Stage;

impl Stage {
    /// Asks the host to stop, and returns once it knows.
    fn begin_stop(&self) {
        self.send(Signal::TERM);
        self.host.wait_for("the stop to begin", || {
            self.host.log().contains("stopping: no new work").then_some(())
        });
    }

    /// Sends the host's process a signal.
    fn send(&self, signal: Signal) {
        let pid = i32::try_from(self.host.pid()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, signal).expect("the host runs");
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
    assert_eq!(stage.host.states(), ["pending", "pending"]);
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
    assert_eq!(stage.host.states(), ["pending"]);
    stage.livechat.faults().clear();
    stage.expect_done_once(&[&chat]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_whose_answer_comes_while_the_host_stands_still_is_done_once() {
    /// Longer than the host waits for an answer.
    const STILL: Duration = Duration::from_secs(25);
    let stage = Stage::new().await;
    let chat = stage.chat_with_us("Dana");
    stage.livechat.faults().set("send_event", Fault::StallAfterSaving(None), Times::Next(1));
    stage.says(&chat, "work 1").await;
    stage.asked("send_event").await;
    stage.send(Signal::STOP);
    stage.livechat.faults().release();
    let until = SystemTime::now() + STILL;
    stage.host.wait_for("a while", || (SystemTime::now() > until).then_some(()));
    stage.send(Signal::CONT);
    stage.host.wait_until_done(1);
    assert_eq!(stage.host.states(), ["succeeded"]);
    assert_eq!(stage.notes(&chat), ["first work 1", "second work 1 count 1"]);
    assert_eq!(stage.livechat.requests().of_operation("send_event").len(), 2, "one for each note");
    assert!(stage.ledger.entries().iter().all(|entry| entry.times == 1), "{:?}", stage.ledger.entries());
}
