//! Where a request goes: below the connection's base URL, and nowhere else.

pub use reqwest::Url;

use crate::action::{Code, Error, path};

const URL_BYTES_MAX: usize = 8 << 10;

/// The URL of the path `asked` with `query` below `base`.
///
/// # Errors
/// `invalid` for a path that isn't one, or that some reading of it leads out of the base URL.
pub fn below(base: &Url, asked: &str, query: &[(String, String)]) -> Result<Url, Error> {
    path::check(asked).map_err(|problem| refused(asked, problem))?;
    let prefix = base.path().trim_end_matches('/');
    let mut url = base.clone();
    let whole = format!("{prefix}{asked}");
    url.set_path(&whole);
    // What the URL parser rewrote would be another path than the one that was checked.
    if url.path() != whole || url.origin() != base.origin() {
        return Err(refused(asked, "is not written the way it would be sent"));
    }
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    match url.as_str().len() {
        length if length > URL_BYTES_MAX => Err(Error::new(
            Code::Invalid,
            format!("the URL would have {length} bytes, {URL_BYTES_MAX} are allowed"),
        )),
        _ => Ok(url),
    }
}

fn refused(path: &str, problem: &str) -> Error {
    let shown: String = path.chars().take(100).collect();
    Error::new(Code::Invalid, format!("the path `{}` {problem}", shown.escape_debug()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(base: &str, path: &str, query: &[(&str, &str)]) -> Result<String, Error> {
        let base = Url::parse(base).expect("a URL");
        let query: Vec<_> = query.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        below(&base, path, &query).map(String::from)
    }

    #[test]
    fn a_path_is_put_below_the_base() {
        let check = |base, path, expected: &str| {
            assert_eq!(sent(base, path, &[]).expect("accepted"), expected);
        };
        check("https://h.example", "/", "https://h.example/");
        check("https://h.example/", "/a/b", "https://h.example/a/b");
        check("https://h.example:8443/v1", "/a", "https://h.example:8443/v1/a");
        check("https://h.example/v1/", "/a/", "https://h.example/v1/a/");
        check(
            "https://h.example",
            "/contacts/ann%2Bx%40example.com",
            "https://h.example/contacts/ann%2Bx%40example.com",
        );
        check("https://h.example", "/a%2Fb", "https://h.example/a%2Fb");
        check("https://h.example", "/50%25", "https://h.example/50%25");
        check("https://h.example", "/...", "https://h.example/...");
        check("https://h.example", "/.well-known/a..b", "https://h.example/.well-known/a..b");
        check("https://h.example", "/a//b", "https://h.example/a//b");
        check("https://h.example", "/caf%C3%A9", "https://h.example/caf%C3%A9");
        check("https://h.example", "/@other.example/", "https://h.example/@other.example/");
        check("https://h.example", "/:80", "https://h.example/:80");
    }

    #[test]
    fn a_path_that_could_leave_the_base_is_refused() {
        for path in [
            "",
            "a",
            "http://evil.example/",
            "@evil.example/",
            ":80/",
            ".evil.example/",
            "//evil.example/a",
            "///a",
            "/%2Fevil.example",
            "/%252Fevil.example",
            "\\\\evil.example",
            "/\\evil.example",
            "/a\\..\\b",
            "/%5Cevil",
            "/%255C",
            "/..",
            "/../",
            "/a/../b",
            "/a/..",
            "/./a",
            "/a/.",
            "/%2e%2e/a",
            "/%2E%2E",
            "/.%2e/a",
            "/%2e/a",
            "/%252e%252e/a",
            "/%25252e%25252e/a",
            "/%2525252e%2525252e/a",
            "/a%2F..%2Fb",
            "/a%2f%2e%2e%2fb",
            "/..;/a",
            "/..;x=y/a",
            "/.;/a",
            "/%2e%2e%3B/a",
            "/a?b=c",
            "/a#b",
            "/a b",
            "/a\nb",
            "/a\r\nHost: evil",
            "/a\0b",
            "/a\tb",
            "/%00",
            "/%0d%0aHost:%20evil",
            "/%250a",
            "/%7F",
            "/caf\u{e9}",
            "/\u{202e}a",
            "/%C3",
            "/%FF",
            "/a|b",
            "/a^b",
            "/[a]",
            "/{a}",
            "/\"a\"",
            "/<a>",
            "/a`b",
            "/\u{2215}..",
            "\u{ff0f}a",
        ] {
            let error = sent("https://h.example/v1", path, &[]).expect_err(path);
            assert_eq!(error.code, Code::Invalid, "{path}");
            assert!(!error.message.contains('\n') && !error.message.contains('\0'), "{path}");
        }
        assert!(sent("https://h.example", &format!("/{}", "a".repeat(2 << 10)), &[]).is_err());
    }

    #[test]
    fn query_parameters_are_encoded_here() {
        let url =
            sent("https://h.example", "/s", &[("q", "a&b=c #?"), ("e", "ann+x@example.com"), ("", "\r\n")]);
        assert_eq!(
            url.expect("accepted"),
            "https://h.example/s?q=a%26b%3Dc+%23%3F&e=ann%2Bx%40example.com&=%0D%0A"
        );
        assert!(sent("https://h.example", "/s", &[("q", &"a".repeat(URL_BYTES_MAX))]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_accepted_stays_below_the_base(path in "(/|%2[eEfF]|%25|\\.|\\\\|;|[a-z@:?#%])*") {
            if let Ok(url) = sent("https://h.example/base", &path, &[]) {
                let again = Url::parse(&url).expect("a URL");
                assert_eq!(again.as_str(), url);
                assert_eq!(again.host_str(), Some("h.example"));
                assert!(again.path().starts_with("/base/"));
            }
        }
    }
}
