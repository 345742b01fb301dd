//! One destination: its gate with a lock and a clock, and the calls that wait before it.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::Histogram;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::{Clock, Services, State, closed};
use crate::action::Failure;
use crate::destination::parking::Trial;
use crate::destination::{Admission, Gate, Pass, Signal, Standing, Terms};

/// A call that is given up after this time without an answer counts as one that the service failed.
const STALLED: Duration = Duration::from_secs(10);

const SPREAD_MAX: Duration = Duration::from_secs(3);

/// A destination.
pub(super) struct Place {
    name: String,
    gate: Mutex<Noted>,
    /// A call has ended.
    freed: Notify,
    clock: Arc<Clock>,
    patience: Duration,
    wait_seconds: Histogram,
    changed: watch::Sender<()>,
}

struct Noted {
    gate: Gate,
    /// The state that was told last.
    told: Standing,
}

/// A call under way. Counts as under way until [`Call::ended`], or until it is dropped.
pub(super) struct Call {
    place: Arc<Place>,
    pass: Option<Pass>,
    began: Duration,
}

impl Place {
    pub(super) fn new(name: &str, terms: Terms, services: &Services, changed: watch::Sender<()>) -> Place {
        let gate = Noted { gate: Gate::new(terms, (services.clock)()), told: Standing::Working };
        Place {
            name: name.to_owned(),
            gate: Mutex::new(gate),
            freed: Notify::new(),
            clock: services.clock.clone(),
            patience: services.patience,
            wait_seconds: services.wait_seconds.clone(),
            changed,
        }
    }

    pub(super) fn change(&self, terms: Terms, is_renewed: bool) {
        self.with(|gate, now| {
            gate.set_terms(terms, now);
            if is_renewed {
                gate.renew(now);
            }
        });
        self.freed.notify_waiters();
    }

    /// Whether a call would be let through, as far as it can be said without a call.
    ///
    /// # Errors
    /// `Closed` if not, with why and for how long.
    pub(super) fn ready(&self) -> Result<(), Failure> {
        match self.with(Gate::turned_away) {
            Some((reason, wait)) => Err(closed(&self.name, &reason, spread(wait))),
            None => Ok(()),
        }
    }

    /// Waits for a turn of a plugin's, but not long.
    ///
    /// # Errors
    /// `Closed` if there is none, with why and for how long.
    pub(super) async fn enter(self: &Arc<Self>, plugin: &str) -> Result<Call, Failure> {
        let began = Instant::now();
        let entered = self.wait(plugin).await;
        self.wait_seconds.record(began.elapsed());
        entered
    }

    async fn wait(self: &Arc<Self>, plugin: &str) -> Result<Call, Failure> {
        let until = Instant::now() + self.patience;
        loop {
            let mut freed = pin!(self.freed.notified());
            // From here on: a place that becomes free before the wait begins must not be missed.
            freed.as_mut().enable();
            let patience = until.duration_since(Instant::now());
            match self.with(|gate, now| gate.ask(plugin, now, patience)) {
                Admission::Closed { reason, wait } => {
                    return Err(closed(&self.name, &reason, spread(wait)));
                }
                Admission::Full => {
                    if tokio::time::timeout_at(until, freed).await.is_err() {
                        return Err(self.give_up());
                    }
                }
                Admission::Go(pass, after) => {
                    let mut call = Call { place: self.clone(), pass: Some(pass), began: (self.clock)() };
                    if after.is_zero() {
                        return Ok(call);
                    }
                    tokio::time::sleep(after).await;
                    call.began = (self.clock)();
                    if !call.is_void() {
                        return Ok(call);
                    }
                }
            }
        }
    }

    fn give_up(&self) -> Failure {
        let (reason, wait) = self.with(|gate, _| gate.give_up());
        closed(&self.name, &reason, spread(wait))
    }

