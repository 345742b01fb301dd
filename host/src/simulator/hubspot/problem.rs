//! HubSpot's errors. Each field but the message may be missing, and some are.

use serde_json::{Value, json};

use super::RateLimitForm;
use crate::simulator::server::Reply;

/// Why a request is refused.
#[derive(Debug)]
pub(super) struct Problem {
    status: u16,
    category: Option<&'static str>,
    message: String,
    /// The nested error's code.
    code: Option<&'static str>,
    context: Option<Value>,
    /// For a 429: the policy's name.
    policy: Option<&'static str>,
}

impl Problem {
    pub(super) fn new(status: u16, category: Option<&'static str>, message: impl Into<String>) -> Problem {
        Problem { status, category, message: message.into(), code: None, context: None, policy: None }
    }

    /// A 400 with the code of the nested error.
    pub(super) fn invalid(code: &'static str, message: impl Into<String>) -> Problem {
        Problem { code: Some(code), ..Problem::new(400, Some("VALIDATION_ERROR"), message) }
    }

    pub(super) fn with_context(self, context: Value) -> Problem {
        Problem { context: Some(context), ..self }
    }

    /// Over the limit: `TEN_SECONDLY_ROLLING` or `SECONDLY`.
    pub(super) fn over(policy: &'static str) -> Problem {
        let message = format!("You have reached your {} limit.", policy.to_lowercase());
        Problem { policy: Some(policy), ..Problem::new(429, None, message) }
    }

    /// The problem behind a status that a fault asks for.
    pub(super) fn of_status(status: u16, operation: &str) -> Problem {
        match status {
            401 => Problem::new(401, Some("INVALID_AUTHENTICATION"), "Authentication credentials not found."),
            429 if operation == "contacts.search" => Problem::over("SECONDLY"),
            429 => Problem::over("TEN_SECONDLY_ROLLING"),
            503 => Problem::new(503, None, "Service unavailable"),
            _ => Problem::new(500, None, "internal error"),
        }
    }

    pub(super) fn reply(&self, form: RateLimitForm) -> Reply {
        let mut body = json!({
            "status": "error", "message": self.message,
            "correlationId": "0191e7c4-0000-7000-8000-000000000001",
        });
        if let Some(category) = self.category {
            body["category"] = json!(category);
        }
        if let Some(code) = self.code {
            body["errors"] = json!([{"message": self.message, "code": code}]);
        }
        if let Some(context) = &self.context {
            body["context"] = context.clone();
        }
        if let Some(policy) = self.policy {
            match form {
                RateLimitForm::ErrorType => body["errorType"] = json!("RATE_LIMIT"),
                RateLimitForm::Category => body["category"] = json!("RATE_LIMITS"),
            }
            body["policyName"] = json!(policy);
        }
        Reply::json(self.status, &body)
    }
}
