use std::collections::BTreeMap;

use chatplug_sdk::prelude::*;

/// What the operator can set.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// The highest score that still counts as low, for each scale ("0-1" or "1-5").
    pub(crate) low: BTreeMap<String, i64>,
    /// The tag for the thread; it must exist in LiveChat. Null or "" to leave threads alone.
    #[schemars(extend("format" = "livechat-tag"))]
    pub(crate) tag: Option<String>,
    /// Whether to leave a note for the agents.
    pub(crate) note: bool,
    /// How many of the last messages to show, at most 20.
    #[schemars(range(max = 20))]
    pub(crate) messages: usize,
    /// The id of the Slack channel, for a connection to Slack's Web API. Leave it out for an incoming
    /// webhook, whose secret URL decides the channel.
    pub(crate) channel: Option<String>,
    /// Say in the log what would be done, and do nothing.
    pub(crate) dry_run: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            low: BTreeMap::from([("0-1".to_owned(), 0), ("1-5".to_owned(), 2)]),
            tag: Some("low-rating".to_owned()),
            note: true,
            messages: 5,
            channel: None,
            dry_run: false,
        }
    }
}

impl Settings {
    /// The tag, if there is to be one.
    pub(crate) fn tag(&self) -> Option<&str> {
        self.tag.as_deref().filter(|tag| !tag.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_settings_are_the_ones_of_the_readme() {
        let settings: Settings = serde_json::from_str("{}").unwrap();
        assert_eq!(settings.low, BTreeMap::from([("0-1".into(), 0), ("1-5".into(), 2)]));
        assert_eq!((settings.tag(), settings.note, settings.messages), (Some("low-rating"), true, 5));
    }

    #[test]
    fn a_tag_can_be_switched_off() {
        for off in [r#"{"tag":null}"#, r#"{"tag":""}"#] {
            let settings: Settings = serde_json::from_str(off).unwrap();
            assert_eq!(settings.tag(), None, "{off}");
        }
    }
}
