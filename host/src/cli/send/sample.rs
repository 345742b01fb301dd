//! How a sample webhook proves itself: the three wire formats, told apart as the host tells them.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value};
use sha2::Sha256;

/// A webhook that is ready to be sent.
pub(super) struct Webhook {
    pub(super) body: Vec<u8>,
    /// The value of the header `X-LiveChat-Signature`.
    pub(super) signature: Option<String>,
}

/// The body with the secret in it, or with a signature: if `signed`, or if its format has no place for one.
pub(super) fn authenticated(body: Vec<u8>, secret: &str, signed: bool) -> Webhook {
    if !signed
        && let Ok(Value::Object(mut fields)) = serde_json::from_slice(&body)
        && let Some(field) = secret_field(&fields)
    {
        fields.insert(field.to_owned(), Value::String(secret.to_owned()));
        return Webhook { body: Value::Object(fields).to_string().into_bytes(), signature: None };
    }
    let signature = Some(sign(&body, secret));
    Webhook { body, signature }
}

// The bodies of the common tutorial, which only ever come signed. LiveChat's API v2 has a `chat_ended` too.
const TUTORIAL_TYPES: &[&str] = &["chat_ended", "new_chat_started", "rating_added"];

fn secret_field(fields: &Map<String, Value>) -> Option<&'static str> {
    if fields.contains_key("action") {
        return Some("secret_key");
    }
    let event_type = fields.get("event_type")?.as_str()?;
    let is_v2 = fields.contains_key("token")
        || fields.contains_key("license_id")
        || !TUTORIAL_TYPES.contains(&event_type);
    is_v2.then_some("token")
}

fn sign(body: &[u8], secret: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(body);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, signed: bool, expected: Option<&str>) {
        let webhook = authenticated(body.as_bytes().to_vec(), "s3cret", signed);
        let sent = String::from_utf8(webhook.body).unwrap();
        assert_eq!(sent, expected.unwrap_or(body));
        let signature = expected.is_none().then(|| sign(body.as_bytes(), "s3cret"));
        assert_eq!(webhook.signature, signature, "{body}");
    }

    #[test]
    fn each_format_gets_the_secret_where_it_belongs() {
        let v3 = r#"{"action":"incoming_chat","secret_key":"placeholder"}"#;
        check(v3, false, Some(r#"{"action":"incoming_chat","secret_key":"s3cret"}"#));
        check(v3, true, None);
        check(
            r#"{"event_type":"chat_ended","license_id":"1"}"#,
            false,
            Some(r#"{"event_type":"chat_ended","license_id":"1","token":"s3cret"}"#),
        );
        check(
            r#"{"event_type":"visitor_queued"}"#,
            false,
            Some(r#"{"event_type":"visitor_queued","token":"s3cret"}"#),
        );
        check(r#"{"event_type":"chat_ended","chat":{"id":"C1"}}"#, false, None);
        check(r#"{"event_type":"rating_added"}"#, false, None);
        check(r#"{ "anything": 1 }"#, false, None);
        check("[not json", false, None);
    }

    #[test]
    fn the_signature_is_hmac_sha256_in_hex() {
        // RFC 4231, test case 2.
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(sign(b"what do ya want for nothing?", "Jefe"), expected);
    }
}
