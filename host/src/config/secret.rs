//! Secrets: `{ env = "NAME" }` or `{ file = "PATH" }`, never the value itself. No message in this file holds
//! a value.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use super::item::Item;

/// What each problem of a value with white space in it or around it says.
pub const WHITE_SPACE: &str = "white space";

/// A place that the config names for a secret, and where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The environment variable of this name is not set, or empty.
    Env(String),
    /// The file is not there, or empty.
    File(PathBuf),
}

/// A secret that is not in its place yet.
#[derive(Clone, Debug)]
pub struct Given {
    /// Where it belongs.
    pub place: Missing,
    /// The secret.
    pub secret: SecretString,
}

/// The place of a secret, if it names one and there is nothing.
pub(super) fn missing(item: &Item<'_>) -> Option<Missing> {
    let mut table = item.is_table().then(|| item.table())??;
    match (table.take("env"), table.take("file")) {
        (Some(env), None) => {
            let name = env.text().filter(|name| is_variable(name))?;
            let is_set = (item.source.env)(name).is_some_and(|value| !value.is_empty());
            (!is_set).then(|| Missing::Env(name.to_owned()))
        }
        (None, Some(file)) => {
            let path = item.source.folder.join(file.text()?);
            let is_missing = match std::fs::metadata(&path) {
                Ok(metadata) => metadata.is_file() && metadata.len() == 0,
                Err(error) => error.kind() == ErrorKind::NotFound,
            };
            is_missing.then_some(Missing::File(path))
        }
        _ => None,
    }
}

fn is_variable(name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.len() <= ENV_NAME_BYTES_MAX && name.chars().all(word)
}

const SECRET_BYTES_MAX: u64 = 64 << 10;
const ENV_NAME_BYTES_MAX: usize = 128;

/// A secret without white space: a token, a key, a URL.
pub(super) fn secret(item: &Item<'_>) -> Option<SecretString> {
    let secret = spaced_secret(item)?;
    if secret.expose_secret().contains(char::is_whitespace) {
        item.report(format!(
            "has {WHITE_SPACE} in it: store the bare secret, without spaces, line breaks or quotes around it"
        ));
        return None;
    }
    Some(secret)
}

/// A secret that may have spaces inside: a password, the value of a header.
pub(super) fn spaced_secret(item: &Item<'_>) -> Option<SecretString> {
    if item.is_text() {
        item.report(
            "is a secret and must not stand in the file: write { env = \"NAME\" } with the name of an environment \
             variable, or { file = \"PATH\" }",
        );
        return None;
    }
    let secret = referred(item)?;
    let text = secret.expose_secret();
    if text.trim() != text || text.contains(char::is_control) {
        item.report(format!("has a line break, a tab, or {WHITE_SPACE} around it: store the bare secret"));
        return None;
    }
    Some(secret)
}

/// A value that is no secret but may be kept with them: a text, or a reference.
pub(super) fn identifier(item: &Item<'_>) -> Option<String> {
    let text = match item.is_text() {
        true => item.text()?.to_owned(),
        false => referred(item)?.expose_secret().to_owned(),
    };
    if text.is_empty() {
        item.report("is empty: write the value");
        return None;
    }
    if text.contains(char::is_whitespace) {
        item.report(format!("has {WHITE_SPACE} in it: write the bare value"));
        return None;
    }
    Some(text)
}

fn referred(item: &Item<'_>) -> Option<SecretString> {
    if !item.is_table() {
        item.report("must be a reference, { env = \"NAME\" } or { file = \"PATH\" }");
        return None;
    }
    let mut table = item.table()?;
    let (env, file) = (table.take("env"), table.take("file"));
    table.finish();
    let secret = match (env, file) {
        (Some(env), None) => from_env(&env),
        (None, Some(file)) => from_file(&file),
        _ => {
            item.report("must name exactly one source, { env = \"NAME\" } or { file = \"PATH\" }");
            None
        }
    }?;
    if secret.expose_secret().is_empty() {
        item.report("refers to something empty: put the value there");
        return None;
    }
    Some(secret)
}

fn from_env(item: &Item<'_>) -> Option<SecretString> {
    let name = item.text()?;
    if !is_variable(name) {
        // The name is not shown: it may be the secret, put here by mistake.
        item.report("is not the name of an environment variable: letters, digits and underscores");
        return None;
    }
    if let Some(secret) = item.source.given(&Missing::Env(name.to_owned())) {
        return Some(secret);
    }
    let value = (item.source.env)(name);
    if value.is_none() {
        item.report(format!(
            "names the environment variable {name}, which is not set: set it for the host's process"
        ));
    }
    value.map(SecretString::from)
}

fn from_file(item: &Item<'_>) -> Option<SecretString> {
    let path = item.source.folder.join(item.text()?);
    if let Some(secret) = item.source.given(&Missing::File(path.clone())) {
        return Some(secret);
    }
    match read_file(&path) {
        Ok(text) => Some(SecretString::from(text.trim_end_matches(['\r', '\n']))),
        Err(error) => {
            item.report(format!("names the file {}, which can't be read: {error}", path.display()));
            None
        }
    }
}

fn read_file(path: &Path) -> Result<Zeroizing<String>, String> {
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_file() || metadata.len() > SECRET_BYTES_MAX {
        return Err(format!("it must be an ordinary file of at most {SECRET_BYTES_MAX} bytes"));
    }
    // As large as the file: a text that grows leaves what it was before in memory.
    let mut text = Zeroizing::new(String::with_capacity(metadata.len() as usize + 1));
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(SECRET_BYTES_MAX).read_to_string(&mut text).map_err(|error| error.to_string())?;
    Ok(text)
}
