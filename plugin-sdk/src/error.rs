use std::fmt;

use crate::exported::bindings::chatplug::plugin::types;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What a program goes by.
    pub code: ErrorCode,
    /// What failed, on what, and what to do: for people.
    pub message: String,
    /// When the service asked not to be called again before, milliseconds from now.
    pub retry_after_ms: Option<u64>,
}

impl Error {
    /// An error without a time to wait.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Error { code, message: message.into(), retry_after_ms: None }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for Error {}

impl From<types::Error> for Error {
    fn from(error: types::Error) -> Self {
        Error {
            code: ErrorCode::parse(&error.code),
            message: error.message,
            retry_after_ms: error.retry_after_ms,
        }
    }
}

/// The kinds of [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorCode {
    /// Not granted by the operator, or not declared in the manifest.
    Denied,
    /// What was asked for does not exist.
    NotFound,
    /// The arguments are wrong, by the host's or the service's word.
    Invalid,
    /// It exists already, or changed meanwhile.
    Conflict,
    /// The chat is not active.
    Inactive,
    /// Too late to be useful.
    Expired,
    /// One of the host's limits.
    Limit,
    /// The service, or the host for its sake, asks to wait.
    RateLimited,
    /// The service did not answer, or not well.
    Unavailable,
    /// The account's API lacks it.
    Unsupported,
    /// Anything else.
    Other,
}

impl ErrorCode {
    const ALL: [ErrorCode; 11] = [
        ErrorCode::Denied,
        ErrorCode::NotFound,
        ErrorCode::Invalid,
        ErrorCode::Conflict,
        ErrorCode::Inactive,
        ErrorCode::Expired,
        ErrorCode::Limit,
        ErrorCode::RateLimited,
        ErrorCode::Unavailable,
        ErrorCode::Unsupported,
        ErrorCode::Other,
    ];

    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorCode::Denied => "denied",
            ErrorCode::NotFound => "not-found",
            ErrorCode::Invalid => "invalid",
            ErrorCode::Conflict => "conflict",
            ErrorCode::Inactive => "inactive",
            ErrorCode::Expired => "expired",
            ErrorCode::Limit => "limit",
            ErrorCode::RateLimited => "rate-limited",
            ErrorCode::Unavailable => "unavailable",
            ErrorCode::Unsupported => "unsupported",
            ErrorCode::Other => "other",
        }
    }

    fn parse(word: &str) -> Self {
        Self::ALL.into_iter().find(|code| code.as_str() == word).unwrap_or(ErrorCode::Other)
    }

    /// Whether it may pass by itself (`rate-limited`, `unavailable`, `other`), so that trying again may help.
    pub fn may_pass(self) -> bool {
        matches!(self, ErrorCode::RateLimited | ErrorCode::Unavailable | ErrorCode::Other)
    }
}

/// How an attempt failed. The plugin says whether to try again, the host says when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Trying again later may help. The text is the reason, for people.
    Retry(String),
    /// Trying again will not help: the delivery becomes a dead letter. The text is the reason, for people.
    Reject(String),
}

impl Failure {
    /// A [`Failure::Retry`].
    pub fn retry(reason: impl Into<String>) -> Self {
        Failure::Retry(reason.into())
    }

    /// A [`Failure::Reject`].
    pub fn reject(reason: impl Into<String>) -> Self {
        Failure::Reject(reason.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Retry(reason) | Failure::Reject(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Failure {}

/// What [may pass by itself](ErrorCode::may_pass) is tried again; the rest is not.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if error.code.may_pass() {
            Failure::Retry(error.to_string())
        } else {
            Failure::Reject(error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_its_own_word() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::parse(code.as_str()), code);
        }
    }

    #[test]
    fn an_unknown_code_counts_as_other() {
        assert_eq!(ErrorCode::parse("on-fire"), ErrorCode::Other);
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let again = ErrorCode::ALL
            .into_iter()
            .filter(|code| matches!(Failure::from(Error::new(*code, "x")), Failure::Retry(_)));
        let again: Vec<_> = again.collect();
        assert_eq!(again, [ErrorCode::RateLimited, ErrorCode::Unavailable, ErrorCode::Other]);
    }
}
