//! Keeps the registry in step with the plugin folder. A reconciler: it looks at the whole folder again and
//! again; what the file system reports only makes it look sooner.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::heartbeat::Heartbeat;
use crate::registry::{Marks, Registry, Slots, Trial};
use crate::runtime::Version;
use crate::store::{PluginStatus, Store};

mod candidate;
mod decide;
mod folder;
mod look;
mod probation;
mod state;
mod status;

pub use candidate::Loader;

use candidate::Candidate;
use folder::Stamp;
use state::{Active, Files, State};

/// The folder is looked at this often without being told to.
const SCAN_EVERY: Duration = Duration::from_secs(2);
/// Files that are no plugins are told of after this long, if there are many.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// What the watcher works with.
pub struct Watcher {
    /// Turns files into versions.
    pub loader: Loader,
    /// Where the versions go.
    pub registry: Arc<Registry>,
    /// Where the statuses go, and what is known of versions.
    pub store: Store,
    /// The config as it is now.
    pub config: Arc<ArcSwap<Config>>,
    /// Told when the config has changed.
    pub reloads: watch::Receiver<()>,
    /// Beats as long as the loop turns.
    pub heartbeat: Arc<Heartbeat>,
    /// Whether all plugins are off, and none of their files is touched.
    pub safe_mode: bool,
}

