//! Keeps the store small: does the jobs of retention in small batches, between the commits of others. And tries how long
//! the disk takes to sync.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use metrics::Histogram;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::heartbeat::Heartbeat;
use crate::measures::Measures;
use crate::store::{Job, Store};

/// How often there is a round.
const EVERY: Duration = Duration::from_secs(60);
/// Every so many rounds the jobs that go through whole tables take part.
const THOROUGH: u64 = 60;
/// Between two batches: the writer has others to serve.
const PAUSE: Duration = Duration::from_millis(20);

/// What retention works with.
pub struct Keeper {
    /// What is kept small.
    pub store: Store,
    /// How long to keep what.
    pub config: Arc<ArcSwap<Config>>,
    /// Beats as long as there are rounds.
    pub heartbeat: Arc<Heartbeat>,
    /// Where it is recorded how long the disk takes to sync.
    pub fsync_seconds: Histogram,
}

impl Keeper {
    /// A keeper, before its first round.
    pub fn new(
        store: &Store,
        config: &Arc<ArcSwap<Config>>,
        heartbeat: Arc<Heartbeat>,
        measures: &Measures,
    ) -> Keeper {
        let fsync_seconds = measures.histogram("chatplug_store_fsync_seconds");
        Keeper { store: store.clone(), config: config.clone(), heartbeat, fsync_seconds }
    }

    /// Runs until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let work = async {
            for round in 0_u64.. {
                self.round(round % THOROUGH == 0).await;
                match self.store.try_sync().await {
                    Ok(took) => self.fsync_seconds.record(took),
                    Err(error) => tracing::warn!(%error, "cannot try how long the disk takes to sync"),
                }
                self.heartbeat.beat();
                tokio::time::sleep(EVERY).await;
            }
        };
        // A batch that was sent is done whole, whether somebody waits for it or not.
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
    }

    async fn round(&self, is_thorough: bool) {
        for job in Job::ALL.into_iter().filter(|job| is_thorough || !job.is_thorough()) {
            let mut size = Size::default();
            loop {
                let keep = self.config.load().retention;
                let now_ms = self.store.clock().now_ms();
                match self.store.prune(job, keep, now_ms, size.rows()).await {
                    Ok(pruned) if pruned.is_done => break,
                    Ok(pruned) => size.learn(pruned.took),
                    Err(error) => {
                        tracing::warn!(%error, ?job, "retention could not go on; it tries again in a minute");
                        break;
                    }
                }
                self.heartbeat.beat();
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// How many rows a batch takes: as many as the writer can do in a few milliseconds on this disk.
#[derive(Debug)]
struct Size(u32);

impl Size {
    const MAX: u32 = 1_024;
    /// A batch that takes longer is followed by smaller ones; far below the 10 ms that a commit may be held up.
    const LONG: Duration = Duration::from_millis(5);

    fn rows(&self) -> u32 {
        self.0
    }

    fn learn(&mut self, took: Duration) {
        self.0 = if took > Self::LONG {
            (self.0 / 4).max(1)
        } else if took < Self::LONG / 4 {
            (self.0 * 2).min(Self::MAX)
        } else {
            self.0
        };
    }
}

impl Default for Size {
    fn default() -> Size {
        Size(16)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn batches_shrink_when_they_take_long_and_grow_when_they_do_not() {
        let check = |rows: u32, took_us: u64, expected: u32| {
            let mut size = Size(rows);
            size.learn(Duration::from_micros(took_us));
            assert_eq!(size.rows(), expected, "{rows} rows took {took_us} µs");
        };
        check(16, 100, 32);
        check(16, 3_000, 16);
        check(16, 6_000, 4);
        check(1, 50_000, 1);
        check(Size::MAX, 0, Size::MAX);
    }

    proptest! {
        #[test]
        fn on_any_disk_few_batches_are_too_long(row_us in 1_u64..5_000) {
            let mut size = Size::default();
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
