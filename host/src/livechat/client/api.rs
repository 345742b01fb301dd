//! One request to LiveChat and its answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{AUTHORIZATION, DATE, HeaderMap};
use reqwest::{Response, Url};
use serde_json::Value;
use tracing::field::display;

use super::credentials::Credentials;
use super::failure::{Failure, Refusal, unanswered};
use super::region::{Region, directed, is_region};
use super::request::Request;
use super::tokens::{Desk, Header, Tokens};
use super::{Options, SetupError};
use crate::action::Code;
use crate::destination::tally::{HOST, Tally};
use crate::egress::{self, Reach, cause};
use crate::livechat::notices::{self, Notices, header};

/// The longest answer that is read, bytes.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// The way to the API: address, credentials, and what was learnt of both.
pub(super) struct Api {
    http: reqwest::Client,
    base: String,
    tokens: Tokens,
    timeout: Duration,
    tally: Arc<Tally>,
    region: Region,
    notices: Arc<Notices>,
    /// By how many milliseconds LiveChat's clock was ahead of ours at its last answer; [`i64::MIN`] before the first.
    ahead_ms: AtomicI64,
}

impl Api {
    pub(super) fn new(options: &Options) -> Result<Api, SetupError> {
        let region = options.region.clone().or(options.credentials.region().map(str::to_owned));
        if region.as_deref().is_some_and(|region| !is_region(region)) {
            return Err(SetupError::Region);
        }
        // A credential that can't be sent is known now, not at the first request.
        options.credentials.check()?;
        let base = base(&options.base_url, options.reach)?;
        let http = egress::client(options.reach).map_err(SetupError::Http)?;
        let (region, notices) = (Region::new(region), Arc::new(Notices::new("update chatplug")));
        let desk = Desk {
            http: http.clone(),
            base: base.clone(),
            timeout: options.timeout,
            region: region.clone(),
            notices: notices.clone(),
        };
        let begun = Instant::now();
        let tokens = Tokens::new(options.credentials.clone(), desk, Box::new(move || begun.elapsed()));
        Ok(Api {
            http,
            base,
            tokens,
            timeout: options.timeout,
            tally: options.tally.clone(),
            region,
            notices,
            ahead_ms: AtomicI64::new(i64::MIN),
        })
    }

    pub(super) fn credentials(&self) -> &Credentials {
        self.tokens.credentials()
    }

    /// Makes a call as our own user, and answers the body, which is JSON or empty. Asks a second time with a new token if
    /// LiveChat refuses one that it had issued.
    pub(super) async fn post(&self, request: &Request) -> Result<String, Failure> {
        let header = self.tokens.header().await.map_err(Failure::refused)?;
        match self.post_as(request, &header).await {
            Err(failure) if failure.error.code == Code::Credentials && self.tokens.refused(&header).await => {
                let header = self.tokens.header().await.map_err(Failure::refused)?;
                self.post_as(request, &header).await
            }
            settled => settled,
        }
    }

    /// Asks a second time if LiveChat names another region, and stays with that.
    async fn post_as(&self, request: &Request, header: &Header) -> Result<String, Failure> {
        let known = self.region.known();
        let region = known.as_deref().or(header.region.as_deref());
        match self.post_to(request, header, region).await {
            Err(Failure { region: Some(named), .. }) if self.region.learn(region, Some(&named)) => {
                self.post_to(request, header, Some(&named)).await
            }
            settled => settled,
        }
    }

    /// Makes a call that needs no credentials, and sends none.
    pub(super) async fn post_anonymously(&self, request: &Request) -> Result<String, Failure> {
        let answer = self.prepare(request).send().await;
        self.read(request, answer).await
    }

    async fn post_to(
        &self,
        request: &Request,
        header: &Header,
        region: Option<&str>,
    ) -> Result<String, Failure> {
        let prepared = self.prepare(request).header(AUTHORIZATION, header.value.clone());
        let started = Instant::now();
        let answer = directed(prepared, region).send().await;
        let read = self.read(request, answer).await;
        let (trace, ms) = (request.trace.map(display), started.elapsed().as_millis() as u64);
        tracing::debug!(action = &*request.action, trace, ms, ok = read.is_ok(), "request to LiveChat");
        read
    }

    fn prepare(&self, request: &Request) -> reqwest::RequestBuilder {
        self.tally.count(request.plugin.as_deref().unwrap_or(HOST));
        let url = format!("{}{}", self.base, request.path());
        self.http.post(url).timeout(self.timeout).json(&request.body)
    }

