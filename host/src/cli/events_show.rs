//! `chatplug events show ID`

use std::io::{self, Write};
use std::path::Path;

use anyhow::bail;

use super::{table, text};
use crate::delivery::State;
use crate::event::EventId;
use crate::store::{DeliveryView, EventView, Reader, StepView};

/// Prints one event with its payload and its deliveries.
///
/// # Errors
/// An event that is not stored; those of the store and of the output.
pub fn run(data_dir: &Path, id: EventId, json: bool, out: &mut dyn Write) -> anyhow::Result<bool> {
    let event = match Reader::open(data_dir)? {
        Some(reader) => reader.event(id)?,
        None => None,
    };
    let Some(event) = event else { bail!("{id} is not stored in {} (any more)", data_dir.display()) };
    if json {
        text::json(out, &event)?;
    } else {
        print(&event, out)?;
    }
    Ok(true)
}

fn print(event: &EventView, out: &mut dyn Write) -> io::Result<()> {
    let line = |out: &mut dyn Write, name: &str, value: Option<&str>| match value {
        Some(value) => writeln!(out, "{name:<12}{}", text::escape(value)),
        None => Ok(()),
    };
    line(out, "event", Some(&event.id))?;
    line(out, "type", Some(&event.event_type))?;
    line(out, "chat", event.chat_id.as_deref())?;
    line(out, "thread", event.thread_id.as_deref())?;
    line(out, "occurred", event.occurred_at.as_deref())?;
    line(out, "received", Some(&event.received_at))?;
    line(out, "trace", event.trace.as_deref())?;
    if event.possible_duplicate {
        line(out, "flag", Some("possible-duplicate"))?;
    }
    if event.recovered {
        line(out, "flag", Some("recovered"))?;
    }
    if let Some(plugin) = &event.own {
        line(out, "flag", Some("own"))?;
        let cause = if plugin.is_empty() { "the host's app or bot" } else { plugin };
        line(out, "caused by", Some(cause))?;
    }
    line(out, "removed", event.removed.as_deref())?;
    for (name, document) in [("payload", &event.payload), ("extra", &event.extra)] {
        if let Some(document) = document {
            writeln!(out, "\n{name}")?;
            text::json(out, document)?;
        }
    }
    for delivery in &event.deliveries {
        print_delivery(delivery, out)?;
    }
    Ok(())
}

pub(super) fn print_delivery(delivery: &DeliveryView, out: &mut dyn Write) -> io::Result<()> {
    let attempts = format!("{} attempt{}", delivery.attempts, if delivery.attempts == 1 { "" } else { "s" });
    writeln!(out, "\n{} to {}: {}, {attempts}", delivery.id, delivery.plugin, delivery.state)?;
    let facts = [
        ("outcome", &delivery.outcome),
        ("reason", &delivery.reason),
        ("version", &delivery.version),
        ("next", &delivery.due_at),
        ("ended", &delivery.ended_at),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            writeln!(out, "  {name:<10}{}", text::escape(value))?;
        }
    }
    print_crash(delivery, out)?;
    for line in delivery.log.as_deref().unwrap_or_default().lines() {
        writeln!(out, "  log       {}", text::escape(line))?;
    }
    if delivery.state == State::Dead.as_str() {
        writeln!(out, "  again     chatplug dead replay {}", delivery.id)?;
    }
    match delivery.steps.as_deref() {
        None | Some([]) => Ok(()),
        Some(steps) => {
            writeln!(out)?;
            let rows: Vec<[String; 7]> = steps.iter().map(row).collect();
            table::write(out, ["STEP", "CALL", "STATE", "BEGAN", "ANSWERED", "ABOUT", "ANSWER"], &rows)?;
            print_doubts(steps, out)
        }
    }
}

/// What was asked for where it isn't known whether it took place: a person has to look for it in the service.
fn print_doubts(steps: &[StepView], out: &mut dyn Write) -> io::Result<()> {
    for step in steps.iter().filter(|step| step.state == "in doubt") {
        if let Some(request) = &step.request {
            writeln!(out, "\nrequest of step {}", step.number)?;
            text::json(out, request)?;
        }
    }
    Ok(())
}

fn row(step: &StepView) -> [String; 7] {
    [
        step.number.to_string(),
        step.function.clone(),
        step.state.to_owned(),
        step.at.clone(),
        step.answered_at.clone().unwrap_or_default(),
        step.about.clone(),
        step.answer.clone().unwrap_or_default(),
    ]
}

/// Where the attempt was, and what it had used.
fn print_crash(delivery: &DeliveryView, out: &mut dyn Write) -> io::Result<()> {
    let Some(crash) = &delivery.crash else { return Ok(()) };
    for frame in &crash.backtrace {
        writeln!(out, "  in        {}", text::escape(frame))?;
    }
    for used in &crash.used {
        writeln!(out, "  used      {}", text::escape(&used.to_string()))?;
    }
    Ok(())
}
