//! Each fixture goes in at the door and comes out in a plugin as the typed event that it should be: all actions of v3.6,
//! the older versions, the older API's webhooks, and signed ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use chatplug::event::types;
use chatplug_tests::{Host, guest};
use rusqlite::Connection;
use serde_json::Value;

use crate::client::{accept, post_signed, signature};

/// Fixture | the line that the plugin `reader` makes of it: event type, Rust type, fields. A row without a fixture is
/// what else comes of the one above it; `-` is "nothing for a plugin". `C`, `T` and `DANA` are the ids of the fixtures'
/// chat, thread and customer; the other words in capitals
/// stand in [`WORDS`].
const TABLE: &str = r#"
v3.6/agent_approved | agent_approved AgentRef id=smith@example.com
v3.6/agent_created | agent_created AgentSaved id=smith@example.com name=Anna Smith role=normal awaits=false groups=1:normal told=new_visitor mails=weekly_summary monday=09:00
v3.6/agent_deleted | agent_deleted AgentRef id=smith@example.com
v3.6/agent_suspended | agent_suspended AgentRef id=smith@example.com
v3.6/agent_unsuspended | agent_unsuspended AgentRef id=smith@example.com
v3.6/agent_updated | agent_updated AgentSaved id=smith@example.com title=Lead
v3.6/auto_accesses_updated | auto_accesses_updated AccessRule RULES
v3.6/auto_accesses_updated.auto_access_added | auto_accesses_updated AccessRule RULES
v3.6/bot_created | bot_created BotSaved id=5c9871d5372c824cbf22d860a707a578 name=Greeter priority=first groups=0:normal app=0805e283233042b37f460ed8fbf22160
v3.6/bot_deleted | bot_deleted BotDeleted id=5c9871d5372c824cbf22d860a707a578
v3.6/bot_updated | bot_updated BotSaved id=5c9871d5372c824cbf22d860a707a578 name=Greeter 2
v3.6/chat_access_updated | chat_access_updated AccessUpdated chat=C groups=1,19
v3.6/chat_deactivated | chat_deactivated ChatDeactivated chat=C thread=T by=smith@example.com
v3.6/chat_deactivated.by_router | chat_deactivated ChatDeactivated chat=C thread=T
v3.6/chat_properties_deleted | chat_properties_deleted PropertiesDeleted chat=C gone=test.string_property
v3.6/chat_properties_deleted.rating | chat_properties_deleted PropertiesDeleted chat=C gone=rating.score,rating.comment
v3.6/chat_properties_updated | chat_properties_updated PropertiesUpdated chat=C set=TEST
v3.6/chat_properties_updated.rating | chat_properties_updated PropertiesUpdated chat=C set=RATING
 | chat_rated ChatRated chat=C change=Rated score=0 scale=ZeroToOne comment=slow reply
v3.6/chat_transferred | chat_transferred ChatTransferred chat=C thread=T reason=manual agents=jones@example.com by=smith@example.com
v3.6/chat_transferred.inactive | chat_transferred ChatTransferred chat=C reason=inactive groups=0
v3.6/chat_transferred.queued | chat_transferred ChatTransferred chat=C thread=T reason=unassigned groups=19 queue=3 wait=120 since=2026-06-01T12:00:00.000000Z
v3.6/customer_session_fields_updated | customer_session_fields_updated SessionFieldsUpdated chat=C thread=T customer=DANA order=A-1001
v3.6/event_deleted | event_deleted EventDeleted chat=C thread=T event=T_5
v3.6/event_properties_deleted | event_properties_deleted PropertiesDeleted chat=C thread=T event=T_5 gone=test.string_property
v3.6/event_properties_deleted.rating | event_properties_deleted PropertiesDeleted chat=C thread=T event=T_5 gone=rating.score,rating.comment
v3.6/event_properties_updated | event_properties_updated PropertiesUpdated chat=C thread=T event=T_5 set=TEST
v3.6/event_properties_updated.rating | event_properties_updated PropertiesUpdated chat=C thread=T event=T_5 set=RATING
 | chat_rated ChatRated chat=C thread=T change=Rated score=0 scale=ZeroToOne comment=slow reply
