//! Answers each message that everybody sees, whoever wrote it.

use chatplug_sdk::payload::EventInChat;
use chatplug_sdk::prelude::*;

const NAME: &str = if cfg!(feature = "other") { "other-answerer" } else { "answerer" };

struct Answerer;

impl Plugin for Answerer {
    type Settings = ();

    fn manifest() -> Manifest {
        let manifest = Manifest::new(NAME, "1.0.0", "Answers each message.").on("incoming_event");
        // The other one is also told what it said itself.
        if cfg!(feature = "other") { manifest.with_own_events() } else { manifest }
    }

    fn handle(event: Event, (): ()) -> Result<(), Failure> {
        let said: EventInChat = event.payload_as()?;
        if said.event.message().is_some() && !said.event.is_internal() {
            info!(own = event.own(), "answering {}", said.event.id);
            chats::message(&said.chat_id, format!("{NAME} heard {}", said.event.id)).send()?;
        }
        Ok(())
    }
}

chatplug_sdk::plugin!(Answerer);
