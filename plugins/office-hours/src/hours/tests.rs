use super::*;

fn zone(name: &str) -> Zone {
    Zone::try_from(name.to_owned()).expect("a zone")
}

#[track_caller]
fn check(name: &str, hours: &str, at: &str, expected: bool) {
    let hours: Hours = serde_json::from_str(hours).expect("hours");
    let at: Timestamp = at.parse().expect("a timestamp");
    assert_eq!(hours.contain(shown(&zone(name), at)), expected, "{hours:?} at {at}");
}

#[test]
fn hours_begin_and_end_in_their_time_zone() {
    let office = r#"{"days":["mon","tue","wed","thu","fri"],"from":"09:00","to":"17:00"}"#;
    check("Europe/Warsaw", office, "2026-01-05T07:59:59Z", false);
    check("Europe/Warsaw", office, "2026-01-05T08:00:00Z", true); // Monday 09:00, winter
    check("Europe/Warsaw", office, "2026-01-05T15:59:59Z", true);
    check("Europe/Warsaw", office, "2026-01-05T16:00:00Z", false);
    check("Europe/Warsaw", office, "2026-07-06T07:00:00Z", true); // Monday 09:00, summer
    check("Europe/Warsaw", office, "2026-01-10T10:00:00Z", false); // Saturday
    check("Pacific/Auckland", office, "2026-07-05T21:00:00Z", true); // Monday 09:00 there, Sunday in UTC
    check("UTC", r#"{"from":"00:00","to":"24:00"}"#, "2026-03-01T23:59:59Z", true);
}

/// How often hours open and close within some hours, asked each minute.
fn changes(name: &str, hours: &str, from: &str, minutes: i64) -> Vec<(String, bool)> {
    let (zone, hours) = (zone(name), serde_json::from_str::<Hours>(hours).expect("hours"));
    let from: Timestamp = from.parse().expect("a timestamp");
    let mut before = hours.contain(shown(&zone, from));
    let mut changes = Vec::new();
    for minute in 1..=minutes {
        let at = from + jiff::SignedDuration::from_mins(minute);
        let is_open = hours.contain(shown(&zone, at));
        if is_open != before {
            changes.push((at.to_string(), is_open));
        }
        before = is_open;
    }
    changes
}

#[track_caller]
fn check_changes(name: &str, hours: &str, from: &str, expected: &[(&str, bool)]) {
    let found = changes(name, hours, from, 36 * 60);
    let found: Vec<(&str, bool)> = found.iter().map(|(at, open)| (at.as_str(), *open)).collect();
    assert_eq!(found, expected, "{name} {hours}");
}

#[test]
fn where_clocks_go_forward_what_begins_in_the_missing_hour_begins_behind_it() {
    let night = r#"{"days":["sun"],"from":"02:30","to":"05:00"}"#;
    let expected = [("2026-03-29T01:00:00Z", true), ("2026-03-29T03:00:00Z", false)];
    check_changes("Europe/Berlin", night, "2026-03-28T12:00:00Z", &expected);
    let expected = [("2026-03-08T07:00:00Z", true), ("2026-03-08T09:00:00Z", false)];
    check_changes("America/New_York", night, "2026-03-07T12:00:00Z", &expected);
    // What lies in the missing hour as a whole isn't there.
    let missing = r#"{"days":["sun"],"from":"02:10","to":"02:50"}"#;
    check_changes("Europe/Berlin", missing, "2026-03-28T12:00:00Z", &[]);
    let office = r#"{"days":["sun"],"from":"09:00","to":"17:00"}"#;
    let expected = [("2026-03-29T07:00:00Z", true), ("2026-03-29T15:00:00Z", false)];
    check_changes("Europe/Berlin", office, "2026-03-28T12:00:00Z", &expected);
}

#[test]
fn where_clocks_go_back_each_begins_and_ends_once() {
    let from = "2026-10-24T12:00:00Z";
    // 02:30 is there at 00:30Z and at 01:30Z.
    let ends = r#"{"days":["sun"],"from":"01:00","to":"02:30"}"#;
    check_changes(
        "Europe/Berlin",
        ends,
        from,
        &[("2026-10-24T23:00:00Z", true), ("2026-10-25T00:30:00Z", false)],
    );
    let begins = r#"{"days":["sun"],"from":"02:30","to":"04:00"}"#;
    check_changes(
        "Europe/Berlin",
        begins,
        from,
        &[("2026-10-25T00:30:00Z", true), ("2026-10-25T03:00:00Z", false)],
    );
    let within = r#"{"days":["sun"],"from":"02:10","to":"02:50"}"#;
    check_changes(
        "Europe/Berlin",
        within,
        from,
        &[("2026-10-25T00:10:00Z", true), ("2026-10-25T00:50:00Z", false)],
    );
    // Half an hour, in the other half of the year.
    let howe = r#"{"days":["sun"],"from":"01:40","to":"03:00"}"#;
    check_changes(
        "Australia/Lord_Howe",
        howe,
        "2026-04-04T10:00:00Z",
        &[("2026-04-04T14:40:00Z", true), ("2026-04-04T16:30:00Z", false)],
    );
}

#[test]
fn what_begins_or_ends_right_behind_the_hour_that_comes_twice_does_so_when_it_is_over() {
    // 03:00 is there at 02:00Z only: at 01:00Z the clocks go from 03:00 back to 02:00.
    let from = "2026-10-24T12:00:00Z";
    let ends = r#"{"days":["sun"],"from":"01:00","to":"03:00"}"#;
    let expected = [("2026-10-24T23:00:00Z", true), ("2026-10-25T02:00:00Z", false)];
    check_changes("Europe/Berlin", ends, from, &expected);
    let begins = r#"{"days":["sun"],"from":"03:00","to":"05:00"}"#;
    let expected = [("2026-10-25T02:00:00Z", true), ("2026-10-25T04:00:00Z", false)];
    check_changes("Europe/Berlin", begins, from, &expected);

    let from = "2026-10-31T12:00:00Z";
    let ends = r#"{"days":["sun"],"from":"00:30","to":"02:00"}"#;
    let expected = [("2026-11-01T04:30:00Z", true), ("2026-11-01T07:00:00Z", false)];
    check_changes("America/New_York", ends, from, &expected);
    let begins = r#"{"days":["sun"],"from":"02:00","to":"04:00"}"#;
    let expected = [("2026-11-01T07:00:00Z", true), ("2026-11-01T09:00:00Z", false)];
    check_changes("America/New_York", begins, from, &expected);

    // The half hour before 02:00.
    let begins = r#"{"days":["sun"],"from":"02:00","to":"03:00"}"#;
    let expected = [("2026-04-04T15:30:00Z", true), ("2026-04-04T16:30:00Z", false)];
    check_changes("Australia/Lord_Howe", begins, "2026-04-04T10:00:00Z", &expected);
}

#[test]
fn where_clocks_go_back_at_midnight_the_day_ends_once() {
    // In Beirut the last hour of the Saturday comes twice, from 20:00Z and from 21:00Z.
    let from = "2026-10-24T12:00:00Z";
    let saturday = r#"{"days":["sat"],"from":"09:00","to":"24:00"}"#;
    check_changes("Asia/Beirut", saturday, from, &[("2026-10-24T22:00:00Z", false)]);
    let sunday = r#"{"days":["sun"],"from":"00:00","to":"02:00"}"#;
    let expected = [("2026-10-24T22:00:00Z", true), ("2026-10-25T00:00:00Z", false)];
    check_changes("Asia/Beirut", sunday, from, &expected);
    let late = r#"{"days":["sat"],"from":"23:30","to":"24:00"}"#;
    let expected = [("2026-10-24T20:30:00Z", true), ("2026-10-24T22:00:00Z", false)];
    check_changes("Asia/Beirut", late, from, &expected);
    // From day to day it is open on.
    let always = r#"{"from":"00:00","to":"24:00"}"#;
    check_changes("Asia/Beirut", always, from, &[]);
}

#[test]
fn hours_overlap_on_a_day_that_both_have() {
    let hours = |text: &str| serde_json::from_str::<Hours>(text).expect("hours");
    let morning = hours(r#"{"days":["mon","tue"],"from":"09:00","to":"12:00"}"#);
    assert!(morning.overlap(&hours(r#"{"days":["tue"],"from":"11:59","to":"13:00"}"#)));
    assert!(!morning.overlap(&hours(r#"{"days":["tue"],"from":"12:00","to":"13:00"}"#)));
    assert!(!morning.overlap(&hours(r#"{"days":["wed"],"from":"09:00","to":"12:00"}"#)));
    assert!(morning.overlap(&hours(r#"{"from":"00:00","to":"24:00"}"#)), "no days are all days");
}

#[test]
fn a_wrong_time_day_or_zone_says_how_to_write_it() {
    for text in ["24:01", "9:00", "0900", "aa:bb", "23:60", "", "09:00:00"] {
        let error = ClockTime::try_from(text.to_owned()).expect_err(text);
        assert!(error.contains("09:00"), "{error}");
    }
    for text in ["2026-02-30", "25.12.2026", "2026-12-25T10:00", ""] {
        let error = Holiday::try_from(text.to_owned()).expect_err(text);
        assert!(error.contains("2026-12-25"), "{error}");
    }
    let error = Zone::try_from("Europe/Nowhere".to_owned()).expect_err("an unknown zone");
    assert!(error.contains("`Europe/Nowhere`"), "{error}");
}
