//! Slack, by either kind of connection: an incoming webhook, whose URL is the secret, or the Web API.

use chatplug_sdk::http::{Effect, Response};
use chatplug_sdk::prelude::*;

use crate::message::Message;
use crate::record::Post;

/// The connection's name in the manifest and in the operator's config.
pub(crate) const CONNECTION: &str = "slack";

/// Posts a message: to `channel` by the Web API, without one by the incoming webhook. Answers the post if it
/// can be updated later.
pub(crate) fn post(channel: Option<&str>, message: &Message) -> Result<Option<Post>, Failure> {
    let Some(channel) = channel else {
        let body = json!({ "text": message.text, "blocks": message.blocks });
        let response = http::post_json(CONNECTION, "", &body).once("post").send()?;
        return read_webhook(response).map(|()| None);
    };
    let body = json!({
        "channel": channel, "text": message.text, "blocks": message.blocks, "parse": "none", "link_names": false,
        "mrkdwn": false, "unfurl_links": false, "unfurl_media": false,
    });
    let response = http::post_json(CONNECTION, "/api/chat.postMessage", &body).once("post").send()?;
    match read_web_api(response)? {
        Answer::Ok(post) => Ok(post),
        Answer::Refused(code) => Err(failure(&code)),
    }
}

/// Puts a message in place of a post; false if Slack doesn't let it be changed any more.
pub(crate) fn update(post: &Post, message: &Message) -> Result<bool, Failure> {
    let body = json!({
        "channel": post.channel, "ts": post.ts, "text": message.text, "blocks": message.blocks,
        "parse": "none", "link_names": false,
    });
    let request =
        http::post_json(CONNECTION, "/api/chat.update", &body).effect(Effect::Repeatable).once("update");
    let answer = match request.send() {
        Err(error) if may_be_the_posts(error.code) => return Ok(false),
        answer => read_web_api(answer?)?,
    };
    match answer {
        Answer::Ok(_) => Ok(true),
        Answer::Refused(code) if is_final(&code) => Ok(false),
        Answer::Refused(code) => Err(failure(&code)),
    }
}

/// Whether a refusal, as the host puts it for connections of the kind `slack`, may be about this one post: it
/// is gone, or too old to be changed. If it is about channel or token instead, a new post will fail as well.
fn may_be_the_posts(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::NotFound | ErrorCode::Expired | ErrorCode::Denied)
}

#[derive(Debug, PartialEq)]
enum Answer {
    Ok(Option<Post>),
    Refused(String),
}

/// The webhook answers `ok`; a proxy or a wrong address can answer 200 as well.
fn read_webhook(response: Response) -> Result<(), Failure> {
    let response = response.success()?;
    if response.text().trim() == "ok" {
        return Ok(());
    }
    Err(Failure::reject(
        "Slack's webhook did not answer `ok`: check the URL of the connection `slack`, and set `channel` if it is the Web API",
    ))
}

/// The Web API answers 200 with `ok: false` when it refuses.
fn read_web_api(response: Response) -> Result<Answer, Failure> {
    let answer: Value = response.success()?.json()?;
    if answer["ok"] != true {
        return Ok(Answer::Refused(answer["error"].as_str().unwrap_or("no error code").to_owned()));
    }
    let text = |name: &str| answer[name].as_str().map(str::to_owned);
    Ok(Answer::Ok(text("channel").zip(text("ts")).map(|(channel, ts)| Post { channel, ts })))
}

fn is_final(code: &str) -> bool {
    matches!(code, "message_not_found" | "cant_update_message" | "edit_window_closed")
}

/// `internal_error` and `fatal_error` may have posted; a second alert is better than none.
fn failure(code: &str) -> Failure {
    let code = crate::text::for_note(code, 100);
    match code.as_str() {
        "ratelimited"
        | "rate_limited"
        | "message_limit_exceeded"
        | "service_unavailable"
        | "request_timeout"
        | "internal_error"
        | "fatal_error" => Failure::retry(format!("Slack answered `{code}`")),
        _ => {
            Failure::reject(format!("Slack refused the alert with `{code}`: check channel, token and scopes"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> Response {
        Response::new(status, body)
    }

    #[test]
    fn only_ok_is_a_webhooks_success() {
        let check = |status, body, retries: Option<bool>| {
            let failure = read_webhook(response(status, body)).err();
            assert_eq!(
                failure.map(|failure| matches!(failure, Failure::Retry(_))),
                retries,
                "{status} {body}"
            );
        };
        check(200, "ok\n", None);
        check(200, "<html>welcome</html>", Some(false));
        check(410, "channel_is_archived", Some(false));
        check(429, "rate_limited", Some(true));
        check(503, "", Some(true));
    }

    #[test]
    fn the_web_api_says_where_the_post_is() {
        let answer = read_web_api(response(200, r#"{"ok":true,"channel":"C1","ts":"1790847000.000100"}"#));
        let post = Post { channel: "C1".into(), ts: "1790847000.000100".into() };
        assert_eq!(answer, Ok(Answer::Ok(Some(post))));
    }

    #[test]
    fn a_refusal_is_tried_again_only_if_it_may_pass() {
        let check = |code: &str, retries| {
            let answer = read_web_api(response(200, &json!({ "ok": false, "error": code }).to_string()));
            assert_eq!(answer, Ok(Answer::Refused(code.into())));
            assert_eq!(matches!(failure(code), Failure::Retry(_)), retries, "{code}");
        };
        check("channel_not_found", false);
        check("invalid_auth", false);
        check("ratelimited", true);
        check("internal_error", true);
    }
}
