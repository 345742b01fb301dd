//! The machine's clock is set while a retry waits: it doesn't run early, and isn't lost.

use std::time::Duration;

use chatplug::simulator::{Fault, Times};
use chatplug_tests::deliveries;
use chatplug_tests::disk::Disk;
use jiff::Timestamp;
use serde_json::Value;

use crate::worker::Stage;

const HOUR: i64 = 3_600;
/// For what takes more than a minute: a host goes by another time when that has lasted for so long.
const PATIENCE_FOR_A_MINUTE: Duration = Duration::from_secs(180);
/// A wait that begins in this test and doesn't end in it.
const LONG: i64 = 1_200;
/// A little more than the time until the host goes by the new time.
const SHORT: i64 = 80;

/// A host with a note that waits, because LiveChat asked for it.
struct Waiting {
    stage: Stage,
    disk: Disk,
    chat: String,
}

impl Waiting {
    async fn begin(seconds: i64) -> Waiting {
        let (stage, disk) = Stage::on_disk(1).await;
        let busy = Fault::TooManyRequests { retry_after: Some(seconds.to_string()) };
        stage.livechat.faults().set("send_event", busy, Times::Next(1));
        let chat = stage.chat_with_us("Dana");
        stage.says(&chat, "work 1").await;
        let waits = |one: &Value| one["state"] == "pending" && one["outcome"] == "suspended";
        stage
            .host
            .wait_for_events("the note to wait", |events| events.iter().flat_map(deliveries).any(waits));
        Waiting { stage, disk, chat }
    }

    /// Waits until the host has done something else.
    async fn goes_on(&self, customer: &str) {
        self.stage.says(&self.stage.chat(customer), "nothing to do").await;
        self.stage.host.wait_for_events("another delivery", |events| {
            events.last().is_some_and(|event| deliveries(event).all(|one| one["state"] == "succeeded"))
        });
    }

    /// Waits until the host goes by the time that the machine's clock was set to.
    fn follows(&self) {
        self.stage.host.wait_within(PATIENCE_FOR_A_MINUTE, "the host to go by the new time", || {
            self.stage.host.log().contains("the machine's clock was set").then_some(())
        });
    }

    /// When the note is due, as `events list` shows it.
    fn due(&self) -> Timestamp {
        let events = self.stage.host.events();
        let first = deliveries(&events[0]).next().expect("a delivery");
        assert_eq!(first["state"], "pending", "{first:#}");
        first["due_at"].as_str().and_then(|text| text.parse().ok()).expect("what is pending is due at a time")
    }
}

/// Both stories in one: each has to wait for more than a minute.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_neither_fires_a_retry_nor_loses_it() {
    let (long, short) = (Waiting::begin(LONG).await, Waiting::begin(SHORT).await);
    let due = long.due();
    long.disk.set_clock(HOUR);
    short.disk.set_clock(-HOUR);
    // A run would have to wait anew, by a part of the wait that is drawn: it would be due at another time.
    long.goes_on("Omar").await;
    assert_eq!(long.due(), due, "by the machine's clock it is due for long");
    long.follows();
    short.follows();
    long.goes_on("Ines").await;
    let carried = long.due().duration_since(due).as_secs();
    assert!(
        (carried - HOUR).abs() <= 2,
        "it was due {due}, and then {carried} s later: more or less was left of its wait"
    );

    // By the clock that was set back it would be due in more than an hour.
    short.stage.host.wait_within(PATIENCE_FOR_A_MINUTE, "the note after its wait", || {
        (short.stage.host.states() == ["succeeded"]).then_some(())
    });
    assert_eq!(short.stage.notes(&short.chat), ["first work 1", "second work 1 count 1"]);
}
