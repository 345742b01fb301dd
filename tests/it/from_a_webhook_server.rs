//! What a webhook server's senders do goes on working: the lines of `docs/from-a-webhook-server.md`.

use std::path::Path;
use std::process::Command;

use chatplug_tests::{Host, SECRET};
use serde_json::Value;

/// The document's blocks for a shell, each with the sentence before it.
fn blocks(text: &str) -> Vec<(&str, &str)> {
    let parts: Vec<&str> = text.split("```").collect();
    let block = |pair: &[&'_ str]| pair[1].starts_with("sh curl\n");
    let pairs = parts.windows(2).filter(|pair| block(pair));
    pairs.map(|pair| (pair[0].trim(), pair[1].trim_start_matches("sh curl\n"))).collect()
}

#[tokio::test]
async fn each_line_of_the_document_does_what_is_said() {
    let host = Host::start("", &[]);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/from-a-webhook-server.md");
    let text = std::fs::read_to_string(path).expect("the document");
    let blocks = blocks(&text);
    assert_eq!(blocks.len(), text.matches("```sh curl\n").count());
    for (sentence, lines) in &blocks {
        let output = Command::new("sh")
            .args(["-eu", "-c", lines])
            .env("HOST", host.url(""))
            .env("SECRET", SECRET)
            .output()
            .expect("there is a shell");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{}\n{lines}{said}", sentence.lines().last().unwrap_or_default());
    }
    let types: Vec<Value> = host.events().iter().map(|event| event["type"].clone()).collect();
    let expected = [
        "chat_deactivated",
        "rating_added",
        "chat_rated",
        "incoming_chat",
        "chat_deactivated",
        "chat_deactivated",
    ];
    assert_eq!(types, expected);
}
