//! What can be seen in the store and of its disk.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::LOOK_EVERY;
use crate::config::Config;
use crate::delivery::doubts::{Doubts, Lasting};
use crate::incident::{Condition, Key, Kind, Seen};
use crate::registry::Registry;
use crate::store::{Disk, Error, KnownVersion, Store};

/// What is looked at here.
pub(super) const KINDS: [Kind; 5] =
    [Kind::DeadLetters, Kind::Held, Kind::PastDue, Kind::RolledBack, Kind::Silence];

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const WEEK_MS: i64 = 7 * 24 * HOUR_MS;

/// Dead letters are told of until none came for this long; they may lie for weeks.
const DEAD_WITHIN_MS: i64 = HOUR_MS;
/// Work that could run and waits longer than this, and than an attempt may take, is past due.
const PAST_DUE_MS: i64 = 2 * MINUTE_MS;
/// How long it may take to look for past-due work of all plugins.
const PAST_DUE_TIME: Duration = Duration::from_secs(1);
/// No webhook for so long is silence, where there usually are some.
const SILENCE_MS: i64 = 2 * HOUR_MS;
/// So many webhooks at the same time a week ago, and the week before, are some.
const USUAL: u32 = 20;
/// A commit that takes longer has failed: the disk hangs.
const PROBE_TIME: Duration = Duration::from_secs(2);
/// Of the disk, less than this is little in any case.
const ROOM_MIN: u64 = 1 << 30;
/// And less than a tenth, up to this.
const ROOM_ENOUGH: u64 = 20 << 30;

/// How the disk under a folder is: a test tells it.
pub(super) type Disks = dyn Fn(&Path) -> io::Result<Disk> + Send + Sync;

/// Where is looked.
pub(super) struct Look {
    pub(super) store: Store,
    pub(super) config: Arc<ArcSwap<Config>>,
    pub(super) registry: Arc<Registry>,
    pub(super) doubts: Doubts,
    pub(super) disk: Arc<Disks>,
    /// When the host started, milliseconds since 1970.
    pub(super) began_ms: i64,
}

impl Look {
    /// What can be seen in the store.
    pub(super) async fn look(&self, now_ms: i64) -> Seen {
        let mut seen = Seen::default();
        let (late, looked_at_all) = self.past_due(now_ms, PAST_DUE_TIME).await;
        seen.conditions.extend(late);
        let found = [
            (Kind::PastDue, looked_at_all.map(|()| Vec::new())),
            (Kind::DeadLetters, self.dead_letters(now_ms).await),
            (Kind::Held, self.held().await),
            (Kind::RolledBack, self.rolled_back().await),
            (Kind::Silence, self.silence(now_ms).await),
        ];
        for (kind, found) in found {
            match found {
                Ok(conditions) => seen.conditions.extend(conditions),
                Err(error) => {
                    tracing::debug!(%error, "cannot look for incidents ({})", kind.as_str());
                    seen.blind.insert(kind);
                }
            }
        }
        seen
    }

    async fn dead_letters(&self, now_ms: i64) -> Result<Vec<Condition>, Error> {
        let dead = self.store.dead_since(now_ms - DEAD_WITHIN_MS).await?;
        let condition = |(plugin, count): (String, u64)| {
            let text = format!(
                "{} of {plugin} in the last hour: `chatplug dead list --plugin {plugin}` shows why",
                number(count, "dead letter", "dead letters")
            );
            Condition { key: Key::new(Kind::DeadLetters, plugin), count, text }
        };
        Ok(dead.into_iter().map(condition).collect())
    }

    async fn held(&self) -> Result<Vec<Condition>, Error> {
        let condition = |(plugin, count): (String, u64)| {
            let text = format!(
                "{} of {plugin} in doubt: it is not known whether an action took place; `chatplug held list --plugin {plugin}` shows which",
                number(count, "delivery", "deliveries")
            );
            Condition { key: Key::new(Kind::Held, plugin), count, text }
        };
        let held = self.store.held().await?.into_iter().map(condition);
        Ok(held.chain(self.lasting_doubts()).fold(BTreeMap::new(), both).into_values().collect())
    }

