//! Links to published files.

use anyhow::bail;
use serde::Deserialize;
use serde_json::json;

use super::{Link, Way, now_ms};
use crate::action::files::check_name;
use crate::cli::text;
use crate::manifest::is_kebab_case;
use crate::store::FileToken;

#[derive(Deserialize)]
struct Revoked {
    revoked: u64,
}

impl Link {
    /// Makes a link to the newest version of a file; answers its token.
    ///
    /// # Errors
    /// If there is no such file, or there are too many links to it; those of the host or of the store.
    pub async fn make_file_token(&self, plugin: &str, name: &str) -> anyhow::Result<String> {
        let made = match &self.way {
            Way::Host(host) => {
                let path = path(plugin, name, "token")?;
                host.post(&path, &json!({}), &self.who).await?
            }
            Way::Store { store, .. } => {
                store.make_file_token(plugin, name, self.who.clone(), now_ms()).await?
            }
        };
        match made {
            FileToken::Made(token) => Ok(token),
            FileToken::NoFile => {
                bail!("`{}` has published no `{}`", text::escape(plugin), text::escape(name))
            }
            FileToken::TooMany(there) => {
                bail!(
                    "there are {there} links to the file: take them back first with `chatplug files revoke`"
                )
            }
        }
    }

    /// Takes all links to a file back; answers how many there were.
    ///
    /// # Errors
    /// Those of the host or of the store.
    pub async fn revoke_file_tokens(&self, plugin: &str, name: &str) -> anyhow::Result<u64> {
        match &self.way {
            Way::Host(host) => {
                let path = path(plugin, name, "revoke")?;
                let Revoked { revoked } = host.post(&path, &json!({}), &self.who).await?;
                Ok(revoked)
            }
            Way::Store { store, .. } => {
                Ok(store.revoke_file_tokens(plugin, name, self.who.clone(), now_ms()).await?)
            }
        }
    }
}

/// Where a change of a file's links is asked for.
fn path(plugin: &str, name: &str, change: &str) -> anyhow::Result<String> {
    if !is_kebab_case(plugin) {
        bail!("`{}` is no name of a plugin: these are in kebab-case", plugin.escape_debug());
    }
    check_name(name).map_err(|error| anyhow::Error::msg(error.message))?;
    Ok(format!("/api/v1/files/{plugin}/{name}/{change}"))
}
