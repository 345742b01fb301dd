//! `chatplug dead show ID` and `chatplug held show ID`

use std::io::{self, Write};
use std::path::Path;

use anyhow::bail;

use super::events_show::print_delivery;
use super::text;
use crate::delivery::{DeliveryId, State};
use crate::store::{Reader, StoppedDelivery};

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
    let found = &shown.delivery.state;
    if found != state.as_str() {
        bail!("{id} is {found}, not {}: see chatplug events show {}", state.as_str(), shown.event);
    }
    if json {
        text::json(out, &shown)?
    } else {
        print(&shown, out)?
    }
    Ok(())
}

fn print(shown: &StoppedDelivery, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "event       {}", shown.event)?;
    writeln!(out, "type        {}", text::escape(&shown.event_type))?;
    if let Some(chat) = &shown.chat_id {
        writeln!(out, "chat        {}", text::escape(chat))?;
    }
    print_delivery(&shown.delivery, out)
}
