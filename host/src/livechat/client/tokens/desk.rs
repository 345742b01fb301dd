//! Where tokens are issued: the requests, and what their answers mean.

use std::sync::Arc;
use std::time::Duration;

use reqwest::RequestBuilder;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::credentials::{Bot, Issuer, OAuth};
use super::super::failure::{MISDIRECTED, NOT_LIVECHATS, Refusal, may_come_back};
use super::super::region::{Region, directed};
use super::super::up_to_limit;
use crate::action::{Code, Error};
use crate::egress::cause;
use crate::egress::secret::Known;
use crate::livechat::notices::{self, Notices};

/// A bot's token is valid for 24 hours.
const BOT_TOKEN_KEPT: Duration = Duration::from_secs(20 * 3_600);
/// An access token is given up so long before its end.
const AHEAD: Duration = Duration::from_secs(300);
/// So long a token is kept at least, whatever is said of its end: no call shall need one of its own.
const KEPT_MIN: Duration = Duration::from_secs(30);
/// What an answer with a token may have, bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Issues tokens.
pub(in crate::livechat::client) struct Desk {
    pub(in crate::livechat::client) http: reqwest::Client,
    /// The API's address.
    pub(in crate::livechat::client) base: String,
    pub(in crate::livechat::client) timeout: Duration,
    /// Shared with the calls: what one learns, the other knows.
    pub(in crate::livechat::client) region: Region,
    pub(in crate::livechat::client) notices: Arc<Notices>,
}

/// A token, and how long it is kept.
pub(super) struct Token {
    pub(super) token: SecretString,
    pub(super) kept: Duration,
}

/// What is asked for, for error messages.
struct Errand<'a> {
    /// The action.
    action: &'static str,
    /// The action, for people.
    what: &'static str,
    /// What to check if it is refused.
    advice: &'static str,
    /// What we know, and LiveChat must not tell.
    known: &'a Known,
}

/// No token, and the data centre to ask instead.
struct Refused {
    error: Error,
    elsewhere: Option<String>,
}

impl Desk {
    /// A token. `known` is cleaned out of what is repeated of LiveChat's words.
    pub(super) async fn issue(&self, issuer: Issuer<'_>, known: &Known) -> Result<Token, Error> {
        match issuer {
            Issuer::OAuth(oauth) => self.refresh(oauth, known).await,
            Issuer::Bot(bot) => self.issue_bot_token(bot, known).await,
        }
    }

    async fn refresh(&self, oauth: &OAuth, known: &Known) -> Result<Token, Error> {
        #[derive(Deserialize)]
        struct Answer {
            access_token: String,
            expires_in: u64,
            refresh_token: Option<String>,
        }
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", oauth.refresh_token.expose_secret()),
            ("client_id", &oauth.client_id),
            ("client_secret", oauth.client_secret.expose_secret()),
        ];
        let mut body = reqwest::Url::parse("form:").expect("a URL");
        body.query_pairs_mut().extend_pairs(form);
        let body = SecretString::from(body.query().unwrap_or_default());
        let request = self.http.post(&oauth.token_url);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = request.body(body.expose_secret().to_owned());
        let errand = Errand {
            action: "token",
            what: "refreshing the access token",
            advice: "check livechat.oauth: the refresh token may have been revoked",
            known,
        };
        let answer: Answer = self.ask(&errand, request).await?;
        if answer.refresh_token.is_some_and(|other| other != oauth.refresh_token.expose_secret()) {
            tracing::warn!(
                "LiveChat gave another refresh token, which the host doesn't keep: the one of livechat.oauth may be refused \
                 soon; use the refresh token of a server-side app, which stays the same"
            );
        }
        let kept = Duration::from_secs(answer.expires_in).saturating_sub(AHEAD);
        Ok(Token { token: answer.access_token.into(), kept: kept.clamp(KEPT_MIN, BOT_TOKEN_KEPT) })
    }

    async fn issue_bot_token(&self, bot: &Bot, known: &Known) -> Result<Token, Error> {
        #[derive(Deserialize)]
        struct Answer {
            token: String,
        }
        let body = json!({
            "bot_id": bot.id, "client_id": bot.client_id, "bot_secret": bot.secret.expose_secret(),
            "organization_id": bot.organization,
        });
        let url = format!("{}/v3.6/configuration/action/issue_bot_token", self.base);
        let errand = Errand {
            action: "issue_bot_token",
            what: "issuing a token for the bot",
            advice: "check livechat.bot, livechat.client_id and livechat.organization",
            known,
        };
        let answer: Answer = self.ask(&errand, self.http.post(url).json(&body)).await?;
        Ok(Token { token: answer.token.into(), kept: BOT_TOKEN_KEPT })
    }

    /// Asks a second time if LiveChat names another data centre, and stays with that.
    async fn ask<T: DeserializeOwned>(
        &self,
        errand: &Errand<'_>,
        request: RequestBuilder,
    ) -> Result<T, Error> {
        let once_more = request.try_clone().expect("its body is no stream");
        let region = self.region.known();
        let settled = match self.send(errand, directed(request, region.as_deref())).await {
            Err(Refused { elsewhere: Some(named), .. })
                if self.region.learn(region.as_deref(), Some(&named)) =>
            {
                self.send(errand, directed(once_more, Some(&named))).await
            }
            settled => settled,
        };
        settled.map_err(|refused| refused.error)
    }

    async fn send<T: DeserializeOwned>(
        &self,
        errand: &Errand<'_>,
        request: RequestBuilder,
    ) -> Result<T, Refused> {
        let what = errand.what;
        let unavailable =
            |problem: String| Refused::here(Code::Unavailable, format!("{what} failed: {problem}"));
        let lost =
            |error: reqwest::Error| unavailable(format!("LiveChat could not be reached ({})", cause(error)));
        let mut answer = request.timeout(self.timeout).send().await.map_err(lost)?;
        let status = answer.status().as_u16();
        let headers = std::mem::take(answer.headers_mut());
        self.notices.announce(errand.action, &headers);
        let body = up_to_limit(&mut answer, ANSWER_BYTES_MAX).await.map_err(lost)?.unwrap_or_default();
        let json: Option<Value> = serde_json::from_slice(&body).ok();
        let is_refused = json.as_ref().is_some_and(|json| !json["error"].is_null());
        if (200..300).contains(&status) && !is_refused {
            return serde_json::from_slice(&body)
                .map_err(|_| unavailable("the answer holds no token".to_owned()));
        }
        let json: Option<Value> = serde_json::from_slice(&errand.known.clean(body)).ok();
        let mut refusal = Refusal::new(status, json.as_ref(), notices::wait(&headers));
        if refusal.class.is_empty() {
            refusal.class = json.as_ref().map(oauth_class).unwrap_or_default();
        }
        notices::log_refusal(errand.action, None, status, &refusal.class, &headers);
        Err(refused(errand, &refusal, json.is_some_and(|json| json.is_object())))
    }
}

