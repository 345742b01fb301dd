//! A plugin's manifest: what it says of itself when it is loaded (`wit/manifest.schema.json`).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::action::livechat::direct;

mod offers;
mod schema;

pub use offers::{Command, Schedule};
pub use schema::SettingsSchema;

/// What `describe` answers. Unknown fields are ignored: a newer SDK may write more than this host reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The plugin's identity, kebab-case.
    pub name: String,
    /// The author's text for this version.
    pub release: String,
    /// One line: what it does.
    pub description: String,
    /// The event types that it handles.
    pub events: Vec<String>,
    /// The connections that it names when it calls `http`.
    #[serde(default)]
    pub connections: Vec<String>,
    /// The calls that it names when it calls `livechat`: `configuration.create_tag`.
    #[serde(default)]
    pub livechat_calls: Vec<String>,
    /// Whether it also wants the events that it causes itself.
    #[serde(default)]
    pub wants_own_events: bool,
    /// What it does again and again.
    #[serde(default)]
    pub schedules: Vec<Schedule>,
    /// What operators can ask of it.
    #[serde(default)]
    pub commands: Vec<Command>,
    /// A JSON Schema for the operator's settings; `true` takes anything.
    #[serde(default = "anything")]
    pub settings_schema: Value,
}

fn anything() -> Value {
    Value::Bool(true)
}

const NAME_BYTES_MAX: usize = 64;
const MANIFEST_BYTES_MAX: usize = 256 << 10;

impl Manifest {
    /// Reads the text that `describe` answered.
    ///
    /// # Errors
    /// A sentence for the author that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Manifest, String> {
        if text.len() > MANIFEST_BYTES_MAX {
            return Err(format!(
                "the manifest has {} bytes; at most {MANIFEST_BYTES_MAX} are allowed",
                text.len()
            ));
        }
        let manifest: Manifest = serde_json::from_str(text)
            .map_err(|error| format!("`describe` returned no valid manifest: {error}"))?;
        if !is_kebab_case(&manifest.name) {
            return Err(format!(
                "the manifest's name `{}` is not kebab-case (lower-case letters, digits and single hyphens, at most {NAME_BYTES_MAX}): rename the plugin",
                manifest.name.escape_debug()
            ));
        }
        for call in &manifest.livechat_calls {
            direct::check_name(call)
                .map_err(|problem| format!("the manifest's `livechat_calls`: {problem}"))?;
        }
        offers::check(&manifest.schedules, &manifest.commands)?;
        Ok(manifest)
    }

    /// Whether it handles no event type, but has something to do all the same.
    pub fn works_unasked(&self) -> bool {
        self.events.is_empty() && self.has_jobs()
    }

    /// Whether it does what no customer waits for.
    pub fn has_jobs(&self) -> bool {
        !self.schedules.is_empty() || !self.commands.is_empty()
    }
}

/// Whether a text can be the name of a plugin or a connection.
pub fn is_kebab_case(name: &str) -> bool {
    let word =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.split('-').all(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kebab_case() {
        for good in ["a", "low-rating-alert", "a1-2b"] {
            assert!(is_kebab_case(good), "{good}");
        }
        for bad in ["", "A", "1a", "a--b", "-a", "a-", "a_b", "a/b", "..", "é", &"a".repeat(65)] {
            assert!(!is_kebab_case(bad), "{bad}");
        }
    }

    #[test]
    fn unknown_fields_are_ignored_and_missing_ones_are_named() {
        let text = r#"{"name":"a","release":"1","description":"d","events":[],"newer":1}"#;
        assert_eq!(Manifest::parse(text).map(|manifest| manifest.name), Ok("a".into()));
        let error = Manifest::parse(r#"{"name":"a"}"#).unwrap_err();
        assert!(error.contains("missing field `release`"), "{error}");
    }
}
