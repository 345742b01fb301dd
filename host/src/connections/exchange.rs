//! One request on its way: built, sent, its answer read up to the limit.

use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{Method, RequestBuilder, Url};

use super::route::Route;
use super::{Kind, TIMEOUT, headers, path};
use crate::action::http::{CUT_AT, Request, Response};
use crate::action::{Code, Error, Failure, Origin};
use crate::egress::cause;

const METHODS: [Method; 6] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// Headers that the host adds where the plugin has not set them.
#[derive(Default)]
pub(super) struct Added {
    /// `Idempotency-Key`: a second request with it is known to the service as the same one.
    key: Option<String>,
    /// `traceparent`, for services that are the operator's own: others have no use for it.
    trace: Option<String>,
}

impl Added {
    pub(super) fn new(route: &Route, origin: &Origin, key: Option<String>) -> Added {
        let trace = (route.kind() == Kind::Generic).then(|| origin.traceparent());
        Added { key, trace }
    }
}

/// Checks a plugin's request and adds what is the host's: URL, credential, and the headers that are `added`.
///
/// # Errors
/// `invalid`, saying what is wrong with the request.
pub(super) fn prepare(
    http: &reqwest::Client,
    route: &Route,
    request: &Request,
    added: Added,
) -> Result<RequestBuilder, Error> {
    let method = METHODS.into_iter().find(|method| method.as_str() == request.method).ok_or_else(|| {
        let method: String = request.method.chars().take(20).flat_map(char::escape_debug).collect();
        invalid(format!("`{method}` is not a method that is sent: GET, HEAD, POST, PUT, PATCH, DELETE"))
    })?;
    let mut headers = headers::checked(&request.headers, route.credential_name())?;
    if let Some(key) = added.key {
        let key = HeaderValue::from_str(&key)
            .map_err(|_| invalid("`once` holds a character that no Idempotency-Key may hold".to_owned()))?;
        headers.entry("idempotency-key").or_insert(key);
    }
    if let Some(trace) = added.trace.and_then(|trace| HeaderValue::from_str(&trace).ok()) {
        headers.entry("traceparent").or_insert(trace);
    }
    let timeout = timeout(request)?;
    let prepared = http.request(method, url(route, request)?).headers(headers).timeout(timeout);
    let prepared = route.prove(prepared);
    Ok(match &request.body {
        Some(body) => prepared.body(body.clone()),
        None => prepared,
    })
}

/// A GET of the base URL itself.
pub(super) fn get_base(http: &reqwest::Client, route: &Route) -> RequestBuilder {
    route.prove(http.get(route.url()).timeout(TIMEOUT))
}

/// What becomes of an answer that is longer than a plugin may get.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TooLong {
    /// It is an error: the plugin can ask for less.
    Refused,
    /// Its beginning counts: something was done, and the status says what came of it.
    Cut,
}

/// Sends and reads the whole answer, if it has at most so many bytes.
///
/// # Errors
/// `unavailable` without an answer, `limit` for one that is too long. Both leave in doubt what the service did,
/// unless it could not be reached at all.
pub(super) async fn fetch(
    route: &Route,
    prepared: RequestBuilder,
    (bytes_max, too_long): (usize, TooLong),
) -> Result<Response, Failure> {
    let mut answer = prepared.send().await.map_err(|error| no_answer(route, error))?;
    if route.is_secret_url() && answer.status().is_redirection() {
        // The answer may repeat the URL, which is the secret, in its headers or its body.
        let message = format!(
            "`{}` answered HTTP {} and points elsewhere; redirects are not followed: configure the URL that it points to",
            route.name(),
            answer.status().as_u16()
        );
        return Err(Error::new(Code::Invalid, message).into());
    }
    let mut response = Response {
        status: answer.status().as_u16(),
        headers: headers::shown(answer.headers(), route.credential_name(), route.known()),
        body: Vec::new(),
    };
    // The host alone says this.
    response.headers.retain(|(name, _)| name != CUT_AT);
    while let Some(chunk) = answer.chunk().await.map_err(|error| no_answer(route, error))? {
        if response.body.len() + chunk.len() > bytes_max {
            if too_long == TooLong::Cut {
                let room = bytes_max - response.body.len();
                response.body.extend_from_slice(&chunk[..room]);
                response.body = route.known().clean_cut(response.body);
                end_at_a_letter(&mut response.body);
                response.headers.push((CUT_AT.to_owned(), response.body.len().to_string()));
                return Ok(response);
            }
            let message = format!(
                "the answer of `{}` (HTTP {}) is longer than {bytes_max} bytes (limits.http_body_bytes): ask for less",
                route.name(),
                response.status
            );
            return Err(Failure::Doubt(Error::new(Code::Limit, message)));
        }
        response.body.extend_from_slice(&chunk);
    }
    response.body = route.known().clean(response.body);
    Ok(response)
}

/// What was cut within a letter is no text any more: without its beginning it is.
fn end_at_a_letter(body: &mut Vec<u8>) {
    if let Err(error) = std::str::from_utf8(body)
        && error.error_len().is_none()
    {
        body.truncate(error.valid_up_to());
    }
}

fn url(route: &Route, request: &Request) -> Result<Url, Error> {
    if !route.is_secret_url() {
        return path::below(&route.url(), &request.path, &request.query);
    }
    if !request.path.is_empty() || !request.query.is_empty() {
        return Err(invalid(format!(
            "the whole URL of `{}` is configured: path and query must be empty",
            route.name()
        )));
    }
    Ok(route.url())
}

fn timeout(request: &Request) -> Result<Duration, Error> {
    match request.timeout_ms {
        None => Ok(TIMEOUT),
        Some(0) => Err(invalid("a timeout of 0 ms leaves no time for an answer".to_owned())),
        Some(ms) => Ok(Duration::from_millis(ms.into()).min(TIMEOUT)),
    }
}

fn no_answer(route: &Route, error: reqwest::Error) -> Failure {
    let name = route.name();
    let was_sent = !error.is_connect();
    let message = if error.is_timeout() {
        format!("`{name}` did not answer in time")
    } else if error.is_connect() {
        let cause = cause(error);
        format!("`{name}` could not be reached ({cause}): check its URL and the network")
    } else {
        format!("`{name}` did not answer ({})", cause(error))
    };
    let error = Error::new(Code::Unavailable, message);
    if was_sent { Failure::Doubt(error) } else { Failure::Refused(error) }
}

fn invalid(message: String) -> Error {
    Error::new(Code::Invalid, message)
}
