//! The read model of what was recorded of a delivery's runs.

use rusqlite::Row;
use serde::Serialize;
use serde_json::Value;

use super::{Error, Reader};
use crate::delivery::DeliveryId;
use crate::event::time::rfc3339;
use crate::journal::Answer;

/// So much of an answer is shown, characters.
const ANSWER_SHOWN: usize = 200;

/// A recorded host call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepView {
    /// Its number within the delivery.
    pub number: i64,
    /// `chats.send-note` and the like.
    pub function: String,
    /// `read`, `own`, `repeatable`, `keyed`, `looked-up` or `unknown`: what it does to make the call twice.
    pub kind: String,
    /// The author's name for it.
    pub once: Option<String>,
    /// What it is about, for people.
    pub about: String,
    /// `succeeded`, `failed`, `answered` (a read, or the plugin's own store), `unanswered` (it is simply made
    /// again) or `in doubt`.
    pub state: &'static str,
    /// When it began, RFC 3339.
    pub at: String,
    /// When its answer came, RFC 3339.
    pub answered_at: Option<String>,
    /// The beginning of what was answered, for people.
    pub answer: Option<String>,
    /// What an action asked for.
    pub request: Option<Value>,
}

impl Reader {
    /// The recorded host calls of a delivery, in order.
    ///
    /// # Errors
    /// See [`Error`].
    pub(super) fn steps(&self, id: DeliveryId) -> Result<Vec<StepView>, Error> {
        let mut select = self.connection.prepare_cached(
            "SELECT number, function, kind, once, about, answer, succeeded, at, answered_at, request
             FROM steps WHERE delivery = ?1 ORDER BY number",
        )?;
        Ok(select.query_map([id.0], step)?.collect::<rusqlite::Result<_>>()?)
    }
}

fn step(row: &Row<'_>) -> rusqlite::Result<StepView> {
    let (kind, answer, succeeded): (String, Option<String>, bool) = (row.get(2)?, row.get(5)?, row.get(6)?);
    let is_answered = row.get::<_, Option<i64>>(8)?.is_some();
    let request: Option<String> = row.get(9)?;
    Ok(StepView {
        number: row.get(0)?,
        function: row.get(1)?,
        once: row.get(3)?,
        about: row.get(4)?,
        state: match (&*kind, &answer) {
            ("read", None) if is_answered => "answered",
            ("keyed" | "looked-up" | "unknown", None) => "in doubt",
            (_, None) => "unanswered",
            ("read" | "own", Some(_)) => "answered",
            (_, Some(_)) if succeeded => "succeeded",
            (_, Some(_)) => "failed",
        },
        kind,
        at: rfc3339(row.get(7)?),
        answered_at: row.get::<_, Option<i64>>(8)?.map(rfc3339),
        answer: match &answer {
            // Of a read whose delivery has succeeded.
            None if is_answered => Some("(long, and not kept)".to_owned()),
            answer => answer.as_deref().map(shown),
        },
        request: request.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text))),
    })
}

/// An answer in the store, for people.
fn shown(answer: &str) -> String {
    let text = match Answer::from_json(answer) {
        Ok(answer) => answer.for_people(),
        Err(_) => answer.to_owned(),
    };
    match text.char_indices().nth(ANSWER_SHOWN) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::bytes::Bytes;
    use crate::action::http::Response;
    use crate::action::{Code, Error};

    #[test]
    fn an_answer_is_shown_so_that_people_can_read_it_and_not_longer_than_they_do() {
        let check = |answer: Answer, expected: &str| assert_eq!(shown(&answer.to_json()), expected);
        let response =
            |status, body: &[u8]| Answer::Http(Response { status, headers: vec![], body: body.to_vec() });
        check(Answer::Text("T1_2".to_owned()), "T1_2");
        check(Answer::Text(String::new()), "done");
        check(Answer::Done, "done");
        check(response(201, b"{\"id\":\"7\"}"), "HTTP 201 {\"id\":\"7\"}");
        check(response(204, b""), "HTTP 204");
        check(response(200, &[0xff, 0xfe]), "HTTP 200 with 2 bytes");
        check(Error::new(Code::Inactive, "the chat has ended").into(), "inactive: the chat has ended");
        check(Answer::Value(None), "nothing");
        check(Answer::Value(Some(Bytes(b"seen".to_vec()))), "seen");
        check(Answer::Keys(vec!["a".to_owned(), "b".to_owned()]), "a, b");
        check(Answer::Number(7), "7");
        check(Answer::Whether(false), "no");
        check(Answer::Text("ż".repeat(201)), &format!("{} …", "ż".repeat(200)));
        assert_eq!(shown("what another version wrote"), "what another version wrote");
    }
}
