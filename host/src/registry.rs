//! Which version of each plugin runs, on which terms. Replaced as a whole, in one step, by the watcher and
//! on a change of the config; read without a lock by every attempt.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::tz::TimeZone;
use tokio::sync::{Notify, watch};

use crate::config;
use crate::event::types;
use crate::grant::Standing;
use crate::manifest::{Manifest, SettingsSchema};
use crate::runtime::{Terms, Version};
use crate::scheduler;

mod marks;
pub mod probation;
mod trial;

pub use marks::Marks;
pub use trial::{Chosen, Trial};

/// A configured plugin.
#[derive(Clone)]
pub struct Slot {
    /// What the config says of it.
    pub terms: Arc<Terms>,
    /// The version that runs; `None` while its deliveries have to wait.
    pub active: Option<Arc<Version>>,
    /// If that version is on probation.
    pub trial: Option<Arc<Trial>>,
    /// The version of its file, if that is another one.
    pub waiting: Option<Arc<Version>>,
}

/// All configured plugins, by name.
pub type Slots = HashMap<Arc<str>, Slot>;

/// A handle on the registry.
pub struct Registry {
    slots: ArcSwap<Slots>,
    changes: watch::Sender<()>,
    attention: Arc<Notify>,
}

impl Default for Registry {
    fn default() -> Registry {
        Registry { slots: ArcSwap::default(), changes: watch::channel(()).0, attention: Arc::default() }
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

    /// Tells the watcher that something is to be decided: a version failed or proved itself, or an operator said
    /// something of one.
    pub fn attention(&self) -> &Arc<Notify> {
        &self.attention
    }

    /// Is told of each swap.
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }
}

impl Slot {
    /// A plugin as the config has it, without a version.
    pub fn new(plugin: &config::Plugin) -> Slot {
        let terms = Terms {
            policy: plugin.policy.clone(),
            settings: plugin.settings.to_string(),
            limits: plugin.limits,
        };
        Slot { terms: Arc::new(terms), active: None, trial: None, waiting: None }
    }
}

/// Whether a version may run under a config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Run,
    /// The config has no section for the plugin.
    Unconfigured,
    /// It isn't enabled, or the config switches no event type on.
    Disabled,
    /// The config pins another version.
    Pinned(String),
    /// It was taken back, and why.
    TakenBack(String),
    /// It asks for capabilities on which the operator has not decided.
    AwaitingApproval(Vec<String>),
    /// The operator wants to be asked for each update.
    Unapproved,
    /// Config and plugin don't fit, and why.
    Rejected(String),
}

/// Decides whether a version may run under a config, by what is known of it from earlier.
pub fn judge(version: &Version, plugin: Option<&config::Plugin>, marks: &Marks) -> Verdict {
    let asked = Asked {
        manifest: &version.manifest,
        schema: &version.settings_schema,
        asks: &version.asks,
        hash: &version.hash,
    };
    verdict(asked, plugin, marks)
}

/// What is judged of a version.
#[derive(Clone, Copy)]
struct Asked<'a> {
    manifest: &'a Manifest,
    schema: &'a SettingsSchema,
    asks: &'a BTreeSet<String>,
    hash: &'a str,
}

fn verdict(asked: Asked<'_>, plugin: Option<&config::Plugin>, marks: &Marks) -> Verdict {
    let Some(plugin) = plugin else { return Verdict::Unconfigured };
    if let Err(reason) = fits(asked.manifest, asked.schema, plugin) {
        return Verdict::Rejected(reason);
    }
    if is_switched_off(asked.manifest, plugin) {
        return Verdict::Disabled;
    }
    let name = &asked.manifest.name;
    // What is pinned the operator has named: nothing else has to be asked of that version but its grants.
    match &plugin.pin {
        Some(pin) if pin != asked.hash => return Verdict::Pinned(pin.clone()),
        Some(_) => {}
        None => {
            let known = marks.of(name, asked.hash);
            if let Some(taken_back) = known.and_then(|known| known.taken_back.as_ref()) {
                return Verdict::TakenBack(taken_back.why.clone());
            }
        }
    }
    if let Standing::Undecided(open) = plugin.policy.standing(asked.asks) {
        return Verdict::AwaitingApproval(open);
    }
    let must_be_asked = plugin.updates == config::Updates::Approve && plugin.pin.is_none();
    match must_be_asked && marks.is_update(name, asked.hash) {
        true => Verdict::Unapproved,
        false => Verdict::Run,
    }
}

/// Whether a plugin has nothing to do by the operator's will.
pub fn is_switched_off(manifest: &Manifest, plugin: &config::Plugin) -> bool {
    !plugin.enabled || (plugin.events.is_empty() && !manifest.works_unasked())
}

