//! What the store knows of the versions of each plugin: which is active, which were, what became of each and why.

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::{DeedOfOperator, Error, Reader, Store};
use crate::event::time::rfc3339;

/// Versions of a plugin that are remembered; those that were touched last.
const VERSIONS_MAX: i64 = 50;
/// Entries of a plugin's history.
const HISTORY_MAX: i64 = 200;

/// A version of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionName {
    /// The plugin.
    pub plugin: String,
    /// The version's content hash.
    pub hash: String,
    /// The manifest's text for it.
    pub release: String,
    /// What it asks for.
    pub asks: Vec<String>,
}

/// The version of a plugin that was active last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoodVersion {
    /// The plugin.
    pub plugin: String,
    /// Its content hash.
    pub hash: String,
    /// The name of the file that it came from.
    pub file: String,
}

/// What is known of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownVersion {
    /// Which.
    pub name: VersionName,
    /// When it became active last, milliseconds since 1970; `None` if it never was.
    pub active_at_ms: Option<i64>,
    /// Whether its probation is behind it.
    pub is_proved: bool,
    /// Whether an operator has let it run.
    pub is_approved: bool,
    /// How often it failed on probation where the older one didn't.
    pub strikes: u32,
    /// If it was taken back.
    pub taken_back: Option<TakenBack>,
}

/// Why a version is not to run any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenBack {
    /// The operator who did it; `None` if it was the host.
    pub by: Option<String>,
    /// For people; no text of plugins or customers.
    pub why: String,
}

/// An entry in the history of a plugin's versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionChange {
    /// When, RFC 3339.
    pub at: String,
    /// The version's content hash.
    pub version: String,
    /// The manifest's text for it.
    pub release: String,
    /// `active`, `proved`, `rolled back`, `approved`, `rejected`, `awaiting approval`, `pinned`.
    pub what: String,
    /// Why, for people.
    pub why: String,
}

const COLUMNS: &str =
    "plugin, hash, release, asks, active_at, proved_at IS NOT NULL, approved_at IS NOT NULL, strikes,
    bad_at IS NOT NULL, bad_by, coalesce(bad_why, '')";

impl Store {
    /// The versions that were active last, one for each plugin.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn good_versions(&self) -> Result<Vec<GoodVersion>, Error> {
        self.read(|connection| {
            let mut select =
                connection.prepare("SELECT plugin, hash, file FROM good_versions ORDER BY plugin")?;
            let rows = select.query_map([], |row| {
                Ok(GoodVersion { plugin: row.get(0)?, hash: row.get(1)?, file: row.get(2)? })
            })?;
            rows.collect()
        })
        .await
    }

    /// All versions that are known.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn versions(&self) -> Result<Vec<KnownVersion>, Error> {
        self.read(versions).await
    }

    /// Records that a version became active; one that is not on probation has proved itself.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn version_became_active(
        &self,
        version: VersionName,
        file: String,
        is_proved: bool,
        why: String,
        now_ms: i64,
    ) -> Result<(), Error> {
        self.write(move |group| {
            let connection = group.connection;
            insert(connection, &version)?;
            connection.execute(
                "UPDATE versions SET active_at = ?3, proved_at = coalesce(proved_at, CASE WHEN ?4 THEN ?3 END)
                 WHERE plugin = ?1 AND hash = ?2",
                params![version.plugin, version.hash, now_ms, is_proved],
            )?;
            connection.execute(
                "INSERT INTO good_versions (plugin, hash, file, since) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (plugin) DO UPDATE SET hash = ?2, file = ?3, since = ?4",
                params![version.plugin, version.hash, file, now_ms],
            )?;
            note(connection, &version, "active", &why, now_ms)?;
            forget_old(connection, &version.plugin)
        })
        .await
    }

    /// Records that a version has proved itself.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn version_proved(&self, version: VersionName, why: String, now_ms: i64) -> Result<(), Error> {
        self.write(move |group| {
            group.connection.execute(
                "UPDATE versions SET proved_at = ?3, strikes = 0 WHERE plugin = ?1 AND hash = ?2",
                params![version.plugin, version.hash, now_ms],
            )?;
            note(group.connection, &version, "proved", &why, now_ms)
        })
        .await
    }

    /// Records how often a version has failed on probation.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn version_struck(&self, plugin: String, hash: String, strikes: u32) -> Result<(), Error> {
        self.write(move |group| {
            let sql = "UPDATE versions SET strikes = ?3 WHERE plugin = ?1 AND hash = ?2";
            group.connection.execute(sql, params![plugin, hash, strikes]).map(|_| ())
        })
        .await
    }

    /// Records that a version was taken back; with what the operator did, if it was an operator. `to` is the one to
    /// go back to: of those that are good it counts as the one that was active last.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn take_version_back(
        &self,
        version: VersionName,
        to: String,
        why: String,
        deed: Option<DeedOfOperator>,
        now_ms: i64,
    ) -> Result<(), Error> {
        self.write(move |group| {
            let connection = group.connection;
            insert(connection, &version)?;
            connection.execute(
                "UPDATE versions SET bad_at = ?3, bad_by = ?4, bad_why = ?5, approved_at = NULL WHERE plugin = ?1 AND hash = ?2",
                params![version.plugin, version.hash, now_ms, deed.as_ref().map(|deed| &deed.who), why],
            )?;
            connection.execute(
                "UPDATE versions SET active_at = ?3, bad_at = NULL,
                     proved_at = CASE WHEN ?4 THEN coalesce(proved_at, ?3) ELSE proved_at END
                 WHERE plugin = ?1 AND hash = ?2",
                // What an operator names runs before all others, and has nothing left to prove.
                params![version.plugin, to, now_ms, deed.is_some()],
            )?;
            note(connection, &version, "rolled back", &why, now_ms)?;
            deed.map_or(Ok(()), |deed| deed.record(connection, now_ms))
        })
        .await
    }

    /// Records that an operator lets a version run, also one that was taken back.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn approve_version(
        &self,
        version: VersionName,
        deed: DeedOfOperator,
        now_ms: i64,
    ) -> Result<(), Error> {
        self.write(move |group| {
            insert(group.connection, &version)?;
            group.connection.execute(
                "UPDATE versions SET approved_at = ?3, strikes = 0, bad_at = NULL, bad_by = NULL, bad_why = NULL
                 WHERE plugin = ?1 AND hash = ?2",
                params![version.plugin, version.hash, now_ms],
            )?;
            note(group.connection, &version, "approved", &format!("by {}", deed.who), now_ms)?;
            deed.record(group.connection, now_ms)
        })
        .await
    }

    /// Writes into the history why a version doesn't run, unless that is the last that it says.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn note_version(
        &self,
        version: VersionName,
        what: String,
        why: String,
        now_ms: i64,
    ) -> Result<(), Error> {
        self.write(move |group| note(group.connection, &version, &what, &why, now_ms)).await
    }
}

