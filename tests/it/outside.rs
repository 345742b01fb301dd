//! A plugin in a crate outside of this repository, exactly as the README shows it: built, dropped, and acting.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chatplug::simulator::livechat::Opening;
use chatplug_tests::deliveries;

use crate::services::Stage;

/// The README's block with this info string.
fn block(info: &str) -> String {
    let readme = fs::read_to_string(root().join("README.md")).expect("the README");
    let fence = format!("```{info}\n");
    let start =
        readme.find(&fence).unwrap_or_else(|| panic!("the README has no block `{info}`")) + fence.len();
    let end = readme[start..].find("```").expect("the block ends");
    readme[start..start + end].to_owned()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests is a folder of the repository")
}

/// Makes the README's crate with the SDK of this checkout in place of the published one, and builds it.
fn build(folder: &Path) -> PathBuf {
    let manifest = block("toml plugin");
    let published = "{ git = \"https://github.com/chatplug/chatplug\" }";
    assert!(manifest.contains(published), "{manifest}");
    let here = format!("{{ path = {:?} }}", root().join("plugin-sdk"));
    fs::create_dir(folder.join("src")).expect("a folder for the sources");
    fs::write(folder.join("Cargo.toml"), manifest.replace(published, &here)).expect("the manifest");
    fs::write(folder.join("src/lib.rs"), block("rust plugin")).expect("the plugin");
    // The versions of this checkout: what is built offline or a year from now is the same.
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).expect("the lock file");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--target", "wasm32-wasip2", "--release"])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder.join("target/wasm32-wasip2/release/hello.wasm")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plugin_of_the_readme_is_built_dropped_and_acts() {
    let folder = tempfile::tempdir().expect("a folder for the crate");
    let component = build(folder.path());
    let config = block("toml chatplug").parse().expect("the README's section is TOML");
    let stage = Stage::with(config, component).await;
    stage.host.wait_for_plugin("hello", "active");
    stage.send_webhooks();
    let chat = stage.livechat.start_chat(&Opening::by("Dana")).expect("a chat begins");
    let events = stage.settled().await;
    let began = events.iter().find(|event| event["type"] == "incoming_chat").expect("the chat's event");
    assert_eq!(deliveries(began).next().expect("a delivery")["state"], "succeeded", "{began:#}");
    assert_eq!(stage.notes(&chat.chat_id), ["Ask for the order number first."]);
}
