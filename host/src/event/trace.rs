//! What an event says of who caused it. By this the store recognises what the host's own calls came back as.

use crate::action::CUSTOM_ID_PREFIX;
use crate::manifest::is_kebab_case;

/// The traces that a call of the host may have left in an event; empty for what a customer did, whatever it
/// says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The plugin that the chat event's `custom_id` names.
    pub plugin: Option<String>,
    /// The platform's id of the chat event that the event tells of.
    pub chat_event: Option<String>,
    /// Whether our app or our bot caused it: what only programs act as.
    pub by_us: bool,
}

impl Trace {
    /// Whether the event can't be one of ours.
    pub fn is_empty(&self) -> bool {
        *self == Trace::default()
    }
}

/// The plugin that made a `custom_id`: `chatplug-PLUGIN-DELIVERY-STEP`, where the last two are numbers and the
/// plugin's name may hold hyphens. `None` for what the host has not made.
pub fn plugin_of(custom_id: &str) -> Option<&str> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = custom_id.strip_prefix(CUSTOM_ID_PREFIX)?.rsplitn(3, '-');
    let (step, delivery, plugin) = (parts.next()?, parts.next()?, parts.next()?);
    (is_number(step) && is_number(delivery) && is_kebab_case(plugin)).then_some(plugin)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(custom_id: &str, expected: Option<&str>) {
        assert_eq!(plugin_of(custom_id), expected, "{custom_id:?}");
    }

    #[test]
    fn a_custom_id_names_the_plugin_that_made_it() {
        check("chatplug-crm-notes-42-3", Some("crm-notes"));
        check("chatplug-a-1-5-3", Some("a-1"));
        check("chatplug-a-9223372036854775807-18446744073709551615", Some("a"));
    }

    #[test]
    fn what_the_host_has_not_made_names_none() {
        for other in [
            "",
            "chatplug-",
            "chatplug-a",
            "chatplug-a-1",
            "chatplug-1-2",
            "chatplug-a-1-x",
            "chatplug-a-x-1",
            "chatplug-a-1-",
            "chatplug-a--1",
            "chatplug--1-2",
            "chatplug-A-1-2",
            "chatplug-a_b-1-2",
            "chatplug-a--b-1-2",
            "chatplug-é-1-2",
            "chatplug-a-1-\u{661}",
            "Chatplug-a-1-2",
            " chatplug-a-1-2",
            "client-generated-1",
        ] {
            check(other, None);
        }
    }

    proptest! {
        #[test]
        fn every_plugin_is_found_again(plugin in "[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,5}){0,4}", delivery in 0_i64.., step: u32) {
            let custom_id = format!("{CUSTOM_ID_PREFIX}{plugin}-{delivery}-{step}");
            prop_assert_eq!(plugin_of(&custom_id), Some(plugin.as_str()));
        }
    }
}
