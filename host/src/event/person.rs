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

/// The longest address that mail can be sent to, and longer than any id of a chat, bytes.
const NAME_BYTES_MAX: usize = 254;

impl Person {
    /// The person of a chat with this id.
    ///
    /// # Errors
    /// If it can't be the id of a chat.
    pub fn of_chat(id: &str) -> Result<Person, String> {
        match is_name(id) {
            true => Ok(Person::Chat(id.to_owned())),
            false => Err(format!("`{}` is no id of a chat: write one such as PJ0MRSHTDG", shortened(id))),
        }
    }

    /// The person with this e-mail address.
    ///
    /// # Errors
    /// If it isn't a whole address: what contains a part of one is somebody else's, too.
    pub fn with_email(address: &str) -> Result<Person, String> {
        let has_sides = address
            .split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
        match has_sides && is_name(address) {
            true => Ok(Person::Email(address.to_owned())),
            false => Err(format!(
                "`{}` is no e-mail address: write one such as mary@example.com",
                shortened(address)
            )),
        }
    }

    /// Whether texts can be searched for it although the store knows of nobody with this name: another word, or a number,
    /// that is the same is out of the question.
    pub fn is_unmistakable(&self) -> bool {
        const CHAT_CHARACTERS_MIN: usize = 8;
        let Person::Chat(id) = self else { return true };
        id.len() >= CHAT_CHARACTERS_MIN
            && id.bytes().all(|c| c.is_ascii_alphanumeric())
            && id.bytes().any(|c| c.is_ascii_digit())
            && id.bytes().any(|c| c.is_ascii_alphabetic())
    }

    /// What a text is searched for.
    pub fn term(&self) -> &str {
        match self {
            Person::Chat(term) | Person::Email(term) => term,
        }
    }

    /// What texts are searched for, in lower case: as it is, and as it stands in an address on the web.
    pub fn terms(&self) -> Vec<String> {
        let term = self.term().to_ascii_lowercase();
        let encoded = |c: u8| match c {
            b'.' | b'-' | b'_' | b'~' => char::from(c).to_string(),
            c if c.is_ascii_alphanumeric() => char::from(c).to_string(),
            c => format!("%{c:02x}"),
        };
        let mut terms = vec![term.clone(), term.replace('@', "%40"), term.bytes().map(encoded).collect()];
        terms.dedup();
        terms
    }

    /// Whether an answer shows a chat (an object with its id) and says that they are its customer. Answers show other
    /// chats, too.
    pub fn is_customer_of(&self, chat: &str, answer: &str) -> bool {
        let Person::Email(address) = self else { return false };
        serde_json::from_str(answer)
            .is_ok_and(|answer: Value| chats(&answer, chat).any(|chat| has_customer(chat, address)))
    }

    /// Whether a payload says that they are the customer of its chat: an object with their address that isn't an
    /// agent. Somebody who is only mentioned isn't.
    pub fn is_customer_in(&self, payload: &str) -> bool {
        let Person::Email(address) = self else { return false };
        serde_json::from_str(payload).is_ok_and(|payload: Value| has_customer(&payload, address))
    }
}

fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len())
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// The beginning of what was written, for a message.
fn shortened(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_debug).collect()
}

