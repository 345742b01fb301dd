//! The secret of the webhooks, where the config names a place for it and there is none: it is made here, so that nobody has
//! to think one up.

use std::fs::{OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use crate::config::{Config, Given, Missing};
use crate::store::Store;

/// 256 bits: as many as nobody guesses.
const BYTES: usize = 32;

/// A new secret for the place that the config names, if there is none. It is not in its place yet.
///
/// # Errors
/// Where it would do harm, or could not be shown.
pub(super) fn generate_missing(config_path: &Path, json: bool) -> anyhow::Result<Option<Given>> {
    let Some(place) = Config::missing_webhook_secret(config_path) else { return Ok(None) };
    if let Missing::Env(name) = &place {
        // It has the variable, or would not have started: a new secret would make it refuse every webhook.
        if Store::is_owned(&Config::data_dir_of(config_path)?)? {
            bail!(
                "the environment variable {name} is not set here, but a host runs with this config and has it: run the \
                 command with the host's environment"
            );
        }
        if json {
            bail!(
                "the environment variable {name} is not set: without --json a secret is generated and shown, or name a \
                 file, secrets = [{{ file = \"PATH\" }}]"
            );
        }
    }
    let bytes = Zeroizing::new(rand::random::<[u8; BYTES]>());
    let secret = SecretString::from(URL_SAFE_NO_PAD.encode(bytes.as_slice()));
    Ok(Some(Given { place, secret }))
}

/// Puts the secret into its place, before anything is registered with it: the file, or the operator's hands. Answers the
/// file.
///
/// # Errors
/// Those of the file and of the output.
pub(super) fn put<'a>(given: &'a Given, json: bool, out: &mut dyn Write) -> anyhow::Result<Option<&'a Path>> {
    match &given.place {
        Missing::File(path) => {
            write_new(path, &given.secret)
                .with_context(|| format!("cannot write a new secret to {}", path.display()))?;
            if !json {
                writeln!(
                    out,
                    "A secret was generated and written to {}: the host's user must be able to read it.",
                    path.display()
                )?;
            }
            Ok(Some(path))
        }
        Missing::Env(name) => {
            writeln!(
                out,
                "{name} is not set. A secret was generated; it is shown this once:\n\n    {name}={}\n\nSet it in the \
                 host's environment, such as /etc/chatplug/environment, before the host is started.\n",
                given.secret.expose_secret()
            )?;
            out.flush()?;
            Ok(None)
        }
    }
}

/// Writes to a file that isn't there or is empty, for its owner alone.
fn write_new(path: &Path, secret: &SecretString) -> anyhow::Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = match made {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let file = OpenOptions::new().write(true).open(path)?;
            let metadata = file.metadata()?;
            if !metadata.is_file() || metadata.len() > 0 {
                bail!("somebody has written to it meanwhile: run the command again");
            }
            file.set_permissions(Permissions::from_mode(0o600))?;
            file
        }
        made => made?,
    };
    file.write_all(secret.expose_secret().as_bytes())?;
    file.write_all(b"\n")?;
    Ok(file.sync_all()?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn config(folder: &Path, secrets: &str) -> std::path::PathBuf {
        let path = folder.join("chatplug.toml");
        fs::write(&path, format!("[livechat.webhooks]\nsecrets = {secrets}\n")).unwrap();
        path
    }

    #[test]
    fn a_file_that_is_missing_or_empty_gets_a_secret_for_its_owner_alone_and_no_other_does() {
        let folder = tempfile::tempdir().unwrap();
        let (path, file) = (config(folder.path(), "[{ file = \"s\" }]"), folder.path().join("s"));
        let mut known = Vec::new();
        for before in [None, Some("")] {
            if let Some(before) = before {
                fs::write(&file, before).unwrap();
                fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
            }
            let given = generate_missing(&path, true).unwrap().expect("there is none");
            let loaded = Config::load_given(&path, Some(&given)).expect("the secret is given");
            assert_eq!(loaded.livechat.webhook_secrets[0].expose_secret(), given.secret.expose_secret());
            assert!(Config::load(&path).is_err(), "it is not in its place yet");
            assert_eq!(put(&given, true, &mut Vec::new()).unwrap(), Some(&*file));
            let text = fs::read_to_string(&file).unwrap();
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
            let bytes = URL_SAFE_NO_PAD.decode(text.trim_end()).expect("url-safe");
            assert_eq!(bytes.len(), 32);
            assert_eq!(
                Config::load(&path).unwrap().livechat.webhook_secrets[0].expose_secret(),
                text.trim_end()
            );
            assert!(generate_missing(&path, true).unwrap().is_none(), "now there is one");
            assert!(put(&given, true, &mut Vec::new()).is_err(), "nothing is written over");
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
            known.push(text);
            fs::remove_file(&file).unwrap();
        }
        assert_ne!(known[0], known[1]);
    }

    #[test]
    fn a_variable_that_is_not_set_is_shown_once_and_not_in_json() {
        let folder = tempfile::tempdir().unwrap();
        let path = config(folder.path(), "[{ env = \"CHATPLUG_NO_SUCH_SECRET\" }]");
        let given = generate_missing(&path, false).unwrap().expect("it is not set");
        let mut said = Vec::new();
        assert_eq!(put(&given, false, &mut said).unwrap(), None);
        let said = String::from_utf8(said).unwrap();
        let line = format!("CHATPLUG_NO_SUCH_SECRET={}", given.secret.expose_secret());
        assert_eq!(said.matches(&line).count(), 1, "{said}");
        let error = generate_missing(&path, true).unwrap_err().to_string();
        assert!(error.contains("without --json"), "{error}");
        let _host = Store::open(&folder.path().join("data")).unwrap();
        let error = generate_missing(&path, false).unwrap_err().to_string();
        assert!(error.contains("a host runs"), "{error}");
    }

    #[test]
    fn only_the_first_secret_is_generated_and_only_where_a_place_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("old"), "an-old-secret").unwrap();
        for secrets in ["[]", "\"x\"", "[{ file = \"old\" }, { file = \"new\" }]", "[{ env = \"a b\" }]", "["]
        {
            let path = config(folder.path(), secrets);
            assert!(generate_missing(&path, false).unwrap().is_none(), "{secrets}");
        }
    }
}
