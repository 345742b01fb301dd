//! The operator's settings: read into the author's struct, described by its JSON Schema.

use std::any::TypeId;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, json_schema};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::exported::bindings::chatplug::plugin::settings;
use crate::{Failure, json};

const SETTINGS: &str = "the plugin's settings";

/// The settings that the host holds for this plugin. It has checked them against the schema; what the
/// schema can't say is refused here, for good.
pub(crate) fn read<S: DeserializeOwned + 'static>() -> Result<S, Failure> {
    parse(&settings::get())
}

/// The schema of `S` for the manifest.
pub(crate) fn schema<S: JsonSchema + 'static>() -> Schema {
    if is_unit::<S>() {
        return json_schema!({ "type": "object", "additionalProperties": false });
    }
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<S>()
}

fn parse<S: DeserializeOwned + 'static>(text: &str) -> Result<S, Failure> {
    let text = if is_unit::<S>() { "null" } else { text };
    let value: Value = json::read(SETTINGS, text)?;
    serde_path_to_error::deserialize(value)
        .map_err(|error| json::invalid(SETTINGS, &error.to_string()).into())
}

/// Settings are an object, and serde reads `()` from null only.
fn is_unit<S: 'static>() -> bool {
    TypeId::of::<S>() == TypeId::of::<()>()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, JsonSchema, PartialEq)]
    struct Settings {
        /// Who to greet.
        name: String,
        #[serde(default)]
        times: Vec<u8>,
    }

    #[test]
    fn settings_become_the_authors_struct() {
        let settings = parse(r#"{"name":"Ada"}"#);
        assert_eq!(settings, Ok(Settings { name: "Ada".into(), times: vec![] }));
    }

    #[test]
    fn wrong_settings_are_rejected_with_their_path() {
        let failure = parse::<Settings>(r#"{"name":"Ada","times":[1,"two"]}"#).unwrap_err();
        assert!(matches!(&failure, Failure::Reject(reason) if reason.contains("times[1]")), "{failure:?}");
    }

    #[test]
    fn no_settings_are_an_empty_object() {
        assert_eq!(parse::<()>("{}"), Ok(()));
        assert_eq!(schema::<()>().get("additionalProperties"), Some(&false.into()));
    }

    #[test]
    fn the_schema_describes_each_field() {
        let schema = schema::<Settings>();
        assert_eq!(schema.pointer("/properties/name/description"), Some(&"Who to greet.".into()));
        assert_eq!(schema.pointer("/required"), Some(&serde_json::json!(["name"])));
    }
}
