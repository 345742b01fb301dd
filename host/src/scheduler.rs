//! Makes events when their time has come: those of the plugins' schedules and of their timers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::tz::TimeZone;
use tokio_util::sync::CancellationToken;

use crate::config::{self, Config};
use crate::event::addressed;
use crate::heartbeat::Heartbeat;
use crate::manifest::Manifest;
use crate::registry::{self, Registry};
use crate::schedule::{Rule, Tick, Turn, Watched, turn};
use crate::store::{Clock, Error, Place, ScheduleName, Store};

mod meters;
mod pace;

pub use meters::Meters;

use pace::Pace;

/// The loop turns at least this often: it notices when the machine's clock was set, or the machine slept.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// While the store takes nothing it is asked again this often.
const STORE_RETRY: Duration = Duration::from_secs(1);
/// What stands in the place of a rule while the operator has switched the schedule off.
const OFF: &str = "off";

/// What the scheduler works with.
pub struct Scheduler {
    /// Where events go.
    pub store: Store,
    /// What operators change of schedules, and the account's time zone.
    pub config: Arc<ArcSwap<Config>>,
    /// Which version runs: its manifest names the schedules.
    pub registry: Arc<Registry>,
    /// The clock on the wall, which schedules go by; timers go by that of the store.
    pub wall: Clock,
    /// Beats as long as the loop turns.
    pub heartbeat: Arc<Heartbeat>,
    /// What is measured.
    pub meters: Meters,
}

/// The schedules of a plugin: the name, whether it catches up, and when.
pub type Schedules = Vec<(String, bool, Rule)>;

/// What is watched.
#[derive(Default)]
struct Plan {
    /// The schedules, and how far each has come.
    schedules: HashMap<ScheduleName, (Watched, i64)>,
    /// How many timers of each plugin have become events.
    pace: Pace,
}

