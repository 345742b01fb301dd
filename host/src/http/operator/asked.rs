//! What a request asks for, read strictly; and what is answered if it can't be done.

use axum::Json;
use axum::extract::Query;
use axum::extract::rejection::BytesRejection;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::event::types;
use crate::store::Error;

/// Entries of a listing, unless the caller asks for another number.
pub(super) const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 1_000;

/// Why a request gets no other answer: a code for programs, a sentence for people.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    message: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Problem {
        Problem { status, code, message: message.into() }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "invalid", message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not-found", message)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({ "error": { "code": self.code, "message": self.message } });
        let mut response = (self.status, Json(body)).into_response();
        match self.status {
            StatusCode::UNAUTHORIZED => {
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::TOO_MANY_REQUESTS => {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        match error {
            Error::Full => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "disk-full", error.to_string()),
            Error::Slow => {
                let text = "the store did not answer in time: narrow what is asked for, or look at the disk";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too-slow", text)
            }
            error => {
                tracing::error!(%error, "the store failed an operator's request");
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "store-failed", error.to_string())
            }
        }
    }
}

/// The query of an address; an unknown key is refused.
pub(super) fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    Query::try_from_uri(uri)
        .map(|Query(query)| query)
        .map_err(|rejection| Problem::invalid(rejection.body_text()))
}

/// The body of a request, if it could be read.
pub(super) type Body = Result<Bytes, BytesRejection>;

/// A JSON body; an unknown key is refused.
pub(super) fn body<T: DeserializeOwned>(body: Body) -> Result<T, Problem> {
    let bytes = body.map_err(|rejection| {
        let code = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => "too-large",
            _ => "invalid",
        };
        Problem::new(rejection.status(), code, format!("the body can't be read: {}", rejection.body_text()))
    })?;
    serde_json::from_slice(&bytes).map_err(|error| Problem::invalid(format!("the body: {error}")))
}

/// An id in a path.
pub(super) fn id<T: std::str::FromStr<Err = String>>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(Problem::invalid)
}

pub(super) fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    let limit = asked.unwrap_or(LIMIT_DEFAULT);
    match (1..=LIMIT_MAX).contains(&limit) {
        true => Ok(limit),
        false => Err(Problem::invalid(format!("`limit` is from 1 to {LIMIT_MAX}"))),
    }
}

/// An event type by its name or an older one.
pub(super) fn event_type(name: Option<String>) -> Result<Option<String>, Problem> {
    let resolve = |name: String| types::resolve_any(&name).map(str::to_owned).map_err(Problem::invalid);
    name.map(resolve).transpose()
}