impl Refused {
    fn here(code: Code, message: String) -> Refused {
        Refused { error: Error::new(code, message), elsewhere: None }
    }
}

/// The word for the error where it isn't an object: as OAuth has it (RFC 6749, 5.2), and LiveChat's accounts.
fn oauth_class(body: &Value) -> String {
    let words = ["error", "oauth_exception", "identity_exception"].map(|name| body[name].as_str());
    words.into_iter().flatten().next().unwrap_or_default().to_ascii_lowercase()
}

/// What a refusal is to whoever wanted to make a call: nothing was asked of LiveChat yet, so that no code is said of what
/// the call was about.
fn refused(errand: &Errand<'_>, refusal: &Refusal, is_object: bool) -> Refused {
    let code = code(refusal, is_object);
    let advice = match (refusal.class.as_str(), code) {
        ("misdirected_request", _) => MISDIRECTED,
        (_, Code::Credentials) => errand.advice,
        ("", Code::Unavailable) if refusal.status < 500 => NOT_LIVECHATS,
        _ => "",
    };
    let (what, said) = (errand.what, refusal.said());
    let message = match advice {
        "" => format!("{what} failed: {said}"),
        advice => format!("{what} failed: {said}; {advice}"),
    };
    let wait = refusal.retry_after.filter(|_| may_come_back(code));
    let retry_after_ms = wait.map(|wait| wait.as_millis() as u64);
    Refused {
        error: Error { code, message, retry_after_ms },
        elsewhere: refusal.elsewhere().map(str::to_owned),
    }
}

fn code(refusal: &Refusal, is_object: bool) -> Code {
    match (refusal.class.as_str(), refusal.status) {
        // Whoever stands in front of LiveChat, or another service, knows nothing of our credentials.
        ("", 401) => Code::Credentials,
        ("", 400 | 403) if is_object => Code::Credentials,
        ("", 429) => Code::RateLimited,
        ("", _) => Code::Unavailable,
        // OAuth's words, whatever status they come with.
        ("server_error" | "temporarily_unavailable", _) => Code::Unavailable,
        (
            "access_denied"
            | "invalid_client"
            | "invalid_grant"
            | "invalid_request"
            | "unauthorized"
            | "unauthorized_client",
            _,
        ) => Code::Credentials,
        (_, _) => match refusal.code() {
            code @ (Code::RateLimited | Code::Unavailable | Code::Unsupported) => code,
            // The token may be had later, or elsewhere.
            Code::Limit | Code::Other => Code::Unavailable,
            _ => Code::Credentials,
        },
    }
}
