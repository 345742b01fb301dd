use std::collections::BTreeSet;

use proptest::prelude::*;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::super::{Door, Secrets};
use super::*;
use crate::event::rating::{History, Rating};

/// 2026-06-01T12:00:00Z.
const NOON_MS: i64 = 1_780_315_200_000;
const ALL: &[&str] = &["incoming_chat", "incoming_event", "thread_tagged", "chat_deactivated", CHAT_RATED];

fn time(seconds: i64) -> String {
    jiff::Timestamp::from_millisecond(NOON_MS + seconds * 1_000).unwrap().to_string()
}

fn message(number: i64, seconds: i64) -> Value {
    json!({
        "id": format!("T_{number}"), "type": "message", "text": "x", "author_id": "b7eff798",
        "visibility": "all", "created_at": time(seconds),
    })
}

fn system(number: i64, seconds: i64, kind: &str, vars: Value) -> Value {
    json!({
        "id": format!("T_{number}"), "type": "system_message", "system_message_type": kind, "text_vars": vars,
        "visibility": "all", "created_at": time(seconds),
    })
}

/// A chat whose thread began at noon.
fn chat(events: &[Value], more: Value) -> Value {
    let mut thread = json!({"id": "T", "active": true, "created_at": time(0), "events": events});
    thread.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({
        "id": "C", "users": [{"id": "b7eff798", "type": "customer"}], "is_followed": false,
        "properties": {"routing": {"pinned": false}}, "thread": thread,
    })
}

/// What a chat brings of what happened from `from_s` seconds after noon on, each as `type id seconds`.
#[track_caller]
fn check(chat: &Value, wanted: &[&str], from_s: i64, expected: &[&str]) {
    let found = read(chat, wanted, from_s);
    let line = |told: &Told| match &told.event {
        Some(event) => {
            let key = match &event.dedupe {
                Dedupe::Key(key) | Dedupe::Window(key) => key,
                Dedupe::Always => panic!("{event:?}"),
            };
            let id = key.strip_prefix("C T ").unwrap_or(key);
            assert!(event.recovered && id.starts_with(&event.event_type), "{event:?}");
            let seconds = (event.occurred_at_ms.expect("a time") - NOON_MS) / 1_000;
            let id = if event.event_type == "thread_tagged" { "thread_tagged" } else { id };
            format!("{id} {seconds}")
        }
        None => format!("rating {:?}", told.rating.as_ref().expect("one of both").score),
    };
    let mut lines: Vec<String> = found.recovered.told.iter().map(line).collect();
    lines.extend(found.recovered.rating.map(|signal| format!("property {:?}", signal.score)));
    assert_eq!(lines, expected, "{chat:#}");
}

fn read(chat: &Value, wanted: &[&str], from_s: i64) -> Conversation {
    let scope = Scope {
        us: &Us::default(),
        organization: Some("org"),
        wants: &|event_type| wanted.contains(&event_type),
        from_ms: NOON_MS + from_s * 1_000,
        to_ms: NOON_MS + 3_600_000,
        now_ms: NOON_MS + 7_200_000,
    };
    conversation(&chat.to_string(), &scope).expect("a conversation")
}

#[test]
fn a_conversation_is_told_in_the_order_in_which_it_went_on() {
    let archived = system(4, 60, "manual_archived_agent", json!({}));
    let rated = system(5, 90, "rating.chat_rated", json!({"score": "bad"}));
    let events = [message(1, 0), message(2, 20), message(3, 40), archived, rated];
    let ended =
        chat(&events, json!({"active": false, "tags": ["sales"], "properties": {"rating": {"score": 0}}}));
    let all = [
        "incoming_chat 0",
        "incoming_event T_1 0",
        "incoming_event T_2 20",
        "incoming_event T_3 40",
        "incoming_event T_4 60",
        "thread_tagged 90",
        "chat_deactivated 60",
        "incoming_event T_5 90",
        "property Set(0)",
    ];
    check(&ended, ALL, 0, &all);
    check(&ended, ALL, 1, &all[2..]);
    check(&ended, ALL, 61, &["thread_tagged 90", "incoming_event T_5 90", "property Set(0)"]);
    check(&ended, ALL, 91, &[]);
    check(&ended, &["chat_deactivated"], 0, &["chat_deactivated 60"]);
    check(&ended, &[CHAT_RATED], 0, &["rating Set(0)", "property Set(0)"]);
    check(
        &ended,
        &["incoming_event"],
        30,
        &["incoming_event T_3 40", "incoming_event T_4 60", "incoming_event T_5 90"],
    );
    check(&ended, &["incoming_chat"], 0, &["incoming_chat 0"]);
    check(&ended, &[], 0, &[]);
}

