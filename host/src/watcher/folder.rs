//! What is in the plugin folder.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A file whose last change is older than this is whole.
const OLD: Duration = Duration::from_secs(2);
/// What a folder may hold, of whatever kind: one that holds more is not looked through.
const ENTRIES_MAX: usize = 10_000;

/// Tells whether a file has changed without reading it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    size: u64,
    modified: Option<SystemTime>,
    /// When the file system changed anything of it: nobody can set that, as they can `modified`.
    changed: (i64, i64),
    inode: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Stamp {
        use std::os::unix::fs::MetadataExt;
        Stamp {
            size: metadata.len(),
            modified: metadata.modified().ok(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }

    /// The stamp of a file as it is now; `None` if it isn't there.
    pub(super) fn now(path: &Path) -> Option<Stamp> {
        fs::metadata(path).ok().map(|metadata| Stamp::of(&metadata))
    }

    /// Whether the file has not been written for a while.
    pub(super) fn is_old(&self) -> bool {
        self.modified.and_then(|modified| modified.elapsed().ok()).is_some_and(|age| age > OLD)
    }
}

/// The `.wasm` files of a folder.
///
/// # Errors
/// If the folder isn't there, can't be read to its end, or holds too much to be.
pub(super) fn scan(folder: &Path) -> io::Result<BTreeMap<String, Stamp>> {
    let entries = fs::read_dir(folder)?;
    let mut found = BTreeMap::new();
    for (number, entry) in entries.enumerate() {
        if number >= ENTRIES_MAX {
            let reason =
                format!("it holds more than {ENTRIES_MAX} files: keep plugins in a folder of their own");
            return Err(io::Error::other(reason));
        }
        let path = entry?.path();
        let (Some(name), Some("wasm")) =
            (path.file_name().and_then(|n| n.to_str()), path.extension().and_then(|e| e.to_str()))
        else {
            continue;
        };
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => {
                found.insert(name.to_owned(), Stamp::of(&metadata));
            }
            // A folder, or a file that went away between the listing and the look.
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // Such as a link that leads to itself: this file's trouble, not the folder's.
            Err(_) => {
                found.insert(name.to_owned(), Stamp::default());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_holds_too_much_is_an_error_and_not_half_of_it() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("good.wasm"), "").expect("a file");
        for number in 1..ENTRIES_MAX {
            fs::write(folder.path().join(format!("{number}.txt")), "").expect("a file");
        }
        assert_eq!(scan(folder.path()).expect("it is looked through").len(), 1);
        fs::write(folder.path().join("one-more.txt"), "").expect("a file");
        let error = scan(folder.path()).expect_err("more than it looks through");
        assert!(error.to_string().contains("more than 10000 files"), "{error}");
    }
}
