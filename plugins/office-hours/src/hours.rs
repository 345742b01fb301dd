//! Hours of a timetable: days and times of day in a time zone, holidays, and the days on which the clocks change.

use chatplug_sdk::clock::{ClockTime, Day, Zone, is_one_of};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::AmbiguousOffset;
use schemars::JsonSchema;
use serde::Deserialize;

/// Hours of some days of the week, within one day.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// The days; every day if none is named.
    #[serde(default)]
    pub days: Vec<Day>,
    /// When they begin, such as `09:00`.
    pub from: ClockTime,
    /// When they are over, such as `17:30`; `24:00` is the end of the day.
    pub to: ClockTime,
}

impl Hours {
    /// Whether the clock of their zone shows a time within.
    pub fn contain(&self, shown: DateTime) -> bool {
        let minute = i16::from(shown.hour()) * 60 + i16::from(shown.minute());
        is_one_of(&self.days, shown.date().weekday())
            && (self.from.minutes()..self.to.minutes()).contains(&minute)
    }

    /// Whether both are open at some time of some day.
    pub fn overlap(&self, other: &Hours) -> bool {
        let on_one_day = Day::ALL.iter().any(|day| {
            let day = day.weekday();
            is_one_of(&self.days, day) && is_one_of(&other.days, day)
        });
        on_one_day && self.from < other.to && other.from < self.to
    }

    /// Whether they end behind their beginning.
    pub fn are_forward(&self) -> bool {
        self.from < self.to
    }
}

/// What the clock of a zone has shown by an instant, at most. Where the clocks go back it stands still, just before the
/// change, until the time that was there already is over: what begins or ends in it does so once, the first time, and what
/// begins or ends right behind it does so when that time comes.
pub fn shown(zone: &Zone, at: Timestamp) -> DateTime {
    let local = at.to_zoned(zone.0.clone());
    let ambiguous = zone.0.to_ambiguous_timestamp(local.datetime());
    match ambiguous.offset() {
        AmbiguousOffset::Fold { before, after } if local.offset() == after => {
            let behind = at.checked_add(jiff::SignedDuration::from_nanos(1)).unwrap_or(at);
            let changed = zone.0.preceding(behind).next().map_or(at, |change| change.timestamp());
            // Not the change itself: by the clock from before it is the first moment behind the time that comes twice.
            let last = changed.checked_sub(jiff::SignedDuration::from_nanos(1)).unwrap_or(changed);
            before.to_datetime(last)
        }
        _ => local.datetime(),
    }
}

/// A day on which nobody works, such as `2026-12-25`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(extend("pattern" = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))]
pub struct Holiday(#[schemars(with = "String")] pub Date);

impl TryFrom<String> for Holiday {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let date = text.parse().ok().filter(|_| text.len() == "2026-12-25".len());
        date.map(Holiday).ok_or_else(|| format!("`{text}` is not a day; write it like 2026-12-25"))
    }
}

#[cfg(test)]
mod tests;
