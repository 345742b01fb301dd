//! Keeps the registry in step with the plugin folder. A reconciler: it looks at the whole folder again and
//! again; what the file system reports only makes it look sooner.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, Watcher as _};
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::heartbeat::Heartbeat;
use crate::limits::Loading;
use crate::registry::{Registry, Slot, Slots, Verdict, judge};
use crate::runtime::Version;
use crate::store::{GoodVersion, PluginStatus, Store};

mod candidate;
mod folder;
mod status;

pub use candidate::Loader;

use candidate::Candidate;
use folder::Stamp;

/// The folder is looked at this often without being told to.
const SCAN_EVERY: Duration = Duration::from_secs(2);
/// A file that looks the same after this long is taken to be whole.
const SETTLE: Duration = Duration::from_millis(40);

/// What the watcher works with.
pub struct Watcher {
    /// Turns files into versions.
    pub loader: Loader,
    /// Where the versions go.
    pub registry: Arc<Registry>,
    /// Where the statuses go.
    pub store: Store,
    /// The config as it is now.
    pub config: Arc<ArcSwap<Config>>,
    /// Told when the config has changed.
    pub reloads: watch::Receiver<()>,
    /// Beats as long as the loop turns.
    pub heartbeat: Arc<Heartbeat>,
}

/// What is known of the folder and of what runs.
#[derive(Default)]
struct State {
    /// Each file as it was when it was loaded, and what came of it.
    files: BTreeMap<String, (Stamp, Candidate)>,
    /// What runs, by plugin.
    active: HashMap<String, Active>,
    /// The limits that the files were loaded by.
    loaded_by: Option<Loading>,
    /// The config that was decided by last.
    decided_by: Option<Arc<Config>>,
    /// What was shown last.
    shown: Vec<PluginStatus>,
}

impl State {
    /// Has rejected files looked at again if the limits are others now.
    fn forget_rejected(&mut self, limits: Loading) {
        if self.loaded_by.replace(limits).is_some_and(|before| before != limits) {
            self.files.retain(|_, (_, candidate)| !matches!(candidate, Candidate::Rejected { .. }));
        }
    }
}

/// A version that runs, and the file that it came from.
#[derive(Clone)]
struct Active {
    version: Arc<Version>,
    file: String,
}