    async fn read(
        &self,
        request: &Request,
        answer: Result<Response, reqwest::Error>,
    ) -> Result<String, Failure> {
        let mut answer = answer.map_err(|error| self.no_answer(request, error))?;
        let status = answer.status().as_u16();
        let headers = std::mem::take(answer.headers_mut());
        self.notices.announce(&request.action, &headers);
        self.compare_clocks(&headers);
        let body = match up_to_limit(&mut answer, ANSWER_BYTES_MAX).await {
            Ok(Some(body)) => self.tokens.known().clean(body),
            Ok(None) => return Err(too_long(request)),
            Err(error) => return Err(self.no_answer(request, error)),
        };
        self.judge(request, status, &headers, body)
    }

    fn judge(
        &self,
        request: &Request,
        status: u16,
        headers: &HeaderMap,
        body: Vec<u8>,
    ) -> Result<String, Failure> {
        let success = (200..300).contains(&status);
        if success && body.trim_ascii().is_empty() {
            return Ok(String::new());
        }
        let json: Option<Value> = serde_json::from_slice(&body).ok();
        if success {
            let refused = json.as_ref().is_some_and(|json| !json["error"].is_null());
            match String::from_utf8(body) {
                Ok(text) if json.is_some() && !refused => return Ok(text),
                _ if !refused => return Err(unanswered(request, Code::Unavailable, true, NOT_JSON)),
                _ => {}
            }
        }
        let refusal = Refusal::new(status, json.as_ref(), notices::wait(headers));
        notices::log_refusal(&request.action, request.trace, status, &refusal.class, headers);
        Err(refusal.of(request, self.credentials()))
    }

    fn no_answer(&self, request: &Request, error: reqwest::Error) -> Failure {
        let doubt = !error.is_connect();
        let what = if error.is_timeout() {
            format!("LiveChat did not answer within {:?}", self.timeout)
        } else if error.is_connect() {
            format!(
                "LiveChat could not be reached ({}); check livechat.base_url and the network",
                cause(error)
            )
        } else {
            format!("LiveChat did not answer ({})", cause(error))
        };
        unanswered(request, Code::Unavailable, doubt, &what)
    }

    /// By how many milliseconds LiveChat's clock is ahead of ours, to about a second; `None` before its first answer.
    pub(super) fn ahead_ms(&self) -> Option<i64> {
        Some(self.ahead_ms.load(Ordering::Relaxed)).filter(|ahead_ms| *ahead_ms != i64::MIN)
    }

    /// The data centre that is asked for all calls: of the config, of the token in it, or what LiveChat said.
    pub(super) fn region(&self) -> Option<String> {
        self.region.known()
    }

    /// The data centre that a token names which was issued to us.
    pub(super) async fn region_of_token(&self) -> Option<String> {
        self.tokens.header().await.ok()?.region
    }

    fn compare_clocks(&self, headers: &HeaderMap) {
        let date =
            header(headers, DATE.as_str()).and_then(|text| DateTimeParser::new().parse_timestamp(text).ok());
        if let Some(date) = date {
            let ahead_ms = date.as_millisecond() - Timestamp::now().as_millisecond();
            self.ahead_ms.store(ahead_ms, Ordering::Relaxed);
        }
    }
}

const NOT_JSON: &str = "the answer was a success without LiveChat's JSON; check livechat.base_url and what stands \
                        between this host and LiveChat";

fn too_long(request: &Request) -> Failure {
    let what = format!("the answer is longer than {} MiB", ANSWER_BYTES_MAX >> 20);
    unanswered(request, Code::Limit, true, &what)
}

/// The whole body, or `None` if it is longer than the limit.
pub(in crate::livechat) async fn up_to_limit(
    answer: &mut Response,
    bytes_max: usize,
) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > bytes_max {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// The base without a slash at its end.
pub(in crate::livechat) fn base(text: &str, reach: Reach) -> Result<String, SetupError> {
    let url = Url::parse(text).map_err(|_| SetupError::BaseUrl("is not a URL"))?;
    if !["http", "https"].contains(&url.scheme()) {
        return Err(SetupError::BaseUrl("is not an http or https URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(SetupError::BaseUrl(
            "holds credentials; they belong into livechat.account_id and livechat.token",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(SetupError::BaseUrl("holds a query or a fragment"));
    }
    reach.check_url(&url).map_err(|refused| SetupError::BaseUrl(refused.of_url()))?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}
