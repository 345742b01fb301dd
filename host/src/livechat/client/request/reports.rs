//! Requests for reports, and what LiveChat leaves out of its answers.

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::{ACCOUNT, Request, invalid, object};
use crate::action::Error;
use crate::action::livechat::{Api, Report};
use crate::livechat::client::dates;

const DISTRIBUTIONS: [&str; 5] = ["hour", "day", "day-hours", "month", "year"];
/// Days that are filled in at most; a longer report has the days that LiveChat names.
const DAYS_MAX: usize = 1_000;

fn path(report: Report) -> &'static str {
    match report {
        Report::TotalChats => "chats/total_chats",
        Report::Ratings => "chats/ratings",
        Report::Ranking => "chats/ranking",
        Report::FirstResponseTime => "chats/first_response_time",
        Report::ResponseTime => "chats/response_time",
        Report::Duration => "chats/duration",
        Report::Tags => "chats/tags",
        Report::Engagement => "chats/engagement",
        Report::Groups => "chats/groups",
        Report::Queued => "chats/queued_visitors",
        Report::Availability => "agents/availability",
        Report::Performance => "agents/performance",
        Report::Visitors => "customers/unique_visitors",
    }
}

pub(super) fn report(report: Report, query: &str, account: Option<&TimeZone>) -> Result<Request, Error> {
    let action = path(report);
    let keys = ["distribution", "timezone", "filters"];
    let mut body = object(&format!("the query of the report {action}"), query, &keys)?;
    let known = match report {
        Report::Availability => &DISTRIBUTIONS[..2],
        _ => &DISTRIBUTIONS[..],
    };
    if body.get("distribution").is_some_and(|word| !known.iter().any(|known| word == known)) {
        return Err(invalid(format!("`distribution` of {action} is one of {}", known.join(", "))));
    }
    let zone = match body.get("timezone") {
        Some(name) => Some(zone(action, name)?),
        None => account.cloned(),
    };
    if let Some(name) = zone.as_ref().and_then(TimeZone::iana_name) {
        body.insert("timezone".to_owned(), name.into());
    }
    if let Some(filters) = body.get_mut("filters") {
        let filters = filters.as_object_mut();
        let filters = filters.ok_or_else(|| invalid(format!("`filters` of {action} is no object")))?;
        if !(filters.contains_key("from") && filters.contains_key("to")) {
            return Err(invalid(format!("`filters` of {action} needs both `from` and `to`")));
        }
        dates::write_out(filters, zone.as_ref())?;
    }
    Ok(Request {
        api: Api::Reports,
        action: action.into(),
        body: Value::Object(body),
        subject: ACCOUNT.to_owned(),
        scope: "reports_read",
        trace: None,
        plugin: None,
    })
}

fn zone(action: &str, name: &Value) -> Result<TimeZone, Error> {
    let found = name.as_str().and_then(|name| TimeZone::get(name).ok());
    found.ok_or_else(|| invalid(format!("`timezone` of {action} is no time zone, such as Europe/Warsaw")))
}

/// The answer with what LiveChat leaves out because it is 0: the numbers of each bucket, and whole days. An answer of
/// another shape stays as it is.
pub(in crate::livechat) fn filled(report: Report, asked: &Value, answer: String) -> String {
    let Ok(Value::Object(mut answered)) = serde_json::from_str(&answer) else { return answer };
    let distribution = asked["distribution"].as_str().unwrap_or("day");
    if report == Report::TotalChats {
        add(&mut answered, "total", &json!(0));
    }
    add(&mut answered, "records", &json!({}));
    let numbers = numbers(report, distribution);
    if let Some(records) = answered.get_mut("records").and_then(Value::as_object_mut) {
        if distribution == "day" && !is_by_agent(report) {
            for day in days(asked) {
                add(records, &day, &json!({}));
            }
        }
        records.values_mut().for_each(|bucket| complete(bucket, &numbers));
    }
    if matches!(report, Report::Performance | Report::Visitors) {
        add(&mut answered, "summary", &json!({}));
        answered.get_mut("summary").into_iter().for_each(|summary| complete(summary, &numbers));
    }
    Value::Object(answered).to_string()
}

fn is_by_agent(report: Report) -> bool {
    matches!(report, Report::Ranking | Report::Performance)
}

/// The numbers of a bucket that LiveChat names, all 0; none where it is keyed by tags or groups.
fn numbers(report: Report, distribution: &str) -> Value {
    match report {
        Report::TotalChats => json!({"total": 0, "continuous": 0}),
        Report::Ratings => json!({"chats": 0, "good": 0, "bad": 0}),
        Report::Ranking => json!({"total": 0, "good": 0, "bad": 0, "score": 0}),
        Report::FirstResponseTime => json!({"count": 0, "first_response_time": 0}),
        Report::ResponseTime => json!({"count": 0, "response_time": 0}),
        Report::Duration => json!({"count": 0, "duration": 0, "agents_chatting_duration": 0}),
        Report::Engagement => json!({
            "started_by_customer_from_greeting": 0, "started_by_customer_without_greeting": 0,
            "started_by_agent": 0,
        }),
        // A wait that LiveChat doesn't tell is not one of 0 s: only how many waited is 0 where it says nothing.
        Report::Queued => json!({"queued": {"count": 0}, "left_queue": {"count": 0}}),
        Report::Availability if distribution == "hour" => json!({"minutes": 0}),
        Report::Availability => json!({"hours": 0}),
        Report::Performance => json!({
            "chats_count": 0, "chats_rated_good": 0, "chats_rated_bad": 0, "first_response_time": 0,
            "first_response_chats_count": 0, "accepting_chats_time": 0, "not_accepting_chats_time": 0,
            "chatting_time": 0, "logged_in_time": 0,
        }),
        Report::Visitors => json!({"unique_visitors": 0, "page_views": 0}),
        Report::Tags | Report::Groups => json!({}),
    }
}

