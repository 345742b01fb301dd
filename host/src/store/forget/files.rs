//! Forgetting a person: the versions of published files that tell of them.

use rusqlite::{Connection, params};

use super::super::{Error, Store, files};
use super::UnderWay;
use super::search::Found;
use crate::event::person;

/// Files are large: few are searched at a time.
const SEARCHED: i64 = 8;

impl Store {
    /// Takes versions of published files away.
    pub(super) async fn forget_files(&self, all: &[i64], under_way: &mut UnderWay) -> Result<(), Error> {
        under_way.done.files +=
            self.remove_each(all, |group, id| files::remove(group, *id), under_way).await?;
        Ok(())
    }
}

/// Searches a few versions behind one; the last one that was looked at, if there may be more.
pub(super) fn search(
    connection: &Connection,
    terms: &[String],
    found: &mut Found,
    behind: i64,
) -> rusqlite::Result<Option<i64>> {
    let mut select = connection
        .prepare_cached("SELECT id, name, content FROM files WHERE id > ?1 ORDER BY id LIMIT ?2")?;
    let mut rows = select.query(params![behind, SEARCHED])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        let (name, content) = (row.get_ref(1)?.as_bytes()?, row.get_ref(2)?.as_bytes()?);
        let tells_of = |term: &String| person::mentions(name, term) || person::mentions(content, term);
        if terms.iter().chain(&found.chats).any(tells_of) {
            found.files.push(id);
        }
        last = Some(id);
    }
    Ok(last)
}
