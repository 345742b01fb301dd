//! The platform's errors. Statuses are those that callers of the live API have seen; the documentation
//! gives none.

use serde_json::{Value, json};

use super::super::server::Reply;

/// Why the API refuses a call.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) message: String,
    /// The error's `data`.
    data: Option<Value>,
}

impl Refusal {
    pub(super) fn new(status: u16, kind: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { status, kind, message: message.into(), data: None }
    }

    pub(super) fn authentication() -> Refusal {
        Refusal::new(401, "authentication", "Authentication error")
    }

    pub(super) fn authorization(message: impl Into<String>) -> Refusal {
        Refusal::new(403, "authorization", message)
    }

    pub(super) fn outsider() -> Refusal {
        Refusal::authorization("Requester is not user of the chat")
    }

    pub(super) fn validation(message: impl Into<String>) -> Refusal {
        Refusal::new(422, "validation", message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Refusal {
        Refusal::new(404, "not_found", message)
    }

    pub(super) fn inactive(kind: &'static str) -> Refusal {
        Refusal::new(422, kind, "Chat not active")
    }

    /// The account is in another data centre than the one that was asked for.
    pub(super) fn misdirected(region: &str) -> Refusal {
        let refusal = Refusal::new(421, "misdirected_request", "Wrong region");
        Refusal { data: Some(json!({"region": region})), ..refusal }
    }

    /// The error that stands behind a status which a fault asks for.
    pub(super) fn of_status(status: u16) -> Refusal {
        match status {
            401 => Refusal::authentication(),
            429 => Refusal::new(429, "too_many_requests", "Too many requests"),
            503 => Refusal::new(503, "service_unavailable", "Service unavailable"),
            _ => Refusal::new(500, "internal", "Internal server error"),
        }
    }

    pub(super) fn reply(&self) -> Reply {
        let mut body = json!({"error": {"type": self.kind, "message": self.message}});
        if let Some(data) = &self.data {
            body["error"]["data"] = data.clone();
        }
        let reply = Reply::json(self.status, &body);
        if self.status >= 500 { reply.with("x-debug-id", "simulated") } else { reply }
    }
}
