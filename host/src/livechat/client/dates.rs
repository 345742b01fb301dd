//! Times as LiveChat's filters take them: RFC 3339 with microseconds and an offset. A plugin may also write a day, which
//! is a day in the account's time zone: it has 23 or 25 hours twice a year, and rarely begins when a day of UTC does.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use serde_json::{Map, Value};

use crate::action::{Code, Error};

/// Which end of a span of time something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    From,
    To,
}

/// Writes `from` and `to` of filters as LiveChat wants them; a day as `to` is meant as a whole.
///
/// # Errors
/// What is neither a time nor a day, and a day where the time zone is not known.
pub(super) fn write_out(filters: &mut Map<String, Value>, zone: Option<&TimeZone>) -> Result<(), Error> {
    for (key, end) in [("from", End::From), ("to", End::To)] {
        let Some(value) = filters.get_mut(key) else { continue };
        let time = value.as_str().ok_or_else(|| no_time(key, &value.to_string()))?;
        *value = Value::String(text(&instant(key, time, end, zone)?));
    }
    Ok(())
}

/// The text for LiveChat: `2026-06-01T00:00:00.000000+02:00`.
fn text(at: &Zoned) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6f%:z").to_string()
}

fn instant(key: &str, text: &str, end: End, zone: Option<&TimeZone>) -> Result<Zoned, Error> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at.to_zoned(zone.cloned().unwrap_or(TimeZone::UTC)));
    }
    // Only the plain form: others that could be read mean something else.
    let day = text.parse::<Date>().ok().filter(|day| day.to_string() == text);
    let day = day.ok_or_else(|| no_time(key, text))?;
    let Some(zone) = zone else {
        let message = format!(
            "`{key}` is the day {text}, and which hours that are depends on the account's time zone: set \
             livechat.timezone, or write a time with its offset"
        );
        return Err(Error::new(Code::Invalid, message));
    };
    let at = match end {
        End::From => begin(day, zone),
        End::To => day.tomorrow().and_then(|next| begin(next, zone)?.checked_sub(1.microsecond())),
    };
    at.map_err(|_| no_time(key, text))
}

fn begin(day: Date, zone: &TimeZone) -> Result<Zoned, jiff::Error> {
    day.to_zoned(zone.clone())?.start_of_day()
}

fn no_time(key: &str, text: &str) -> Error {
    let shown: String = text.chars().take(40).collect();
    let message = format!(
        "`{key}` is {}, which is neither a time such as 2026-06-01T12:00:00+02:00 nor a day such as 2026-06-01",
        shown.escape_debug()
    );
    Error::new(Code::Invalid, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(zone: Option<&str>, filters: Value, expected: Result<Value, &str>) {
        let zone = zone.map(|name| TimeZone::get(name).expect("a time zone"));
        let Value::Object(mut came) = filters.clone() else { panic!("an object") };
        match (write_out(&mut came, zone.as_ref()), expected) {
            (Ok(()), Ok(expected)) => assert_eq!(Value::Object(came), expected),
            (Err(error), Err(part)) => assert!(error.message.contains(part), "{filters}: {error}"),
            (came, _) => panic!("{filters}: {came:?}"),
        }
    }

    #[test]
    fn a_day_is_one_of_the_account() {
        let day = |day: &str| json!({"from": day, "to": day, "query": "x"});
        let hours = |from: &str, to: &str| Ok(json!({"from": from, "to": to, "query": "x"}));
        check(
            Some("Europe/Warsaw"),
            day("2026-06-01"),
            hours("2026-06-01T00:00:00.000000+02:00", "2026-06-01T23:59:59.999999+02:00"),
        );
        // The clocks are put forward, and back.
        check(
            Some("Europe/Warsaw"),
            day("2026-03-29"),
            hours("2026-03-29T00:00:00.000000+01:00", "2026-03-29T23:59:59.999999+02:00"),
        );
        check(
            Some("Europe/Warsaw"),
            day("2026-10-25"),
            hours("2026-10-25T00:00:00.000000+02:00", "2026-10-25T23:59:59.999999+01:00"),
        );
        // Where midnight is left out once a year, the day begins at one.
        check(
            Some("Africa/Cairo"),
            day("2026-04-24"),
            hours("2026-04-24T01:00:00.000000+03:00", "2026-04-24T23:59:59.999999+03:00"),
        );
        check(None, day("2026-06-01"), Err("livechat.timezone"));
    }

    #[test]
    fn a_time_keeps_its_instant() {
        let time = json!({"from": "2026-06-01T10:00:00.5Z"});
        check(None, time.clone(), Ok(json!({"from": "2026-06-01T10:00:00.500000+00:00"})));
        check(Some("America/New_York"), time, Ok(json!({"from": "2026-06-01T06:00:00.500000-04:00"})));
        check(None, json!({"agents": {"values": ["a"]}}), Ok(json!({"agents": {"values": ["a"]}})));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for wrong in ["", "today", "2026-6-1", "20260601", "2026-02-30", "2026-06-01T10:00:00", "9999-12-31"]
        {
            check(Some("Europe/Warsaw"), json!({"to": wrong}), Err("neither a time"));
        }
        check(Some("Europe/Warsaw"), json!({"from": 5}), Err("neither a time"));
    }
}
