//! `chatplug dead list`

use std::io::Write;
use std::path::Path;

use super::{table, text};
use crate::store::{DeadLetter, Reader};

/// Prints the newest dead letters, the newest first.
///
/// # Errors
/// Those of the store and of the output.
pub fn run(data_dir: &Path, limit: u32, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let letters = match Reader::open(data_dir)? {
        Some(reader) => reader.dead_letters(limit as usize)?,
        None => Vec::new(),
    };
    if json {
        return Ok(text::json(out, &letters)?);
    }
    if letters.is_empty() {
        return Ok(writeln!(out, "No dead letters.")?);
    }
    let rows: Vec<[String; 6]> = letters.iter().map(row).collect();
    Ok(table::write(out, ["DELIVERY", "PLUGIN", "EVENT", "TYPE", "DIED", "REASON"], &rows)?)
}

fn row(letter: &DeadLetter) -> [String; 6] {
    let delivery = &letter.delivery;
    [
        delivery.id.clone(),
        delivery.plugin.clone(),
        letter.event.clone(),
        letter.event_type.clone(),
        delivery.ended_at.clone().unwrap_or_default(),
        delivery.reason.clone().unwrap_or_default(),
    ]
}
