//! `chatplug audit list`

use std::io::Write;
use std::path::Path;

use super::{selection, table, text};
use crate::store::{AuditEntry, AuditFilter, Reader};

/// The arguments of `audit list`.
#[derive(Debug, clap::Args)]
pub struct AuditListArgs {
    /// Only what was done then or later: a time such as 2026-11-28T10:00:00Z, or how long ago, such as 24h
    #[arg(long, value_name = "TIME", value_parser = selection::since)]
    pub since: Option<jiff::Timestamp>,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
}

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
