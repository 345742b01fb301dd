//! The days that a report is about, in the account's time zone.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use crate::settings::Zone;

/// The most days of a report.
const DAYS_MAX: i32 = 92;

/// The most days of a night, each with a report of its own.
const NIGHT_DAYS_MAX: i32 = 31;

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

/// What a night publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Night {
    /// The days, the newest first: each has a report of its own.
    pub(crate) days: Vec<Range>,
    /// Days without a final report that are too old: nobody makes it unasked.
    pub(crate) beyond: Option<Range>,
}

impl Night {
    /// Yesterday, and what earlier nights left: the days that are `owed`, which have no report or one whose numbers may have
    /// changed, and all days behind them, on which no night came. Before the first night nothing is owed; it publishes the
    /// days whose numbers may have changed.
    pub(crate) fn of(today: Date, owed: &[Range]) -> Night {
        let back = |days: i32| today.checked_sub(days.days()).unwrap_or(today);
        // Each night owes its own yesterday: two nights later it is final.
        let last = owed.iter().map(|day| day.to).max();
        let since = last.map_or(back(1 + PROVISIONAL_DAYS), |last| last.tomorrow().unwrap_or(last));
        let is_left = |day: Date| day >= since || owed.iter().any(|owed| owed.to == day);
        let days = (1..=NIGHT_DAYS_MAX).map(back).filter(|day| is_left(*day) || *day == back(1));
        let first = owed.iter().map(|day| day.from).fold(since, Date::min);
        let beyond = Range { from: first, to: back(NIGHT_DAYS_MAX + 1) };
        Night {
            days: days.map(|day| Range { from: day, to: day }).collect(),
            beyond: (beyond.from <= beyond.to).then_some(beyond),
        }
    }
}

/// Takes a day that a night published off those that are owed, if its numbers don't change any more.
pub(crate) fn settle(owed: &mut Vec<Range>, published: Range, today: Date) {
    if !published.is_provisional(today) {
        owed.retain(|day| *day != published);
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
        let night = Night::of(date("2026-06-03"), &[]);
        let names: Vec<String> = night.days.iter().map(Range::name).collect();
        assert_eq!(names, ["2026-06-02", "2026-06-01", "2026-05-31"]);
        let provisional: Vec<bool> =
            night.days.iter().map(|range| range.is_provisional(date("2026-06-03"))).collect();
        assert_eq!(provisional, [true, true, false]);
    }

    fn days(days: &[&str]) -> Vec<Range> {
        days.iter().map(|day| Range { from: date(day), to: date(day) }).collect()
    }

    #[test]
    fn a_night_publishes_what_earlier_nights_left() {
        #[track_caller]
        fn check(today: &str, owed: &[&str], expected: &[&str]) {
            let night = Night::of(date(today), &days(owed));
            assert_eq!((night.days, night.beyond), (days(expected), None), "{today}");
        }
        // The night before it came.
        check("2026-06-06", &["2026-06-04", "2026-06-03"], &["2026-06-05", "2026-06-04", "2026-06-03"]);
        // The host was down from Friday evening to Wednesday.
        check(
            "2026-06-10",
            &["2026-06-04", "2026-06-03"],
            &[
                "2026-06-09",
                "2026-06-08",
                "2026-06-07",
                "2026-06-06",
                "2026-06-05",
                "2026-06-04",
                "2026-06-03",
            ],
        );
        // A run came to its first day only.
        check(
            "2026-06-06",
            &["2026-06-04", "2026-06-03", "2026-06-02"],
            &["2026-06-05", "2026-06-04", "2026-06-03", "2026-06-02"],
        );
        // The second one of this night.
        check("2026-06-06", &["2026-06-05", "2026-06-04"], &["2026-06-05", "2026-06-04"]);
        // A clock, or a zone, that was ahead.
        check("2026-06-06", &["2030-01-01", "2026-06-05"], &["2026-06-05"]);
        check("2026-06-06", &["2026-06-06"], &["2026-06-05"]);
    }

    #[test]
    fn what_was_missed_too_long_ago_is_left_to_the_operator() {
        #[track_caller]
        fn check(owed: &[&str], from: &str, beyond: Option<(&str, &str)>) {
            let night = Night::of(date("2026-06-10"), &days(owed));
            assert_eq!(night.days.first().map(Range::name).as_deref(), Some("2026-06-09"));
            assert_eq!(night.days.last().map(Range::name).as_deref(), Some(from));
            assert_eq!(night.beyond, beyond.map(|(from, to)| Range { from: date(from), to: date(to) }));
            assert!(night.days.len() <= 31);
        }
        check(&["2026-05-10"], "2026-05-10", None);
        check(&["2026-05-10", "2026-05-09"], "2026-05-10", Some(("2026-05-09", "2026-05-09")));
        check(&["2025-06-10"], "2026-05-10", Some(("2025-06-10", "2026-05-09")));
    }

    /// What a night does, in the test below.
    #[derive(Clone, Copy, PartialEq)]
    enum Happens {
        Nothing,
        DiesBehindItsFirstReport,
        Everything,
    }

    /// Tries all ways in which eight nights may go.
    #[test]
    fn whatever_nights_are_missed_each_day_gets_one_final_report() {
        use Happens::{DiesBehindItsFirstReport, Everything, Nothing};
        const NIGHTS: u32 = 8;
        for way in 0..3_u32.pow(NIGHTS) {
            let middle = (0..NIGHTS).map(|night| {
                [Nothing, DiesBehindItsFirstReport, Everything][(way / 3_u32.pow(night) % 3) as usize]
            });
            let nights: Vec<Happens> = [Everything].into_iter().chain(middle).chain([Everything]).collect();
            let mut final_reports: Vec<Range> = Vec::new();
            let mut owed: Vec<Range> = Vec::new();
            let mut today = date("2026-06-03");
            for happens in nights {
                if happens != Nothing {
                    let night = Night::of(today, &owed);
                    owed = night.days.clone();
                    let all = night.days.len();
                    let published = if happens == Everything { all } else { 1 };
                    for day in &night.days[..published] {
                        settle(&mut owed, *day, today);
                        final_reports.extend((!day.is_provisional(today)).then_some(*day));
                    }
                }
                today = today.tomorrow().expect("a day");
            }
            final_reports.sort_by_key(|day| day.from);
            // The last night was that of 2026-06-12; the two days before it are provisional.
            let expected = (0..10).map(|number| date("2026-05-31").saturating_add(i64::from(number).days()));
            let expected: Vec<Range> = expected.map(|day| Range { from: day, to: day }).collect();
            assert_eq!(final_reports, expected, "way {way}");
        }
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
