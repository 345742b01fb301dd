//! The transcript of a conversation as HTML.

use crate::conversation::Line;
use crate::text;

/// The longest name in a transcript, in characters.
const NAME: usize = 60;

/// A transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// The HTML.
    pub html: String,
    /// How many lines are in it whole.
    pub shown: usize,
}

/// As much of the transcript of `lines` as fits into `limit` UTF-16 units; the line that doesn't fit is
/// cut, those behind it are left out.
pub fn render(lines: &[&Line], limit: usize) -> Transcript {
    let mut html = String::new();
    let mut left = limit;
    for (shown, line) in lines.iter().enumerate() {
        let Some(room) = left.checked_sub(text::units(&head(line)) + text::units(TAIL)) else {
            return Transcript { html, shown };
        };
        let (words, whole) = text::html_within(&line.text, room);
        if !words.is_empty() || whole {
            let paragraph = format!("{}{words}{TAIL}", head(line));
            left -= text::units(&paragraph);
            html.push_str(&paragraph);
        }
        if !whole {
            return Transcript { html, shown };
        }
    }
    Transcript { html, shown: lines.len() }
}

const TAIL: &str = "</p>";

fn head(line: &Line) -> String {
    let time = line.at.map(|at| at.strftime("%H:%M ").to_string()).unwrap_or_default();
    let who = text::html(&text::one_line(&line.who, NAME));
    let internal = if line.internal { " (internal note)" } else { "" };
    format!("<p>{time}<strong>{who}</strong>{internal}: ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(at: &str, who: &str, text: &str, internal: bool) -> Line {
        Line { at: at.parse().ok(), who: who.to_owned(), text: text.to_owned(), internal }
    }

    #[track_caller]
    fn check(lines: &[Line], limit: usize, html: &str, shown: usize) {
        let lines: Vec<&Line> = lines.iter().collect();
        let transcript = render(&lines, limit);
        assert_eq!(transcript, Transcript { html: html.to_owned(), shown });
        assert!(text::units(&transcript.html) <= limit);
    }

    #[test]
    fn each_line_tells_when_who_and_what() {
        let lines = [
            line("2026-06-01T12:00:03.512000Z", "Dana", "where is\nmy <order>?", false),
            line("2026-06-01T14:01:00+02:00", "Kim", "lost it", true),
            line("", "Kim", "Sorry!", false),
        ];
        let html = "<p>12:00 <strong>Dana</strong>: where is<br>my &lt;order&gt;?</p>\
                    <p>12:01 <strong>Kim</strong> (internal note): lost it</p>\
                    <p><strong>Kim</strong>: Sorry!</p>";
        check(&lines, 65_536, html, 3);
        check(&[], 65_536, "", 0);
    }

    #[test]
    fn what_does_not_fit_is_cut() {
        let lines = [line("", "A", "one", false), line("", "A", "t&o", false), line("", "A", "three", false)];
        let one = "<p><strong>A</strong>: one</p>";
        check(&lines, one.len(), one, 1);
        check(&lines, one.len() - 1, "<p><strong>A</strong>: on</p>", 0);
        check(&lines, one.len() * 2, &format!("{one}<p><strong>A</strong>: t</p>"), 1);
        check(&lines, one.len() * 2 + 4, &format!("{one}<p><strong>A</strong>: t&amp;o</p>"), 2);
        check(&lines, 3, "", 0);
    }

    #[test]
    fn a_name_of_16_kb_takes_little_room() {
        let lines = [line("", &"<b>".repeat(5_461), "hi", false)];
        let transcript = render(&[&lines[0]], 65_536);
        assert!(text::units(&transcript.html) < 700, "{}", transcript.html);
        assert!(!transcript.html.contains("<b>"));
    }
}
