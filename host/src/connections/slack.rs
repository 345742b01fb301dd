//! What Slack's answers mean. The Web API says `ok:false` with HTTP 200; an incoming webhook answers plain
//! text: `ok`, or a code.

use jiff::Timestamp;
use serde_json::Value;

use crate::action::http::Response;
use crate::action::retry_after::retry_after;
use crate::action::{Code, Error};

/// Slack's success as it is; everything else as an error that names the connection and Slack's code.
pub(super) fn judge(connection: &str, response: Response) -> Result<Response, Error> {
    let json: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let ok = json["ok"] == true || response.body.trim_ascii() == b"ok";
    if (200..300).contains(&response.status) && ok {
        return Ok(response);
    }
    let slack_code = code(&response);
    let code = meaning(response.status, slack_code.as_deref());
    let said = match &slack_code {
        Some(slack_code) => format!("Slack says `{slack_code}`"),
        None => format!("HTTP {} without one of Slack's codes", response.status),
    };
    let needed = json["needed"].as_str().filter(|scope| is_scope(scope));
    let needed = needed.map(|scope| format!(" (it needs the scope {scope})")).unwrap_or_default();
    let message = match advice(code) {
        "" => format!("connection `{connection}`: {said}{needed}"),
        advice => format!("connection `{connection}`: {said}{needed}; {advice}"),
    };
    Err(Error { code, message, retry_after_ms: wait_ms(&response, code) })
}

/// Slack's own code for what went wrong, if the answer holds one.
pub(super) fn code(response: &Response) -> Option<String> {
    let json: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let text = match json["error"].as_str() {
        Some(text) => text,
        // The label of these bodies is wrong at times, so only the text counts.
        None => std::str::from_utf8(response.body.trim_ascii()).ok()?,
    };
    Some(text).filter(|text| is_code(text)).map(str::to_owned)
}

/// Foreign text is repeated only if it looks like a code.
fn is_code(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn is_scope(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_:.,-".contains(&b))
}

fn meaning(status: u16, slack_code: Option<&str>) -> Code {
    match (status, slack_code) {
        (429, _) => Code::RateLimited,
        // `internal_error` and `fatal_error` may have done part of it: an outcome as unknown as a 5xx.
        (408 | 500.., _) => Code::Unavailable,
        (_, Some(slack_code)) => meaning_of_code(slack_code),
        (401, None) => Code::Credentials,
        (403, None) => Code::Denied,
        (404 | 410, None) => Code::NotFound,
        // A success that isn't Slack's: something else answered.
        (..=399, None) => Code::Unavailable,
        (_, None) => Code::Invalid,
    }
}

fn meaning_of_code(slack_code: &str) -> Code {
    match slack_code {
        "ratelimited" | "rate_limited" | "message_limit_exceeded" => Code::RateLimited,
        "internal_error" | "fatal_error" | "service_unavailable" | "request_timeout" | "rollup_error" => {
            Code::Unavailable
        }
        "invalid_auth" | "not_authed" | "account_inactive" | "token_revoked" | "token_expired"
        | "invalid_token" | "no_active_hooks" | "no_service" | "no_service_id" => Code::Credentials,
        "missing_scope"
        | "no_permission"
        | "ekm_access_denied"
        | "access_denied"
        | "not_allowed_token_type"
        | "not_in_channel"
        | "org_login_required"
        | "team_disabled"
        | "team_access_not_granted"
        | "action_prohibited"
        | "posting_to_general_channel_denied"
        | "cant_update_message"
        | "cant_delete_message" => Code::Denied,
        "no_team" | "is_archived" | "channel_is_archived" | "unknown_method" => Code::NotFound,
        "edit_window_closed" => Code::Expired,
        code if code.starts_with("restricted_action") => Code::Denied,
        code if code.ends_with("_not_found") => Code::NotFound,
        code if code.starts_with("already_") => Code::Conflict,
        _ => Code::Invalid,
    }
}

fn advice(code: Code) -> &'static str {
    match code {
        Code::Denied | Code::Credentials => {
            "check the connection's token or URL, its scopes, and that the app is in the channel"
        }
        Code::NotFound => {
            "check that the channel exists and the app is in it, and that the connection's URL is still valid"
        }
        _ => "",
    }
}

