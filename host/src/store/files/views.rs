//! The read model of published files.

use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::super::{Error, Reader};
use crate::action::files::MediaType;
use crate::delivery::DeliveryId;
use crate::event::time::rfc3339;

/// A published file, as listings show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSummary {
    /// Whose it is.
    pub plugin: String,
    /// Its name.
    pub name: String,
    /// What it is: `text/csv` …
    pub media_type: String,
    /// The number of its newest version.
    pub version: i64,
    /// When that was published, RFC 3339.
    pub at: String,
    /// How large that is, bytes.
    pub bytes: i64,
    /// How many versions are kept.
    pub versions: i64,
    /// How many links to it there are, beside those of operators.
    pub tokens: i64,
}

/// One version of a published file, without what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileVersion {
    /// Its number: of two versions the newer one has the greater.
    pub version: i64,
    /// When it was published, RFC 3339.
    pub at: String,
    /// How large it is, bytes.
    pub bytes: i64,
    /// By which delivery.
    pub delivery: DeliveryId,
}

/// One version of a published file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileContent {
    /// Its name, which says what it is.
    pub name: String,
    /// Its number.
    pub version: i64,
    /// When it was published, milliseconds since 1970.
    pub at_ms: i64,
    /// What it says.
    pub content: String,
}

const CONTENT: &str = "SELECT name, id, at, content FROM files WHERE ";

impl Reader {
    /// The published files, of one plugin or of all.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn files(&self, plugin: Option<&str>) -> Result<Vec<FileSummary>, Error> {
        let mut select = self.connection.prepare_cached(
            "SELECT files.plugin, files.name, files.id, files.at, files.bytes, kept.versions,
                (SELECT count(*) FROM file_tokens AS links WHERE links.plugin = files.plugin AND links.name = files.name)
             FROM (SELECT max(id) AS newest, count(*) AS versions FROM files
                WHERE ?1 IS NULL OR plugin = ?1 GROUP BY plugin, name) AS kept
             JOIN files ON files.id = kept.newest ORDER BY files.plugin, files.name",
        )?;
        let rows = select.query_map(params![plugin], |row| {
            let name: String = row.get(1)?;
            Ok(FileSummary {
                plugin: row.get(0)?,
                media_type: MediaType::of(&name).unwrap_or(MediaType::Text).as_str().to_owned(),
                name,
                version: row.get(2)?,
                at: rfc3339(row.get(3)?),
                bytes: row.get(4)?,
                versions: row.get(5)?,
                tokens: row.get(6)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The versions of a file that are kept, the newest first.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn file_versions(&self, plugin: &str, name: &str) -> Result<Vec<FileVersion>, Error> {
        let mut select = self.connection.prepare_cached(
            "SELECT id, at, bytes, delivery FROM files WHERE plugin = ?1 AND name = ?2 ORDER BY id DESC",
        )?;
        let rows = select.query_map([plugin, name], |row| {
            let delivery = DeliveryId(row.get(3)?);
            Ok(FileVersion { version: row.get(0)?, at: rfc3339(row.get(1)?), bytes: row.get(2)?, delivery })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// A version of a file, by default the newest.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn file(&self, plugin: &str, name: &str, version: Option<i64>) -> Result<Option<FileContent>, Error> {
        let sql = format!(
            "{CONTENT} plugin = ?1 AND name = ?2 AND (?3 IS NULL OR id = ?3) ORDER BY id DESC LIMIT 1"
        );
        let mut select = self.connection.prepare_cached(&sql)?;
        Ok(select.query_row(params![plugin, name, version], content).optional()?)
    }

    /// What was published last under a name, by whichever plugin.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn newest_file(&self, name: &str) -> Result<Option<FileContent>, Error> {
        let sql = format!("{CONTENT} id = (SELECT max(id) FROM files WHERE name = ?1)");
        let mut select = self.connection.prepare_cached(&sql)?;
        Ok(select.query_row([name], content).optional()?)
    }
}

fn content(row: &Row<'_>) -> rusqlite::Result<FileContent> {
    Ok(FileContent { name: row.get(0)?, version: row.get(1)?, at_ms: row.get(2)?, content: row.get(3)? })
}
