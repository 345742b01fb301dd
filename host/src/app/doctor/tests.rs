use std::collections::BTreeSet;

use super::*;
use crate::livechat::registrations::Change;

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
    let found = of_plan(
        "https://host.example",
        &Plan { changes: Vec::new(), problems: vec!["too many".to_owned()] },
        Some(true),
    );
    let told: Vec<Grade> = found.iter().map(|finding| finding.grade).collect();
    assert_eq!(told, [Grade::Problem, Grade::Ok], "nobody says that all is registered");
    check(&plan(Vec::new()), None, &[(Grade::Ok, all), (Grade::Warning, "the token may not ask")]);
}
