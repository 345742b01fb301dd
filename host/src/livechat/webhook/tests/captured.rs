//! What is written of a webhook for those who develop.

use super::*;

const OTHER: &str = "another-valid-secret";

fn check(body: &str, expected: &str) {
    assert_eq!(door().captured(body.as_bytes()).as_deref(), Some(expected), "{body}");
}

#[test]
fn what_proved_the_sender_is_replaced_and_the_rest_stands_as_it_came() {
    let removed = "[secret removed]";
    check(
        r#"{"webhook_id":"w","secret_key":"fixture-secret","action":"x","payload":{ "n":1e999, "s":"\u00e9" }}"#,
        &format!(
            "{{\n  \"webhook_id\": \"w\",\n  \"secret_key\": \"{removed}\",\n  \"action\": \"x\",\n  \
             \"payload\": {{ \"n\":1e999, \"s\":\"\\u00e9\" }}\n}}\n"
        ),
    );
    check(
        r#"{"event_type":"chat_ended","token":"fixture-secret","chat":{}}"#,
        &format!(
            "{{\n  \"event_type\": \"chat_ended\",\n  \"token\": \"{removed}\",\n  \"chat\": {{}}\n}}\n"
        ),
    );
    // A gateway signed it; the secret of who sent it to the gateway is none of ours, and is a secret.
    check(
        r#"{"action":"x","secret_key":"upstream's own","token":{"a":[1]},"payload":{}}"#,
        &format!(
            "{{\n  \"action\": \"x\",\n  \"secret_key\": \"{removed}\",\n  \"token\": \"{removed}\",\n  \
             \"payload\": {{}}\n}}\n"
        ),
    );
    check(r#" [1, "a fixture-secret", "b"] "#, &format!("[1, \"{removed}\", \"b\"]\n"));
    check(
        r#"{"a":"fixture\u002dsecret","fixture-secret":[{"another-valid-secret":1}]}"#,
        &format!("{{\n  \"a\": \"{removed}\",\n  \"{removed}\": [{{\"{removed}\":1}}]\n}}\n"),
    );
    check(
        r#"{"secret_key":"old","a":1,"secret_key":"fixture-secret","a":2}"#,
        &format!(
            "{{\n  \"secret_key\": \"{removed}\",\n  \"a\": 1,\n  \"secret_key\": \"{removed}\",\n  \"a\": 2\n}}\n"
        ),
    );
    check(r#""text""#, "\"text\"\n");
    check("{}", "{\n\n}\n");
}

#[test]
fn what_is_no_json_or_nests_too_deep_is_not_captured() {
    for body in ["", "{", "nothing", &"[".repeat(65), "\u{0}"] {
        assert_eq!(door().captured(body.as_bytes()), None, "{body}");
    }
    assert_eq!(door().captured(b"\"\xff\""), None);
}

/// A captured body with the secret in it again, as `chatplug send` puts it there.
fn with_secret(captured: &str, signed: bool) -> String {
    if signed { captured.to_owned() } else { captured.replacen("[secret removed]", SECRET, 1) }
}

#[test]
fn each_fixture_is_captured_without_its_secret_and_makes_the_same_events_again() {
    for (name, body) in fixtures() {
        let captured = door().captured(body.as_bytes()).expect("it is received, too");
        assert!(!captured.contains(SECRET) && !captured.contains(OTHER), "{name}: {captured}");
        let again = receive(&name, &with_secret(&captured, name.starts_with("signed/"))).unwrap();
        let first = receive(&name, &body).unwrap();
        assert_eq!(again, first, "{name}");
    }
}
