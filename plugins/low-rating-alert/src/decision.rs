//! What to tell the channel of a change of a rating.

use std::collections::BTreeMap;

use chatplug_sdk::payload::ChatRated;

use crate::record::{Record, Shown};

/// What there is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// A low rating.
    Low,
    /// A low rating that was told before has another score or comment.
    LowStill,
    /// A rating that was told as low is not low any more.
    Improved,
    /// A rating that was told is gone.
    Withdrawn,
}

/// What to tell, if anything. `record` is what was told of this thread before.
pub(crate) fn news(rated: &ChatRated, low: &BTreeMap<String, i64>, record: Option<&Record>) -> Option<News> {
    if record.is_some_and(|record| record.shown == Shown::from(rated)) {
        return None;
    }
    match (rated.score, record) {
        (Some(_), None) if is_low(rated, low) => Some(News::Low),
        (Some(_), Some(_)) if is_low(rated, low) => Some(News::LowStill),
        (Some(_), Some(record)) if was_low(record, rated, low) => Some(News::Improved),
        (None, Some(record)) if record.shown.score.is_some() => Some(News::Withdrawn),
        _ => None,
    }
}

/// Whether the rating is low on its scale. A scale that the settings don't name has no low ratings.
pub(crate) fn is_low(rated: &ChatRated, low: &BTreeMap<String, i64>) -> bool {
    rated.score.is_some_and(|score| score_is_low(score, rated, low))
}

fn was_low(record: &Record, rated: &ChatRated, low: &BTreeMap<String, i64>) -> bool {
    record.shown.score.is_some_and(|score| score_is_low(score, rated, low))
}

fn score_is_low(score: i64, rated: &ChatRated, low: &BTreeMap<String, i64>) -> bool {
    low.get(rated.scale.as_str()).is_some_and(|threshold| score <= *threshold)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use crate::text::tests::rated;

    fn told(score: Option<i64>, comment: Option<&str>) -> Option<Record> {
        let shown = Shown { score, comment: comment.map(Into::into) };
        Some(Record { shown, ..Record::default() })
    }

    fn check(
        score: Option<i64>,
        scale: &str,
        comment: Option<&str>,
        record: Option<Record>,
        expected: Option<News>,
    ) {
        let rated = rated(score, scale, comment);
        let news = news(&rated, &Settings::default().low, record.as_ref());
        assert_eq!(news, expected, "{score:?} of {scale}, {comment:?}, after {record:?}");
    }

    #[test]
    fn low_is_at_or_under_the_threshold_of_its_scale() {
        check(Some(0), "0-1", None, None, Some(News::Low));
        check(Some(1), "0-1", None, None, None);
        check(Some(1), "1-5", None, None, Some(News::Low));
        check(Some(2), "1-5", None, None, Some(News::Low));
        check(Some(3), "1-5", None, None, None);
        check(Some(0), "0-10", None, None, None);
        check(None, "0-1", Some("a comment alone"), None, None);
    }

    #[test]
    fn a_rating_is_told_once() {
        check(Some(0), "0-1", Some("slow"), told(Some(0), Some("slow")), None);
        check(None, "0-1", None, told(None, None), None);
    }

    #[test]
    fn what_changes_later_is_told() {
        check(Some(0), "0-1", Some("slow"), told(Some(0), None), Some(News::LowStill));
        check(Some(2), "1-5", None, told(Some(1), None), Some(News::LowStill));
        check(Some(1), "0-1", None, told(Some(0), None), Some(News::Improved));
        check(None, "0-1", None, told(Some(0), None), Some(News::Withdrawn));
    }

    #[test]
    fn after_a_rating_turned_good_only_a_bad_one_is_news() {
        check(Some(1), "0-1", Some("thanks"), told(Some(1), None), None);
        check(Some(0), "0-1", None, told(Some(1), None), Some(News::LowStill));
        check(Some(0), "0-1", None, told(None, None), Some(News::LowStill));
        check(Some(1), "0-1", None, told(None, None), None);
    }
}
