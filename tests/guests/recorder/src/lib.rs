//! Remembers each event under `seen/EVENT`, with its type, its payload and the release that saw it.
//! A payload without its typed form is a failure.

use chatplug_sdk::prelude::*;

const RELEASE: &str = if cfg!(feature = "v2") {
    "2.0.0"
} else if cfg!(feature = "panics") {
    "3.0.0"
} else if cfg!(feature = "asks") {
    "4.0.0"
} else {
    "1.0.0"
};
/// What is said of the release: the one that panics does the very same before that.
const SAID: &str = if cfg!(feature = "panics") { "1.0.0" } else { RELEASE };

struct Recorder;

impl Plugin for Recorder {
    type Settings = ();

    fn manifest() -> Manifest {
        [
            "incoming_chat",
            "incoming_event",
            "event_updated",
            "chat_deactivated",
            "chat_rated",
            "chat_transferred",
        ]
        .into_iter()
        .chain(["user_added_to_chat", "user_removed_from_chat", "thread_tagged", "thread_untagged"])
        .chain(["chat_properties_updated", "thread_properties_updated", "routing_status_set"])
        .chain(cfg!(feature = "asks").then_some("agent_created"))
        .fold(Manifest::new("recorder", RELEASE, "Remembers each event."), Manifest::on)
    }

    fn handle(event: Event, (): ()) -> Result<(), Failure> {
        event.payload()?;
        let payload: Value = event.payload_as()?;
        let seen = json!({ "type": event.event_type, "release": SAID, "attempt": event.attempt, "payload": payload });
        memory::set(&format!("seen/{}", event.id), &seen)?;
        if cfg!(feature = "panics") {
            panic!("panicked on purpose at {}", event.id);
        }
        if cfg!(feature = "asks") && event.id.is_empty() {
            chats::tag("C", "T", "never").send()?;
        }
        info!(event = event.id, release = RELEASE, "saw {}", event.event_type);
        Ok(())
    }
}

chatplug_sdk::plugin!(Recorder);
