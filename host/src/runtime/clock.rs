//! A guest's time and random numbers. Both are the host's, so that a run can be repeated: the clock stands still
//! but for steps and sleeps, and the random numbers grow from a seed that the journal keeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use wasmtime::component::{HasData, Resource, ResourceTable};
use wasmtime_wasi::p2::bindings::clocks::{monotonic_clock, wall_clock};
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

/// A guest's clock: nanoseconds since 1970.
#[derive(Clone, Debug)]
pub(super) struct Clock(Arc<AtomicU64>);

impl Clock {
    pub(super) fn new(began_ms: i64) -> Clock {
        Clock(Arc::new(AtomicU64::new(nanos(began_ms))))
    }

    /// Moves on to a time; never back.
    pub(super) fn reach(&self, now_ms: i64) {
        self.0.fetch_max(nanos(now_ms), Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The random numbers of a run.
pub(super) fn random(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// A guest's clock with the table that its sleeps stand in.
pub(super) struct ClockView<'a> {
    pub(super) clock: &'a Clock,
    pub(super) table: &'a mut ResourceTable,
}

/// Says how a guest's clock is reached.
pub(super) struct HasClock;

impl HasData for HasClock {
    type Data<'a> = ClockView<'a>;
}

impl wall_clock::Host for ClockView<'_> {
    fn now(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        let now = Duration::from_nanos(self.clock.now());
        Ok(wall_clock::Datetime { seconds: now.as_secs(), nanoseconds: now.subsec_nanos() })
    }

    fn resolution(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        Ok(wall_clock::Datetime { seconds: 0, nanoseconds: 1_000_000 })
    }
}

impl monotonic_clock::Host for ClockView<'_> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.clock.now())
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(1)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.sleep(when.saturating_sub(self.clock.now()))
    }

    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.sleep(duration)
    }
}

impl ClockView<'_> {
    fn sleep(&mut self, nanos: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let until = tokio::time::Instant::now().checked_add(Duration::from_nanos(nanos));
        let wakes_at = self.clock.now().saturating_add(nanos);
        let sleep = self.table.push(Sleep { until, wakes_at, clock: self.clock.clone() })?;
        subscribe(self.table, sleep)
    }
}

/// A sleep: at its end the guest's clock has moved by as much as the guest wanted to sleep, in every run.
struct Sleep {
    /// `None`: too far away to ever come.
    until: Option<tokio::time::Instant>,
    wakes_at: u64,
    clock: Clock,
}

#[wasmtime_wasi::async_trait]
impl Pollable for Sleep {
    async fn ready(&mut self) {
        match self.until {
            // Also where the time is over already: a guest that polls in a loop must let others have their turn.
            Some(until) if until <= tokio::time::Instant::now() => tokio::task::yield_now().await,
            Some(until) => tokio::time::sleep_until(until).await,
            None => std::future::pending().await,
        }
        self.clock.0.fetch_max(self.wakes_at, Ordering::Relaxed);
    }
}

fn nanos(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0).saturating_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_moves_on_and_never_back() {
        let clock = Clock::new(1_000);
        clock.reach(900);
        assert_eq!(clock.now(), 1_000_000_000);
        clock.reach(1_500);
        assert_eq!(clock.now(), 1_500_000_000);
    }

    #[tokio::test]
    async fn a_sleep_moves_the_clock_by_what_was_asked_for() {
        let (clock, mut table) = (Clock::new(1_000), ResourceTable::new());
        let mut sleep = Sleep {
            until: Some(tokio::time::Instant::now()),
            wakes_at: clock.now() + 5_000_000_000,
            clock: clock.clone(),
        };
        assert_eq!(clock.now(), 1_000_000_000, "it stands still until then");
        sleep.ready().await;
        assert_eq!(clock.now(), 6_000_000_000);
        let mut view = ClockView { clock: &clock, table: &mut table };
        assert!(monotonic_clock::Host::subscribe_duration(&mut view, u64::MAX).is_ok());
    }

    #[test]
    fn equal_seeds_give_equal_numbers() {
        use rand::Rng;
        let draw = |seed| random(seed).next_u64();
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }
}
