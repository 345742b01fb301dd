//! The days that a report is about, in the account's time zone.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use crate::settings::Zone;

/// The most days of a report.
const DAYS_MAX: i32 = 92;

/// For so many days behind the last one ratings and re-openings are waited for.
pub(crate) const PROVISIONAL_DAYS: i32 = 2;

/// From the beginning of a day to the end of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Range {
    /// The first day.
    #[serde(with = "as_text")]
    pub(crate) from: Date,
    /// The last day.
    #[serde(with = "as_text")]
    pub(crate) to: Date,
}

/// A day as `2026-11-01`.
pub(crate) mod as_text {
    use jiff::civil::Date;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(day: &Date, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(day)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Range {
    /// The days that an operator names.
    pub(crate) fn named(from: &str, to: Option<&str>, today: Date) -> Result<Range, String> {
        let day = |text: &str| {
            let date = text.parse::<Date>().ok().filter(|_| text.len() == 10);
            date.ok_or_else(|| format!("`{text}` is not a day; write it like 2026-11-01"))
        };
        let range = Range { from: day(from)?, to: day(to.unwrap_or(from))? };
        if range.from > range.to {
            return Err(format!("{} is behind {}; give the earlier day as --from", range.from, range.to));
        }
        if range.to > today {
            return Err(format!("{} is not over yet; today is {today}", range.to));
        }
        if days_between(range.from, range.to) >= DAYS_MAX {
            return Err(format!("that is more than {DAYS_MAX} days; make several reports"));
        }
        Ok(range)
    }

    /// What is published in the night: yesterday, and the days before it whose numbers may have changed.
    pub(crate) fn nightly(today: Date) -> Vec<Range> {
        let back = |days: i32| today.checked_sub(days.days()).unwrap_or(today);
        let days = (1..=1 + PROVISIONAL_DAYS).map(back);
        days.map(|day| Range { from: day, to: day }).collect()
    }

    /// Whether the numbers may still change: ratings and re-openings come late.
    pub(crate) fn is_provisional(&self, today: Date) -> bool {
        days_between(self.to, today) <= PROVISIONAL_DAYS
    }

    /// The first and last instant.
    pub(crate) fn bounds(&self, zone: &Zone) -> Result<(Timestamp, Timestamp), String> {
        let start = |day: Date| day.to_zoned(zone.zone.clone()).map(|midnight| midnight.timestamp());
        let next = self.to.tomorrow().and_then(start);
        let bounds = start(self.from).and_then(|from| Ok((from, next?.checked_sub(1.microsecond())?)));
        bounds.map_err(|error| format!("the days {} to {} have no bounds: {error}", self.from, self.to))
    }

    /// What its files are called, without the ending.
    pub(crate) fn name(&self) -> String {
        if self.from == self.to { self.from.to_string() } else { format!("{}_{}", self.from, self.to) }
    }

    /// The days in words.
    pub(crate) fn title(&self) -> String {
        if self.from == self.to { self.from.to_string() } else { format!("{} to {}", self.from, self.to) }
    }
}

/// The day in a zone.
pub(crate) fn day(zone: &Zone, at: Timestamp) -> Date {
    at.to_zoned(zone.zone.clone()).date()
}

fn days_between(from: Date, to: Date) -> i32 {
    from.until(to).map_or(i32::MAX, |span| span.get_days())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().expect("a day")
    }

    fn zone(name: &str) -> Zone {
        Zone::try_from(name.to_owned()).expect("a zone")
    }

    #[test]
    fn a_day_is_as_long_as_the_clock_says() {
        let check = |zone_name: &str, day: &str, from: &str, to: &str| {
            let range = Range { from: date(day), to: date(day) };
            let (begin, end) = range.bounds(&zone(zone_name)).expect("bounds");
            assert_eq!(
                (begin.to_string().as_str(), end.to_string().as_str()),
                (from, to),
                "{zone_name} {day}"
            );
        };
        check("Europe/Warsaw", "2026-06-01", "2026-05-31T22:00:00Z", "2026-06-01T21:59:59.999999Z");
        check("Europe/Warsaw", "2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T21:59:59.999999Z");
        check("Europe/Warsaw", "2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T22:59:59.999999Z");
        // Midnight isn't there.
        check("Africa/Cairo", "2026-04-24", "2026-04-23T22:00:00Z", "2026-04-24T20:59:59.999999Z");
        assert_eq!(
            day(&zone("Europe/Warsaw"), "2026-06-01T22:00:00Z".parse().expect("a time")),
            date("2026-06-02")
        );
    }

    #[test]
    fn a_night_publishes_yesterday_and_the_two_days_before_it_again() {
        let nightly = Range::nightly(date("2026-06-03"));
        let names: Vec<String> = nightly.iter().map(Range::name).collect();
        assert_eq!(names, ["2026-06-02", "2026-06-01", "2026-05-31"]);
        let provisional: Vec<bool> =
            nightly.iter().map(|range| range.is_provisional(date("2026-06-03"))).collect();
        assert_eq!(provisional, [true, true, false]);
    }

    #[test]
    fn wrong_days_are_refused_with_a_sentence() {
        let check = |from: &str, to: Option<&str>, part: &str| {
            let refused = Range::named(from, to, date("2026-06-03")).expect_err(from);
            assert!(refused.contains(part), "{refused}");
        };
        check("june", None, "`june` is not a day");
        check("2026-06-01", Some("2026-6-2"), "`2026-6-2` is not a day");
        check("2026-06-02", Some("2026-06-01"), "is behind");
        check("2026-06-04", None, "is not over yet");
        check("2026-01-01", Some("2026-06-01"), "more than 92 days");
        let week = Range::named("2026-05-25", Some("2026-05-31"), date("2026-06-03")).expect("a range");
        assert_eq!(
            (week.name().as_str(), week.title().as_str()),
            ("2026-05-25_2026-05-31", "2026-05-25 to 2026-05-31")
        );
        assert_eq!(
            Range::named("2026-06-03", None, date("2026-06-03")).map(|day| day.name()),
            Ok("2026-06-03".into())
        );
    }
}
