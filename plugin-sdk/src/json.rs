//! JSON text into Rust values, with errors that name the place.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::{Error, ErrorCode};

/// Reads JSON text; `what` names it in the error. Goes through [`Value`], so that a plugin holds one
/// deserialiser for all its types and stays small.
pub(crate) fn read<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, Error> {
    let value = serde_json::from_str(text).map_err(|error| invalid(what, &error.to_string()))?;
    read_value(what, value)
}

/// Like [`read`], from a value.
pub(crate) fn read_value<T: DeserializeOwned>(what: &str, value: Value) -> Result<T, Error> {
    serde_path_to_error::deserialize(value).map_err(|error| invalid(what, &error.to_string()))
}

/// For a field that may be absent or null.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

fn invalid(what: &str, error: &str) -> Error {
    Error::new(ErrorCode::Invalid, format!("{what} can't be read: {error}"))
}
