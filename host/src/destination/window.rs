//! How the calls of the last minute ended, counted by the second.

use std::time::Duration;

const SECONDS: usize = 60;

/// The calls that ended within the last 60 seconds, the running second included.
#[derive(Clone, Debug)]
pub(super) struct Window {
    seconds: [Second; SECONDS],
}

#[derive(Clone, Copy, Debug, Default)]
struct Second {
    number: u64,
    well: u32,
    failed: u32,
}

impl Window {
    pub(super) fn new() -> Window {
        Window { seconds: [Second::default(); SECONDS] }
    }

    pub(super) fn add(&mut self, now: Duration, failed: bool) {
        let number = now.as_secs();
        let slot = &mut self.seconds[number as usize % SECONDS];
        if slot.number != number {
            *slot = Second { number, well: 0, failed: 0 };
        }
        match failed {
            true => slot.failed = slot.failed.saturating_add(1),
            false => slot.well = slot.well.saturating_add(1),
        }
    }

    /// How many calls ended, and how many of them failed.
    pub(super) fn sums(&self, now: Duration) -> (u64, u64) {
        let second = now.as_secs();
        let live = self.seconds.iter().filter(|slot| slot.number + SECONDS as u64 > second);
        live.fold((0, 0), |(all, failed), slot| {
            (all + u64::from(slot.well) + u64::from(slot.failed), failed + u64::from(slot.failed))
        })
    }
}
