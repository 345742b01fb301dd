//! `chatplug dead show ID` and `chatplug held show ID`

use std::io::{self, Write};
use std::path::Path;

use anyhow::bail;

use super::events_show::print_delivery;
use super::{table, text};
use crate::delivery::{DeliveryId, State};
use crate::store::{Reader, ShownDelivery, StepView};

/// Prints one delivery with its event, its log and the host calls that were recorded of it.
///
/// # Errors
/// A delivery that is not there, or not in this state; those of the store and of the output.
pub fn run(
    data_dir: &Path,
    state: State,
    id: DeliveryId,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let found = match Reader::open(data_dir)? {
        Some(reader) => reader.delivery(id)?,
        None => None,
    };
    let Some(shown) = found else {
        bail!(
            "{id} is not stored in {} (any more); one that came back has another number, see chatplug audit list",
            data_dir.display()
        )
    };
    let found = &shown.stopped.delivery.state;
    if found != state.as_str() {
        bail!("{id} is {found}, not {}: see chatplug events show {}", state.as_str(), shown.stopped.event);
    }
    if json {
        text::json(out, &shown)?
    } else {
        print(&shown, out)?
    }
    Ok(())
}

fn print(shown: &ShownDelivery, out: &mut dyn Write) -> io::Result<()> {
    let stopped = &shown.stopped;
    writeln!(out, "event       {}", stopped.event)?;
    writeln!(out, "type        {}", text::escape(&stopped.event_type))?;
    if let Some(chat) = &stopped.chat_id {
        writeln!(out, "chat        {}", text::escape(chat))?;
    }
    print_delivery(&stopped.delivery, out)?;
    if shown.steps.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let rows: Vec<[String; 6]> = shown.steps.iter().map(row).collect();
    table::write(out, ["STEP", "CALL", "STATE", "BEGAN", "ANSWERED", "ABOUT"], &rows)
}

fn row(step: &StepView) -> [String; 6] {
    [
        step.number.to_string(),
        step.function.clone(),
        step.state.to_owned(),
        step.at.clone(),
        step.answered_at.clone().unwrap_or_default(),
        step.about.clone(),
    ]
}
