//! Secrets on their way to a service, and back: texts that are made of secrets are wiped like them, and what a
//! service says is cleaned of them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

/// What stands in place of a secret.
const REMOVED: &str = "[secret removed]";
/// A shorter text is found by chance in what means something else.
const BYTES_MIN: usize = 8;

/// Texts behind each other, as one secret. No copy is left behind.
pub fn joined<const N: usize>(parts: [&str; N]) -> SecretString {
    // Of exactly the right size: a text that grows leaves what it was before in memory.
    let mut text = String::with_capacity(parts.iter().map(|part| part.len()).sum());
    parts.iter().for_each(|part| text.push_str(part));
    text.into()
}

/// A name and a password as Basic authentication has them, without the word `Basic`.
pub fn basic_pair(user: &str, password: &str) -> SecretString {
    let pair = joined([user, ":", password]);
    STANDARD.encode(pair.expose_secret()).into()
}

/// The secrets that a service knows of us. If it says one of them to a plugin, by mistake or because it shows each
/// request that it gets, the plugin doesn't see it.
pub struct Known(Vec<Zeroizing<Vec<u8>>>);

impl Known {
    /// These, as they are and as JSON writes them.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Known {
        let mut known = Vec::new();
        for secret in secrets.into_iter().filter(|secret| secret.len() >= BYTES_MIN) {
            known.push(Zeroizing::new(secret.as_bytes().to_vec()));
            if secret.contains('/') {
                known.push(Zeroizing::new(secret.replace('/', "\\/").into_bytes()));
            }
        }
        // The longest first: a secret may be a part of another.
        known.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Known(known)
    }

    /// An answer's body without them.
    pub fn clean(&self, mut body: Vec<u8>) -> Vec<u8> {
        for secret in &self.0 {
            let places: Vec<usize> = memmem::find_iter(&body, &**secret).collect();
            if places.is_empty() {
                continue;
            }
            let (mut clean, mut rest) = (Vec::with_capacity(body.len()), 0);
            for place in places {
                clean.extend_from_slice(&body[rest..place]);
                clean.extend_from_slice(REMOVED.as_bytes());
                rest = place + secret.len();
            }
            clean.extend_from_slice(&body[rest..]);
            body = clean;
        }
        body
    }

    /// The same of a body that was cut: a secret that is cut through at its end is removed, too.
    pub fn clean_cut(&self, mut body: Vec<u8>) -> Vec<u8> {
        let cut =
            |secret: &Zeroizing<Vec<u8>>| (1..secret.len()).rev().find(|n| body.ends_with(&secret[..*n]));
        let longest = self.0.iter().filter_map(cut).max().unwrap_or(0);
        body.truncate(body.len() - longest);
        self.clean(body)
    }

    /// The same of a text.
    pub fn clean_text(&self, text: String) -> String {
        let clean = self.clean(text.into_bytes());
        // What stands between whole characters was cut out, and whole characters were put in.
        String::from_utf8_lossy(&clean).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_one_secret() {
        assert_eq!(joined(["Bearer ", "t0ken"]).expose_secret(), "Bearer t0ken");
        assert_eq!(basic_pair("acc", "s3cret").expose_secret(), "YWNjOnMzY3JldA==");
        assert!(!format!("{:?}", joined(["a", "b"])).contains("ab"));
    }

    #[test]
    fn what_a_service_says_is_cleaned_of_what_it_knows() {
        let known =
            Known::new(["t0ken-long-enough", "https://h/T0/B0/x", "t0ken-long-enough-and-more", "short"]);
        let check = |body: &str, expected: &str| {
            assert_eq!(known.clean(body.as_bytes().to_vec()), expected.as_bytes(), "{body}");
            assert_eq!(known.clean_text(body.to_owned()), expected, "{body}");
        };
        check("nothing of the kind", "nothing of the kind");
        check("a short one", "a short one");
        check("t0ken-long-enough", "[secret removed]");
        check("at0ken-long-enoughé t0ken-long-enough!", "a[secret removed]é [secret removed]!");
        check("t0ken-long-enough-and-more", "[secret removed]");
        check(r#"{"url":"https:\/\/h\/T0\/B0\/x"}"#, r#"{"url":"[secret removed]"}"#);
        for end in 1.."t0ken-long-enough-and-more".len() {
            let body = format!("echo: {}", &"t0ken-long-enough-and-more"[..end]).into_bytes();
            assert_eq!(known.clean_cut(body), b"echo: ", "cut behind {end} bytes");
        }
        assert_eq!(
            known.clean_cut(b"echo: t0ken-long-enough-and-more, and".to_vec()),
            b"echo: [secret removed], and"
        );
        assert_eq!(known.clean(b"\xfft0ken-long-enough\xfe".to_vec()), b"\xff[secret removed]\xfe");
    }
}
