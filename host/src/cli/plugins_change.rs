//! `chatplug plugins enable|disable|approve|rollback NAME`: what was changed.

use std::io::{self, Write};

use super::text;
use crate::plugins::{Approval, Switched, WentBack, short};

/// Prints which types a plugin gets from now on.
///
/// # Errors
/// Those of the output.
pub fn switched(switched: &Switched, json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json {
        return text::json(out, switched);
    }
    let plugin = text::escape(&switched.plugin);
    match &*switched.events {
        _ if !switched.changed => writeln!(out, "Nothing was changed.")?,
        _ if !switched.enabled => writeln!(out, "{plugin} is switched off; what waits for it is skipped.")?,
        [] => writeln!(out, "{plugin} gets no events; its schedules and commands work, if it has some.")?,
        events => writeln!(out, "{plugin} gets {}.", text::escape(&events.join(", ")))?,
    }
    Ok(())
}

/// Prints what a version asks for, beside what the one that runs asks for, and what was decided.
///
/// # Errors
/// Those of the output.
pub fn approved(approval: &Approval, dry_run: bool, json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json {
        return text::json(out, approval);
    }
    let plugin = text::escape(&approval.plugin);
    let release = text::escape(approval.release.as_deref().unwrap_or_default());
    writeln!(out, "{plugin} {release}, version {}", short(&approval.version))?;
    match &approval.serving {
        Some(serving) => writeln!(out, "in the place of version {}", short(serving))?,
        None => writeln!(out, "in the place of none")?,
    }
    let lists = [
        ("+", "asks for", &approval.more),
        ("-", "no longer asks for", &approval.less),
        (" ", "is granted", &approval.grants),
        (" ", "is denied", &approval.denies),
    ];
    for (sign, what, entries) in lists {
        for entry in entries {
            writeln!(out, "{sign} {what} {}", text::escape(entry))?;
        }
    }
    if approval.more.is_empty() && approval.less.is_empty() {
        writeln!(out, "  asks for the same")?;
    }
    match dry_run {
        true => writeln!(out, "Nothing was changed."),
        false => writeln!(out, "Approved."),
    }
}

/// Prints from which version to which was gone back.
///
/// # Errors
/// Those of the output.
pub fn went_back(went: &WentBack, json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json {
        return text::json(out, went);
    }
    let plugin = text::escape(&went.plugin);
    writeln!(out, "{plugin} goes back from version {} to {}.", short(&went.from), short(&went.to))
}
