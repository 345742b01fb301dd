//! Schedules: when something is to be done again and again, and which of these times is due.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

mod turn;

pub use turn::{Tick, Turn, Watched, turn};

/// The longest interval, seconds: what is rarer has a time of day, and is better said with cron.
pub const EVERY_MAX_S: u64 = 86_400;
/// How often the clocks of a zone may change until the next time of a rule: some decades.
const CHANGES_MAX: usize = 64;

/// When something is done: a function from one time to the next.
#[derive(Clone, Debug)]
pub struct Rule {
    kind: Kind,
    text: String,
}

#[derive(Clone, Debug)]
enum Kind {
    /// At times of the wall clock of a zone.
    Cron {
        pattern: Box<cronexpr::Crontab>,
        zone: TimeZone,
        /// Whether the pattern names no hour: then it goes by what passes, not by the wall clock.
        every_hour: bool,
    },
    /// Each time that so many milliseconds since 1970 have passed.
    Every(i64),
}

impl Rule {
    /// Times of the wall clock of a zone, as cron has them: minute, hour, day of month, month, day of week.
    ///
    /// A time that the clocks skip when they go forward comes when they do. Where they go back, a pattern that names
    /// hours comes once for each time that it names, the first time; one for every hour (`*`) goes on by what passes.
    ///
    /// # Errors
    /// A sentence on what is wrong with the pattern.
    pub fn cron(pattern: &str, zone: TimeZone) -> Result<Rule, String> {
        let fields: Vec<&str> = pattern.split_whitespace().collect();
        let [_, hour, ..] = *fields else { return Err(wrong(pattern, "it has not five fields")) };
        if fields.len() != 5 {
            return Err(wrong(pattern, &format!("it has {} fields, not five", fields.len())));
        }
        // The pattern is asked for times of a wall clock; where these lie is found out here.
        let text = fields.join(" ");
        let parsed = cronexpr::parse_crontab(&format!("{text} UTC")).map_err(|_| {
            wrong(
                pattern,
                "its fields are minute, hour, day of month, month, day of week, such as `0 3 * * MON-FRI`",
            )
        })?;
        let name = zone.iana_name().unwrap_or("UTC").to_owned();
        let every_hour = hour == "*";
        let rule = Rule {
            text: format!("{text} {name}"),
            kind: Kind::Cron { pattern: Box::new(parsed), zone, every_hour },
        };
        match rule.next_after(0) {
            Some(_) => Ok(rule),
            None => Err(wrong(pattern, "there is no such day")),
        }
    }

    /// Every so many seconds, counted from 1970: all hosts and starts agree on the times.
    ///
    /// # Errors
    /// If that is too seldom, or all the time.
    pub fn every(seconds: u64) -> Result<Rule, String> {
        match i64::try_from(seconds) {
            Ok(seconds @ 1..) if seconds <= EVERY_MAX_S.cast_signed() => {
                Ok(Rule { kind: Kind::Every(seconds * 1000), text: format!("every {seconds} s") })
            }
            _ => Err(format!("an interval is from 1 to {EVERY_MAX_S} seconds: for longer ones use cron")),
        }
    }

    /// The rule in words; equal ones are the same rule.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How far ahead of the clock a schedule by this rule can be done, milliseconds: if it is further, the clock was put back.
    /// A cron rule may be ahead by any time: what it did is not done again. An interval must not stand still meanwhile.
    fn lead_max_ms(&self) -> i64 {
        match &self.kind {
            Kind::Every(interval) => *interval,
            Kind::Cron { .. } => i64::MAX,
        }
    }

    /// The first time behind `after_ms`; both in milliseconds since 1970. `None`: there is none in the next years.
    pub fn next_after(&self, after_ms: i64) -> Option<i64> {
        match &self.kind {
            Kind::Every(interval) => Some((after_ms.div_euclid(*interval) + 1) * interval),
            Kind::Cron { pattern, zone, every_hour } => {
                let after = Timestamp::from_millisecond(after_ms).ok()?;
                next_of_wall_clock(pattern, zone, *every_hour, after).map(Timestamp::as_millisecond)
            }
        }
    }
}

fn wrong(pattern: &str, why: &str) -> String {
    format!("`{}` is no cron pattern: {why}", pattern.escape_debug())
}

/// Goes from one change of the zone's clocks to the next: between two of them the wall clock runs as time does.
fn next_of_wall_clock(
    pattern: &cronexpr::Crontab,
    zone: &TimeZone,
    every_hour: bool,
    after: Timestamp,
) -> Option<Timestamp> {
    // Behind this time of the wall clock; before `not_before` it has shown all once.
    let mut from = after;
    let mut wall = zone.to_offset(after).to_datetime(after);
    if !every_hour {
        wall = wall.max(shown_before(zone, after)?);
    }
    for _ in 0..CHANGES_MAX {
        let offset = zone.to_offset(from);
        let next = next_in(pattern, wall)?;
        let at = offset.to_timestamp(next).ok()?;
        let Some(change) = zone.following(from).next().filter(|change| change.timestamp() <= at) else {
            return Some(at);
        };
        let (old, new) =
            (offset.to_datetime(change.timestamp()), change.offset().to_datetime(change.timestamp()));
        if new > old && next < new {
            return Some(change.timestamp());
        }
        from = change.timestamp();
        // What the clock shows right now counts: one second before it.
        let now = if every_hour { new } else { new.max(old) };
        wall = now.checked_sub(1.second()).ok()?;
    }
    None
}

/// If the clocks went back a moment ago: the time that they showed before, less a second.
fn shown_before(zone: &TimeZone, at: Timestamp) -> Option<DateTime> {
    let Some(change) = zone.preceding(at.checked_add(1.second()).ok()?).next() else {
        return Some(DateTime::MIN);
    };
    let before = change.timestamp().checked_sub(1.second()).ok()?;
    // What a clock would show now if it had not been put back.
    zone.to_offset(before).to_datetime(change.timestamp()).checked_sub(1.second()).ok()
}

/// The next time that a pattern names, of a clock that never changes.
fn next_in(pattern: &cronexpr::Crontab, wall: DateTime) -> Option<DateTime> {
    let as_utc = TimeZone::UTC.to_timestamp(wall).ok()?;
    pattern.find_next(cronexpr::MakeTimestamp(as_utc)).ok().map(|next| next.datetime())
}

#[cfg(test)]
mod tests;
