//! `chatplug backup FILE`

use std::io::Write;
use std::path::Path;

use super::link::stored;
use super::restore::contents;
use super::text;
use crate::store;

/// Copies the store to a file, beside a running host or without one, and says what the copy holds.
///
/// # Errors
/// If nothing is stored yet; those of the store and of the output.
pub fn run(data_dir: &Path, file: &Path, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    stored(data_dir)?;
    let checked = store::backup(data_dir, file)?;
    if json {
        return Ok(text::json(out, &checked)?);
    }
    writeln!(out, "Wrote {}, checked: {}.", text::escape(&file.display().to_string()), contents(&checked))?;
    Ok(())
}
