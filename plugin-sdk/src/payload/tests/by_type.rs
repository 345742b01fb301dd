//! The payloads that are read by their types.

use std::fmt::Debug;

use serde::de::DeserializeOwned;
use serde_json::json;

use super::*;
use crate::objects::{RuleChange, SummaryStatus};

fn read<T: DeserializeOwned>(payload: Value) -> T {
    json::read("the payload", &payload.to_string()).unwrap()
}

#[test]
fn of_chats() {
    let updated: AccessUpdated = read(json!({"id": "C", "access": {"group_ids": [1, 19]}}));
    assert_eq!((updated.chat_id.as_str(), updated.access.group_ids), ("C", vec![1, 19]));

    let deleted: EventDeleted = read(json!({"chat_id": "C", "thread_id": "T", "event_id": "T_5"}));
    assert_eq!((&*deleted.chat_id, &*deleted.thread_id, &*deleted.event_id), ("C", "T", "T_5"));

    let seen: EventsSeen =
        read(json!({"user_id": "a@x", "chat_id": "C", "seen_up_to": "2026-06-01T12:00:05Z"}));
    assert_eq!((&*seen.user_id, &*seen.chat_id), ("a@x", "C"));
    assert_eq!(seen.seen_up_to.as_deref(), Some("2026-06-01T12:00:05Z"));

    let set: SummarySet = read(json!({
        "chat_id": "C", "thread_id": "T", "summary": {"status": "ok", "text": "An order.", "updated_at": "t"},
    }));
    assert_eq!((&*set.chat_id, &*set.thread_id, set.summary.status), ("C", "T", SummaryStatus::Ok));
    assert_eq!(
        (set.summary.text.as_deref(), set.summary.updated_at.as_deref()),
        (Some("An order."), Some("t"))
    );

    let updated: SessionFieldsUpdated = read(json!({
        "id": "c1", "active_chat": {"chat_id": "C", "thread_id": "T"},
        "session_fields": [{"order": "A-1001"}, {"visits": 3}],
    }));
    assert_eq!(
        (&*updated.customer_id, &*updated.active_chat.chat_id, &*updated.active_chat.thread_id),
        ("c1", "C", "T")
    );
    assert_eq!((updated.session_field("order"), updated.session_field("visits")), (Some("A-1001"), None));
}

#[test]
fn of_properties() {
    let place = |thread: Option<&str>, event: Option<&str>| json!({"chat_id": "C", "thread_id": thread, "event_id": event});
    for (thread, event) in [(None, None), (Some("T"), None), (Some("T"), Some("T_5"))] {
        let mut payload = place(thread, event);
        payload["properties"] = json!({"test": {"a": 7}});
        let updated: PropertiesUpdated = read(payload);
        assert_eq!((updated.thread_id.as_deref(), updated.event_id.as_deref()), (thread, event));
        assert_eq!(updated.properties.get("test", "a"), Some(&json!(7)));

        let mut payload = place(thread, event);
        payload["properties"] = json!({"test": ["a", "b"]});
        let deleted: PropertiesDeleted = read(payload);
        assert_eq!((deleted.thread_id.as_deref(), deleted.event_id.as_deref()), (thread, event));
        assert!(deleted.has("test", "b") && !deleted.has("test", "c") && !deleted.has("other", "a"));
    }
}

#[test]
fn of_agents_and_bots() {
    let saved: AgentSaved = read(json!({
        "id": "a@x", "name": "Ann", "role": "normal", "awaiting_approval": false,
        "groups": [{"id": 1, "priority": "first"}], "job_title": "Lead", "max_chats_count": 6,
        "notifications": ["new_visitor"], "email_subscriptions": ["weekly_summary"],
        "work_scheduler": {"timezone": "Europe/Warsaw"},
    }));
    let groups = saved.groups.unwrap();
    assert_eq!((groups[0].id, groups[0].priority.as_deref()), (1, Some("first")));
    assert_eq!((saved.awaiting_approval, saved.max_chats_count), (Some(false), Some(6)));
    assert_eq!(saved.notifications, Some(vec!["new_visitor".to_owned()]));
    assert_eq!(saved.email_subscriptions, Some(vec!["weekly_summary".to_owned()]));
    assert_eq!(saved.work_scheduler["timezone"], "Europe/Warsaw");

    // What did not change is not empty: it is absent.
    let changed: AgentSaved = read(json!({"id": "a@x", "groups": []}));
    assert_eq!(
        (changed.groups.map(|groups| groups.len()), changed.name, changed.role),
        (Some(0), None, None)
    );

    let bot: BotSaved = read(json!({
        "id": "b", "name": "Greeter", "default_group_priority": "first", "groups": [{"id": 0}],
        "owner_client_id": "app",
    }));
    assert_eq!(
        (&*bot.id, bot.name.as_deref(), bot.owner_client_id.as_deref()),
        ("b", Some("Greeter"), Some("app"))
    );
    assert_eq!(bot.default_group_priority.as_deref(), Some("first"));
    assert_eq!(read::<AgentRef>(json!({"id": "a@x"})).id, "a@x");
    assert_eq!(read::<BotDeleted>(json!({"id": "b"})).id, "b");
}

