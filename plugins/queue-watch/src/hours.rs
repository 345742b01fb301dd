//! Office hours: days and times of day.

use chatplug_sdk::clock::{ClockTime, DAY_MINUTES, Day, is_within};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;

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
        Hours { days, from: ClockTime::full_hour(8), to: ClockTime::full_hour(20) }
    }

    /// Whether `at` lies within, by the clocks of a zone.
    pub fn contain(&self, at: Timestamp, zone: &TimeZone) -> bool {
        let local = at.to_zoned(zone.clone()).datetime();
        let minute = i16::from(local.hour()) * 60 + i16::from(local.minute());
        is_within(&self.days, self.from, self.to, (local.date().weekday(), minute))
    }

    /// Whether minute `minute` of a week that begins on Monday lies within.
    pub fn contain_minute(&self, minute: i16) -> bool {
        let (day, minute) = (Day::ALL[usize::from(minute.unsigned_abs() / 1440) % 7], minute % DAY_MINUTES);
        is_within(&self.days, self.from, self.to, (day.weekday(), minute))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        chatplug_sdk::clock::zone(name).expect("a zone")
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
}
