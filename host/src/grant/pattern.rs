//! Patterns of paths: `/crm/v3/objects/contacts/*`.

use std::fmt;

use crate::action::path;

/// What an operator wrote under `paths` of a grant. Each segment is a text or `*`, which stands for one segment that
/// is not empty; a `*` at the end stands for one or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    text: String,
    /// `None` is a star.
    segments: Vec<Option<String>>,
}

impl PathPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<PathPattern, String> {
        path::check(text).map_err(|problem| format!("the path `{}` {problem}", text.escape_debug()))?;
        if text.split('/').any(|segment| segment.contains('*') && segment != "*") {
            return Err(format!("in the path `{text}`, `*` must stand alone between slashes or at the end"));
        }
        let segments = path::segments(text).ok_or_else(|| {
            format!("the path `{text}` has an encoded slash, which servers read differently")
        })?;
        let written = text[1..].split('/');
        let segments = written.zip(segments).map(|(raw, segment)| (raw != "*").then_some(segment)).collect();
        Ok(PathPattern { text: text.to_owned(), segments })
    }

    /// Whether a request's path is one of those that are meant.
    pub fn matches(&self, path: &str) -> bool {
        path::segments(path).is_some_and(|asked| is_like(&self.segments, &asked))
    }
}

fn is_like(pattern: &[Option<String>], asked: &[String]) -> bool {
    let is_open = pattern.last().is_some_and(Option::is_none);
    let fits = |(pattern, asked): (&Option<String>, &String)| match pattern {
        Some(text) => text == asked,
        None => !asked.is_empty(),
    };
    let rest = asked.get(pattern.len()..).unwrap_or_default();
    (asked.len() == pattern.len() || is_open && asked.len() > pattern.len())
        && pattern.iter().zip(asked).all(fits)
        && rest.iter().all(|segment| !segment.is_empty())
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, path: &str, expected: bool) {
        let pattern = PathPattern::parse(pattern).expect(pattern);
        assert_eq!(pattern.matches(path), expected, "{pattern} and {path}");
    }

    #[test]
    fn a_star_stands_for_a_segment_and_at_the_end_for_several() {
        check("/crm/v3/*", "/crm/v3/objects", true);
        check("/crm/v3/*", "/crm/v3/objects/contacts/501", true);
        check("/crm/v3/*", "/crm/v3", false);
        check("/crm/v3/*", "/crm/v3/", false);
        check("/crm/v3/*", "/crm/v3x/a", false);
        check("/crm/v3/*", "/crm/v4/a", false);
        check("/crm/v3/*", "/CRM/v3/a", false);
        check("/crm/*/notes", "/crm/v3/notes", true);
        check("/crm/*/notes", "/crm/v3/x/notes", false);
        check("/crm/*/notes", "/crm//notes", false);
        check("/crm/*/notes", "/crm/v3/notes/", false);
        check("/notes", "/notes", true);
        check("/notes", "/notes/1", false);
        check("/*", "/anything/at/all", true);
        check("/*", "/", false);
        check("/", "/", true);
        check("/a/%2A", "/a/b", false);
        check("/a/%2A", "/a/*", true);
        check("/contacts/a@b/*", "/contacts/a%40b/x", true);
    }

    #[test]
    fn what_servers_may_read_differently_is_not_matched() {
        for path in [
            "/crm/v3/../admin",
            "/crm/v3/%2e%2e/admin",
            "/crm/v3/%252e%252e/admin",
            "/crm/v3/..;/admin",
            "/crm/v3/a%2F..%2Fadmin",
            "/crm/v3/a%2fb",
            "/crm/v3/a%252Fb",
            "/crm/v3//admin",
            "/crm/v3/a//",
            "//crm/v3/a",
            "/crm/v3/a\\b",
            "/crm/v3/a%5cb",
            "/crm/v3/a%00",
            "/crm/v3/a?b",
            "crm/v3/a",
            "",
        ] {
            check("/crm/v3/*", path, false);
        }
    }

    #[test]
    fn a_pattern_that_means_nothing_is_refused() {
        for text in ["", "crm", "*", "/crm*", "/a*/b", "/**", "/../a", "/a?b=*", "/a b", "/a%2Fb"] {
            assert!(PathPattern::parse(text).is_err(), "{text}");
        }
    }
}
