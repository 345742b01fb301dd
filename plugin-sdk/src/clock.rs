//! What operators write of times in settings: zones, days of the week, times of day. With the feature `clock`, which brings the
//! world's time zones along: the guest has no zone files.

use jiff::civil::Weekday;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use schemars::JsonSchema;
use serde::Deserialize;

/// Minutes of a day.
pub const DAY_MINUTES: i16 = 24 * 60;

/// The time zone with an IANA name.
///
/// # Errors
/// A sentence for the operator.
pub fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZoneDatabase::bundled()
        .get(name)
        .map_err(|_| format!("`{name}` is not a time zone; name one like Europe/Warsaw or America/New_York"))
}

/// A time zone, by its IANA name. The guest has no zone files; it carries them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(extend("pattern" = "^[A-Za-z][A-Za-z0-9_+/-]*$"))]
pub struct Zone(#[schemars(with = "String")] pub TimeZone);

impl TryFrom<String> for Zone {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        zone(&name).map(Zone)
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
    /// The days of a week, from Monday on.
    pub const ALL: [Day; 7] = [Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri, Day::Sat, Day::Sun];

    /// The same as jiff has it.
    pub fn weekday(self) -> Weekday {
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(extend("pattern" = "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"))]
pub struct ClockTime(#[schemars(with = "String")] i16);

impl ClockTime {
    /// A full hour; those beyond 24 are 24.
    pub const fn full_hour(hour: u8) -> ClockTime {
        ClockTime(if hour > 24 { DAY_MINUTES } else { hour as i16 * 60 })
    }

    /// Minutes since midnight, from 0 to [`DAY_MINUTES`].
    pub fn minutes(self) -> i16 {
        self.0
    }
}

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
        if minutes > DAY_MINUTES {
            return Err(format!("`{text}` is not a time of day; write it like 09:00 or 17:30"));
        }
        Ok(ClockTime(minutes))
    }
}

/// Whether a day is one of some; of none named, every day is.
pub fn is_one_of(days: &[Day], day: Weekday) -> bool {
    days.is_empty() || days.iter().any(|named| named.weekday() == day)
}

/// Whether a minute of a day lies within hours that begin on some days. Where they end not after their beginning, they end on
/// the next day.
pub fn is_within(days: &[Day], from: ClockTime, to: ClockTime, (day, minute): (Weekday, i16)) -> bool {
    let begun_today = is_one_of(days, day) && minute >= from.0;
    if from.0 < to.0 {
        return begun_today && minute < to.0;
    }
    begun_today || (is_one_of(days, day.previous()) && minute < to.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_time_or_zone_says_how_to_write_it() {
        for text in ["24:01", "9:00", "0900", "aa:bb", "23:60", "", "09:00:00", "+9:00"] {
            let error = ClockTime::try_from(text.to_owned()).expect_err(text);
            assert!(error.contains("09:00"), "{error}");
        }
        let error = Zone::try_from("Europe/Nowhere".to_owned()).expect_err("an unknown zone");
        assert!(error.contains("`Europe/Nowhere`"), "{error}");
    }

    #[test]
    fn a_full_hour_is_the_time_that_is_written_so() {
        for (hour, text) in [(0, "00:00"), (8, "08:00"), (24, "24:00"), (25, "24:00")] {
            assert_eq!(Ok(ClockTime::full_hour(hour)), ClockTime::try_from(text.to_owned()));
        }
    }
}
