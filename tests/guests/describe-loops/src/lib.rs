//! Never returns from `describe`.

use chatplug_sdk::prelude::*;

struct DescribeLoops;

impl Plugin for DescribeLoops {
    type Settings = ();

    fn manifest() -> Manifest {
        loop {
            std::hint::black_box(0);
        }
    }

    fn handle(_: Event, (): ()) -> Result<(), Failure> {
        Ok(())
    }
}

chatplug_sdk::plugin!(DescribeLoops);
