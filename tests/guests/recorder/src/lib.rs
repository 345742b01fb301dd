//! Remembers each event under `seen/EVENT`, with its type, its payload and the release that saw it.
//! A payload without its typed form is a failure.

use chatplug_sdk::prelude::*;

const RELEASE: &str = if cfg!(feature = "v2") { "2.0.0" } else { "1.0.0" };

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
        .fold(Manifest::new("recorder", RELEASE, "Remembers each event."), Manifest::on)
    }

    fn handle(event: Event, (): ()) -> Result<(), Failure> {
        event.payload()?;
        let payload: Value = event.payload_as()?;
        let seen = json!({ "type": event.event_type, "release": RELEASE, "attempt": event.attempt, "payload": payload });
        memory::set(&format!("seen/{}", event.id), &seen)?;
        info!(event = event.id, release = RELEASE, "saw {}", event.event_type);
        Ok(())
    }
}

chatplug_sdk::plugin!(Recorder);
