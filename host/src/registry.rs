//! Which version of each plugin runs, on which terms. Replaced as a whole, in one step, by the watcher and
//! on a change of the config; read without a lock by every attempt.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::config;
use crate::event::types;
use crate::grant::Standing;
use crate::manifest::{Manifest, SettingsSchema};
use crate::runtime::{Terms, Version};

/// A configured plugin.
#[derive(Clone)]
pub struct Slot {
    /// What the config says of it.
    pub terms: Arc<Terms>,
    /// The version that runs; `None` while its deliveries have to wait.
    pub active: Option<Arc<Version>>,
}

/// All configured plugins, by name.
pub type Slots = HashMap<Arc<str>, Slot>;

/// A handle on the registry.
pub struct Registry {
    slots: ArcSwap<Slots>,
    changes: watch::Sender<()>,
}

impl Default for Registry {
    fn default() -> Registry {
        Registry { slots: ArcSwap::default(), changes: watch::channel(()).0 }
    }
}

impl Registry {
    /// A plugin, if the config has it.
    pub fn get(&self, plugin: &str) -> Option<Slot> {
        self.slots.load().get(plugin).cloned()
    }

    /// All configured plugins as they are now.
    pub fn all(&self) -> Arc<Slots> {
        self.slots.load_full()
    }

    /// Puts other plugins, versions or terms in place, all at once. Attempts that run go on as they began.
    pub fn swap(&self, slots: Slots) {
        self.slots.store(Arc::new(slots));
        self.changes.send_replace(());
    }

    /// Is told of each swap.
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }
}

impl Slot {
    /// A plugin as the config has it, running `active`.
    pub fn new(plugin: &config::Plugin, active: Option<Arc<Version>>) -> Slot {
        let terms = Terms {
            policy: plugin.policy.clone(),
            settings: plugin.settings.to_string(),
            limits: plugin.limits,
        };
        Slot { terms: Arc::new(terms), active }
    }
}

/// Whether a version may run under a config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Run,
    /// The config has no section for the plugin.
    Unconfigured,
    /// The config switches no event type on.
    Disabled,
    /// It asks for capabilities on which the operator has not decided.
    AwaitingApproval(Vec<String>),
    /// Config and plugin don't fit, and why.
    Rejected(String),
}

/// Decides whether a version may run under a config.
pub fn judge(version: &Version, plugin: Option<&config::Plugin>) -> Verdict {
    verdict(&version.manifest, &version.settings_schema, &version.asks, plugin)
}

fn verdict(
    manifest: &Manifest,
    schema: &SettingsSchema,
    asks: &BTreeSet<String>,
    plugin: Option<&config::Plugin>,
) -> Verdict {
    let Some(plugin) = plugin else { return Verdict::Unconfigured };
    if let Err(reason) = fits(manifest, schema, plugin) {
        return Verdict::Rejected(reason);
    }
    if plugin.events.is_empty() {
        return Verdict::Disabled;
    }
    match plugin.policy.standing(asks) {
        Standing::Decided => Verdict::Run,
        Standing::Undecided(open) => Verdict::AwaitingApproval(open),
    }
}

/// Whether event types and settings of a config fit a version.
///
/// # Errors
/// A sentence for the operator.
pub fn check_fit(version: &Version, plugin: &config::Plugin) -> Result<(), String> {
    fits(&version.manifest, &version.settings_schema, plugin)
}

fn fits(manifest: &Manifest, schema: &SettingsSchema, plugin: &config::Plugin) -> Result<(), String> {
    let name = &manifest.name;
    let handled: Vec<&str> =
        manifest.events.iter().map(|event| types::resolve(event).unwrap_or(event.as_str())).collect();
    for event in &plugin.events {
        if !handled.contains(&event.as_str()) {
            let hint = match types::nearest(event, handled.iter().copied()) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("it handles {}", handled.join(", ")),
            };
            return Err(format!(
                "`events` of [plugin.{name}] has `{event}`, which the plugin does not handle; {hint}"
            ));
        }
    }
    own_events(manifest.wants_own_events, plugin.own_events)
        .map_err(|reason| format!("[plugin.{name}] {reason}"))?;
    schema.check(&plugin.settings).map_err(|reason| format!("the settings of [plugin.{name}] {reason}"))
}

/// Whether the operator has decided on the events that a plugin causes itself, if it wants them.
fn own_events(wants: bool, decided: Option<bool>) -> Result<(), &'static str> {
    match (wants, decided) {
        (true, None) => {
            Err("has to say whether the plugin gets the events that it causes itself, which it wants: \
             own_events = true, or false to keep them from it")
        }
        (false, Some(true)) => {
            Err("has own_events = true, but the plugin doesn't want what it causes itself: \
             remove the line")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::grant::{Grant, Policy};
    use crate::limits::Limits;

    fn plugin(events: &[&str], grants: &[&str], settings: serde_json::Value) -> config::Plugin {
        let own = |entries: &[&str]| entries.iter().map(|entry| (*entry).to_owned()).collect();
        let grants = grants.iter().map(|allow| Grant::whole(*allow)).collect();
        let policy = Policy { grants, denies: Vec::new() };
        let limits = Limits::default();
        config::Plugin { events: own(events), own_events: None, policy, settings, limits }
    }

    fn check(plugin: Option<config::Plugin>, expected: Verdict) {
        let manifest = Manifest {
            name: "p".into(),
            release: "1".into(),
            description: String::new(),
            events: vec!["chat_rated".into(), "incoming_chat".into()],
            connections: Vec::new(),
            wants_own_events: false,
            settings_schema: json!({ "type": "object", "properties": { "low": { "type": "integer" } } }),
        };
        let asks = BTreeSet::from(["chats.tag".to_owned()]);
        let schema = SettingsSchema::new(&manifest.settings_schema).unwrap();
        assert_eq!(verdict(&manifest, &schema, &asks, plugin.as_ref()), expected);
    }

    #[test]
    fn a_version_runs_only_if_the_operator_has_decided_everything() {
        check(None, Verdict::Unconfigured);
        check(Some(plugin(&[], &["chats.tag"], json!({}))), Verdict::Disabled);
        check(Some(plugin(&["chat_rated"], &["chats.tag"], json!({ "low": 1 }))), Verdict::Run);
        check(
            Some(plugin(&["chat_rated"], &[], json!({}))),
            Verdict::AwaitingApproval(vec!["chats.tag".into()]),
        );
    }

    #[test]
    fn a_plugin_that_wants_its_own_events_needs_a_decision() {
        for (wants, decided, is_fine) in [
            (false, None, true),
            (false, Some(false), true),
            (false, Some(true), false),
            (true, None, false),
            (true, Some(true), true),
            (true, Some(false), true),
        ] {
            assert_eq!(own_events(wants, decided).is_ok(), is_fine, "{wants} {decided:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let reason = "`events` of [plugin.p] has `incoming_event`, which the plugin does not handle; did you mean `incoming_chat`?";
        check(Some(plugin(&["incoming_event"], &["chats.tag"], json!({}))), Verdict::Rejected(reason.into()));
        let reason =
            "the settings of [plugin.p] do not fit the plugin at /low: \"x\" is not of type \"integer\"";
        check(
            Some(plugin(&["chat_rated"], &["chats.tag"], json!({ "low": "x" }))),
            Verdict::Rejected(reason.into()),
        );
    }
}
