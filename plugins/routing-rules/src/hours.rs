//! Business hours: days and times of day in a time zone.

use chatplug_sdk::clock::{ClockTime, Day, Zone, is_within};
use jiff::Timestamp;
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
        is_within(&self.days, self.from, self.to, (local.date().weekday(), minute))
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
}
