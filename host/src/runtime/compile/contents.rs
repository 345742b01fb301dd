//! The content store: components under their content hash, and compiled code that only this host can have put
//! there.
//!
//! Loading compiled code is running it. Each file of it therefore carries a MAC over the component's content hash,
//! the engine's fingerprint and the code, made with a key that never leaves the folder: a file that was changed,
//! renamed, made by another engine or copied from another host is not loaded but made anew.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use secrecy::zeroize::Zeroizing;
use sha2::Sha256;

/// What the MAC covers first, so that it can't be one that was made for something else.
const PURPOSE: &[u8] = b"chatplug compiled code 1\0";
const MAC_BYTES: usize = 32;
const KEY_BYTES: usize = 32;
const KEY_FILE: &str = "key";
/// An unfinished file that is older was left by a process that ended in the middle.
const UNFINISHED_FOR: std::time::Duration = std::time::Duration::from_secs(600);

/// A folder of components and their compiled code. It does file I/O: to be used off the async threads.
#[derive(Debug, Clone)]
pub(super) struct Contents {
    dir: PathBuf,
    /// Distinguishes the engine's version and settings: code of another engine is not looked at.
    engine: String,
    key: Key,
}

#[derive(Clone)]
struct Key(Zeroizing<[u8; KEY_BYTES]>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

/// Why there is no compiled code.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoCode {
    /// None was kept.
    Absent,
    /// The file is not what this host wrote under this name.
    Foreign(String),
}

impl Contents {
    /// Opens the folder, and makes it and its key if they aren't there.
    pub(super) fn open(dir: &Path, engine: String) -> io::Result<Contents> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let key = Key(key(dir)?);
        Ok(Contents { dir: dir.to_owned(), engine, key })
    }

    /// Keeps a component's bytes under its hash. When it returns they are on disk.
    pub(super) fn keep(&self, hash: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.component(hash);
        if fs::read(&path).ok().as_deref() == Some(bytes) {
            return Ok(());
        }
        self.write(&path, &[bytes])
    }

    /// The kept bytes of a component.
    pub(super) fn kept(&self, hash: &str) -> io::Result<Vec<u8>> {
        fs::read(self.component(hash))
    }

    /// Whether compiled code of this engine is kept, good or not.
    pub(super) fn has_code(&self, hash: &str) -> bool {
        self.compiled(hash).exists()
    }

    /// Keeps compiled code.
    pub(super) fn keep_code(&self, hash: &str, code: &[u8]) -> io::Result<()> {
        let mac = self.mac(hash, code).finalize().into_bytes();
        self.write(&self.compiled(hash), &[&mac, code])
    }

    /// The compiled code of a component, if this host has made it.
    pub(super) fn code(&self, hash: &str) -> Result<Vec<u8>, NoCode> {
        let path = self.compiled(hash);
        let foreign = |what: &str| NoCode::Foreign(format!("{} {what}", path.display()));
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(NoCode::Absent),
            Err(error) => return Err(foreign(&format!("can't be read: {error}"))),
        };
        let (mut mac, mut code) = ([0; MAC_BYTES], Vec::new());
        file.read_exact(&mut mac)
            .and_then(|()| file.read_to_end(&mut code))
            .map_err(|error| foreign(&format!("can't be read: {error}")))?;
        self.mac(hash, &code)
            .verify(&mac.into())
            .map_err(|_| foreign("is not what this host has written there"))?;
        Ok(code)
    }

    /// Forgets compiled code; the next compile makes it anew.
    pub(super) fn discard_code(&self, hash: &str) {
        // If it can't be removed it will be refused again, with the reason.
        let _ = fs::remove_file(self.compiled(hash));
    }

    /// Removes what belongs to no component of `hashes`, and code of other engines. Answers how many files went.
    pub(super) fn retain(&self, hashes: &BTreeSet<String>) -> io::Result<usize> {
        let stems: BTreeSet<&str> = hashes.iter().map(|hash| stem(hash)).collect();
        let mut removed = 0;
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let is_kept = match name.to_str() {
                Some(KEY_FILE) => true,
                Some(name) => self.is_kept(name, &stems) || is_being_written(name, &entry),
                None => false,
            };
            if !is_kept && fs::remove_file(entry.path()).is_ok() {
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn is_kept(&self, name: &str, stems: &BTreeSet<&str>) -> bool {
        let Some((stem, ending)) = name.split_once('.') else { return false };
        stems.contains(stem) && (ending == "wasm" || ending == format!("{}.cwasm", self.engine))
    }

    fn mac(&self, hash: &str, code: &[u8]) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.key.0.as_slice()).expect("a MAC takes a key of any length");
        for part in [PURPOSE, hash.as_bytes(), b"\0", self.engine.as_bytes(), b"\0", code] {
            mac.update(part);
        }
        mac
    }

    fn component(&self, hash: &str) -> PathBuf {
        self.dir.join(format!("{}.wasm", stem(hash)))
    }

    fn compiled(&self, hash: &str) -> PathBuf {
        self.dir.join(format!("{}.{}.cwasm", stem(hash), self.engine))
    }

    /// Writes a file so that its name appears only when its bytes are on disk, and stays after a power cut.
    /// Another process may be writing the same one.
    fn write(&self, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
        let unfinished = path.with_extension(format!("{}.part", std::process::id()));
        let mut file =
            OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&unfinished)?;
        for part in parts {
            file.write_all(part)?;
        }
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        File::open(&self.dir)?.sync_all()
    }
}

fn stem(hash: &str) -> &str {
    hash.strip_prefix("sha256:").unwrap_or(hash)
}

