//! What the watcher knows of the folder and of what runs.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::candidate::Candidate;
use super::folder::Stamp;
use crate::config::Config;
use crate::limits::Loading;
use crate::registry::{Marks, Slot, Slots, Trial, Verdict, judge};
use crate::runtime::Version;
use crate::store::PluginStatus;

/// What is known of the folder and of what runs.
#[derive(Default)]
pub(super) struct State {
    pub(super) files: Files,
    /// Those that are to be loaded, as they were when they were found. No more than there are files.
    pub(super) queue: VecDeque<(String, Stamp)>,
    /// When it was last decided after a file was loaded.
    pub(super) told_at: Option<Instant>,
    /// What runs, by plugin.
    pub(super) active: HashMap<String, Active>,
    /// What is known of versions from earlier.
    pub(super) marks: Marks,
    /// Whether these have to be read again before anything is decided.
    pub(super) is_stale: bool,
    /// Kept versions that could not be loaded: not to be tried again and again.
    pub(super) unusable: BTreeSet<String>,
    /// The limits that the files were loaded by.
    pub(super) loaded_by: Option<Loading>,
    /// The config that was decided by last.
    pub(super) decided_by: Option<Arc<Config>>,
    /// What was shown last.
    pub(super) shown: Vec<PluginStatus>,
    /// Why the folder could not be read at the last look.
    pub(super) trouble: Option<String>,
}

/// A version that runs, and the file that it came from.
#[derive(Clone)]
pub(super) struct Active {
    pub(super) version: Arc<Version>,
    pub(super) file: String,
    /// If it is on probation.
    pub(super) trial: Option<Arc<Trial>>,
    /// Strikes that are recorded.
    pub(super) strikes: u32,
}

impl State {
    /// Has what was rejected looked at again if the limits are others now.
    pub(super) fn loaded_by(&mut self, limits: Loading) {
        if self.loaded_by.replace(limits).is_some_and(|before| before != limits) {
            self.files.forget_rejected();
            self.unusable.clear();
        }
    }

    /// Forgets the files that are gone, and what ran from them; answers whether there were any.
    pub(super) fn retain(&mut self, is_there: impl Fn(&String) -> bool) -> bool {
        let is_less = self.files.retain(&is_there);
        self.active.retain(|_, active| is_there(&active.file));
        is_less
    }

    /// The versions that run or stand by.
    pub(super) fn running(&self) -> Vec<Arc<Version>> {
        let of = |active: &Active| {
            let standby = active.trial.as_ref().map(|trial| trial.standby.clone());
            [Some(active.version.clone()), standby]
        };
        self.active.values().flat_map(of).flatten().collect()
    }

    /// The registry's content: every configured plugin, with the version that may run under this config.
    pub(super) fn slots(&self, config: &Config) -> Slots {
        let slot = |(name, plugin): (&String, &crate::config::Plugin)| {
            let may_run = |version: &Version| judge(version, Some(plugin), &self.marks) == Verdict::Run;
            let active = self.active.get(name).filter(|active| may_run(&active.version));
            let trial = active.and_then(|active| active.trial.clone());
            let slot = Slot {
                active: active.map(|active| active.version.clone()),
                // What is not allowed to run can't stand by either.
                trial: trial.filter(|trial| may_run(&trial.standby)),
                waiting: self.waiting(name),
                ..Slot::new(plugin)
            };
            (Arc::from(name.as_str()), slot)
        };
        config.plugins.iter().map(slot).collect()
    }

    /// The version that a plugin's file holds, if another one or none runs.
    fn waiting(&self, name: &str) -> Option<Arc<Version>> {
        let (_, version) = self.files.of_plugin(name)?;
        let runs = self.active.get(name).is_some_and(|active| active.version.hash == version.hash);
        (!runs).then(|| version.clone())
    }

    /// The content hashes of what is to be kept in the data folder.
    pub(super) fn kept(&self) -> BTreeSet<String> {
        let running = self.running();
        let of_file = |(_, candidate): (&String, &Candidate)| match candidate {
            Candidate::Loaded(version) => Some(version.hash.clone()),
            Candidate::Rejected { hash, .. } => hash.clone(),
            Candidate::Compiling => None,
        };
        let in_folder = self.files.all().filter_map(of_file);
        let mut kept = self.marks.kept();
        kept.extend(in_folder.chain(running.iter().map(|version| version.hash.clone())));
        if let Some(config) = &self.decided_by {
            kept.extend(config.plugins.values().filter_map(|plugin| plugin.pin.clone()));
        }
        kept
    }
}

/// The files of the folder, each as it was when it was loaded, and what came of it.
#[derive(Default)]
pub(super) struct Files(BTreeMap<String, (Stamp, Candidate)>);

impl Files {
    pub(super) fn all(&self) -> impl Iterator<Item = (&String, &Candidate)> {
        self.0.iter().map(|(file, (_, candidate))| (file, candidate))
    }

    /// The files that are plugins.
    pub(super) fn loaded(&self) -> impl Iterator<Item = (&String, &Arc<Version>)> {
        self.all().filter_map(|(file, candidate)| match candidate {
            Candidate::Loaded(version) => Some((file, version)),
            _ => None,
        })
    }

    pub(super) fn set(&mut self, file: String, stamp: Stamp, candidate: Candidate) {
        self.0.insert(file, (stamp, candidate));
    }

    /// Whether a file is as it was when it was loaded.
    pub(super) fn is_as_known(&self, file: &str, stamp: &Stamp) -> bool {
        self.0.get(file).is_some_and(|(known, _)| known == stamp)
    }

    /// Forgets files; answers whether there were any.
    pub(super) fn retain(&mut self, is_there: impl Fn(&String) -> bool) -> bool {
        let known = self.0.len();
        self.0.retain(|file, _| is_there(file));
        self.0.len() < known
    }

    fn forget_rejected(&mut self) {
        self.0.retain(|_, (_, candidate)| !matches!(candidate, Candidate::Rejected { .. }));
    }

    pub(super) fn is_compiling(&self, file: &str) -> bool {
        matches!(self.0.get(file), Some((_, Candidate::Compiling)))
    }

    pub(super) fn is_any_compiling(&self) -> bool {
        self.all().any(|(_, candidate)| matches!(candidate, Candidate::Compiling))
    }

    /// Another file with a plugin of the same name.
    pub(super) fn conflict(&self, file: &str, name: &str) -> Option<&String> {
        let is_another =
            |(other, version): &(&String, &Arc<Version>)| *other != file && version.manifest.name == name;
        self.loaded().find(is_another).map(|(other, _)| other)
    }

    /// The file of a plugin, if there is one and only one.
    pub(super) fn of_plugin(&self, name: &str) -> Option<(&String, &Arc<Version>)> {
        let (file, version) = self.loaded().find(|(_, version)| version.manifest.name == name)?;
        self.conflict(file, name).is_none().then_some((file, version))
    }

    /// Whether the file that a plugin ran from holds another plugin by now.
    pub(super) fn became_another(&self, name: &str, file: &str) -> bool {
        matches!(self.0.get(file), Some((_, Candidate::Loaded(version))) if version.manifest.name != name)
    }
}
