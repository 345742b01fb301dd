//! The one place through which runs ask LiveChat and the connections. It keeps to each destination's limits,
//! leaves a destination alone that is in trouble or refuses our credentials, and shares reads of the same chat.
//!
//! What may be asked when is decided by values (`destination`); here are the clock, the waiting and the telling.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::join_all;
use metrics::Histogram;
use serde::{Deserialize, Serialize, Serializer};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::action::http::Connections;
use crate::action::livechat::LiveChat;
use crate::action::{BoxFuture, Failure};
use crate::destination::parking::Trial;
use crate::destination::tally::Tally;
use crate::destination::{Counts, Standing, Terms};
use crate::event::time::rfc3339;
use crate::heartbeat::Heartbeat;

mod connections;
mod place;
mod reading;
mod signal;
#[cfg(test)]
mod tests;

use place::Place;
use reading::Reading;

/// How long a call waits inside the host for its turn; a run that has to wait longer is suspended.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// The name of the LiveChat API among the destinations.
pub const LIVECHAT: &str = "livechat";

/// How often parked destinations are looked at, and what has ended by itself is told.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The name of a connection among the destinations: that of its section in the config.
pub fn connection(name: &str) -> String {
    format!("connections.{name}")
}

/// The connection's name in a destination's; `None` if that is no connection.
pub fn connection_name(destination: &str) -> Option<&str> {
    destination.strip_prefix("connections.")
}

/// Says how every destination is now.
pub type States = dyn Fn() -> Vec<State> + Send + Sync;

/// Asks a destination, by its name, whether it takes our credentials.
pub type Probe = dyn Fn(&str) -> BoxFuture<'static, Trial> + Send + Sync;

/// The time since any fixed moment; it never jumps.
pub type Clock = dyn Fn() -> Duration + Send + Sync;

/// A destination at one moment, for operators. Holds no secret.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct State {
    /// `livechat`, or `connections.NAME`.
    pub name: String,
    /// Where it stands.
    pub state: Standing,
    /// Why it isn't asked; empty if it is.
    pub cause: String,
    /// Since when, milliseconds since 1970.
    #[serde(rename = "since", serialize_with = "time")]
    pub since_ms: i64,
    /// When it is asked or probed again, milliseconds since 1970; `None` if it may be asked.
    #[serde(rename = "until", serialize_with = "time_if_any")]
    pub until_ms: Option<i64>,
    /// Calls under way.
    pub in_flight: usize,
    /// What became of its calls since the host started.
    pub counts: Counts,
    /// Calls that it may have at the same time.
    pub concurrency: usize,
    /// Calls that it may get in a second, in the long run.
    pub rate: f64,
}

fn time<S: Serializer>(ms: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*ms))
}

fn time_if_any<S: Serializer>(ms: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    ms.map(rfc3339).serialize(serializer)
}

/// Requests to LiveChat since the host started; it bills each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calls {
    /// All of them.
    pub total: u64,
    /// By plugin; what the host asks for itself has a name in parentheses.
    pub by_plugin: BTreeMap<Arc<str>, u64>,
    /// Reads that were answered by another plugin's request.
    pub shared: u64,
}

/// What the destinations stand before.
pub struct Services {
    /// The LiveChat API.
    pub livechat: Arc<dyn LiveChat>,
    /// The connections.
    pub connections: Arc<dyn Connections>,
    /// Asks whether credentials are taken.
    pub probe: Box<Probe>,
    /// Where the requests to LiveChat are counted.
    pub tally: Arc<Tally>,
    /// Tells the time.
    pub clock: Arc<Clock>,
    /// Tells the time by which events were accepted, milliseconds since 1970: a read is shared only with those before it.
    pub now_ms: Box<dyn Fn() -> i64 + Send + Sync>,
    /// How long a call may wait; [`PATIENCE`].
    pub patience: Duration,
    /// Where it is recorded how long calls waited.
    pub wait_seconds: Histogram,
}

/// All destinations. A run reaches LiveChat and the connections through it.
pub struct Destinations {
    services: Services,
    places: ArcSwap<Places>,
    reading: Reading,
    shared: AtomicU64,
    changed: watch::Sender<()>,
}

type Places = BTreeMap<String, Arc<Place>>;

impl Destinations {
    /// The destinations by name, with what each may be asked.
    pub fn new(services: Services, terms: impl IntoIterator<Item = (String, Terms)>) -> Destinations {
        let (changed, _) = watch::channel(());
        let destinations = Destinations {
            services,
            places: ArcSwap::default(),
            reading: Reading::default(),
            shared: AtomicU64::new(0),
            changed,
        };
        destinations.replace(terms, |_| false);
        destinations
    }

    /// Other destinations, or other terms. What was known of one that `is_renewed` (it has another address, or
    /// other credentials) is forgotten.
    pub fn replace(
        &self,
        terms: impl IntoIterator<Item = (String, Terms)>,
        is_renewed: impl Fn(&str) -> bool,
    ) {
        let known = self.places.load_full();
        let place = |(name, terms): (String, Terms)| {
            let place = match known.get(&name) {
                None => Arc::new(Place::new(&name, terms, &self.services, self.changed.clone())),
                Some(place) => {
                    place.change(terms, is_renewed(&name));
                    place.clone()
                }
            };
            (name, place)
        };
        self.places.store(Arc::new(terms.into_iter().map(place).collect()));
        self.changed.send_replace(());
    }

    /// Every destination as it is now, ordered by name.
    pub fn states(&self) -> Vec<State> {
        let now_ms = (self.services.now_ms)();
        self.places.load().values().map(|place| place.state(now_ms)).collect()
    }

    /// Tells when a destination has changed its state, or is new or gone.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// The requests to LiveChat.
    pub fn calls(&self) -> Calls {
        let by_plugin = self.services.tally.by_plugin();
        let total = by_plugin.values().sum();
        Calls { total, by_plugin, shared: self.shared.load(Ordering::Relaxed) }
    }

    /// How many reads of LiveChat are remembered to be shared.
    pub fn remembered_reads(&self) -> usize {
        self.reading.len()
    }

    /// Probes parked destinations, and tells of pauses that are over. Runs until `stop`.
    pub async fn run(self: Arc<Self>, heartbeat: Arc<Heartbeat>, stop: CancellationToken) {
        while stop.run_until_cancelled(heartbeat.wait(LOOK_EVERY)).await.is_some() {
            // A probe ends within the time that its request may take; until then the others wait.
            if stop.run_until_cancelled(self.look()).await.is_none() {
                return;
            }
        }
    }

    async fn look(&self) {
        self.reading.sweep((self.services.now_ms)());
        let places = self.places.load_full();
        let mut probes = Vec::new();
        for (name, place) in &*places {
            place.notice();
            if place.is_probe_due() {
                let probe = (self.services.probe)(name);
                probes.push(async move { place.probed(probe.await) });
            }
        }
        join_all(probes).await;
    }

    fn place(&self, name: &str) -> Option<Arc<Place>> {
        self.places.load().get(name).cloned()
    }
}

/// The answer to a caller who can't be served by the destination `name` now.
fn closed(name: &str, reason: &str, wait: Duration) -> Failure {
    // Up to a whole millisecond: who counts in these must not come too early.
    let wait = Duration::from_millis(wait.as_millis() as u64 + 1);
    Failure::Closed { reason: format!("{name} {reason}"), wait }
}