v3.6/event_updated | event_updated EventInChat chat=C thread=T event=T_5 kind=message seen=all by=smith@example.com text=corrected text
v3.6/events_marked_as_seen | events_marked_as_seen EventsSeen chat=C by=smith@example.com to=2026-06-01T12:00:05.000000Z
v3.6/group_created | group_created GroupSaved id=19 name=Sales language=en agents=smith@example.com:normal
v3.6/group_deleted | group_deleted GroupDeleted id=19
v3.6/group_updated | group_updated GroupSaved id=19 name=Sales PL
v3.6/incoming_chat | incoming_chat IncomingChat WHOLE CUSTOMER agents=Anna Smith groups=0 pinned=false
 | FORM
 | MESSAGE
 | SYSTEM
v3.6/incoming_chat.queued | incoming_chat IncomingChat chat=C thread=T active=true start=https://shop.example.com/pricing queue=2 wait=60 since=2026-06-01T12:00:00.500000Z CUSTOMER groups=0 pinned=false groups=1
v3.6/incoming_chat.restricted | incoming_chat IncomingChat chat=C thread=T active=true start=https://shop.example.com/pricing CUSTOMER agents=Anna Smith groups=0 pinned=false by=smith@example.com
v3.6/incoming_event | incoming_event ORDER
v3.6/incoming_event.custom | incoming_event EventInChat chat=C thread=T event=T_5 kind=custom seen=all by=smith@example.com content={"cart":{"items":[1,2]}}
v3.6/incoming_event.file | incoming_event EventInChat chat=C thread=T event=T_5 kind=file seen=all by=DANA name=order.png url=https://cdn.example.com/order.png
v3.6/incoming_event.filled_form | incoming_event EventInChat chat=C thread=T event=T_5 kind=filled_form seen=all by=DANA answers=Dana,dana@example.org,Sales,Billing,
v3.6/incoming_event.form | incoming_event EventInChat chat=C thread=T event=T_5 kind=form seen=all by=smith@example.com asks=Solved?
v3.6/incoming_event.note | incoming_event EventInChat chat=C thread=T event=T_6 kind=message seen=agents by=smith@example.com text=check stock
v3.6/incoming_event.rating_canceled | incoming_event EventInChat chat=C thread=T event=T_10 kind=system_message seen=all says=rating.chat_rating_canceled
v3.6/incoming_event.rating_commented | incoming_event EventInChat chat=C thread=T event=T_9 kind=system_message seen=all says=rating.chat_commented
 | chat_rated ChatRated chat=C thread=T change=Commented scale=ZeroToOne comment=slow reply
v3.6/incoming_event.rating_rated_bad | incoming_event EventInChat chat=C thread=T event=T_8 kind=system_message seen=all says=rating.chat_rated
 | chat_rated ChatRated chat=C thread=T change=Rated score=0 scale=ZeroToOne
v3.6/incoming_event.rating_rated_good | incoming_event EventInChat chat=C thread=T event=T_7 kind=system_message seen=all says=rating.chat_rated
 | chat_rated ChatRated chat=C thread=T change=Rated score=1 scale=ZeroToOne
