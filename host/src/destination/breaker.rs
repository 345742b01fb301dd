//! The circuit breaker: a service that fails again and again is left alone for a while.

use std::time::Duration;

use super::window::Window;

/// So many failures in a row open it.
pub const FAILURES_IN_A_ROW: u32 = 10;
/// From so many calls in a minute on, half of them failing open it.
pub const CALLS_IN_A_MINUTE: u64 = 20;
/// How long it stays open the first time; each further time twice as long.
pub const OPEN_FIRST: Duration = Duration::from_secs(30);
/// But not longer than this.
pub const OPEN_MAX: Duration = Duration::from_secs(600);
/// Up to this part of the time is added, so that hosts and destinations don't come back in step.
pub const JITTER: f64 = 0.25;
/// So many calls are let through as probes; if all of them go well, the others follow.
pub const PROBES: u32 = 3;
/// How soon to ask again while the probes are under way.
const PROBES_UNDER_WAY: Duration = Duration::from_secs(1);

/// A circuit breaker. Time is counted from any fixed moment.
#[derive(Clone, Debug)]
pub struct Breaker {
    state: State,
    window: Window,
    in_a_row: u32,
    /// How often it opened since it let everything through.
    openings: u32,
    /// Counts the changes of state: what began in an earlier state says nothing about this one.
    generation: u64,
}

/// What the breaker does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Everything gets through.
    Flowing,
    /// Nothing does.
    Open {
        /// When the trouble began.
        since: Duration,
        /// When the probes begin.
        until: Duration,
        /// The failure that opened it.
        cause: String,
    },
    /// A few calls get through, to see.
    Probing {
        /// When the trouble began.
        since: Duration,
        /// The failure that opened it.
        cause: String,
        /// Probes under way.
        out: u32,
        /// Probes that went well.
        well: u32,
    },
}

/// A call that was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    generation: u64,
}

/// How a call ended, as far as the service's health goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told<'a> {
    /// The service answered.
    Well,
    /// It didn't, or not well: why.
    Failed(&'a str),
    /// The call says nothing about the service.
    Nothing,
}

impl Breaker {
    /// One that lets everything through.
    pub fn new() -> Breaker {
        Breaker { state: State::Flowing, window: Window::new(), in_a_row: 0, openings: 0, generation: 0 }
    }

    /// What it does at `now`.
    pub fn state(&self, now: Duration) -> State {
        match &self.state {
            State::Open { since, until, cause } if *until <= now => {
                State::Probing { since: *since, cause: cause.clone(), out: 0, well: 0 }
            }
            state => state.clone(),
        }
    }

    /// How long nothing gets through; `None` if a call may go now.
    pub fn wait(&self, now: Duration) -> Option<Duration> {
        match &self.state {
            State::Open { until, .. } => until.checked_sub(now).filter(|wait| !wait.is_zero()),
            State::Probing { out, well, .. } if out + well >= PROBES => Some(PROBES_UNDER_WAY),
            State::Flowing | State::Probing { .. } => None,
        }
    }

    /// Lets a call through. Only where [`Breaker::wait`] has nothing to say.
    pub fn admit(&mut self, now: Duration) -> Ticket {
        if let probing @ State::Probing { .. } = self.state(now)
            && matches!(self.state, State::Open { .. })
        {
            self.change(probing);
        }
        if let State::Probing { out, .. } = &mut self.state {
            *out += 1;
        }
        Ticket { generation: self.generation }
    }

    /// Whether nothing has changed since a call was let through.
    pub fn is_current(&self, ticket: Ticket) -> bool {
        ticket.generation == self.generation
    }

    /// Takes in how a call ended; `random` from 0 to 1.
    pub fn told(&mut self, ticket: Ticket, now: Duration, told: Told<'_>, random: f64) {
        if ticket.generation != self.generation {
            return;
        }
        match &mut self.state {
            State::Flowing => self.told_flowing(now, told, random),
            State::Open { .. } => {}
            State::Probing { since, out, well, .. } => {
                *out -= 1;
                match told {
                    Told::Nothing => {}
                    Told::Failed(cause) => {
                        let since = *since;
                        self.open(since, now, cause, random);
                    }
                    Told::Well => {
                        *well += 1;
                        if *well >= PROBES {
                            self.flow();
                        }
                    }
                }
            }
        }
    }

    fn told_flowing(&mut self, now: Duration, told: Told<'_>, random: f64) {
        match told {
            Told::Nothing => {}
            Told::Well => {
                self.in_a_row = 0;
                self.window.add(now, false);
            }
            Told::Failed(cause) => {
                self.in_a_row += 1;
                self.window.add(now, true);
                let (calls, failed) = self.window.sums(now);
                if self.in_a_row >= FAILURES_IN_A_ROW || calls >= CALLS_IN_A_MINUTE && failed * 2 >= calls {
                    self.open(now, now, cause, random);
                }
            }
        }
    }

    fn open(&mut self, since: Duration, now: Duration, cause: &str, random: f64) {
        let open = doubled(OPEN_FIRST, self.openings, OPEN_MAX);
        let until = now + open.mul_f64(1.0 + JITTER * random.clamp(0.0, 1.0));
        self.openings = self.openings.saturating_add(1);
        self.change(State::Open { since, until, cause: cause.to_owned() });
    }

    fn flow(&mut self) {
        *self = Breaker { generation: self.generation, ..Breaker::new() };
        self.change(State::Flowing);
    }

    fn change(&mut self, state: State) {
        self.generation += 1;
        self.state = state;
    }
}

impl Default for Breaker {
    fn default() -> Breaker {
        Breaker::new()
    }
}

/// `first`, doubled so many times, but at most `max`.
pub(super) fn doubled(first: Duration, times: u32, max: Duration) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(times)).min(max)
}