#[test]
fn of_groups_tags_and_rules() {
    let group: GroupSaved = read(json!({
        "id": 19, "name": "Sales", "language_code": "en", "agent_priorities": {"a@x": "normal"},
    }));
    assert_eq!(
        (group.id, group.name.as_deref(), group.language_code.as_deref()),
        (19, Some("Sales"), Some("en"))
    );
    assert_eq!(group.agent_priorities.unwrap()["a@x"], "normal");
    assert_eq!(read::<GroupDeleted>(json!({"id": 19})).id, 19);

    let tag: TagSaved =
        read(json!({"name": "vip", "group_ids": [0, 1], "created_at": "t", "author_id": "a@x"}));
    assert_eq!((&*tag.name, tag.group_ids), ("vip", Some(vec![0, 1])));
    assert_eq!((tag.created_at.as_deref(), tag.author_id.as_deref()), (Some("t"), Some("a@x")));
    assert_eq!(read::<TagDeleted>(json!({"name": "vip"})).name, "vip");

    let rules: Vec<AccessRule> = read(json!([
        {"id": "r", "status": "added", "next_id": "", "description": "d", "access": {"groups": [19]},
         "conditions": {"url": {}}},
        {"id": "s", "status": "deleted"}, {"id": "t", "status": "moved", "next_id": null},
    ]));
    let changes: Vec<&RuleChange> = rules.iter().map(|rule| &rule.change).collect();
    assert_eq!(changes, [&RuleChange::Added, &RuleChange::Deleted, &RuleChange::Other("moved".into())]);
    assert_eq!(
        (rules[0].access.as_ref().unwrap().groups.as_slice(), rules[2].next_id.as_str()),
        (&[19][..], "")
    );
    assert!(rules[0].conditions["url"].is_object() && rules[1].access.is_none());
}

/// Nothing, nulls and things that are not known yet are no error.
fn check_lenient<T: DeserializeOwned + Default + Debug>(fields: &[&str]) {
    let empty = format!("{:?}", T::default());
    let nulls: serde_json::Map<_, _> =
        fields.iter().map(|field| ((*field).to_owned(), Value::Null)).collect();
    let newer = json!({"of_a_newer_version": {"a": [1]}});
    for payload in [json!({}), Value::Object(nulls), newer] {
        assert_eq!(format!("{:?}", read::<T>(payload.clone())), empty, "{payload}");
    }
}

#[test]
fn what_is_absent_null_or_new_is_no_error() {
    check_lenient::<AccessUpdated>(&["id", "access"]);
    check_lenient::<EventDeleted>(&["chat_id", "thread_id", "event_id"]);
    check_lenient::<EventsSeen>(&["chat_id", "user_id", "seen_up_to"]);
    check_lenient::<PropertiesDeleted>(&["chat_id", "thread_id", "event_id", "properties"]);
    check_lenient::<SessionFieldsUpdated>(&["id", "active_chat", "session_fields"]);
    check_lenient::<SummarySet>(&["chat_id", "thread_id", "summary"]);
    check_lenient::<Summary>(&["status", "text", "updated_at"]);
    check_lenient::<AgentSaved>(&[
        "id",
        "name",
        "groups",
        "awaiting_approval",
        "notifications",
        "work_scheduler",
    ]);
    check_lenient::<AgentRef>(&["id"]);
    check_lenient::<BotSaved>(&["id", "name", "groups", "owner_client_id"]);
    check_lenient::<BotDeleted>(&["id"]);
    check_lenient::<GroupSaved>(&["id", "name", "agent_priorities"]);
    check_lenient::<GroupDeleted>(&["id"]);
    check_lenient::<TagSaved>(&["name", "group_ids", "created_at"]);
    check_lenient::<TagDeleted>(&["name"]);
    check_lenient::<AccessRule>(&["id", "status", "next_id", "access", "conditions"]);
    assert!(read::<Vec<AccessRule>>(json!([])).is_empty());
}