/// The schedules of a plugin as the operator wants them.
///
/// # Errors
/// A sentence for the operator: one that the plugin doesn't have, or that can't be.
pub fn schedules(
    manifest: &Manifest,
    plugin: &config::Plugin,
    account: &TimeZone,
) -> Result<Schedules, String> {
    let named = |name: &String| manifest.schedules.iter().any(|schedule| schedule.name == *name);
    if let Some(unknown) = plugin.schedules.keys().find(|name| !named(name)) {
        let known: Vec<&str> = manifest.schedules.iter().map(|schedule| schedule.name.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(format!(
            "[plugin.{}.schedules] has `{}`, which the plugin doesn't have; it has {known}",
            manifest.name,
            unknown.escape_debug()
        ));
    }
    let mut wanted = Vec::new();
    for schedule in &manifest.schedules {
        let changed = match plugin.schedules.get(&schedule.name) {
            Some(change) => change.apply(schedule),
            None => Some(schedule.clone()),
        };
        let Some(changed) = changed else { continue };
        let rule = changed
            .rule(account)
            .map_err(|reason| format!("the schedule `{}` of {}: {reason}", schedule.name, manifest.name))?;
        wanted.push((schedule.name.clone(), changed.catch_up, rule));
    }
    Ok(wanted)
}

/// The zone of schedules that name none.
pub fn account_zone(config: &Config) -> TimeZone {
    config.livechat.timezone.clone().unwrap_or(TimeZone::UTC)
}

impl Scheduler {
    /// Runs until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let work = async {
            let mut changes = self.registry.subscribe();
            let mut plan = self.start().await;
            self.watch(&mut plan).await;
            loop {
                self.heartbeat.beat();
                let wait = self.look(&mut plan).await.unwrap_or_else(|error| {
                    tracing::error!(%error, "cannot make events of schedules and timers; trying again");
                    STORE_RETRY
                });
                tokio::select! {
                    Ok(()) = changes.changed() => self.watch(&mut plan).await,
                    () = self.store.timers_changed().notified() => {}
                    () = tokio::time::sleep(wait) => {}
                }
            }
        };
        // A command that was sent to the store is done whole, whether somebody waits for it or not.
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
    }

    /// What is watched at the start: nothing yet.
    async fn start(&self) -> Plan {
        self.insist(|| self.store.begin_timers(self.store.clock().now_ms())).await;
        Plan::default()
    }

    /// Does what is due; answers how long nothing else is.
    async fn look(&self, plan: &mut Plan) -> Result<Duration, Error> {
        if let Some(step) = self.store.follow_clock().await? {
            let seconds = step.by_ms / 1_000;
            tracing::warn!(
                seconds,
                "the machine's clock was set; the host goes by it now, and nothing waits for more or less"
            );
        }
        let next_timer = self.fire_timers(&mut plan.pace).await?;
        let mut wait = until(next_timer, self.store.clock().now_ms());
        for (name, (watched, done_to_ms)) in &mut plan.schedules {
            let now_ms = self.wall.now_ms();
            let next_ms = match turn(watched, *done_to_ms, now_ms) {
                Turn::Wait(next_ms) => next_ms,
                Turn::Run(tick) => {
                    self.tick(name, watched, tick).await?;
                    *done_to_ms = tick.at_ms;
                    watched.rule.next_after(tick.at_ms)
                }
                Turn::Pass { to_ms, missed } => {
                    let place = Place { rule: watched.rule.as_str().to_owned(), done_to_ms: to_ms };
                    self.store.set_schedule_place(name.clone(), place).await?;
                    self.meters.missed(&name.0, missed);
                    *done_to_ms = to_ms;
                    watched.rule.next_after(to_ms)
                }
            };
            wait = wait.min(until(next_ms, now_ms));
        }
        Ok(wait)
    }

    /// Makes events of all timers that are due; answers when the next one is.
    async fn fire_timers(&self, pace: &mut Pace) -> Result<Option<i64>, Error> {
        loop {
            let now_ms = self.store.clock().now_ms();
            let resting = pace.resting(now_ms);
            let fired = self.store.fire_timers(now_ms, &resting.plugins).await?;
            self.meters.fired(&fired.late_ms);
            for plugin in pace.fired(&fired.by_plugin, now_ms) {
                tracing::warn!(
                    plugin,
                    "the timers of {plugin} come later than they should: it has set too many that are due at once"
                );
            }
            if fired.next_ms.is_none_or(|next_ms| next_ms > now_ms) {
                return Ok([fired.next_ms, resting.until_ms].into_iter().flatten().min());
            }
            self.heartbeat.beat();
        }
    }

    /// Makes the event of a schedule, if the plugin has ended with the one before.
    async fn tick(&self, name: &ScheduleName, watched: &Watched, tick: Tick) -> Result<(), Error> {
        let place = Place { rule: watched.rule.as_str().to_owned(), done_to_ms: tick.at_ms };
        let event = addressed::schedule(&name.1, &tick);
        // The clock of the store, which deliveries go by.
        let made = self.store.tick(name.clone(), place, event, self.store.clock().now_ms()).await?;
        self.meters.missed(&name.0, tick.missed);
        match made {
            Some(made) => {
                self.meters.ran(&name.0);
                let (event, trace) = (made.event, self.store.trace(made.event));
                tracing::debug!(plugin = &*name.0, %event, %trace, "the time of the schedule `{}`", name.1);
            }
            None => {
                self.meters.busy(&name.0);
                tracing::warn!(
                    plugin = &*name.0,
                    "the schedule `{}` is left out this time: {} has not ended with the one before",
                    name.1,
                    name.0
                );
            }
        }
        Ok(())
    }

    /// Brings the plan in line with the versions that run and with the config.
    async fn watch(&self, plan: &mut Plan) {
        let config = self.config.load_full();
        let account = account_zone(&config);
        let of = |(plugin, slot): (&Arc<str>, &registry::Slot)| {
            let (version, section) = (slot.active.as_ref()?, config.plugins.get(&**plugin)?);
            // One that doesn't fit is refused by the registry, which says why.
            let schedules = schedules(&version.manifest, section, &account).ok()?;
            Some((plugin.clone(), schedules))
        };
        let running = self.registry.all().iter().filter_map(of).collect();
        self.follow(plan, running).await;
    }

    /// Brings the plan in line with the schedules of the plugins that run.
    async fn follow(&self, plan: &mut Plan, running: Vec<(Arc<str>, Schedules)>) {
        let mut wanted = HashMap::new();
        let places = self.insist(|| self.store.schedule_places()).await;
        for (plugin, schedules) in running {
            for (name, catch_up, rule) in schedules {
                let name = (plugin.clone(), name);
                let entry = match plan.schedules.remove(&name) {
                    Some((watched, done_to_ms)) if watched.rule.as_str() == rule.as_str() => {
                        (Watched { rule, catch_up, ..watched }, done_to_ms)
                    }
                    _ => {
                        let watched = Watched { rule, catch_up, since_ms: self.wall.now_ms() };
                        self.begin(&name, watched, places.get(&name)).await
                    }
                };
                wanted.insert(name, entry);
            }
            self.switch_off(&plugin, &wanted, &places).await;
        }
        plan.schedules = wanted;
    }

    /// Notes which schedules of a plugin are off: what passes meanwhile is not missed.
    async fn switch_off(
        &self,
        plugin: &Arc<str>,
        wanted: &HashMap<ScheduleName, (Watched, i64)>,
        places: &HashMap<ScheduleName, Place>,
    ) {
        let is_off = |name: &ScheduleName| name.0 == *plugin && !wanted.contains_key(name);
        for (name, place) in places.iter().filter(|(name, place)| is_off(name) && place.rule != OFF) {
            let place = Place { rule: OFF.to_owned(), ..place.clone() };
            self.insist(|| self.store.set_schedule_place(name.clone(), place.clone())).await;
        }
    }

    /// A schedule that is watched from now on. What it did not do by this very rule before, it does not catch up with.
    async fn begin(&self, name: &ScheduleName, watched: Watched, place: Option<&Place>) -> (Watched, i64) {
        let rule = watched.rule.as_str();
        if let Some(place) = place.filter(|place| place.rule == rule) {
            return (watched, place.done_to_ms);
        }
        let place = Place { rule: rule.to_owned(), done_to_ms: watched.since_ms };
        self.insist(|| self.store.set_schedule_place(name.clone(), place.clone())).await;
        let since_ms = watched.since_ms;
        (watched, since_ms)
    }

    /// Asks the store until it answers.
    async fn insist<T, F: Future<Output = Result<T, Error>>>(&self, ask: impl Fn() -> F) -> T {
        loop {
            match ask().await {
                Ok(answer) => return answer,
                Err(error) => tracing::error!(%error, "cannot read or write schedules; trying again"),
            }
            self.heartbeat.beat();
            tokio::time::sleep(STORE_RETRY).await;
        }
    }
}

fn until(due_ms: Option<i64>, now_ms: i64) -> Duration {
    let wait = due_ms.map_or(i64::MAX, |due_ms| due_ms.saturating_sub(now_ms));
    Duration::from_millis(u64::try_from(wait).unwrap_or(0)).min(LOOK_EVERY)
}

#[cfg(test)]
mod tests;
