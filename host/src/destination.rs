//! What the host knows of a destination (the LiveChat API, or a connection): whether it may be asked now.
//!
//! [`Gate`] puts together what may stand in the way of a call: credentials that are refused ([`Parking`]), a
//! wait that the service asked for, too many failures ([`Breaker`]), too many calls at the same time, too many
//! in a second ([`Pace`]). Time is counted from any fixed moment, by a clock that doesn't jump.

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub mod breaker;
pub mod pace;
pub mod parking;
pub mod reads;
pub mod tally;
#[cfg(test)]
mod tests;
mod window;

use breaker::Breaker;
use pace::Pace;
use parking::Parking;

/// The longest wait that a service's word makes.
pub const PAUSE_MAX: Duration = crate::action::retry_after::RETRY_AFTER_MAX;
/// The wait after "too many requests" without a time; doubled each further time in a row.
const BUSY_FIRST: Duration = Duration::from_secs(2);
const BUSY_MAX: Duration = Duration::from_secs(60);
/// How soon to come back where all places are taken.
const FULL: Duration = Duration::from_secs(1);

/// What the operator lets a destination be asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// Calls at the same time.
    pub concurrency: usize,
    /// Calls a second, in the long run. A call to LiveChat may take several requests.
    pub rate: f64,
}

/// Whether a destination may be asked, and why not.
#[derive(Clone, Debug)]
pub struct Gate {
    terms: Terms,
    pace: Pace,
    breaker: Breaker,
    parking: Parking,
    pause: Option<Pause>,
    /// Answers "too many requests" without a time, in a row.
    busy: u32,
    in_flight: usize,
    counts: Counts,
    /// When it last began to take everything.
    working_since: Duration,
    /// Counts the renewals: what was asked before says nothing about what stands there now.
    renewals: u64,
}

#[derive(Clone, Debug)]
struct Pause {
    since: Duration,
    until: Duration,
    reason: String,
}

/// What became of a destination's calls since the host started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Calls that were made.
    pub calls: u64,
    /// Of these, calls that the service failed: without an answer, or with one that tells of its own trouble.
    pub failures: u64,
    /// Of these, calls that were answered with "not now".
    pub put_off: u64,
    /// Of these, calls whose credentials were refused.
    pub refused: u64,
    /// Calls that were not made, because the destination took nothing.
    pub turned_away: u64,
}

/// What a call is answered that wants to go.
#[derive(Debug, PartialEq)]
pub enum Admission {
    /// Go after this time. Say what became of it with [`Gate::told`], in any case.
    Go(Pass, Duration),
    /// All places are taken: ask again when one is free.
    Full,
    /// Not now.
    Closed {
        /// Why, for people; goes on after the destination's name.
        reason: String,
        /// How long until it may be asked again.
        wait: Duration,
    },
}

/// A call that may go.
#[derive(Debug, PartialEq, Eq)]
pub struct Pass {
    renewals: u64,
    breaker: breaker::Ticket,
    parking: parking::Ticket,
}

/// What the end of a call says about the destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// It answered.
    Well,
    /// It did not answer, or told of trouble of its own; perhaps with a time before which it wants to be left alone.
    Failed(String, Option<Duration>),
    /// It asks to be left alone for a time, if it says how long.
    Wait(Option<Duration>),
    /// It refuses our credentials.
    Refused(String),
    /// It refuses our credentials, or just this request, which is known by a number.
    Forbidden(String, u64),
    /// Nothing: the call was not made.
    Nothing,
}

/// Where a destination stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It takes calls.
    Working,
    /// It asked to be left alone.
    Paused,
    /// It failed too often: the circuit breaker is open.
    Open,
    /// It failed too often, and a few calls try whether it is well again.
    Probing,
    /// It refuses our credentials.
    Parked,
}

impl Standing {
    /// The word in listings and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Working => "working",
            Standing::Paused => "paused",
            Standing::Open => "open",
            Standing::Probing => "probing",
            Standing::Parked => "parked",
        }
    }
}

/// A destination as it is at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// Where it stands.
    pub standing: Standing,
    /// Why; empty if it works.
    pub cause: String,
    /// Since when.
    pub since: Duration,
    /// When it is asked again; `None` if it works, or may be asked.
    pub until: Option<Duration>,
    /// Calls under way.
    pub in_flight: usize,
    /// What became of its calls.
    pub counts: Counts,
    /// What it may be asked.
    pub terms: Terms,
}

