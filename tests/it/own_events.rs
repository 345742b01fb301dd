//! What plugins do comes back as webhooks: it is known as the host's own, not given to who caused it, and plugins
//! that answer each other come to an end.

use chatplug::action::livechat::Call;
use chatplug::livechat::webhook::Us;
use chatplug::simulator::livechat::{Opening, PAT_OWNER};
use chatplug::store::EventView;
use chatplug_tests::{deliveries, guest};
use serde_json::{Value, json};

use crate::client::webhook;
use crate::door::{Desk, NOON_MS};
use crate::services::Stage;

const BOT: &str = "5c9871d5372c824cbf22d860a707a578";
const APP: &str = "9f2b5c1e0d7a4b638c25e1f4a7d09b36";
const COLLEAGUE: &str = "jones@example.com";
const CUSTOMER: &str = "b7eff798-f8df-4364-8059-649c35c9ed0c";
const SKIPPED: &str = "own event: caused by this plugin";

fn desk(agent_id: &str) -> Desk {
    let mut desk = Desk::with(&[("greeter", false), ("echo", true)]);
    desk.door.us = Us { client_id: Some(APP.to_owned()), agent_id: Some(agent_id.to_owned()) };
    desk
}

/// The webhook of a message in the chat `C`.
fn message(author_id: &str, more: &Value) -> String {
    let mut event =
        json!({"id": "T_1", "type": "message", "visibility": "all", "text": "Hi", "author_id": author_id});
    event.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    webhook("incoming_event", &json!({"chat_id": "C", "thread_id": "T", "event": event}))
}

/// Takes one webhook; answers who caused it, and how the deliveries to greeter and echo stand.
async fn taken(desk: &Desk, body: &str) -> (Option<String>, Vec<String>) {
    desk.take(body, 1_000).await;
    let EventView { own, deliveries, .. } = desk.events().remove(0);
    (own, deliveries.into_iter().map(|delivery| delivery.state).collect())
}

async fn check(agent_id: &str, body: &str, own: Option<&str>, states: [&str; 2]) {
    let found = taken(&desk(agent_id), body).await;
    assert_eq!(found, (own.map(str::to_owned), states.map(str::to_owned).to_vec()), "{body}");
}

const BOTH: [&str; 2] = ["pending", "pending"];
const NOT_GREETER: [&str; 2] = ["skipped", "pending"];

#[tokio::test]
async fn a_custom_id_tells_the_plugin_that_wrote_a_message() {
    let by = |plugin: &str| json!({"custom_id": format!("chatplug-{plugin}-0a1b2c3d-42-3")});
    for author in [PAT_OWNER, COLLEAGUE, BOT] {
        check(PAT_OWNER, &message(author, &by("greeter")), Some("greeter"), NOT_GREETER).await;
        check(PAT_OWNER, &message(author, &by("echo")), Some("echo"), BOTH).await;
        check(PAT_OWNER, &message(author, &by("another")), Some("another"), BOTH).await;
        check(PAT_OWNER, &message(author, &json!({"custom_id": "greeter-42-3"})), None, BOTH).await;
    }
}

#[tokio::test]
async fn a_customer_can_forge_nothing() {
    let forged = json!({
        "custom_id": "chatplug-greeter-0a1b2c3d-42-3", "properties": {"source": {"client_id": APP}},
    });
    check(BOT, &message(CUSTOMER, &forged), None, BOTH).await;
    let desk = desk(BOT);
    let noted = desk.store.note_own_event("C".into(), "T_1".into(), "greeter".into(), NOON_MS);
    noted.await.expect("it is noted");
    assert_eq!(taken(&desk, &message(CUSTOMER, &forged)).await.0, None, "nor borrow an id");
}

