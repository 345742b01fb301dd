//! Authenticated but odd: nothing is lost, nothing leaks, nothing panics.

use proptest::prelude::*;

use super::*;
use crate::event::types;

fn accept(body: &str) -> NewEvent {
    receive("v3.6", body).unwrap_or_else(|refusal| panic!("{refusal}: {body}")).events.remove(0)
}

#[test]
fn a_known_type_with_a_useless_payload_is_stored_as_that_type() {
    let payloads = [
        "null",
        "[]",
        "[{\"chat_id\":\"C\"}]",
        "7",
        "\"text\"",
        "{}",
        "{\"chat\":[],\"event\":[]}",
        "1e999",
        "{\"chat_id\":[],\"thread_id\":{},\"event\":null,\"properties\":[],\"queue\":7,\"user\":\"last_visit\"}",
    ];
    for event_type in types::PLATFORM {
        for payload in payloads {
            let body = format!(r#"{{"action":"{event_type}","secret_key":"{SECRET}","payload":{payload}}}"#);
            let event = accept(&body);
            assert_eq!((event.event_type.as_str(), event.chat_id), (*event_type, None), "{body}");
            assert!(matches!(event.dedupe, crate::event::Dedupe::Window(_)), "{body}");
            assert!(event.payload.contains(payload) || *event_type == "auto_accesses_updated", "{body}");
        }
        let bare = accept(&format!(r#"{{"action":"{event_type}","secret_key":"{SECRET}"}}"#));
        assert_eq!((bare.event_type.as_str(), bare.payload.as_str()), (*event_type, "{}"));
    }
}

#[test]
fn names_that_nobody_knows() {
    let long = "x".repeat(1_000);
    let cases = [
        ("something_new", "something_new"),
        ("chat_rated", "livechat.chat_rated"),
        ("timer", "livechat.timer"),
        ("a\\u0000b", "ab"),
        ("", "unknown"),
        (long.as_str(), &long[..64]),
    ];
    for (action, expected) in cases {
        let body = format!(r#"{{"action":"{action}","secret_key":"{SECRET}","payload":{{"chat_id":"C"}}}}"#);
        let webhook = receive("v3.6", &body).unwrap();
        assert_eq!((webhook.events[0].event_type.as_str(), webhook.known), (expected, false));
        assert_eq!(webhook.events[0].lane.as_deref(), Some("chat/C"));
    }
}

#[test]
fn numbers_nuls_and_broken_emoji_pass() {
    let body = r#"{"action":"incoming_event","secret_key":"fixture-secret","license_id":1e999,"payload":
        {"chat_id":"C\u0000","thread_id":99999999999999999999999,"event":{"id":7,"text":"\u0000 \ud83d","n":1e999}}}"#;
    let event = accept(body);
    assert_eq!((event.chat_id, event.thread_id), (None, None));
    assert!(event.payload.contains(r#""text":"\u0000 \ufffd","n":1e999"#));
    let array = receive("signed/array", "[1, {\"action\":\"x\"}]").unwrap();
    assert_eq!(json(&array.events[0].payload), serde_json::json!({"body": [1, {"action": "x"}]}));
}

#[test]
fn a_secret_leaves_in_no_form() {
    let bodies = [
        r#"{"action":"x","secret_key":"old","payload":{"a":1},"secret_key":"fixture-secret","token":"fixture-secret"}"#,
        r#"{"action":"x","secret_key":"fixture-secret","payload":{"secret_key":"fixture-secret"}}"#,
        r#"{"action":"x","secret_key":"fixture-secret","payload":{"a":["see \u0066ixture-secret!"]}}"#,
        r#"{"action":"x","secret_key":"fixture-secret","fixture-secret":1,"more":{"fixture-secret":2}}"#,
        r#"{"action":"x","secret_key":"another-valid-secret","payload":"fixture-secret"}"#,
        r#"{"action":"fixture-secret","secret_key":"fixture-secret","organization_id":"fixture-secret"}"#,
        r#"{"event_type":"chat_ended","token":"fixture-secret","chat":{"id":"fixture-secret"}}"#,
        r#"{"\u0061ction":"x","s\u0065cret_key":"fixture\u002dsecret","payload":{"k":"fixture-\ud83d\ude00"}}"#,
    ];
    for body in bodies {
        let all = shown(&receive("v3.6", body).unwrap());
        assert!(!all.contains("fixture-secret") && !all.contains("\"old\""), "{body}: {all}");
    }
}

/// All that a webhook says, with escapes undone.
fn shown(webhook: &Webhook) -> String {
    let unescaped = |text: &str| match serde_json::from_str::<Value>(text) {
        Ok(value) => value.to_string(),
        Err(_) => text.to_owned(),
    };
    let texts = webhook.events.iter().flat_map(|event| [&event.payload, &event.extra, &event.original]);
    let texts: Vec<String> = texts.map(|text| unescaped(text)).collect();
    format!("{webhook:?} {texts:?}")
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let bodies: Vec<String> = fixtures().into_iter().map(|(_, body)| body).collect();
    let words = [
        "\"",
        "{",
        "]",
        "\\",
        "null",
        "1e999",
        "\"fixture-secret\"",
        "fixture\\u002dsecret",
        "\u{0}",
        "é",
        "[[[",
    ];
    let change = (any::<proptest::sample::Index>(), 0..20_usize, proptest::sample::select(words.to_vec()));
    (proptest::sample::select(bodies), proptest::collection::vec(change, 0..4)).prop_map(|(body, changes)| {
        let mut body = body.into_bytes();
        for (at, removed, inserted) in changes {
            let at = at.index(body.len());
            let end = (at + removed).min(body.len());
            body.splice(at..end, inserted.bytes());
        }
        body
    })
}

fn survives(body: &[u8]) {
    let signature = sign(body);
    for signature in [None, Some(signature.as_bytes()), Some(&b"00"[..])] {
        match door().receive(body, signature, NOW) {
            Ok(webhook) => {
                let all = shown(&webhook);
                assert!(!all.contains(SECRET), "{all}");
            }
            Err(refusal) => assert!(!format!("{refusal:?} {refusal}").contains(SECRET), "{refusal:?}"),
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        survives(&body);
    }

    #[test]
    fn mutated_fixtures_are_survived(body in mutated()) {
        survives(&body);
    }

    #[test]
    fn any_text_in_a_message_is_survived(text in any::<String>()) {
        let event = serde_json::json!({"id": "e", "text": text});
        let payload = serde_json::json!({"chat_id": "C", "event": event});
        let body = serde_json::json!({"action": "incoming_event", "secret_key": SECRET, "payload": payload});
        let event = accept(&body.to_string());
        prop_assert_eq!(json(&event.payload), payload);
    }
}
