//! Foreign text made harmless: one line, no controls, no markup of Slack's, no longer than allowed.

/// One line without control characters and without characters that turn or hide what stands around them.
pub(crate) fn one_line(text: &str) -> String {
    let spaced: String =
        text.chars().map(|c| if c.is_control() || is_line_break(c) { ' ' } else { c }).collect();
    let visible: String = spaced.chars().filter(|c| !is_invisible(*c)).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text for Slack: one line, `&`, `<` and `>` escaped (so that nothing in it is a mention or a link), cut to
/// `max` UTF-16 units, never within an escape.
pub(crate) fn for_slack(text: &str, max: usize) -> String {
    clip(&one_line(text), max, escape)
}

/// Text for a note: one line, cut to `max` UTF-16 units.
pub(crate) fn for_note(text: &str, max: usize) -> String {
    clip(&one_line(text), max, |_| None)
}

const ELLIPSIS: char = '…';

fn clip(text: &str, max: usize, escape: fn(char) -> Option<&'static str>) -> String {
    let width = |c: char| escape(c).map_or(c.len_utf16(), str::len);
    let whole: usize = text.chars().map(width).sum();
    let room = if whole <= max { max } else { max.saturating_sub(ELLIPSIS.len_utf16()) };
    let mut clipped = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += width(c);
        if used > room {
            clipped.push(ELLIPSIS);
            break;
        }
        match escape(c) {
            Some(escaped) => clipped.push_str(escaped),
            None => clipped.push(c),
        }
    }
    clipped
}

fn escape(c: char) -> Option<&'static str> {
    match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        _ => None,
    }
}

fn is_line_break(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

/// Bidirectional marks, overrides and isolates; zero-width characters; tags. Joiners stay: emoji need them.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}'
        | '\u{2066}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
pub(crate) mod tests {
    use chatplug_sdk::payload::ChatRated;

    use super::*;

    pub(crate) fn rated(score: Option<i64>, scale: &str, comment: Option<&str>) -> ChatRated {
        let payload = serde_json::json!({
            "chat_id": "C1", "thread_id": "T1", "change": "rated", "score": score, "scale": scale, "comment": comment,
        });
        serde_json::from_value(payload).unwrap()
    }

    fn check(text: &str, max: usize, expected: &str) {
        let made = for_slack(text, max);
        assert_eq!(made, expected, "{text:?}");
        assert!(made.encode_utf16().count() <= max, "{made:?} is longer than {max}");
    }

    #[test]
    fn mentions_and_links_become_plain_text() {
        check("<!channel> & <@U1>", 100, "&lt;!channel&gt; &amp; &lt;@U1&gt;");
        check("<https://evil.example|bank>", 100, "&lt;https://evil.example|bank&gt;");
        check("&lt;!here&gt;", 100, "&amp;lt;!here&amp;gt;");
    }

    #[test]
    fn a_field_stays_on_its_line() {
        check("a\r\nb\u{2028}c\td\0e", 100, "a b c d e");
        check(" \n ", 100, "");
    }

    #[test]
    fn what_turns_or_hides_text_is_removed() {
        check("a\u{202e}b\u{2066}c\u{200b}d\u{feff}e", 100, "abcde");
        check("👩\u{200d}🔧", 100, "👩\u{200d}🔧");
    }

    #[test]
    fn a_cut_never_splits_an_escape() {
        check("abcdef", 6, "abcdef");
        check("abcdefg", 6, "abcde…");
        check("abc&d", 6, "abc…");
        check("&&", 10, "&amp;&amp;");
        check("&&&", 10, "&amp;…");
        check("😀😀😀", 5, "😀😀…");
    }
}
