//! Business hours: days and times of day in a time zone.

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use schemars::JsonSchema;
use serde::Deserialize;

/// Hours of some days of the week. Where `to` is not after `from`, they end on the next day.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// The IANA time zone that the times are in, such as `Europe/Warsaw`.
    pub timezone: Zone,
    /// The days on which the hours begin; every day if none is named.
    #[serde(default)]
    pub days: Vec<Day>,
    /// When they begin, such as `09:00`.
    pub from: ClockTime,
    /// When they are over, such as `17:30`; `24:00` is the end of the day.
    pub to: ClockTime,
}

impl Hours {
    /// Whether `at` lies within.
    pub fn contain(&self, at: Timestamp) -> bool {
        let local = at.to_zoned(self.timezone.0.clone()).datetime();
        let minute = i16::from(local.hour()) * 60 + i16::from(local.minute());
        let today = local.date().weekday();
        let begun_today = self.begin_on(today) && minute >= self.from.0;
        if self.from.0 < self.to.0 {
            return begun_today && minute < self.to.0;
        }
        begun_today || (self.begin_on(today.previous()) && minute < self.to.0)
    }

    fn begin_on(&self, day: Weekday) -> bool {
        self.days.is_empty() || self.days.iter().any(|named| named.weekday() == day)
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
pub struct ClockTime(i16);

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
        if minutes > 24 * 60 {
            return Err(format!("`{text}` is not a time of day; write it like 09:00 or 17:30"));
        }
        Ok(ClockTime(minutes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hours: &str, at: &str, expected: bool) {
        let hours: Hours = serde_json::from_str(hours).expect("hours");
        let at: Timestamp = at.parse().expect("a timestamp");
        assert_eq!(hours.contain(at), expected, "{hours:?} at {at}");
    }

    #[test]
    fn hours_of_working_days_begin_and_end_in_their_time_zone() {
        let office = r#"{"timezone":"Europe/Warsaw","days":["mon","tue","wed","thu","fri"],"from":"09:00","to":"17:00"}"#;
        check(office, "2026-01-05T08:00:00Z", true); // Monday 09:00, winter
        check(office, "2026-01-05T07:59:59Z", false);
        check(office, "2026-01-05T15:59:59Z", true);
        check(office, "2026-01-05T16:00:00Z", false); // 17:00 is over
        check(office, "2026-07-06T07:00:00Z", true); // Monday 09:00, summer
        check(office, "2026-07-06T15:00:00Z", false);
        check(office, "2026-01-10T10:00:00Z", false); // Saturday
    }

    #[test]
    fn the_day_is_the_day_of_the_time_zone() {
        let sunday = r#"{"timezone":"Pacific/Auckland","days":["sun"],"from":"00:00","to":"24:00"}"#;
        check(sunday, "2026-07-04T12:00:00Z", true); // Sunday 00:00 there, Saturday in UTC
        check(sunday, "2026-07-05T12:00:00Z", false); // Monday 00:00 there
        check(sunday, "2026-07-05T11:59:00Z", true);
    }

    #[test]
    fn hours_over_midnight_belong_to_the_day_on_which_they_begin() {
        let night = r#"{"timezone":"America/New_York","days":["fri"],"from":"22:00","to":"06:00"}"#;
        check(night, "2026-07-11T02:00:00Z", true); // Friday 22:00
        check(night, "2026-07-11T09:59:00Z", true); // Saturday 05:59
        check(night, "2026-07-11T10:00:00Z", false); // Saturday 06:00
        check(night, "2026-07-10T09:00:00Z", false); // Friday 05:00: Thursday's night
        check(night, "2026-07-12T03:00:00Z", false); // Saturday 23:00
    }

    #[test]
    fn equal_times_are_a_whole_day_and_no_days_are_all_days() {
        check(r#"{"timezone":"UTC","from":"00:00","to":"00:00"}"#, "2026-03-01T23:59:59Z", true);
        check(
            r#"{"timezone":"UTC","days":["sun"],"from":"08:00","to":"08:00"}"#,
            "2026-03-02T07:59:00Z",
            true,
        );
        check(
            r#"{"timezone":"UTC","days":["sun"],"from":"08:00","to":"08:00"}"#,
            "2026-03-02T08:00:00Z",
            false,
        );
    }

    #[test]
    fn the_clock_change_moves_the_hours() {
        let morning = r#"{"timezone":"Europe/Berlin","from":"02:30","to":"03:30"}"#;
        check(morning, "2026-03-29T01:00:00Z", true); // 03:00, just after the missing hour
        check(morning, "2026-03-29T00:59:00Z", false); // 01:59, just before it
    }

    #[test]
    fn a_wrong_time_or_zone_says_how_to_write_it() {
        for text in ["24:01", "9:00", "0900", "aa:bb", "23:60", "", "09:00:00"] {
            let error = ClockTime::try_from(text.to_owned()).expect_err(text);
            assert!(error.contains("09:00"), "{error}");
        }
        let error = Zone::try_from("Europe/Nowhere".to_owned()).expect_err("an unknown zone");
        assert!(error.contains("`Europe/Nowhere`"), "{error}");
    }
}
