//! `chatplug plugins list`

use std::io::{self, Write};

use super::{table, text};
use crate::plugins::short;
use crate::store::PluginStatus;

/// Prints every plugin with its state and, below, the reason where there is one.
///
/// # Errors
/// Those of the output.
pub fn run(statuses: &[PluginStatus], is_running: bool, json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json {
        return text::json(out, &statuses);
    }
    if !is_running {
        writeln!(out, "No host is running with this config; this is what it would find.\n")?;
    }
    if statuses.is_empty() {
        return writeln!(out, "No plugins: drop a .wasm file into the plugin folder.");
    }
    table::write(
        out,
        ["PLUGIN", "STATE", "RELEASE", "VERSION", "FILE", "EVENTS"],
        &statuses.iter().map(row).collect::<Vec<_>>(),
    )?;
    for status in statuses {
        if let Some(standby) = &status.standby {
            let name = text::escape(name(status));
            writeln!(out, "\n{name} is on probation; version {} stands by.", short(standby))?;
        }
    }
    for status in statuses.iter().filter(|status| !status.reason.is_empty()) {
        writeln!(out, "\n{} is {}:", text::escape(name(status)), status.state)?;
        for line in status.reason.lines() {
            writeln!(out, "  {}", text::escape(line))?;
        }
        if let Some(serving) = &status.serving {
            writeln!(out, "  Meanwhile version {} goes on.", short(serving))?;
        }
    }
    Ok(())
}

fn row(status: &PluginStatus) -> [String; 6] {
    [
        name(status).to_owned(),
        status.state.clone(),
        status.release.clone().unwrap_or_default(),
        status.version.as_deref().map(short).unwrap_or_default().to_owned(),
        status.file.clone().unwrap_or_default(),
        status.events.join(" "),
    ]
}

fn name(status: &PluginStatus) -> &str {
    status.name.as_deref().or(status.file.as_deref()).unwrap_or_default()
}
