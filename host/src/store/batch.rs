//! How large the batches are in which much work is done on the writer thread.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// How much a batch takes: as many rows as the writer can do in a few milliseconds on this disk. Rows differ, so where it
/// goes through them one by one a batch ends when its time is up, too.
#[derive(Clone, Copy, Debug)]
pub struct BatchSize {
    rows: u32,
    time: Duration,
}

impl BatchSize {
    const MAX: u32 = 1_024;
    /// When a batch ends in any case; far below the 10 ms that a commit may be held up.
    const TIME: Duration = Duration::from_millis(4);
    /// A batch that takes longer is followed by smaller ones.
    const LONG: Duration = Duration::from_millis(5);

    /// So many rows.
    pub fn rows(self) -> u32 {
        self.rows
    }

    /// The time of a batch that is begun.
    pub(super) fn time(self) -> Time {
        Time { most: self.time, began: Cell::new(None) }
    }

    /// The last batch took so long.
    pub fn learn(&mut self, took: Duration) {
        self.rows = if took > Self::LONG {
            (self.rows / 4).max(1)
        } else if took < Self::LONG / 4 {
            (self.rows * 2).min(Self::MAX)
        } else {
            self.rows
        };
    }

    /// So many rows, however long they take.
    #[cfg(test)]
    pub(super) fn of(rows: u32) -> BatchSize {
        BatchSize { rows, time: Duration::MAX }
    }
}

impl Default for BatchSize {
    fn default() -> BatchSize {
        BatchSize { rows: 16, time: BatchSize::TIME }
    }
}

/// The time of one batch.
pub(super) struct Time {
    most: Duration,
    began: Cell<Option<Instant>>,
}

impl Time {
    /// Whether it is up. It begins when this is asked for the first time: each batch does something.
    pub(super) fn is_up(&self) -> bool {
        match self.began.get() {
            Some(began) => began.elapsed() >= self.most,
            None => {
                self.began.set(Some(Instant::now()));
                false
            }
        }
    }

    /// Does something with one after the other until the time is up; answers with how many.
    pub(super) fn each<T>(
        &self,
        all: &[T],
        mut act: impl FnMut(&T) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<usize> {
        for (number, one) in all.iter().enumerate() {
            if self.is_up() {
                return Ok(number);
            }
            act(one)?;
        }
        Ok(all.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn batches_shrink_when_they_take_long_and_grow_when_they_do_not() {
        let check = |rows: u32, took_us: u64, expected: u32| {
            let mut size = BatchSize::of(rows);
            size.learn(Duration::from_micros(took_us));
            assert_eq!(size.rows(), expected, "{rows} rows took {took_us} µs");
        };
        check(16, 100, 32);
        check(16, 3_000, 16);
        check(16, 6_000, 4);
        check(1, 50_000, 1);
        check(BatchSize::MAX, 0, BatchSize::MAX);
    }

    #[test]
    fn a_batch_without_time_does_one_thing() {
        let time = BatchSize { rows: 16, time: Duration::ZERO }.time();
        assert!(!time.is_up());
        assert!(time.is_up());
        let time = BatchSize::of(16).time();
        assert!(!time.is_up() && !time.is_up());
        let each = |size: BatchSize| size.time().each(&["a", "b", "c"], |_| Ok(())).expect("nothing fails");
        assert_eq!(each(BatchSize { rows: 16, time: Duration::ZERO }), 1);
        assert_eq!(each(BatchSize::of(16)), 3);
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
