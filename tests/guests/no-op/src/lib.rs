//! Does nothing, as fast as it can.

use chatplug_sdk::prelude::*;

struct NoOp;

impl Plugin for NoOp {
    type Settings = ();

    fn manifest() -> Manifest {
        Manifest::new("no-op", "1.0.0", "Does nothing.").on("chat_rated").on("incoming_event")
    }

    fn handle(_: Event, (): ()) -> Result<(), Failure> {
        Ok(())
    }
}

chatplug_sdk::plugin!(NoOp);
