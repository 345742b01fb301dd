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

/// The plugin that made a `custom_id`: `chatplug-PLUGIN-STORE-DELIVERY-STEP`, where the last two are numbers, the one
/// before is [`TraceId::store`](super::trace_id::TraceId::store), and the plugin's name may hold hyphens. `None` for
/// what no host has made. The store may be another: what a host did before its data folder was lost is still its own.
pub fn plugin_of(custom_id: &str) -> Option<&str> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_store =
        |text: &str| text.len() == 8 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let mut parts = custom_id.strip_prefix(CUSTOM_ID_PREFIX)?.rsplitn(4, '-');
    let (step, delivery, store, plugin) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_ours = is_number(step) && is_number(delivery) && is_store(store) && is_kebab_case(plugin);
    is_ours.then_some(plugin)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::action::Origin;
    use crate::event::EventId;
    use crate::event::trace_id::TraceIds;

    fn check(custom_id: &str, expected: Option<&str>) {
        assert_eq!(plugin_of(custom_id), expected, "{custom_id:?}");
    }

    #[test]
    fn a_custom_id_names_the_plugin_that_made_it() {
        check("chatplug-crm-notes-0a1b2c3d-42-3", Some("crm-notes"));
        check("chatplug-a-1-0a1b2c3d-5-3", Some("a-1"));
        check("chatplug-a-00000000-9223372036854775807-18446744073709551615", Some("a"));
        check("chatplug-a-00000000-11111111-5-3", Some("a-00000000"));
    }

    #[test]
    fn what_the_host_has_not_made_names_none() {
        for other in [
            "",
            "chatplug-",
            "chatplug-a",
            "chatplug-a-1",
            "chatplug-a-1-2",
            "chatplug-00000000-1-2",
            "chatplug-a-0000000-1-2",
            "chatplug-a-0000000G-1-2",
            "chatplug-a-0000000A-1-2",
            "chatplug-a-00000000-1-x",
            "chatplug-a-00000000-x-1",
            "chatplug-a-00000000-1-",
            "chatplug-a-00000000--1",
            "chatplug--00000000-1-2",
            "chatplug-A-00000000-1-2",
            "chatplug-a_b-00000000-1-2",
            "chatplug-a--b-00000000-1-2",
            "chatplug-é-00000000-1-2",
            "chatplug-a-00000000-1-\u{661}",
            "Chatplug-a-00000000-1-2",
            " chatplug-a-00000000-1-2",
            "client-generated-1",
        ] {
            check(other, None);
        }
    }

    proptest! {
        #[test]
        fn every_plugin_is_found_again(plugin in "[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,5}){0,4}", store: u64, delivery in 0_i64.., step: u32) {
            let trace = TraceIds::new(store).of(EventId(1));
            let origin = Origin { plugin: plugin.as_str().into(), delivery, trace, step, accepted_at_ms: 0, answer_bytes: 0 };
            let custom_id = origin.custom_id();
            prop_assert_eq!(plugin_of(&custom_id), Some(plugin.as_str()));
        }
    }
}
