//! `[plugin.NAME.schedules]`: what the operator changes of the plugin's schedules.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::item::Item;
use super::table::Table;
use crate::manifest::Schedule;
use crate::schedule::{EVERY_MAX_S, Rule};

/// What is said of one schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is switched off.
    Off,
    /// These parts of it are other ones.
    Parts {
        /// When.
        when: Option<When>,
        /// The zone of the pattern.
        timezone: Option<String>,
        /// Whether it catches up.
        catch_up: Option<bool>,
    },
}

/// When a schedule's time is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// A pattern of five fields.
    Cron(String),
    /// Every so many seconds.
    Every(u64),
}

impl Change {
    /// The schedule as the operator wants it; `None` if it is off.
    pub fn apply(&self, schedule: &Schedule) -> Option<Schedule> {
        let Change::Parts { when, timezone, catch_up } = self else { return None };
        let mut changed = schedule.clone();
        match when {
            Some(When::Cron(pattern)) => (changed.cron, changed.every_s) = (Some(pattern.clone()), None),
            Some(When::Every(seconds)) => {
                (changed.cron, changed.timezone, changed.every_s) = (None, None, Some(*seconds));
            }
            None => {}
        }
        if timezone.is_some() {
            changed.timezone.clone_from(timezone);
        }
        changed.catch_up = catch_up.unwrap_or(changed.catch_up);
        Some(changed)
    }
}

pub(super) fn read(table: &mut Table<'_>) -> BTreeMap<String, Change> {
    let entries = table.take("schedules").and_then(|item| item.table()).map(Table::into_entries);
    let read = |(name, item): (&str, Item<'_>)| Some((name.to_owned(), change(&item)?));
    entries.into_iter().flatten().filter_map(read).collect()
}

fn change(item: &Item<'_>) -> Option<Change> {
    if item.is_text() {
        let when = Some(When::Cron(pattern(item)?));
        return Some(Change::Parts { when, timezone: None, catch_up: None });
    }
    if !item.is_table() {
        return match item.boolean()? {
            true => Some(Change::Parts { when: None, timezone: None, catch_up: None }),
            false => Some(Change::Off),
        };
    }
    let mut table = item.table()?;
    let cron = table.take("cron");
    let every = table.take("every_s");
    if let (Some(item), Some(_)) = (&every, &cron) {
        item.report("stands beside `cron`: keep one of them");
    }
    let cron = cron.and_then(|item| pattern(&item)).map(When::Cron);
    let every = every.and_then(|item| item.integer(1..=EVERY_MAX_S)).map(When::Every);
    let parts = Change::Parts {
        when: cron.or(every),
        timezone: table
            .take("timezone")
            .and_then(|item| super::livechat::timezone(&item))
            .and_then(|zone| zone.iana_name().map(str::to_owned)),
        catch_up: table.take("catch_up").and_then(|item| item.boolean()),
    };
    table.finish();
    Some(parts)
}

fn pattern(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    match Rule::cron(text, TimeZone::UTC) {
        Ok(_) => Some(text.to_owned()),
        Err(reason) => {
            item.report(format!("is not right: {reason}"));
            None
        }
    }
}
