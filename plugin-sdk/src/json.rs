//! JSON text into Rust values.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::{Error, ErrorCode};

/// Reads JSON text; `what` names it in the error. Goes through [`serde_json::Value`], so that a plugin holds one
/// deserialiser for all its types; tracking the place of an error would double their size.
pub(crate) fn read<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, Error> {
    serde_json::from_str(text)
        .and_then(serde_json::from_value)
        .map_err(|error| invalid(what, &error.to_string()))
}

/// For a field that may be absent or null.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

pub(crate) fn invalid(what: &str, error: &str) -> Error {
    Error::new(ErrorCode::Invalid, format!("{what} can't be read: {error}"))
}
