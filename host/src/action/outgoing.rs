//! An action as it goes out, whole: it can be done again, looked up, and shown.

use serde::{Deserialize, Serialize};

use super::{http, livechat};
use crate::grant::Asked;

/// A call to a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outgoing {
    /// To the LiveChat API.
    Livechat(livechat::Call),
    /// To a connection.
    Http(http::Request),
}

impl Outgoing {
    /// The capability that it takes.
    pub fn function(&self) -> String {
        self.asked().capability.into_owned()
    }

    /// The call as grants see it.
    pub fn asked(&self) -> Asked<'_> {
        match self {
            Outgoing::Livechat(call) => call.asked(),
            Outgoing::Http(request) => request.asked(),
        }
    }

    /// What it is done to, for people.
    pub fn about(&self) -> String {
        match self {
            Outgoing::Livechat(call) => call.about(),
            Outgoing::Http(request) => format!("{} {}", request.method, request.path),
        }
    }

    /// The text in the journal.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("every call can be written as JSON")
    }

    /// The call behind a text of the journal.
    ///
    /// # Errors
    /// A text that no program of this schema wrote.
    pub fn from_json(text: &str) -> Result<Outgoing, serde_json::Error> {
        serde_json::from_str(text)
    }
}