#[tokio::test]
async fn the_users_of_a_new_chat_tell_who_is_a_customer() {
    let event = |id: &str, author: &str| json!({"id": id, "type": "message", "text": "Hi", "author_id": author, "custom_id": "chatplug-greeter-0a1b2c3d-1-1"});
    // An id that looks like an agent's, of somebody whom LiveChat calls a customer, and the other way round.
    let chat = json!({
        "id": "C",
        "users": [{"id": "eve@example.com", "type": "customer"}, {"id": "odd", "type": "agent"}],
        "thread": {"id": "T", "events": [event("T_1", "eve@example.com"), event("T_2", "odd")]},
    });
    let desk = desk(BOT);
    desk.take(webhook("incoming_chat", &json!({"chat": chat})), 0).await;
    let own: Vec<Option<String>> = desk.events().into_iter().map(|event| event.own).collect();
    assert_eq!(own, [None, None, Some("greeter".to_owned())]);
}

#[tokio::test]
async fn the_id_that_livechat_gave_a_message_tells_the_plugin_for_a_week() {
    const WEEK_MS: i64 = 7 * 24 * 3_600_000;
    for (noted_ms, own) in [(0, Some("greeter")), (1_001 - WEEK_MS, Some("greeter")), (999 - WEEK_MS, None)] {
        let desk = desk(BOT);
        let noted = desk.store.note_own_event("C".into(), "T_1".into(), "greeter".into(), NOON_MS + noted_ms);
        noted.await.expect("it is noted");
        let found = taken(&desk, &message(PAT_OWNER, &json!({}))).await;
        assert_eq!(found.0.as_deref(), own, "noted {noted_ms} ms after noon");
    }
    check(BOT, &message(PAT_OWNER, &json!({})), None, BOTH).await;
}

#[tokio::test]
async fn what_only_our_app_or_bot_can_have_written_is_flagged_and_given_to_all() {
    let from = |app: &str| json!({"properties": {"source": {"client_id": app}}});
    check(PAT_OWNER, &message(PAT_OWNER, &from(APP)), Some(""), BOTH).await;
    check(PAT_OWNER, &message(PAT_OWNER, &from("another app")), None, BOTH).await;
    check(BOT, &message(BOT, &json!({})), Some(""), BOTH).await;
    check(PAT_OWNER, &message(PAT_OWNER, &json!({})), None, BOTH).await;
}

/// A call, and the webhook that it causes if this requester made it.
fn calls(requester: &str) -> Vec<(Call, String)> {
    let (chat_id, agent_id) = ("C".to_owned(), COLLEAGUE.to_owned());
    let place = json!({"chat_id": "C", "thread_id": "T", "requester_id": requester, "reason": "manual"});
    let of = |action: &str, more: Value| {
        let mut payload = place.clone();
        payload.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        webhook(action, &payload)
    };
    let joined = || of("user_added_to_chat", json!({"user": {"id": requester, "type": "agent"}}));
    vec![
        (
            Call::Transfer { chat_id: chat_id.clone(), target: Default::default() },
            of("chat_transferred", json!({"transferred_to": {"group_ids": [2]}})),
        ),
        (
            Call::Assign { chat_id: chat_id.clone(), agent_id: agent_id.clone(), visibility: "all".into() },
            joined(),
        ),
        (
            Call::RemoveUser { chat_id: chat_id.clone(), agent_id },
            of("user_removed_from_chat", json!({"user_id": COLLEAGUE})),
        ),
        (
            Call::Deactivate { chat_id: chat_id.clone() },
            webhook("chat_deactivated", &json!({"chat_id": "C", "thread_id": "T", "user_id": requester})),
        ),
        (Call::SendNote { chat_id, text: "Hi".into() }, joined()),
    ]
}

#[tokio::test]
async fn what_our_bot_did_is_known_by_what_was_noted_before() {
    for (call, body) in calls(BOT) {
        for (noted_ms, own) in [(0, "greeter"), (-118_999, "greeter"), (-119_001, "")] {
            let desk = desk(BOT);
            let noted = desk.store.note_own_call(call.clone(), "greeter".into(), NOON_MS + noted_ms);
            noted.await.expect("it is noted");
            let found = taken(&desk, &body).await;
            assert_eq!(found.0.as_deref(), Some(own), "{call:?}, noted {noted_ms} ms after noon");
            assert_eq!(found.1[0], if own.is_empty() { "pending" } else { "skipped" }, "{call:?}");
        }
    }
}

