use super::*;
use crate::grant::Grant;

const CONNECTIONS: &str = "[connections.crm]\nkind = \"generic\"\nbase_url = \"https://crm\"\n\
    [connections.hook]\nkind = \"slack\"\nurl = { env = \"SLACK_WEBHOOK_URL\" }\n";

fn grants(list: &str) -> Vec<String> {
    let config = parse(&format!("{CONNECTIONS}[plugin.a]\ngrants = [{list}]\n")).expect(list);
    config.plugins["a"].policy.grants.iter().map(Grant::to_string).collect()
}

#[test]
fn a_grant_is_a_text_or_a_table_with_bounds() {
    for entry in [
        r#"{ allow = "chats.transfer", groups = [5, 7] }"#,
        r#"{ allow = "chats.transfer", groups = [0], agents = ["ann@example.com"] }"#,
        r#"{ allow = "chats.assign", agents = ["ann@example.com"] }"#,
        r#"{ allow = "chats.tag", tags = ["vip"], per_minute = 1 }"#,
        r#"{ allow = "http:crm", methods = ["GET", "POST"], paths = ["/crm/v3/*", "/a"] }"#,
        r#"{ allow = "http:hook", methods = ["POST"], per_minute = 10000 }"#,
        r#"{ allow = "chats.*", per_minute = 60 }"#,
    ] {
        assert_eq!(grants(entry), [entry]);
    }
    assert_eq!(grants(r#""chats.tag", { allow = "chats.tag" }, "chats.*""#), ["chats.tag", "chats.*"]);
}

#[test]
fn bounds_that_mean_nothing_are_refused_with_their_line() {
    let check = |entry: &str, expected: &[&str]| {
        let expected: Vec<String> = expected.iter().map(|rest| format!("7:{rest}")).collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        super::check(&format!("{CONNECTIONS}[plugin.a]\ngrants = [{entry}]\n"), &expected);
    };
    let key = "`plugin.a.grants";
    check(
        r#"{ allow = "chats.transfer", group = [5] }"#,
        &["40: unknown key `group` in [plugin.a.grants]; did you mean `groups`?"],
    );
    check(
        r#"{ allow = "chats.get-chat", tags = ["a"] }"#,
        &[&format!("47: {key}.tags` doesn't narrow `chats.get-chat`, for which there is per_minute")],
    );
    check(
        r#"{ allow = "http:crm", tags = ["a"] }"#,
        &[&format!(
            "41: {key}.tags` doesn't narrow `http:crm`, for which there is methods, paths, per_minute"
        )],
    );
    check(
        r#"{ allow = "chats.*", groups = [1] }"#,
        &[&format!("42: {key}.groups` doesn't narrow `chats.*`, for which there is per_minute")],
    );
    check(
        r#"{ allow = "http:crm", methods = ["GET", "post", "CONNECT"] }"#,
        &[
            &format!("51: {key}.methods` has `post`, which is no method that is sent; did you mean `POST`?"),
            &format!(
                "59: {key}.methods` has `CONNECT`, which is no method that is sent; it is one of GET, HEAD, POST, PUT, \
                 PATCH, DELETE"
            ),
        ],
    );
    check(
        r#"{ allow = "http:crm", paths = ["/a*"] }"#,
        &[&format!(
            "43: {key}.paths` has a wrong pattern: in the path `/a*`, `*` must stand alone between slashes or at the end"
        )],
    );
    check(
        r#"{ allow = "http:hook", paths = ["/a"] }"#,
        &[&format!(
            "43: {key}.paths` narrows a connection whose whole URL is configured: its requests have no paths"
        )],
    );
    check(
        r#"{ allow = "chats.transfer", groups = [] }"#,
        &[&format!("49: {key}.groups` is empty: name what is granted, or put the capability into `denies`")],
    );
    check(
        r#"{ allow = "chats.transfer", groups = 5 }"#,
        &[&format!("49: {key}.groups` must be a list in brackets, not a whole number")],
    );
    check(
        r#"{ allow = "chats.tag", per_minute = 0 }"#,
        &[&format!("48: {key}.per_minute` must be from 1 to 10000")],
    );
    check(
        r#"{ allow = "chats.tagg", tags = ["a"] }"#,
        &[&format!(
            "21: {key}.allow` has a wrong entry: `chats.tagg` is no capability; did you mean `chats.tag`?"
        )],
    );
    check(
        r#"{ tags = ["a"] }"#,
        &[&format!("11: {key}` has an entry without allow = \"…\", the capability that is granted")],
    );
    check("5", &[&format!("11: {key}` has an entry that is neither a text nor {{ allow = \"…\", … }}")]);
    let denied = format!("{CONNECTIONS}[plugin.a]\ndenies = [{{ allow = \"chats.tag\" }}]\n");
    super::check(&denied, &["7:11: `plugin.a.denies` must be a text in quotes, not a table"]);
}
