//! What is refused, and why.

use super::*;

const EVENT: &str =
    r#"{"action":"incoming_event","secret_key":"fixture-secret","organization_id":"org","payload":{}}"#;
const V2: &str = r#"{"event_type":"chat_ended","token":"fixture-secret","chat":{"id":"C"}}"#;

/// Checks the word of the refusal and the action that is counted; `ok` where there is none.
fn check(body: impl AsRef<[u8]>, signature: Option<&str>, expected: &str) {
    let body = body.as_ref();
    let answer = match door().receive(body, signature.map(str::as_bytes), NOW) {
        Ok(_) => "ok".to_owned(),
        Err(refusal) => format!("{} {}", refusal.reason.word(), refusal.action),
    };
    assert_eq!(answer, expected, "{:?} {signature:?}", String::from_utf8_lossy(&body[..body.len().min(200)]));
}

#[test]
fn malformed_bodies() {
    let deep = |open: &str, close: &str| open.repeat(10_000) + &close.repeat(10_000);
    for body in [
        "",
        " ",
        "garbage",
        "{",
        "[1,2",
        "{}x",
        "{\"a\":}",
        "\"",
        "{\"a\":01}",
        &EVENT[..60],
        "\0",
        "\u{feff}{}",
    ] {
        check(body, None, "not-json none");
        check(body, Some(&sign(body.as_bytes())), "not-json none");
    }
    check(EVENT.replace("org", "a\nb"), None, "not-json none");
    check(b"{\"action\":\"\xff\"}", None, "not-json none");
    check(deep("[", "]"), None, "too-deep none");
    check(deep("{\"a\":", "}"), None, "too-deep none");
    check(EVENT.replace("{}", &format!("{}{}", "[".repeat(64), "]".repeat(64))), None, "too-deep none");
    check(EVENT.replace("{}", &format!("{}{}", "[".repeat(63), "]".repeat(63))), None, "ok");
    assert!(Reason::TooDeep(64).is_malformed() && !Reason::WrongSecret.is_malformed());
}

#[test]
fn bodies_of_no_format() {
    let life_cycle = r#"{"applicationID":"a","event":"application_installed","licenseID":1,"payload":{}}"#;
    for body in ["{}", "[]", "1", "null", "\"text\"", "[{\"action\":1}]", life_cycle, r#"{"action":["x"]}"#] {
        check(body, None, "unknown-format none");
        check(body, Some(&sign(body.as_bytes())), "ok");
    }
}

#[test]
fn bodies_with_a_wrong_secret_or_none() {
    check(EVENT, None, "ok");
    check(V2, None, "ok");
    let secret = r#""secret_key":"fixture-secret""#;
    for given in ["\"\"", "\"Fixture-secret\"", "\"fixture-secret \"", "\"fixture-secre\"", "\"\\u0000\""] {
        check(EVENT.replace(secret, &format!("\"secret_key\":{given}")), None, "wrong-secret incoming_event");
    }
    for given in ["null", "12345678", "true", "[\"fixture-secret\"]", "{\"a\":\"fixture-secret\"}", "1e999"] {
        check(
            EVENT.replace(secret, &format!("\"secret_key\":{given}")),
            None,
            "missing-secret incoming_event",
        );
    }
    check(EVENT.replace("secret_key", "token"), None, "missing-secret incoming_event");
    check(V2.replace("token", "secret_key"), None, "missing-secret chat_deactivated");
    check(V2.replace("fixture", "x"), None, "wrong-secret chat_deactivated");
    check(EVENT.replace("fixture", "x").replace("incoming_event", "made_up"), None, "wrong-secret other");
    check(EVENT.replace("fixture-secret", "another-valid-secret"), None, "ok");
    // The last of several counts, wherever it stands.
    let both = |first: &str, last: &str| {
        format!(r#"{{"secret_key":"{first}","action":"tag_created","payload":{{}},"secret_key":"{last}"}}"#)
    };
    check(both("wrong", SECRET), None, "ok");
    check(both(SECRET, "wrong"), None, "wrong-secret tag_created");
}

#[test]
fn a_wrong_signature_refuses_whatever_the_body_says() {
    let good = sign(EVENT.as_bytes());
    let changed = good.replace(|c: char| c.is_ascii_digit(), "a");
    let long = format!("{good}00");
    let unsigned = EVENT.replace("fixture-secret", "upstream's own");
    for signature in ["", " ", "sha256=", "zz", &good[..63], &good[2..], &long, &changed, "sha1=00", SECRET] {
        check(EVENT, Some(signature), "wrong-signature incoming_event");
        check(&unsigned, Some(signature), "wrong-signature incoming_event");
    }
    check("garbage", Some("00"), "wrong-signature none");
    check("[".repeat(10_000), Some("00"), "wrong-signature none");
    check(EVENT, Some(&good), "ok");
    check(EVENT, Some(&format!("sha256={}", good.to_uppercase())), "ok");
    check(&unsigned, Some(&sign(unsigned.as_bytes())), "ok");
    check(format!("{EVENT} "), Some(&good), "wrong-signature incoming_event");
}

#[test]
fn another_organization_or_no_secret_at_all() {
    let ours = |organization: &str| Door { organization: Some(organization.into()), ..door() };
    assert!(ours("org").receive(EVENT.as_bytes(), None, NOW).is_ok());
    assert!(ours("org").receive(V2.as_bytes(), None, NOW).is_ok(), "v2 names none");
    let refusal = ours("other").receive(EVENT.as_bytes(), None, NOW).unwrap_err();
    assert_eq!(refusal, Refusal { reason: Reason::OtherOrganization, action: "incoming_event" });
    for odd in ["\"org \"", "[\"org\"]", "7", "\"\""] {
        let body = EVENT.replace("\"org\"", odd);
        let refusal = ours("org").receive(body.as_bytes(), None, NOW).unwrap_err();
        assert_eq!(refusal.reason, Reason::OtherOrganization, "{body}");
    }
    let closed = Door { secrets: Secrets::new([SecretString::from("")]), ..door() };
    for (body, signature) in [(EVENT, None), (EVENT, Some(&b""[..])), ("{}", None), ("", None)] {
        let refusal = closed.receive(body.as_bytes(), signature, NOW).unwrap_err();
        assert_eq!(refusal.reason, Reason::NoSecretConfigured);
    }
}
