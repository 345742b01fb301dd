//! quality-report: what each day's chats come to, for each agent and in all.

pub mod compare;
pub mod csv;
pub mod figures;
pub mod gather;
mod keep;
pub mod measure;
pub mod page;
pub mod range;
pub mod report;
pub mod score;
pub mod settings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chatplug_sdk::payload::{Commanded, TimerDue};
use chatplug_sdk::prelude::*;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::compare::{Asked, Patience, Reports};
use crate::gather::{Asking, Place, Within, gather};
use crate::keep::Run;
use crate::measure::Measured;
use crate::range::{Night, Range};
use crate::report::{Report, decimal};
use crate::settings::Settings;

/// So many pages are read in one event: what is read stays in memory, and in the journal of the delivery, until it ends.
const PAGES_PER_SLICE: u32 = 4;

/// LiveChat looks so many threads up at once.
const THREADS_AT_ONCE: usize = 20;

struct QualityReport;

chatplug_sdk::plugin!(QualityReport);

impl Plugin for QualityReport {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest::new("quality-report", env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_DESCRIPTION"))
            .schedule(Schedule::cron("nightly", "0 3 * * *").catch_up())
            .command("check", "Says how the score is made")
            .command(
                "report",
                "Makes the report of some days: --from 2026-11-01, --to 2026-11-07 if it is not one day",
            )
    }

    fn handle(event: Event, settings: Settings) -> Result<(), Failure> {
        settings.check().map_err(Failure::Reject)?;
        let today = range::day(&settings.timezone, now());
        match event.event_type.as_str() {
            "schedule" => begin(&event, &settings, || night(today)),
            "command" => on_command(&event, &settings, today),
            "timer" => {
                let due: TimerDue = event.payload_as()?;
                let id: String = due.payload_as()?;
                match keep::run(&id)? {
                    Some(run) => go_on(&id, &settings, run, event.attempt),
                    None => Ok(()),
                }
            }
            other => {
                Err(Failure::reject(format!("{other} is not for this plugin: leave it out of `events`")))
            }
        }
    }
}

fn on_command(event: &Event, settings: &Settings, today: Date) -> Result<(), Failure> {
    let command: Commanded = event.payload_as()?;
    if command.command == "check" {
        info!("{}", settings.score.described());
        return Ok(());
    }
    let range = Range::named(command.required("from")?, command.argument("to"), today);
    let range = range.map_err(Failure::Reject)?;
    begin(event, settings, || Ok(Run::new(vec![range], today, false)))?;
    if keep::run(&event.id)?.is_some() {
        // The command ends here; who gave it sees this line last.
        info!(
            "the report goes on by itself, in events of the type timer: `chatplug events list --type timer` shows them, \
             `chatplug files list` whether {}.html is published",
            range.name()
        );
    }
    Ok(())
}

/// What the night has to publish. The plugin remembers itself what was published: the host says how many times of the schedule
/// were missed, but an operator may have given it other times, and a run may have ended early.
fn night(today: Date) -> Result<Run, Failure> {
    let Night { days, beyond } = Night::of(today, &keep::owed()?);
    keep::set_owed(&days)?;
    if let (Some(last), true) = (days.last(), days.len() > 1 + range::PROVISIONAL_DAYS as usize) {
        info!(
            "earlier nights left days that were not reported: now {} days are, from {}",
            days.len(),
            last.from
        );
    }
    if let Some(Range { from, to }) = beyond {
        warn!(
            "days from {from} to {to} have no final report, which is too long ago for the night: chatplug plugins command \
             quality-report report --from {from} --to {to} makes one of all of them"
        );
    }
    Ok(Run::new(days, today, true))
}

/// Begins a run, or goes on with what an earlier attempt at the same event began.
fn begin(
    event: &Event,
    settings: &Settings,
    run: impl FnOnce() -> Result<Run, Failure>,
) -> Result<(), Failure> {
    let run = match keep::run(&event.id)? {
        Some(begun) => begun,
        None => {
            let run = run()?;
            keep::set_run(&event.id, &run)?;
            run
        }
    };
    go_on(&event.id, settings, run, event.attempt)
}

