//! What operators do with plugins, whichever door they come through: switch event types on and off, let a version
//! run, go back to an older one. Config and store are changed; the host takes both up by itself.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Mutex;

use crate::config::edit::{Change, edit};
use crate::config::{self, Config, rewrite};
use crate::event::types;
use crate::grant::Standing;
use crate::registry::{Marks, Registry, Verdict, check_config, judge};
use crate::store::{DeedOfOperator, Error, PluginStatus, Store, VersionName};
use crate::watcher::Loader;

mod view;

pub use view::{PluginView, VersionView, view};

/// Where plugins are changed.
pub struct Plugins {
    config_path: PathBuf,
    /// None as long as no host has run with the config.
    store: Option<Store>,
    /// What runs; empty without a running host. Its watcher is told when something is to be decided anew.
    registry: Arc<Registry>,
    /// Loads kept versions, to see whether they may run.
    loader: Option<Loader>,
    /// One change of the file at a time.
    editing: Mutex<()>,
}

/// Why something is not done.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such plugin.
    #[error("{0}")]
    Unknown(String),
    /// It can't be done as things are.
    #[error("{0}")]
    Conflict(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Error),
}

/// The event types to switch.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switch {
    /// By their own names or older ones; none for all.
    pub events: Vec<String>,
}

/// What a plugin's section says after types were switched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switched {
    /// The plugin.
    pub plugin: String,
    /// The types that it got.
    pub before: Vec<String>,
    /// And gets.
    pub events: Vec<String>,
    /// Whether it may do anything now; one that works by its schedules gets no events.
    pub enabled: bool,
    /// Whether its section is another one now.
    pub changed: bool,
}

/// The version to approve.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Approve {
    /// Its content hash or the beginning of it, if it is to be this one and no other.
    pub version: Option<String>,
    /// What it asks for and is not to get.
    pub denies: Vec<String>,
    /// Whether it is only shown what would be done.
    pub dry_run: bool,
}

/// What approving a version means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The plugin.
    pub plugin: String,
    /// The version's content hash.
    pub version: String,
    /// The manifest's text for it.
    pub release: Option<String>,
    /// Why it waits.
    pub reason: String,
    /// The content hash of the version that runs meanwhile.
    pub serving: Option<String>,
    /// What it asks for and that one doesn't.
    pub more: Vec<String>,
    /// What that one asks for and it doesn't.
    pub less: Vec<String>,
    /// What is added to `grants`.
    pub grants: Vec<String>,
    /// What is added to `denies`.
    pub denies: Vec<String>,
}

/// The version to go back to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GoBack {
    /// The beginning of its content hash; by default the last good one.
    pub to: Option<String>,
}

/// What the host goes back from and to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WentBack {
    /// The plugin.
    pub plugin: String,
    /// The content hash of the version that ran.
    pub from: String,
    /// And of the one that runs.
    pub to: String,
}

impl Plugins {
    /// Changes this config and this store; `registry` is that of the host, if one runs. Without a `loader`, going
    /// back is not tried first.
    pub fn new(
        config_path: PathBuf,
        store: Option<Store>,
        registry: Arc<Registry>,
        loader: Option<Loader>,
    ) -> Plugins {
        Plugins { config_path, store, registry, loader, editing: Mutex::new(()) }
    }