impl Gate {
    /// A destination of which nothing is known yet.
    pub fn new(terms: Terms, now: Duration) -> Gate {
        Gate {
            terms,
            pace: Pace::new(terms.rate),
            breaker: Breaker::new(),
            parking: Parking::default(),
            pause: None,
            busy: 0,
            in_flight: 0,
            counts: Counts::default(),
            working_since: now,
            renewals: 0,
        }
    }

    /// Other terms from now on.
    pub fn set_terms(&mut self, terms: Terms, now: Duration) {
        if terms != self.terms {
            self.pace.set_rate(terms.rate, now);
            self.terms = terms;
        }
    }

    /// Forgets what was known of the service: another address, or other credentials.
    pub fn renew(&mut self, now: Duration) {
        let fresh = Gate::new(self.terms, now);
        let (in_flight, counts, renewals) = (self.in_flight, self.counts, self.renewals + 1);
        *self = Gate { pace: self.pace.clone(), in_flight, counts, renewals, ..fresh };
    }

    /// Why a call is not let through at `now`, and for how long; counts it as turned away. `None` if it may ask.
    pub fn turned_away(&mut self, now: Duration) -> Option<(String, Duration)> {
        let closed = self.closed(now)?;
        self.counts.turned_away += 1;
        Some(closed)
    }

    /// Whether a plugin's call may go now, or within `patience`.
    pub fn ask(&mut self, plugin: &str, now: Duration, patience: Duration) -> Admission {
        if let Some((reason, wait)) = self.turned_away(now) {
            return Admission::Closed { reason, wait };
        }
        if self.in_flight >= self.terms.concurrency {
            return Admission::Full;
        }
        match self.pace.take(plugin, now, patience) {
            Err(wait) => {
                let reason =
                    format!("gets as many requests as its `rate` allows, {} a second", self.terms.rate);
                self.turn_away(reason, wait)
            }
            Ok(after) => {
                self.in_flight += 1;
                let (breaker, parking) = (self.breaker.admit(now), self.parking.admit());
                Admission::Go(Pass { renewals: self.renewals, breaker, parking }, after)
            }
        }
    }

    /// Gives up waiting for a place: why, and for how long to stay away.
    pub fn give_up(&mut self) -> (String, Duration) {
        let reason = format!(
            "has as many requests under way as its `concurrency` allows, {}, and none of them ends",
            self.terms.concurrency
        );
        self.counts.turned_away += 1;
        (reason, FULL)
    }

    /// Whether a call that had to wait after it was let through must not go after all.
    pub fn is_void(&self, pass: &Pass, now: Duration) -> bool {
        pass.renewals != self.renewals
            || self.pause_at(now).is_some()
            || !self.breaker.is_current(pass.breaker)
            || !self.parking.is_current(pass.parking)
    }

    /// Takes in what became of a call; `random` from 0 to 1.
    pub fn told(&mut self, pass: Pass, now: Duration, signal: &Signal, random: f64) {
        self.in_flight -= 1;
        self.count(signal);
        if pass.renewals != self.renewals {
            return;
        }
        let was_working = self.standing(now) == Standing::Working;
        match signal {
            Signal::Well => self.busy = 0,
            Signal::Failed(cause, Some(wait)) => {
                self.pause(now, *wait, &format!("asks to be left alone ({cause})"));
            }
            Signal::Wait(Some(wait)) => self.pause(now, *wait, "asks to be left alone"),
            Signal::Wait(None) => {
                let wait = breaker::doubled(BUSY_FIRST, self.busy, BUSY_MAX);
                self.busy = self.busy.saturating_add(1);
                self.pause(now, wait, "gets too many requests, by its own word");
            }
            _ => {}
        }
        let health = match signal {
            Signal::Failed(cause, _) => breaker::Told::Failed(cause),
            Signal::Nothing => breaker::Told::Nothing,
            _ => breaker::Told::Well,
        };
        self.breaker.told(pass.breaker, now, health, random);
        let credentials = match signal {
            Signal::Well => parking::Told::Taken,
            Signal::Refused(reason) => parking::Told::Refused(reason),
            Signal::Forbidden(reason, request) => parking::Told::Forbidden(reason, *request),
            Signal::Failed(..) | Signal::Wait(_) | Signal::Nothing => parking::Told::Nothing,
        };
        self.parking.told(pass.parking, now, credentials, random);
        if !was_working && self.standing(now) == Standing::Working {
            self.working_since = now;
        }
    }

