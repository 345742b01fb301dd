//! Files for operators and for screens on a wall: the host keeps their versions and shows the newest. They need no
//! grant.
//!
//! ```no_run
//! # use chatplug_sdk::prelude::*;
//! # fn handle() -> Result<(), Failure> {
//! files::publish_json("today.json", &json!({ "chats": 12, "unanswered": 0 }))?;
//! files::publish("today.csv", MediaType::Csv, "agent,chats\nann@example.com,12\n")?;
//! # Ok(()) }
//! ```
//!
//! A page is shown without scripts, and with nothing that it would load from elsewhere; styles stand in it, pictures as
//! `data:` URLs. One that has to stay fresh loads itself again with `<meta http-equiv="refresh" content="30">`. It leads
//! nowhere else: links go to its own places (`#agents`) and to published files by their names (`agents.csv`). What
//! customers wrote has to be escaped in it, as everywhere.

use serde::Serialize;

use crate::exported::bindings::chatplug::plugin::files as contract;
use crate::{Error, ErrorCode};

/// What a file is; its name has to end so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaType {
    /// A table: `.csv`.
    Csv,
    /// JSON: `.json`.
    Json,
    /// A page: `.html`.
    Html,
    /// Plain text: `.txt`.
    Text,
}

impl MediaType {
    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            MediaType::Csv => "text/csv",
            MediaType::Json => "application/json",
            MediaType::Html => "text/html",
            MediaType::Text => "text/plain",
        }
    }
}

/// Publishes a version of a file, which becomes the newest one of that name. The name has 1 to 64 letters, digits, `.`,
/// `-` and `_`, and ends as the media type has it.
///
/// # Errors
/// `invalid` if the name is none, the content isn't UTF-8, or a page has something that could lead, load or send
/// elsewhere: scripts, frames, forms, other addresses, what isn't known. `limit` if it is too large or there are too many
/// files.
pub fn publish(name: &str, media_type: MediaType, content: impl AsRef<[u8]>) -> Result<(), Error> {
    Ok(contract::publish(name, media_type.as_str(), content.as_ref())?)
}

/// Publishes a value as JSON.
///
/// # Errors
/// As for [`publish`].
pub fn publish_json<T: Serialize + ?Sized>(name: &str, value: &T) -> Result<(), Error> {
    let content = serde_json::to_vec_pretty(value)
        .map_err(|error| Error::new(ErrorCode::Invalid, format!("the file `{name}` is no JSON: {error}")))?;
    publish(name, MediaType::Json, content)
}
