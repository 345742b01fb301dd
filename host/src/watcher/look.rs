//! A look at the folder: which files are whole, and which are being written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, Watcher as _};
use tokio::sync::Notify;

use super::candidate::Loader;
use super::folder::{self, Stamp};
use super::state::Files;
use crate::limits::Loading;

/// A file that looks the same after this long is taken to be whole.
const SETTLE: Duration = Duration::from_millis(40);

/// What a look at the folder found.
#[derive(Default)]
pub(super) struct Found {
    /// The files that are whole.
    pub(super) whole: BTreeMap<String, Stamp>,
    /// Those that are being written: their old content keeps its place until a later look.
    pub(super) changing: BTreeSet<String>,
}

/// Looks at the folder. Files that are new are looked at twice, a moment apart, unless their content is known.
///
/// # Errors
/// Why it can't be read to its end: nothing is to be unloaded for want of a look.
pub(super) async fn look(
    folder: &Path,
    loader: &Loader,
    known: &Files,
    limits: &Loading,
) -> Result<Found, String> {
    let before = scan(folder).await?;
    let mut unsettled = BTreeSet::new();
    for (file, stamp) in &before {
        if stamp.is_old() || known.is_as_known(file, stamp) {
            continue;
        }
        let path = folder.join(file);
        // The stamp is looked at last: what was read in between is what it stands for.
        if !loader.is_known(&path, limits).await || Stamp::now(&path).as_ref() != Some(stamp) {
            unsettled.insert(file.clone());
        }
    }
    if unsettled.is_empty() {
        return Ok(Found { whole: before, changing: BTreeSet::new() });
    }
    tokio::time::sleep(SETTLE).await;
    let after = scan(folder).await?;
    let (whole, changing): (BTreeMap<_, _>, BTreeMap<_, _>) =
        after.into_iter().partition(|(file, stamp)| before.get(file) == Some(stamp));
    Ok(Found { whole, changing: changing.into_keys().collect() })
}

pub(super) async fn scan(folder: &Path) -> Result<BTreeMap<String, Stamp>, String> {
    let path = folder.to_owned();
    let scanned = tokio::task::spawn_blocking(move || folder::scan(&path)).await;
    let scanned = scanned.unwrap_or_else(|error| Err(error.into()));
    scanned.map_err(|error| format!("cannot read the plugin folder {}: {error}", folder.display()))
}

/// Asks the system to say when something happens in the folder.
pub(super) fn watch(folder: &Path, hints: Arc<Notify>) -> Option<notify::RecommendedWatcher> {
    let tell = move |event: notify::Result<notify::Event>| {
        if event.map_or(true, |event| may_change_files(event.kind)) {
            hints.notify_one();
        }
    };
    let mut watcher = notify::recommended_watcher(tell)
        .inspect_err(
            |error| tracing::warn!(%error, "no notifications of the file system; looking every two seconds"),
        )
        .ok()?;
    watcher.watch(folder, notify::RecursiveMode::NonRecursive).ok()?;
    Some(watcher)
}

/// Whether files may be others afterwards. Looking at the folder is itself reported, and must not be a
/// reason to look again.
fn may_change_files(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, ModifyKind, RemoveKind};

    use super::*;

    fn check(kind: EventKind, expected: bool) {
        assert_eq!(may_change_files(kind), expected, "{kind:?}");
    }

    #[test]
    fn looking_at_the_folder_is_no_reason_to_look_again() {
        check(EventKind::Access(AccessKind::Open(AccessMode::Any)), false);
        check(EventKind::Access(AccessKind::Read), false);
        check(EventKind::Access(AccessKind::Close(AccessMode::Read)), false);
        check(EventKind::Access(AccessKind::Close(AccessMode::Write)), true);
        check(EventKind::Create(CreateKind::File), true);
        check(EventKind::Modify(ModifyKind::Any), true);
        check(EventKind::Remove(RemoveKind::File), true);
        check(EventKind::Any, true);
    }
}
