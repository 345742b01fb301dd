//! What answers and failures say about the destination.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::action::http::{Request, Response};
use crate::action::retry_after::retry_after;
use crate::action::{Code, Error, Failure};
use crate::destination::Signal;

/// How long a plugin must be ready to wait for its impatience to count against the service.
const PATIENT_MS: u32 = 5_000;

/// What LiveChat's answer says of LiveChat.
pub(super) fn of_livechat<T>(answer: &Result<T, Failure>) -> Signal {
    match answer {
        Ok(_) => Signal::Well,
        // What the host refuses by itself got no turn: it is LiveChat that doesn't know it, or doesn't take it (404, 422).
        Err(Failure::Refused(Error { code: Code::Invalid | Code::NotFound | Code::Limit, .. })) => {
            Signal::Well
        }
        Err(failure) => of_failure(failure),
    }
}

/// What there is to know of a request to tell what its answer means.
pub(super) struct Asked {
    timeout_ms: Option<u32>,
    /// The same for what one plugin asks of one path.
    number: u64,
}

impl Asked {
    pub(super) fn of(plugin: &str, request: &Request) -> Asked {
        let Request { method, path, timeout_ms, .. } = request;
        let number = BuildHasherDefault::<DefaultHasher>::default().hash_one((plugin, method, path));
        Asked { timeout_ms: *timeout_ms, number }
    }
}

/// What a connection's answer says of it, to this request.
pub(super) fn of_connection(answer: &Result<Response, Failure>, asked: &Asked) -> Signal {
    match answer {
        Ok(response) => of_response(response, asked),
        Err(failure) => match of_failure(failure) {
            // The plugin didn't wait long enough to know.
            Signal::Failed(..) if asked.timeout_ms.is_some_and(|ms| ms < PATIENT_MS) => Signal::Nothing,
            signal => signal,
        },
    }
}

fn of_failure(failure: &Failure) -> Signal {
    let (Failure::Refused(error) | Failure::Doubt(error)) = failure else { return Signal::Nothing };
    let Error { code, message, retry_after_ms } = error;
    let wait = retry_after_ms.map(Duration::from_millis);
    match code {
        Code::RateLimited => Signal::Wait(wait),
        Code::Credentials => Signal::Refused(message.clone()),
        Code::Unavailable => Signal::Failed(message.clone(), wait),
        // The host says these too, and then nothing was asked.
        Code::Invalid | Code::NotFound | Code::Limit | Code::Unsupported => Signal::Nothing,
        Code::Denied | Code::Conflict | Code::Inactive | Code::Expired | Code::Other => Signal::Well,
    }
}

fn of_response(response: &Response, asked: &Asked) -> Signal {
    let wait = || {
        let (_, value) = response.headers.iter().find(|(name, _)| name == "retry-after")?;
        retry_after(value, Timestamp::now())
    };
    match response.status {
        401 => Signal::Refused("it answers HTTP 401".to_owned()),
        403 if names_scopes(response) => Signal::Well,
        // Mostly it is about a path, which one plugin may ask again and again.
        403 => Signal::Forbidden("it answers HTTP 403 to everything".to_owned(), asked.number),
        // HubSpot's 477: the account is being moved.
        429 | 477 => Signal::Wait(wait()),
        // These two are about the request.
        501 | 505 => Signal::Well,
        status @ (408 | 500..) => Signal::Failed(format!("HTTP {status}"), wait().filter(|_| status == 503)),
        _ => Signal::Well,
    }
}

/// HubSpot knows the token, and says what it may not do.
fn names_scopes(response: &Response) -> bool {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    body["category"] == "MISSING_SCOPES"
}
