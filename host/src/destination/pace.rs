//! The rate limit: so many requests a second, with a little room for bursts (the generic cell rate algorithm).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::tally::{OTHERS, PLUGINS_MAX};

/// The burst that is let through at once is a second's worth, but at least this many.
pub const BURST_MIN: f64 = 5.0;
/// Nobody is told to stay away for longer than this.
const AWAY_MAX: Duration = Duration::from_secs(600);

/// Gives out turns. Time is counted from any fixed moment.
///
/// Who finds none is sent away, behind what its own plugin had sent away, not behind what others had. Turns aren't kept
/// for those who are away: a plugin that comes with little finds one soon, however much another one waits with.
#[derive(Clone, Debug)]
pub struct Pace {
    interval: Duration,
    /// How far turns may run ahead of the interval.
    ahead: Duration,
    /// When the next turn is due if all turns keep the interval.
    due: Duration,
    /// When the last call of each plugin that was sent away is to come back, if that is still to come.
    away: BTreeMap<Arc<str>, Duration>,
}

impl Pace {
    /// `rate` turns a second; it must be positive.
    pub fn new(rate: f64) -> Pace {
        let interval = Duration::from_secs_f64(1.0 / rate);
        let ahead = interval.mul_f64((rate.max(BURST_MIN) - 1.0).floor());
        Pace { interval, ahead, due: Duration::ZERO, away: BTreeMap::new() }
    }

    /// Takes the next turn for a plugin, if it comes within `patience`: how long until then. The error is how long to
    /// stay away. The calls of a plugin that are sent away get different times: as far apart as its share of the turns,
    /// which it has with all plugins that wait.
    ///
    /// # Errors
    /// The next turn is too far off.
    pub fn take(&mut self, plugin: &str, now: Duration, patience: Duration) -> Result<Duration, Duration> {
        let due = self.due.max(now);
        let turn = due.saturating_sub(self.ahead).max(now);
        if turn - now <= patience {
            self.due = due + self.interval;
            return Ok(turn - now);
        }
        self.away.retain(|_, back| *back > now);
        let is_known = self.away.contains_key(plugin) || self.away.len() < PLUGINS_MAX;
        let plugin = if is_known { plugin } else { OTHERS };
        let latest = now + AWAY_MAX.max(turn - now);
        let waiting = self.away.len() + usize::from(!self.away.contains_key(plugin));
        let back = self.away.entry(Arc::from(plugin)).or_insert(turn);
        *back = ((*back).max(turn) + self.interval.mul_f64(waiting as f64)).min(latest);
        Err(*back - now)
    }

    /// How many plugins are remembered that have calls away.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.away.len()
    }

    /// Another rate from now on. Turns that were given out stay so.
    pub fn set_rate(&mut self, rate: f64, now: Duration) {
        let due = self.due;
        *self = Pace::new(rate);
        // A slow rate's long way ahead must not bind a fast one.
        self.due = due.min(now + self.ahead);
    }
}
