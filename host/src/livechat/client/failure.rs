//! What LiveChat's refusals mean. Goes by the error's type first, by the HTTP status second: the platform
//! doesn't document which status comes with which type, and what stands in front of it answers without types.

use std::time::Duration;

use serde_json::Value;

use super::credentials::Credentials;
use super::region::is_region;
use super::request::Request;
use crate::action::{self, Code, Error};

/// How much of LiveChat's own words is repeated, characters.
const WORDS_MAX: usize = 300;

/// What to do where both data centres name the other one.
pub(super) const MISDIRECTED: &str = "set livechat.region to the account's data centre, `dal` or `fra`";
/// What to do about an answer that LiveChat doesn't give.
pub(super) const NOT_LIVECHATS: &str =
    "the answer is not LiveChat's: check livechat.base_url and what stands in between";

/// A call that failed.
#[derive(Debug)]
pub(super) struct Failure {
    /// What the plugin gets to see.
    pub(super) error: Error,
    /// Whether LiveChat may have done what it was asked.
    pub(super) doubt: bool,
    /// Whether our user's absence from the chat can be the cause.
    pub(super) outsider: Outsider,
    /// Whether LiveChat knows us, and only refuses this.
    pub(super) known: bool,
    /// The region to ask instead.
    pub(super) region: Option<String>,
}

/// Whether a call failed because our user isn't in the chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outsider {
    /// Certainly not.
    No,
    /// The error's type is the same for that and for a token without the scope.
    Perhaps,
    /// LiveChat says so.
    Yes,
}

/// An error as LiveChat answers it: HTTP status, and the parts of its error object as far as there are any.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// `error.type` in lower case; empty if the answer wasn't LiveChat's.
    pub(super) class: String,
    /// `error.message`.
    pub(super) words: String,
    pub(super) region: Option<String>,
    pub(super) retry_after: Option<Duration>,
}

impl Refusal {
    /// The refusal in an answer; `body` is `None` if the answer was no JSON.
    pub(super) fn new(status: u16, body: Option<&Value>, retry_after: Option<Duration>) -> Refusal {
        let error = body.and_then(|body| body.get("error")).unwrap_or(&Value::Null);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let region = text(&error["data"]["region"]);
        Refusal {
            status,
            class: text(&error["type"]).to_ascii_lowercase(),
            words: quotable(&text(&error["message"])),
            region: Some(region).filter(|region| is_region(region)),
            retry_after,
        }
    }

    /// The failure of `request`, told so that one knows what to check.
    pub(super) fn of(self, request: &Request, credentials: &Credentials) -> Failure {
        let code = self.code();
        let said = self.said();
        let Request { action, subject, .. } = request;
        let advice = self.advice(code, request, credentials);
        let message = match advice.as_str() {
            "" => format!("{action} on {subject} failed: {said}"),
            advice => format!("{action} on {subject} failed: {said}; {advice}"),
        };
        let retry_after_ms =
            self.retry_after.filter(|_| may_come_back(code)).map(|wait| wait.as_millis() as u64);
        Failure {
            error: Error { code, message, retry_after_ms },
            doubt: self.status == 408 || self.status >= 500 || code == Code::Unavailable,
            outsider: self.outsider(),
            known: self.lacks_access(),
            region: self.elsewhere().map(str::to_owned),
        }
    }

    /// What LiveChat says, for people.
    pub(super) fn said(&self) -> String {
        match (self.class.as_str(), self.words.as_str()) {
            ("", "") => format!("LiveChat answered HTTP {} without saying why", self.status),
            ("", words) => format!("LiveChat answered HTTP {}: {words}", self.status),
            (class, "") => format!("LiveChat says `{}`", quotable(class)),
            (class, words) => format!("LiveChat says `{}`: {words}", quotable(class)),
        }
    }

    /// The data centre to ask instead.
    pub(super) fn elsewhere(&self) -> Option<&str> {
        self.region.as_deref().filter(|_| self.class == "misdirected_request")
    }

