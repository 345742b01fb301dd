//! The answers of host calls as the journal keeps them: JSON text, so that operators can read it.

use serde::{Deserialize, Serialize};

use crate::action::bytes::Bytes;
use crate::action::http::Response;
use crate::action::memory;
use crate::action::{Code, Error};

/// What a host call answered to the plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// LiveChat's answer: JSON text, an id, or nothing.
    Text(String),
    /// The answer of a connection.
    Http(Response),
    /// A value of the plugin's memory, if there was one.
    Value(Option<Bytes>),
    /// Keys of the plugin's memory.
    Keys(Vec<String>),
    /// A number of the plugin's memory.
    Number(i64),
    /// Whether a claim or a swap was made.
    Whether(bool),
    /// Done, with nothing to tell.
    Done,
    /// The call failed.
    Failed {
        /// The contract's code.
        code: String,
        /// For people.
        message: String,
        /// When the service asked not to be called again before, milliseconds from then.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
}

impl Answer {
    /// The text in the store.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("every answer can be written as JSON")
    }

    /// The answer behind a text of the store.
    ///
    /// # Errors
    /// A text that no program of this schema wrote.
    pub fn from_json(text: &str) -> Result<Answer, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// Whether the call failed in a way that may pass by itself.
    pub fn is_failure_for_now(&self) -> bool {
        match self {
            Answer::Http(Response { status, .. }) => matches!(status, 408 | 423 | 429 | 500..),
            Answer::Failed { code, .. } => {
                matches!(Code::parse(code), Code::RateLimited | Code::Unavailable | Code::Other)
            }
            _ => false,
        }
    }

    /// The answer as one line for people, however long it is.
    pub fn for_people(&self) -> String {
        let text = |bytes: &[u8]| match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => format!("with {} bytes", bytes.len()),
        };
        match self {
            Answer::Text(text) if !text.is_empty() => text.clone(),
            Answer::Text(_) | Answer::Done => "done".to_owned(),
            Answer::Http(Response { status, body, .. }) => {
                format!("HTTP {status} {}", text(body)).trim_end().to_owned()
            }
            Answer::Value(Some(Bytes(value))) => text(value),
            Answer::Value(None) => "nothing".to_owned(),
            Answer::Keys(keys) => keys.join(", "),
            Answer::Number(number) => number.to_string(),
            Answer::Whether(true) => "yes".to_owned(),
            Answer::Whether(false) => "no".to_owned(),
            Answer::Failed { code, message, .. } => format!("{code}: {message}"),
        }
    }

    /// About how long [`Answer::to_json`] is.
    pub fn bytes(&self) -> usize {
        match self {
            Answer::Text(text) => text.len(),
            Answer::Http(response) => response.body.len() + 64 * response.headers.len(),
            Answer::Value(value) => value.as_ref().map_or(0, |value| value.0.len()),
            Answer::Keys(keys) => keys.iter().map(String::len).sum(),
            Answer::Failed { message, .. } => message.len(),
            Answer::Number(_) | Answer::Whether(_) | Answer::Done => 8,
        }
    }

    /// The answer to a call of the plugin's memory, or the failure of any call.
    pub fn into_memory(self) -> Result<memory::Answer, Error> {
        match self {
            Answer::Value(value) => Ok(memory::Answer::Value(value.map(|value| value.0))),
            Answer::Keys(keys) => Ok(memory::Answer::Keys(keys)),
            Answer::Number(number) => Ok(memory::Answer::Number(number)),
            Answer::Whether(whether) => Ok(memory::Answer::Whether(whether)),
            Answer::Done => Ok(memory::Answer::Done),
            other => Err(other.into_error()),
        }
    }

    /// The answer of LiveChat.
    pub fn into_text(self) -> Result<String, Error> {
        match self {
            Answer::Text(text) => Ok(text),
            // What an operator says of a held action has no answer of the service's.
            Answer::Done => Ok(String::new()),
            other => Err(other.into_error()),
        }
    }

    /// The answer of a connection.
    pub fn into_response(self) -> Result<Response, Error> {
        match self {
            Answer::Http(response) => Ok(response),
            Answer::Done => Ok(Response { status: 200, headers: Vec::new(), body: Vec::new() }),
            other => Err(other.into_error()),
        }
    }

    fn into_error(self) -> Error {
        match self {
            Answer::Failed { code, message, retry_after_ms } => {
                Error { code: Code::parse(&code), message, retry_after_ms }
            }
            _ => Error::new(Code::Other, "the journal holds an answer of another kind"),
        }
    }
}

impl From<Error> for Answer {
    fn from(error: Error) -> Answer {
        let Error { code, message, retry_after_ms } = error;
        Answer::Failed { code: code.as_str().to_owned(), message, retry_after_ms }
    }
}

impl From<memory::Answer> for Answer {
    fn from(answer: memory::Answer) -> Answer {
        match answer {
            memory::Answer::Value(value) => Answer::Value(value.map(Bytes)),
            memory::Answer::Keys(keys) => Answer::Keys(keys),
            memory::Answer::Done => Answer::Done,
            memory::Answer::Number(number) => Answer::Number(number),
            memory::Answer::Whether(whether) => Answer::Whether(whether),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_survives_being_written_down() {
        let response = |body: &[u8]| {
            let headers = vec![("content-type".to_owned(), "text/plain".to_owned())];
            Answer::Http(Response { status: 201, headers, body: body.to_vec() })
        };
        let failed = Error { code: Code::RateLimited, message: "slow".into(), retry_after_ms: Some(5) };
        let answers = [
            Answer::Text("{\"id\":1}".into()),
            response(b"plain"),
            response(&[0xff, 0, 1]),
            Answer::Value(None),
            Answer::Value(Some(Bytes(vec![0x80]))),
            Answer::Keys(vec!["a".into()]),
            Answer::Number(-3),
            Answer::Whether(true),
            Answer::Done,
            Answer::from(failed),
        ];
        for answer in answers {
            let text = answer.to_json();
            assert_eq!(Answer::from_json(&text).expect("what was written can be read"), answer, "{text}");
        }
    }

    #[test]
    fn what_an_operator_says_was_sent_is_an_empty_success() {
        assert_eq!(Answer::Done.into_text(), Ok(String::new()));
        assert_eq!(Answer::Done.into_response().map(|response| response.status), Ok(200));
    }

    #[test]
    fn an_answer_of_another_kind_is_an_error() {
        assert_eq!(Answer::Number(1).into_text().expect_err("no text").code, Code::Other);
        let failed = Answer::from(Error::new(Code::Inactive, "gone"));
        assert_eq!(failed.into_response().expect_err("failed").code, Code::Inactive);
    }
}
