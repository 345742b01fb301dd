//! `chatplug check`: config, secrets and plugins, without starting anything.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::services::Way;
use super::{known, loader, services};
use crate::cli::text;
use crate::config::{Api, Config};
use crate::livechat::client_v2;
use crate::runtime::{Runtime, Services, Version};
use crate::store::{PluginStatus, Reader};
use crate::watcher;

mod advice;

/// What a plugin's settings schema writes as the `format` of a text that names a LiveChat tag.
const TAG_FORMAT: &str = "livechat-tag";
/// And of a text that names a namespace of LiveChat properties.
const NAMESPACE_FORMAT: &str = "livechat-property-namespace";

/// What a check found.
#[derive(Debug, Default, Serialize)]
struct Findings {
    /// What keeps something from working.
    problems: Vec<String>,
    /// What may not be as somebody expects.
    warnings: Vec<String>,
    /// What was looked at and is well.
    checked: Vec<String>,
}

/// Checks a config that could be read, and prints what was found; false if there are problems.
///
/// # Errors
/// Those of the engine and of the output.
pub async fn run(config: &Config, online: bool, json: bool, out: &mut dyn Write) -> anyhow::Result<bool> {
    let mut findings = Findings { warnings: config.warnings(), ..Findings::default() };
    findings.checked.push("the config and the secrets that it refers to".to_owned());
    let loader = loader(config, Services::none())?;
    let marks = known(Reader::open(&config.data_dir)?.as_ref())?;
    let (statuses, versions) = watcher::survey(&loader, config, marks).await;
    check_plugins(&mut findings, &statuses);
    let is_ready = |version: &&Arc<Version>| {
        let name = Some(version.manifest.name.as_str());
        statuses.iter().any(|status| status.name.as_deref() == name && status.state == "active")
    };
    let ready: Vec<&Arc<Version>> = versions.iter().filter(is_ready).collect();
    ask_plugins(&mut findings, config, &loader.runtime, &ready).await;
    if config.livechat.api == Api::V2 {
        check_older_api(&mut findings, &statuses);
    }
    if online {
        check_account(&mut findings, config, &versions).await?;
    }
    print(&findings, json, out)?;
    Ok(findings.problems.is_empty())
}

fn check_plugins(findings: &mut Findings, statuses: &[PluginStatus]) {
    for status in statuses {
        let name = status.name.as_deref().or(status.file.as_deref()).unwrap_or("a plugin");
        let line = format!("{name}: {}", [status.state.as_str(), &status.reason].join(": "));
        match status.state.as_str() {
            "active" => findings.checked.push(format!("{name}: ready to run")),
            "disabled" | "unconfigured" | "pinned" => findings.warnings.push(line),
            _ => findings.problems.push(line),
        }
    }
}

/// Shows what plugins that are switched on say of their settings.
async fn ask_plugins(
    findings: &mut Findings,
    config: &Config,
    runtime: &Runtime,
    versions: &[&Arc<Version>],
) {
    for version in versions {
        let name = &version.manifest.name;
        match advice::of(runtime, config, version).await {
            Some(Ok(lines)) => {
                findings.checked.extend(lines.iter().map(|line| format!("{name}: {line}")));
            }
            Some(Err(reason)) => findings.problems.push(format!("{name}: {reason}")),
            None => {}
        }
    }
}

/// Whether the config has something for a plugin to do, be it only by schedules and commands.
fn is_switched_on(status: &PluginStatus) -> bool {
    let works = !status.events.is_empty() || !status.schedules.is_empty() || !status.commands.is_empty();
    works && status.version.is_some() && !["disabled", "unconfigured"].contains(&status.state.as_str())
}

/// Says of the plugins that are switched on how far the older API serves what they were granted.
fn check_older_api(findings: &mut Findings, statuses: &[PluginStatus]) {
    for status in statuses.iter().filter(|status| is_switched_on(status)) {
        let Some(name) = &status.name else { continue };
        let granted = status.asks.iter().filter(|ask| !status.denies.contains(ask));
        let missing = |ask: &String| client_v2::shortfall(ask).map(|what| format!("`{ask}` {what}"));
        let missing: Vec<String> = granted.filter_map(missing).collect();
        if missing.is_empty() {
            findings.checked.push(format!("{name}: the older API has all that it needs"));
        } else {
            let missing = missing.join("; ");
            findings.warnings.push(format!("{name}: with the older API (livechat.api = \"v2\") {missing}"));
        }
    }
}