#[test]
fn what_goes_on_has_not_ended_and_what_is_late_is_left_to_its_time() {
    check(&chat(&[message(1, 30)], json!({})), ALL, 0, &["incoming_chat 0", "incoming_event T_1 30"]);
    check(&chat(&[], json!({"active": false})), ALL, 0, &["incoming_chat 0", "chat_deactivated 0"]);
    let later = chat(&[message(1, 3_601)], json!({"active": false}));
    check(&later, ALL, 0, &["incoming_chat 0"]);
    // What has no time of its own may have happened before that; a rating that a system message tells did not.
    let more = json!({"tags": ["sales"], "properties": {"rating": {"score": 0}}});
    let before = ["incoming_chat 0", "incoming_event T_1 30", "thread_tagged 3600", "property Set(0)"];
    check(&chat(&[message(1, 30), message(2, 3_700)], more.clone()), ALL, 0, &before);
    let rated = system(2, 3_700, "rating.chat_rated", json!({"score": "bad"}));
    check(&chat(&[message(1, 30), rated], more), ALL, 0, &before[..3]);
    // Out of order, and one without a time.
    let mut untimed = message(2, 0);
    untimed.as_object_mut().unwrap().remove("created_at");
    let mixed = chat(&[message(1, 50), untimed, message(3, 20)], json!({}));
    check(&mixed, ALL, 10, &["incoming_event T_3 20", "incoming_event T_1 50", "incoming_event T_2 50"]);
}

#[test]
fn the_payload_is_that_of_a_webhook() {
    let found = read(&chat(&[message(1, 0), message(2, 20)], json!({})), ALL, 0);
    let payload = |index: usize| -> Value {
        let event = found.recovered.told[index].event.as_ref().expect("an event");
        assert_eq!(event.organization.as_deref(), Some("org"));
        let extra: Value = serde_json::from_str(&event.extra).unwrap();
        assert_eq!(
            (&extra["wire"], &extra["additional_data"]["chat_properties"]["routing"]["pinned"]),
            (&json!("api"), &json!(false))
        );
        serde_json::from_str(&event.payload).unwrap()
    };
    let begun = payload(0);
    assert_eq!(begun["chat"]["thread"]["events"], json!([message(1, 0)]), "only what was there then");
    assert_eq!(begun["chat"]["users"][0]["type"], "customer");
    assert_eq!(begun["chat"]["is_followed"], Value::Null);
    assert_eq!(payload(2), json!({"chat_id": "C", "thread_id": "T", "event": message(2, 20)}));
}