impl Watcher {
    /// Runs until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let (hints, attention) = (Arc::new(Notify::new()), self.registry.attention().clone());
        let mut state = self.begin().await;
        let mut watched = None;
        loop {
            self.heartbeat.beat();
            let folder = self.config.load().plugins_dir.clone();
            // A folder that appears later, or again, is watched from then on.
            if watched.as_ref().is_none_or(|(path, _)| *path != folder) || state.trouble.is_some() {
                watched = look::watch(&folder, hints.clone()).map(|watcher| (folder.clone(), watcher));
            }
            self.reconcile(&mut state, &folder, &stop).await;
            if !state.queue.is_empty() && !stop.is_cancelled() {
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = hints.notified() => {}
                () = attention.notified() => state.is_stale = true,
                Ok(()) = self.reloads.changed() => {}
                () = tokio::time::sleep(SCAN_EVERY) => {}
            }
        }
    }

    /// Puts the versions back that were active when the host stopped: until it is known what the files hold, and
    /// if that is worse.
    async fn begin(&self) -> State {
        let mut state = State::default();
        // What an earlier start has left there says nothing of this one.
        if let Err(error) = self.store.set_plugin_statuses(Vec::new()).await {
            tracing::warn!(%error, "cannot take the plugins' earlier states away");
        }
        self.learn(&mut state).await;
        if self.safe_mode || state.is_stale {
            return state;
        }
        let config = self.config.load_full();
        let (folder, limits) = (&config.plugins_dir, &config.loading);
        for good in self.store.good_versions().await.unwrap_or_default() {
            self.heartbeat.beat();
            if Stamp::now(&folder.join(&good.file)).is_none() {
                continue;
            }
            match self.loader.kept(&good.hash, limits).await {
                Ok(version) => {
                    let trial = self.trial_again(&state.marks, &good.plugin, &version).await;
                    let (trial, strikes) = trial.unzip();
                    let strikes = strikes.unwrap_or(0);
                    let active = Active { version, file: good.file, trial, strikes };
                    state.active.insert(good.plugin, active);
                }
                Err(reason) => tracing::warn!(plugin = good.plugin, reason, "the last good version is gone"),
            }
        }
        state
    }

    /// The probation of a version that takes the place of none that runs: it has one if an older version is kept and
    /// it has not proved itself before. With its strikes.
    async fn trial_again(
        &self,
        marks: &Marks,
        plugin: &str,
        version: &Arc<Version>,
    ) -> Option<(Arc<Trial>, u32)> {
        let known = marks.of(plugin, &version.hash);
        if known.is_some_and(|known| known.is_proved) {
            return None;
        }
        let strikes = known.map_or(0, |known| known.strikes);
        let older = marks.good(plugin).into_iter().find(|older| older.name.hash != version.hash)?;
        let standby = self.loader.kept(&older.name.hash, &self.config.load().loading).await.ok()?;
        let attention = self.registry.attention().clone();
        Some((Arc::new(Trial::new(standby, strikes, attention)), strikes))
    }

    /// Brings the registry in step with folder and config, and loads one of the files that are new: then it is time to
    /// look again, as each may take half a minute.
    async fn reconcile(&mut self, state: &mut State, folder: &Path, stop: &CancellationToken) {
        if state.is_stale {
            self.learn(state).await;
        }
        if state.is_stale {
            return;
        }
        let mut is_new =
            state.decided_by.as_ref().is_none_or(|config| !Arc::ptr_eq(config, &self.config.load()));
        if !self.safe_mode {
            is_new |= self.settle(state).await;
            is_new |= self.look(state, folder).await;
        }
        if is_new {
            self.decide(state).await;
        }
        let Some((file, stamp)) = state.queue.pop_front() else { return };
        let Some(candidate) = self.load(state, folder, &file, stop).await else { return };
        let is_plugin = matches!(candidate, Candidate::Loaded(_));
        // Replaced while it was being compiled: what there is now is loaded at the next look.
        if Stamp::now(&folder.join(&file)).as_ref() == Some(&stamp) {
            state.files.set(file, stamp, candidate);
        }
        // Of many files that are none, not each is told of by itself.
        let is_last = state.queue.is_empty();
        if is_plugin || is_last || state.told_at.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
            self.decide(state).await;
            state.told_at = Some(Instant::now());
        }
        if is_last && !state.files.is_any_compiling() {
            self.loader.compiler.retain(state.kept()).await;
        }
    }

    /// Looks at the folder, and queues the files that are to be loaded; those that were compiled before come first.
    /// Answers whether there are such, or files went.
    async fn look(&self, state: &mut State, folder: &Path) -> bool {
        let limits = self.config.load().loading;
        state.loaded_by(limits);
        let found = match look::look(folder, &self.loader, &state.files, &limits).await {
            Ok(found) => found,
            Err(trouble) => {
                if state.trouble.as_ref() != Some(&trouble) {
                    tracing::warn!("{trouble}; what runs goes on");
                }
                state.trouble = Some(trouble);
                return false;
            }
        };
        if state.trouble.take().is_some() {
            tracing::info!(folder = %folder.display(), "the plugin folder can be read again");
        }
        let is_less = state.retain(|file| found.whole.contains_key(file) || found.changing.contains(file));
        state.queue.retain(|(file, stamp)| found.whole.get(file) == Some(stamp));
        let is_new = |(file, stamp): &(String, Stamp)| !state.files.is_as_known(file, stamp);
        let mut changed: Vec<(String, Stamp)> = found.whole.into_iter().filter(is_new).collect();
        if changed.len() > 1 {
            let mut known = Vec::new();
            for (file, _) in &changed {
                known.push(self.loader.is_known(&folder.join(file), &limits).await);
            }
            let mut known = known.into_iter();
            changed.sort_by_cached_key(|_| !known.next().unwrap_or(false));
        }
        let is_more = !changed.is_empty();
        for (file, stamp) in changed {
            state.files.set(file.clone(), stamp.clone(), Candidate::Compiling);
            state.queue.push_back((file, stamp));
        }
        is_less || is_more
    }

    /// Loads a file, which may take half a minute: a change of the config takes effect meanwhile, as does the removal
    /// of another file. `None` if the host stops.
    async fn load(
        &mut self,
        state: &mut State,
        folder: &Path,
        file: &str,
        stop: &CancellationToken,
    ) -> Option<Candidate> {
        let (loader, running, path) = (self.loader.clone(), state.running(), folder.join(file));
        let limits = self.config.load().loading;
        let attention = self.registry.attention().clone();
        let mut loading = std::pin::pin!(loader.load(&path, &running, &limits));
        loop {
            self.heartbeat.beat();
            tokio::select! {
                candidate = &mut loading => return Some(candidate),
                () = stop.cancelled() => return None,
                Ok(()) = self.reloads.changed() => self.decide(state).await,
                () = attention.notified() => {
                    self.learn(state).await;
                    self.settle(state).await;
                    self.decide(state).await;
                }
                () = tokio::time::sleep(SCAN_EVERY) => {
                    if let Ok(there) = look::scan(folder).await
                        && state.retain(|file| there.contains_key(file))
                    {
                        self.decide(state).await;
                    }
                }
            }
        }
    }

    /// What the store knows of versions.
    async fn marks(&self) -> Option<Marks> {
        let known = self.store.versions().await;
        known
            .inspect_err(|error| tracing::warn!(%error, "cannot read what is known of versions"))
            .ok()
            .map(Marks::new)
    }

    /// Takes in what was recorded of versions meanwhile; what is decided by it comes with the next turn.
    async fn learn(&self, state: &mut State) {
        let marks = self.marks().await;
        state.is_stale = marks.is_none();
        if let Some(marks) = marks.filter(|marks| *marks != state.marks) {
            state.marks = marks;
            state.unusable.clear();
            state.decided_by = None;
        }
    }

    fn now_ms(&self) -> i64 {
        self.store.clock().now_ms()
    }
}

/// What each file of the plugin folder comes to under a config, without running anything: for `check` and
/// for listings while no host is running. With the versions that could be loaded, one of each plugin.
pub async fn survey(
    loader: &Loader,
    config: &Config,
    marks: Marks,
) -> (Vec<PluginStatus>, Vec<Arc<Version>>) {
    let mut files = Files::default();
    let found = look::look(&config.plugins_dir, loader, &files, &config.loading).await.unwrap_or_default();
    for (file, stamp) in found.whole {
        let candidate = loader.load(&config.plugins_dir.join(&file), &[], &config.loading).await;
        files.set(file, stamp, candidate);
    }
    let versions: BTreeMap<String, Arc<Version>> =
        files.loaded().map(|(_, version)| (version.manifest.name.clone(), version.clone())).collect();
    let state = State { files, marks, ..State::default() };
    (status::of_all(config, &state, &Slots::default()), versions.into_values().collect())
}
