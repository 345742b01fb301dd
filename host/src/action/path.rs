//! Paths of requests to connections: what is one at all, and what it says once it is decoded.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

const PATH_BYTES_MAX: usize = 2 << 10;
/// How often something on the way may decode a path; one that is still encoded then is refused.
const DECODINGS_MAX: usize = 3;

/// Whether a path of a request is one, in every reading that servers and gateways may give it.
///
/// # Errors
/// What is wrong with it.
pub fn check(path: &str) -> Result<(), &'static str> {
    let problem = match path {
        _ if path.len() > PATH_BYTES_MAX => Some("is longer than 2 KiB"),
        _ if !path.starts_with('/') => Some("must begin with `/`"),
        _ if path.contains(['?', '#']) => {
            Some("holds `?` or `#`: query parameters have a place of their own")
        }
        _ if !path.bytes().all(stands_in_a_path) => Some("holds characters that must be percent-encoded"),
        _ => wandering(path),
    };
    problem.map_or(Ok(()), Err)
}

/// What is wrong with the path in one of the forms that servers and gateways may decode it to.
fn wandering(path: &str) -> Option<&'static str> {
    let mut form = Cow::Borrowed(path);
    for _ in 0..=DECODINGS_MAX {
        if let Some(problem) = astray(&form) {
            return Some(problem);
        }
        if !form.contains('%') {
            return None;
        }
        let Ok(decoded) = percent_decode_str(&form).decode_utf8() else {
            return Some("is not UTF-8 when decoded");
        };
        if decoded == form {
            return None;
        }
        form = Cow::Owned(decoded.into_owned());
    }
    Some("is percent-encoded too often")
}

fn astray(form: &str) -> Option<&'static str> {
    if form.starts_with("//") {
        Some("begins with `//`")
    } else if form.contains('\\') {
        Some("holds a backslash")
    } else if form.contains(char::is_control) {
        Some("holds a control character")
    } else if form.split('/').any(is_dots) {
        Some("holds a `.` or `..` segment")
    } else {
        None
    }
}

/// Some servers cut parameters (`..;a=b`) off a segment before they resolve it.
fn is_dots(segment: &str) -> bool {
    let name = segment.split(';').next().unwrap_or_default();
    name == "." || name == ".."
}

/// `pchar` of RFC 3986 and the slash.
fn stands_in_a_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:@".contains(&byte)
}

/// The segments of a path as a server reads them; `None` if it is no path, or if decoding it would make other
/// segments of it: then servers don't agree on what it names.
pub fn segments(path: &str) -> Option<Vec<String>> {
    check(path).ok()?;
    let mut decoded = Vec::new();
    for segment in path[1..].split('/') {
        let mut form = segment.to_owned();
        for turn in 0..=DECODINGS_MAX {
            let next = percent_decode_str(&form).decode_utf8().ok()?.into_owned();
            if next.contains('/') {
                return None;
            }
            if turn == 0 {
                decoded.push(next.clone());
            }
            if next == form {
                break;
            }
            form = next;
        }
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_those_that_every_server_reads() {
        let check = |path: &str, expected: Option<&[&str]>| {
            let found = segments(path);
            let found: Option<Vec<&str>> = found.as_ref().map(|all| all.iter().map(String::as_str).collect());
            assert_eq!(found.as_deref(), expected, "{path}");
        };
        check("/", Some(&[""]));
        check("/crm/v3", Some(&["crm", "v3"]));
        check("/crm//v3/", Some(&["crm", "", "v3", ""]));
        check("/a%40b/%63rm", Some(&["a@b", "crm"]));
        check("/50%25", Some(&["50%"]));
        for path in
            ["", "a", "/a%2Fb", "/a%2fb", "/a%252Fb", "/a%25252Fb", "/a%5Cb", "/..", "/%2e%2e/a", "/a?b"]
        {
            check(path, None);
        }
    }
}
