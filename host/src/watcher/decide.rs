//! Deciding what runs.

use std::sync::Arc;

use super::state::{Active, State};
use super::{Watcher, status};
use crate::config::{self, Config};
use crate::registry::{Trial, Verdict, judge};
use crate::runtime::Version;
use crate::store::{PluginStatus, VersionName};

impl Watcher {
    /// Decides what runs, and shows it.
    pub(super) async fn decide(&self, state: &mut State) {
        let config = self.config.load_full();
        state.decided_by = Some(config.clone());
        if self.safe_mode {
            let off = config.plugins.iter();
            let off =
                off.map(|(name, plugin)| (Arc::from(name.as_str()), crate::registry::Slot::new(plugin)));
            self.registry.swap(off.collect());
            return self.show(state, status::all_off(&config)).await;
        }
        state.active.retain(|name, active| !state.files.became_another(name, &active.file));
        let loaded: Vec<(String, Arc<Version>)> =
            state.files.loaded().map(|(file, version)| (file.clone(), version.clone())).collect();
        for (file, version) in loaded {
            let name = &version.manifest.name;
            if state.files.conflict(&file, name).is_none()
                && judge(&version, config.plugins.get(name), &state.marks) == Verdict::Run
            {
                self.activate(state, file, version).await;
            }
        }
        for (name, plugin) in &config.plugins {
            self.fall_back(state, name, plugin).await;
        }
        let slots = state.slots(&config);
        let statuses = status::of_all(&config, state, &slots);
        self.registry.swap(slots);
        self.note(state, &config, &statuses).await;
        self.show(state, statuses).await;
    }

    async fn show(&self, state: &mut State, statuses: Vec<PluginStatus>) {
        if statuses == state.shown {
            return;
        }
        status::tell(&state.shown, &statuses);
        match self.store.set_plugin_statuses(statuses.clone()).await {
            Ok(()) => state.shown = statuses,
            Err(error) => {
                tracing::warn!(%error, "cannot show the plugins' states; trying again");
                state.decided_by = None;
            }
        }
    }

    /// Has a version run that came from a file.
    async fn activate(&self, state: &mut State, file: String, version: Arc<Version>) {
        let name = version.manifest.name.clone();
        let now = state.active.get(&name).cloned();
        if let Some(now) = &now {
            let is_same = now.version.hash == version.hash;
            if is_same && now.file == file {
                return;
            }
            // Until it is known what the file holds that it ran from, none other takes its place.
            if now.file != file && state.files.is_compiling(&now.file) {
                return;
            }
            if is_same {
                let why = format!("its file is {file} now");
                return self.put_in_place(state, Active { file, ..now.clone() }, why).await;
            }
        }
        let (trial, strikes) = match now {
            Some(now) => (self.trial(state, now, &version), 0),
            None => {
                let (trial, strikes) = self.trial_again(&state.marks, &name, &version).await.unzip();
                (trial, strikes.unwrap_or(0))
            }
        };
        let why = match &trial {
            Some(trial) => format!("from {file}, on probation; {} stands by", trial.standby.hash),
            None => format!("from {file}"),
        };
        self.put_in_place(state, Active { version, file, trial, strikes }, why).await;
    }

    /// The probation of a version that takes the place of another one, unless it has proved itself before.
    fn trial(&self, state: &State, now: Active, version: &Arc<Version>) -> Option<Arc<Trial>> {
        let name = &version.manifest.name;
        if state.marks.of(name, &version.hash).is_some_and(|known| known.is_proved) {
            return None;
        }
        // One that has not proved itself doesn't stand by for another one, as long as there is a better.
        let standby = now.trial.as_ref().map_or(now.version, |trial| trial.standby.clone());
        let is_good = state.marks.of(name, &standby.hash).is_none_or(|known| known.taken_back.is_none());
        let attention = self.registry.attention().clone();
        (is_good && standby.hash != version.hash).then(|| Arc::new(Trial::new(standby, 0, attention)))
    }

