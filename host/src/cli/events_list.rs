//! `chatplug events list`

use std::io::Write;
use std::path::Path;

use super::{EventsListArgs, table, text};
use crate::store::{DeliveryView, EventFilter, EventView, Reader};

/// Prints the newest events, the newest first.
///
/// # Errors
/// Those of the store and of the output.
pub fn run(data_dir: &Path, args: &EventsListArgs, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let filter = EventFilter {
        event_type: args.event_type.clone(),
        chat_id: args.chat.clone(),
        limit: args.limit as usize,
    };
    let events = match Reader::open(data_dir)? {
        Some(reader) => reader.events(&filter)?,
        None => Vec::new(),
    };
    if json {
        return Ok(text::json(out, &events)?);
    }
    if events.is_empty() {
        return Ok(writeln!(out, "No such events are stored in {}.", data_dir.display())?);
    }
    let rows: Vec<[String; 5]> = events.iter().map(row).collect();
    Ok(table::write(out, ["EVENT", "TYPE", "CHAT", "RECEIVED", "DELIVERIES"], &rows)?)
}

fn row(event: &EventView) -> [String; 5] {
    let deliveries: Vec<String> = event.deliveries.iter().map(summary).collect();
    [
        event.id.clone(),
        event.event_type.clone(),
        event.chat_id.clone().unwrap_or_default(),
        event.received_at.clone(),
        deliveries.join(", "),
    ]
}

fn summary(delivery: &DeliveryView) -> String {
    format!("{}: {}", delivery.plugin, delivery.state)
}
