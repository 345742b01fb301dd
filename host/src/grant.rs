//! Grants: what an operator lets a plugin do. The one place where it is decided.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

mod entry;
mod pattern;
pub mod rate;
#[cfg(test)]
mod tests;

pub use entry::{Grant, METHODS};
pub use pattern::PathPattern;

use crate::action::livechat::Api;
use crate::action::livechat::direct::check_name;
use rate::Rated;

/// Capabilities that need a grant: host functions as `interface.function`. `settings`, `log` and `memory`
/// need none.
pub const CAPABILITIES: &[&str] = &[
    "agents.get-agent",
    "agents.list-agents",
    "agents.list-groups",
    "agents.list-routing-statuses",
    "agents.list-tags",
    "agents.set-routing-status",
    "chats.assign",
    "chats.deactivate",
    "chats.get-chat",
    "chats.list-archives",
    "chats.list-chats",
    "chats.remove-user",
    "chats.send-message",
    "chats.send-note",
    "chats.set-properties",
    "chats.tag",
    "chats.transfer",
    "chats.untag",
    "customers.ban",
    "customers.get",
    "customers.update",
    "reports.availability",
    "reports.duration",
    "reports.engagement",
    "reports.first-response-time",
    "reports.groups",
    "reports.performance",
    "reports.queued",
    "reports.ranking",
    "reports.ratings",
    "reports.response-time",
    "reports.tags",
    "reports.total-chats",
    "reports.visitors",
];

/// The capability of sending requests to a connection.
pub fn http(connection: &str) -> String {
    format!("http:{connection}")
}

/// What the capability of a call that a plugin names itself begins with.
const LIVECHAT: &str = "livechat:";

/// The capability of a call to LiveChat by its name, such as `configuration.create_tag`.
pub fn livechat(name: &str) -> String {
    format!("{LIVECHAT}{name}")
}

/// What a plugin is about to do.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// The capability that it takes.
    pub capability: Cow<'a, str>,
    /// What a grant can be narrowed by.
    pub facts: Facts<'a>,
}

/// What a grant can be narrowed by.
#[derive(Clone, Debug)]
pub enum Facts<'a> {
    /// Nothing.
    None,
    /// To whom it goes.
    Target {
        /// Ids of groups.
        groups: &'a [i64],
        /// Ids of agents.
        agents: &'a [String],
    },
    /// With which tag.
    Tag(&'a str),
    /// A request to a connection.
    Request {
        /// Its method.
        method: &'a str,
        /// Its path below the base URL, as the plugin wrote it.
        path: &'a str,
    },
}

/// What an operator wrote under `grants` and `denies` of a plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// What it may do.
    pub grants: Vec<Grant>,
    /// What it may not do: capabilities, or all of an interface. Wins over `grants`.
    pub denies: Vec<String>,
}

/// Whether a version may run, by what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Each ask was granted or denied: the operator has decided.
    Decided,
    /// Nobody has decided on these asks yet: the version waits.
    Undecided(Vec<String>),
}

/// Why a call was not simply made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The plugin has not asked for it.
    NotAsked,
    /// The operator denies it.
    Denied,
    /// The operator has not granted it.
    NotGranted,
    /// It is beyond the bounds of the grants.
    OutOfBounds,
    /// The grants for it were used up; it waited.
    TooOften,
}

impl Why {
    /// All of them.
    pub const ALL: [Why; 5] = [Why::NotAsked, Why::Denied, Why::NotGranted, Why::OutOfBounds, Why::TooOften];

    /// The word in listings, in the store and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Why::NotAsked => "not asked for",
            Why::Denied => "denied",
            Why::NotGranted => "not granted",
            Why::OutOfBounds => "out of bounds",
            Why::TooOften => "too often",
        }
    }
}

/// A call that may not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub why: Why,
    /// A sentence for the operator that says what to grant, or for the author what to declare.
    pub text: String,
}

/// The decisions of a run that were not a plain yes, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decisions(BTreeMap<(String, Why), u32>);

impl Decisions {
    /// Notes one. The name of a connection or call that a plugin has not declared is the plugin's own text, and is left
    /// out.
    pub fn note(&mut self, capability: &str, why: Why) {
        let capability = match why {
            Why::NotAsked if capability.starts_with("http:") => "http:(undeclared)",
            Why::NotAsked if capability.starts_with(LIVECHAT) => "livechat:(undeclared)",
            _ => capability,
        };
        *self.0.entry((capability.to_owned(), why)).or_default() += 1;
    }