/// Whether another process may be about to give a file its name.
fn is_being_written(name: &str, entry: &fs::DirEntry) -> bool {
    let age = || entry.metadata().ok()?.modified().ok()?.elapsed().ok();
    name.ends_with(".part") && age().is_none_or(|age| age < UNFINISHED_FOR)
}

/// The folder's key; a new one if there is none or it was cut short, and then no code that is there counts.
fn key(dir: &Path) -> io::Result<Zeroizing<[u8; KEY_BYTES]>> {
    let path = dir.join(KEY_FILE);
    for _ in 0..2 {
        if let Ok(key) = kept_key(&path) {
            return Ok(key);
        }
        // Gone or damaged. Under its name only when it is whole: another process may be making one as well.
        let _ = fs::remove_file(&path);
        let unfinished = dir.join(format!("{KEY_FILE}.{}.part", std::process::id()));
        let mut file =
            OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&unfinished)?;
        let key = Zeroizing::new(rand::random::<[u8; KEY_BYTES]>());
        file.write_all(key.as_slice())?;
        file.sync_all()?;
        match fs::hard_link(&unfinished, &path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => fs::remove_file(&unfinished)?,
        }
    }
    kept_key(&path)
}

fn kept_key(path: &Path) -> io::Result<Zeroizing<[u8; KEY_BYTES]>> {
    let bytes = Zeroizing::new(fs::read(path)?);
    let is_none = |_| io::Error::other(format!("{} is no key", path.display()));
    let key: [u8; KEY_BYTES] = bytes.as_slice().try_into().map_err(is_none)?;
    Ok(Zeroizing::new(key))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const ONE: &str = "sha256:01";
    const TWO: &str = "sha256:02";

    fn open(dir: &Path) -> Contents {
        Contents::open(dir, "engine".to_owned()).unwrap()
    }

    fn is_foreign(code: Result<Vec<u8>, NoCode>) -> bool {
        matches!(code, Err(NoCode::Foreign(_)))
    }

    #[test]
    fn code_comes_back_as_it_was_kept_also_for_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let contents = open(dir.path());
        assert_eq!(contents.code(ONE), Err(NoCode::Absent));
        contents.keep_code(ONE, b"code one").unwrap();
        assert_eq!(contents.code(ONE).unwrap(), b"code one");
        assert_eq!(open(dir.path()).code(ONE).unwrap(), b"code one");
        assert_eq!(Contents::open(dir.path(), "another".to_owned()).unwrap().code(ONE), Err(NoCode::Absent));
        for entry in fs::read_dir(dir.path()).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
        }
    }

    #[test]
    fn each_changed_byte_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let contents = open(dir.path());
        contents.keep_code(ONE, b"code").unwrap();
        let whole = fs::read(contents.compiled(ONE)).unwrap();
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 1;
            fs::write(contents.compiled(ONE), &changed).unwrap();
            assert!(is_foreign(contents.code(ONE)), "byte {place}");
            fs::write(contents.compiled(ONE), &whole[..place]).unwrap();
            assert!(is_foreign(contents.code(ONE)), "cut at {place}");
        }
        fs::write(contents.compiled(ONE), &whole).unwrap();
        assert!(contents.code(ONE).is_ok());
    }

    #[test]
    fn code_of_another_component_engine_or_host_is_foreign() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let contents = open(dir.path());
        contents.keep_code(ONE, b"code one").unwrap();
        contents.keep_code(TWO, b"code two").unwrap();
        fs::rename(contents.compiled(TWO), contents.compiled(ONE)).unwrap();
        assert!(is_foreign(contents.code(ONE)), "of another component");
        let other = Contents { engine: "another".to_owned(), ..contents.clone() };
        other.keep_code(ONE, b"code one").unwrap();
        fs::rename(other.compiled(ONE), contents.compiled(ONE)).unwrap();
        assert!(is_foreign(contents.code(ONE)), "of another engine");
        let stranger = open(elsewhere.path());
        stranger.keep_code(ONE, b"code one").unwrap();
        fs::copy(stranger.compiled(ONE), contents.compiled(ONE)).unwrap();
        assert!(is_foreign(contents.code(ONE)), "of another host");
        fs::write(dir.path().join(KEY_FILE), "short").unwrap();
        contents.keep_code(ONE, b"code one").unwrap();
        assert!(is_foreign(open(dir.path()).code(ONE)), "of a key that is gone");
    }

    #[test]
    fn what_nobody_needs_goes() {
        let dir = tempfile::tempdir().unwrap();
        let contents = open(dir.path());
        for hash in [ONE, TWO] {
            contents.keep(hash, b"component").unwrap();
            contents.keep_code(hash, b"code").unwrap();
        }
        Contents { engine: "older".to_owned(), ..contents.clone() }.keep_code(ONE, b"code").unwrap();
        fs::write(dir.path().join("03.1.part"), "being written").unwrap();
        assert_eq!(contents.retain(&BTreeSet::from([ONE.to_owned()])).unwrap(), 3);
        assert_eq!(contents.kept(ONE).unwrap(), b"component");
        assert!(contents.code(ONE).is_ok());
        assert!(contents.kept(TWO).is_err() && contents.code(TWO) == Err(NoCode::Absent));
        assert!(dir.path().join("03.1.part").exists());
        assert!(open(dir.path()).code(ONE).is_ok(), "the key stays");
    }

    #[test]
    fn a_component_that_was_cut_short_is_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let contents = open(dir.path());
        fs::write(contents.component(ONE), b"comp").unwrap();
        contents.keep(ONE, b"component").unwrap();
        assert_eq!(contents.kept(ONE).unwrap(), b"component");
    }
}