/// Does a slice, and has the host come back for the next one.
fn go_on(id: &str, settings: &Settings, mut run: Run, attempt: u32) -> Result<(), Failure> {
    let Some(range) = run.ranges.first().copied() else { return Ok(keep::end_run(id)?) };
    let (from, to) = range.bounds(&settings.timezone).map_err(Failure::Reject)?;
    let mut wait_ms = 0;
    if run.place != Place::End {
        let query =
            Query::new().days(&from.to_string(), &to.to_string()).oldest_first().limit(settings.page_size);
        let within = Within { from_ms: from.as_millisecond(), to_ms: to.as_millisecond() };
        let mut asking = Asking { page: |page_id: Option<&str>| chats::archives(&query, page_id), begun };
        let slice = gather(&run.place, PAGES_PER_SLICE, within, &mut asking)?;
        keep::add(id, &run, &slice.pages)?;
        run.advance(&slice);
        keep::set_run(id, &run)?;
        wait_ms = slice.wait_ms;
    }
    if run.place == Place::End {
        let patience = patience(id, &mut run, attempt)?;
        publish(id, settings, &run, range, patience)?;
        if run.is_nightly {
            keep::settle_day(range, run.today)?;
        }
        if !run.next_report() {
            return Ok(keep::end_run(id)?);
        }
        keep::set_run(id, &run)?;
    } else {
        info!("{}: {} chats so far", range.title(), run.chats);
    }
    Ok(timers::set(&format!("go-on/{id}"), Duration::from_millis(wait_ms), id)?)
}

/// When the threads behind some began. What goes on is in no archive; the chat has it.
fn begun(followed: &[&Measured]) -> Result<BTreeMap<String, i64>, Error> {
    let mut begun = BTreeMap::new();
    for some in followed.chunks(THREADS_AT_ONCE) {
        let ids: Vec<&str> = some.iter().filter_map(|chat| chat.next_thread_id.as_deref()).collect();
        let archived = chats::archives(&Query::new().filter("thread_ids", json!(ids)), None)?;
        let threads = archived.items.into_iter().map(|chat| chat.thread);
        begun.extend(
            threads.filter_map(|thread| Some((thread.id, measure::ms(thread.created_at.as_deref())?))),
        );
        for chat in some {
            let Some(next) = chat.next_thread_id.as_deref().filter(|next| !begun.contains_key(*next)) else {
                continue;
            };
            match chats::get_thread(&chat.chat_id, next) {
                Err(error) if error.code == ErrorCode::NotFound => {}
                found => {
                    let at = measure::ms(found?.thread.created_at.as_deref());
                    begun.extend(at.map(|at| (next.to_owned(), at)));
                }
            }
        }
    }
    Ok(begun)
}

/// For how long LiveChat's reports are waited for. Since when is kept, as an attempt may end while it asks.
fn patience(id: &str, run: &mut Run, attempt: u32) -> Result<Patience, Failure> {
    let now_ms = now().as_millisecond();
    let asked = match run.asked {
        Some(asked) => asked,
        None => {
            let asked = Asked { since_ms: now_ms, attempt };
            run.asked = Some(asked);
            keep::set_run(id, run)?;
            asked
        }
    };
    Ok(Patience::of(asked, attempt, now_ms))
}

fn publish(
    id: &str,
    settings: &Settings,
    run: &Run,
    range: Range,
    patience: Patience,
) -> Result<(), Failure> {
    let (from, to) = range.bounds(&settings.timezone).map_err(Failure::Reject)?;
    let query = Query::new().days(&from.to_string(), &to.to_string()).timezone(&settings.timezone.name);
    let (tally, has_more_agents) = keep::total(id, run)?;
    let reports = Reports::read(&query, patience)?;
    let report = Report {
        range,
        zone: settings.timezone.name.clone(),
        is_provisional: range.is_provisional(run.today),
        compared: reports.compare(&tally.all),
        not_compared: reports.missing(),
        tally,
        has_more_agents,
        score: settings.score.clone(),
    };
    for notice in report.notices() {
        warn!("{}: {notice}", range.title());
    }
    let (table, page) = (csv::table(&report), page::page(&report));
    let is_latest = run.is_nightly && run.made == 0;
    for name in [Some(range.name()), is_latest.then(|| "latest".to_owned())].into_iter().flatten() {
        files::publish(&format!("{name}.csv"), MediaType::Csv, &table)?;
        files::publish(&format!("{name}.html"), MediaType::Html, &page)?;
    }
    let score = report.all().score.map_or_else(|| "none".to_owned(), decimal);
    let not_compared = match report.not_compared.join(", ") {
        none if none.is_empty() => none,
        names => format!(", not compared: {names}"),
    };
    let chats = report.tally.all.chats;
    info!("published {0}.html and {0}.csv: {chats} chats, score {score}{not_compared}", range.name());
    Ok(())
}

fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis())
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or_default()
}
