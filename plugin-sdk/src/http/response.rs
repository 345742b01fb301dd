use serde::de::DeserializeOwned;

use crate::{Error, ErrorCode, json};

/// What a service answered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// A response without headers, for tests of what a plugin does with it.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Response { status, headers: Vec::new(), body: body.into() }
    }

    /// The first header of a name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.0 == name).map(|header| header.1.as_str())
    }

    /// The body as text; what isn't UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Reads the body as JSON.
    ///
    /// # Errors
    /// `invalid`, with the place.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        json::read("the service's answer", &self.text())
    }

    /// The same response if its status is 2xx.
    ///
    /// # Errors
    /// Else the error that the status means, so that `?` tries again what may pass: 429, 408 and 5xx.
    pub fn success(self) -> Result<Self, Error> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        let code = match self.status {
            401 | 403 => ErrorCode::Denied,
            404 | 410 => ErrorCode::NotFound,
            409 => ErrorCode::Conflict,
            429 => ErrorCode::RateLimited,
            408 | 423 | 500.. => ErrorCode::Unavailable,
            _ => ErrorCode::Invalid,
        };
        let excerpt: String = self.text().chars().take(EXCERPT_CHARS).collect();
        let message = format!("the service answered {}: {}", self.status, excerpt.escape_debug());
        Err(Error { code, message, retry_after_ms: self.retry_after_ms() })
    }

    fn retry_after_ms(&self) -> Option<u64> {
        let seconds: u64 = self.header("retry-after")?.trim().parse().ok()?;
        seconds.checked_mul(1000)
    }
}

const EXCERPT_CHARS: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Failure;

    fn check(status: u16, code: Option<ErrorCode>, again: bool) {
        let response =
            Response { status, headers: vec![("retry-after".into(), "3".into())], body: b"no".into() };
        let error = response.success().err();
        assert_eq!(error.as_ref().map(|error| error.code), code, "{status}");
        if let Some(error) = error {
            assert_eq!(error.retry_after_ms, Some(3000), "{status}");
            assert_eq!(matches!(Failure::from(error), Failure::Retry(_)), again, "{status}");
        }
    }

    #[test]
    fn a_status_becomes_an_error_that_says_whether_to_try_again() {
        check(200, None, false);
        check(204, None, false);
        check(301, Some(ErrorCode::Invalid), false);
        check(400, Some(ErrorCode::Invalid), false);
        check(401, Some(ErrorCode::Denied), false);
        check(404, Some(ErrorCode::NotFound), false);
        check(409, Some(ErrorCode::Conflict), false);
        check(429, Some(ErrorCode::RateLimited), true);
        check(503, Some(ErrorCode::Unavailable), true);
    }
}