    /// What it is to a plugin.
    pub(super) fn code(&self) -> Code {
        match self.class.as_str() {
            "chat_inactive" => Code::Inactive,
            "authentication" | "requester_suspended" | "license_expired" | "license_not_found" => {
                Code::Credentials
            }
            "authorization" | "missing_access" | "not_allowed" | "customer_banned" => Code::Denied,
            "not_found" | "group_not_found" => Code::NotFound,
            "already_exists" | "agent_offline" | "groups_offline" | "chat_anonymized" => Code::Conflict,
            "limit_reached" => Code::Limit,
            "entity_too_large" => Code::Invalid,
            "too_many_requests" => Code::RateLimited,
            "internal" | "service_unavailable" | "request_timeout" => Code::Unavailable,
            "unsupported_version" | "wrong_product_version" => Code::Unsupported,
            "misdirected_request" | "ownership_transfer" => Code::Other,
            "validation" => self.code_by_words().unwrap_or(Code::Invalid),
            _ => self.code_by_words().unwrap_or_else(|| code_by_status(self.status)),
        }
    }

    /// Some conditions come as `validation` and can only be told by their words.
    fn code_by_words(&self) -> Option<Code> {
        let words = self.words.to_ascii_lowercase();
        let says = |phrase| words.contains(phrase);
        if says("chat not active") || says("chat is not active") || says("no active chat thread") {
            Some(Code::Inactive)
        } else if says("limit reached") {
            Some(Code::Limit)
        } else {
            None
        }
    }

    fn outsider(&self) -> Outsider {
        if self.words.to_ascii_lowercase().contains("requester is not user of the chat") {
            return Outsider::Yes;
        }
        let untyped = self.class.is_empty() && self.status == 403;
        if untyped || self.lacks_access() { Outsider::Perhaps } else { Outsider::No }
    }

    fn lacks_access(&self) -> bool {
        matches!(self.class.as_str(), "authorization" | "missing_access")
    }

    fn advice(&self, code: Code, request: &Request, credentials: &Credentials) -> String {
        match self.class.as_str() {
            "authentication" => credentials.advice().to_owned(),
            "license_expired" | "license_not_found" => "check the account's LiveChat subscription".to_owned(),
            "agent_offline" | "groups_offline" => "nobody who could take the chat is available".to_owned(),
            "misdirected_request" => MISDIRECTED.to_owned(),
            "" if self.status == 401 => credentials.advice().to_owned(),
            "" if self.words.is_empty() && !may_come_back(code) => NOT_LIVECHATS.to_owned(),
            _ if code == Code::Denied => format!(
                "check that the token has the scope {} and that its agent may do this there",
                request.scope
            ),
            _ => String::new(),
        }
    }
}

impl Failure {
    /// A failure of a request that was never sent, or that only read.
    pub(super) fn refused(error: Error) -> Failure {
        Failure { error, doubt: false, outsider: Outsider::No, known: false, region: None }
    }
}

impl From<Failure> for action::Failure {
    fn from(failure: Failure) -> action::Failure {
        match failure {
            Failure { doubt: true, error, .. } => action::Failure::Doubt(error),
            Failure { error, .. } => action::Failure::Refused(error),
        }
    }
}

/// A failure without an answer from LiveChat. `doubt`: the request may have reached it.
pub(super) fn unanswered(request: &Request, code: Code, doubt: bool, what: &str) -> Failure {
    let Request { action, subject, .. } = request;
    Failure {
        error: Error::new(code, format!("{action} on {subject} failed: {what}")),
        doubt,
        outsider: Outsider::No,
        known: false,
        region: None,
    }
}

fn code_by_status(status: u16) -> Code {
    match status {
        401 => Code::Credentials,
        403 => Code::Denied,
        404 | 410 => Code::NotFound,
        408 | 500.. => Code::Unavailable,
        409 => Code::Conflict,
        429 => Code::RateLimited,
        400..500 => Code::Invalid,
        _ => Code::Other,
    }
}

/// Whether waiting helps.
pub(super) fn may_come_back(code: Code) -> bool {
    matches!(code, Code::RateLimited | Code::Unavailable)
}

fn quotable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(WORDS_MAX).collect()
}
