//! What an answer of HubSpot means. Its documents ask to treat every field of an error as optional.

use chatplug_sdk::prelude::*;

/// An answer that the plugin goes on with.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It was done; the body.
    Done(Value),
    /// There is no such object.
    Missing,
    /// It exists already; its id, if HubSpot says it.
    Exists(Option<String>),
    /// HubSpot doesn't take the value for an e-mail address.
    BadEmail,
}

/// An answer that ends the attempt, or none at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Trouble {
    /// What the host is told.
    pub failure: Failure,
    /// HubSpot may have done it all the same.
    pub unknown: bool,
}

impl Trouble {
    /// The request was refused by the host, or got no answer.
    pub fn no_answer(doing: &str, error: Error) -> Self {
        let unknown = matches!(error.code, ErrorCode::Unavailable | ErrorCode::Other);
        let text = format!("{doing}: {error}");
        let failure = match Failure::from(error) {
            Failure::Retry(_) => Failure::Retry(text),
            Failure::Reject(_) => Failure::Reject(text),
        };
        Trouble { failure, unknown }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        trouble.failure
    }
}

/// Reads an answer; `doing` says what was asked for.
pub fn judge(doing: &str, status: u16, body: &[u8]) -> Result<Answer, Trouble> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let said = said(&body);
    let known = |failure| Err(Trouble { failure, unknown: false });
    match status {
        200..300 => Ok(Answer::Done(body)),
        404 => Ok(Answer::Missing),
        409 => Ok(Answer::Exists(existing_id(&body))),
        400 if has_code(&body, "INVALID_EMAIL") => Ok(Answer::BadEmail),
        401 => known(Failure::reject(format!(
            "{doing}: HubSpot refused the token (401): {said}. Check `connections.hubspot` and the token it \
             names"
        ))),
        403 => known(Failure::reject(format!(
            "{doing}: HubSpot doesn't allow it (403): {said}{}. Give the token crm.objects.contacts.read and \
             crm.objects.contacts.write",
            scopes(&body)
        ))),
        423 => known(Failure::retry(format!("{doing}: HubSpot has locked the object for a moment (423)"))),
        429 => known(Failure::retry(format!("{doing}: HubSpot's rate limit is reached (429): {said}"))),
        477 => known(Failure::retry(format!("{doing}: HubSpot is moving the account (477)"))),
        408 | 500.. => Err(Trouble {
            failure: Failure::retry(format!("{doing}: HubSpot has trouble ({status}): {said}")),
            unknown: true,
        }),
        _ => known(Failure::reject(format!("{doing}: HubSpot refused it ({status}): {said}"))),
    }
}

/// The message for people, cut: HubSpot repeats values of the request in it.
fn said(body: &Value) -> String {
    let part = |name: &str| body.get(name).and_then(Value::as_str);
    let category = part("category").or(part("policyName")).or(part("errorType")).unwrap_or("no category");
    let message: String = part("message").unwrap_or("no message").chars().take(200).collect();
    let id = part("correlationId").map(|id| format!(", correlation id {id}")).unwrap_or_default();
    format!("{category}, {}{id}", message.escape_debug())
}

fn existing_id(body: &Value) -> Option<String> {
    let (_, rest) = body.get("message")?.as_str()?.split_once("Existing ID:")?;
    let id: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    (!id.is_empty()).then_some(id)
}

fn has_code(body: &Value, code: &str) -> bool {
    let errors = body.get("errors").and_then(Value::as_array).into_iter().flatten();
    let coded = errors.into_iter().any(|error| error.get("code").and_then(Value::as_str) == Some(code));
    // Some versions nest it as JSON text within the message.
    coded || body.get("message").and_then(Value::as_str).is_some_and(|message| message.contains(code))
}

