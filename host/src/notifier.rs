//! Tells the operator what is wrong, through the connection that `operator.notify` names: one message when an
//! incident begins, one when it is over. Without a connection the log tells.
//!
//! Nothing waits for the notifier, and it waits for nothing but a few seconds: a disk that hangs is what it has to
//! tell of.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::action::Error;
use crate::config::Config;
use crate::connections::Connections;
use crate::delivery::doubts::Doubts;
use crate::destinations::States;
use crate::heartbeat::Heartbeat;
use crate::incident::{Condition, Incidents, Key, Kind, Message, Seen, State};
use crate::refusals::Refusals;
use crate::registry::Registry;
use crate::store::{self, Store};

mod closed;
mod look;
mod missed;
mod pause;
mod refused;
mod registrations;
#[cfg(test)]
mod tests;

use closed::Closed;
use look::Look;
pub use missed::Missed;
use pause::Pause;
use refused::Recently;
pub use registrations::{Known, Registrations};

/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// For a look at the store that takes longer the others don't wait; it may be a long look.
const LOOK_TIME: Duration = Duration::from_secs(5);
/// A trial commit, and a look at the disk, that take longer say that the disk hangs.
const COMMIT_TIME: Duration = Duration::from_secs(4);
/// How long keeping what the operator knows may hold up the next look.
const KEEP_TIME: Duration = Duration::from_secs(2);
/// Messages after one look; the others wait for the next. Services take about one in a second.
const MESSAGES_MAX: usize = 5;
/// A loop that has not turned for this long is stuck.
const STUCK: Duration = Duration::from_secs(120);

/// What the notifier works with.
pub struct Notifier {
    /// Where it looks, and where what the operator knows is kept.
    pub store: Store,
    /// Names the connection.
    pub config: Arc<ArcSwap<Config>>,
    /// Which plugins run.
    pub registry: Arc<Registry>,
    /// Carries the messages.
    pub connections: Arc<Connections>,
    /// How the destinations are.
    pub destinations: Arc<States>,
    /// The doubts that are being settled.
    pub doubts: Doubts,
    /// The webhooks that were refused.
    pub refusals: Arc<Refusals>,
    /// Whether LiveChat sends what the plugins need.
    pub registrations: Arc<Registrations>,
    /// Webhooks that did not come.
    pub missed: Arc<Missed>,
    /// The heartbeats of the host's loops, by their names.
    pub heartbeats: Vec<(&'static str, Arc<Heartbeat>)>,
    /// Beats as long as the notifier's own loop turns.
    pub heartbeat: Arc<Heartbeat>,
}

/// What the notifier remembers from look to look.
struct Memory {
    incidents: Incidents,
    refused: Recently,
    closed: Closed,
    pause: Pause,
    /// A look at the store that has not ended yet.
    looking: Option<JoinHandle<Seen>>,
    /// A trial commit that has not ended yet.
    committing: Option<JoinHandle<Vec<Condition>>>,
    look: Arc<Look>,
}

impl Notifier {
    /// Runs until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let turns = async {
            let mut memory = self.remember().await;
            loop {
                self.heartbeat.beat();
                self.turn(&mut memory, self.store.clock().now_ms()).await;
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        // A message that is cut off here is sent again after the next start.
        tokio::select! {
            () = stop.cancelled() => {}
            () = turns => {}
        }
    }

    /// What the operator was told of before the host started.
    async fn remember(&self) -> Memory {
        let kept = loop {
            match self.store.incidents().await {
                Ok(kept) => break kept,
                Err(error) => tracing::error!(%error, "cannot read which incidents are open; trying again"),
            }
            self.heartbeat.beat();
            tokio::time::sleep(LOOK_EVERY).await;
        };
        let (store, config, registry) = (self.store.clone(), self.config.clone(), self.registry.clone());
        let began_ms = store.clock().now_ms();
        Memory {
            incidents: Incidents::restore(kept),
            refused: Recently::default(),
            closed: Closed::default(),
            pause: Pause::default(),
            looking: None,
            committing: None,
            look: Arc::new(Look {
                store,
                config,
                registry,
                doubts: self.doubts.clone(),
                disk: Arc::new(store::disk),
                began_ms,
            }),
        }
    }

    /// Looks once, and tells what is new.
    async fn turn(&self, memory: &mut Memory, now_ms: i64) {
        let mut seen = Seen::default();
        self.commit(memory, now_ms, COMMIT_TIME, &mut seen).await;
        self.look(memory, now_ms, LOOK_TIME, &mut seen).await;
        seen.conditions.extend(memory.refused.look(self.refusals.all()));
        seen.conditions.extend(memory.closed.look((self.destinations)(), now_ms));
        seen.conditions.extend(self.stuck_loops());
        self.registrations.look(&mut seen);
        self.missed.look(&mut seen, now_ms);
        for key in memory.incidents.observe(seen, now_ms) {
            tracing::error!(incident = %key, "an incident is over, and nobody could be told for a day; it is forgotten");
        }
        self.keep(&mut memory.incidents).await;
        self.tell(memory, now_ms).await;
        self.keep(&mut memory.incidents).await;
    }

