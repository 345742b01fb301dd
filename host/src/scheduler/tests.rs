mod driven;

use serde_json::{Value, json};

use super::*;

/// The rules of a plugin with the schedules `nightly` and `poll`, as the config has them.
fn check(section: &str, expected: Result<&[(&str, bool, &str)], &str>) {
    let manifest = json!({ "name": "p", "release": "1", "description": "d", "events": [], "schedules": [
        { "name": "nightly", "cron": "0 3 * * *", "catch_up": true }, { "name": "poll", "every_s": 30 },
    ] });
    let manifest = Manifest::parse(&Value::to_string(&manifest)).expect("a manifest");
    let text = format!("[livechat]\ntimezone = \"Europe/Warsaw\"\n[plugin.p]\nevents = []\n{section}");
    let config = Config::parse(&text, "/etc/chatplug.toml", &|_| None).expect("a config");
    let found = schedules(&manifest, &config.plugins["p"], &account_zone(&config));
    let found = found.map(|found| {
        found
            .iter()
            .map(|(name, catch_up, rule)| (name.clone(), *catch_up, rule.as_str().to_owned()))
            .collect::<Vec<_>>()
    });
    let owned =
        |(name, catch_up, rule): &(&str, bool, &str)| ((*name).to_owned(), *catch_up, (*rule).to_owned());
    assert_eq!(
        found,
        expected.map(|all| all.iter().map(owned).collect()).map_err(str::to_owned),
        "{section}"
    );
}

#[test]
fn operators_change_schedules_and_switch_them_off() {
    let (nightly, poll) = (("nightly", true, "0 3 * * * Europe/Warsaw"), ("poll", false, "every 30 s"));
    check("", Ok(&[nightly, poll]));
    check("schedules = { poll = false, nightly = true }", Ok(&[nightly]));
    check(
        "schedules.nightly = \"30 4 * * MON\"",
        Ok(&[("nightly", true, "30 4 * * MON Europe/Warsaw"), poll]),
    );
    let changed = "[plugin.p.schedules]\nnightly = { timezone = \"Asia/Tokyo\", catch_up = false }\npoll = { cron = \"*/5 * * * *\" }";
    let expected = [("nightly", false, "0 3 * * * Asia/Tokyo"), ("poll", false, "*/5 * * * * Europe/Warsaw")];
    check(changed, Ok(&expected));
    check("schedules.nightly = { every_s = 60 }", Ok(&[("nightly", true, "every 60 s"), poll]));
    check(
        "schedules.nightlie = false",
        Err("[plugin.p.schedules] has `nightlie`, which the plugin doesn't have; it has nightly, poll"),
    );
    check(
        "schedules.poll = { timezone = \"Asia/Tokyo\" }",
        Err("the schedule `poll` of p: a timezone means something only beside cron"),
    );
}
