//! `chatplug audit list`

use std::io::Write;
use std::path::Path;

use super::{AuditListArgs, table, text};
use crate::store::{AuditEntry, AuditFilter, Reader};

/// Prints what operators did, the newest first.
///
/// # Errors
/// Those of the store and of the output.
pub fn run(data_dir: &Path, args: &AuditListArgs, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let filter = AuditFilter { since: args.since, limit: args.limit as usize };
    let entries = match Reader::open(data_dir)? {
        Some(reader) => reader.audit(&filter)?,
        None => Vec::new(),
    };
    if json {
        return Ok(text::json(out, &entries)?);
    }
    if entries.is_empty() {
        return Ok(writeln!(out, "No operator has changed anything.")?);
    }
    let rows: Vec<[String; 6]> = entries.iter().map(row).collect();
    Ok(table::write(out, ["AT", "WHO", "DID", "TO", "BEFORE", "AFTER"], &rows)?)
}

fn row(entry: &AuditEntry) -> [String; 6] {
    let text =
        |value: &Option<serde_json::Value>| value.as_ref().map(ToString::to_string).unwrap_or_default();
    [
        entry.at.clone(),
        entry.who.clone(),
        entry.action.clone(),
        entry.subject.clone(),
        text(&entry.before),
        text(&entry.after),
    ]
}