v3.6/incoming_event.rich_message | incoming_event EventInChat chat=C thread=T event=T_5 kind=rich_message seen=all by=smith@example.com template=cards title=Pick one
v3.6/incoming_event.system | incoming_event EventInChat chat=C thread=T event=T_5 kind=system seen=all about=handoff details={"reason":"asked"}
v3.6/incoming_event.system_message | incoming_event EventInChat chat=C thread=T event=T_5 kind=system_message seen=all says=routing.assigned_other
v3.6/incoming_event.uuid | incoming_event EventInChat chat=C thread=T event=0affb00a-82d6-4e07-ae61-56ba5c36f743 kind=message seen=all by=DANA text=hi
v3.6/incoming_rich_message_postback | incoming_rich_message_postback PostbackInChat chat=C thread=T event=T_5 by=DANA button=yes on=true kind=message says=Yes
v3.6/routing_status_set | routing_status_set RoutingStatus id=smith@example.com status=NotAcceptingChats
v3.6/routing_status_set.bot | routing_status_set RoutingStatus id=5c9871d5372c824cbf22d860a707a578 status=Offline
v3.6/routing_status_set.spaces | routing_status_set RoutingStatus id=smith@example.com status=NotAcceptingChats
v3.6/tag_created | tag_created TagSaved name=bad rating groups=0 at=2026-06-01T10:00:00.000000Z by=boss@example.com
v3.6/tag_deleted | tag_deleted TagDeleted name=bad rating
v3.6/tag_deleted.delete_tag | tag_deleted TagDeleted name=bad rating
v3.6/tag_updated | tag_updated TagSaved name=bad rating groups=0,1
v3.6/thread_properties_deleted | thread_properties_deleted PropertiesDeleted chat=C thread=T gone=test.string_property
v3.6/thread_properties_deleted.rating | thread_properties_deleted PropertiesDeleted chat=C thread=T gone=rating.score,rating.comment
v3.6/thread_properties_updated | thread_properties_updated PropertiesUpdated chat=C thread=T set=TEST
v3.6/thread_properties_updated.rating | thread_properties_updated PropertiesUpdated chat=C thread=T set=RATING
 | chat_rated ChatRated chat=C thread=T change=Rated score=0 scale=ZeroToOne comment=slow reply
v3.6/thread_properties_updated.rating_comment | thread_properties_updated PropertiesUpdated chat=C thread=T set=rating.comment:"slow reply"
 | chat_rated ChatRated chat=C thread=T change=Commented scale=ZeroToOne comment=slow reply
v3.6/thread_properties_updated.rating_good | thread_properties_updated PropertiesUpdated chat=C thread=T set=rating.score:1
 | chat_rated ChatRated chat=C thread=T change=Rated score=1 scale=ZeroToOne
v3.6/thread_summary_set | thread_summary_set SummarySet chat=C thread=T status=Ok text=Asked about order A-1001. at=2026-06-01T12:30:00.000000Z
v3.6/thread_tagged | thread_tagged Tagged chat=C thread=T tag=bad rating
v3.6/thread_untagged | thread_untagged Tagged chat=C thread=T tag=bad rating
v3.6/user_added_to_chat | user_added_to_chat UserAdded chat=C thread=T agent=smith@example.com name=Anna Smith reason=manual by=jones@example.com
v3.6/user_added_to_chat.customer | user_added_to_chat UserAdded chat=C thread=T CUSTOMER reason=other
v3.6/user_removed_from_chat | user_removed_from_chat UserRemoved chat=C thread=T user=smith@example.com reason=manual by=smith@example.com
v3.5/chat_transferred | chat_transferred ChatTransferred chat=C thread=T reason=assigned agents=smith@example.com queue=1 wait=30 since=2026-06-01T12:00:00.000000Z
v3.5/chat_transferred.microseconds | chat_transferred ChatTransferred chat=C thread=T reason=assigned agents=smith@example.com queue=1 wait=30 since=2026-06-01T12:00:00Z
v3.5/incoming_chat | incoming_chat IncomingChat WHOLE CUSTOMER agents=Anna Smith groups=0 pinned=false
 | FORM
 | MESSAGE
 | SYSTEM
v3.5/incoming_customer | -
v3.5/incoming_event | incoming_event ORDER
v3.5/user_added_to_chat | user_added_to_chat UserAdded chat=C thread=T CUSTOMER reason=other
v3.4/agent_created | agent_created AgentSaved id=smith@example.com name=Anna Smith role=normal awaits=true monday=09:00
v3.4/incoming_chat | incoming_chat IncomingChat WHOLE CUSTOMER agents=Anna Smith groups=0 pinned=false
 | FORM
 | MESSAGE
 | SYSTEM
v3.4/incoming_event | incoming_event ORDER
v3.3/incoming_chat | incoming_chat IncomingChat WHOLE CUSTOMER agents=Anna Smith groups=0 pinned=false
 | FORM
 | MESSAGE
 | SYSTEM