/// Asks LiveChat whether it takes the credentials and knows the tags and namespaces of the settings.
async fn check_account(
    findings: &mut Findings,
    config: &Config,
    versions: &[Arc<Version>],
) -> anyhow::Result<()> {
    let Some(way) = services::reading(&config.livechat)? else {
        findings
            .problems
            .push("livechat.token is missing: nothing can be asked of the LiveChat API".to_owned());
        return Ok(());
    };
    if let Err(error) = way.check_credentials().await {
        findings.problems.push(format!("LiveChat refuses the credentials: {error}"));
        return Ok(());
    }
    findings.checked.push("LiveChat takes the credentials".to_owned());
    // The older API has neither tags nor namespaces to look at.
    let Way::Current(client) = way else { return Ok(()) };
    let named = |format: &str| {
        let mut names = BTreeSet::new();
        for version in versions {
            let schema = &version.manifest.settings_schema;
            if let Some(plugin) = config.plugins.get(&version.manifest.name) {
                collect(schema, schema, &plugin.settings, format, &mut names);
            }
        }
        names
    };
    let (tags, namespaces) = (named(TAG_FORMAT), named(NAMESPACE_FORMAT));
    if !tags.is_empty() {
        match client.list_tags().await {
            Ok(known) => {
                missing(findings, "tag", &tags, &known, "create it in LiveChat under Settings > Tags")
            }
            Err(error) => findings.problems.push(format!("cannot list LiveChat's tags: {error}")),
        }
    }
    for namespace in namespaces {
        match client.list_properties(&namespace).await {
            Ok(known) if !known.is_empty() => {
                findings.checked.push(format!("the namespace `{namespace}` exists"))
            }
            Ok(_) => findings
                .problems
                .push(format!("LiveChat has no properties in the namespace `{namespace}`: register them")),
            Err(error) => {
                findings.problems.push(format!("cannot look at the namespace `{namespace}`: {error}"))
            }
        }
    }
    Ok(())
}

fn missing(findings: &mut Findings, what: &str, wanted: &BTreeSet<String>, known: &[String], advice: &str) {
    for name in wanted {
        if known.contains(name) {
            findings.checked.push(format!("the {what} `{name}` exists"));
        } else {
            findings.problems.push(format!("LiveChat has no {what} `{name}` (case counts): {advice}"));
        }
    }
}