fn wait_ms(response: &Response, code: Code) -> Option<u64> {
    if !matches!(code, Code::RateLimited | Code::Unavailable) {
        return None;
    }
    let (_, value) = response.headers.iter().find(|(name, _)| name == "retry-after")?;
    retry_after(value, Timestamp::now()).map(|wait| wait.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, body: &str) -> Result<Response, Error> {
        let headers = vec![("retry-after".to_owned(), "3".to_owned())];
        judge("alerts", Response { status, headers, body: body.as_bytes().to_vec() })
    }

    #[test]
    fn slacks_successes_are_answers() {
        for body in ["ok", "ok\n", r#"{"ok":true,"channel":"C1","ts":"1790847000.000100"}"#, r#"{"ok":true}"#]
        {
            assert_eq!(judged(200, body).expect(body).body, body.as_bytes());
        }
    }

    #[test]
    fn slacks_failures_are_errors_whatever_their_status() {
        let check = |status, body: &str, code: Code, named: &str| {
            let error = judged(status, body).expect_err(body);
            assert_eq!(error.code, code, "{status} {body}");
            assert!(error.message.contains("`alerts`") && error.message.contains(named), "{error}");
            let waits = matches!(code, Code::RateLimited | Code::Unavailable);
            assert_eq!(error.retry_after_ms, waits.then_some(3_000), "{status} {body}");
        };
        check(200, r#"{"ok":false,"error":"ratelimited"}"#, Code::RateLimited, "`ratelimited`");
        check(
            429,
            r#"{"retry_after":1,"ok":false,"error":"rate_limited"}"#,
            Code::RateLimited,
            "`rate_limited`",
        );
        check(429, "", Code::RateLimited, "HTTP 429");
        check(200, r#"{"ok":false,"error":"message_limit_exceeded"}"#, Code::RateLimited, "message_limit");
        check(200, r#"{"ok":false,"error":"internal_error"}"#, Code::Unavailable, "`internal_error`");
        check(200, r#"{"ok":false,"error":"fatal_error"}"#, Code::Unavailable, "`fatal_error`");
        check(200, r#"{"ok":false,"error":"service_unavailable"}"#, Code::Unavailable, "service_unavailable");
        check(503, "<html>bad</html>", Code::Unavailable, "HTTP 503");
        check(500, "rollup_error", Code::Unavailable, "`rollup_error`");
        check(200, r#"{"ok":false,"error":"invalid_auth"}"#, Code::Credentials, "`invalid_auth`");
        check(
            200,
            r#"{"ok":false,"error":"missing_scope","needed":"chat:write"}"#,
            Code::Denied,
            "chat:write",
        );
        check(
            200,
            r#"{"ok":false,"error":"restricted_action_thread_locked"}"#,
            Code::Denied,
            "restricted_action",
        );
        check(200, r#"{"ok":false,"error":"not_in_channel"}"#, Code::Denied, "`not_in_channel`");
        check(403, "invalid_token", Code::Credentials, "`invalid_token`");
        check(403, "action_prohibited", Code::Denied, "`action_prohibited`");
        check(403, "", Code::Denied, "HTTP 403");
        check(200, r#"{"ok":false,"error":"channel_not_found"}"#, Code::NotFound, "`channel_not_found`");
        check(404, "no_service", Code::Credentials, "`no_service`");
        check(410, "channel_is_archived", Code::NotFound, "`channel_is_archived`");
        check(404, "<html></html>", Code::NotFound, "HTTP 404");
        check(200, r#"{"ok":false,"error":"invalid_blocks"}"#, Code::Invalid, "`invalid_blocks`");
        check(200, r#"{"ok":false,"error":"edit_window_closed"}"#, Code::Expired, "edit_window");
        check(400, "invalid_payload", Code::Invalid, "`invalid_payload`");
        check(200, "no_text", Code::Invalid, "`no_text`");
        check(400, "<html>", Code::Invalid, "HTTP 400");
        check(200, "<html>Welcome</html>", Code::Unavailable, "HTTP 200");
        check(200, "", Code::Unavailable, "HTTP 200");
        check(200, r#"{"ok":false}"#, Code::Unavailable, "HTTP 200");
        check(302, "", Code::Unavailable, "HTTP 302");
        check(500, r#"{"ok":true}"#, Code::Unavailable, "HTTP 500");
    }

    #[test]
    fn foreign_text_is_not_repeated() {
        for body in ["<!channel> pay now", r#"{"ok":false,"error":"line\nbreak"}"#, &"a".repeat(65)] {
            let error = judged(400, body).expect_err(body);
            assert!(error.message.contains("without one of Slack's codes"), "{error}");
        }
    }
}
