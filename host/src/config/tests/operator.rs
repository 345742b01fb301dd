use super::{check, parse};

#[test]
fn the_operator_s_listener_is_open_to_this_machine_only_unless_there_is_a_token() {
    let token = "token = { env = \"LONG\" }\n";
    for listen in ["127.0.0.1:0", "[::1]:8081"] {
        assert!(parse(&format!("[operator]\nlisten = \"{listen}\"\n")).is_ok());
    }
    for listen in ["0.0.0.0:8081", "192.0.2.1:8081", "[::]:8081"] {
        assert!(parse(&format!("[operator]\nlisten = \"{listen}\"\n{token}")).is_ok());
        check(
            &format!("[operator]\nlisten = \"{listen}\"\n"),
            &[
                "2:10: `operator.listen` is reachable from other machines, and `operator.token` is not set: set token = { env = \"CHATPLUG_TOKEN\" }, or listen on 127.0.0.1",
            ],
        );
    }
    check(
        "[operator]\nread_token = { env = \"LONG\" }\n",
        &[
            "2:14: `operator.read_token` is set, but `operator.token` is not, and without it whoever is on this machine may change everything: set token = { env = \"CHATPLUG_TOKEN\" } too",
        ],
    );
    check(
        "[operator]\ntoken = { env = \"SHORT\" }\n",
        &[
            "2:9: `operator.token` is shorter than 16 characters, or not ASCII: make one with `openssl rand -hex 24`",
        ],
    );
    check(
        &format!("[operator]\n{token}read_token = {{ env = \"LONG\" }}\nhosts = [\"https://x\"]\n"),
        &[
            "3:14: `operator.read_token` is the same as `operator.token`: who may only read needs a token of their own",
            "4:10: `operator.hosts` is no host name: write it without scheme and port, such as \"chatplug.example.com\"",
        ],
    );
}

#[test]
fn the_operator_is_told_through_a_connection_that_can_tell() {
    let connections = "[connections.alerts]\nkind = \"slack\"\nurl = { env = \"SLACK_WEBHOOK_URL\" }\n\
        [connections.crm]\nkind = \"hubspot\"\nbase_url = \"https://crm\"\nbearer = { env = \"A\" }\n\
        [connections.slack-api]\nkind = \"slack\"\nbase_url = \"https://slack.com\"\nbearer = { env = \"A\" }\n\
        [connections.hook]\nkind = \"generic\"\nbase_url = \"https://hook\"\n";
    let with = |name: &str| format!("[operator]\nnotify = \"{name}\"\n{connections}");
    for name in ["alerts", "hook"] {
        assert_eq!(parse(&with(name)).unwrap().notify.as_deref(), Some(name));
    }
    assert_eq!(parse(connections).unwrap().notify, None);
    check(
        &with("alert"),
        &["2:10: `operator.notify` names no connection: there is no `alert`; did you mean `alerts`?"],
    );
    check(
        &with("pager"),
        &[
            "2:10: `operator.notify` names no connection: there is no `pager`; add [connections.pager], of kind \"slack\" \
           or \"generic\"",
        ],
    );
    check(
        &with("crm"),
        &[
            "2:10: `operator.notify` names a connection of kind hubspot, where nobody reads messages: name one of kind \
           \"slack\" or \"generic\"",
        ],
    );
    check(
        &with("slack-api"),
        &[
            "2:10: `operator.notify` names a connection to Slack's Web API, which doesn't say to which channel: name one \
           with url = { env = \"…\" }, the URL of an incoming webhook",
        ],
    );
}