v3.3/incoming_event | incoming_event ORDER
v3.3/routing_status_set | routing_status_set RoutingStatus id=smith@example.com status=AcceptingChats
v3.2/agent_deleted | agent_deleted AgentRef id=smith@example.com
v3.2/chat_deactivated.thread_closed | chat_deactivated ChatDeactivated chat=C thread=T
v3.2/incoming_chat | incoming_chat IncomingChat WHOLE CUSTOMER agents=Anna Smith groups=0 pinned=false
 | FORM
 | MESSAGE
 | SYSTEM
v3.2/incoming_chat.incoming_chat_thread | incoming_chat IncomingChat WHOLE CUSTOMER groups=0 pinned=false
 | FORM
 | MESSAGE
 | SYSTEM
v3.2/incoming_event | incoming_event ORDER
v2/canned_response_changed | -
v2/chat_changed | -
v2/chat_ended | chat_deactivated ChatDeactivated chat=C
v2/chat_started | incoming_chat IncomingChat chat=C active=true said=filled_form:all customer=Mary email=mary@example.com order=A-1001
v2/ticket_created | -
v2/visitor_queued | -
signed/application_installed | -
signed/chat_ended | chat_deactivated ChatDeactivated chat=C
signed/new_chat_started | incoming_chat IncomingChat chat=C active=true customer=Mary email=mary@example.com agents=Anna Smith
signed/rating_added | chat_rated ChatRated chat=C change=Rated score=2 scale=OneToFive comment=slow reply
signed/v2.chat_ended | chat_deactivated ChatDeactivated chat=C
signed/v3.incoming_event | incoming_event ORDER
"#;

/// What stands in many rows.
const WORDS: [(&str, &str); 9] = [
    (
        "WHOLE",
        "chat=C thread=T active=true said=filled_form:all,message:all,system_message:all start=https://shop.example.com/pricing",
    ),
    (
        "CUSTOMER",
        "customer=Dana email=dana@example.org order=A-1001 pages=https://shop.example.com/pricing chats=2",
    ),
    (
        "FORM",
        "incoming_event EventInChat chat=C thread=T event=T_1 kind=filled_form seen=all by=DANA answers=Dana,dana@example.org,Sales,Billing,",
    ),
    (
        "MESSAGE",
        "incoming_event EventInChat chat=C thread=T event=T_2 kind=message seen=all by=DANA text=Cześć 👋, where is my order? \"A-1001\"",
    ),
    (
        "SYSTEM",
        "incoming_event EventInChat chat=C thread=T event=T_3 kind=system_message seen=all says=routing.assigned_other",
    ),
    ("ORDER", "EventInChat chat=C thread=T event=T_5 kind=message seen=all by=DANA text=where is my order?"),
    ("TEST", "test.bool_property:true,test.int_property:7,test.string_property:\"a\""),
    ("RATING", "rating.comment:\"slow reply\",rating.score:0"),
    (
        "RULES",
        "id=pqi8oasdjahuakndw9nsad9na change=added for=Polish pages groups=19 url=/pl/ id=1faad6f5f1d6e8fdf27e8af9839783b7 change=updated next=pqi8oasdjahuakndw9nsad9na",
    ),
];

/// Fixture and lines.
type Rows = Vec<(&'static str, Vec<String>)>;

fn rows() -> Rows {
    let mut rows = Rows::new();
    for row in TABLE.trim().lines() {
        let (fixture, line) = row.split_once('|').expect("two cells");
        let (fixture, line) = (fixture.trim(), line.trim());
        if !fixture.is_empty() {
            rows.push((fixture, Vec::new()));
        }
        if line != "-" {
            let line = WORDS.iter().fold(line.to_owned(), |line, (word, means)| line.replace(word, means));
            rows.last_mut().expect("the first row has a fixture").1.push(line);
        }
    }
    rows
}

/// All fixtures, by folder and name.
fn fixtures() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("payloads");
    let names = |folder: &Path| -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect()
    };
    let inside = |folder: String| {
        let fixtures = names(&root.join(&folder)).into_iter();
        fixtures.map(move |name| format!("{folder}/{}", name.trim_end_matches(".json")))
    };
    names(&root).into_iter().flat_map(inside).collect()
}

