use std::collections::BTreeSet;

use super::*;
use crate::config::Config;
use crate::livechat::registrations::Change;

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

#[test]
fn what_is_missing_or_switched_off_is_a_problem_with_a_command() {
    let change = |deed, action: &str| Change {
        deed,
        action: action.to_owned(),
        plugins: BTreeSet::new(),
        id: None,
        additional_data: Vec::new(),
        has_room: true,
    };
    let plan = |changes| Plan { changes, problems: Vec::new() };
    let check = |plan: &Plan, on, expected: &[(Grade, &str)]| {
        let found = of_plan("https://host.example/webhooks/livechat", plan, on);
        let told: Vec<(Grade, &str)> =
            found.iter().map(|finding| (finding.grade, finding.came.as_str())).collect();
        assert_eq!(told, expected);
        for finding in found.iter().filter(|finding| finding.grade == Grade::Problem) {
            assert!(
                finding.todo.contains("chatplug webhooks apply --url https://host.example"),
                "{finding:?}"
            );
        }
    };
    let all = "all that the plugins need are registered";
    check(
        &plan(vec![change(Deed::Keep, "incoming_chat")]),
        Some(true),
        &[(Grade::Ok, all), (Grade::Ok, "they are switched on")],
    );
    let missing = vec![change(Deed::Register, "incoming_chat"), change(Deed::Renew, "incoming_event")];
    check(
        &plan(missing),
        Some(false),
        &[
            (Grade::Problem, "missing, or without all data: incoming_chat, incoming_event"),
            (Grade::Problem, "they are switched off"),
        ],
    );
    check(&plan(Vec::new()), None, &[(Grade::Ok, all), (Grade::Warning, "the token may not ask")]);
}
