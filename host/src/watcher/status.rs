//! What an operator is shown of each file and each configured plugin.

use super::candidate::Candidate;
use super::state::State;
use crate::config::{self, Config};
use crate::grant::Policy;
use crate::manifest;
use crate::plugins::short;
use crate::registry::{Marks, Slots, Verdict, judge};
use crate::runtime::Version;
use crate::scheduler;
use crate::store::{CommandStatus, PluginStatus};

/// The status of every file, then of every configured plugin without one.
pub(super) fn of_all(config: &Config, state: &State, slots: &Slots) -> Vec<PluginStatus> {
    let State { files, active, marks, .. } = state;
    // A file that can't be read that far is known by what ran from it before.
    let named = |file: &String, status: PluginStatus| PluginStatus {
        name: active.iter().find(|(_, active)| active.file == *file).map(|(name, _)| name.clone()),
        file: Some(file.clone()),
        ..status
    };
    let of_file = |(file, candidate): (&String, &Candidate)| match candidate {
        Candidate::Loaded(version) => {
            of_version(config, marks, file, version, files.conflict(file, &version.manifest.name))
        }
        Candidate::Compiling => named(file, blank("compiling", "")),
        Candidate::Rejected { hash, reason } => {
            named(file, PluginStatus { version: hash.clone(), ..blank("rejected", reason) })
        }
    };
    let mut statuses: Vec<PluginStatus> = files.all().map(of_file).collect();
    let is_compiling = files.is_any_compiling();
    for name in config.plugins.keys() {
        if !statuses.iter().any(|status| status.name.as_ref() == Some(name)) {
            statuses.push(without_file(config, name, is_compiling));
        }
    }
    for status in &mut statuses {
        let slot = status.name.as_deref().and_then(|name| slots.get(name));
        let running = slot.and_then(|slot| slot.active.as_ref()).map(|version| version.hash.clone());
        let runs = running.is_some() && running == status.version;
        let trial = slot.and_then(|slot| slot.trial.as_ref()).filter(|_| runs);
        status.standby = trial.map(|trial| trial.standby.hash.clone());
        status.serving = running.filter(|_| !runs);
    }
    statuses
}

/// The status of every configured plugin where all are off.
pub(super) fn all_off(config: &Config) -> Vec<PluginStatus> {
    let reason = "the host runs in safe mode, all plugins are off; its events wait until it is started without \
                  --safe-mode";
    let off = |name: &String| PluginStatus {
        state: "off".to_owned(),
        reason: reason.to_owned(),
        ..without_file(config, name, false)
    };
    config.plugins.keys().map(off).collect()
}

/// The status of a configured plugin that no file is, as far as is known.
fn without_file(config: &Config, name: &str, is_compiling: bool) -> PluginStatus {
    let plugin = &config.plugins[name];
    let reason = format!(
        "the config has [plugin.{name}], but no file in {} is that plugin; its events wait",
        config.plugins_dir.display()
    );
    PluginStatus {
        name: Some(name.to_owned()),
        events: plugin.events.clone(),
        grants: written(&plugin.policy),
        denies: plugin.policy.denies.clone(),
        ..if is_compiling { blank("compiling", "") } else { blank("absent", &reason) }
    }
}

fn of_version(
    config: &Config,
    marks: &Marks,
    file: &str,
    version: &Version,
    conflict: Option<&String>,
) -> PluginStatus {
    let manifest = &version.manifest;
    let plugin = config.plugins.get(&manifest.name);
    let (state, reason) = state_of(version, conflict, judge(version, plugin, marks));
    PluginStatus {
        name: Some(manifest.name.clone()),
        file: Some(file.to_owned()),
        version: Some(version.hash.clone()),
        release: Some(manifest.release.clone()),
        handles: manifest.events.clone(),
        schedules: plugin.map(|plugin| in_effect(config, version, plugin)).unwrap_or_default(),
        commands: manifest.commands.iter().map(command).collect(),
        events: plugin.map(|plugin| plugin.events.clone()).unwrap_or_default(),
        asks: version.asks.iter().cloned().collect(),
        grants: plugin.map(|plugin| written(&plugin.policy)).unwrap_or_default(),
        denies: plugin.map(|plugin| plugin.policy.denies.clone()).unwrap_or_default(),
        ..blank(state, &reason)
    }
}

/// The schedules of a version under a config, in words.
fn in_effect(config: &Config, version: &Version, plugin: &config::Plugin) -> Vec<String> {
    let zone = scheduler::account_zone(config);
    // Where they don't fit the version is rejected, with the reason.
    let schedules = scheduler::schedules(&version.manifest, plugin, &zone).unwrap_or_default();
    schedules.iter().map(|(name, _, rule)| format!("{name}: {}", rule.as_str())).collect()
}

fn command(command: &manifest::Command) -> CommandStatus {
    CommandStatus { name: command.name.clone(), description: command.description.clone() }
}

