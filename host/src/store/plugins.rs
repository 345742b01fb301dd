//! What the host says of each plugin and each file.

use std::sync::Arc;

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::{Error, Reader, Store};

/// What the host says of one plugin or one file of the plugin folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginStatus {
    /// The plugin's name; `None` where the file could not be read that far.
    pub name: Option<String>,
    /// The file in the plugin folder; `None` for a configured plugin without one.
    pub file: Option<String>,
    /// The content hash of the file, or of the version that runs.
    pub version: Option<String>,
    /// The manifest's text for it.
    pub release: Option<String>,
    /// `active`, `compiling`, `unconfigured`, `disabled`, `awaiting approval`, `pinned`, `rolled back`, `rejected`,
    /// `conflict`, `absent`, `off`.
    pub state: String,
    /// Why, and what to do; empty where there is nothing to say.
    pub reason: String,
    /// If another version of the plugin is running meanwhile: its content hash.
    pub serving: Option<String>,
    /// During the probation of the version: the content hash of the one that stands by.
    #[serde(default)]
    pub standby: Option<String>,
    /// The event types that the manifest handles.
    pub handles: Vec<String>,
    /// Its schedules as they are in effect: name and rule.
    #[serde(default)]
    pub schedules: Vec<String>,
    /// What operators can ask of it: name and description.
    #[serde(default)]
    pub commands: Vec<CommandStatus>,
    /// The event types that the config switches on.
    pub events: Vec<String>,
    /// The capabilities that it asks for.
    pub asks: Vec<String>,
    /// What the config grants.
    pub grants: Vec<String>,
    /// What the config denies.
    pub denies: Vec<String>,
}

/// A command of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandStatus {
    /// Its name.
    pub name: String,
    /// What it does, and its arguments.
    pub description: String,
}

impl Store {
    /// Replaces what is shown of all plugins and files.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn set_plugin_statuses(&self, statuses: Vec<PluginStatus>) -> Result<(), Error> {
        self.write(move |group| {
            group.connection.execute("DELETE FROM plugin_status", [])?;
            let mut insert = group
                .connection
                .prepare_cached("INSERT INTO plugin_status (position, status) VALUES (?1, ?2)")?;
            for (position, status) in statuses.iter().enumerate() {
                let json = serde_json::to_string(status).unwrap_or_default();
                insert.execute(params![position as i64, json])?;
            }
            Ok(())
        })
        .await
    }

    /// What the host last said of all plugins and files.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn plugin_statuses(&self) -> Result<Vec<PluginStatus>, Error> {
        self.read(statuses).await
    }

    /// What the host last said of a plugin.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn plugin_status(&self, plugin: Arc<str>) -> Result<Option<PluginStatus>, Error> {
        let statuses = self.plugin_statuses().await?;
        Ok(statuses.into_iter().find(|status| status.name.as_deref() == Some(&*plugin)))
    }
}

impl Reader {
    /// What the host last said of all plugins and files.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn plugin_statuses(&self) -> Result<Vec<PluginStatus>, Error> {
        Ok(statuses(&self.connection)?)
    }
}

fn statuses(connection: &Connection) -> rusqlite::Result<Vec<PluginStatus>> {
    let mut select = connection.prepare("SELECT status FROM plugin_status ORDER BY position")?;
    let rows = select.query_map([], |row| row.get::<_, String>(0))?;
    let texts: Vec<String> = rows.collect::<rusqlite::Result<_>>()?;
    Ok(texts.iter().filter_map(|text| serde_json::from_str(text).ok()).collect())
}
