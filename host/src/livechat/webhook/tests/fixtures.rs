//! Each fixture: what becomes of it.

use super::*;
use crate::event::{Dedupe, types};

/// Fixture | event type | chat/thread | lane | dedupe key after chat, thread and type, or `~` for a window |
/// when it happened. `C` and `T` are the fixtures' chat and thread, `.` is "as in the fixture's name", `?` an
/// unknown type.
const TABLE: &str = "
v3.6/agent_approved | . | -/- | agent/smith@example.com | ~ | -
v3.6/agent_created | . | -/- | agent/smith@example.com | ~ | -
v3.6/agent_deleted | . | -/- | agent/smith@example.com | ~ | -
v3.6/agent_suspended | . | -/- | agent/smith@example.com | ~ | -
v3.6/agent_unsuspended | . | -/- | agent/smith@example.com | ~ | -
v3.6/agent_updated | . | -/- | agent/smith@example.com | ~ | -
v3.6/auto_accesses_updated | . | -/- | - | ~ | -
v3.6/auto_accesses_updated.auto_access_added | . | -/- | - | ~ | -
v3.6/bot_created | . | -/- | agent/5c9871d5372c824cbf22d860a707a578 | ~ | -
v3.6/bot_deleted | . | -/- | agent/5c9871d5372c824cbf22d860a707a578 | ~ | -
v3.6/bot_updated | . | -/- | agent/5c9871d5372c824cbf22d860a707a578 | ~ | -
v3.6/chat_access_updated | . | C/- | chat/C | ~ | -
v3.6/chat_deactivated | . | C/T | chat/C | | -
v3.6/chat_deactivated.by_router | . | C/T | chat/C | | -
v3.6/chat_properties_deleted | . | C/- | chat/C | ~ | -
v3.6/chat_properties_deleted.rating | . | C/- | chat/C | ~ | -
v3.6/chat_properties_updated | . | C/- | chat/C | ~ | -
v3.6/chat_properties_updated.rating | . | C/- | chat/C | ~ | -
v3.6/chat_transferred | . | C/T | chat/C | ~ | -
v3.6/chat_transferred.inactive | . | C/- | chat/C | ~ | -
v3.6/chat_transferred.queued | . | C/T | chat/C | ~ | 2026-06-01T12:00:00Z
v3.6/customer_session_fields_updated | . | C/T | chat/C | ~ | -
v3.6/event_deleted | . | C/T | chat/C | T_5 | -
v3.6/event_properties_deleted | . | C/T | chat/C | ~ | -
v3.6/event_properties_deleted.rating | . | C/T | chat/C | ~ | -
v3.6/event_properties_updated | . | C/T | chat/C | ~ | -
v3.6/event_properties_updated.rating | . | C/T | chat/C | ~ | -
v3.6/event_updated | . | C/T | chat/C | ~ | -
v3.6/events_marked_as_seen | . | C/- | chat/C | ~ | -
v3.6/group_created | . | -/- | - | ~ | -
v3.6/group_deleted | . | -/- | - | ~ | -
v3.6/group_updated | . | -/- | - | ~ | -
v3.6/incoming_chat | . | C/T | chat/C | | 2026-06-01T12:00:00Z
v3.6/incoming_chat.queued | . | C/T | chat/C | | 2026-06-01T12:00:00Z
v3.6/incoming_chat.restricted | . | C/T | chat/C | | 2026-06-01T12:00:00Z
v3.6/incoming_event | . | C/T | chat/C | T_5 | 2026-06-01T12:00:05.512Z
v3.6/incoming_event.custom | . | C/T | chat/C | T_5 | 2026-06-01T12:00:05.512Z
v3.6/incoming_event.file | . | C/T | chat/C | T_5 | 2026-06-01T12:00:05.512Z
v3.6/incoming_event.filled_form | . | C/T | chat/C | T_5 | 2026-06-01T12:00:00.1Z
v3.6/incoming_event.form | . | C/T | chat/C | T_5 | 2026-06-01T12:00:05.512Z
v3.6/incoming_event.note | . | C/T | chat/C | T_6 | 2026-06-01T12:00:06.512Z
v3.6/incoming_event.rating_canceled | . | C/T | chat/C | T_10 | 2026-06-01T12:04:05.123Z
v3.6/incoming_event.rating_commented | . | C/T | chat/C | T_9 | 2026-06-01T12:04:05.123Z
v3.6/incoming_event.rating_rated_bad | . | C/T | chat/C | T_8 | 2026-06-01T12:04:05.123Z
v3.6/incoming_event.rating_rated_good | . | C/T | chat/C | T_7 | 2026-06-01T12:04:05.123Z
v3.6/incoming_event.rich_message | . | C/T | chat/C | T_5 | 2026-06-01T12:00:05.512Z
v3.6/incoming_event.system | . | C/T | chat/C | T_5 | 2026-06-01T12:00:05.512Z
v3.6/incoming_event.system_message | . | C/T | chat/C | T_5 | 2026-06-01T12:00:02Z
v3.6/incoming_event.uuid | . | C/T | chat/C | 0affb00a-82d6-4e07-ae61-56ba5c36f743 | 2026-06-01T12:00:03Z
v3.6/incoming_rich_message_postback | . | C/T | chat/C | ~ | -
v3.6/routing_status_set | . | -/- | agent/smith@example.com | ~ | -
v3.6/routing_status_set.bot | . | -/- | agent/5c9871d5372c824cbf22d860a707a578 | ~ | -
v3.6/routing_status_set.spaces | . | -/- | agent/smith@example.com | ~ | -
v3.6/tag_created | . | -/- | - | ~ | 2026-06-01T10:00:00Z
v3.6/tag_deleted | . | -/- | - | ~ | -
v3.6/tag_deleted.delete_tag | . | -/- | - | ~ | -
v3.6/tag_updated | . | -/- | - | ~ | -
v3.6/thread_properties_deleted | . | C/T | chat/C | ~ | -
v3.6/thread_properties_deleted.rating | . | C/T | chat/C | ~ | -
v3.6/thread_properties_updated | . | C/T | chat/C | ~ | -
v3.6/thread_properties_updated.rating | . | C/T | chat/C | ~ | -
v3.6/thread_properties_updated.rating_comment | . | C/T | chat/C | ~ | -
v3.6/thread_properties_updated.rating_good | . | C/T | chat/C | ~ | -
v3.6/thread_summary_set | . | C/T | chat/C | ~ | 2026-06-01T12:30:00Z
v3.6/thread_tagged | . | C/T | chat/C | ~ | -
v3.6/thread_untagged | . | C/T | chat/C | ~ | -
v3.6/user_added_to_chat | . | C/T | chat/C | ~ | -
v3.6/user_added_to_chat.customer | . | C/T | chat/C | ~ | -
v3.6/user_removed_from_chat | . | C/T | chat/C | ~ | -
v3.2/agent_deleted | . | -/- | agent/smith@example.com | ~ | -
v3.2/chat_deactivated.thread_closed | . | C/T | chat/C | | -
v3.2/incoming_chat | . | C/T | chat/C | | 2026-06-01T12:00:00Z
v3.2/incoming_chat.incoming_chat_thread | . | C/T | chat/C | | 2026-06-01T12:00:00Z
v3.2/incoming_event | . | C/T | chat/C | T_5 | 2026-06-01T12:00:05.512Z
v3.3/incoming_chat | . | C/T | chat/C | | 2026-06-01T12:00:00Z
v3.3/incoming_event | . | C/T | chat/C | T_5 | 2026-06-01T12:00:05.512Z
v3.3/routing_status_set | . | -/- | agent/smith@example.com | ~ | -
v3.4/agent_created | . | -/- | agent/smith@example.com | ~ | -
v3.4/incoming_chat | . | C/T | chat/C | | 2026-06-01T12:00:00Z
v3.4/incoming_event | . | C/T | chat/C | T_5 | 2026-06-01T12:00:05.512Z
v3.5/chat_transferred | . | C/T | chat/C | ~ | 2026-06-01T12:00:00Z
v3.5/chat_transferred.microseconds | . | C/T | chat/C | ~ | 2026-06-01T12:00:00Z
v3.5/incoming_chat | . | C/T | chat/C | | 2026-06-01T12:00:00Z
v3.5/incoming_customer | ?incoming_customer | -/- | - | ~ | -
v3.5/incoming_event | . | C/T | chat/C | T_5 | 2026-06-01T12:00:05.512Z
v3.5/user_added_to_chat | . | C/T | chat/C | ~ | -
v2/canned_response_changed | ?canned_response_changed | -/- | - | ~ | -
v2/chat_changed | ?chat_changed | MH022RD0K5/- | chat/MH022RD0K5 | ~ | -
v2/chat_ended | chat_deactivated | MH022RD0K5/- | chat/MH022RD0K5 | 2013-01-23T10:40:53Z | 2013-01-23T11:05:09Z
v2/chat_started | incoming_chat | MH022RD0K5/- | chat/MH022RD0K5 | 2013-01-23T10:40:53Z | 2013-01-23T10:40:53Z
v2/ticket_created | ?ticket_created | -/- | - | ~ | -
v2/visitor_queued | ?visitor_queued | -/- | - | ~ | -
signed/application_installed | ?application_installed | -/- | - | ~ | -
signed/chat_ended | chat_deactivated | C/- | chat/C | ~ | -
signed/new_chat_started | incoming_chat | C/- | chat/C | ~ | -
signed/rating_added | rating_added | C/- | chat/C | ~ | -
signed/v2.chat_ended | chat_deactivated | MH022RD0K5/- | chat/MH022RD0K5 | 2013-01-23T10:40:53Z | 2013-01-23T11:05:09Z
signed/v3.incoming_event | incoming_event | C/T | chat/C | T_5 | 2026-06-01T12:00:05.512Z
";

