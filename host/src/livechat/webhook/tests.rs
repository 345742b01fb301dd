use std::fs;
use std::path::PathBuf;

use secrecy::SecretString;
use serde_json::Value;

use super::*;

mod captured;
mod fixtures;
mod hostile;
mod refusals;
mod shapes;

const SECRET: &str = "fixture-secret";
const NOW: i64 = 1_780_400_000_000;

fn door() -> Door {
    let secrets = ["another-valid-secret", SECRET].map(SecretString::from);
    Door { secrets: Secrets::new(secrets), organization: None, us: Us::default(), json_depth: 64 }
}

/// Path below `tests/payloads` and text of each fixture.
fn fixtures() -> Vec<(String, String)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/payloads");
    let mut found = Vec::new();
    for folder in ["v3.2", "v3.3", "v3.4", "v3.5", "v3.6", "v2", "signed"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{folder}/{}", path.file_stem().unwrap().to_str().unwrap());
            found.push((name, fs::read_to_string(path).unwrap()));
        }
    }
    found.sort();
    found
}

fn fixture(name: &str) -> String {
    let found = fixtures().into_iter().find(|(found, _)| found == name);
    found.unwrap_or_else(|| panic!("no fixture {name}")).1
}

fn sign(body: &[u8]) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap().chain_update(body);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Receives a fixture in the way that its folder says.
fn receive(name: &str, body: &str) -> Result<Webhook, Refusal> {
    let signature = name.starts_with("signed/").then(|| sign(body.as_bytes()));
    door().receive(body.as_bytes(), signature.as_ref().map(String::as_bytes), NOW)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
