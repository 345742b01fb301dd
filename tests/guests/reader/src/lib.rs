//! Reads each event as its type, and remembers under `read/EVENT` what it read: a line with the event type, the name of the
//! Rust type and the fields that are there; also whether the event was recovered, and as which one it came, from 1.

use chatplug_sdk::payload::{
    AccessRule, AccessUpdated, AgentRef, AgentSaved, BotDeleted, BotSaved, EventDeleted, EventsSeen,
    GroupDeleted, GroupSaved, PropertiesDeleted, PropertiesUpdated, SessionFieldsUpdated, SummarySet,
    TagDeleted, TagSaved,
};
use chatplug_sdk::prelude::*;
use chatplug_sdk::serde::de::DeserializeOwned;

mod account;
mod chat;
mod line;

use line::{Shown, line};

/// All that LiveChat tells.
const EVENTS: [&str; 39] = [
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
    "chat_rated",
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

struct Reader;

impl Plugin for Reader {
    type Settings = ();

    fn manifest() -> Manifest {
        let manifest = Manifest::new("reader", "1.0.0", "Reads each event as its type.");
        EVENTS.into_iter().fold(manifest, Manifest::on)
    }

    fn handle(event: Event, (): ()) -> Result<(), Failure> {
        let read = json!({
            "line": format!("{} {}", event.event_type, read(&event)?),
            "recovered": event.recovered(),
            "number": memory::increment("number", 1)?,
        });
        memory::set(&format!("read/{}", event.id), &read)?;
        Ok(())
    }
}

/// By the typed view, where it has a case.
fn read(event: &Event) -> Result<String, Failure> {
    let line = match event.payload()? {
        Payload::IncomingChat(read) => line(&*read),
        Payload::ChatDeactivated(read) => line(&read),
        Payload::ChatRated(read) => line(&read),
        Payload::ChatTransferred(read) => line(&read),
        Payload::UserAddedToChat(read) => line(&*read),
        Payload::UserRemovedFromChat(read) => line(&read),
        Payload::IncomingEvent(read) | Payload::EventUpdated(read) => line(&*read),
        Payload::Postback(read) => line(&read),
        Payload::ThreadTagged(read) | Payload::ThreadUntagged(read) => line(&read),
        Payload::ChatPropertiesUpdated(read) | Payload::ThreadPropertiesUpdated(read) => line(&read),
        Payload::RoutingStatusSet(read) => line(&read),
        Payload::Other(_) => by_type(event)?,
        other => return Err(Failure::reject(format!("who sent {other:?}?"))),
    };
    Ok(line)
}

fn by_type(event: &Event) -> Result<String, Failure> {
    match event.event_type.as_str() {
        "chat_access_updated" => as_a::<AccessUpdated>(event),
        "event_deleted" => as_a::<EventDeleted>(event),
        "events_marked_as_seen" => as_a::<EventsSeen>(event),
        "event_properties_updated" => as_a::<PropertiesUpdated>(event),
        "chat_properties_deleted" | "thread_properties_deleted" | "event_properties_deleted" => {
            as_a::<PropertiesDeleted>(event)
        }
        "customer_session_fields_updated" => as_a::<SessionFieldsUpdated>(event),
        "thread_summary_set" => as_a::<SummarySet>(event),
        "agent_created" | "agent_updated" => as_a::<AgentSaved>(event),
        "agent_approved" | "agent_suspended" | "agent_unsuspended" | "agent_deleted" => {
            as_a::<AgentRef>(event)
        }
        "bot_created" | "bot_updated" => as_a::<BotSaved>(event),
        "bot_deleted" => as_a::<BotDeleted>(event),
        "group_created" | "group_updated" => as_a::<GroupSaved>(event),
        "group_deleted" => as_a::<GroupDeleted>(event),
        "tag_created" | "tag_updated" => as_a::<TagSaved>(event),
        "tag_deleted" => as_a::<TagDeleted>(event),
        "auto_accesses_updated" => as_a::<Vec<AccessRule>>(event),
        other => Err(Failure::reject(format!("{other} has no type"))),
    }
}

fn as_a<T: DeserializeOwned + Shown>(event: &Event) -> Result<String, Failure> {
    event.payload_as::<T>().map(|read| line(&read))
}

chatplug_sdk::plugin!(Reader);