#[tokio::test]
async fn a_colleague_who_does_the_same_at_the_same_time_is_not_swallowed() {
    // Our token may be a person's, who also works with the chats by hand.
    for (token_of, requester) in
        [(PAT_OWNER, PAT_OWNER), (PAT_OWNER, COLLEAGUE), (BOT, COLLEAGUE), (PAT_OWNER, BOT)]
    {
        for (call, body) in calls(requester) {
            let desk = desk(token_of);
            let noted = desk.store.note_own_call(call.clone(), "greeter".into(), NOON_MS);
            noted.await.expect("it is noted");
            assert_eq!(
                taken(&desk, &body).await,
                (None, BOTH.map(str::to_owned).to_vec()),
                "{call:?} by {requester}"
            );
        }
    }
    for (call, action) in [
        (Call::Tag { chat_id: "C".into(), thread_id: "T".into(), tag: "vip".into() }, "thread_tagged"),
        (Call::SetProperties { chat_id: "C".into(), properties: "{}".into() }, "chat_properties_updated"),
    ] {
        let desk = desk(BOT);
        desk.store.note_own_call(call, "greeter".into(), NOON_MS).await.expect("it is noted");
        let body =
            webhook(action, &json!({"chat_id": "C", "thread_id": "T", "tag": "vip", "properties": {}}));
        assert_eq!(taken(&desk, &body).await.0, None, "{action} tells nothing of who did it");
    }
}

#[tokio::test]
async fn who_changed_the_configuration_stands_beside_the_payload() {
    let body = |user_id: &str, client_id: &str| {
        let mut body: Value =
            serde_json::from_str(&webhook("tag_created", &json!({"name": "vip"}))).expect("JSON");
        body["requester"] = json!({"user_id": user_id, "account_id": "a", "client_id": client_id});
        body.to_string()
    };
    check(BOT, &body(BOT, "another"), Some(""), BOTH).await;
    check(BOT, &body(COLLEAGUE, APP), Some(""), BOTH).await;
    check(BOT, &body(COLLEAGUE, "another"), None, BOTH).await;
}

#[tokio::test]
async fn a_skipped_delivery_says_why_and_is_not_handed_on() {
    let mut desk = desk(BOT);
    desk.take(message(BOT, &json!({"custom_id": "chatplug-greeter-0a1b2c3d-42-3"})), 0).await;
    let event = desk.events().remove(0);
    let [skipped, pending] = &event.deliveries[..] else { panic!("{event:#?}") };
    assert_eq!((&*skipped.plugin, skipped.reason.as_deref()), ("greeter", Some(SKIPPED)));
    assert!(skipped.ended_at.is_some() && skipped.attempts == 0);
    let handed_on: Vec<String> = desk.handed_on(1).await.iter().map(|id| format!("dl-{id}")).collect();
    assert_eq!(handed_on, std::slice::from_ref(&pending.id));
}

/// A plugin's section: it may act four times in a chat and minute.
fn section(name: &str, own_events: &str) -> String {
    format!(
        "[plugin.{name}]\nevents = [\"incoming_event\"]\n{own_events}\ngrants = [\"chats.send-message\"]\n\
         [plugin.{name}.limits]\nactions_per_chat_minute = 4\n"
    )
}

/// A host, and a chat in which its user takes part.
async fn stage(config: &str, component: &str) -> (Stage, String) {
    let stage = Stage::with(config.parse().expect("TOML"), guest(component)).await;
    let chat_id = stage.livechat.start_chat(&Opening::by("Ada")).expect("a chat").chat_id;
    stage.livechat.agent_joins(&chat_id, PAT_OWNER).expect("our user joins");
    stage.send_webhooks();
    (stage, chat_id)
}