const CHAT: &str = "PJ0MRSHTDG";
const THREAD: &str = "K600PKZON8";

fn rows() -> Vec<Vec<&'static str>> {
    TABLE.trim().lines().map(|line| line.split('|').map(str::trim).collect()).collect()
}

fn check(row: &[&str], body: &str) {
    let &[name, event_type, place, lane, key, occurred] = row else { panic!("{row:?}") };
    let webhook = receive(name, body).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
    let event = &webhook.events[0];
    let named = name.split(['/', '.']).find(|part| types::PLATFORM.contains(part));
    let event_type = if event_type == "." { named.unwrap() } else { event_type };
    assert_eq!(webhook.known, !event_type.starts_with('?'), "{name}");
    let event_type = event_type.trim_start_matches('?');
    assert_eq!(event.event_type, event_type, "{name}");
    let (chat, thread) = place.split_once('/').unwrap();
    let (chat, thread) = (chat.replace('C', CHAT), thread.replace('T', THREAD));
    assert_eq!(event.chat_id.as_deref().unwrap_or("-"), chat, "{name}");
    assert_eq!(event.thread_id.as_deref().unwrap_or("-"), thread, "{name}");
    let lane = if lane == "chat/C" { format!("chat/{CHAT}") } else { lane.to_owned() };
    assert_eq!(event.lane.as_deref().unwrap_or("-"), lane, "{name}");
    let occurred = (occurred != "-").then(|| occurred.parse::<jiff::Timestamp>().unwrap().as_millisecond());
    assert_eq!(event.occurred_at_ms, occurred, "{name}");
    let start = format!("{chat} {thread} {event_type}");
    match &event.dedupe {
        Dedupe::Window(text) => {
            let hash = text.strip_prefix(&format!("{start} ")).unwrap_or_else(|| panic!("{name}: {text}"));
            assert!(key == "~" && hash.len() == 32, "{name}: {text}");
        }
        Dedupe::Key(text) => {
            let key = key.replace("T_", &format!("{THREAD}_"));
            assert_eq!(text.trim_end(), format!("{start} {key}").trim_end(), "{name}");
        }
        Dedupe::Always => panic!("{name} is always new"),
    }
    for event in &webhook.events {
        let all = format!("{event:?}");
        assert!(!all.contains(SECRET) && !all.contains("another-token"), "{name}: {all}");
        assert!(json(&event.extra)["wire"].is_string(), "{name}");
        json(&event.payload);
    }
}