#[test]
fn what_can_not_be_read_is_named() {
    let scope = Scope {
        us: &Us::default(),
        organization: None,
        wants: &|_| true,
        from_ms: 0,
        to_ms: i64::MAX,
        now_ms: NOON_MS,
    };
    let unreadable = |text: &str, chat_id: Option<&str>| {
        let found = conversation(text, &scope);
        assert_eq!(found, Err(Unreadable(chat_id.map(str::to_owned))), "{text}");
    };
    unreadable("7", None);
    unreadable(r#"{"id":"C"}"#, Some("C"));
    unreadable(r#"{"id":"C","thread":{"id":"T"}}"#, Some("C"));
    unreadable(r#"{"id":"C","thread":{"id":"T","created_at":"yesterday"}}"#, Some("C"));
    unreadable(r#"{"thread":{"id":"T","created_at":"2026-06-01T12:00:00Z"}}"#, None);
    let restricted = chat(&[], json!({"active": false, "restricted_access": "plan"}));
    assert!(!read(&restricted, ALL, 0).is_whole && read(&chat(&[], json!({})), ALL, 0).is_whole);
}

#[test]
fn pages_are_read_with_what_leads_on() {
    let answer = json!({"chats": [{"id": "C"}, 7], "next_page_id": "p2"}).to_string();
    let page = archives(&answer).unwrap();
    assert_eq!((page.items.len(), page.next_page_id.as_deref()), (2, Some("p2")));
    assert_eq!(
        archives(r#"{"chats":[],"next_page_id":""}"#).unwrap(),
        Page { items: vec![], next_page_id: None }
    );
    for odd in ["", "[]", "{}", r#"{"chats":{}}"#] {
        assert!(archives(odd).unwrap_err().message.contains("unknown shape"), "{odd}");
    }
    let last = |seconds: i64| json!({"event": {"created_at": time(seconds)}});
    let summary = json!({"id": "C", "last_thread_summary": {"created_at": time(1)},
        "last_event_per_type": {"message": last(5), "file": last(3)}});
    let answer = json!({"chats_summary": [summary, {"id": "D"}, {}]}).to_string();
    let page = summaries(&answer).unwrap();
    let at = |seconds: i64| Some(NOON_MS + seconds * 1_000);
    assert_eq!(
        page.items,
        [
            Summary { chat_id: "C".to_owned(), began_ms: at(1), newest_ms: at(5) },
            Summary { chat_id: "D".to_owned(), began_ms: None, newest_ms: None },
        ]
    );
}

/// What happens in a conversation.
#[derive(Clone, Debug)]
enum Step {
    Message,
    Rated(i64),
    Tag(u8),
}

/// A conversation: whether it began with a message, what happened, whether it ended, and which webhooks came.
#[derive(Clone, Debug)]
struct Story {
    opens_with_message: bool,
    steps: Vec<Step>,
    ends: bool,
    came: Vec<bool>,
}

fn stories() -> impl Strategy<Value = Story> {
    let step = prop_oneof![
        5 => Just(Step::Message),
        1 => (0..=1_i64).prop_map(Step::Rated),
        1 => (0..3_u8).prop_map(Step::Tag)
    ];
    (
        any::<bool>(),
        prop::collection::vec(step, 0..12),
        any::<bool>(),
        prop::collection::vec(any::<bool>(), 40),
    )
        .prop_map(|(opens_with_message, steps, ends, came)| Story {
            opens_with_message,
            steps,
            ends,
            came,
        })
}

impl Story {
    /// The webhooks' bodies in order, and the chat as it is listed afterwards.
    fn tell(&self) -> (Vec<Value>, Value) {
        let body =
            |action: &str, payload: Value| json!({"action": action, "secret_key": "s", "payload": payload});
        let said =
            |event: &Value| body("incoming_event", json!({"chat_id": "C", "thread_id": "T", "event": event}));
        let mut events: Vec<Value> = self.opens_with_message.then(|| message(1, 0)).into_iter().collect();
        let mut bodies = vec![body("incoming_chat", json!({"chat": chat(&events, json!({}))}))];
        let (mut tags, mut rating, mut at_s) = (BTreeSet::new(), None, 10);
        for step in &self.steps {
            at_s += 10;
            let number = events.len() as i64 + 1;
            match step {
                Step::Message => events.push(message(number, at_s)),
                Step::Rated(score) => {
                    rating = Some(*score);
                    let word = if *score == 0 { "bad" } else { "good" };
                    events.push(system(number, at_s, "rating.chat_rated", json!({"score": word})));
                }
                Step::Tag(tag) => {
                    let tag = format!("tag {tag}");
                    if tags.insert(tag.clone()) {
                        bodies.push(body(
                            "thread_tagged",
                            json!({"tag": tag, "thread_id": "T", "chat_id": "C"}),
                        ));
                    }
                    continue;
                }
            }
            bodies.push(said(events.last().expect("it was added")));
        }
        if self.ends {
            events.push(system(events.len() as i64 + 1, at_s + 10, "routing.archived_inactive", json!({})));
            bodies.push(said(events.last().expect("it was added")));
            bodies.push(body("chat_deactivated", json!({"chat_id": "C", "thread_id": "T"})));
        }
        let mut more = json!({"active": !self.ends});
        if !tags.is_empty() {
            more["tags"] = json!(tags);
        }
        if let Some(score) = rating {
            more["properties"] = json!({"rating": {"score": score}});
        }
        (bodies, chat(&events, more))
    }
}

/// What a store knows: keys, and the rating.
#[derive(Clone, Debug, Default)]
struct Known {
    keys: BTreeSet<String>,
    rating: History,
}

impl Known {
    /// Whether it is new.
    fn add(&mut self, event: &NewEvent) -> bool {
        match &event.dedupe {
            Dedupe::Key(key) | Dedupe::Window(key) => self.keys.insert(key.clone()),
            Dedupe::Always => panic!("no event of LiveChat's is always new: {event:?}"),
        }
    }

    /// How many events of a webhook are new.
    fn webhook(&mut self, body: &Value) -> usize {
        let secrets = Secrets::new([SecretString::from("s")]);
        let door = Door { secrets, organization: None, us: Us::default(), json_depth: 64 };
        let webhook = door.receive(body.to_string().as_bytes(), None, NOON_MS).expect("it is ours");
        let new = webhook.events.iter().filter(|event| self.add(event)).count();
        if let Some(signal) = webhook.rating.filter(|_| new > 0) {
            self.rating.hear(&signal);
        }
        new
    }

    /// The times of what was missing.
    fn recover(&mut self, found: Conversation) -> Vec<i64> {
        let mut times = Vec::new();
        for told in found.recovered.told {
            let event = told.event.expect("every type is wanted");
            if self.add(&event) {
                times.push(event.occurred_at_ms.expect("each has a time"));
                told.rating.and_then(|signal| self.rating.hear(&signal));
            }
        }
        if let Some(signal) = found.recovered.rating {
            assert!(self.rating.rating().agrees(&signal), "the system messages say the same, and when");
        }
        times
    }
}

proptest! {
    #[test]
    fn what_was_missed_is_found_once_and_late_webhooks_bring_nothing_new(story in stories()) {
        let (bodies, listed) = story.tell();
        let (mut known, mut all) = (Known::default(), Known::default());
        for (body, came) in bodies.iter().zip(&story.came) {
            all.webhook(body);
            if *came {
                known.webhook(body);
            }
        }
        let missing = all.keys.len() - known.keys.len();
        let times = known.recover(read(&listed, ALL, 0));
        prop_assert_eq!(times.len(), missing);
        prop_assert_eq!(&known.keys, &all.keys);
        prop_assert_eq!(known.rating.rating(), all.rating.rating());
        prop_assert_eq!(known.recover(read(&listed, ALL, 0)), Vec::<i64>::new());
        for body in &bodies {
            prop_assert_eq!(known.webhook(body), 0, "{}", body);
        }
        prop_assert_eq!(&known.keys, &all.keys);
    }
}

#[test]
fn a_rating_agrees_with_what_is_known_of_it() {
    let rating = Rating { score: Some(0), comment: None };
    let signal = |chat: Value| read(&chat, ALL, 0).recovered.rating.expect("a rating");
    let with = |rating: Value| signal(chat(&[], json!({"properties": {"rating": rating}})));
    assert!(rating.agrees(&with(json!({"score": 0}))));
    assert!(!rating.agrees(&with(json!({"score": 1}))));
    assert!(!rating.agrees(&with(json!({"score": 0, "comment": "slow"}))));
}
