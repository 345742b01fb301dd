//! Older and flat bodies in the v3.6 shape, messages inside of chats, and ratings.

use serde_json::json as value;

use super::*;
use crate::event::rating::{Part, Said, Scale};

fn first(name: &str) -> NewEvent {
    receive(name, &fixture(name)).unwrap().events.remove(0)
}

#[test]
fn all_versions_of_a_chat_have_one_payload() {
    let newest = json(&first("v3.6/incoming_chat").payload);
    assert_eq!(newest["chat"]["users"][0]["visit"]["geolocation"]["country_code"], "PL");
    for version in ["v3.2", "v3.3", "v3.4", "v3.5"] {
        let older = first(&format!("{version}/incoming_chat"));
        assert_eq!(json(&older.payload), newest, "{version}");
        assert!(older.original.contains("last_visit"), "{version}");
    }
    let license = first("v3.3/incoming_chat");
    assert_eq!((license.organization, json(&license.extra)["license_id"].as_i64()), (None, Some(12345678)));
    assert_eq!(json(&first("v3.2/incoming_event").payload)["event"]["visibility"], "all");
    assert_eq!(json(&first("v3.6/tag_deleted.delete_tag").extra)["action"], "delete_tag");
}

#[test]
fn flat_bodies_become_chats() {
    let ended = first("v2/chat_ended");
    let payload = json(&ended.payload);
    assert_eq!(payload["chat_id"], "MH022RD0K5");
    assert_eq!(payload["chat"]["thread"]["tags"], value!(["sales"]));
    assert_eq!(payload["chat"]["thread"]["active"], false);
    assert_eq!(payload["chat"]["thread"]["events"].as_array().unwrap().len(), 3);
    assert_eq!(json(&ended.extra), value!({"license_id": "1025707", "wire": "v2", "action": "chat_ended"}));
    assert_eq!(json(&ended.original)["visitor"]["name"], "Mary");
    assert_eq!(
        json(&first("signed/new_chat_started").payload),
        value!({"chat": {
            "id": "PJ0MRSHTDG",
            "users": [
                {"type": "customer", "name": "Mary", "email": "mary@example.com"},
                {"type": "agent", "name": "Anna Smith"},
            ],
            "thread": {"active": true, "events": []},
        }})
    );
    let ticket = first("v2/ticket_created");
    assert_eq!(json(&ticket.payload)["ticket"]["id"], "TX7");
    assert_eq!(json(&ticket.extra), value!({"license_id": "1025707", "wire": "v2"}));
}

#[test]
fn messages_inside_of_a_chat_have_the_key_of_their_own_webhook() {
    let webhook = receive("v3.6", &fixture("v3.6/incoming_chat")).unwrap();
    assert_eq!(webhook.events.len(), 4);
    let derived = &webhook.events[2];
    let thread = json(&webhook.events[0].payload)["chat"]["thread"].clone();
    let payload = value!({"chat_id": "PJ0MRSHTDG", "thread_id": "K600PKZON8", "event": thread["events"][1]});
    assert_eq!(json(&derived.payload), payload);
    assert_eq!(json(&derived.extra)["derived_from"], "incoming_chat");
    let body = value!({"action": "incoming_event", "secret_key": SECRET, "payload": payload}).to_string();
    let real = receive("v3.6", &body).unwrap().events.remove(0);
    assert_eq!(
        (&derived.event_type, &derived.dedupe, &derived.lane, derived.occurred_at_ms),
        (&real.event_type, &real.dedupe, &real.lane, real.occurred_at_ms)
    );
    // Those without an id can't be told apart, and a flood of them stays inside.
    let many = |id: Value| {
        value!({"action": "incoming_chat", "secret_key": SECRET, "payload":
        {"chat": {"id": "C", "thread": {"id": "T", "events": vec![value!({"id": id}); 1_000]}}}})
    };
    assert_eq!(receive("v3.6", &many(value!("e")).to_string()).unwrap().events.len(), 101);
    assert_eq!(receive("v3.6", &many(value!(null)).to_string()).unwrap().events.len(), 1);
}

#[test]
fn ratings_are_read_from_each_signal() {
    let (set, slow) = (Part::Set::<i64>, || Part::Set("slow reply".to_owned()));
    let said = Said::At(1_780_315_445_123);
    let unknown = Said::Before(NOW);
    let thread = Some("K600PKZON8");
    let cases = [
        ("v3.6/thread_properties_updated.rating", thread, set(0), slow(), unknown),
        ("v3.6/thread_properties_updated.rating_good", thread, set(1), Part::Unmentioned, unknown),
        ("v3.6/thread_properties_updated.rating_comment", thread, Part::Unmentioned, slow(), unknown),
        ("v3.6/chat_properties_updated.rating", None, set(0), slow(), unknown),
        ("v3.6/event_properties_updated.rating", thread, set(0), slow(), unknown),
        ("v3.6/thread_properties_deleted.rating", thread, Part::Removed, Part::Removed, unknown),
        ("v3.6/incoming_event.rating_rated_bad", thread, set(0), Part::Unmentioned, said),
        ("v3.6/incoming_event.rating_rated_good", thread, set(1), Part::Unmentioned, said),
        ("v3.6/incoming_event.rating_commented", thread, Part::Unmentioned, slow(), said),
        ("v3.6/incoming_event.rating_canceled", thread, Part::Removed, Part::Removed, said),
        ("signed/rating_added", None, set(2), slow(), unknown),
    ];
    let count = cases.len();
    for (name, thread_id, score, comment, said) in cases {
        let signal = receive(name, &fixture(name)).unwrap().rating.expect(name);
        let scale = if name.starts_with("signed") { Scale::OneToFive } else { Scale::ZeroToOne };
        assert_eq!(
            (signal.chat_id.as_str(), signal.thread_id.as_deref(), signal.scale),
            ("PJ0MRSHTDG", thread_id, scale),
            "{name}"
        );
        assert_eq!((signal.score, signal.comment, signal.said), (score, comment, said), "{name}");
    }
    // The variant without `.rating` of deleted chat and event properties makes the other two.
    let rated = fixtures().into_iter().filter(|(name, body)| receive(name, body).unwrap().rating.is_some());
    assert_eq!(rated.count(), count + 2);
}

#[test]
fn a_rating_that_says_nothing_is_no_signal() {
    let message = |kind: &str, vars: Value, created_at: &str| {
        let event = value!({"id": "e", "type": "system_message", "system_message_type": kind,
            "text": "rated good", "text_vars": vars, "created_at": created_at});
        let payload = value!({"chat_id": "C", "thread_id": "T", "event": event});
        let body = value!({"action": "incoming_event", "secret_key": SECRET, "payload": payload}).to_string();
        receive("v3.6", &body).unwrap().rating
    };
    let now = "2026-06-01T12:00:00Z";
    assert_eq!(message("rating.chat_rated", value!({"score": "meh"}), now), None);
    assert_eq!(message("rating.chat_rated", value!({"score": 5}), now), None);
    assert_eq!(message("rating.chat_rated", value!([]), now), None);
    assert_eq!(message("rating.chat_commented", value!({"comment": 5}), now), None);
    assert_eq!(message("rating.other", value!({"score": "good"}), now), None);
    let future = message("rating.chat_rated", value!({"score": "good"}), "9999-01-01T00:00:00Z").unwrap();
    assert_eq!(future.said, Said::Before(NOW));
}
