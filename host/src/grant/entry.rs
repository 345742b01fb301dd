//! An entry of `grants`: a capability, and within which bounds.

use std::fmt;

use super::pattern::PathPattern;
use super::{Asked, Facts};

/// The methods that `methods` may name.
pub const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// What an operator lets a plugin do. Its text is what one writes into the config.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// A capability (`chats.send-note`, `http:hubspot`) or all functions of an interface (`chats.*`).
    pub allow: String,
    /// Only to these groups of LiveChat.
    pub groups: Option<Vec<i64>>,
    /// Only to these agents of LiveChat.
    pub agents: Option<Vec<String>>,
    /// Only these tags.
    pub tags: Option<Vec<String>>,
    /// Only these HTTP methods.
    pub methods: Option<Vec<String>>,
    /// Only these paths below the connection's base URL.
    pub paths: Option<Vec<PathPattern>>,
    /// At most so often within a minute.
    pub per_minute: Option<u32>,
}

impl Grant {
    /// A grant without bounds.
    pub fn whole(allow: impl Into<String>) -> Grant {
        Grant { allow: allow.into(), ..Grant::default() }
    }

    /// The keys by which a grant of a capability can be narrowed.
    pub fn keys(allow: &str) -> &'static [&'static str] {
        match allow {
            "chats.transfer" => &["groups", "agents", "per_minute"],
            "chats.assign" | "chats.remove-user" | "agents.get-agent" | "agents.set-routing-status" => {
                &["agents", "per_minute"]
            }
            "chats.tag" | "chats.untag" => &["tags", "per_minute"],
            "agents.list-routing-statuses" | "agents.list-agents" | "agents.list-tags" => {
                &["groups", "per_minute"]
            }
            _ if allow.starts_with("http:") => &["methods", "paths", "per_minute"],
            _ => &["per_minute"],
        }
    }

    /// Whether a call is within the bounds, its rate aside.
    pub(super) fn admits(&self, asked: &Asked<'_>) -> bool {
        super::covers(&self.allow, &asked.capability) && self.bounds(&asked.facts)
    }

    fn bounds(&self, facts: &Facts<'_>) -> bool {
        match facts {
            Facts::None => self.is_whole(),
            Facts::Target { groups, agents } => {
                let is_narrowed = self.groups.is_some() || self.agents.is_some();
                let known_group = |group| self.groups.as_ref().is_some_and(|known| known.contains(group));
                let known_agent = |agent| self.agents.as_ref().is_some_and(|known| known.contains(agent));
                // A call that names nobody leaves it to LiveChat, who that is.
                let names_somebody = !groups.is_empty() || !agents.is_empty();
                !is_narrowed
                    || names_somebody && groups.iter().all(known_group) && agents.iter().all(known_agent)
            }
            Facts::Tag(tag) => within(self.tags.as_deref(), |known| known == tag),
            Facts::Request { method, path } => {
                within(self.methods.as_deref(), |known| known == method)
                    && within(self.paths.as_deref(), |known| known.matches(path))
            }
        }
    }

    /// Whether nothing but the rate bounds it.
    fn is_whole(&self) -> bool {
        let Grant { allow: _, groups, agents, tags, methods, paths, per_minute: _ } = self;
        groups.is_none() && agents.is_none() && tags.is_none() && methods.is_none() && paths.is_none()
    }
}

fn within<T>(bounds: Option<&[T]>, is_it: impl FnMut(&T) -> bool) -> bool {
    bounds.is_none_or(|known| known.iter().any(is_it))
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Grant { allow, groups, agents, tags, methods, paths, per_minute } = self;
        if self.is_whole() && per_minute.is_none() {
            return f.write_str(allow);
        }
        write!(f, "{{ allow = \"{allow}\"")?;
        if let Some(groups) = groups {
            write!(f, ", groups = {groups:?}")?;
        }
        for (key, texts) in [("agents", agents), ("tags", tags), ("methods", methods)] {
            if let Some(texts) = texts {
                write!(f, ", {key} = {texts:?}")?;
            }
        }
        if let Some(paths) = paths {
            let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
            write!(f, ", paths = {paths:?}")?;
        }
        if let Some(per_minute) = per_minute {
            write!(f, ", per_minute = {per_minute}")?;
        }
        f.write_str(" }")
    }
}