/// The texts in `settings` to which the schema gives a format.
fn collect(root: &Value, schema: &Value, settings: &Value, format: &str, names: &mut BTreeSet<String>) {
    let schema = resolve(root, schema);
    for branch in ["anyOf", "oneOf", "allOf"].iter().filter_map(|key| schema.get(key)?.as_array()).flatten() {
        collect(root, branch, settings, format, names);
    }
    match settings {
        Value::String(text) if has_format(schema, format) && !text.is_empty() => {
            names.insert(text.clone());
        }
        Value::Object(fields) => {
            if schema.get("propertyNames").is_some_and(|keys| has_format(keys, format)) {
                names.extend(fields.keys().cloned());
            }
            for (name, value) in fields {
                let property = schema.pointer("/properties").and_then(|all| all.get(name));
                if let Some(property) = property.or(schema.get("additionalProperties")) {
                    collect(root, property, value, format, names);
                }
            }
            // A setting that was left out has its default.
            let defaults = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
            for (_, property) in defaults.filter(|(name, _)| !fields.contains_key(*name)) {
                if let Some(default) = property.get("default") {
                    collect(root, property, default, format, names);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                collect(root, schema.get("items").unwrap_or(&Value::Null), item, format, names);
            }
        }
        _ => {}
    }
}

fn has_format(schema: &Value, format: &str) -> bool {
    schema.get("format").and_then(Value::as_str) == Some(format)
}

fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    target.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

fn print(findings: &Findings, json: bool, out: &mut dyn Write) -> std::io::Result<()> {
    if json {
        return text::json(out, findings);
    }
    let groups =
        [("ok", &findings.checked), ("warning", &findings.warnings), ("problem", &findings.problems)];
    for (word, lines) in groups {
        for line in lines {
            writeln!(
                out,
                "{word:8} {}",
                line.split('\n').map(text::escape).collect::<Vec<_>>().join("\n         ")
            )?;
        }
    }
    match findings.problems.len() {
        0 => writeln!(out, "No problems."),
        count => writeln!(out, "{count} problem{}.", if count == 1 { "" } else { "s" }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What is said of a plugin whose config is this, beside what every status has.
    fn said_of_older_api(own: serde_json::Value) -> (Vec<String>, Vec<String>) {
        let mut status = json!({
            "name": "p", "file": "p.wasm", "version": "sha256:1", "release": "1.0.0", "state": "active", "reason": "",
            "serving": null, "handles": [], "events": [], "grants": [], "denies": [],
            "asks": ["chats.get-chat", "chats.list-archives", "chats.tag", "http:slack"],
        });
        status.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        let mut findings = Findings::default();
        check_older_api(&mut findings, &[serde_json::from_value(status).unwrap()]);
        assert!(findings.problems.is_empty());
        (findings.warnings, findings.checked)
    }

    #[test]
    fn what_the_older_api_lacks_is_said_of_each_plugin_that_has_something_to_do() {
        let command = json!([{"name": "report", "description": "makes it"}]);
        for own in [
            json!({"events": ["chat_rated"]}),
            json!({"schedules": ["nightly: 0 2 * * *"]}),
            json!({"commands": command}),
            json!({"commands": command, "state": "awaiting approval"}),
        ] {
            let (warnings, checked) = said_of_older_api(own.clone());
            assert!(checked.is_empty() && warnings.len() == 1, "{own}: {warnings:?} {checked:?}");
            assert!(warnings[0].starts_with("p: with the older API"), "{warnings:?}");
            assert!(warnings[0].contains("`chats.list-archives` days only"), "{warnings:?}");
            assert!(warnings[0].contains("`chats.tag` not with the older API"), "{warnings:?}");
            assert!(!warnings[0].contains("get-chat") && !warnings[0].contains("slack"), "{warnings:?}");
        }
        let denied = json!({"events": ["chat_rated"], "denies": ["chats.list-archives", "chats.tag"]});
        let (warnings, checked) = said_of_older_api(denied);
        assert!(warnings.is_empty() && checked == ["p: the older API has all that it needs"], "{warnings:?}");
        for own in [
            json!({}),
            json!({"events": ["chat_rated"], "state": "disabled"}),
            json!({"commands": command, "state": "unconfigured"}),
            json!({"events": ["chat_rated"], "state": "absent", "version": null}),
        ] {
            assert_eq!(said_of_older_api(own.clone()), (vec![], vec![]), "{own}");
        }
    }

    #[test]
    fn tags_are_found_wherever_the_schema_says_so() {
        let schema = json!({
            "properties": {
                "tag": { "anyOf": [{ "type": "string", "format": "livechat-tag" }, { "type": "null" }] },
                "rules": { "items": { "$ref": "#/$defs/rule" } },
                "other": { "type": "string" },
                "none": { "format": "livechat-tag" },
                "keys": { "propertyNames": { "format": "livechat-tag" } },
                "late": { "type": "string", "format": "livechat-tag", "default": "slow" },
            },
            "$defs": { "rule": { "properties": { "tag": { "format": "livechat-tag" } } } },
        });
        let settings = json!({ "tag": "a", "rules": [{ "tag": "b" }, {}], "other": "c", "none": "", "keys": { "k": 1 } });
        let mut names = BTreeSet::new();
        collect(&schema, &schema, &settings, TAG_FORMAT, &mut names);
        assert_eq!(names, ["a", "b", "k", "slow"].map(str::to_owned).into());
    }
}
