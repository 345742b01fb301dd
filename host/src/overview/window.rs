//! The days that are asked for.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{ToSpan, Unit};
use serde::{Deserialize, Serialize};

use crate::action::{Code, Error};

/// Days at once.
const DAYS_MAX: i64 = 366;

/// From one day to another, both whole, in the account's time zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The first day.
    pub date_from: Date,
    /// The last day.
    pub date_to: Date,
    /// The time zone's name.
    pub timezone: String,
}

impl Window {
    /// The days that are asked for; by default today and so many days before it. With only a first day, those from it to
    /// today; with only a last one, so many before it.
    ///
    /// # Errors
    /// `invalid` for a last day before the first, and for too many.
    pub fn new(
        from: Option<Date>,
        to: Option<Date>,
        days_before: i64,
        today: Date,
        zone: &TimeZone,
    ) -> Result<Window, Error> {
        let invalid = |message: String| Error::new(Code::Invalid, message);
        let date_to = to.unwrap_or_else(|| from.map_or(today, |from| today.max(from)));
        let date_from = match from {
            Some(from) => from,
            None => date_to
                .checked_sub(days_before.days())
                .map_err(|_| invalid(format!("there are no days before {date_to}")))?,
        };
        if date_from > date_to {
            return Err(invalid(format!("`date_from` is {date_from}, which is after `date_to`, {date_to}")));
        }
        let days = date_from.until((Unit::Day, date_to)).map_or(i64::MAX, |span| i64::from(span.get_days()));
        if days >= DAYS_MAX {
            return Err(invalid(format!("from {date_from} to {date_to} are more than {DAYS_MAX} days")));
        }
        let timezone = zone.iana_name().unwrap_or("UTC").to_owned();
        Ok(Window { date_from, date_to, timezone })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(from: Option<&str>, to: Option<&str>, expected: Result<(&str, &str), &str>) {
        let day = |text: &str| text.parse::<Date>().expect("a day");
        let came = Window::new(from.map(day), to.map(day), 1, day("2026-06-10"), &TimeZone::UTC);
        match (came, expected) {
            (Ok(window), Ok((first, last))) => {
                assert_eq!((window.date_from, window.date_to), (day(first), day(last)));
            }
            (Err(error), Err(part)) => assert!(error.message.contains(part), "{error}"),
            (came, expected) => panic!("{came:?}, not {expected:?}"),
        }
    }

    #[test]
    fn what_is_not_said_is_yesterday_and_today() {
        check(None, None, Ok(("2026-06-09", "2026-06-10")));
        check(Some("2026-06-01"), None, Ok(("2026-06-01", "2026-06-10")));
        check(None, Some("2026-03-01"), Ok(("2026-02-28", "2026-03-01")));
        check(Some("2026-06-12"), None, Ok(("2026-06-12", "2026-06-12")));
        check(Some("2026-06-10"), Some("2026-06-10"), Ok(("2026-06-10", "2026-06-10")));
        check(Some("2026-06-02"), Some("2026-06-01"), Err("after"));
        check(Some("2025-06-09"), Some("2026-06-10"), Err("more than 366"));
        check(Some("2025-06-10"), Some("2026-06-10"), Ok(("2025-06-10", "2026-06-10")));
        check(None, Some("-009999-01-01"), Err("no days before"));
    }
}