    /// Puts a version in place, and records it.
    async fn put_in_place(&self, state: &mut State, active: Active, why: String) {
        let version = active.version.clone();
        let (name, file) = (version_name(&version), active.file.clone());
        let is_proved = active.trial.is_none();
        state.active.insert(name.plugin.clone(), active);
        let recorded =
            self.store.version_became_active(name.clone(), file, is_proved, why, self.now_ms()).await;
        match recorded {
            Ok(()) => state.marks = self.marks().await.unwrap_or_else(|| state.marks.clone()),
            Err(error) => {
                let plugin = name.plugin;
                tracing::warn!(plugin, %error, "cannot record the active version; it runs all the same");
            }
        }
    }

    /// Has an older version run where the newer one may not.
    async fn fall_back(&self, state: &mut State, name: &str, plugin: &config::Plugin) {
        let Some(file) = wants_older(state, name, plugin) else { return };
        let choices: Vec<String> = match &plugin.pin {
            Some(pin) => vec![pin.clone()],
            None => state.marks.good(name).iter().map(|known| known.name.hash.clone()).collect(),
        };
        for hash in choices {
            if state.unusable.contains(&hash) {
                continue;
            }
            let running = state.running();
            let version = match running.iter().find(|version| version.hash == hash) {
                Some(version) => Ok(version.clone()),
                None => self.loader.kept(&hash, &self.config.load().loading).await,
            };
            match version {
                Ok(version)
                    if version.manifest.name == name
                        && judge(&version, Some(plugin), &state.marks) == Verdict::Run =>
                {
                    let why = match &plugin.pin {
                        Some(_) => "pinned by the config",
                        None => "the last good one, in the place of one that may not run",
                    };
                    let active = Active { version, file, trial: None, strikes: 0 };
                    return self.put_in_place(state, active, why.to_owned()).await;
                }
                Ok(_) => {}
                Err(reason) => {
                    tracing::warn!(plugin = name, version = hash, reason, "an older version can't be used");
                    state.unusable.insert(hash);
                }
            }
        }
    }

    /// Writes into the history of a plugin why a version that is there doesn't run.
    async fn note(&self, state: &State, config: &Config, statuses: &[PluginStatus]) {
        let is_new = |status: &&PluginStatus| !state.shown.contains(status);
        let is_refusal =
            |status: &&PluginStatus| matches!(&*status.state, "rejected" | "awaiting approval" | "pinned");
        for status in statuses.iter().filter(is_refusal).filter(is_new) {
            let (Some(plugin), Some(hash)) = (status.name.clone(), status.version.clone()) else { continue };
            if !config.plugins.contains_key(&plugin) {
                continue;
            }
            let release = status.release.clone().unwrap_or_default();
            let version = VersionName { plugin, hash, release, asks: status.asks.clone() };
            let (what, why) = (status.state.clone(), status.reason.clone());
            if let Err(error) = self.store.note_version(version, what, why, self.now_ms()).await {
                tracing::warn!(%error, "cannot write into a plugin's history");
            }
        }
    }
}

/// The file of a plugin for which an older version is to run: its newer one was taken back, isn't the pinned one, or
/// waits while nothing runs.
fn wants_older(state: &State, name: &str, plugin: &config::Plugin) -> Option<String> {
    let may_not = |version: &Version, verdicts: fn(&Verdict) -> bool| {
        verdicts(&judge(version, Some(plugin), &state.marks))
    };
    if let Some(active) = state.active.get(name) {
        let is_out = |verdict: &Verdict| matches!(verdict, Verdict::TakenBack(_) | Verdict::Pinned(_));
        return may_not(&active.version, is_out).then(|| active.file.clone());
    }
    let (file, version) = state.files.of_plugin(name)?;
    let waits = |verdict: &Verdict| {
        matches!(
            verdict,
            Verdict::TakenBack(_) | Verdict::Pinned(_) | Verdict::AwaitingApproval(_) | Verdict::Unapproved
        )
    };
    may_not(version, waits).then(|| file.clone())
}

/// What the store knows a version by.
pub(super) fn version_name(version: &Version) -> VersionName {
    VersionName {
        plugin: version.manifest.name.clone(),
        hash: version.hash.clone(),
        release: version.manifest.release.clone(),
        asks: version.asks.iter().cloned().collect(),
    }
}
