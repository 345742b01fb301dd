//! `grants` and `denies` of a plugin.

use toml::de::DeValue;

use super::address::Address;
use super::connection::Connection;
use super::item::Item;
use super::table::Table;
use crate::event::types::nearest;
use crate::grant::{self, Grant, METHODS, PathPattern, Policy};
use crate::manifest::is_kebab_case;

/// The connections of the config, by name; `None` where one is wrong.
pub(super) type Connections = [(String, Option<Connection>)];

const KEYS: [&str; 5] = ["groups", "agents", "tags", "methods", "paths"];
const PER_MINUTE_MAX: u64 = 10_000;

pub(super) fn policy(table: &mut Table<'_>, connections: &Connections) -> Policy {
    let mut policy = Policy::default();
    for item in items(table.take("grants")) {
        match grant(&item, connections) {
            Some(grant) if !policy.grants.contains(&grant) => policy.grants.push(grant),
            _ => {}
        }
    }
    for item in items(table.take("denies")) {
        match item.text().and_then(|text| denied(&item, text, connections)) {
            Some(entry) if !policy.denies.contains(&entry) => policy.denies.push(entry),
            _ => {}
        }
    }
    policy
}

fn items<'a>(list: Option<Item<'a>>) -> Vec<Item<'a>> {
    list.map(|item| item.items()).unwrap_or_default()
}

/// An operator must be able to do without a service that a plugin can use: it needs no section to be denied.
fn denied(item: &Item<'_>, text: &str, connections: &Connections) -> Option<String> {
    match text.strip_prefix("http:") {
        Some(name) if is_kebab_case(name) => Some(text.to_owned()),
        _ => capability(item, text, connections),
    }
}

fn capability(item: &Item<'_>, text: &str, connections: &Connections) -> Option<String> {
    let names: Vec<String> = connections.iter().map(|(name, _)| name.clone()).collect();
    match grant::check_entry(text, &names) {
        Ok(()) => Some(text.to_owned()),
        Err(error) => {
            item.report(format!("has a wrong entry: {error}"));
            None
        }
    }
}

fn grant(item: &Item<'_>, connections: &Connections) -> Option<Grant> {
    if !item.is_table() {
        return match item.is_text() {
            true => capability(item, item.text()?, connections).map(Grant::whole),
            false => {
                item.report("has an entry that is neither a text nor { allow = \"…\", … }");
                None
            }
        };
    }
    let mut table = item.table()?;
    let allow = table.take("allow");
    let bounds = KEYS.map(|key| table.take(key));
    let per_minute = table.take("per_minute").map(|item| item.integer(1..=PER_MINUTE_MAX));
    table.finish();
    let Some(allow) = allow else {
        item.report("has an entry without allow = \"…\", the capability that is granted");
        return None;
    };
    let allow = capability(&allow, allow.text()?, connections)?;
    let per_minute = match per_minute {
        Some(read) => Some(read? as u32),
        None => None,
    };
    narrowed(Grant { per_minute, ..Grant::whole(allow) }, bounds, connections)
}

/// Puts the bounds into a grant; `None` if one of them was reported.
fn narrowed(grant: Grant, bounds: [Option<Item<'_>>; 5], connections: &Connections) -> Option<Grant> {
    let fitting = Grant::keys(&grant.allow);
    let mut is_fine = true;
    for (key, item) in KEYS.iter().zip(&bounds) {
        if let Some(item) = item.as_ref().filter(|_| !fitting.contains(key)) {
            item.report(format!(
                "doesn't narrow `{}`, for which there is {}",
                grant.allow,
                fitting.join(", ")
            ));
            is_fine = false;
        }
    }
    if !is_fine {
        return None;
    }
    let [groups, agents, tags, methods, paths] = bounds;
    if let Some(paths) = &paths
        && is_secret_url(&grant.allow, connections)
    {
        paths.report("narrows a connection whose whole URL is configured: its requests have no paths");
        return None;
    }
    Some(Grant {
        groups: optional(groups, group)?,
        agents: optional(agents, name)?,
        tags: optional(tags, name)?,
        methods: optional(methods, method)?,
        paths: optional(paths, path)?,
        ..grant
    })
}

/// A list that, if it is there, has to hold something; the outer `None` if it was reported.
fn optional<T>(list: Option<Item<'_>>, read: impl Fn(&Item<'_>) -> Option<T>) -> Option<Option<Vec<T>>> {
    let Some(list) = list else { return Some(None) };
    if !matches!(list.value, DeValue::Array(_)) {
        // Says what it should be.
        let _ = list.items();
        return None;
    }
    let items = list.items();
    if items.is_empty() {
        list.report("is empty: name what is granted, or put the capability into `denies`");
        return None;
    }
    let read: Vec<Option<T>> = items.iter().map(read).collect();
    read.into_iter().collect::<Option<Vec<T>>>().map(Some)
}

fn is_secret_url(allow: &str, connections: &Connections) -> bool {
    let of_this = |(name, _): &&(String, Option<Connection>)| grant::http(name) == allow;
    let connection = connections.iter().find(of_this).and_then(|(_, connection)| connection.as_ref());
    connection.is_some_and(|connection| matches!(connection.address, Address::Secret(_)))
}

fn group(item: &Item<'_>) -> Option<i64> {
    item.integer(0..=i64::MAX as u64).and_then(|id| i64::try_from(id).ok())
}

fn name(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    if text.is_empty() {
        item.report("has an empty text in it");
        return None;
    }
    Some(text.to_owned())
}

fn method(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    if !METHODS.contains(&text) {
        let hint = match nearest(&text.to_ascii_uppercase(), METHODS.into_iter()) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("it is one of {}", METHODS.join(", ")),
        };
        item.report(format!("has `{}`, which is no method that is sent; {hint}", text.escape_debug()));
        return None;
    }
    Some(text.to_owned())
}

fn path(item: &Item<'_>) -> Option<PathPattern> {
    match PathPattern::parse(item.text()?) {
        Ok(pattern) => Some(pattern),
        Err(problem) => {
            item.report(format!("has a wrong pattern: {problem}"));
            None
        }
    }
}