impl Reader {
    /// All versions that are known.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn versions(&self) -> Result<Vec<KnownVersion>, Error> {
        Ok(versions(&self.connection)?)
    }

    /// How it went with the versions of a plugin, the newest change first.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn version_history(&self, plugin: &str, limit: usize) -> Result<Vec<VersionChange>, Error> {
        let mut select = self.connection.prepare(
            "SELECT at, hash, release, what, why FROM version_log WHERE plugin = ?1 ORDER BY id DESC LIMIT ?2",
        )?;
        let rows = select.query_map(params![plugin, limit as i64], |row| {
            Ok(VersionChange {
                at: rfc3339(row.get(0)?),
                version: row.get(1)?,
                release: row.get(2)?,
                what: row.get(3)?,
                why: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

fn versions(connection: &Connection) -> rusqlite::Result<Vec<KnownVersion>> {
    let mut select = connection.prepare(&format!("SELECT {COLUMNS} FROM versions ORDER BY plugin, hash"))?;
    let rows = select.query_map([], |row| {
        let asks: String = row.get(3)?;
        let name = VersionName {
            plugin: row.get(0)?,
            hash: row.get(1)?,
            release: row.get(2)?,
            asks: serde_json::from_str(&asks).unwrap_or_default(),
        };
        let is_bad: bool = row.get(8)?;
        let taken_back = TakenBack { by: row.get(9)?, why: row.get(10)? };
        Ok(KnownVersion {
            name,
            active_at_ms: row.get(4)?,
            is_proved: row.get(5)?,
            is_approved: row.get(6)?,
            strikes: row.get(7)?,
            taken_back: is_bad.then_some(taken_back),
        })
    })?;
    rows.collect()
}

fn insert(connection: &Connection, version: &VersionName) -> rusqlite::Result<()> {
    let asks = serde_json::to_string(&version.asks).unwrap_or_default();
    let sql = "INSERT INTO versions (plugin, hash, release, asks) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (plugin, hash) DO UPDATE SET release = ?3, asks = ?4";
    connection.execute(sql, params![version.plugin, version.hash, version.release, asks]).map(|_| ())
}

fn note(
    connection: &Connection,
    version: &VersionName,
    what: &str,
    why: &str,
    now_ms: i64,
) -> rusqlite::Result<()> {
    let VersionName { plugin, hash, release, .. } = version;
    let last: Option<(String, String, String)> = connection
        .query_row(
            "SELECT hash, what, why FROM version_log WHERE plugin = ?1 ORDER BY id DESC LIMIT 1",
            [plugin],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    if last.is_some_and(|last| last == (hash.clone(), what.to_owned(), why.to_owned())) {
        return Ok(());
    }
    connection.execute(
        "INSERT INTO version_log (plugin, at, hash, release, what, why) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![plugin, now_ms, hash, release, what, why],
    )?;
    connection.execute(
        "DELETE FROM version_log WHERE plugin = ?1 AND id <=
            (SELECT id FROM version_log WHERE plugin = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        params![plugin, HISTORY_MAX],
    )?;
    Ok(())
}

/// Forgets the versions of a plugin that nothing was heard of for longest.
fn forget_old(connection: &Connection, plugin: &str) -> rusqlite::Result<()> {
    connection.execute(
        "DELETE FROM versions WHERE plugin = ?1 AND hash IN (
            SELECT hash FROM versions WHERE plugin = ?1
            ORDER BY max(coalesce(active_at, 0), coalesce(approved_at, 0), coalesce(bad_at, 0)) DESC LIMIT -1 OFFSET ?2)",
        params![plugin, VERSIONS_MAX],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Opened;

    fn version(hash: &str) -> VersionName {
        let hash = format!("sha256:{hash}");
        VersionName { plugin: "p".into(), hash, release: "1".into(), asks: vec!["chats.tag".into()] }
    }

    fn deed(action: &'static str) -> DeedOfOperator {
        DeedOfOperator { who: "cli:mary".into(), action, subject: "p".into(), before: None, after: None }
    }

    async fn known(store: &Store, hash: &str) -> KnownVersion {
        let all = store.versions().await.unwrap();
        all.into_iter().find(|known| known.name == version(hash)).unwrap()
    }

    #[tokio::test]
    async fn what_becomes_of_a_version_is_kept_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let Opened { store, .. } = Store::open(folder.path()).unwrap();
        let active = |hash, proved, now_ms| {
            store.version_became_active(version(hash), "p.wasm".into(), proved, "dropped".into(), now_ms)
        };
        active("1", true, 10).await.unwrap();
        active("2", false, 20).await.unwrap();
        store.version_struck("p".into(), "sha256:2".into(), 2).await.unwrap();
        let second = known(&store, "2").await;
        assert_eq!((second.active_at_ms, second.is_proved, second.strikes), (Some(20), false, 2));
        let back =
            |deed| store.take_version_back(version("2"), "sha256:1".into(), "it failed".into(), deed, 30);
        back(None).await.unwrap();
        assert_eq!(known(&store, "1").await.active_at_ms, Some(30));
        let taken_back = known(&store, "2").await.taken_back.unwrap();
        assert_eq!(taken_back, TakenBack { by: None, why: "it failed".into() });
        store.approve_version(version("2"), deed("plugins.approve"), 40).await.unwrap();
        let approved = known(&store, "2").await;
        assert_eq!((approved.taken_back, approved.is_approved, approved.strikes), (None, true, 0));
        back(Some(deed("plugins.rollback"))).await.unwrap();
        assert_eq!(known(&store, "2").await.taken_back.unwrap().by.as_deref(), Some("cli:mary"));
        for _ in 0..2 {
            let (what, why) = ("rejected".to_owned(), "no".to_owned());
            store.note_version(version("3"), what, why, 50).await.unwrap();
        }
        let reader = Reader::open(folder.path()).unwrap().unwrap();
        let history = reader.version_history("p", 10).unwrap();
        let told: Vec<(&str, &str)> =
            history.iter().map(|change| (&*change.version, &*change.what)).collect();
        let expected = [
            ("sha256:3", "rejected"),
            ("sha256:2", "rolled back"),
            ("sha256:2", "approved"),
            ("sha256:2", "rolled back"),
            ("sha256:2", "active"),
            ("sha256:1", "active"),
        ];
        assert_eq!(told, expected);
        let audit = reader.audit(&crate::store::AuditFilter { since: None, limit: 9 }).unwrap();
        let deeds: Vec<&str> = audit.iter().map(|entry| &*entry.action).collect();
        assert_eq!(deeds, ["plugins.rollback", "plugins.approve"]);
    }

    #[tokio::test]
    async fn what_is_remembered_has_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        let Opened { store, .. } = Store::open(folder.path()).unwrap();
        for number in 0..VERSIONS_MAX + 10 {
            let version = version(&number.to_string());
            store.version_became_active(version, "p.wasm".into(), true, String::new(), number).await.unwrap();
        }
        let hashes: Vec<String> =
            store.versions().await.unwrap().into_iter().map(|known| known.name.hash).collect();
        assert_eq!(hashes.len() as i64, VERSIONS_MAX);
        assert!(!hashes.contains(&"sha256:9".to_owned()) && hashes.contains(&"sha256:59".to_owned()));
        let reader = Reader::open(folder.path()).unwrap().unwrap();
        for number in 0..HISTORY_MAX + 10 {
            let why = number.to_string();
            store.note_version(version("1"), "rejected".into(), why, number).await.unwrap();
        }
        assert_eq!(reader.version_history("p", 10_000).unwrap().len() as i64, HISTORY_MAX);
    }
}
