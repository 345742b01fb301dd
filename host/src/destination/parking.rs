//! Parking: a service that refuses our credentials is asked nothing until a probe says that it takes them.

use std::time::Duration;

use super::breaker::doubled;

/// How long until the first probe: perhaps the refusal was a mistake of a moment.
pub const PROBE_SOON: Duration = Duration::from_secs(2);
/// How long from the first probe to the second; each further one comes after twice the time.
pub const PROBE_FIRST: Duration = Duration::from_secs(60);
/// But not later than this.
pub const PROBE_MAX: Duration = Duration::from_secs(900);
/// So many different requests that were refused and may be all that is refused, with no success in between, count as a
/// refusal of the credentials.
pub const FORBIDDEN_IN_A_ROW: usize = 3;
/// The longest that a caller is told to stay away: credentials can be put right at any time.
const AWAY_MAX: Duration = Duration::from_secs(30);
/// How long it takes until a probe, or a call in its place, has said something.
const PROBE_TIME: Duration = Duration::from_secs(1);
/// After this a probe that has said nothing is done again.
const PROBE_PATIENCE: Duration = Duration::from_secs(60);

/// Whether a service takes our credentials.
#[derive(Clone, Debug, Default)]
pub struct Parking {
    parked: Option<Parked>,
    /// Probes and calls that found the credentials refused since they were last taken.
    tries: u32,
    /// The requests that were forbidden since the last success, each once; no more than park it.
    forbidden: Vec<u64>,
    /// Counts parkings: an answer to what was asked before says nothing any more.
    generation: u64,
}

/// A parked destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// Since when.
    pub since: Duration,
    /// What the service said.
    pub reason: String,
    /// When the next probe is due, or has to have said something.
    pub next_probe: Duration,
    /// A probe is under way.
    is_probing: bool,
    /// The probe can't tell: one call may go, and this is how many are under way.
    trying: Option<u32>,
}

/// A call that was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    generation: u64,
    is_probe: bool,
}

/// What a probe says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trial {
    /// The service takes the credentials.
    Works,
    /// It doesn't, or can't be asked: why.
    Fails(String),
    /// There is no request that would show it: the next call of a plugin will.
    CantTell,
}

/// What an answer says about the credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told<'a> {
    /// They were taken.
    Taken,
    /// They were refused: what the service said.
    Refused(&'a str),
    /// They, or this one request, which is known by a number.
    Forbidden(&'a str, u64),
    /// Nothing.
    Nothing,
}

impl Parking {
    /// How it is parked, if it is.
    pub fn parked(&self) -> Option<&Parked> {
        self.parked.as_ref()
    }

    /// How long nothing gets through; `None` if a call may go now.
    pub fn wait(&self, now: Duration) -> Option<Duration> {
        let parked = self.parked.as_ref()?;
        match parked.trying {
            Some(0) => None,
            Some(_) => Some(PROBE_TIME),
            None if parked.is_probing => Some(PROBE_TIME),
            None => Some((parked.next_probe.saturating_sub(now) + PROBE_TIME).min(AWAY_MAX)),
        }
    }

    /// Lets a call through. Only where [`Parking::wait`] has nothing to say.
    pub fn admit(&mut self) -> Ticket {
        let trying = self.parked.as_mut().and_then(|parked| parked.trying.as_mut());
        let is_probe = trying.is_some();
        if let Some(out) = trying {
            *out += 1;
        }
        Ticket { generation: self.generation, is_probe }
    }

    /// Whether nothing has changed since a call was let through.
    pub fn is_current(&self, ticket: Ticket) -> bool {
        ticket.generation == self.generation
    }

    /// Takes in what the answer to a call says; `random` from 0 to 1.
    pub fn told(&mut self, ticket: Ticket, now: Duration, told: Told<'_>, random: f64) {
        if ticket.generation != self.generation {
            return;
        }
        if ticket.is_probe
            && let Some(out) = self.parked.as_mut().and_then(|parked| parked.trying.as_mut())
        {
            *out = out.saturating_sub(1);
        }
        match told {
            Told::Nothing => {}
            Told::Taken => self.taken(),
            Told::Refused(reason) => self.park(now, reason, random),
            Told::Forbidden(reason, request) => {
                if !self.forbidden.contains(&request) {
                    self.forbidden.push(request);
                }
                if ticket.is_probe || self.forbidden.len() >= FORBIDDEN_IN_A_ROW {
                    self.park(now, reason, random);
                }
            }
        }
    }

    /// Whether a probe has to be sent now. If so, one is under way from now on: say what came of it with
    /// [`Parking::probed`].
    pub fn probe(&mut self, now: Duration) -> bool {
        match &mut self.parked {
            Some(parked) if parked.trying.is_none() && parked.next_probe <= now => {
                parked.next_probe = now + PROBE_PATIENCE;
                parked.is_probing = true;
                true
            }
            _ => false,
        }
    }

    /// Takes in what a probe said.
    pub fn probed(&mut self, now: Duration, trial: Trial, random: f64) {
        let Some(parked) = &mut self.parked else { return };
        match trial {
            // Not more than that: if calls are refused all the same, the time until the next probe goes on growing.
            Trial::Works => self.unpark(),
            Trial::Fails(reason) => self.park(now, &reason, random),
            Trial::CantTell => (parked.is_probing, parked.trying) = (false, Some(0)),
        }
    }

    fn park(&mut self, now: Duration, reason: &str, random: f64) {
        let since = self.parked.as_ref().map_or(now, |parked| parked.since);
        let wait = match self.tries {
            0 => PROBE_SOON,
            tries => doubled(PROBE_FIRST, tries - 1, PROBE_MAX),
        };
        let wait = wait.mul_f64(1.0 + 0.1 * random.clamp(0.0, 1.0));
        self.tries = self.tries.saturating_add(1);
        self.forbidden.clear();
        self.generation += 1;
        let (reason, next_probe) = (reason.to_owned(), now + wait);
        self.parked = Some(Parked { since, reason, next_probe, is_probing: false, trying: None });
    }

    fn taken(&mut self) {
        self.tries = 0;
        self.forbidden.clear();
        if self.parked.is_some() {
            self.unpark();
        }
    }

    fn unpark(&mut self) {
        self.parked = None;
        self.generation += 1;
    }
}

impl Parked {
    /// Whether a call may show if the credentials are taken.
    pub fn is_trying(&self) -> bool {
        self.trying.is_some()
    }
}
