//! The header `Retry-After`: how long a service asks not to be called again.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// The longest wait that is believed.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The wait that a header's value asks for: seconds, or an HTTP date after `now` (RFC 9110, 10.2.3).
/// `None` for what is neither, or lies in the past; more than [`RETRY_AFTER_MAX`] counts as that.
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if value.bytes().all(|b| b.is_ascii_digit()) {
        return seconds(value);
    }
    let until = DateTimeParser::new().parse_timestamp(value).ok()?;
    let wait = Duration::try_from(until.duration_since(now)).ok()?;
    Some(wait.min(RETRY_AFTER_MAX))
}

fn seconds(digits: &str) -> Option<Duration> {
    if digits.is_empty() {
        return None;
    }
    // Digits that don't fit are a very long wait, not garbage.
    let seconds = digits.parse().unwrap_or(u64::MAX);
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: Option<u64>) {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().expect("a timestamp");
        assert_eq!(retry_after(value, now), expected.map(Duration::from_secs), "{value:?}");
    }

    #[test]
    fn seconds_are_taken_as_they_are() {
        check("0", Some(0));
        check("1", Some(1));
        check(" 30 ", Some(30));
        check("86400", Some(86_400));
    }

    #[test]
    fn a_date_is_a_wait_from_now() {
        check("Sun, 01 Mar 2026 12:00:30 GMT", Some(30));
        check("Sun, 01 Mar 2026 13:00:00 GMT", Some(3_600));
    }

    #[test]
    fn more_than_a_day_counts_as_a_day() {
        check("86401", Some(86_400));
        check("99999999999999999999999999", Some(86_400));
        check("Sun, 01 Mar 2099 12:00:00 GMT", Some(86_400));
    }

    #[test]
    fn what_makes_no_sense_counts_as_absent() {
        for value in ["", " ", "-1", "1.5", "1e3", "soon", "0x10", "10 s", "Sun, 99 Mar 2026", "\u{661}"] {
            check(value, None);
        }
        check("Sun, 01 Mar 2026 11:59:59 GMT", None);
    }
}