/// The ids of the fixtures' chats, of v3 and of v2.
const CHATS: [&str; 2] = ["PJ0MRSHTDG", "MH022RD0K5"];

/// Posts a fixture, in the way that its folder says, with a chat of its own: else it would repeat another one.
async fn post(host: &Host, fixture: &str, number: usize) {
    let text = String::from_utf8(chatplug_tests::payload(&format!("{fixture}.json"))).expect("text");
    let body = CHATS.iter().fold(text, |text, chat| text.replace(chat, &format!("CHAT{number:03}")));
    if fixture.starts_with("signed/") {
        let signature = signature(body.as_bytes());
        let (status, said) = post_signed(host, body.into_bytes(), &signature).await;
        assert_eq!(status, 200, "{fixture}: {said}");
    } else {
        accept(host, body).await;
    }
}

fn store(host: &Host) -> Connection {
    Connection::open(host.data().join("chatplug.db")).expect("the store")
}

/// The number of the newest event.
fn newest(host: &Host) -> i64 {
    let select = "SELECT coalesce(max(id), 0) FROM events";
    store(host).query_row(select, [], |row| row.get(0)).expect("a number")
}

/// What the plugin has read, by the numbers of the events.
fn read(host: &Host) -> BTreeMap<i64, String> {
    let store = store(host);
    let mut select = store
        .prepare("SELECT key, value FROM memory WHERE plugin = 'reader' AND key LIKE 'read/%'")
        .expect("the table");
    let row = |row: &rusqlite::Row<'_>| -> rusqlite::Result<(i64, String)> {
        let (key, value): (String, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let event = key.trim_start_matches("read/ev-").parse().expect("the number of an event");
        let value: Value = serde_json::from_slice(&value).expect("JSON");
        Ok((event, value["line"].as_str().expect("a line").to_owned()))
    };
    select.query_map([], row).expect("rows").collect::<rusqlite::Result<_>>().expect("rows")
}

/// A line as the table has it.
fn plain(line: &str, number: usize) -> String {
    line.replace(&format!("CHAT{number:03}"), "C")
        .replace("K600PKZON8", "T")
        .replace("b7eff798-f8df-4364-8059-649c35c9ed0c", "DANA")
        .replace('\n', " ")
}

#[tokio::test]
async fn each_fixture_comes_out_in_a_plugin_as_the_right_typed_event() {
    let events: Vec<&str> = types::all().collect();
    let host = Host::start(&format!("[plugin.reader]\nevents = {events:?}\n"), &[guest("guest_reader")]);
    let rows = rows();
    let mut bounds = vec![0];
    for (number, (fixture, _)) in rows.iter().enumerate() {
        post(&host, fixture, number).await;
        bounds.push(newest(&host));
    }
    let stored = host.wait_until_done(rows.len());
    let read = read(&host);
    for (number, (fixture, expected)) in rows.iter().enumerate() {
        let of_fixture = bounds[number] + 1..=bounds[number + 1];
        let lines: Vec<String> = read.range(of_fixture).map(|(_, line)| plain(line, number)).collect();
        let events = &stored[bounds[number] as usize..bounds[number + 1] as usize];
        assert_eq!(&lines, expected, "{fixture}: {events:#?}");
    }
}

#[test]
fn the_table_has_each_fixture_and_each_action() {
    let rows = rows();
    let known: BTreeSet<String> = rows.iter().map(|(fixture, _)| (*fixture).to_owned()).collect();
    assert_eq!(known, fixtures());
    for action in types::PLATFORM {
        let fixture = format!("v3.6/{action}");
        let lines = rows.iter().find(|(known, _)| *known == fixture).map(|(_, lines)| lines);
        let comes_out = |lines: &Vec<String>| lines[0].starts_with(&format!("{action} "));
        assert!(lines.is_some_and(comes_out), "{fixture} does not come out as {action}");
    }
}
