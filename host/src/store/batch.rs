//! How large the batches are in which much work is done on the writer thread.

use std::time::Duration;

/// How many rows a batch takes: as many as the writer can do in a few milliseconds on this disk.
#[derive(Debug)]
pub struct BatchSize(u32);

impl BatchSize {
    const MAX: u32 = 1_024;
    /// A batch that takes longer is followed by smaller ones; far below the 10 ms that a commit may be held up.
    const LONG: Duration = Duration::from_millis(5);

    /// So many rows.
    pub fn rows(&self) -> u32 {
        self.0
    }

    /// The last batch took so long.
    pub fn learn(&mut self, took: Duration) {
        self.0 = if took > Self::LONG {
            (self.0 / 4).max(1)
        } else if took < Self::LONG / 4 {
            (self.0 * 2).min(Self::MAX)
        } else {
            self.0
        };
    }
}

impl Default for BatchSize {
    fn default() -> BatchSize {
        BatchSize(16)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn batches_shrink_when_they_take_long_and_grow_when_they_do_not() {
        let check = |rows: u32, took_us: u64, expected: u32| {
            let mut size = BatchSize(rows);
            size.learn(Duration::from_micros(took_us));
            assert_eq!(size.rows(), expected, "{rows} rows took {took_us} µs");
        };
        check(16, 100, 32);
        check(16, 3_000, 16);
        check(16, 6_000, 4);
        check(1, 50_000, 1);
        check(BatchSize::MAX, 0, BatchSize::MAX);
    }

    proptest! {
        #[test]
        fn on_any_disk_few_batches_are_too_long(row_us in 1_u64..5_000) {
            let mut size = BatchSize::default();
            let mut long = 0;
            for _ in 0..50 {
                let took = Duration::from_micros(row_us * u64::from(size.rows()));
                long += u32::from(took > Duration::from_millis(10) && size.rows() > 1);
                size.learn(took);
            }
            // Until it has learnt.
            prop_assert!(long <= 2, "{long} batches of 50 at {row_us} µs a row");
        }
    }
}