    /// The capability, the reason, and how often, of each.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Why, u32)> {
        self.0.iter().map(|((capability, why), count)| (capability.as_str(), *why, *count))
    }
}

impl Policy {
    /// Whether the operator has decided on everything that a version asks for.
    pub fn standing(&self, asks: &BTreeSet<String>) -> Standing {
        let granted = |ask: &str| self.grants.iter().any(|grant| covers(&grant.allow, ask));
        let decided = |ask: &String| granted(ask) || self.denies(ask);
        let open: Vec<String> = asks.iter().filter(|ask| !decided(ask)).cloned().collect();
        if open.is_empty() { Standing::Decided } else { Standing::Undecided(open) }
    }

    /// Whether a call may be made, rates aside. `asks` is what the running version asked for: what it did not ask
    /// for is denied even where it is granted.
    ///
    /// # Errors
    /// Why not.
    pub fn allows(&self, plugin: &str, asks: &BTreeSet<String>, asked: &Asked<'_>) -> Result<(), Refusal> {
        let capability = &*asked.capability;
        let refused = |why, text| Err(Refusal { why, text });
        if !asks.contains(capability) {
            let text = format!("`{capability}` is not declared by the plugin: name it in its manifest");
            return refused(Why::NotAsked, text);
        }
        if self.denies(capability) {
            let text = format!("`{capability}` is denied by the operator (`denies` of [plugin.{plugin}])");
            return refused(Why::Denied, text);
        }
        let mut covering = self.grants.iter().filter(|grant| covers(&grant.allow, capability)).peekable();
        let Some(&first) = covering.peek() else {
            let text = format!(
                "`{capability}` is not granted: add \"{capability}\" to `grants` of [plugin.{plugin}]"
            );
            return refused(Why::NotGranted, text);
        };
        if !covering.any(|grant| grant.admits(asked)) {
            let text = format!(
                "this call of `{capability}` is out of the bounds of the grant {first} of [plugin.{plugin}]"
            );
            return refused(Why::OutOfBounds, text);
        }
        Ok(())
    }

    /// The grants by which a call that is [allowed](Policy::allows) may be made, where each has a rate; none if one
    /// of them has none.
    pub fn rated(&self, asked: &Asked<'_>) -> Vec<Rated> {
        let admitting = self.grants.iter().filter(|grant| grant.admits(asked));
        let rated =
            |grant: &Grant| grant.per_minute.map(|per_minute| Rated { grant: grant.to_string(), per_minute });
        admitting.map(rated).collect::<Option<Vec<Rated>>>().unwrap_or_default()
    }

    fn denies(&self, capability: &str) -> bool {
        self.denies.iter().any(|entry| covers(entry, capability))
    }
}

/// Whether an entry of the config names a capability.
fn covers(entry: &str, capability: &str) -> bool {
    match entry.strip_suffix('*') {
        Some(prefix) => prefix.ends_with('.') && capability.starts_with(prefix),
        None => entry == capability,
    }
}

/// Checks one entry of `grants` or `denies`; `connections` are the names that the config defines.
///
/// # Errors
/// A sentence that names the nearest known entry.
pub fn check_entry(entry: &str, connections: &[String]) -> Result<(), String> {
    if let Some(name) = entry.strip_prefix(LIVECHAT) {
        return match name.strip_suffix(".*") {
            Some(api) if Api::parse(api).is_some() => Ok(()),
            _ => check_name(name),
        };
    }
    let known = CAPABILITIES.iter().map(|capability| (*capability).to_owned());
    let interfaces = ["agents.*", "chats.*", "customers.*", "reports.*"].map(str::to_owned);
    let all: Vec<String> = known.chain(interfaces).chain(connections.iter().map(|name| http(name))).collect();
    if all.iter().any(|candidate| candidate == entry) {
        return Ok(());
    }
    let nearest = crate::event::types::nearest(entry, all.iter().map(String::as_str));
    Err(match nearest {
        Some(nearest) => format!("`{entry}` is no capability; did you mean `{nearest}`?"),
        None if entry.starts_with("http:") => {
            format!(
                "`{entry}` names a connection that the config does not define: add [connections.{}]",
                &entry[5..]
            )
        }
        None => {
            format!("`{entry}` is no capability; `chatplug plugins list` shows what each plugin asks for")
        }
    })
}
