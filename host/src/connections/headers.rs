//! Which headers a plugin may send, and which it gets to see.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::action::{Code, Error};
use crate::egress::secret::Known;

const HEADERS_MAX: usize = 50;
const HEADER_BYTES_MAX: usize = 1 << 10;

/// The headers that carry credentials, in requests and answers.
const CREDENTIALS: &[&str] = &[
    "api-key",
    "authentication-info",
    "authorization",
    "cookie",
    "cookie2",
    "set-cookie",
    "set-cookie2",
    "www-authenticate",
    "x-api-key",
    "x-auth-token",
    "x-csrf-token",
];

/// The headers that are the host's business: they frame the message, say where it comes from or goes to, or
/// make another method or path of it than the one that was judged.
const FRAMING: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-host",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-host",
    "x-original-uri",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
];

/// The plugin's headers, checked. `own` is the name of the header with the connection's credential.
///
/// # Errors
/// `invalid`, naming the header.
pub(super) fn checked(headers: &[(String, String)], own: Option<&HeaderName>) -> Result<HeaderMap, Error> {
    if headers.len() > HEADERS_MAX {
        return Err(invalid(format!("{} headers are too many, {HEADERS_MAX} are allowed", headers.len())));
    }
    let mut checked = HeaderMap::new();
    for (name, value) in headers {
        let (name, value) = one(name, value, own)?;
        checked.append(name, value);
    }
    Ok(checked)
}

/// The headers of an answer that a plugin sees, without what the service knows of us (`known`).
pub(super) fn shown(headers: &HeaderMap, own: Option<&HeaderName>, known: &Known) -> Vec<(String, String)> {
    headers
        .iter()
        .filter(|(name, _)| !carries_credentials(name.as_str()) && Some(*name) != own)
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), known.clean_text(value))
        })
        .collect()
}

/// Whether a plugin must not set the header. `name` is in lower case.
pub(super) fn is_reserved(name: &str) -> bool {
    let name = folded(name);
    carries_credentials(&name) || FRAMING.contains(&name.as_str()) || name.starts_with("x-forwarded-")
}

/// Gateways that hand headers on as variables take both spellings for one.
fn folded(name: &str) -> String {
    name.replace('_', "-")
}

/// Whether the header holds credentials. `name` is in lower case.
pub(super) fn carries_credentials(name: &str) -> bool {
    CREDENTIALS.contains(&name) || name.starts_with("proxy-")
}

fn one(name: &str, value: &str, own: Option<&HeaderName>) -> Result<(HeaderName, HeaderValue), Error> {
    let shown: String = name.chars().take(60).flat_map(char::escape_debug).collect();
    if name.len() + value.len() > HEADER_BYTES_MAX {
        return Err(invalid(format!("the header `{shown}` is longer than {HEADER_BYTES_MAX} bytes")));
    }
    let name = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| invalid(format!("`{shown}` is no header name")))?;
    if is_reserved(name.as_str()) || own.is_some_and(|own| folded(own.as_str()) == folded(name.as_str())) {
        return Err(invalid(format!(
            "the header `{shown}` is set by the host: credentials belong to the connection in the config"
        )));
    }
    if !value.is_ascii() {
        return Err(invalid(format!("the value of the header `{shown}` is not ASCII: encode it")));
    }
    let value = HeaderValue::from_str(value)
        .map_err(|_| invalid(format!("the value of the header `{shown}` holds a control character")))?;
    Ok((name, value))
}

fn invalid(message: String) -> Error {
    Error::new(Code::Invalid, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, value: &str) -> Result<HeaderMap, Error> {
        let own = HeaderName::from_static("x-own-secret");
        checked(&[(name.to_owned(), value.to_owned())], Some(&own))
    }

    #[test]
    fn ordinary_headers_go_out() {
        for (name, value) in [
            ("Content-Type", "application/json"),
            ("accept", "*/*"),
            ("Idempotency-Key", "a-1"),
            ("X-Request-Id", "7"),
            ("If-Match", "\"abc\""),
            ("X-Empty", ""),
        ] {
            let headers = check(name, value).expect(name);
            assert_eq!(headers.get(name).expect("kept"), value);
        }
    }

    #[test]
    fn headers_that_belong_to_the_host_are_refused() {
        for name in [
            "Authorization",
            "AUTHORIZATION",
            "Proxy-Authorization",
            "proxy-connection",
            "Cookie",
            "Set-Cookie",
            "Host",
            "Content-Length",
            "Transfer-Encoding",
            "Connection",
            "Keep-Alive",
            "TE",
            "Trailer",
            "Upgrade",
            "Expect",
            "Forwarded",
            "X-Forwarded-For",
            "x-forwarded-host",
            "X_Forwarded_For",
            "X-Real-IP",
            "X-Api-Key",
            "User-Agent",
            "X-HTTP-Method-Override",
            "X-Own-Secret",
            "x-own-secret",
            "Content_Length",
        ] {
            assert_eq!(check(name, "x").expect_err(name).code, Code::Invalid, "{name}");
        }
    }

    #[test]
    fn nothing_can_be_smuggled_into_a_header() {
        for (name, value) in [
            ("X-A", "b\r\nHost: evil"),
            ("X-A", "b\n c"),
            ("X-A", "b\rc"),
            ("X-A", "b\0c"),
            ("X-A", "caf\u{e9}"),
            ("X-A\r\nHost", "evil"),
            ("X-A: b\r\nC", "d"),
            ("X A", "b"),
            ("X-A:", "b"),
            ("", "b"),
            ("\u{212a}", "b"),
        ] {
            let error = check(name, value).expect_err(name);
            assert_eq!(error.code, Code::Invalid);
            assert!(!error.message.contains(['\r', '\n']), "{error}");
        }
    }

    #[test]
    fn number_and_length_are_limited() {
        assert!(check("x-a", &"b".repeat(HEADER_BYTES_MAX - 3)).is_ok());
        assert!(check("x-a", &"b".repeat(HEADER_BYTES_MAX - 2)).is_err());
        let many = |count| vec![("x-a".to_owned(), "b".to_owned()); count];
        assert_eq!(checked(&many(HEADERS_MAX), None).expect("allowed").len(), HEADERS_MAX);
        assert!(checked(&many(HEADERS_MAX + 1), None).is_err());
    }

    #[test]
    fn credentials_in_an_answer_are_not_shown() {
        let mut headers = HeaderMap::new();
        for name in ["set-cookie", "www-authenticate", "proxy-authenticate", "x-own-secret", "x-api-key"] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("secret"));
        }
        headers.insert("x-echo", HeaderValue::from_static("Bearer s3cret-of-ours"));
        headers.insert("ETag", HeaderValue::from_static("\"1\""));
        headers.insert("x-name", HeaderValue::from_bytes(b"caf\xe9").expect("opaque"));
        let own = HeaderName::from_static("x-own-secret");
        let mut names = shown(&headers, Some(&own), &Known::new(["s3cret-of-ours"]));
        names.sort();
        assert_eq!(
            names,
            [("etag", "\"1\""), ("x-echo", "Bearer [secret removed]"), ("x-name", "caf\u{fffd}")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }
}