/// The word for a version's state, and the reason with what to do.
fn state_of(version: &Version, conflict: Option<&String>, verdict: Verdict) -> (&'static str, String) {
    let manifest = &version.manifest;
    let name = &manifest.name;
    // With the hash: whoever reads this approves what was looked at, even if the file is another one by then.
    let approve = format!("`chatplug plugins approve {name} --version {}`", short(&version.hash));
    match (conflict, verdict) {
        (Some(other), _) => (
            "conflict",
            format!(
                "{other} is the plugin `{name}` too: remove one of the files; neither replaces what runs"
            ),
        ),
        (None, Verdict::Run) => ("active", String::new()),
        (None, Verdict::Unconfigured) => {
            ("unconfigured", format!("add this to the config:\n{}", section(version)))
        }
        (None, Verdict::Disabled) => (
            "disabled",
            format!("`events` of [plugin.{name}] is empty; it handles {}", manifest.events.join(", ")),
        ),
        (None, Verdict::AwaitingApproval(open)) => (
            "awaiting approval",
            format!(
                "it asks for {}: {approve} grants that; or add each to `grants` or to `denies` of [plugin.{name}]",
                open.join(", ")
            ),
        ),
        (None, Verdict::Unapproved) => (
            "awaiting approval",
            format!("`updates` of [plugin.{name}] is \"approve\": {approve} lets it run"),
        ),
        (None, Verdict::Pinned(pin)) => (
            "pinned",
            format!("`pin` of [plugin.{name}] lets {pin} run and no other: change it, or take it out"),
        ),
        (None, Verdict::TakenBack(why)) => ("rolled back", format!("{why}; {approve} lets it run once more")),
        (None, Verdict::Rejected(reason)) => ("rejected", reason),
    }
}

/// The grants as they are written into the config.
fn written(policy: &Policy) -> Vec<String> {
    policy.grants.iter().map(ToString::to_string).collect()
}

/// The section of the config that switches a plugin on with all that it asks for.
fn section(version: &Version) -> String {
    let list = |items: &mut dyn Iterator<Item = &String>| {
        items.map(|item| format!("{item:?}")).collect::<Vec<_>>().join(", ")
    };
    let own_events = if version.manifest.wants_own_events { "own_events = true\n" } else { "" };
    format!(
        "[plugin.{}]\nevents = [{}]\n{own_events}grants = [{}]",
        version.manifest.name,
        list(&mut version.manifest.events.iter()),
        list(&mut version.asks.iter())
    )
}

fn blank(state: &str, reason: &str) -> PluginStatus {
    PluginStatus {
        name: None,
        file: None,
        version: None,
        release: None,
        state: state.to_owned(),
        reason: reason.to_owned(),
        serving: None,
        standby: None,
        handles: Vec::new(),
        schedules: Vec::new(),
        commands: Vec::new(),
        events: Vec::new(),
        asks: Vec::new(),
        grants: Vec::new(),
        denies: Vec::new(),
    }
}

/// A log line for each status that is new.
pub(super) fn tell(before: &[PluginStatus], after: &[PluginStatus]) {
    for status in after.iter().filter(|status| !before.contains(status)) {
        let plugin = status.name.as_deref().unwrap_or_default();
        let file = status.file.as_deref().unwrap_or_default();
        let version = status.version.as_deref().unwrap_or_default();
        let (state, reason, serving) =
            (&status.state, &status.reason, status.serving.as_deref().unwrap_or_default());
        if state == "compiling" {
            tracing::debug!(plugin, file, "compiling {}", if file.is_empty() { plugin } else { file });
        } else if state == "active" || state == "disabled" {
            tracing::info!(plugin, file, version, "{plugin} is {state}");
        } else {
            tracing::warn!(
                plugin,
                file,
                version,
                serving,
                "{} is {state}: {reason}",
                if plugin.is_empty() { file } else { plugin }
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::folder::Stamp;
    use super::super::state::Files;
    use super::*;

    const CONFIG: &str = "[plugin.crm-notes]\nevents = [\"chat_deactivated\"]\n";

    fn check(files: &[(&str, Candidate)], expected: &[(&str, &str)]) {
        let config = Config::parse(CONFIG, "/etc/chatplug.toml", &|_| None).expect("a config");
        let mut found = Files::default();
        for (file, candidate) in files {
            found.set((*file).to_owned(), Stamp::default(), candidate.clone());
        }
        let state = State { files: found, ..State::default() };
        let statuses = of_all(&config, &state, &Slots::default());
        let shown: Vec<(&str, &str)> = statuses
            .iter()
            .map(|status| {
                (status.name.as_deref().or(status.file.as_deref()).unwrap_or_default(), &*status.state)
            })
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_plugin_is_not_absent_as_long_as_its_file_may_be_among_those_being_compiled() {
        let bad = || Candidate::Rejected { hash: None, reason: "half a file".to_owned() };
        check(&[], &[("crm-notes", "absent")]);
        check(&[("a.wasm", bad())], &[("a.wasm", "rejected"), ("crm-notes", "absent")]);
        check(
            &[("a.wasm", bad()), ("b.wasm", Candidate::Compiling)],
            &[("a.wasm", "rejected"), ("b.wasm", "compiling"), ("crm-notes", "compiling")],
        );
    }
}
