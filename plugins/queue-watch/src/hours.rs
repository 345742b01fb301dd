//! Office hours: days and times of day.

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use schemars::JsonSchema;
use serde::Deserialize;

const DAY_MINUTES: i16 = 24 * 60;

/// Hours of some days of the week. Where `to` is not after `from`, they end on the next day.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// The days on which the hours begin; every day if none is named.
    #[serde(default)]
    pub days: Vec<Day>,
    /// When they begin, such as `08:00`.
    pub from: ClockTime,
    /// When they are over, such as `20:00`; `24:00` is the end of the day.
    pub to: ClockTime,
}

impl Hours {
    /// From Monday to Friday, 08:00 to 20:00.
    pub fn of_offices() -> Hours {
        let days = vec![Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri];
        Hours { days, from: ClockTime(8 * 60), to: ClockTime(20 * 60) }
    }

    /// Whether `at` lies within, by the clocks of a zone.
    pub fn contain(&self, at: Timestamp, zone: &TimeZone) -> bool {
        let local = at.to_zoned(zone.clone()).datetime();
        let minute = i16::from(local.hour()) * 60 + i16::from(local.minute());
        let today = local.date().weekday();
        let begun_today = self.begin_on(today) && minute >= self.from.0;
        if self.from.0 < self.to.0 {
            return begun_today && minute < self.to.0;
        }
        begun_today || (self.begin_on(today.previous()) && minute < self.to.0)
    }

    /// Whether minute `minute` of a week that begins on Monday lies within.
    pub fn contain_minute(&self, minute: i16) -> bool {
        let (day, minute) = (Day::ALL[usize::from(minute.unsigned_abs() / 1440) % 7], minute % DAY_MINUTES);
        let begun_today = self.begin_on(day.weekday()) && minute >= self.from.0;
        if self.from.0 < self.to.0 {
            return begun_today && minute < self.to.0;
        }
        begun_today || (self.begin_on(day.weekday().previous()) && minute < self.to.0)
    }

    fn begin_on(&self, day: Weekday) -> bool {
        self.days.is_empty() || self.days.iter().any(|named| named.weekday() == day)
    }
}

/// A time zone, by its IANA name. The guest has no zone files; it carries them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(extend("pattern" = "^[A-Za-z][A-Za-z0-9_+/-]*$"))]
pub struct Zone(#[schemars(with = "String")] pub TimeZone);

impl TryFrom<String> for Zone {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let zone = TimeZoneDatabase::bundled().get(&name);
        zone.map(Zone).map_err(|_| {
            format!("`{name}` is not a time zone; name one like Europe/Warsaw or America/New_York")
        })
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
        let wrong = || format!("`{text}` is not a time of day; write it like 09:00 or 17:30");
        let (hours, minutes) = text.split_once(':').ok_or_else(wrong)?;
        let number = |digits: &str| match digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit()) {
            true => digits.parse::<i16>().ok(),
            false => None,
        };
        let (Some(hours), Some(minutes)) = (number(hours), number(minutes)) else { return Err(wrong()) };
        let all = hours * 60 + minutes;
        if minutes < 60 && all <= DAY_MINUTES { Ok(ClockTime(all)) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        Zone::try_from(name.to_owned()).expect("a zone").0
    }

    #[test]
    fn hours_are_those_of_the_zone_and_may_end_on_the_next_day() {
        let check = |hours: &str, name: &str, at: &str, expected: bool| {
            let hours: Hours = serde_json::from_str(hours).expect("hours");
            let at: Timestamp = at.parse().expect("a timestamp");
            assert_eq!(hours.contain(at, &zone(name)), expected, "{hours:?} at {at}");
        };
        let office = r#"{"days":["mon","tue","wed","thu","fri"],"from":"09:00","to":"17:00"}"#;
        check(office, "Europe/Warsaw", "2026-01-05T08:00:00Z", true); // Monday 09:00, winter
        check(office, "Europe/Warsaw", "2026-07-06T07:00:00Z", true); // Monday 09:00, summer
        check(office, "Europe/Warsaw", "2026-01-05T07:59:59Z", false);
        check(office, "Europe/Warsaw", "2026-01-05T16:00:00Z", false);
        check(office, "Europe/Warsaw", "2026-01-10T10:00:00Z", false); // Saturday
        let night = r#"{"days":["fri"],"from":"22:00","to":"06:00"}"#;
        check(night, "America/New_York", "2026-07-11T09:59:00Z", true); // Saturday 05:59
        check(night, "America/New_York", "2026-07-10T09:00:00Z", false); // Friday 05:00
    }

    #[test]
    fn the_minutes_of_a_week_are_counted() {
        let check = |hours: &str, expected: usize| {
            let hours: Hours = serde_json::from_str(hours).expect("hours");
            let found = (0..7 * DAY_MINUTES).filter(|minute| hours.contain_minute(*minute)).count();
            assert_eq!(found, expected, "{hours:?}");
        };
        check(r#"{"days":["mon","sun"],"from":"09:00","to":"17:30"}"#, 2 * 510);
        check(r#"{"from":"00:00","to":"24:00"}"#, 7 * 1440);
        check(r#"{"days":["sun"],"from":"22:00","to":"06:00"}"#, 480);
        let office = Hours::of_offices();
        assert_eq!((0..7 * DAY_MINUTES).filter(|minute| office.contain_minute(*minute)).count(), 5 * 720);
    }

    #[test]
    fn a_wrong_time_or_zone_says_how_to_write_it() {
        for text in ["24:01", "9:00", "0900", "aa:bb", "23:60", "", "09:00:00", "+9:00"] {
            let error = ClockTime::try_from(text.to_owned()).expect_err(text);
            assert!(error.contains("09:00"), "{error}");
        }
        assert!(Zone::try_from("Europe/Nowhere".to_owned()).is_err());
    }
}
