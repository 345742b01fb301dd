//! What must hold of any bytes, where bytes come in from outside. Each function panics if it doesn't; the fuzz targets
//! (`fuzz/`) call them with bytes that look for trouble, `tests/it/arbitrary.rs` with a kept corpus and with noise.

use std::time::Duration;

use chatplug::action::path;
use chatplug::action::retry_after;
use chatplug::config::Config;
use chatplug::connections::path::{Url, below};
use chatplug::grant::{CAPABILITIES, PathPattern};
use chatplug::limits::Loading;
use chatplug::livechat::webhook::{Door, Secrets, Us, Webhook};
use chatplug::runtime::inspect;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;
use sha2::Sha256;

/// The secret of the door.
pub const SECRET: &str = "a-secret-of-the-door";

/// What must hold of bytes.
pub type Check = fn(&[u8]);

/// What each check is called, in `fuzz/corpus` too.
pub const CHECKS: [(&str, Check); 6] = [
    ("door", door),
    ("signature", signature),
    ("component", component),
    ("config", config),
    ("retry_after", retry_after),
    ("path", path),
];

/// What comes in at the webhook door without a signature has the secret where its format puts it, and leaves the
/// door without it.
///
/// # Panics
/// If it doesn't.
pub fn door(body: &[u8]) {
    match the_door().receive(body, None, 0) {
        Ok(webhook) => {
            assert_ne!(gives_secret(body), Some(false), "{:?}", String::from_utf8_lossy(body));
            check_taken(&webhook, body);
        }
        Err(refusal) => assert!(!format!("{refusal} {refusal:?}").contains(SECRET)),
    }
}

/// A signature is believed if it is the body's: of the two parts of the bytes that stand on both sides of the first
/// NUL.
///
/// # Panics
/// If it isn't.
pub fn signature(bytes: &[u8]) {
    let at = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (signature, body) = (&bytes[..at], bytes.get(at + 1..).unwrap_or_default());
    let given = std::str::from_utf8(signature).unwrap_or_default().trim_ascii();
    let right = signature_of(body);
    let is_right = given.strip_prefix("sha256=").unwrap_or(given).eq_ignore_ascii_case(&right);
    if let Err(refusal) = the_door().receive(body, Some(right.as_bytes()), 0) {
        assert_ne!(refusal.reason.word(), "wrong-signature");
    }
    match the_door().receive(body, Some(signature), 0) {
        Ok(webhook) => {
            assert!(is_right, "{given:?} was believed");
            check_taken(&webhook, body);
        }
        Err(refusal) => {
            assert!(!is_right || refusal.reason.word() != "wrong-signature", "{given:?} was not believed");
        }
    }
}

