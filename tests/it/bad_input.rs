//! Bad webhooks: a clear status, nothing stored, nothing in the log of what they said.

use chatplug_tests::{Host, SECRET};
use serde_json::{Value, json};

use crate::client::{accept, message, post, post_signed, signature, webhook};

#[tokio::test]
async fn bad_webhooks_are_refused_and_counted() {
    let host = Host::start("", &[]);
    let deep = format!(
        r#"{{"action":"incoming_chat","secret_key":"{SECRET}","payload":{}{}}}"#,
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    let large = format!(
        r#"{{"action":"incoming_chat","secret_key":"{SECRET}","payload":{{"x":"{}"}}}}"#,
        "a".repeat(2 << 20)
    );
    let valid = message("C1", 1);
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        ("nothing", Vec::new(), 400),
        ("garbage", b"marker-in-garbage \x00\xff\xfe".to_vec(), 400),
        ("cut off", valid.as_bytes()[..valid.len() / 2].to_vec(), 400),
        ("too deep", deep.into_bytes(), 400),
        ("too large", large.into_bytes(), 413),
        ("an array", b"[]".to_vec(), 403),
        ("no secret", json!({ "action": "incoming_chat", "payload": {} }).to_string().into_bytes(), 403),
        ("a wrong secret", valid.replace(SECRET, "marker-in-wrong-secret").into_bytes(), 403),
        ("an empty secret", valid.replace(SECRET, "").into_bytes(), 403),
        ("a secret that is no text", valid.replace(&format!("\"{SECRET}\""), "null").into_bytes(), 403),
        (
            "a tutorial body that nobody signed",
            json!({ "event_type": "rating_added" }).to_string().into_bytes(),
            403,
        ),
        (
            "an app's life cycle",
            json!({ "applicationID": "a", "event": "application_installed" }).to_string().into_bytes(),
            403,
        ),
    ];
    let count = cases.len() as u64;
    for (what, body, expected) in cases {
        let (status, text) = post(&host, body).await;
        assert_eq!(status.as_u16(), expected, "{what}: {text}");
    }
    let ready: Value =
        reqwest::get(host.url("/readyz")).await.expect("an answer").json().await.expect("JSON");
    let refused: u64 =
        ready["refused"].as_object().expect("reasons").values().filter_map(|r| r["total"].as_u64()).sum();
    assert_eq!(refused, count, "{ready}");
    assert_eq!(host.events(), Vec::<Value>::new());
    assert!(!host.log().contains("marker-in"), "{}", host.log());
    accept(&host, valid).await;
    assert_eq!(host.events().len(), 1);
}

#[tokio::test]
async fn a_wrong_signature_refuses_even_a_body_with_the_right_secret() {
    let host = Host::start("", &[]);
    let body = message("C1", 1).into_bytes();
    let right = signature(&body);
    for wrong in
        ["", "00", &right[..62], &format!("{right}00"), &"zz".repeat(32), &signature(b"another body")]
    {
        let (status, text) = post_signed(&host, body.clone(), wrong).await;
        assert_eq!(status, 403, "{wrong:?}: {text}");
    }
    assert!(host.events().is_empty());
    let (status, _) = post_signed(&host, body, &right).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn strange_but_authentic_webhooks_are_stored() {
    let host = Host::start("", &[]);
    for (action, payload) in [
        ("not_invented_yet", json!({ "chat_id": "C1" })),
        ("incoming_event", json!([])),
        ("incoming_chat", json!({ "chat": [] })),
        ("chat_deactivated", json!("text")),
    ] {
        accept(&host, webhook(action, &payload)).await;
    }
    let events = host.events();
    let types: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(types, ["not_invented_yet", "incoming_event", "incoming_chat", "chat_deactivated"]);
}

#[tokio::test]
async fn without_a_secret_everything_is_refused() {
    let mut host = Host::prepared("", &[]);
    let text = std::fs::read_to_string(host.config_path()).expect("the config");
    let without = text.replace("secrets = [{ env = \"TEST_WEBHOOK_SECRET\" }]", "secrets = []");
    std::fs::write(host.config_path(), without).expect("the config can be written");
    host.run();
    let (status, text) = post(&host, message("C1", 1)).await;
    assert_eq!(status, 403, "{text}");
    assert!(text.contains("no-secret-configured"), "{text}");
}

#[tokio::test]
async fn the_secret_is_nowhere_on_disk() {
    let host = Host::start("", &[]);
    accept(&host, message("C1", 1)).await;
    let (status, _) = post(&host, message("C1", 2).replace("message 2", SECRET)).await;
    assert_eq!(status, 200);
    for entry in std::fs::read_dir(host.data()).expect("the data folder") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let bytes = std::fs::read(&path).expect("a file");
            let found = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
            assert!(!found, "{} holds the secret", path.display());
        }
    }
    assert!(!host.log().contains(SECRET));
}