    /// Enables a plugin and switches event types on; without any, those that it had, else all that it handles.
    ///
    /// # Errors
    /// If there is no such plugin or it handles them not; those of the file and of the store.
    pub async fn enable(
        &self,
        name: &str,
        wanted: Switch,
        statuses: &[PluginStatus],
        who: &str,
    ) -> Result<Switched, Refusal> {
        let status = statuses.iter().find(|status| status.name.as_deref() == Some(name));
        let handles: &[String] = status.map(|status| &*status.handles).unwrap_or_default();
        let handled =
            || handles.iter().map(|event| types::resolve(event).unwrap_or(event)).map(str::to_owned);
        let mut events = resolve(wanted.events)?;
        let section = self.load()?.plugins.remove(name);
        if status.is_none() && section.is_none() {
            return Err(unknown(name, statuses));
        }
        if let Some(event) =
            events.iter().find(|event| !handles.is_empty() && handled().all(|known| known != **event))
        {
            let text = format!("{name} does not handle `{event}`; it handles {}", handles.join(", "));
            return Err(Refusal::Conflict(text));
        }
        let has_types = section.is_some_and(|section| !section.resting.is_empty());
        if events.is_empty() && !has_types {
            events = handled().collect();
        }
        let works_unasked =
            status.is_some_and(|status| !(status.schedules.is_empty() && status.commands.is_empty()));
        if events.is_empty() && !has_types && !works_unasked {
            let text = format!(
                "it is not known what {name} handles, as long as no file is that plugin: name the types"
            );
            return Err(Refusal::Conflict(text));
        }
        self.switch(name, Change::Enable(&events), "plugins.enable", who).await
    }

    /// Switches event types off; without any, the plugin.
    ///
    /// # Errors
    /// If the config has no such plugin; those of the file and of the store.
    pub async fn disable(&self, name: &str, wanted: Switch, who: &str) -> Result<Switched, Refusal> {
        let events = resolve(wanted.events)?;
        let events = (!events.is_empty()).then_some(&*events);
        self.switch(name, Change::Disable(events), "plugins.disable", who).await
    }

    async fn switch(
        &self,
        name: &str,
        change: Change<'_>,
        action: &'static str,
        who: &str,
    ) -> Result<Switched, Refusal> {
        let (before, after) = self.change(name, change).await?;
        let events = |config: &Config| config.plugins.get(name).map(|plugin| plugin.events.clone());
        let is_changed = before.plugins.get(name) != after.plugins.get(name);
        let before = events(&before);
        let switched = Switched {
            plugin: name.to_owned(),
            before: before.clone().unwrap_or_default(),
            events: events(&after).unwrap_or_default(),
            enabled: after.plugins.get(name).is_some_and(|plugin| plugin.enabled),
            changed: is_changed,
        };
        let deed = DeedOfOperator {
            who: who.to_owned(),
            action,
            subject: name.to_owned(),
            before: before.map(|events| json!({ "events": events })),
            after: Some(json!({ "events": switched.events })),
        };
        self.note(deed).await?;
        Ok(switched)
    }

    /// Lets a version run that waits for it: what it asks for is granted (but what is named in `denies`), and if it
    /// was taken back that is forgotten.
    ///
    /// # Errors
    /// If no version of the plugin waits, or another one; those of the file and of the store.
    pub async fn approve(
        &self,
        name: &str,
        wanted: Approve,
        statuses: &[PluginStatus],
        who: &str,
    ) -> Result<Approval, Refusal> {
        let status = statuses.iter().find(|status| status.name.as_deref() == Some(name));
        let status = status.ok_or_else(|| unknown(name, statuses))?;
        let (config, marks) = (self.load()?, self.marks().await?);
        let approval = approval(name, &wanted, status, &config, &marks)?;
        if wanted.dry_run {
            return Ok(approval);
        }
        let Approval { grants, denies, version, .. } = &approval;
        if !grants.is_empty() || !denies.is_empty() {
            self.change(name, Change::Decide { grants, denies }).await?;
        }
        let deed = DeedOfOperator {
            who: who.to_owned(),
            action: "plugins.approve",
            subject: name.to_owned(),
            before: Some(json!({ "version": approval.serving, "state": status.state })),
            after: Some(json!({ "version": version, "grants": grants, "denies": denies })),
        };
        if let Some(store) = &self.store {
            let version = VersionName {
                plugin: name.to_owned(),
                hash: version.clone(),
                release: approval.release.clone().unwrap_or_default(),
                asks: status.asks.clone(),
            };
            store.approve_version(version, deed, now_ms(store)).await?;
        }
        self.registry.attention().notify_one();
        Ok(approval)
    }

