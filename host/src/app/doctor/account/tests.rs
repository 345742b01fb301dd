use super::*;
use crate::overview::{Numbers, Window};

fn config(livechat: &str, token: &str) -> Config {
    let env = |_: &str| Some(token.to_owned());
    let text = format!("[livechat]\n{livechat}\ntoken = {{ env = \"TOKEN\" }}\n");
    Config::parse(&text, "chatplug.toml", &env).expect("a config")
}

#[test]
fn the_form_of_credentials_tells_which_half_is_wrong() {
    const ID: &str = "account_id = \"3f2504e0-4f89-11d3-9a0c-0305e82c3301\"";
    let check = |livechat: &str, token: &str, expected: Option<&str>| {
        let found = of_credentials(&config(livechat, token));
        let came = found.as_ref().map(|finding| finding.came.as_str());
        match expected {
            None => assert_eq!(came, None, "{livechat}"),
            Some(part) => assert!(came.is_some_and(|came| came.contains(part)), "{livechat}: {came:?}"),
        }
        assert!(!format!("{found:?}").contains("s3cret"), "the token is not repeated");
    };
    check(ID, "us-south1:s3cret", None);
    check("account_id = \"1234567\"", "s3cret", Some("number"));
    check("", "s3cret", Some("sent as Bearer"));
    check("", "dal:s3cret", None);
    check("", "eyJhbGciOi.s3cret", None);
}

fn window() -> Window {
    let day = "2026-06-01".parse().expect("a day");
    let zone = TimeZone::get("Europe/Warsaw").expect("a zone");
    Window::new(Some(day), Some(day), 0, day, &zone).expect("a window")
}

fn stats(total_chats: u64) -> Result<Stats, Error> {
    let sum = Numbers { total_chats, first_response_time: None, rated_good: 0, rated_bad: 0 };
    Ok(Stats { window: window(), sum, days: Vec::new() })
}

fn chats() -> Chats {
    Chats { window: window(), page: 1, next_page: None, is_cut: false, found: Some(0), chats: Vec::new() }
}

#[test]
fn a_refused_report_says_which_scope_or_whose_key() {
    let refused = |code| Err(Error::new(code, "403"));
    let check = |api, stats: Result<Stats, Error>, grade, todo: &str| {
        let found = of_reports(api, &stats);
        assert!(found.grade == grade && found.todo.contains(todo), "{found:?}");
    };
    check(Api::V36, stats(3), Grade::Ok, "");
    check(Api::V36, refused(Code::Denied), Grade::Warning, "reports_read");
    check(Api::V2, refused(Code::Denied), Grade::Warning, "owner");
    check(Api::V36, refused(Code::Unavailable), Grade::Warning, "what LiveChat said");
}

#[test]
fn empty_archives_are_odd_only_where_the_reports_count_chats() {
    let zone = TimeZone::get("Europe/Warsaw").expect("a zone");
    let check = |stats: Result<Stats, Error>, chats: Result<Chats, Error>, grade, todo: &str| {
        let found = of_archives(&zone, &stats, &chats);
        assert!(found.grade == grade && found.todo.contains(todo), "{found:?}");
    };
    check(stats(0), Ok(chats()), Grade::Ok, "");
    check(stats(7), Ok(chats()), Grade::Warning, "Europe/Warsaw");
    check(stats(7), Err(Error::new(Code::Denied, "403")), Grade::Warning, "chats--all:ro");
    check(Err(Error::new(Code::Denied, "403")), Ok(chats()), Grade::Ok, "");
}

#[test]
fn without_credentials_each_api_is_told_its_own_keys() {
    assert!(none(Api::V2).tried.contains("api_key") && none(Api::V2).todo.contains("e-mail"));
    assert!(none(Api::V36).tried.contains("token"));
}