/// Puts in what is missing.
fn complete(bucket: &mut Value, whole: &Value) {
    let (Value::Object(bucket), Value::Object(whole)) = (bucket, whole) else { return };
    for (name, value) in whole {
        add(bucket, name, value);
        if value.is_object()
            && let Some(inside) = bucket.get_mut(name)
        {
            complete(inside, value);
        }
    }
}

fn add(object: &mut Map<String, Value>, name: &str, value: &Value) {
    let place = object.entry(name).or_insert(Value::Null);
    if place.is_null() {
        *place = value.clone();
    }
}

/// The days that were asked for, as LiveChat names buckets.
fn days(asked: &Value) -> Vec<String> {
    // What was asked is a day, or in the form of `dates`, which begins with the day in the time zone.
    let day = |key: &str| asked["filters"][key].as_str()?.get(..10)?.parse::<Date>().ok();
    let (Some(from), Some(to)) = (day("from"), day("to")) else { return Vec::new() };
    let days: Vec<Date> = from.series(1.day()).take_while(|day| *day <= to).take(DAYS_MAX + 1).collect();
    match days.len() {
        ..=DAYS_MAX => days.iter().map(Date::to_string).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warsaw() -> TimeZone {
        TimeZone::get("Europe/Warsaw").expect("a time zone")
    }

    #[track_caller]
    fn check(kind: Report, query: Value, answer: Value, expected: Value) {
        let asked = report(kind, &query.to_string(), Some(&warsaw())).expect("a request").body;
        let came: Value = serde_json::from_str(&filled(kind, &asked, answer.to_string())).expect("JSON");
        assert_eq!(came, expected);
    }

    #[test]
    fn what_livechat_leaves_out_is_0() {
        let days = json!({"filters": {"from": "2026-06-01", "to": "2026-06-03"}});
        check(
            Report::TotalChats,
            days.clone(),
            json!({"name": "x", "total": 4, "records": {"2026-06-02": {"total": 4}}}),
            json!({"name": "x", "total": 4, "records": {
                "2026-06-01": {"total": 0, "continuous": 0},
                "2026-06-02": {"total": 4, "continuous": 0},
                "2026-06-03": {"total": 0, "continuous": 0},
            }}),
        );
        check(Report::Ranking, days.clone(), json!({}), json!({"records": {}}));
        check(
            Report::Ranking,
            days.clone(),
            json!({"records": {"a@example.com": {"total": 2, "good": 2, "score": null}}}),
            json!({"records": {"a@example.com": {"total": 2, "good": 2, "bad": 0, "score": 0}}}),
        );
        check(
            Report::Tags,
            days,
            json!({"records": {"2026-06-01": {"vip": 3}}}),
            json!({"records": {"2026-06-01": {"vip": 3}, "2026-06-02": {}, "2026-06-03": {}}}),
        );
        check(
            Report::Visitors,
            json!({}),
            json!({"records": []}),
            json!({
                "records": [], "summary": {"unique_visitors": 0, "page_views": 0},
            }),
        );
        let text = "[1]".to_owned();
        assert_eq!(filled(Report::Tags, &json!({}), text.clone()), text);
    }

    #[test]
    fn a_wait_that_livechat_does_not_tell_stays_absent() {
        let told = |bucket: Value| json!({"records": {"a": bucket}});
        check(
            Report::Queued,
            json!({"distribution": "hour"}),
            told(json!({"queued": {"count": 2, "min": 5}, "left_queue": {"max": 40.5}})),
            told(json!({"queued": {"count": 2, "min": 5}, "left_queue": {"count": 0, "max": 40.5}})),
        );
        let day = json!({"filters": {"from": "2026-06-01", "to": "2026-06-01"}});
        let nobody = json!({"queued": {"count": 0}, "left_queue": {"count": 0}});
        check(Report::Queued, day, json!({"records": {}}), json!({"records": {"2026-06-01": nobody}}));
    }

    #[test]
    fn a_report_is_asked_for_in_the_accounts_time_zone() {
        let body = |query: Value, zone: Option<&TimeZone>| {
            report(Report::Ratings, &query.to_string(), zone).map(|request| request.body)
        };
        assert_eq!(body(json!({}), None), Ok(json!({})));
        assert_eq!(body(json!({}), Some(&warsaw())), Ok(json!({"timezone": "Europe/Warsaw"})));
        let days = json!({"timezone": "Asia/Tokyo", "filters": {"from": "2026-06-01", "to": "2026-06-01"}});
        assert_eq!(
            body(days, Some(&warsaw())),
            Ok(json!({"timezone": "Asia/Tokyo", "filters": {
                "from": "2026-06-01T00:00:00.000000+09:00", "to": "2026-06-01T23:59:59.999999+09:00",
            }}))
        );
        for (query, part) in [
            (json!({"distribution": "week"}), "distribution"),
            (json!({"timezone": "Mars/Base"}), "timezone"),
            (json!({"filters": {"from": "2026-06-01"}}), "both"),
            (json!({"filters": []}), "no object"),
            (json!({"page": 1}), "page"),
        ] {
            let error = body(query.clone(), None).expect_err("refused");
            assert!(error.message.contains(part), "{query}: {error}");
        }
        assert!(report(Report::Availability, r#"{"distribution":"month"}"#, None).is_err());
    }
}
