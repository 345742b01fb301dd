//! Does nothing, as fast as it can.

use chatplug_sdk::prelude::*;

const NAME: &str = if cfg!(feature = "numbered") { "no-op-0000" } else { "no-op" };

struct NoOp;

impl Plugin for NoOp {
    type Settings = ();

    fn manifest() -> Manifest {
        Manifest::new(NAME, "1.0.0", "Does nothing.").on("chat_rated").on("incoming_event")
    }

    fn handle(_: Event, (): ()) -> Result<(), Failure> {
        Ok(())
    }
}

chatplug_sdk::plugin!(NoOp);
