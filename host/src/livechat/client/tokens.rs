//! The header that says who we are. A token that ends by itself is issued anew in time, and once more if LiveChat refuses it
//! before that.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;

use super::credentials::{Bot, Credentials, Issuer, OAuth, bearer_header, region_of};
use crate::action::{Code, Error};
use crate::egress::cause;
use crate::egress::secret::Known;

/// A bot's token is valid for 24 hours.
const BOT_TOKEN_KEPT: Duration = Duration::from_secs(20 * 3_600);
/// An access token is given up so long before its end.
const AHEAD: Duration = Duration::from_secs(300);
/// What an answer with a token may have, bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// After a failure nobody asks for a token for so long: a wrong secret is not tried with each call.
const PAUSE: Duration = Duration::from_secs(10);

/// Tokens of one set of credentials.
pub(super) struct Tokens {
    credentials: Credentials,
    http: reqwest::Client,
    base: String,
    timeout: Duration,
    state: Mutex<State>,
    known: ArcSwap<Known>,
}

#[derive(Default)]
struct State {
    issued: Option<Issued>,
    failed: Option<(Instant, Error)>,
}

struct Issued {
    token: SecretString,
    /// How often a token was issued before.
    number: u64,
    good_until: Instant,
}

/// A header, the data centre that its token names, and the number of the token in it.
pub(super) struct Header {
    pub(super) value: HeaderValue,
    pub(super) region: Option<String>,
    number: u64,
}

impl Tokens {
    pub(super) fn new(
        credentials: Credentials,
        http: reqwest::Client,
        base: String,
        timeout: Duration,
    ) -> Tokens {
        let known = ArcSwap::from_pointee(credentials.known(None));
        Tokens { credentials, http, base, timeout, state: Mutex::default(), known }
    }

    pub(super) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// What LiveChat knows of us and must not tell a plugin.
    pub(super) fn known(&self) -> Arc<Known> {
        self.known.load_full()
    }

    /// The header for a request that begins now.
    pub(super) async fn header(&self) -> Result<Header, Error> {
        let Some(issuer) = self.credentials.issuer() else {
            let value = self.credentials.header().expect("it was checked when the client was made");
            return Ok(Header { value, region: None, number: 0 });
        };
        let mut state = self.state.lock().await;
        let number = match &state.issued {
            Some(issued) if Instant::now() < issued.good_until => return issued.header(),
            Some(issued) => issued.number + 1,
            None => 1,
        };
        if let Some((at, error)) = &state.failed
            && at.elapsed() < PAUSE
        {
            return Err(error.clone());
        }
        let issued = match self.issue(issuer, number).await {
            Ok(issued) => issued,
            Err(error) => {
                state.failed = Some((Instant::now(), error.clone()));
                return Err(error);
            }
        };
        self.known.store(Arc::new(self.credentials.known(Some(&issued.token))));
        let header = issued.header();
        *state = State { issued: Some(issued), failed: None };
        header
    }

    /// LiveChat refused a header: whether another one can be had. Where several calls were refused with one token, it is
    /// issued anew once.
    pub(super) async fn refused(&self, header: &Header) -> bool {
        if self.credentials.issuer().is_none() {
            return false;
        }
        let mut state = self.state.lock().await;
        if let Some(issued) = &mut state.issued
            && issued.number == header.number
        {
            issued.good_until = Instant::now();
        }
        true
    }

    async fn issue(&self, issuer: Issuer<'_>, number: u64) -> Result<Issued, Error> {
        let now = Instant::now();
        let (token, kept) = match issuer {
            Issuer::OAuth(oauth) => self.refresh(oauth).await?,
            Issuer::Bot(bot) => (self.issue_bot_token(bot).await?, BOT_TOKEN_KEPT),
        };
        tracing::info!(number, for_s = kept.as_secs(), "LiveChat issued a token");
        Ok(Issued { token, number, good_until: now + kept })
    }

    async fn refresh(&self, oauth: &OAuth) -> Result<(SecretString, Duration), Error> {
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
        let advice = "check livechat.oauth: the refresh token may have been revoked";
        let answer: Answer = self.read("refreshing the access token", advice, request).await?;
        if answer.refresh_token.is_some_and(|other| other != oauth.refresh_token.expose_secret()) {
            tracing::warn!(
                "LiveChat gave another refresh token, which the host doesn't keep: the one of livechat.oauth may be refused \
                 soon; use the refresh token of a server-side app, which stays the same"
            );
        }
        let kept = Duration::from_secs(answer.expires_in).saturating_sub(AHEAD);
        let kept = kept.clamp(Duration::from_secs(30), BOT_TOKEN_KEPT);
        Ok((answer.access_token.into(), kept))
    }

    async fn issue_bot_token(&self, bot: &Bot) -> Result<SecretString, Error> {
        #[derive(Deserialize)]
        struct Answer {
            token: String,
        }
        let body = json!({
            "bot_id": bot.id, "client_id": bot.client_id, "bot_secret": bot.secret.expose_secret(),
            "organization_id": bot.organization,
        });
        let url = format!("{}/v3.6/configuration/action/issue_bot_token", self.base);
        let advice = "check livechat.bot, livechat.client_id and livechat.organization";
        let answer: Answer =
            self.read("issuing a token for the bot", advice, self.http.post(url).json(&body)).await?;
        Ok(answer.token.into())
    }

    async fn read<T: for<'a> Deserialize<'a>>(
        &self,
        what: &str,
        advice: &str,
        request: reqwest::RequestBuilder,
    ) -> Result<T, Error> {
        let lost = |error: reqwest::Error| {
            Error::new(
                Code::Unavailable,
                format!("{what} failed: LiveChat could not be reached ({})", cause(error)),
            )
        };
        let mut answer = request.timeout(self.timeout).send().await.map_err(lost)?;
        let status = answer.status().as_u16();
        let body = super::up_to_limit(&mut answer, ANSWER_BYTES_MAX).await.map_err(lost)?.unwrap_or_default();
        match status {
            200..300 => serde_json::from_slice(&body).map_err(|_| {
                Error::new(Code::Unavailable, format!("{what} failed: the answer holds no token"))
            }),
            429 | 500.. => {
                Err(Error::new(Code::Unavailable, format!("{what} failed: LiveChat answered HTTP {status}")))
            }
            _ => {
                let message = format!("{what} failed: LiveChat answered HTTP {status}; {advice}");
                Err(Error::new(Code::Credentials, message))
            }
        }
    }
}

impl Issued {
    fn header(&self) -> Result<Header, Error> {
        let value =
            bearer_header(&self.token).map_err(|error| Error::new(Code::Credentials, error.to_string()))?;
        let region = region_of(&self.token).map(str::to_owned);
        Ok(Header { value, region, number: self.number })
    }
}
