use super::check;

#[test]
fn schedules_that_cant_be_are_named_with_their_place() {
    let section = "[plugin.p]\nevents = []\n[plugin.p.schedules]\n";
    check(
        &format!("{section}a = 3\n"),
        &["4:5: `plugin.p.schedules.a` must be true or false, not a whole number"],
    );
    check(
        &format!("{section}a = {{ every_s = 0, timezone = \"Mars\" }}\n"),
        &[
            "4:17: `plugin.p.schedules.a.every_s` must be from 1 to 86400",
            "4:31: `plugin.p.schedules.a.timezone` is no time zone that this machine knows: write an IANA name such as \"Europe/Warsaw\"",
        ],
    );
    check(
        &format!("{section}a = \"0 0 30 2 *\"\n"),
        &["4:5: `plugin.p.schedules.a` is not right: `0 0 30 2 *` is no cron pattern: there is no such day"],
    );
}