/// The signature of a body in hex digits.
pub fn signature_of(body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("HMAC takes keys of any length");
    let code = mac.chain_update(body).finalize().into_bytes();
    code.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn the_door() -> Door {
    Door {
        secrets: Secrets::new([SecretString::from(SECRET)]),
        organization: None,
        us: Us::default(),
        json_depth: 64,
    }
}

fn check_taken(webhook: &Webhook, body: &[u8]) {
    assert!(!webhook.events.is_empty());
    // Whoever writes it into a message has it there.
    let places = body.windows(SECRET.len()).filter(|part| *part == SECRET.as_bytes()).count();
    let is_elsewhere = places > usize::from(gives_secret(body) == Some(true));
    for event in &webhook.events {
        assert!(!event.event_type.is_empty());
        assert!(is_elsewhere || !format!("{event:?}").contains(SECRET), "{event:?}");
        json(event.payload.as_bytes(), &[LARGE_NUMBER]);
    }
}

/// Whether a body has the secret where its format puts it; none if that can't be read here. The door mends halves of
/// surrogate pairs.
fn gives_secret(body: &[u8]) -> Option<bool> {
    let body = json(body, &[LARGE_NUMBER, "hex escape"])?;
    Some(["secret_key", "token"].iter().any(|field| body[field] == SECRET))
}

/// Of numbers larger than one can compute with. They are handed on as they came.
const LARGE_NUMBER: &str = "number out of range";

/// What was taken, so it is JSON; none if it can't be read for one of the known reasons.
fn json(text: &[u8], known: &[&str]) -> Option<Value> {
    let read = serde_json::from_slice(text).map_err(|error| error.to_string());
    let is_known = |error: &String| known.iter().any(|one| error.contains(one));
    assert!(read.as_ref().err().is_none_or(is_known), "{read:?}: {:?}", String::from_utf8_lossy(text));
    read.ok()
}

/// A component is looked into, or refused with a sentence. What it asks for are capabilities that it names.
///
/// # Panics
/// If it is neither, or they aren't.
pub fn component(bytes: &[u8]) {
    match inspect::inspect(bytes, &Loading::default()) {
        Ok(found) => {
            assert!(names(bytes, "chatplug:plugin/plugin@0.1."), "it is no plugin");
            for ask in &found.asks {
                assert!(CAPABILITIES.contains(&ask.as_str()), "{ask}");
                let (interface, function) = ask.split_once('.').expect("interface.function");
                assert!(names(bytes, &format!("chatplug:plugin/{interface}@0.1.")), "{ask}");
                assert!(names(bytes, function), "{ask}");
            }
            assert!(!found.sends_http || names(bytes, "chatplug:plugin/http@0.1."));
            assert!(!found.calls_livechat || names(bytes, "chatplug:plugin/livechat@0.1."));
        }
        Err(reason) => assert!(!reason.is_empty()),
    }
}

fn names(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

/// A config is read, or refused with lines; no value of the environment is shown.
///
/// # Panics
/// If it is neither, or one is.
pub fn config(bytes: &[u8]) {
    let env = |name: &str| Some(format!("https://value.example/value-of-{name}-long-enough"));
    let text = String::from_utf8_lossy(bytes);
    if let Err(problems) = Config::parse(&text, "chatplug.toml", &env) {
        let shown = format!("{problems} {problems:?}");
        // What stands in the file itself may be shown.
        assert!(text.contains("value-of-") || !shown.contains("value-of-"), "{shown}");
        assert!(shown.starts_with("chatplug.toml:"), "{shown}");
    }
}

/// A header `Retry-After` is a wait of a day at most, or none.
///
/// # Panics
/// If it is longer.
pub fn retry_after(bytes: &[u8]) {
    let now = Timestamp::from_second(1_772_366_400).expect("a time");
    let text = String::from_utf8_lossy(bytes);
    if let Some(wait) = retry_after::retry_after(&text, now) {
        assert!(wait <= Duration::from_secs(86_400), "{text:?}: {wait:?}");
    }
}

/// The path of a request has the segments that it shows, or is none; and what becomes of it stays below the base URL.
///
/// # Panics
/// If it has others, or doesn't.
pub fn path(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    check_below(&text);
    let all = PathPattern::parse("/crm/*").expect("a pattern");
    let Some(segments) = path::segments(&text) else {
        assert!(!all.matches(&text), "{text:?}");
        return;
    };
    assert_eq!(segments.len(), text.matches('/').count(), "{text:?}");
    for segment in &segments {
        assert!(segment != ".." && segment != "." && !segment.contains(['/', '\\']), "{text:?}");
    }
    if all.matches(&text) {
        assert!(segments[0] == "crm" && segments.len() > 1, "{text:?}");
    }
}

/// The URL of a request is the base URL with the path behind it, also for whoever reads it again.
fn check_below(path: &str) {
    let query = [(path.to_owned(), path.to_owned())];
    for text in ["https://service.example", "http://127.0.0.1:8080/v1/"] {
        let base = Url::parse(text).expect("a URL");
        let whole = format!("{}{path}", base.path().trim_end_matches('/'));
        for query in [&query[..], &[]] {
            let Ok(url) = below(&base, path, query) else { continue };
            assert_eq!(url.origin(), base.origin(), "{path:?}");
            assert_eq!(url.path(), whole, "{path:?}");
            assert!(url.username().is_empty() && url.password().is_none(), "{path:?}");
            assert!(url.fragment().is_none() && url.query().is_some() != query.is_empty(), "{path:?}");
            assert_eq!(Url::parse(url.as_str()).as_ref(), Ok(&url), "{path:?}");
        }
    }
}
