//! Links to one published file: whoever has the token may see the newest version of that file, and nothing else.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::params;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::super::operator::audit::{Deed, record};
use super::super::writer::Group;
use super::super::{Error, Store};
use crate::limits::FILE_TOKENS_MAX;

/// A token of 256 random bits can't be guessed: a plain digest of it is enough.
const TOKEN_BYTES: usize = 32;

/// What came of asking for a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileToken {
    /// The token; it is shown this one time, and the store doesn't know it.
    Made(String),
    /// There is no such file.
    NoFile,
    /// So many links there are: some have to be revoked first.
    TooMany(u32),
}

impl Store {
    /// Makes a token for the newest version of one file, for `who`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn make_file_token(
        &self,
        plugin: &str,
        name: &str,
        who: String,
        now_ms: i64,
    ) -> Result<FileToken, Error> {
        let (plugin, name) = (plugin.to_owned(), name.to_owned());
        let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; TOKEN_BYTES]>());
        let digest = digest(&token);
        self.write(move |group| {
            let refused = refusal(group, &plugin, &name)?;
            if let Some(refused) = refused {
                return Ok(refused);
            }
            let mut insert = group.connection.prepare_cached(
                "INSERT INTO file_tokens (plugin, name, digest, made_at) VALUES (?1, ?2, ?3, ?4)",
            )?;
            insert.execute(params![plugin, name, digest, now_ms])?;
            note(group, &who, "files.token", &plugin, &name, None, now_ms)?;
            Ok(FileToken::Made(token))
        })
        .await
    }

    /// Takes all tokens of a file back, for `who`; answers how many there were.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn revoke_file_tokens(
        &self,
        plugin: &str,
        name: &str,
        who: String,
        now_ms: i64,
    ) -> Result<u64, Error> {
        let (plugin, name) = (plugin.to_owned(), name.to_owned());
        self.write(move |group| {
            let mut delete =
                group.connection.prepare_cached("DELETE FROM file_tokens WHERE plugin = ?1 AND name = ?2")?;
            let gone = delete.execute([&plugin, &name])? as u64;
            if gone > 0 {
                note(group, &who, "files.revoke", &plugin, &name, Some(gone), now_ms)?;
            }
            Ok(gone)
        })
        .await
    }

    /// Whether a token is one of a file's.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn is_file_token(&self, plugin: &str, name: &str, token: &str) -> Result<bool, Error> {
        let (plugin, name, given) = (plugin.to_owned(), name.to_owned(), digest(token));
        self.read(move |connection| {
            let mut select = connection
                .prepare_cached("SELECT digest FROM file_tokens WHERE plugin = ?1 AND name = ?2")?;
            let rows = select.query_map([&plugin, &name], |row| row.get::<_, Vec<u8>>(0))?;
            let mut is_one = false;
            for digest in rows {
                // All are compared in any case: the time that it takes says nothing.
                is_one |= bool::from(digest?.ct_eq(&given));
            }
            Ok(is_one)
        })
        .await
    }
}

fn digest(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// Why there can't be another token.
fn refusal(group: &Group<'_>, plugin: &str, name: &str) -> rusqlite::Result<Option<FileToken>> {
    let mut select =
        group.connection.prepare_cached("SELECT 1 FROM files WHERE plugin = ?1 AND name = ?2 LIMIT 1")?;
    if !select.exists([plugin, name])? {
        return Ok(Some(FileToken::NoFile));
    }
    let mut select = group
        .connection
        .prepare_cached("SELECT count(*) FROM file_tokens WHERE plugin = ?1 AND name = ?2")?;
    let there: u32 = select.query_row([plugin, name], |row| row.get(0))?;
    Ok((there >= FILE_TOKENS_MAX).then_some(FileToken::TooMany(there)))
}

fn note(
    group: &Group<'_>,
    who: &str,
    action: &'static str,
    plugin: &str,
    name: &str,
    tokens: Option<u64>,
    now_ms: i64,
) -> rusqlite::Result<()> {
    let before = tokens.map(|tokens| json!({ "tokens": tokens }));
    let deed = Deed { who, action, subject: format!("file {plugin}/{name}"), before, after: None };
    record(group.connection, &deed, now_ms)
}

/// Notes which tokens lead to nothing now, and removes those that have done so since before a time.
pub(super) fn prune(group: &Group<'_>, before_ms: i64, now_ms: i64) -> rusqlite::Result<()> {
    let mut update = group.connection.prepare_cached(
        "UPDATE file_tokens SET missing_since = CASE WHEN missing_since IS NULL THEN ?1 END
         WHERE (missing_since IS NULL) <> EXISTS
            (SELECT 1 FROM files WHERE files.plugin = file_tokens.plugin AND files.name = file_tokens.name)",
    )?;
    update.execute([now_ms])?;
    let mut delete = group.connection.prepare_cached("DELETE FROM file_tokens WHERE missing_since < ?1")?;
    delete.execute([before_ms]).map(|_| ())
}