/// Whether event types and settings of a config fit a version.
///
/// # Errors
/// A sentence for the operator.
pub fn check_fit(version: &Version, plugin: &config::Plugin) -> Result<(), String> {
    fits(&version.manifest, &version.settings_schema, plugin)
}

/// Whether a config fits the plugins that run; where it doesn't, whether a version that waits would run in its place.
///
/// # Errors
/// A sentence for the operator.
pub fn check_config(slots: &Slots, marks: &Marks, next: &config::Config) -> Result<(), String> {
    for (name, slot) in slots {
        let (Some(plugin), Some(active)) = (next.plugins.get(&**name), &slot.active) else { continue };
        let Err(reason) = check_fit(active, plugin) else { continue };
        match &slot.waiting {
            Some(waiting) if judge(waiting, Some(plugin), marks) == Verdict::Run => {}
            Some(waiting) if check_fit(waiting, plugin).is_ok() => {
                return Err(format!(
                    "{reason}. That is said of the version that runs; the one that waits fits: let it run first \
                     (chatplug plugins approve {name})"
                ));
            }
            _ => return Err(reason),
        }
    }
    Ok(())
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
    // Of which zone doesn't matter here.
    scheduler::schedules(manifest, plugin, &TimeZone::UTC)?;
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
    use crate::store::{KnownVersion, TakenBack, VersionName};

    fn plugin(events: &[&str], grants: &[&str], settings: serde_json::Value) -> config::Plugin {
        let own = |entries: &[&str]| entries.iter().map(|entry| (*entry).to_owned()).collect();
        let grants = grants.iter().map(|allow| Grant::whole(*allow)).collect();
        let policy = Policy { grants, denies: Vec::new() };
        let limits = Limits::default();
        let (updates, pin) = (config::Updates::Auto, None);
        config::Plugin {
            enabled: true,
            resting: Vec::new(),
            events: own(events),
            own_events: None,
            policy,
            settings,
            limits,
            updates,
            pin,
            schedules: Default::default(),
        }
    }

    fn check(plugin: Option<config::Plugin>, expected: Verdict) {
        check_known(plugin, Vec::new(), expected);
    }

    /// With what is known of versions of the plugin; the one that is judged is `sha256:new`.
    fn check_known(plugin: Option<config::Plugin>, known: Vec<KnownVersion>, expected: Verdict) {
        let manifest = Manifest {
            name: "p".into(),
            release: "1".into(),
            description: String::new(),
            events: vec!["chat_rated".into(), "incoming_chat".into()],
            connections: Vec::new(),
            livechat_calls: Vec::new(),
            wants_own_events: false,
            schedules: Vec::new(),
            commands: Vec::new(),
            settings_schema: json!({ "type": "object", "properties": { "low": { "type": "integer" } } }),
        };
        let asks = BTreeSet::from(["chats.tag".to_owned()]);
        let schema = SettingsSchema::new(&manifest.settings_schema).unwrap();
        let asked = Asked { manifest: &manifest, schema: &schema, asks: &asks, hash: "sha256:new" };
        assert_eq!(verdict(asked, plugin.as_ref(), &Marks::new(known)), expected);
    }

    fn known(hash: &str, ran: bool, taken_back: Option<&str>) -> KnownVersion {
        let (plugin, hash, release, asks) = ("p".into(), hash.into(), "1".into(), Vec::new());
        KnownVersion {
            name: VersionName { plugin, hash, release, asks },
            active_at_ms: ran.then_some(1),
            is_proved: ran,
            is_approved: false,
            strikes: 0,
            taken_back: taken_back.map(|why| TakenBack { by: None, why: why.to_owned() }),
        }
    }

    #[test]
    fn an_operator_may_pin_a_version_or_want_to_be_asked() {
        let plugin = || plugin(&["chat_rated"], &["chats.tag"], json!({}));
        let asking = || config::Plugin { updates: config::Updates::Approve, ..plugin() };
        let pinned = |pin: &str| config::Plugin { pin: Some(pin.to_owned()), ..asking() };
        let old = || known("sha256:old", true, None);
        let bad = || known("sha256:new", true, Some("it failed"));
        check_known(Some(plugin()), vec![old()], Verdict::Run);
        check_known(Some(asking()), vec![], Verdict::Run);
        check_known(Some(asking()), vec![old()], Verdict::Unapproved);
        check_known(Some(asking()), vec![old(), known("sha256:new", true, None)], Verdict::Run);
        check_known(Some(plugin()), vec![old(), bad()], Verdict::TakenBack("it failed".into()));
        check_known(Some(pinned("sha256:old")), vec![old()], Verdict::Pinned("sha256:old".into()));
        check_known(Some(pinned("sha256:new")), vec![old(), bad()], Verdict::Run);
        let ungranted = config::Plugin { policy: Policy::default(), ..pinned("sha256:new") };
        check_known(Some(ungranted), vec![], Verdict::AwaitingApproval(vec!["chats.tag".into()]));
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
