//! `chatplug plugins show NAME` and `chatplug plugins history NAME`

use std::io::{self, Write};

use super::{table, text};
use crate::plugins::{PluginView, VersionView, short};
use crate::store::VersionChange;

/// Prints a plugin: its files, what it may do, its versions.
///
/// # Errors
/// Those of the output.
pub fn show(view: &PluginView, json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json {
        return text::json(out, view);
    }
    for status in &view.files {
        let mut line = |name: &str, value: &str| match value {
            "" => Ok(()),
            value => writeln!(out, "{name:10} {}", text::escape(value)),
        };
        line("plugin", status.name.as_deref().unwrap_or_default())?;
        line("state", &status.state)?;
        for reason in status.reason.lines() {
            line("", reason)?;
        }
        line("file", status.file.as_deref().unwrap_or_default())?;
        line("version", status.version.as_deref().unwrap_or_default())?;
        line("release", status.release.as_deref().unwrap_or_default())?;
        line("serving", status.serving.as_deref().unwrap_or_default())?;
        line("standby", status.standby.as_deref().unwrap_or_default())?;
        line("handles", &status.handles.join(" "))?;
        line("gets", &status.events.join(" "))?;
        for schedule in &status.schedules {
            line("schedule", schedule)?;
        }
        for command in &status.commands {
            line("command", format!("{}: {}", command.name, command.description).trim_end_matches(": "))?;
        }
        line("asks for", &status.asks.join(" "))?;
        line("granted", &status.grants.join(" "))?;
        line("denied", &status.denies.join(" "))?;
        writeln!(out)?;
    }
    if view.versions.is_empty() {
        return writeln!(out, "No version of it has run yet.");
    }
    let rows: Vec<[String; 4]> = view.versions.iter().map(version).collect();
    table::write(out, ["VERSION", "RELEASE", "ACTIVE", "STATE"], &rows)
}

fn version(version: &VersionView) -> [String; 4] {
    let state = match (&version.rolled_back, version.is_proved, version.is_kept) {
        (Some(why), ..) => format!("rolled back: {why}"),
        (None, _, false) => "not kept".to_owned(),
        (None, true, true) => "good".to_owned(),
        (None, false, true) => "on probation".to_owned(),
    };
    let active_at = version.active_at.clone().unwrap_or_default();
    [short(&version.version).to_owned(), version.release.clone(), active_at, state]
}

/// Prints how it went with a plugin's versions, the newest change first.
///
/// # Errors
/// Those of the output.
pub fn history(changes: &[VersionChange], json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json {
        return text::json(out, &changes);
    }
    if changes.is_empty() {
        return writeln!(out, "No version of it has run yet.");
    }
    let row = |change: &VersionChange| {
        let VersionChange { at, version, release, what, why } = change.clone();
        [at, version, release, what, why]
    };
    let rows: Vec<[String; 5]> = changes.iter().map(row).collect();
    table::write(out, ["WHEN", "VERSION", "RELEASE", "WHAT", "WHY"], &rows)
}
