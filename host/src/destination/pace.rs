//! The rate limit: so many requests a second, with a little room for bursts (the generic cell rate algorithm).

use std::time::Duration;

/// The burst that is let through at once is a second's worth, but at least this many.
pub const BURST_MIN: f64 = 5.0;
/// Nobody is told to stay away for longer than this.
const AWAY_MAX: Duration = Duration::from_secs(600);

/// Gives out turns. Time is counted from any fixed moment.
#[derive(Clone, Debug)]
pub struct Pace {
    interval: Duration,
    /// How far turns may run ahead of the interval.
    ahead: Duration,
    /// When the next turn is due if all turns keep the interval.
    due: Duration,
    /// When the last one who was sent away is to come back.
    away: Duration,
}

impl Pace {
    /// `rate` turns a second; it must be positive.
    pub fn new(rate: f64) -> Pace {
        let interval = Duration::from_secs_f64(1.0 / rate);
        let ahead = interval.mul_f64((rate.max(BURST_MIN) - 1.0).floor());
        Pace { interval, ahead, due: Duration::ZERO, away: Duration::ZERO }
    }

    /// Takes the next turn, if it comes within `patience`: how long until then. The error is how long to stay
    /// away; those who are sent away get different times, as far apart as the turns are.
    ///
    /// # Errors
    /// The next turn is too far off.
    pub fn take(&mut self, now: Duration, patience: Duration) -> Result<Duration, Duration> {
        let due = self.due.max(now);
        let turn = due.saturating_sub(self.ahead).max(now);
        if turn - now <= patience {
            self.due = due + self.interval;
            return Ok(turn - now);
        }
        self.away = (self.away.max(turn) + self.interval).min(now + AWAY_MAX.max(turn - now));
        Err(self.away - now)
    }

    /// Another rate from now on. Turns that were given out stay so.
    pub fn set_rate(&mut self, rate: f64, now: Duration) {
        let Pace { due, away, .. } = *self;
        *self = Pace::new(rate);
        // A slow rate's long way ahead must not bind a fast one.
        self.due = due.min(now + self.ahead);
        self.away = away.min(self.due);
    }
}
