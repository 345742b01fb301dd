//! Why a webhook is refused.

use thiserror::Error;

use super::json::Object;
use super::{body, secrets};
use crate::event::types;

/// A webhook that is not accepted. Holds nothing that the sender chose but a number or two.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// The event type that the body claims, for counting: a known one, `other`, or `none`.
    pub action: &'static str,
}

/// Why a webhook is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Reason {
    /// The body is no JSON.
    #[error("the webhook's body is no JSON: {0}")]
    NotJson(String),
    /// The body nests deeper than this.
    #[error("the webhook's body nests deeper than {0} levels (livechat.webhooks.json_depth)")]
    TooDeep(usize),
    /// No webhook can be authenticated.
    #[error("no webhook secret is configured; set `secrets` under [livechat.webhooks]")]
    NoSecretConfigured,
    /// The body has the fields of none of the formats, and no signature.
    #[error("the webhook has the form of no known format, and no {} header", secrets::HEADER)]
    UnknownFormat,
    /// The format's secret is missing, or no text.
    #[error("the webhook carries no secret; register it again with one of the configured secrets")]
    MissingSecret,
    /// The secret is none of the configured ones.
    #[error("the webhook's secret is none of the configured ones; was it rotated?")]
    WrongSecret,
    /// The signature matches none of the configured secrets.
    #[error("the {} header matches the body under none of the configured secrets", secrets::HEADER)]
    WrongSignature,
    /// The body names another organization than the configured one.
    #[error("the webhook is of another organization than livechat.organization")]
    OtherOrganization,
}

impl Reason {
    /// All that [`Reason::word`] answers.
    pub const WORDS: [&str; 8] = [
        "not-json",
        "too-deep",
        "no-secret-configured",
        "unknown-format",
        "missing-secret",
        "wrong-secret",
        "wrong-signature",
        "other-organization",
    ];

    /// One word, for counting.
    pub fn word(&self) -> &'static str {
        match self {
            Reason::NotJson(_) => "not-json",
            Reason::TooDeep(_) => "too-deep",
            Reason::NoSecretConfigured => "no-secret-configured",
            Reason::UnknownFormat => "unknown-format",
            Reason::MissingSecret => "missing-secret",
            Reason::WrongSecret => "wrong-secret",
            Reason::WrongSignature => "wrong-signature",
            Reason::OtherOrganization => "other-organization",
        }
    }

    /// Whether the body itself is at fault (400), rather than its authentication (403).
    pub fn is_malformed(&self) -> bool {
        matches!(self, Reason::NotJson(_) | Reason::TooDeep(_))
    }
}

impl Refusal {
    pub(super) fn new(reason: Reason, body: &[u8], depth_max: usize) -> Refusal {
        let action = if reason.is_malformed() { "none" } else { claimed(body, depth_max) };
        Refusal { reason, action }
    }
}

/// The known name of the type that a refused body claims. Senders can't invent names for counters.
fn claimed(bytes: &[u8], depth_max: usize) -> &'static str {
    let Ok(text) = body::text(bytes, depth_max) else { return "none" };
    let Ok(object) = Object::parse(&text) else { return "none" };
    match object.text("action").or(object.text("event_type")) {
        None => "none",
        Some(name) => types::of_wire(&name).unwrap_or("other"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_all_reasons() {
        let all = [
            Reason::NotJson(String::new()),
            Reason::TooDeep(1),
            Reason::NoSecretConfigured,
            Reason::UnknownFormat,
            Reason::MissingSecret,
            Reason::WrongSecret,
            Reason::WrongSignature,
            Reason::OtherOrganization,
        ];
        assert_eq!(all.map(|reason| reason.word()), Reason::WORDS);
    }
}
