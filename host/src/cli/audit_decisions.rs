//! `chatplug audit decisions`

use std::io::Write;
use std::path::Path;

use super::{selection, table, text};
use crate::store::{DecisionEntry, DecisionFilter, Reader};

/// The arguments of `audit decisions`.
#[derive(Debug, clap::Args)]
pub struct AuditDecisionsArgs {
    /// Only of this plugin
    #[arg(long, value_name = "NAME")]
    pub plugin: Option<String>,
    /// Only of then or later: a time such as 2026-11-28T10:00:00Z, or how long ago, such as 24h
    #[arg(long, value_name = "TIME", value_parser = selection::since)]
    pub since: Option<jiff::Timestamp>,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
}

/// Prints which calls of plugins were not simply made, the newest first.
///
/// # Errors
/// Those of the store and of the output.
pub fn run(
    data_dir: &Path,
    args: &AuditDecisionsArgs,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let filter =
        DecisionFilter { plugin: args.plugin.clone(), since: args.since, limit: args.limit as usize };
    let entries = match Reader::open(data_dir)? {
        Some(reader) => reader.decisions(&filter)?,
        None => Vec::new(),
    };
    if json {
        return Ok(text::json(out, &entries)?);
    }
    if entries.is_empty() {
        return Ok(writeln!(out, "No call of a plugin was refused or put off.")?);
    }
    let rows: Vec<[String; 6]> = entries.into_iter().map(row).collect();
    Ok(table::write(out, ["MINUTE", "PLUGIN", "CALL", "WHY", "COUNT", "LAST"], &rows)?)
}

fn row(entry: DecisionEntry) -> [String; 6] {
    [entry.at, entry.plugin, entry.capability, entry.why, entry.count.to_string(), entry.delivery]
}