impl Watcher {
    /// Runs until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let hints = Arc::new(Notify::new());
        let mut state = self.begin().await;
        let mut watched = None;
        loop {
            self.heartbeat.beat();
            let folder = self.config.load().plugins_dir.clone();
            // A folder that appears later, or again, is watched from then on.
            if watched.as_ref().is_none_or(|(path, _)| *path != folder) && folder.is_dir() {
                watched = watch(&folder, hints.clone()).map(|watcher| (folder.clone(), watcher));
            }
            self.reconcile(&mut state, &folder, &stop).await;
            tokio::select! {
                () = stop.cancelled() => return,
                () = hints.notified() => {}
                Ok(()) = self.reloads.changed() => {}
                () = tokio::time::sleep(SCAN_EVERY) => {}
            }
        }
    }

    /// Puts the versions back that were active when the host stopped and whose file holds something else by
    /// now: if that is worse, the good version goes on.
    async fn begin(&self) -> State {
        let mut state = State::default();
        let config = self.config.load_full();
        let (folder, limits) = (&config.plugins_dir, &config.loading);
        for good in self.store.good_versions().await.unwrap_or_default() {
            self.heartbeat.beat();
            match candidate::hash_of(&folder.join(&good.file), limits).await {
                Some(hash) if hash != good.hash => {}
                _ => continue,
            }
            match self.loader.kept(&good.hash, limits).await {
                Ok(version) => {
                    state.active.insert(good.plugin, Active { version: Arc::new(version), file: good.file });
                }
                Err(reason) => tracing::warn!(plugin = good.plugin, reason, "the last good version is gone"),
            }
        }
        state
    }

    /// Brings the registry in step with folder and config.
    async fn reconcile(&mut self, state: &mut State, folder: &Path, stop: &CancellationToken) {
        let mut is_new =
            state.decided_by.as_ref().is_none_or(|config| !Arc::ptr_eq(config, &self.config.load()));
        let mut changed = Vec::new();
        state.forget_rejected(self.config.load().loading);
        if let Some(found) = look(folder).await {
            let is_there = |file: &String| found.whole.contains_key(file) || found.changing.contains(file);
            let known = state.files.len();
            state.files.retain(|file, _| is_there(file));
            state.active.retain(|_, active| is_there(&active.file));
            is_new |= state.files.len() < known;
            for (file, stamp) in found.whole {
                if state.files.get(&file).is_none_or(|(known, _)| *known != stamp) {
                    state.files.insert(file.clone(), (stamp.clone(), Candidate::Compiling));
                    changed.push((file, stamp));
                }
            }
        }
        if is_new || !changed.is_empty() {
            self.decide(state).await;
        }
        for (file, stamp) in changed {
            let Some(candidate) = self.load(state, &folder.join(&file), stop).await else { return };
            state.files.insert(file, (stamp, candidate));
            self.decide(state).await;
        }
    }

    /// Loads a file, which may take half a minute: a change of the config takes effect meanwhile. `None` if
    /// the host stops.
    async fn load(&mut self, state: &mut State, path: &Path, stop: &CancellationToken) -> Option<Candidate> {
        let loader = self.loader.clone();
        let limits = self.config.load().loading;
        let mut loading = std::pin::pin!(loader.load(path, &limits));
        loop {
            self.heartbeat.beat();
            tokio::select! {
                candidate = &mut loading => return Some(candidate),
                () = stop.cancelled() => return None,
                Ok(()) = self.reloads.changed() => self.decide(state).await,
                () = tokio::time::sleep(SCAN_EVERY) => {}
            }
        }
    }

    /// Decides what runs, and shows it.
    async fn decide(&self, state: &mut State) {
        let config = self.config.load_full();
        state.decided_by = Some(config.clone());
        state.active.retain(|name, active| !became_another(&state.files, name, &active.file));
        for (file, (_, candidate)) in &state.files {
            let Candidate::Loaded(version) = candidate else { continue };
            let name = &version.manifest.name;
            if conflict(&state.files, file, name).is_some() {
                continue;
            }
            if judge(version, config.plugins.get(name)) == Verdict::Run {
                self.activate(&mut state.active, file, version).await;
            }
        }
        let slots = slots(&config, &state.active);
        let statuses = status::of_all(&config, &state.files, &state.active, &slots);
        self.registry.swap(slots);
        if statuses != state.shown {
            status::tell(&state.shown, &statuses);
            match self.store.set_plugin_statuses(statuses.clone()).await {
                Ok(()) => state.shown = statuses,
                Err(error) => {
                    tracing::warn!(%error, "cannot show the plugins' states; trying again");
                    state.decided_by = None;
                }
            }
        }
    }

    async fn activate(&self, active: &mut HashMap<String, Active>, file: &str, version: &Arc<Version>) {
        let name = &version.manifest.name;
        if active.get(name).is_some_and(|now| now.version.hash == version.hash && now.file == file) {
            return;
        }
        active.insert(name.clone(), Active { version: version.clone(), file: file.to_owned() });
        let good = GoodVersion { plugin: name.clone(), hash: version.hash.clone(), file: file.to_owned() };
        if let Err(error) = self.store.set_good_version(good, Timestamp::now().as_millisecond()).await {
            tracing::warn!(plugin = name, %error, "cannot record the active version; it runs all the same");
        }
    }
}

/// What each file of the plugin folder comes to under a config, without running anything: for `check` and
/// for listings while no host is running. With the settings schema of each plugin, by its name.
pub async fn survey(loader: &Loader, config: &Config) -> (Vec<PluginStatus>, Vec<(String, Value)>) {
    let mut files = BTreeMap::new();
    for (file, stamp) in look(&config.plugins_dir).await.map(|found| found.whole).unwrap_or_default() {
        let candidate = loader.load(&config.plugins_dir.join(&file), &config.loading).await;
        files.insert(file, (stamp, candidate));
    }
    let statuses = status::of_all(config, &files, &HashMap::new(), &Slots::default());
    let schema = |(_, candidate): &(Stamp, Candidate)| match candidate {
        Candidate::Loaded(version) => {
            Some((version.manifest.name.clone(), version.manifest.settings_schema.clone()))
        }
        _ => None,
    };
    (statuses, files.values().filter_map(schema).collect())
}