    /// Whether the credentials have to be probed now; if so, say what came of it with [`Gate::probed`].
    pub fn probe(&mut self, now: Duration) -> bool {
        self.parking.probe(now)
    }

    /// Takes in what a probe of the credentials said; `random` from 0 to 1.
    pub fn probed(&mut self, now: Duration, trial: parking::Trial, random: f64) {
        let was_working = self.standing(now) == Standing::Working;
        self.parking.probed(now, trial, random);
        if !was_working && self.standing(now) == Standing::Working {
            self.working_since = now;
        }
    }

    /// How it is at `now`.
    pub fn look(&self, now: Duration) -> Look {
        let (standing, cause, since, until) = self.stands(now);
        let Gate { in_flight, counts, terms, .. } = *self;
        Look { standing, cause, since, until, in_flight, counts, terms }
    }

    fn standing(&self, now: Duration) -> Standing {
        self.stands(now).0
    }

    fn stands(&self, now: Duration) -> (Standing, String, Duration, Option<Duration>) {
        if let Some(parked) = self.parking.parked() {
            let until = (!parked.is_trying()).then_some(parked.next_probe);
            return (Standing::Parked, parked.reason.clone(), parked.since, until);
        }
        if let Some(pause) = self.pause_at(now) {
            return (Standing::Paused, pause.reason.clone(), pause.since, Some(pause.until));
        }
        match self.breaker.state(now) {
            breaker::State::Open { since, until, cause } => (Standing::Open, cause, since, Some(until)),
            breaker::State::Probing { since, cause, .. } => (Standing::Probing, cause, since, None),
            breaker::State::Flowing => {
                let paused_until = self.pause.as_ref().map_or(Duration::ZERO, |pause| pause.until);
                (Standing::Working, String::new(), self.working_since.max(paused_until), None)
            }
        }
    }

    /// Why nothing may go at `now`, and for how long; `None` if a call may ask for its turn.
    pub fn closed(&self, now: Duration) -> Option<(String, Duration)> {
        if let Some(wait) = self.parking.wait(now) {
            let reason = self.parking.parked().map_or("", |parked| &parked.reason);
            return Some((format!("is parked, because it refuses our credentials: {reason}"), wait));
        }
        if let Some(pause) = self.pause_at(now) {
            return Some((pause.reason.clone(), pause.until - now));
        }
        let wait = self.breaker.wait(now)?;
        let cause = match self.breaker.state(now) {
            breaker::State::Open { cause, .. } | breaker::State::Probing { cause, .. } => cause,
            breaker::State::Flowing => String::new(),
        };
        Some((format!("is left alone for a while, because it failed again and again: {cause}"), wait))
    }

    fn pause_at(&self, now: Duration) -> Option<&Pause> {
        self.pause.as_ref().filter(|pause| now < pause.until)
    }

    /// Waits are never cut short: not by a later one, and not by an answer to what was asked before.
    fn pause(&mut self, now: Duration, wait: Duration, reason: &str) {
        let until = now + wait.min(PAUSE_MAX);
        let running = self.pause_at(now);
        let since = running.map_or(now, |pause| pause.since);
        if running.is_none_or(|pause| pause.until < until) {
            self.pause = Some(Pause { since, until, reason: reason.to_owned() });
        }
    }

    fn turn_away(&mut self, reason: String, wait: Duration) -> Admission {
        self.counts.turned_away += 1;
        Admission::Closed { reason, wait }
    }

    fn count(&mut self, signal: &Signal) {
        let Counts { calls, failures, put_off, refused, .. } = &mut self.counts;
        *calls += u64::from(*signal != Signal::Nothing);
        match signal {
            Signal::Failed(..) => *failures += 1,
            Signal::Wait(_) => *put_off += 1,
            Signal::Refused(_) | Signal::Forbidden(..) => *refused += 1,
            Signal::Well | Signal::Nothing => {}
        }
    }
}