#[test]
fn each_fixture_becomes_the_right_event() {
    let fixtures = fixtures();
    assert_eq!(rows().len(), fixtures.len(), "the table and the folder have as many");
    for row in rows() {
        check(&row, &fixtures.iter().find(|(name, _)| name == row[0]).expect(row[0]).1);
    }
}

#[test]
fn each_platform_type_has_a_fixture() {
    for event_type in types::PLATFORM {
        fixture(&format!("v3.6/{event_type}"));
    }
}

#[test]
fn a_v3_6_payload_stays_as_it_is_and_older_ones_keep_their_original() {
    for (name, body) in fixtures().into_iter().filter(|(name, _)| name.starts_with("v3.6/")) {
        let event = receive(&name, &body).unwrap().events.remove(0);
        if name == "v3.6/routing_status_set.spaces" {
            assert_eq!(json(&event.original)["payload"]["status"], "not accepting chats");
            continue;
        }
        assert_eq!(json(&event.payload), json(&body)["payload"], "{name}");
        assert_eq!(event.original, "", "{name}");
        assert!(!event.payload.contains('\n'), "{name}");
        for field in ["webhook_id", "additional_data", "requester"] {
            assert_eq!(json(&event.extra).get(field), json(&body).get(field), "{name}");
        }
    }
    // Text for text, where it is compact already.
    let compact = json(&fixture("v3.6/incoming_event")).to_string();
    let payload = receive("v3.6", &compact).unwrap().events.remove(0).payload;
    assert!(compact.contains(&payload));
}