    /// Takes the version that runs back, in favour of an older one.
    ///
    /// # Errors
    /// If there is none to go back to; those of the store.
    pub async fn go_back(&self, name: &str, wanted: GoBack, who: &str) -> Result<WentBack, Refusal> {
        let conflict = |text: String| Err(Refusal::Conflict(text));
        let Some(store) = &self.store else {
            return conflict(format!("no version of {name} has run yet"));
        };
        let (config, marks) = (self.load()?, self.marks().await?);
        if config.plugins.get(name).is_some_and(|plugin| plugin.pin.is_some()) {
            return conflict(format!("`pin` of [plugin.{name}] says which version runs: change that"));
        }
        let active = store.good_versions().await?.into_iter().find(|good| good.plugin == name);
        let Some(current) = active.as_ref().and_then(|active| marks.of(name, &active.hash)) else {
            return conflict(format!("no version of {name} has run yet"));
        };
        let kept = marks.kept();
        let older = marks.good(name).into_iter().map(|known| &known.name.hash);
        let mut older = older.filter(|hash| **hash != current.name.hash && kept.contains(*hash));
        let to = match wanted.to.as_deref().filter(|to| !to.is_empty()) {
            Some(to) => older.find(|hash| begins_with(hash, to)),
            None => older.next(),
        };
        let Some(to) = to.cloned() else {
            let text =
                "there is no such good version that is kept; `chatplug plugins show` lists those that are";
            return conflict(text.to_owned());
        };
        self.try_version(name, &to, &config, &marks).await?;
        let from = current.name.hash.clone();
        let deed = DeedOfOperator {
            who: who.to_owned(),
            action: "plugins.rollback",
            subject: name.to_owned(),
            before: Some(json!({ "version": from })),
            after: Some(json!({ "version": to })),
        };
        let why = format!("taken back by {who} in favour of {to}");
        store.take_version_back(current.name.clone(), to.clone(), why, Some(deed), now_ms(store)).await?;
        self.registry.attention().notify_one();
        Ok(WentBack { plugin: name.to_owned(), from, to })
    }

    /// Whether a kept version may run as things are.
    async fn try_version(
        &self,
        name: &str,
        hash: &str,
        config: &Config,
        marks: &Marks,
    ) -> Result<(), Refusal> {
        let Some(loader) = &self.loader else { return Ok(()) };
        let conflict = |why: String| Err(Refusal::Conflict(format!("{hash} can't run: {why}")));
        let version = match loader.kept(hash, &config.loading).await {
            Ok(version) => version,
            Err(reason) => return conflict(reason),
        };
        match judge(&version, config.plugins.get(name), marks) {
            Verdict::Run => Ok(()),
            Verdict::Rejected(reason) => conflict(reason),
            Verdict::AwaitingApproval(open) => conflict(format!(
                "it asks for {}: add each to `grants` or to `denies` of [plugin.{name}]",
                open.join(", ")
            )),
            Verdict::Disabled | Verdict::Unconfigured => {
                conflict(format!("[plugin.{name}] switches no event type on"))
            }
            Verdict::TakenBack(why) => conflict(format!("it was taken back: {why}")),
            Verdict::Pinned(_) | Verdict::Unapproved => conflict("the config names another one".to_owned()),
        }
    }

    async fn marks(&self) -> Result<Marks, Error> {
        match &self.store {
            Some(store) => store.versions().await.map(Marks::new),
            None => Ok(Marks::default()),
        }
    }

    fn load(&self) -> Result<Config, Refusal> {
        Config::load(&self.config_path).map_err(|problems| Refusal::Conflict(problems.to_string()))
    }

