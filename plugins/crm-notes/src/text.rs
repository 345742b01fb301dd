//! Foreign text made harmless: what customers and agents wrote, as it may stand in a note's HTML.

/// The length of `text` as HubSpot may count it: UTF-16 units, the most that any way of counting gives
/// but for bytes.
pub fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// `text` as HTML text: markup escaped, line ends as `<br>`, invisible characters left out.
pub fn html(text: &str) -> String {
    html_within(text, usize::MAX).0
}

/// As much of `text` as HTML as fits into `limit` units, never cut within an entity or a character, and
/// whether that is all of it.
pub fn html_within(text: &str, limit: usize) -> (String, bool) {
    let mut html = String::with_capacity(text.len());
    let mut used = 0;
    for c in text.trim().chars().filter(|c| is_harmless(*c)) {
        let mut buffer = [0; 4];
        let piece = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '"' => "&quot;",
            '\'' => "&#39;",
            '\n' => "<br>",
            '\t' => " ",
            _ => &*c.encode_utf8(&mut buffer),
        };
        used += units(piece);
        if used > limit {
            return (html, false);
        }
        html.push_str(piece);
    }
    (html, true)
}

/// `text` on one line, at most `limit` characters and a `…` long; not escaped.
pub fn one_line(text: &str, limit: usize) -> String {
    let mut line = String::new();
    // A name of 16 kB is not worth splitting to its end.
    let start: String =
        text.chars().take(limit * 4).filter(|c| is_harmless(*c) || c.is_whitespace()).collect();
    for word in start.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if line.chars().count() <= limit {
        return line;
    }
    let cut: String = line.chars().take(limit).collect();
    format!("{}…", cut.trim_end())
}

/// `html` without its tags: what a reader sees, but for entities.
pub fn without_tags(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' if inside => inside = false,
            _ if !inside => text.push(c),
            _ => {}
        }
    }
    text
}

/// Control characters and marks that turn the direction of the text around them are not.
fn is_harmless(c: char) -> bool {
    match c {
        '\n' | '\t' => true,
        '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => false,
        '\u{2028}' | '\u{2029}' | '\u{FEFF}' => false,
        _ => !c.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_text() {
        for (text, expected) in [
            ("<script>alert('x')</script>", "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"),
            ("a & b &amp; \"c\"", "a &amp; b &amp;amp; &quot;c&quot;"),
            (" first\r\nsecond\tthird ", "first<br>second third"),
            ("שלום \u{202E}evil\u{202C} \u{0}\u{7}", "שלום evil "),
            ("", ""),
        ] {
            assert_eq!(html(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_cut_never_falls_within_an_entity_or_a_character() {
        for (text, limit, expected) in [
            ("a<b", 4, ("a", false)),
            ("a<b", 5, ("a&lt;", false)),
            ("a<b", 6, ("a&lt;b", true)),
            ("😀😀", 3, ("😀", false)),
            ("😀😀", 4, ("😀😀", true)),
            ("ab", 0, ("", false)),
            ("", 0, ("", true)),
        ] {
            let (html, whole) = html_within(text, limit);
            assert_eq!((html.as_str(), whole), expected, "{text:?} within {limit}");
        }
    }

    #[test]
    fn a_name_stays_on_one_short_line() {
        for (text, expected) in [
            ("Ada\n Lovelace ", "Ada Lovelace"),
            ("\u{202E}adA\u{0}", "adA"),
            ("", ""),
            ("a long name indeed", "a long name…"),
        ] {
            assert_eq!(one_line(text, 12), expected, "{text:?}");
        }
        assert_eq!(one_line(&"x".repeat(16_384), 100).chars().count(), 101);
    }

    #[test]
    fn tags_are_not_text() {
        assert_eq!(without_tags("<p class=\"a\">one <b>two</b></p>"), "one two");
        assert_eq!(without_tags("no tags, 2 > 1"), "no tags, 2 > 1");
    }
}