    /// Doubts that nobody has to decide yet, and that keep chats waiting.
    fn lasting_doubts(&self) -> impl Iterator<Item = Condition> {
        let condition = |(plugin, lasting): (Arc<str>, Lasting)| {
            let text = format!(
                "{} of {plugin} in doubt for up to {} min: the service does not say whether an action took place; the host goes on asking, and what comes behind in their chats waits",
                number(lasting.count, "delivery", "deliveries"),
                lasting.longest.as_secs() / 60
            );
            Condition { key: Key::new(Kind::Held, &*plugin), count: lasting.count, text }
        };
        self.doubts.lasting().into_iter().map(condition)
    }

    /// The plugins that have past-due work, and whether all were looked at. With long backlogs that takes a while: each
    /// look begins with another plugin, so that all have their turn.
    pub(super) async fn past_due(
        &self,
        now_ms: i64,
        budget: Duration,
    ) -> (Vec<Condition>, Result<(), Error>) {
        let (began, mut late) = (Instant::now(), Vec::new());
        let mut plugins = match self.store.plugins_with_pending().await {
            Ok(plugins) => plugins,
            Err(error) => return (late, Err(error)),
        };
        if !plugins.is_empty() {
            let turn = now_ms.unsigned_abs() / LOOK_EVERY.as_millis() as u64;
            let first = (turn % plugins.len() as u64) as usize;
            plugins.rotate_left(first);
        }
        for plugin in plugins {
            if began.elapsed() >= budget {
                return (late, Err(Error::Slow));
            }
            match self.past_due_of(&plugin, now_ms).await {
                Ok(found) => late.extend(found),
                Err(error) => return (late, Err(error)),
            }
        }
        (late, Ok(()))
    }

    async fn past_due_of(&self, plugin: &Arc<str>, now_ms: i64) -> Result<Option<Condition>, Error> {
        // Without a section its deliveries are being skipped.
        let Some(wall_ms) = self.wall_ms(plugin) else { return Ok(None) };
        let patience_ms = PAST_DUE_MS + wall_ms;
        if now_ms - self.began_ms < patience_ms {
            // What waited for the host to start has not waited for the plugin.
            return Ok(None);
        }
        // While the machine slept nothing could run, and a clock that was set forward makes nothing late.
        let uptime = self.store.uptime();
        let before_ms = uptime.ago(now_ms, Duration::from_millis(patience_ms.unsigned_abs()));
        let Some(since_ms) = self.store.past_due(plugin.clone(), before_ms).await? else { return Ok(None) };
        let minutes = uptime.between(since_ms, now_ms).as_secs() / 60;
        let runs = self.registry.get(plugin).is_some_and(|slot| slot.active.is_some());
        let why = match runs {
            true => "although it could run: is the host overloaded, or the plugin slow?",
            false => "because it doesn't run: `chatplug plugins list` says why",
        };
        let text = format!("events have been waiting for {plugin} for {minutes} min, {why}");
        Ok(Some(Condition { key: Key::new(Kind::PastDue, &**plugin), count: minutes, text }))
    }

    /// Versions that the host itself took back, as long as their files are there.
    async fn rolled_back(&self) -> Result<Vec<Condition>, Error> {
        let statuses = self.store.plugin_statuses().await?;
        let waiting = statuses.into_iter().filter(|status| status.state == "rolled back");
        let named: Vec<(String, String)> =
            waiting.filter_map(|status| Some((status.name?, status.version?))).collect();
        if named.is_empty() {
            return Ok(Vec::new());
        }
        let by_host = |known: &KnownVersion| known.taken_back.as_ref().is_some_and(|back| back.by.is_none());
        let known = self.store.versions().await?.into_iter().filter(by_host);
        let is_there = |known: &KnownVersion| {
            named.iter().any(|(plugin, hash)| *plugin == known.name.plugin && *hash == known.name.hash)
        };
        let condition = |known: KnownVersion| {
            let plugin = known.name.plugin;
            let text = format!(
                "a new version of {plugin} failed where the one before it did not, and was taken back: `chatplug plugins history {plugin}` says more"
            );
            Condition { key: Key::new(Kind::RolledBack, plugin), count: 1, text }
        };
        Ok(known.filter(is_there).map(condition).collect())
    }