    async fn change(&self, name: &str, change: Change<'_>) -> Result<(Config, Config), Refusal> {
        let _one_at_a_time = self.editing.lock().await;
        let (slots, marks) = (self.registry.all(), self.marks().await?);
        let check = |next: &Config| check_config(&slots, &marks, next);
        rewrite(&self.config_path, |text| edit(text, name, change), check).map_err(Refusal::Conflict)
    }

    /// Writes into the audit log what was done to the config.
    async fn note(&self, deed: DeedOfOperator) -> Result<(), Refusal> {
        let Some(store) = &self.store else { return Ok(()) };
        store.note_deed(deed, now_ms(store)).await.map_err(|error| {
            let text =
                format!("the config was changed, but that could not be written into the audit log: {error}");
            Refusal::Conflict(text)
        })
    }
}

/// As much of a content hash as people compare.
pub fn short(hash: &str) -> &str {
    let hex = hash.strip_prefix("sha256:").unwrap_or(hash);
    hex.get(..12).unwrap_or(hex)
}

/// Whether a content hash begins with a text, with the name of its kind or without.
fn begins_with(hash: &str, text: &str) -> bool {
    hash.starts_with(text) || hash.strip_prefix("sha256:").is_some_and(|hex| hex.starts_with(text))
}

/// What approving the version of a status means.
fn approval(
    name: &str,
    wanted: &Approve,
    status: &PluginStatus,
    config: &Config,
    marks: &Marks,
) -> Result<Approval, Refusal> {
    let conflict = |text: String| Err(Refusal::Conflict(text));
    let waits = matches!(&*status.state, "awaiting approval" | "rolled back");
    let (true, Some(version)) = (waits, status.version.clone()) else {
        return conflict(format!("no version of {name} waits for approval: it is {}", status.state));
    };
    if wanted.version.as_ref().is_some_and(|wanted| !begins_with(&version, wanted)) {
        return conflict(format!("another version of {name} waits by now: {version}"));
    }
    let asks: BTreeSet<String> = status.asks.iter().cloned().collect();
    let policy =
        config.plugins.get(name).map(|plugin: &config::Plugin| plugin.policy.clone()).unwrap_or_default();
    let open = match policy.standing(&asks) {
        Standing::Decided => Vec::new(),
        Standing::Undecided(open) => open,
    };
    if let Some(other) = wanted.denies.iter().find(|deny| !open.contains(deny)) {
        return conflict(format!("`{other}` is not among what is to be decided: {}", open.join(", ")));
    }
    let (denies, grants) = open.into_iter().partition(|ask| wanted.denies.contains(ask));
    let serving = status.serving.as_ref().and_then(|hash| marks.of(name, hash));
    let had: BTreeSet<String> =
        serving.map(|known| known.name.asks.iter().cloned().collect()).unwrap_or_default();
    Ok(Approval {
        plugin: name.to_owned(),
        version,
        release: status.release.clone(),
        reason: status.reason.clone(),
        serving: status.serving.clone(),
        more: asks.difference(&had).cloned().collect(),
        less: had.difference(&asks).cloned().collect(),
        grants,
        denies,
    })
}

fn resolve(events: Vec<String>) -> Result<Vec<String>, Refusal> {
    let resolve = |event: String| types::resolve(&event).map(str::to_owned).map_err(Refusal::Conflict);
    events.into_iter().map(resolve).collect()
}

fn unknown(name: &str, statuses: &[PluginStatus]) -> Refusal {
    let known: Vec<&str> = statuses.iter().filter_map(|status| status.name.as_deref()).collect();
    let hint = match (types::nearest(name, known.iter().copied()), known.is_empty()) {
        (Some(nearest), _) => format!("did you mean `{nearest}`?"),
        (None, true) => "there are none in the folder and in the config".to_owned(),
        (None, false) => format!("there are {}", known.join(", ")),
    };
    Refusal::Unknown(format!("there is no plugin `{}`; {hint}", name.escape_debug()))
}

fn now_ms(store: &Store) -> i64 {
    store.clock().now_ms()
}
