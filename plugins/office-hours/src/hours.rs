//! Hours of a timetable: days and times of day in a time zone, holidays, and the days on which the clocks change.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use schemars::JsonSchema;
use serde::Deserialize;

/// The end of a day, minutes since midnight.
const DAY_END: i16 = 24 * 60;

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
        self.are_on(shown.date().weekday()) && (self.from.0..self.to.0).contains(&minute)
    }

    /// Whether both are open at some time of some day.
    pub fn overlap(&self, other: &Hours) -> bool {
        let on_one_day = Day::ALL.iter().any(|day| {
            let day = day.weekday();
            self.are_on(day) && other.are_on(day)
        });
        on_one_day && self.from.0 < other.to.0 && other.from.0 < self.to.0
    }

    /// Whether they end behind their beginning.
    pub fn are_forward(&self) -> bool {
        self.from.0 < self.to.0
    }

    fn are_on(&self, day: Weekday) -> bool {
        self.days.is_empty() || self.days.iter().any(|named| named.weekday() == day)
    }
}

/// What the clock of a zone has shown by an instant, at most. Where the clocks go back it stands still until the time that
/// was there already is over: what opens or closes then does so once.
pub fn shown(zone: &Zone, at: Timestamp) -> DateTime {
    let local = at.to_zoned(zone.0.clone());
    let ambiguous = zone.0.to_ambiguous_timestamp(local.datetime());
    match ambiguous.offset() {
        AmbiguousOffset::Fold { before, after } if local.offset() == after => {
            let behind = at.checked_add(jiff::SignedDuration::from_nanos(1)).unwrap_or(at);
            let changed = zone.0.preceding(behind).next().map_or(at, |change| change.timestamp());
            before.to_datetime(changed)
        }
        _ => local.datetime(),
    }
}

/// A time zone, by its IANA name. The guest has no zone files; it carries them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(extend("pattern" = "^[A-Za-z][A-Za-z0-9_+/-]*$"))]
pub struct Zone(#[schemars(with = "String")] TimeZone);

impl TryFrom<String> for Zone {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let zone = TimeZoneDatabase::bundled().get(&name);
        zone.map(Zone).map_err(|_| {
            format!("`{name}` is not a time zone; name one like Europe/Warsaw or America/New_York")
        })
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

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl Day {
    const ALL: [Day; 7] = [Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri, Day::Sat, Day::Sun];

    fn weekday(self) -> Weekday {
        match self {
            Day::Mon => Weekday::Monday,
            Day::Tue => Weekday::Tuesday,
            Day::Wed => Weekday::Wednesday,
            Day::Thu => Weekday::Thursday,
            Day::Fri => Weekday::Friday,
            Day::Sat => Weekday::Saturday,
            Day::Sun => Weekday::Sunday,
        }
    }
}

/// A time of day, `00:00` to `24:00`: minutes since midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(extend("pattern" = "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"))]
pub struct ClockTime(#[schemars(with = "String")] i16);

impl TryFrom<String> for ClockTime {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let minutes = match text.as_bytes() {
            [h1 @ b'0'..=b'9', h2 @ b'0'..=b'9', b':', m1 @ b'0'..=b'5', m2 @ b'0'..=b'9'] => {
                let digit = |byte: &u8| i16::from(byte - b'0');
                (digit(h1) * 10 + digit(h2)) * 60 + digit(m1) * 10 + digit(m2)
            }
            _ => i16::MAX,
        };
        if minutes > DAY_END {
            return Err(format!("`{text}` is not a time of day; write it like 09:00 or 17:30"));
        }
        Ok(ClockTime(minutes))
    }
}

#[cfg(test)]
mod tests;