/// The objects in a value that have this id.
fn chats<'a>(value: &'a Value, id: &'a str) -> Box<dyn Iterator<Item = &'a Value> + 'a> {
    match value {
        Value::Array(items) => Box::new(items.iter().flat_map(move |item| chats(item, id))),
        Value::Object(fields) if fields.get("id").and_then(Value::as_str) == Some(id) => {
            Box::new(std::iter::once(value))
        }
        Value::Object(fields) => Box::new(fields.values().flat_map(move |field| chats(field, id))),
        _ => Box::new(std::iter::empty()),
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

/// Whether a term stands in a text (in whichever case) as a word of its own: `C1` doesn't stand in `C10`, nor
/// `smith@example.com` in `j.smith@example.com`.
pub fn mentions(text: &[u8], term: &str) -> bool {
    let is_encoded = term.contains("%40");
    let is_address = term.contains('@') || is_encoded;
    let term = term.as_bytes();
    !term.is_empty()
        && text.windows(term.len()).enumerate().any(|(at, window)| {
            window.eq_ignore_ascii_case(term)
                // In the address of a page or a form a bare plus is a space.
                && ((is_encoded && text[..at].ends_with(b"+")) || !begins_earlier(&text[..at], is_address))
                && !goes_on(&text[at + term.len()..], is_address)
        })
}

/// What joins parts of an address before the `@`. Others may stand there too, such as `=` and `/`: those are more often
/// between an address and what it has nothing to do with.
const JOINTS: &[u8] = b".-_+%&'~";

/// Whether a word has begun in what stands before.
fn begins_earlier(mut before: &[u8], is_address: bool) -> bool {
    while let Some((last, rest)) = last_character(before) {
        match is_address && JOINTS.contains(&last) {
            true => before = rest,
            false => return last.is_ascii_alphanumeric(),
        }
    }
    false
}

/// Whether a word goes on in what stands behind. A full stop may end a sentence.
fn goes_on(behind: &[u8], is_address: bool) -> bool {
    match behind {
        [b'.' | b'-', next, ..] if is_address => next.is_ascii_alphanumeric(),
        [next, ..] => next.is_ascii_alphanumeric(),
        [] => false,
    }
}

/// The last character of a text, and what stands before it. It may be written as several, as in JSON (a line break is `\n`)
/// or in an address on the web (a plus is `%2b`). Nobody writes letters and digits like that: what looks so is something
/// else, and parts words.
fn last_character(text: &[u8]) -> Option<(u8, &[u8])> {
    let written = |digits: &[u8]| {
        let code = std::str::from_utf8(digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok());
        code.filter(|code| JOINTS.contains(code)).unwrap_or(b' ')
    };
    let is_hex = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
    match text {
        [rest @ .., b'\\', b'n' | b't' | b'r' | b'b' | b'f'] => Some((b' ', rest)),
        [rest @ .., b'\\', b'u', a, b, c, d] if is_hex(&[*a, *b, *c, *d]) => {
            Some((written(&[*a, *b, *c, *d]), rest))
        }
        [rest @ .., b'%', high, low] if is_hex(&[*high, *low]) => Some((written(&[*high, *low]), rest)),
        [rest @ .., last] => Some((*last, rest)),
        [] => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_named_by_a_whole_address_or_an_id() {
        let check_email = |address: &str, expected: bool| {
            assert_eq!(Person::with_email(address).is_ok(), expected, "{address}");
        };
        check_email("mary@example.com", true);
        check_email("m+x@e", true);
        for text in [
            "",
            "mary",
            "@",
            "mary@",
            "@example.com",
            "a@b@c",
            "mary smith@example.com",
            "mary@example.com\n",
        ] {
            check_email(text, false);
        }
        check_email(&format!("{}@example.com", "m".repeat(242)), true);
        check_email(&format!("{}@example.com", "m".repeat(243)), false);
        assert_eq!(Person::of_chat("C1"), Ok(Person::Chat("C1".to_owned())));
        for text in ["", " ", "C1 C2", &"C".repeat(255)] {
            assert!(Person::of_chat(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_id_that_could_be_a_word_or_a_number_is_not_unmistakable() {
        let check = |id: &str, expected: bool| {
            assert_eq!(Person::Chat(id.to_owned()).is_unmistakable(), expected, "{id}");
        };
        check("PJ0MRSHTDG", true);
        check("C1", false);
        check("PASSWORDS", false);
        check("1780000000", false);
        check("PJ0MR-HTDG", false);
        assert!(Person::Email("m@e".to_owned()).is_unmistakable());
    }

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
        check(r"call\nmary@example.com", "mary@example.com", true);
        check(r"call\\nmary@example.com", "mary@example.com", true);
        check(r"call\u000amary@example.com", "mary@example.com", true);
        check("?to=%3Cmary@example.com", "mary@example.com", true);
        check(r"rose\mary@example.com", "mary@example.com", true);
        check("nmary@example.com", "mary@example.com", false);
        check("seen-C1_x and C1-2", "C1", true);
    }

    #[test]
    fn an_address_is_not_found_in_a_longer_one() {
        let check = |text: &str, found: bool| {
            assert_eq!(mentions(text.as_bytes(), "smith@example.com"), found, "{text}");
            let encoded = text.replace('@', "%40");
            assert_eq!(mentions(encoded.as_bytes(), "smith%40example.com"), found, "{encoded}");
        };
        assert!(mentions(b"q=from+smith%40example.com", "smith%40example.com"));
        assert!(!mentions(b"to j+smith@example.com", "smith@example.com"));
        for joint in [".", "_", "-", "%", "'", "&", "~", "%2b", "%2B", r"\u002b", "--"] {
            check(&format!("to j{joint}smith@example.com"), false);
            check(&format!("j{joint}smith@example.com smith@example.com"), true);
        }
        for begin in [
            "<", "=", "/", ":", "'", "...", "- ", r"\n", r"\n-", "%3C", "%2f", r"\u003c", "mailto:", "|",
            "j=",
        ] {
            check(&format!("{begin}smith@example.com"), true);
        }
        for end in
            ["", ".", ". Thanks", ".\n", r".\n", ", and", ">", "%3E", "-", " - call", "...", "--thanks", "_"]
        {
            check(&format!("smith@example.com{end}"), true);
        }
        for end in [".au", "-mail.de", "x", ".2go"] {
            check(&format!("smith@example.com{end}"), false);
        }
    }

    #[test]
    fn an_address_is_found_as_it_stands_on_the_web() {
        let check = |address: &str, expected: &[&str]| {
            assert_eq!(Person::Email(address.to_owned()).terms(), expected, "{address}");
        };
        check("Mary@example.com", &["mary@example.com", "mary%40example.com"]);
        check("m+x@e.com", &["m+x@e.com", "m+x%40e.com", "m%2bx%40e.com"]);
    }

    #[test]
    fn an_answer_tells_whose_customer_somebody_is() {
        let check = |answer: &str, is_customer: bool| {
            let person = Person::Email("mary@example.com".to_owned());
            assert_eq!(person.is_customer_of("C1", answer), is_customer, "{answer}");
        };
        check(r#"{"id":"C1","users":[{"type":"customer","email":"Mary@example.com"}]}"#, true);
        check(r#"{"chats":[{"id":"C1","users":[{"type":"customer","email":"mary@example.com"}]}]}"#, true);
        check(r#"{"id":"C2","users":[{"type":"customer","email":"mary@example.com"}]}"#, false);
        check(r#"{"id":"C1","users":[{"type":"agent","email":"mary@example.com"}]}"#, false);
        check(r#"{"chats":[{"id":"C1"},{"id":"C2","users":[{"email":"mary@example.com"}]}]}"#, false);
        check("", false);
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
