//! Text for terminals. What came from outside (chat text, names, answers of services) may hold sequences
//! that move the cursor, change the title or reverse the direction of writing; nobody prints it unescaped.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;

/// The text on one line, with everything escaped that a terminal would act on.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            c if is_acted_on(c) => escaped.extend(c.escape_unicode()),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Writes a value as one JSON document that is safe to show on a terminal.
///
/// # Errors
/// Those of the output.
pub fn json(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    let document = serde_json::to_string_pretty(value)?;
    let mut escaped = String::with_capacity(document.len());
    for c in document.chars() {
        // The line breaks are the document's own: those inside its strings are escaped already.
        if c == '\n' || !is_acted_on(c) {
            escaped.push(c);
        } else {
            write!(escaped, "\\u{:04x}", u32::from(c)).expect("a String takes any text");
        }
    }
    writeln!(out, "{escaped}")
}

// Control characters (C0, DEL, C1), line separators, and the characters that change the direction of writing.
// All are below U+10000, so that JSON writes each as one `\uXXXX`.
fn is_acted_on(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, escaped: &str) {
        assert_eq!(escape(text), escaped);
    }

    #[test]
    fn what_a_terminal_acts_on_is_escaped() {
        check("plain żółć 👩‍💻", "plain żółć 👩‍💻");
        check("\u{1b}[2J\u{1b}]0;title\u{7}", "\\u{1b}[2J\\u{1b}]0;title\\u{7}");
        check("two\nlines\r\tand a tab", "two\\nlines\\r\\tand a tab");
        check("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}");
        check("\u{202e}gnp.exe\u{2066}", "\\u{202e}gnp.exe\\u{2066}");
    }

    #[test]
    fn json_keeps_its_meaning_and_is_safe_to_show() {
        let value = "\u{1b}[2J\u{9b}\u{202e}\n\u{7f}ż";
        let mut out = Vec::new();
        json(&mut out, &[value]).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.chars().all(|c| c == '\n' || !is_acted_on(c)), "{text:?}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), [value]);
    }
}
