//! `chatplug dead replay`, `dead discard` and `held resolve`

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::link::{Link, stored};
use super::selection::SelectionArgs;
use super::text;
use crate::config::Config;
use crate::delivery::{DeliveryId, State};
use crate::store::{BATCH, Count, Cursor, DecidedDelivery, Decision};

/// Deliveries that a command names one by one in its output; of more it tells the number.
const NAMED_MAX: usize = 1_000;
/// Of these, as many as people are shown.
const SHOWN_MAX: usize = 20;

/// What a command changed.
#[derive(Default, Serialize)]
struct Done {
    changed: u64,
    /// Actions that had succeeded or are in doubt, and may happen once more.
    may_repeat: u64,
    /// The first of those that were changed.
    deliveries: Vec<DecidedDelivery>,
    /// Those that were asked for, but are no (longer) dead or held.
    unchanged: Vec<DeliveryId>,
}

/// Decides about deliveries that stopped; false if some of those that were named are not there.
///
/// # Errors
/// Those of the host, the store and the output.
pub async fn run(
    config: &Config,
    decision: Decision,
    args: &SelectionArgs,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    if args.dry_run {
        let count = dry_run(&config.data_dir, decision, args)?;
        print_count(decision, &count, json, out)?;
        return Ok(true);
    }
    let link = Link::open(config)?;
    let mut done = Done::default();
    if args.ids.is_empty() {
        decide_all(&link, decision, args, &mut done).await?;
    }
    for ids in args.ids.chunks(BATCH) {
        let decided = link.decide(decision, args.selection(ids)).await?;
        let is_missing = |id: &&DeliveryId| decided.deliveries.iter().all(|one| one.id != **id);
        done.unchanged.extend(ids.iter().filter(is_missing));
        done.take(decided.deliveries, decided.may_repeat);
    }
    let is_well = done.unchanged.is_empty();
    print(decision, &done, json, out)?;
    Ok(is_well)
}

/// Batch after batch, each a change of its own, so that webhooks are taken meanwhile.
async fn decide_all(
    link: &Link,
    decision: Decision,
    args: &SelectionArgs,
    done: &mut Done,
) -> anyhow::Result<()> {
    let mut cursor: Option<Cursor> = None;
    loop {
        let left = args.limit.map_or(u64::MAX, |limit| limit.saturating_sub(done.changed));
        let mut selection = args.selection(&[]);
        selection.cursor = cursor;
        selection.limit = Some(left.min(BATCH as u64) as usize);
        let decided = link.decide(decision, selection).await?;
        done.take(decided.deliveries, decided.may_repeat);
        cursor = decided.next;
        if cursor.is_none() || args.limit.is_some_and(|limit| done.changed >= limit) {
            return Ok(());
        }
    }
}

impl Done {
    fn take(&mut self, deliveries: Vec<DecidedDelivery>, may_repeat: u64) {
        self.changed += deliveries.len() as u64;
        self.may_repeat += may_repeat;
        let room = NAMED_MAX.saturating_sub(self.deliveries.len());
        self.deliveries.extend(deliveries.into_iter().take(room));
    }
}

fn dry_run(data_dir: &Path, decision: Decision, args: &SelectionArgs) -> anyhow::Result<Count> {
    let selection = args.selection(&args.ids);
    Ok(stored(data_dir)?.count(decision.concerns(), &selection.filter, &selection.ids, args.limit)?)
}

fn print_count(decision: Decision, count: &Count, json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json {
        return text::json(out, &count);
    }
    let noun = noun(decision, count.total);
    writeln!(out, "It would be {} {noun}; nothing was changed.", count.total)?;
    for (plugin, number) in &count.by_plugin {
        writeln!(out, "  {number} of {}", text::escape(plugin))?;
    }
    if decision == (Decision::Replay { fresh: true }) && count.actions_done > 0 {
        writeln!(out, "Without the journals, {}", can_repeat(count.actions_done))?;
    }
    Ok(())
}

fn print(decision: Decision, done: &Done, json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json {
        return text::json(out, &done);
    }
    for one in done.deliveries.iter().take(SHOWN_MAX) {
        let plugin = text::escape(&one.plugin);
        match one.now {
            Some(now) => writeln!(out, "{} of {} to {plugin} runs again as {now}", one.id, one.event)?,
            None => writeln!(out, "{} of {} to {plugin} is discarded", one.id, one.event)?,
        }
    }
    let (changed, noun) = (done.changed, noun(decision, done.changed));
    match decision {
        Decision::Replay { .. } => writeln!(out, "Replayed {changed} {noun}.")?,
        Decision::Discard => writeln!(out, "Discarded {changed} {noun}.")?,
        Decision::Sent | Decision::NotSent => writeln!(out, "Resolved {changed} {noun}.")?,
        Decision::Look => writeln!(
            out,
            "Looking into {changed} {noun} again. What nobody can be asked about is held once more, under its new \
             number: say --sent or --not-sent of it."
        )?,
    }
    if done.may_repeat > 0 && decision == (Decision::Replay { fresh: true }) {
        writeln!(out, "{}", can_repeat(done.may_repeat))?;
    }
    for id in &done.unchanged {
        let state = if decision.concerns() == State::Dead { "no dead letter" } else { "not held" };
        writeln!(out, "{id} is {state} (any more)")?;
    }
    Ok(())
}

fn can_repeat(count: u64) -> String {
    let actions = if count == 1 { "action" } else { "actions" };
    format!("{count} {actions} that took place, or may have, can happen again.")
}

fn noun(decision: Decision, count: u64) -> &'static str {
    match (decision.concerns(), count) {
        (State::Dead, 1) => "dead letter",
        (State::Dead, _) => "dead letters",
        (_, 1) => "held delivery",
        (_, _) => "held deliveries",
    }
}