/// Whether the file that a plugin ran from holds another plugin by now.
fn became_another(files: &BTreeMap<String, (Stamp, Candidate)>, name: &str, file: &str) -> bool {
    matches!(files.get(file), Some((_, Candidate::Loaded(version))) if version.manifest.name != name)
}

/// Another file with a plugin of the same name.
fn conflict<'a>(
    files: &'a BTreeMap<String, (Stamp, Candidate)>,
    file: &str,
    name: &str,
) -> Option<&'a String> {
    let same = |candidate: &Candidate| matches!(candidate, Candidate::Loaded(v) if v.manifest.name == name);
    files.iter().find(|(other, (_, candidate))| *other != file && same(candidate)).map(|(other, _)| other)
}

/// The registry's content: every configured plugin, with the version that may run under this config.
fn slots(config: &Config, active: &HashMap<String, Active>) -> Slots {
    let slot = |name: &String, plugin| {
        let version = active.get(name).map(|active| active.version.clone());
        let may_run = |version: &Arc<Version>| judge(version, Some(plugin)) == Verdict::Run;
        (Arc::from(name.as_str()), Slot::new(plugin, version.filter(may_run)))
    };
    config.plugins.iter().map(|(name, plugin)| slot(name, plugin)).collect()
}

/// What a look at the folder found.
struct Found {
    /// The files that are whole.
    whole: BTreeMap<String, Stamp>,
    /// Those that are being written: their old content keeps its place until a later look.
    changing: BTreeSet<String>,
}

/// Looks at the folder; `None` if it can't be read to its end, so that nothing is unloaded for want of a
/// look. New files are looked at twice, a moment apart.
async fn look(folder: &Path) -> Option<Found> {
    let scan = async || {
        let folder = folder.to_owned();
        tokio::task::spawn_blocking(move || folder::scan(&folder))
            .await
            .unwrap_or_else(|error| Err(error.into()))
    };
    let before = match scan().await {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(folder = %folder.display(), %error, "cannot read the plugin folder; what runs goes on");
            return None;
        }
    };
    if before.values().all(Stamp::is_old) {
        return Some(Found { whole: before, changing: BTreeSet::new() });
    }
    tokio::time::sleep(SETTLE).await;
    let (whole, changing): (BTreeMap<_, _>, BTreeMap<_, _>) =
        scan().await.ok()?.into_iter().partition(|(file, stamp)| before.get(file) == Some(stamp));
    Some(Found { whole, changing: changing.into_keys().collect() })
}

/// Asks the system to say when something happens in the folder.
fn watch(folder: &Path, hints: Arc<Notify>) -> Option<notify::RecommendedWatcher> {
    let tell = move |event: notify::Result<notify::Event>| {
        if event.map_or(true, |event| may_change_files(event.kind)) {
            hints.notify_one();
        }
    };
    let mut watcher = notify::recommended_watcher(tell)
        .inspect_err(
            |error| tracing::warn!(%error, "no notifications of the file system; looking every two seconds"),
        )
        .ok()?;
    watcher.watch(folder, notify::RecursiveMode::NonRecursive).ok()?;
    Some(watcher)
}

/// Whether files may be others afterwards. Looking at the folder is itself reported, and must not be a
/// reason to look again.
fn may_change_files(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, ModifyKind, RemoveKind};

    use super::*;

    fn check(kind: EventKind, expected: bool) {
        assert_eq!(may_change_files(kind), expected, "{kind:?}");
    }

    #[test]
    fn looking_at_the_folder_is_no_reason_to_look_again() {
        check(EventKind::Access(AccessKind::Open(AccessMode::Any)), false);
        check(EventKind::Access(AccessKind::Read), false);
        check(EventKind::Access(AccessKind::Close(AccessMode::Read)), false);
        check(EventKind::Access(AccessKind::Close(AccessMode::Write)), true);
        check(EventKind::Create(CreateKind::File), true);
        check(EventKind::Modify(ModifyKind::Any), true);
        check(EventKind::Remove(RemoveKind::File), true);
        check(EventKind::Any, true);
    }
}