    /// The answer to a caller whose call has ended. Where the service put it off or refused our credentials,
    /// nothing has happened there: it is as if the call had not been let through.
    pub(super) fn settle<T>(
        &self,
        call: Call,
        signal: &Signal,
        answer: Result<T, Failure>,
    ) -> Result<T, Failure> {
        call.ended(signal);
        match (signal, &answer) {
            (_, Err(Failure::Doubt(_))) => answer,
            (Signal::Wait(_) | Signal::Refused(_), _) => Err(self.put_off()),
            _ => answer,
        }
    }

    fn put_off(&self) -> Failure {
        let closing = self.with(|gate, now| gate.closed(now));
        let (reason, wait) =
            closing.unwrap_or_else(|| ("asked to come back later".to_owned(), Duration::from_secs(1)));
        closed(&self.name, &reason, spread(wait))
    }

    pub(super) fn state(&self, now_ms: i64) -> State {
        let (look, now) = self.with(|gate, now| (gate.look(now), now));
        let wall = |at: Duration| now_ms + millis(at) - millis(now);
        State {
            name: self.name.clone(),
            state: look.standing,
            cause: look.cause,
            since_ms: wall(look.since),
            until_ms: look.until.map(wall),
            in_flight: look.in_flight,
            counts: look.counts,
            concurrency: look.terms.concurrency,
            rate: look.terms.rate,
        }
    }

    /// Tells of a change that time has made.
    pub(super) fn notice(&self) {
        self.with(|_, _| ());
    }

    pub(super) fn is_probe_due(&self) -> bool {
        self.with(|gate, now| gate.probe(now))
    }

    pub(super) fn probed(&self, trial: Trial) {
        self.with(|gate, now| gate.probed(now, trial, random()));
    }

    /// Does something to the gate, and tells if it stands elsewhere then.
    fn with<T>(&self, act: impl FnOnce(&mut Gate, Duration) -> T) -> T {
        let now = (self.clock)();
        let mut noted = self.noted();
        let result = act(&mut noted.gate, now);
        let look = noted.gate.look(now);
        if look.standing != noted.told {
            noted.told = look.standing;
            tell(&self.name, look.standing, &look.cause);
            self.changed.send_replace(());
        }
        result
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call {
    /// Says what its end tells of the destination.
    fn ended(mut self, signal: &Signal) {
        self.end(signal);
    }

    fn is_void(&self) -> bool {
        let pass = self.pass.as_ref();
        self.place.with(|gate, now| pass.is_none_or(|pass| gate.is_void(pass, now)))
    }

    fn end(&mut self, signal: &Signal) {
        if let Some(pass) = self.pass.take() {
            self.place.with(|gate, now| gate.told(pass, now, signal, random()));
            self.place.freed.notify_one();
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let stalled = (self.place.clock)().saturating_sub(self.began) >= STALLED;
        self.end(&match stalled {
            true => Signal::Failed("it did not answer as long as the plugin waited".to_owned(), None),
            false => Signal::Nothing,
        });
    }
}

fn tell(destination: &str, standing: Standing, cause: &str) {
    let state = standing.as_str();
    match standing {
        Standing::Working => tracing::info!(destination, state, "{destination} takes calls again"),
        Standing::Probing => tracing::info!(destination, state, "{destination} is tried with a few calls"),
        Standing::Paused => {
            tracing::warn!(destination, state, "{destination} is not asked for a while: it {cause}")
        }
        Standing::Open => tracing::warn!(
            destination,
            state,
            cause,
            "{destination} failed again and again: it is left alone for a while, and what needs it waits"
        ),
        Standing::Parked => tracing::error!(
            destination,
            state,
            cause,
            "{destination} refuses our credentials: what needs it waits until they are put right in the config, or \
             are taken again"
        ),
    }
}

/// A wait that is longer by a random time: all who were sent away would else come back at the same moment, where a few
/// are let through and the others are sent away once more.
fn spread(wait: Duration) -> Duration {
    wait + wait.min(SPREAD_MAX).mul_f64(random())
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 2)
}

/// From 0 to 1; only for jitter.
fn random() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(()) as f64 / u64::MAX as f64
}