fn scopes(body: &Value) -> String {
    let errors = body.get("errors").and_then(Value::as_array).into_iter().flatten();
    let lists = errors.filter_map(|error| error.pointer("/context/requiredGranularScopes")?.as_array());
    let names: Vec<&str> = lists.flatten().filter_map(Value::as_str).collect();
    if names.is_empty() { String::new() } else { format!(" (missing scopes: {})", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, expected: Answer) {
        assert_eq!(judge("looking", status, body.as_bytes()), Ok(expected), "{status} {body}");
    }

    #[track_caller]
    fn check_trouble(status: u16, body: &str, retry: bool, unknown: bool, part: &str) {
        let trouble = judge("writing", status, body.as_bytes()).expect_err("trouble");
        assert_eq!(matches!(trouble.failure, Failure::Retry(_)), retry, "{status} {body}");
        assert_eq!(trouble.unknown, unknown, "{status}");
        let text = trouble.failure.to_string();
        assert!(text.starts_with("writing: ") && text.contains(part), "{text:?} lacks {part:?}");
    }

    #[test]
    fn some_answers_are_gone_on_with() {
        check(200, r#"{"id":"501"}"#, Answer::Done(json!({"id": "501"})));
        check(204, "", Answer::Done(Value::Null));
        check(404, r#"{"status":"error","message":"resource not found"}"#, Answer::Missing);
        check(404, "<html>", Answer::Missing);
        let conflict = r#"{"message":"Contact already exists. Existing ID: 501","category":"CONFLICT"}"#;
        check(409, conflict, Answer::Exists(Some("501".into())));
        check(409, r#"{"message":"Contact already exists."}"#, Answer::Exists(None));
        check(409, "", Answer::Exists(None));
        let nested = r#"{"category":"VALIDATION_ERROR","errors":[{"code":"INVALID_EMAIL"}]}"#;
        check(400, nested, Answer::BadEmail);
        check(
            400,
            r#"{"message":"Property values were not valid: [{\"error\":\"INVALID_EMAIL\"}]"}"#,
            Answer::BadEmail,
        );
    }

    #[test]
    fn what_may_pass_is_tried_again() {
        check_trouble(
            429,
            r#"{"policyName":"TEN_SECONDLY_ROLLING","errorType":"RATE_LIMIT"}"#,
            true,
            false,
            "TEN_SECONDLY",
        );
        check_trouble(429, r#"{"category":"RATE_LIMITS"}"#, true, false, "RATE_LIMITS");
        check_trouble(423, "", true, false, "locked");
        check_trouble(477, "", true, false, "moving");
        for status in [408, 500, 502, 503, 504, 521, 523, 524] {
            check_trouble(status, "<html>bad gateway</html>", true, true, "trouble");
        }
    }

    #[test]
    fn what_only_a_person_can_change_says_what_to_check() {
        check_trouble(401, r#"{"category":"INVALID_AUTHENTICATION"}"#, false, false, "`connections.hubspot`");
        let scopes = r#"{"category":"MISSING_SCOPES","errors":[{"context":{"requiredGranularScopes":["crm.objects.x"]}}]}"#;
        check_trouble(403, scopes, false, false, "missing scopes: crm.objects.x");
        check_trouble(403, "", false, false, "crm.objects.contacts.write");
        check_trouble(
            400,
            r#"{"category":"VALIDATION_ERROR","message":"bad\nproperty"}"#,
            false,
            false,
            "bad\\nproperty",
        );
        check_trouble(414, "", false, false, "414");
    }

    #[test]
    fn no_answer_is_unknown_only_if_the_request_may_have_arrived() {
        for (code, retry, unknown) in [
            (ErrorCode::Unavailable, true, true),
            (ErrorCode::Other, true, true),
            (ErrorCode::RateLimited, true, false),
            (ErrorCode::Denied, false, false),
            (ErrorCode::Limit, false, false),
        ] {
            let trouble = Trouble::no_answer("writing", Error::new(code, "x"));
            assert_eq!(
                (matches!(trouble.failure, Failure::Retry(_)), trouble.unknown),
                (retry, unknown),
                "{code:?}"
            );
        }
    }
}
