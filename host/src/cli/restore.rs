//! `chatplug restore FILE`

use std::io::Write;
use std::path::Path;

use super::link::who;
use super::{RestoreArgs, text};
use crate::store::{self, Checked};

/// Checks a backup and, unless it is only to be checked, puts it in the place of the store.
///
/// # Errors
/// A backup that isn't well, a host that is running; those of the store and of the output.
pub fn run(data_dir: &Path, args: &RestoreArgs, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let file = text::escape(&args.file.display().to_string());
    if args.verify {
        let checked = store::check(&args.file)?;
        if json {
            return Ok(text::json(out, &checked)?);
        }
        return Ok(writeln!(out, "{file} is whole: {}.", contents(&checked))?);
    }
    let restored = store::restore(&args.file, data_dir, &who(), jiff::Timestamp::now().as_millisecond())?;
    if json {
        return Ok(text::json(out, &restored)?);
    }
    writeln!(out, "Restored {file}: {}.", contents(&restored.store))?;
    if let Some(before) = &restored.before {
        let before = text::escape(&before.display().to_string());
        writeln!(out, "The store that was there is {before}; delete it when nobody needs it.")?;
    }
    if let Some(until) = &restored.until {
        writeln!(
            out,
            "What came after {until} is missing. With the host running, `chatplug events recover --from {until}` brings what \
             LiveChat lists of it; the plugins then act on it again, on what they had done before, too."
        )?;
    }
    if restored.store.pending > 0 {
        writeln!(
            out,
            "What is pending in it runs at the next start, with the actions that may have been done since the backup."
        )?;
    }
    Ok(())
}

/// What a store holds, in a few words.
pub(super) fn contents(store: &Checked) -> String {
    let newest = store.newest_event.as_ref().map(|at| format!(", the newest of {at}")).unwrap_or_default();
    format!(
        "{} events{newest}; {} deliveries pending, {} held, {} dead; {} entries of plugins' memory; schema {}",
        store.events, store.pending, store.held, store.dead, store.memory, store.schema
    )
}
