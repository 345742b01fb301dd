//! `chatplug dead list` and `chatplug held list`

use std::io::Write;
use std::path::Path;

use super::selection::ListArgs;
use super::{table, text};
use crate::delivery::State;
use crate::store::{Reader, StoppedDelivery};

/// Prints the newest deliveries in a state, the newest first.
///
/// # Errors
/// Those of the store and of the output.
pub fn run(
    data_dir: &Path,
    state: State,
    args: &ListArgs,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let deliveries = match Reader::open(data_dir)? {
        Some(reader) => reader.stopped(state, &args.filter.filter(), args.limit as usize)?,
        None => Vec::new(),
    };
    if json {
        return Ok(text::json(out, &deliveries)?);
    }
    let (nothing, since) = match state {
        State::Dead => ("No dead letters.", "DIED"),
        _ => ("No held deliveries.", "SINCE"),
    };
    if deliveries.is_empty() {
        return Ok(writeln!(out, "{nothing}")?);
    }
    let rows: Vec<[String; 6]> = deliveries.iter().map(row).collect();
    Ok(table::write(out, ["DELIVERY", "PLUGIN", "EVENT", "TYPE", since, "REASON"], &rows)?)
}

fn row(stopped: &StoppedDelivery) -> [String; 6] {
    let delivery = &stopped.delivery;
    [
        delivery.id.clone(),
        delivery.plugin.clone(),
        stopped.event.clone(),
        stopped.event_type.clone(),
        delivery.ended_at.clone().unwrap_or_default(),
        delivery.reason.clone().unwrap_or_default(),
    ]
}
