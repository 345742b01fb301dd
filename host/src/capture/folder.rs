//! The folder with captured webhooks.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// What a file is called until it is complete begins so.
const UNFINISHED: &str = ".capture-";

/// A folder that takes a number of files.
pub(super) struct Folder {
    path: PathBuf,
    files: usize,
    files_max: usize,
    /// Files that were written by this start.
    pub(super) written: u64,
    /// Webhooks that could not be written.
    pub(super) failed: u64,
}

impl Folder {
    /// A folder that exists; what it has of earlier starts counts.
    ///
    /// # Errors
    /// If it can't be listed.
    pub(super) fn open(path: &Path, files_max: usize) -> io::Result<Folder> {
        let mut files = 0;
        for entry in fs::read_dir(path)? {
            files += usize::from(entry?.path().extension().is_some_and(|ending| ending == "json"));
        }
        if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
            tracing::warn!(
                "others can look into {}, where webhooks are captured: `chmod 700` keeps the names of the files from them, \
                 too",
                path.display()
            );
        }
        let folder = Folder { path: path.to_owned(), files, files_max, written: 0, failed: 0 };
        folder.say_if_full();
        Ok(folder)
    }

    /// Writes a file, unless there are enough.
    pub(super) fn keep(&mut self, name: &str, body: &str) {
        if self.is_full() {
            return;
        }
        match write(&self.path, name, body) {
            Ok(()) => {
                self.files += 1;
                self.written += 1;
                self.say_if_full();
            }
            Err(error) => {
                self.failed += 1;
                let count = self.failed;
                // A folder that fails, fails for each webhook.
                if count.is_power_of_two() {
                    tracing::warn!(
                        %error,
                        count,
                        "cannot write a captured webhook to {}; {count} since the start",
                        self.path.display()
                    );
                }
            }
        }
    }

    fn is_full(&self) -> bool {
        self.files >= self.files_max
    }

    fn say_if_full(&self) {
        if self.is_full() {
            tracing::warn!(
                "no more webhooks are captured: {} has {} files, the most there may be; take some away and start again",
                self.path.display(),
                self.files_max
            );
        }
    }
}

/// A file that only its owner can read, and that goes away if it gets no name.
pub(super) fn unnamed(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)
}

/// Writes a file under a name of its own, in one step: who reads the folder sees whole files only.
fn write(folder: &Path, name: &str, body: &str) -> io::Result<()> {
    let mut file = unnamed(folder)?;
    file.write_all(body.as_bytes())?;
    file.persist_noclobber(folder.join(name))?;
    Ok(())
}
