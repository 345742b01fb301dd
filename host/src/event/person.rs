//! A person who is to be forgotten, and how what is stored of them is recognised.

use serde_json::Value;

/// By what an operator names a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Person {
    /// By a chat: its id.
    Chat(String),
    /// By an e-mail address.
    Email(String),
}

impl Person {
    /// What a text is searched for.
    pub fn term(&self) -> &str {
        match self {
            Person::Chat(term) | Person::Email(term) => term,
        }
    }

    /// Whether a payload says that they are the customer of its chat: an object with their address that isn't an
    /// agent. Somebody who is only mentioned isn't.
    pub fn is_customer_in(&self, payload: &str) -> bool {
        let Person::Email(address) = self else { return false };
        serde_json::from_str(payload).is_ok_and(|payload: Value| has_customer(&payload, address))
    }
}

// As deep as a payload may nest; the parser has its own limit.
fn has_customer(value: &Value, address: &str) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| has_customer(item, address)),
        Value::Object(fields) => {
            let is = |field: &str, text: &str| {
                fields
                    .get(field)
                    .and_then(Value::as_str)
                    .is_some_and(|found| found.eq_ignore_ascii_case(text))
            };
            is("email", address) && !is("type", "agent")
                || fields.values().any(|field| has_customer(field, address))
        }
        _ => false,
    }
}

/// Whether a term stands in a text (in whichever case) as a word of its own: `C1` doesn't stand in `C10`.
pub fn mentions(text: &[u8], term: &str) -> bool {
    let term = term.as_bytes();
    let is_inside = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_alphanumeric);
    !term.is_empty()
        && text.windows(term.len()).enumerate().any(|(at, window)| {
            window.eq_ignore_ascii_case(term)
                && !is_inside(at.checked_sub(1))
                && !is_inside(Some(at + term.len()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_is_found_as_a_word() {
        let check = |text: &str, term: &str, found: bool| {
            assert_eq!(mentions(text.as_bytes(), term), found, "{term} in {text}");
        };
        check("seen/C1", "C1", true);
        check("C1", "C1", true);
        check("C10 and XC1", "C1", false);
        check("C10 or c1.", "C1", true);
        check("mail mary@example.com, please", "Mary@Example.com", true);
        check("rosemary@example.com", "mary@example.com", false);
        check("mary@example.company", "mary@example.com", false);
        check("anything", "", false);
        check("", "C1", false);
    }

    #[test]
    fn only_a_customer_owns_a_chat() {
        let check = |payload: &str, is_customer: bool| {
            let person = Person::Email("mary@example.com".to_owned());
            assert_eq!(person.is_customer_in(payload), is_customer, "{payload}");
        };
        check(r#"{"chat":{"users":[{"type":"customer","email":"Mary@example.com"}]}}"#, true);
        check(r#"{"visitor":{"name":"Mary","email":"mary@example.com"}}"#, true);
        check(r#"{"chat":{"users":[{"type":"agent","email":"mary@example.com"}]}}"#, false);
        check(r#"{"event":{"text":"ask mary@example.com"}}"#, false);
        check("no JSON", false);
        assert!(!Person::Chat("C1".to_owned()).is_customer_in(r#"{"email":"C1"}"#));
    }
}