/// The reasons of the dead letters.
fn dead(stage: &Stage) -> Vec<(String, String)> {
    let Value::Array(letters) = stage.host.json(&["dead", "list"]) else { panic!("a list") };
    let text = |letter: &Value, name: &str| letter[name].as_str().unwrap_or_default().to_owned();
    let mut dead: Vec<_> =
        letters.iter().map(|letter| (text(letter, "plugin"), text(letter, "reason"))).collect();
    dead.sort();
    dead
}

/// How the deliveries to a plugin ended.
fn states(events: &[Value], plugin: &str) -> Vec<String> {
    let of_plugin = events.iter().flat_map(deliveries).filter(|delivery| delivery["plugin"] == plugin);
    let mut states: Vec<String> =
        of_plugin.map(|delivery| delivery["state"].as_str().unwrap_or_default().to_owned()).collect();
    states.sort();
    states
}

fn reason(plugin: &str, chat_id: &str) -> String {
    format!(
        "more than 4 actions of {plugin} in the chat {chat_id} within a minute (limits.actions_per_chat_minute): do \
         plugins answer each other?"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn two_plugins_that_answer_each_other_end_at_the_fuse() {
    let config = section("answerer", "") + &section("other-answerer", "own_events = false");
    let (stage, chat_id) = stage(&config, "guest_answerer").await;
    stage.host.drop_file(&guest("guest_answerer_other"), "other.wasm");
    for plugin in ["answerer", "other-answerer"] {
        stage.host.wait_for_plugin(plugin, "active");
    }
    stage.livechat.customer_says(&chat_id, "Is anybody there?").expect("the customer may");
    let events = stage.settled().await;
    // Each answers the customer and three messages of the other; the fourth of the other is one too many.
    assert_eq!(stage.asked("send_event", &chat_id).len(), 8);
    let expected = ["answerer", "other-answerer"].map(|plugin| (plugin.to_owned(), reason(plugin, &chat_id)));
    assert_eq!(dead(&stage), expected);
    let mut each = vec!["dead"];
    each.extend(["skipped"; 4]);
    each.extend(["succeeded"; 4]);
    assert_eq!(states(&events, "answerer"), each);
    assert_eq!(states(&events, "other-answerer"), each);
    let mut skipped = events.iter().flat_map(deliveries).filter(|delivery| delivery["state"] == "skipped");
    assert!(skipped.all(|delivery| delivery["reason"] == SKIPPED));
    let by = |name: &str| events.iter().filter(|event| event["own"] == name).count();
    assert_eq!((by("answerer"), by("other-answerer")), (4, 4));
    stage.expect_logged(&["answering", "own", "true"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_wants_its_own_events_needs_the_operators_word_and_answers_itself_up_to_the_fuse() {
    let (stage, chat_id) = stage(&section("other-answerer", ""), "guest_answerer_other").await;
    let status = stage.host.wait_for_plugin("other-answerer", "rejected");
    assert!(status["reason"].as_str().is_some_and(|reason| reason.contains("own_events = true")), "{status}");
    let config = std::fs::read_to_string(stage.host.config_path()).expect("the config");
    let decided = config.replace("[plugin.other-answerer]", "[plugin.other-answerer]\nown_events = true");
    std::fs::write(stage.host.config_path(), decided).expect("the config can be written");
    stage.host.wait_for_plugin("other-answerer", "active");
    stage.livechat.customer_says(&chat_id, "Is anybody there?").expect("the customer may");
    let events = stage.settled().await;
    assert_eq!(stage.asked("send_event", &chat_id).len(), 4);
    assert_eq!(dead(&stage), [("other-answerer".to_owned(), reason("other-answerer", &chat_id))]);
    assert_eq!(
        states(&events, "other-answerer"),
        ["dead", "succeeded", "succeeded", "succeeded", "succeeded"]
    );
}
