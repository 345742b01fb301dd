//! The event types: LiveChat's v3.6 action names and the host's own, and the older names for them.

/// The event types of the LiveChat platform (v3.6 webhook actions), in alphabetical order.
pub const PLATFORM: &[&str] = &[
    "agent_approved",
    "agent_created",
    "agent_deleted",
    "agent_suspended",
    "agent_unsuspended",
    "agent_updated",
    "auto_accesses_updated",
    "bot_created",
    "bot_deleted",
    "bot_updated",
    "chat_access_updated",
    "chat_deactivated",
    "chat_properties_deleted",
    "chat_properties_updated",
    "chat_transferred",
    "customer_session_fields_updated",
    "event_deleted",
    "event_properties_deleted",
    "event_properties_updated",
    "event_updated",
    "events_marked_as_seen",
    "group_created",
    "group_deleted",
    "group_updated",
    "incoming_chat",
    "incoming_event",
    "incoming_rich_message_postback",
    "routing_status_set",
    "tag_created",
    "tag_deleted",
    "tag_updated",
    "thread_properties_deleted",
    "thread_properties_updated",
    "thread_summary_set",
    "thread_tagged",
    "thread_untagged",
    "user_added_to_chat",
    "user_removed_from_chat",
];

/// The event type that the host derives from LiveChat's signals of a rating.
pub const CHAT_RATED: &str = "chat_rated";

/// A schedule's time has come.
pub const SCHEDULE: &str = "schedule";
/// A timer's time has come.
pub const TIMER: &str = "timer";
/// An operator wants something of a plugin.
pub const COMMAND: &str = "command";
/// The event types of which each event is for one plugin only; they can't be switched on.
pub const ADDRESSED: &[&str] = &[COMMAND, SCHEDULE, TIMER];

/// The event types that the host makes itself and that can be switched on.
pub const OWN: &[&str] = &[CHAT_RATED];

/// Older names, wherever an operator writes a type: (name, event type).
pub const ALIASES: &[(&str, &str)] = &[
    ("auto_access_added", "auto_accesses_updated"),
    ("auto_access_deleted", "auto_accesses_updated"),
    ("auto_access_updated", "auto_accesses_updated"),
    ("chat_ended", "chat_deactivated"),
    ("chat_started", "incoming_chat"),
    ("chat_thread_properties_deleted", "thread_properties_deleted"),
    ("chat_thread_properties_updated", "thread_properties_updated"),
    ("chat_thread_tagged", "thread_tagged"),
    ("chat_thread_untagged", "thread_untagged"),
    ("chat_user_added", "user_added_to_chat"),
    ("chat_user_removed", "user_removed_from_chat"),
    ("delete_tag", "tag_deleted"),
    ("incoming_chat_thread", "incoming_chat"),
    ("new_chat_started", "incoming_chat"),
    ("rating_added", CHAT_RATED),
    ("thread_closed", "chat_deactivated"),
];

/// Whether a name is one that only the host may give to an event; a webhook that uses it is stored under
/// another.
pub fn is_own(name: &str) -> bool {
    OWN.contains(&name) || is_addressed(name)
}

/// Whether each event of a type is for one plugin only.
pub fn is_addressed(event_type: &str) -> bool {
    ADDRESSED.contains(&event_type)
}

/// The event type that a name means, for looking at events: also those that can't be switched on.
///
/// # Errors
/// A sentence that names the nearest event type.
pub fn resolve_any(name: &str) -> Result<&'static str, String> {
    ADDRESSED.iter().find(|known| **known == name).map_or_else(|| resolve(name), |known| Ok(known))
}

/// The platform's event type that a name on the wire means: itself, or what it is an older name for.
pub fn of_wire(name: &str) -> Option<&'static str> {
    if let Ok(index) = PLATFORM.binary_search(&name) {
        return Some(PLATFORM[index]);
    }
    let (_, event_type) = ALIASES.iter().find(|(alias, _)| *alias == name)?;
    (!is_own(event_type)).then_some(*event_type)
}

/// All event types that can be switched on.
pub fn all() -> impl Iterator<Item = &'static str> {
    PLATFORM.iter().chain(OWN).copied()
}

/// The event type that a name means: itself, or what it is an older name for.
///
/// # Errors
/// A sentence that names the nearest event type.
pub fn resolve(name: &str) -> Result<&'static str, String> {
    if let Some(known) = all().find(|known| *known == name) {
        return Ok(known);
    }
    if let Some((_, event_type)) = ALIASES.iter().find(|(alias, _)| *alias == name) {
        return Ok(event_type);
    }
    let names = all().chain(ALIASES.iter().map(|(alias, _)| *alias));
    Err(match nearest(name, names) {
        Some(nearest) => format!("`{name}` is no event type; did you mean `{nearest}`?"),
        None => format!("`{name}` is no event type; `chatplug events types` lists all"),
    })
}

/// The candidate that is spelt most like `name`, if any is near enough to have been meant.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (strsim::normalized_damerau_levenshtein(name, candidate), candidate))
        .filter(|(similarity, _)| *similarity >= 0.6)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_names_and_misspelt_ones() {
        assert_eq!(PLATFORM.len(), 38);
        assert_eq!(resolve("incoming_chat"), Ok("incoming_chat"));
        assert_eq!(resolve("rating_added"), Ok("chat_rated"));
        assert_eq!(
            resolve("chat_deactived"),
            Err("`chat_deactived` is no event type; did you mean `chat_deactivated`?".into())
        );
        assert!(resolve("zzz").unwrap_err().contains("events types"));
    }

    #[test]
    fn what_is_for_one_plugin_is_looked_at_and_not_switched_on() {
        assert_eq!(resolve_any("timer"), Ok("timer"));
        assert_eq!(resolve_any("rating_added"), Ok("chat_rated"));
        assert!(resolve("timer").is_err());
    }

    #[test]
    fn names_on_the_wire() {
        for event_type in PLATFORM {
            assert_eq!(of_wire(event_type), Some(*event_type));
        }
        assert_eq!(of_wire("delete_tag"), Some("tag_deleted"));
        assert_eq!(of_wire("chat_ended"), Some("chat_deactivated"));
        for other in ["chat_rated", "rating_added", "timer", "", "INCOMING_CHAT"] {
            assert_eq!(of_wire(other), None, "{other}");
        }
    }

    #[test]
    fn every_alias_means_a_known_type_and_hides_none() {
        for (alias, event_type) in ALIASES {
            assert!(all().any(|known| known == *event_type), "{event_type}");
            assert!(all().all(|known| known != *alias), "{alias}");
        }
    }
}