    /// What is seen in the store. One look at a time: if the disk hangs, each would occupy a thread. Whether it does is
    /// told by the trial commit: this look may only be long.
    async fn look(&self, memory: &mut Memory, now_ms: i64, patience: Duration, seen: &mut Seen) {
        let look = memory.look.clone();
        let begin = || tokio::spawn(async move { look.look(now_ms).await });
        match in_time(&mut memory.looking, begin, patience).await {
            Some(Ok(found)) => {
                seen.conditions.extend(found.conditions);
                seen.blind.extend(found.blind);
            }
            // It panicked, or goes on: nothing is known.
            Some(Err(_)) | None => seen.blind.extend(look::KINDS),
        }
    }

    /// Whether the store commits, and what is seen of the disk; one try at a time.
    async fn commit(&self, memory: &mut Memory, now_ms: i64, patience: Duration, seen: &mut Seen) {
        let look = memory.look.clone();
        let begin = || tokio::spawn(async move { look.commit(now_ms).await });
        match in_time(&mut memory.committing, begin, patience).await {
            Some(Ok(found)) => seen.conditions.extend(found),
            Some(Err(_)) => seen.blind.extend([Kind::Store, Kind::Disk]),
            None => {
                let text = "the store does not answer, and webhooks are answered 503: does the disk hang?";
                let key = Key::new(Kind::Store, "");
                seen.conditions.push(Condition { key, count: 1, text: text.to_owned() });
                seen.blind.insert(Kind::Disk);
            }
        }
    }

    fn stuck_loops(&self) -> impl Iterator<Item = Condition> {
        let stuck = self.heartbeats.iter().filter(|(_, heartbeat)| heartbeat.age() >= STUCK);
        stuck.map(|(name, heartbeat)| Condition {
            key: Key::new(Kind::Loop, *name),
            count: heartbeat.age().as_secs(),
            text: format!(
                "the {name} has not turned for {} s: keep the log, and restart the host",
                heartbeat.age().as_secs()
            ),
        })
    }

    async fn tell(&self, memory: &mut Memory, now_ms: i64) {
        for _ in 0..MESSAGES_MAX {
            let Some(message) = memory.incidents.next(now_ms) else { return };
            if memory.pause.is_on(Instant::now()) {
                return;
            }
            match self.send(&message).await {
                Ok(()) => {
                    memory.pause = Pause::default();
                    log(&message);
                    memory.incidents.told(&message, now_ms);
                }
                Err(error) => {
                    memory.pause.extend(error.retry_after_ms, Instant::now());
                    let (state, text) = (message.state.as_str(), &message.text);
                    tracing::error!(incident = %message.key, state, %error, "cannot tell the operator; trying again: {text}");
                    return;
                }
            }
        }
    }

    async fn send(&self, message: &Message) -> Result<(), Error> {
        let config = self.config.load_full();
        match &config.notify {
            Some(connection) => self.connections.tell(connection, message).await,
            None => Ok(()),
        }
    }

    /// Keeps what the operator knows, so that a restart neither tells it anew nor forgets to say when it is over.
    async fn keep(&self, incidents: &mut Incidents) {
        let changes = incidents.take_changes();
        if changes.is_empty() {
            return;
        }
        let keys: Vec<Key> = changes.iter().map(|(key, _)| key.clone()).collect();
        let kept = tokio::time::timeout(KEEP_TIME, self.store.keep_incidents(changes)).await;
        if matches!(kept, Ok(Ok(()))) {
            tracing::debug!(incidents = keys.len(), "kept what the operator knows");
        } else {
            tracing::debug!("cannot keep what the operator knows; trying again");
            incidents.not_kept(keys);
        }
    }
}

/// What a task has brought, if it ends in time; else it goes on, and the next one to ask waits for the same.
async fn in_time<T>(
    task: &mut Option<JoinHandle<T>>,
    begin: impl FnOnce() -> JoinHandle<T>,
    patience: Duration,
) -> Option<Result<T, JoinError>> {
    let running = task.get_or_insert_with(begin);
    let ended = tokio::time::timeout(patience, running).await.ok();
    if ended.is_some() {
        *task = None;
    }
    ended
}

/// What the operator was told, for those who read the log.
fn log(message: &Message) {
    let (state, text) = (message.state.as_str(), &message.text);
    match message.state {
        State::Over => tracing::info!(incident = %message.key, state, "{text}"),
        State::Open | State::Again => tracing::warn!(incident = %message.key, state, "{text}"),
    }
}