    /// How long an attempt of a plugin may take.
    fn wall_ms(&self, plugin: &str) -> Option<i64> {
        let limits = self.config.load().plugins.get(plugin)?.limits;
        let version = self.registry.get(plugin).and_then(|slot| slot.active);
        let has_jobs = version.is_some_and(|version| version.manifest.has_jobs());
        let limits = if has_jobs { limits.for_jobs() } else { limits };
        Some(i64::try_from(limits.wall_ms).unwrap_or(HOUR_MS))
    }

    async fn silence(&self, now_ms: i64) -> Result<Vec<Condition>, Error> {
        // While the host was down nothing could come.
        let is_new = now_ms - self.began_ms < SILENCE_MS;
        if is_new || self.store.received((now_ms - SILENCE_MS, i64::MAX), 1).await? > 0 {
            return Ok(Vec::new());
        }
        let Some(first_ms) = self.store.first_received().await? else { return Ok(Vec::new()) };
        for weeks in 1..=2 {
            let (from, to) = (now_ms - weeks * WEEK_MS - SILENCE_MS, now_ms - weeks * WEEK_MS);
            let is_known = weeks == 1 || first_ms <= from;
            if is_known && self.store.received((from, to), USUAL).await? < USUAL {
                return Ok(Vec::new());
            }
        }
        let text = "no webhook for two hours, at a time when there usually are some: are they still registered, and \
                    does the proxy let them through?";
        Ok(vec![Condition { key: Key::new(Kind::Silence, ""), count: 1, text: text.to_owned() }])
    }

    /// Whether the store commits, and whether the disk has room for more.
    pub(super) async fn commit(&self, now_ms: i64) -> Vec<Condition> {
        let mut wrong = Vec::new();
        let mut note = |kind, text: String| wrong.push(Condition { key: Key::new(kind, ""), count: 1, text });
        match tokio::time::timeout(PROBE_TIME, self.store.probe(now_ms)).await {
            Ok(Ok(())) => {}
            Ok(Err(Error::Full)) => {
                note(Kind::Disk, "the disk of the data folder is full: webhooks are answered 503".to_owned());
                return wrong;
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "a trial commit failed");
                note(Kind::Store, "the store does not commit: webhooks are answered 503".to_owned());
            }
            Err(_) => note(Kind::Store, "the store does not commit in time: does the disk hang?".to_owned()),
        }
        let (folder, disk) = (self.config.load().data_dir.clone(), self.disk.clone());
        if let Ok(Ok(Disk { free, size })) = tokio::task::spawn_blocking(move || disk(&folder)).await
            && is_little(free, size)
        {
            note(Kind::Disk, format!("the disk of the data folder has {} MiB left", free >> 20));
        }
        wrong
    }
}

/// An incident has one condition.
fn both(mut all: BTreeMap<Key, Condition>, one: Condition) -> BTreeMap<Key, Condition> {
    match all.get_mut(&one.key) {
        Some(other) => {
            other.count += one.count;
            other.text = format!("{}. Also, {}", other.text, one.text);
        }
        None => drop(all.insert(one.key.clone(), one)),
    }
    all
}

fn is_little(left: u64, total: u64) -> bool {
    left < ROOM_MIN.min(total / 2) || left < (total / 10).min(ROOM_ENOUGH)
}

fn number(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_room_is_a_matter_of_the_disks_size() {
        const GIB: u64 = 1 << 30;
        let check = |left: u64, total: u64, expected: bool| {
            assert_eq!(is_little(left, total), expected, "{left} of {total}");
        };
        check(GIB - 1, 8 * GIB, true);
        check(GIB, 8 * GIB, false);
        check(9 * GIB, 100 * GIB, true);
        check(11 * GIB, 100 * GIB, false);
        check(19 * GIB, 4096 * GIB, true);
        check(21 * GIB, 4096 * GIB, false);
        check(GIB / 4, GIB, true);
        check(GIB * 3 / 5, GIB, false);
        check(0, 0, false);
    }
}
