//! Panics in `describe`.

use chatplug_sdk::prelude::*;

struct DescribeTraps;

impl Plugin for DescribeTraps {
    type Settings = ();

    fn manifest() -> Manifest {
        panic!("no manifest today")
    }

    fn handle(_: Event, (): ()) -> Result<(), Failure> {
        Ok(())
    }
}

chatplug_sdk::plugin!(DescribeTraps);
