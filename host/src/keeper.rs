//! Keeps the store small: does the jobs of retention in small batches, between the commits of others. And tries how long
//! the disk takes to sync.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use metrics::{Gauge, Histogram};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::heartbeat::Heartbeat;
use crate::measures::Measures;
use crate::store::{BatchSize, Error, Job, Store};

/// How often there is a round.
const EVERY: Duration = Duration::from_secs(60);
/// Every so many rounds the jobs that go through whole tables take part.
const THOROUGH: u64 = 60;
/// Every so many rounds, a day, the store is looked through; for the first time half an hour after the start.
const LOOKED_THROUGH: u64 = 1_440;
const FIRST_LOOK: u64 = 30;
/// How long that may take. A larger store is checked with each backup, which looks at a copy.
const LOOK_TIME: Duration = Duration::from_secs(20);
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
    /// Whether the store was found to be damaged.
    pub damaged: Gauge,
    /// And what is given up.
    pub measures: Arc<Measures>,
}

impl Keeper {
    /// A keeper, before its first round.
    pub fn new(
        store: &Store,
        config: &Arc<ArcSwap<Config>>,
        heartbeat: Arc<Heartbeat>,
        measures: &Arc<Measures>,
    ) -> Keeper {
        let fsync_seconds = measures.histogram("chatplug_store_fsync_seconds");
        let damaged = measures.gauge("chatplug_store_damaged", &[]);
        let (store, config, measures) = (store.clone(), config.clone(), measures.clone());
        Keeper { store, config, heartbeat, fsync_seconds, damaged, measures }
    }

    /// Runs until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        for plugin in self.store.given_up() {
            self.measures.deaths(plugin).increment(1);
        }
        let clock = self.store.clock();
        let hours = clock.now_ms().saturating_sub(clock.trusted_ms()) / 3_600_000;
        if hours > 0 {
            tracing::warn!(
                hours,
                "the clock is that much ahead of when a host was up: retention takes it for right after a day"
            );
        }
        // What was learnt of a job holds in the next round, too.
        let mut jobs = Job::ALL.map(|job| (job, BatchSize::default()));
        let work = async {
            for round in 0_u64.. {
                self.round(&mut jobs, round % THOROUGH == 0).await;
                match self.store.try_sync().await {
                    Ok(took) => self.fsync_seconds.record(took),
                    Err(error) => tracing::warn!(%error, "cannot try how long the disk takes to sync"),
                }
                if round % LOOKED_THROUGH == FIRST_LOOK {
                    self.look_through().await;
                }
                self.heartbeat.wait(EVERY).await;
            }
        };
        // A batch that was sent is done whole, whether somebody waits for it or not.
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
    }

    async fn look_through(&self) {
        match self.store.look_through(LOOK_TIME).await {
            Ok(()) => tracing::debug!("the store was looked through and is whole"),
            Err(error @ Error::Damaged { .. }) => {
                self.damaged.set(1.0);
                tracing::error!(%error, "the store is damaged; webhooks are taken as long as that is possible");
            }
            Err(error) => tracing::info!(%error, "the store could not be looked through to its end"),
        }
    }

    /// Does each job as far as there is something to do.
    async fn round(&self, jobs: &mut [(Job, BatchSize)], is_thorough: bool) {
        for (job, size) in jobs {
            let job = *job;
            if job.is_thorough() && !is_thorough {
                continue;
            }
            loop {
                let keep = self.config.load().retention;
                let now_ms = self.store.clock().trusted_ms();
                match self.store.prune(job, keep, now_ms, *size).await {
                    Ok(pruned) => {
                        for plugin in &pruned.died {
                            self.measures.deaths(plugin).increment(1);
                        }
                        if pruned.is_done {
                            break;
                        }
                        size.learn(pruned.took);
                    }
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
