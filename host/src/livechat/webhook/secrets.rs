//! The webhook secrets: what authenticates a webhook, and what must not leave the door.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::json::{self, Object};

/// The header with the signature of the formats that have one.
pub(super) const HEADER: &str = "X-LiveChat-Signature";

/// What stands in place of a secret that was found where it doesn't belong.
pub(super) const REMOVED: &str = "\"[secret removed]\"";

/// Shorter secrets are removed only where they are a whole text: within texts they are likely chance.
const LONG: usize = 8;

/// The secrets that are valid at present: several while one is replaced by the next.
pub struct Secrets(Vec<Secret>);

/// Each part is wiped when it is dropped; the MAC by the feature `zeroize` of its crates.
struct Secret {
    text: SecretString,
    digest: Zeroizing<[u8; 32]>,
    mac: Hmac<Sha256>,
}

impl Secrets {
    /// The given secrets. Empty ones are left out: they would let everybody in.
    pub fn new(secrets: impl IntoIterator<Item = SecretString>) -> Secrets {
        let usable = secrets.into_iter().filter(|secret| !secret.expose_secret().is_empty());
        Secrets(usable.map(Secret::new).collect())
    }

    /// Whether there is none, and so nothing can be authenticated.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a text is one of the secrets. Takes equally long for each text of a length.
    pub(super) fn accept(&self, given: &str) -> bool {
        let given = digest(given);
        any(self.0.iter().map(|secret| secret.digest.ct_eq(given.as_slice())))
    }

    /// Whether a signature (the HMAC-SHA256 in hex digits, with or without `sha256=`) is that of a body.
    pub(super) fn signed(&self, body: &[u8], signature: &[u8]) -> bool {
        let digits = signature.trim_ascii();
        let Some(given) = unhex(digits.strip_prefix(b"sha256=").unwrap_or(digits)) else { return false };
        any(self.0.iter().map(|secret| {
            let code: [u8; 32] = secret.mac.clone().chain_update(body).finalize().into_bytes().into();
            code.ct_eq(&given)
        }))
    }

    /// Whether a secret is found in a name or value.
    pub(super) fn appear_in_any(&self, object: &Object) -> bool {
        object.fields().any(|(name, value)| self.show_in(name) || self.appear_in(value))
    }

    /// JSON text with each string that holds a secret replaced.
    pub(super) fn scrub(&self, text: &str) -> String {
        let mut scrubbed = String::with_capacity(text.len());
        let mut rest = 0;
        for literal in json::literals(text) {
            scrubbed.push_str(&text[rest..literal.start]);
            rest = literal.end;
            let literal = &text[literal];
            // What can't be decoded can't be cleared either.
            let clean = json::string(literal).is_some_and(|decoded| !self.show_in(&decoded));
            scrubbed.push_str(if clean { literal } else { REMOVED });
        }
        scrubbed.push_str(&text[rest..]);
        scrubbed
    }

    fn appear_in(&self, text: &str) -> bool {
        let plainly = self.0.iter().any(|secret| text.contains(secret.text.expose_secret()));
        plainly || (text.contains('\\') && self.appear_escaped_in(text))
    }

    fn appear_escaped_in(&self, text: &str) -> bool {
        let escaped = json::literals(text).map(|literal| &text[literal]).filter(|text| text.contains('\\'));
        escaped.map(json::string).any(|decoded| decoded.is_none_or(|decoded| self.show_in(&decoded)))
    }

    fn show_in(&self, decoded: &str) -> bool {
        self.0
            .iter()
            .map(|secret| secret.text.expose_secret())
            .any(|secret| if secret.len() < LONG { decoded == secret } else { decoded.contains(secret) })
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

impl Secret {
    fn new(text: SecretString) -> Secret {
        let digest = digest(text.expose_secret());
        let mac =
            Hmac::new_from_slice(text.expose_secret().as_bytes()).expect("HMAC takes keys of any length");
        Secret { text, digest, mac }
    }
}

fn digest(text: &str) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(Sha256::digest(text).into())
}

/// Looks at all, so that the time doesn't tell which one matched.
fn any(choices: impl Iterator<Item = Choice>) -> bool {
    choices.fold(Choice::from(0), |found, choice| found | choice).into()
}

fn unhex(digits: &[u8]) -> Option<[u8; 32]> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|value| value as u8);
    let mut bytes = [0; 32];
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(texts: &[&str]) -> Secrets {
        Secrets::new(texts.iter().map(|text| SecretString::from(*text)))
    }

    #[test]
    fn one_of_several_is_enough_and_an_empty_one_is_none() {
        let both = secrets(&["old-secret", "", "new-secret"]);
        assert!(both.accept("old-secret") && both.accept("new-secret"));
        assert!(!both.accept("") && !both.accept("old-secre") && !both.accept("OLD-SECRET"));
        assert!(secrets(&[""]).is_empty());
        assert_eq!(format!("{both:?}"), "Secrets(2)");
    }

    #[test]
    fn what_is_kept_of_a_secret_is_wiped_when_it_is_dropped() {
        fn is_wiped<T: secrecy::zeroize::ZeroizeOnDrop>(_: &T) {}
        let Secret { text, digest, mac: _ } = Secret::new(SecretString::from("secret"));
        is_wiped(&text);
        is_wiped(&digest);
        // A MAC is made of the states of two of these, and has no mark of its own.
        is_wiped(&Sha256::new());
    }

    #[test]
    fn a_signature_is_hex_of_the_right_length() {
        // RFC 4231, test case 2.
        let code = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let body = b"what do ya want for nothing?";
        let secrets = secrets(&["other", "Jefe"]);
        let good = [code.to_owned(), code.to_uppercase(), format!("sha256={code}"), format!(" {code} ")];
        for signature in good {
            assert!(secrets.signed(body, signature.as_bytes()), "{signature}");
        }
        let bad = ["", "sha256=", &code[..62], &format!("{code}00"), &code.replace('5', "g"), "ünïcode"];
        for signature in bad {
            assert!(!secrets.signed(body, signature.as_bytes()), "{signature}");
        }
        assert!(!secrets.signed(b"What do ya want for nothing?", code.as_bytes()));
        assert!(!secrets.signed(body, &[0xFF; 64]));
    }

    #[test]
    fn a_secret_is_removed_however_it_is_written() {
        let secrets = secrets(&["long/secret", "short"]);
        let removed = r#"["[secret removed]"]"#;
        let cases = [
            (r#"["long/secret"]"#, removed),
            (r#"["long\/secret"]"#, removed),
            (r#"["\u006cong/secret"]"#, removed),
            (r#"["https://x/?s=long/secret&y"]"#, removed),
            (r#"["short"]"#, removed),
            (r#"["in short"]"#, r#"["in short"]"#),
            (r#"{"long/secret":1}"#, r#"{"[secret removed]":1}"#),
            (r#"["\n\"fine\""]"#, r#"["\n\"fine\""]"#),
        ];
        for (text, expected) in cases {
            assert_eq!(secrets.scrub(text), expected);
            assert!(expected != removed || secrets.appear_in(text), "{text}");
        }
        assert!(!secrets.appear_in(r#"["\n\"fine\""]"#));
    }
}
