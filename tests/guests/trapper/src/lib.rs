//! Panics at each event.

use chatplug_sdk::prelude::*;

struct Trapper;

impl Plugin for Trapper {
    type Settings = ();

    fn manifest() -> Manifest {
        Manifest::new("trapper", "1.0.0", "Panics at each event.").on("chat_rated").on("incoming_event")
    }

    fn handle(event: Event, (): ()) -> Result<(), Failure> {
        panic!("trapped on purpose at {}", event.id)
    }
}

chatplug_sdk::plugin!(Trapper);
