//! A request body before it is read: is it text, and can it be read without recursing too deep?

use std::borrow::Cow;

use super::Reason;

/// A request body as text, fit to be read without recursing too deep.
pub(super) fn text(body: &[u8], depth_max: usize) -> Result<Cow<'_, str>, Reason> {
    let text = std::str::from_utf8(body)
        .map_err(|error| Reason::NotJson(format!("it is not UTF-8 from byte {} on", error.valid_up_to())))?;
    if too_deep(body, depth_max) { Err(Reason::TooDeep(depth_max)) } else { Ok(mend_surrogates(text)) }
}

fn too_deep(body: &[u8], depth_max: usize) -> bool {
    let opens = |byte: u8| byte == b'{' || byte == b'[';
    // So few can't nest too deep; nearly every webhook ends here.
    if body.iter().filter(|byte| opens(**byte)).count() <= depth_max {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'}' | b']' => depth = depth.saturating_sub(1),
            open if opens(*open) => depth += 1,
            _ => {}
        }
        if depth > depth_max {
            return true;
        }
    }
    false
}

/// Replaces halves of surrogate pairs, which JavaScript leaves where it cuts a text inside of an emoji and
/// which no Rust string can hold, by U+FFFD.
fn mend_surrogates(text: &str) -> Cow<'_, str> {
    if !text.contains("\\ud") && !text.contains("\\uD") {
        return Cow::Borrowed(text);
    }
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        mended.push_str(before);
        let length = match (code_unit(escape), escape.get(6..).and_then(code_unit)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0xD800..=0xDFFF), _) => {
                mended.push_str("\\ufffd");
                rest = &escape[6..];
                continue;
            }
            // The backslash and what it escapes, which may be a character of several bytes in bad JSON.
            _ => 1 + escape[1..].chars().next().map_or(0, char::len_utf8),
        };
        mended.push_str(&escape[..length]);
        rest = &escape[length..];
    }
    mended.push_str(rest);
    Cow::Owned(mended)
}

fn code_unit(escape: &str) -> Option<u16> {
    let digits = escape.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_counted_outside_of_strings() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        let cases = [
            (nested(64), false),
            (nested(65), true),
            (nested(10_000), true),
            (format!("\"{}\"", nested(100)), false),
            (format!("\"\\\"{}\"", nested(100)), false),
            ("[]".repeat(100), false),
            ("]".repeat(100) + &nested(65), true),
        ];
        for (text, expected) in cases {
            assert_eq!(too_deep(text.as_bytes(), 64), expected, "{text:.80}");
        }
    }

    #[test]
    fn halves_of_surrogate_pairs_are_mended() {
        let cases = [
            (r#""\ud83d\ude00 \u00e9""#, r#""\ud83d\ude00 \u00e9""#),
            (r#""cut \ud83d""#, r#""cut \ufffd""#),
            (r#""\uDE00\ud83d\u0041""#, r#""\ufffd\ufffd\u0041""#),
            (r#""\\ud83d""#, r#""\\ud83d""#),
            (r#""\ud83é\ud83d"#, r#""\ud83é\ufffd"#),
            (r"\ud", r"\ud"),
            ("\\é\\ud83d", "\\é\\ufffd"),
        ];
        for (text, expected) in cases {
            assert_eq!(mend_surrogates(text), expected);
        }
    }
}
