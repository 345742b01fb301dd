//! `chatplug events replay ID`

use std::io::Write;

use super::link::Link;
use super::text;
use crate::config::Config;
use crate::event::EventId;

/// Has plugins handle an event anew; false if one of them does not get it because it has not ended with it.
///
/// # Errors
/// If there is no such event, or nobody gets it; those of the host, the store and the output.
pub async fn run(
    config: &Config,
    event: EventId,
    plugin: Option<&str>,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    let replayed = Link::open(config)?.replay_event(config, event, plugin).await?;
    if json {
        text::json(out, &replayed)?;
    } else {
        for one in &replayed.deliveries {
            writeln!(out, "{} gets {event} anew as {}", text::escape(&one.plugin), one.id)?;
        }
        for one in &replayed.unfinished {
            writeln!(out, "{} has not ended with it: see {}", text::escape(&one.plugin), one.id)?;
        }
    }
    Ok(replayed.unfinished.is_empty())
}
