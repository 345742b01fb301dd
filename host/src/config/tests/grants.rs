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

const KEY: &str = "`plugin.a.grants";

/// Checks that an entry has exactly these problems, each at this text of the entry.
fn problems(entry: &str, problems: &[(&str, &str)]) {
    let at = |text: &str| "grants = [".len() + entry.find(text).expect("a part of the entry") + 1;
    let expected: Vec<String> =
        problems.iter().map(|(text, problem)| format!("8:{}: {problem}", at(text))).collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check(&format!("{CONNECTIONS}[plugin.a]\ngrants = [{entry}]\n"), &expected);
}

#[test]
fn a_bound_of_another_capability_is_refused() {
    problems(
        r#"{ allow = "chats.transfer", group = [5] }"#,
        &[("group", "unknown key `group` in [plugin.a.grants]; did you mean `groups`?")],
    );
    problems(
        r#"{ allow = "chats.get-chat", tags = ["a"] }"#,
        &[(
            "[\"a\"]",
            &format!("{KEY}.tags` doesn't narrow `chats.get-chat`, for which there is per_minute"),
        )],
    );
    problems(
        r#"{ allow = "http:crm", tags = ["a"] }"#,
        &[(
            "[\"a\"]",
            &format!(
                "{KEY}.tags` doesn't narrow `http:crm`, for which there is \
             methods, paths, per_minute"
            ),
        )],
    );
    problems(
        r#"{ allow = "chats.*", groups = [1] }"#,
        &[("[1]", &format!("{KEY}.groups` doesn't narrow `chats.*`, for which there is per_minute"))],
    );
}

#[test]
fn methods_and_paths_that_mean_nothing_are_refused() {
    problems(
        r#"{ allow = "http:crm", methods = ["GET", "post", "CONNECT"] }"#,
        &[
            (
                "\"post\"",
                &format!(
                    "{KEY}.methods` has `post`, which is no method that is sent; \
             did you mean `POST`?"
                ),
            ),
            (
                "\"CONNECT\"",
                &format!(
                    "{KEY}.methods` has `CONNECT`, which is no method that is sent; it is one of GET, HEAD, POST, PUT, \
                     PATCH, DELETE"
                ),
            ),
        ],
    );
    problems(
        r#"{ allow = "http:crm", paths = ["/a*"] }"#,
        &[(
            "\"/a*\"",
            &format!(
                "{KEY}.paths` has a wrong pattern: in the path `/a*`, `*` \
             must stand alone between slashes or at the end"
            ),
        )],
    );
    problems(
        r#"{ allow = "http:hook", paths = ["/a"] }"#,
        &[(
            "[\"/a\"]",
            &format!(
                "{KEY}.paths` narrows a connection whose whole URL is configured: \
             its requests have no paths"
            ),
        )],
    );
}

#[test]
fn what_is_no_grant_is_refused() {
    problems(
        r#"{ allow = "chats.transfer", groups = [] }"#,
        &[(
            "[]",
            &format!("{KEY}.groups` is empty: name what is granted, or put the capability into `denies`"),
        )],
    );
    problems(
        r#"{ allow = "chats.transfer", groups = 5 }"#,
        &[("5", &format!("{KEY}.groups` must be a list in brackets, not a whole number"))],
    );
    problems(
        r#"{ allow = "chats.tag", per_minute = 0 }"#,
        &[("0", &format!("{KEY}.per_minute` must be from 1 to 10000"))],
    );
    problems(
        r#"{ allow = "chats.tagg", tags = ["a"] }"#,
        &[(
            "\"chats.tagg\"",
            &format!(
                "{KEY}.allow` has a wrong entry: `chats.tagg` is no capability; \
             did you mean `chats.tag`?"
            ),
        )],
    );
    problems(
        r#"{ tags = ["a"] }"#,
        &[("{", &format!("{KEY}` has an entry without allow = \"…\", the capability that is granted"))],
    );
    problems(
        "5",
        &[("5", &format!("{KEY}` has an entry that is neither a text nor {{ allow = \"…\", … }}"))],
    );
    let denied = format!("{CONNECTIONS}[plugin.a]\ndenies = [{{ allow = \"chats.tag\" }}]\n");
    check(&denied, &["8:11: `plugin.a.denies` must be a text in quotes, not a table"]);
}

#[test]
fn a_service_that_the_config_lacks_can_be_denied_and_not_granted() {
    let config = parse("[plugin.a]\ndenies = [\"http:crm\"]\n").expect("nothing is wrong with it");
    assert_eq!(config.plugins["a"].policy.denies, ["http:crm"]);
    check(
        "[plugin.a]\ndenies = [\"http:C R M\"]\ngrants = [\"http:crm\"]\n",
        &[
            "2:11: `plugin.a.denies` has a wrong entry: `http:C R M` names a connection that the config does not define: \
             add [connections.C R M]",
            "3:11: `plugin.a.grants` has a wrong entry: `http:crm` names a connection that the config does not define: \
             add [connections.crm]",
        ],
    );
}
