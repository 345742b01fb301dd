//! Putting a changed config in the place of the old one: whole, checked first, with the same mode and owner.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{Gid, Uid};

use super::{Config, read_file};

/// Changes the file at `path`. A change that leads to a config that can't be read, or does not pass `check`, is
/// refused, and nothing is written. Answers the config before and after.
///
/// # Errors
/// What is wrong with the changed config, or why the file can't be read or written.
pub fn rewrite(
    path: &Path,
    change: impl FnOnce(&str) -> Result<String, String>,
    check: impl FnOnce(&Config) -> Result<(), String>,
) -> Result<(Config, Config), String> {
    let env = |name: &str| std::env::var(name).ok();
    let before = read_file(path)?;
    let parse = |text: &str| Config::parse(text, path, &env);
    let old = parse(&before).map_err(|problems| format!("the config has to be right first:\n{problems}"))?;
    let after = change(&before)?;
    let new = parse(&after).map_err(|problems| {
        format!("the config would not be right then, and was left as it is:\n{problems}")
    })?;
    check(&new)?;
    if after != before {
        replace(path, &before, &after).map_err(|error| {
            format!(
                "cannot write {}: {error}; the host's user has to be allowed to write there, or edit the file by hand",
                path.display()
            )
        })?;
    }
    Ok((old, new))
}

fn replace(path: &Path, before: &str, after: &str) -> io::Result<()> {
    // A link keeps pointing to the file.
    let path = fs::canonicalize(path)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let metadata = fs::metadata(&path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let unfinished = folder.join(format!(".{name}.{}.part", std::process::id()));
    let written = (|| {
        let mode = metadata.permissions().mode() & 0o7777;
        let mut file =
            OpenOptions::new().create(true).write(true).truncate(true).mode(mode).open(&unfinished)?;
        file.set_permissions(metadata.permissions())?;
        let (owner, group) = (Uid::from_raw(metadata.uid()), Gid::from_raw(metadata.gid()));
        // Where that isn't allowed the file belongs to who changes it, as with an editor.
        let _ = rustix::fs::fchown(&file, Some(owner), Some(group));
        file.write_all(after.as_bytes())?;
        file.sync_all()?;
        if fs::read_to_string(&path)? != before {
            return Err(io::Error::other("somebody else is changing it; try again"));
        }
        fs::rename(&unfinished, &path)?;
        File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[server]\nlisten = \"127.0.0.1:1\"\n";

    fn change(path: &Path, to: &str) -> Result<(Config, Config), String> {
        rewrite(path, |text| Ok(text.replace("127.0.0.1:1", to)), |_| Ok(()))
    }

    #[test]
    fn a_changed_config_takes_the_place_of_the_old_one_with_its_mode_and_through_links() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("real.toml"), folder.path().join("chatplug.toml"));
        fs::write(&path, TEXT).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let (old, new) = change(&link, "127.0.0.1:2").unwrap();
        assert_eq!((old.server.listen.port(), new.server.listen.port()), (1, 2));
        assert_eq!(fs::read_to_string(&path).unwrap(), TEXT.replace(":1", ":2"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left over");
    }

    #[test]
    fn a_change_to_what_is_wrong_or_by_two_at_a_time_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chatplug.toml");
        fs::write(&path, TEXT).unwrap();
        assert!(change(&path, "nowhere").unwrap_err().contains("left as it is"));
        let refused =
            rewrite(&path, |text| Ok(text.replace(":1", ":2")), |_| Err("it does not fit".to_owned()));
        assert_eq!(refused.unwrap_err(), "it does not fit");
        let another = |text: &str| {
            fs::write(&path, format!("# Another's.\n{text}")).unwrap();
            Ok(text.replace(":1", ":2"))
        };
        let meanwhile = rewrite(&path, another, |_| Ok(()));
        assert!(meanwhile.unwrap_err().contains("somebody else"));
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("# Another's.\n{TEXT}"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
