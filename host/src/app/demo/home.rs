//! The temporary folder of the demo's host: its config, secrets, plugins and data.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::TempDir;

use crate::simulator::scenario::{Stage, plugin_config};
use crate::simulator::{hubspot, livechat};

/// The secret of the simulated webhooks.
pub(super) const WEBHOOK_SECRET: &str = "simulated-webhook-secret";
/// The plugins of the story.
pub(super) const PLUGINS: [&str; 3] = ["low-rating-alert", "routing-rules", "crm-notes"];

/// The folder; it is removed with the value.
pub(super) struct Home {
    folder: TempDir,
}

impl Home {
    /// Makes the folder, with the plugins' components out of `built`.
    pub(super) fn furnish(stage: &Stage, built: &Path) -> anyhow::Result<Home> {
        let folder = tempfile::Builder::new()
            .prefix("chatplug-demo-")
            .tempdir()
            .context("cannot make a temporary folder")?;
        let home = Home { folder };
        home.write(stage).with_context(|| format!("cannot write to {}", home.folder.path().display()))?;
        for plugin in PLUGINS {
            let file = component(plugin);
            fs::copy(built.join(&file), home.plugins().join(&file)).with_context(|| {
                format!(
                    "cannot copy the plugin {}: build the plugins with `cargo xtask plugins`, or name their \
                     folder with --plugins",
                    built.join(&file).display()
                )
            })?;
        }
        Ok(home)
    }

    pub(super) fn config(&self) -> PathBuf {
        self.folder.path().join("chatplug.toml")
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(super) fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    fn write(&self, stage: &Stage) -> std::io::Result<()> {
        let secrets = self.folder.path().join("secrets");
        fs::create_dir(&secrets)?;
        fs::create_dir(self.plugins())?;
        // Files rather than environment variables: the commands that the demo shows need them as well.
        fs::write(secrets.join("webhook"), WEBHOOK_SECRET)?;
        fs::write(secrets.join("livechat"), livechat::PAT)?;
        fs::write(secrets.join("hubspot"), hubspot::TOKEN)?;
        fs::write(secrets.join("slack"), stage.slack.webhook_url())?;
        fs::write(self.config(), config(&stage.livechat.base_url(), &stage.hubspot.base_url()))
    }
}

/// The file of a plugin's component.
pub(super) fn component(plugin: &str) -> String {
    format!("{}.wasm", plugin.replace('-', "_"))
}

fn config(livechat: &str, hubspot: &str) -> String {
    let (account_id, client_id, agent_id) = (livechat::ACCOUNT_ID, livechat::CLIENT_ID, livechat::PAT_OWNER);
    let plugins = plugin_config();
    format!(
        r#"# The config of the demo's host. A real one has no base_url under [livechat], no allow_private, and other
# secrets.

[server]
listen = "127.0.0.1:0"

[operator]
listen = "127.0.0.1:0"

[livechat]
base_url = "{livechat}"
allow_private = true
account_id = "{account_id}"
token = {{ file = "secrets/livechat" }}
client_id = "{client_id}"
agent_id = "{agent_id}"

[livechat.webhooks]
secrets = [{{ file = "secrets/webhook" }}]

[connections.hubspot]
kind = "hubspot"
base_url = "{hubspot}"
allow_private = true
bearer = {{ file = "secrets/hubspot" }}

[connections.slack]
kind = "slack"
url = {{ file = "secrets/slack" }}
allow_private = true
post = "repeatable"
{plugins}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::demo::stage;
    use crate::config::Config;

    fn built() -> TempDir {
        let built = tempfile::tempdir().expect("a folder");
        for plugin in PLUGINS {
            fs::write(built.path().join(component(plugin)), plugin).expect("a file");
        }
        built
    }

    #[tokio::test]
    async fn the_config_is_right_and_has_every_plugin_of_the_folder() {
        let stage = stage().await.expect("ports");
        let home = Home::furnish(&stage, built().path()).expect("a home");
        let config = Config::load(&home.config()).expect("a config");
        assert_eq!(config.warnings(), [""; 0]);
        let configured: Vec<&str> = config.plugins.keys().map(String::as_str).collect();
        for plugin in PLUGINS {
            assert!(configured.contains(&plugin), "{configured:?}");
            assert!(home.plugins().join(component(plugin)).is_file(), "{plugin}");
        }
        assert_eq!(configured.len(), PLUGINS.len());
    }

    #[tokio::test]
    async fn plugins_that_were_not_built_are_named() {
        let stage = stage().await.expect("ports");
        let built = built();
        fs::remove_file(built.path().join("crm_notes.wasm")).expect("it was there");
        let error = Home::furnish(&stage, built.path()).err().expect("a refusal");
        let text = format!("{error:#}");
        assert!(text.contains("crm_notes.wasm") && text.contains("cargo xtask plugins"), "{text}");
    }

    #[tokio::test]
    async fn nothing_is_left_behind() {
        let stage = stage().await.expect("ports");
        let home = Home::furnish(&stage, built().path()).expect("a home");
        let config = home.config();
        drop(home);
        assert!(!config.parent().expect("a folder").exists());
    }
}
