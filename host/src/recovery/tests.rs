use std::collections::VecDeque;
use std::sync::Mutex as Lock;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::action::livechat::Call;
use crate::action::{BoxFuture, Failure, Origin};
use crate::event::rating::{Part, Said, Scale, Signal};
use crate::incident::Seen;
use crate::store::{NewWebhook, Opened, Route};

const NOW_TEXT: &str = "2026-06-01T12:00:00Z";
const MINUTE_MS: i64 = 60_000;

/// Answers calls with what the test laid ready, and remembers them.
#[derive(Default)]
struct Script {
    answers: Lock<VecDeque<Result<Value, Code>>>,
    calls: Lock<Vec<Call>>,
    /// What a webhook brings into the store while the archives are listed.
    meanwhile: Lock<Option<(Store, NewWebhook)>>,
}

impl Script {
    fn webhook(&self, call: &Call) -> Option<(Store, NewWebhook)> {
        matches!(call, Call::ListArchives { .. }).then(|| self.meanwhile.lock().unwrap().take()).flatten()
    }
}

impl LiveChat for Script {
    fn call<'a>(&'a self, _: &'a Origin, call: Call) -> BoxFuture<'a, Result<String, Failure>> {
        let webhook = self.webhook(&call);
        self.calls.lock().unwrap().push(call);
        let answer = self.answers.lock().unwrap().pop_front().unwrap_or(Err(Code::Other));
        let answer = answer.map(|answer| answer.to_string());
        Box::pin(async move {
            if let Some((store, mut webhook)) = webhook {
                // It was said after LiveChat was asked.
                webhook.rating.iter_mut().for_each(|rating| rating.said = Said::At(now_ms()));
                store.accept(webhook, Arc::default(), now_ms()).await.unwrap();
            }
            answer.map_err(|code| Failure::Refused(Error::new(code, "as the test wants it")))
        })
    }

    fn look_up<'a>(
        &'a self,
        _: &'a Origin,
        _: &'a Call,
        _: i64,
    ) -> BoxFuture<'a, Result<Option<String>, Failure>> {
        Box::pin(async { Ok(None) })
    }
}

struct Stage {
    recovery: Recovery,
    script: Arc<Script>,
    _opened: Opened,
    _folder: TempDir,
}

fn stage(livechat: &str, answers: Vec<Result<Value, Code>>) -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let opened = Store::open(folder.path()).unwrap();
    let config = Config::parse(livechat, "chatplug.toml", &|_: &str| Some("secret".to_owned())).unwrap();
    let script = Arc::new(Script { answers: Lock::new(answers.into()), ..Script::default() });
    let route =
        |event_type: &str| (event_type.to_owned(), vec![Route { plugin: "p".into(), own_events: false }]);
    let types = ["incoming_chat", "incoming_event", "chat_rated", "chat_transferred"];
    let routes = Arc::new(Routes::from(types.map(route)));
    let recovery = Recovery {
        store: opened.store.clone(),
        config: Arc::new(ArcSwap::from_pointee(config)),
        livechat: script.clone(),
        reception: Box::new(move || (routes.clone(), Us::default())),
        missed: Arc::default(),
        measures: Arc::default(),
        pause: Duration::ZERO,
        heartbeat: Arc::default(),
        looking: Mutex::default(),
        stop: CancellationToken::new(),
    };
    Stage { recovery, script, _opened: opened, _folder: folder }
}

const WITH_TOKEN: &str = "[livechat]\naccount_id = \"a\"\ntoken = { env = \"T\" }\n";

fn ms(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_millisecond()
}

/// So long ago, as LiveChat tells it.
fn ago(ms: i64) -> String {
    Timestamp::from_millisecond(now_ms() - ms).unwrap().to_string()
}

/// A chat of one thread with so many messages, ten minutes ago.
fn chat(id: &str, messages: usize, restricted: bool) -> Value {
    let at = ago(10 * MINUTE_MS);
    let message = |number: usize| json!({"id": format!("{id}_{number}"), "type": "message", "text": "x", "created_at": at});
    let mut thread = json!({
        "id": format!("{id}T"), "active": false, "created_at": at,
        "events": (0..messages).map(message).collect::<Vec<_>>(),
    });
    if restricted {
        thread["restricted_access"] = json!("plan");
    }
    json!({"id": id, "users": [], "thread": thread})
}

fn summaries(chats: &[&str], next: Option<&str>) -> Result<Value, Code> {
    let at = ago(10 * MINUTE_MS);
    let summary = |id: &&str| json!({"id": id, "last_thread_summary": {"created_at": at}});
    Ok(json!({"chats_summary": chats.iter().map(summary).collect::<Vec<_>>(), "next_page_id": next}))
}

fn archives(chats: &[Value], next: Option<&str>) -> Result<Value, Code> {
    Ok(json!({"chats": chats, "next_page_id": next}))
}

/// What LiveChat brings by itself.
fn webhook(rating: Option<Signal>) -> NewWebhook {
    let event = crate::event::NewEvent {
        event_type: "incoming_chat".to_owned(),
        source: crate::event::Source::Livechat,
        organization: None,
        occurred_at_ms: None,
        chat_id: None,
        thread_id: None,
        lane: None,
        dedupe: crate::event::Dedupe::Always,
        trace: Default::default(),
        payload: "{}".to_owned(),
        extra: "{}".to_owned(),
        original: String::new(),
        recovered: false,
    };
    NewWebhook { events: vec![event], rating }
}

/// How many incidents there are.
fn told(stage: &Stage) -> usize {
    let mut seen = Seen::default();
    stage.recovery.missed.look(&mut seen, now_ms());
    seen.conditions.len()
}

#[tokio::test]
async fn all_pages_and_all_chats_that_go_on_are_looked_at_and_what_can_not_be_read_is_told() {
    let stage = stage(
        WITH_TOKEN,
        vec![
            summaries(&["A1"], Some("s2")),
            summaries(&["A2", "GONE"], None),
            archives(&[chat("B1", 2, false), json!({"id": "ODD"})], Some("a2")),
            archives(&[chat("B2", 0, true)], None),
            Ok(chat("A1", 1, false)),
            Ok(chat("A2", 1, false)),
            Err(Code::NotFound),
        ],
    );
    let report = stage.recovery.ask(now_ms() - HOUR_MS, None).await.unwrap();
    assert_eq!(report.recovered, [("incoming_chat".to_owned(), 4), ("incoming_event".to_owned(), 4)].into());
    assert_eq!((report.conversations, report.calls, report.unfinished.clone()), (4, 7, None));
    assert_eq!(report.unreadable_chats, ["ODD", "B2"]);
    assert!(report.not_listed.contains("chat_transferred"));
    let pages: Vec<Option<String>> = stage
        .script
        .calls
        .lock()
        .unwrap()
        .iter()
        .filter_map(|call| match call {
            Call::ListChats { page_id, .. } | Call::ListArchives { page_id, .. } => Some(page_id.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(pages, [None, Some("s2".to_owned()), None, Some("a2".to_owned())]);
    assert_eq!(told(&stage), 1);
    assert!(stage.recovery.measures.render().contains(&format!("{MISSING}{{type=\"incoming_chat\"}} 4")));
}

#[tokio::test]
async fn what_was_found_before_a_failure_is_kept_and_the_next_look_goes_on() {
    let first = || archives(&[chat("B1", 0, false)], Some("a2"));
    let stage = stage(WITH_TOKEN, vec![summaries(&[], None), first(), Err(Code::Unavailable)]);
    let report = stage.recovery.ask(now_ms() - HOUR_MS, None).await.unwrap();
    assert_eq!((report.missing(), report.unfinished.as_deref()), (1, Some("as the test wants it")));
    let again = vec![summaries(&[], None), first(), archives(&[chat("B2", 0, false)], None)];
    *stage.script.answers.lock().unwrap() = again.into();
    let report = stage.recovery.ask(now_ms() - HOUR_MS, None).await.unwrap();
    assert_eq!((report.missing(), report.unfinished), (1, None));
}

#[tokio::test]
async fn a_list_that_goes_round_ends() {
    let stage = stage(
        WITH_TOKEN,
        vec![
            summaries(&[], None),
            archives(&[], Some("a2")),
            archives(&[], Some("a2")),
            archives(&[], Some("a2")),
        ],
    );
    let report = stage.recovery.ask(now_ms() - HOUR_MS, None).await.unwrap();
    assert!(report.unfinished.is_some_and(|why| why.contains("goes round")));
    assert_eq!(report.calls, 3);
}

#[tokio::test]
async fn what_is_older_than_the_dedupe_keys_is_left_alone_and_told() {
    let stage = stage(WITH_TOKEN, vec![summaries(&[], None), archives(&[], None)]);
    let report = stage.recovery.ask(ms(NOW_TEXT) - 400 * DAY_MS, None).await.unwrap();
    let from_ms = ms(&report.from);
    assert!((now_ms() - 7 * DAY_MS..now_ms() - 6 * DAY_MS).contains(&from_ms), "{}", report.from);
    assert_eq!(report.too_old, Some(time(ms(NOW_TEXT) - 400 * DAY_MS)));
}

#[tokio::test]
async fn who_can_not_ask_says_so() {
    let v2 = "[livechat]\napi = \"v2\"\nlogin = \"a@example.com\"\napi_key = { env = \"T\" }\n";
    for (config, code) in [(v2, Code::Unsupported), ("", Code::Denied)] {
        let stage = stage(config, vec![]);
        let error = stage.recovery.ask(0, None).await.unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(stage.script.calls.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn one_look_at_a_time_and_none_after_the_stop() {
    let stage = stage(WITH_TOKEN, vec![]);
    {
        let _turn = stage.recovery.looking.lock().await;
        assert_eq!(stage.recovery.ask(0, None).await.unwrap_err().code, Code::Conflict);
    }
    stage.recovery.stop.cancel();
    let error = stage.recovery.ask(0, None).await.unwrap_err();
    assert!(error.message.contains("stops"), "{error}");
}

#[tokio::test]
async fn an_outage_is_looked_at_until_that_is_enough_or_no_use() {
    let outage = Outage { began_ms: now_ms() - HOUR_MS, ended_ms: now_ms() };
    let nothing = || vec![summaries(&[], None), archives(&[], None)];
    let cases = [
        (WITH_TOKEN, nothing(), true),
        (WITH_TOKEN, vec![Err(Code::Unavailable)], true),
        (WITH_TOKEN, vec![Err(Code::Denied)], false),
        ("", vec![], false),
    ];
    for (config, answers, is_owed) in cases {
        let stage = stage(config, answers);
        stage.recovery.store.note_outage(outage).await.unwrap();
        let mut owed = Owed::new(Instant::now());
        stage.recovery.settle(&mut owed).await;
        let left = stage.recovery.store.outage().await.unwrap();
        assert_eq!(left, is_owed.then_some(outage), "{config:?}");
        // At least of the transfers nothing is known.
        assert_eq!(told(&stage), 1, "{config:?}");
        // It is not time yet: nothing is asked.
        let calls = stage.script.calls.lock().unwrap().len();
        stage.recovery.settle(&mut owed).await;
        assert_eq!(stage.script.calls.lock().unwrap().len(), calls);
    }
}

#[tokio::test]
async fn an_operator_who_asks_sees_what_is_lost_without_an_incident() {
    let stage = stage(WITH_TOKEN, vec![summaries(&[], None), archives(&[], None)]);
    let report = stage.recovery.ask(now_ms() - HOUR_MS, None).await.unwrap();
    assert!(report.to_string().contains("chat_transferred"), "{report}");
    assert_eq!(told(&stage), 0);
}

#[tokio::test]
async fn where_no_plugin_waits_for_anything_an_outage_is_none() {
    let outage = Outage { began_ms: now_ms() - HOUR_MS, ended_ms: now_ms() };
    let mut stage = stage("", vec![]);
    stage.recovery.reception = Box::new(|| (Arc::new(Routes::new()), Us::default()));
    stage.recovery.store.note_outage(outage).await.unwrap();
    stage.recovery.settle(&mut Owed::new(Instant::now())).await;
    assert_eq!((told(&stage), stage.recovery.store.outage().await.unwrap()), (0, None));
}

/// A chat with messages, each so long ago.
fn said(id: &str, ago_ms: &[i64]) -> Value {
    let mut chat = chat(id, 0, false);
    let message = |ago_ms: &i64| json!({"id": format!("{id}_{ago_ms}"), "type": "message", "text": "x", "created_at": ago(*ago_ms)});
    chat["thread"]["created_at"] = json!(ago(2 * HOUR_MS));
    chat["thread"]["events"] = ago_ms.iter().map(message).collect();
    chat
}

#[tokio::test]
async fn what_may_still_be_on_its_way_is_left_to_come() {
    let now = now_ms();
    let messages = || archives(&[said("A", &[30, 9, 7, 3, 0].map(|minutes| minutes * MINUTE_MS))], None);
    // When the outage ended, and how many of the messages are found then; the second is a later look.
    for (ended_ms, found) in [(now, 4), (now - 10 * MINUTE_MS, 2)] {
        let stage = stage(WITH_TOKEN, vec![summaries(&[], None), messages()]);
        let outage = Outage { began_ms: now - HOUR_MS, ended_ms };
        stage.recovery.store.note_outage(outage).await.unwrap();
        stage.recovery.settle(&mut Owed::new(Instant::now())).await;
        let measures = stage.recovery.measures.render();
        assert!(measures.contains(&format!("{MISSING}{{type=\"incoming_event\"}} {found}")), "{measures}");
    }
    let asked = stage(WITH_TOKEN, vec![summaries(&[], None), messages()]);
    let report = asked.recovery.ask(now - HOUR_MS, None).await.unwrap();
    assert_eq!(report.recovered, [("incoming_event".to_owned(), 4)].into());
    let error = asked.recovery.ask(now_ms() - MINUTE_MS, None).await.unwrap_err();
    assert_eq!(error.code, Code::Invalid, "{error}");
}

#[tokio::test]
async fn a_short_outage_is_looked_at_once_all_of_it_is_old_enough() {
    let outage = Outage { began_ms: now_ms() - MINUTE_MS, ended_ms: now_ms() };
    let stage = stage(WITH_TOKEN, vec![]);
    stage.recovery.store.note_outage(outage).await.unwrap();
    stage.recovery.settle(&mut Owed::new(Instant::now())).await;
    assert!(stage.script.calls.lock().unwrap().is_empty());
    assert_eq!(stage.recovery.store.outage().await.unwrap(), Some(outage), "it is still owed");
}

#[tokio::test]
async fn a_chat_that_is_refused_does_not_end_the_look() {
    let answers = vec![
        summaries(&["A1", "A2", "A3", "A4"], None),
        archives(&[], None),
        Err(Code::Denied),
        Err(Code::Limit),
        Err(Code::Invalid),
        Ok(chat("A4", 0, false)),
    ];
    let stage = stage(WITH_TOKEN, answers);
    let report = stage.recovery.ask(now_ms() - HOUR_MS, None).await.unwrap();
    assert_eq!((report.missing(), &report.unfinished), (1, &None));
    assert_eq!(report.unreadable_chats, ["A1", "A2", "A3"]);
}

#[tokio::test]
async fn what_livechat_does_not_take_now_is_asked_again() {
    let answers = vec![
        summaries(&[], None),
        Err(Code::RateLimited),
        Err(Code::Unavailable),
        archives(&[chat("B1", 0, false)], None),
    ];
    let stage = stage(WITH_TOKEN, answers);
    let report = stage.recovery.ask(now_ms() - HOUR_MS, None).await.unwrap();
    assert_eq!((report.missing(), report.calls, report.unfinished), (1, 4, None));
    let calls = stage.script.calls.lock().unwrap();
    assert!(calls[1] == calls[2] && calls[2] == calls[3], "{calls:?}");
}

#[tokio::test]
async fn a_page_that_is_too_large_is_asked_for_in_parts() {
    let mut answers = vec![summaries(&[], None)];
    // 50, 25, 12, 6, 3 and 1 on a page; then what is behind the first second.
    answers.extend((0..6).map(|_| Err(Code::Limit)));
    answers.push(archives(&[chat("B1", 0, false)], None));
    let stage = stage(WITH_TOKEN, answers);
    let from_ms = now_ms() - HOUR_MS;
    let report = stage.recovery.ask(from_ms, None).await.unwrap();
    assert_eq!((report.missing(), &report.unfinished), (1, &None));
    let began_ms = from_ms - DAY_MS;
    let text =
        format!("conversations that began from {} to {}: one of", time(began_ms), time(began_ms + 1_000));
    assert!(report.not_seen.len() == 1 && report.not_seen[0].starts_with(&text), "{:?}", report.not_seen);
}

#[tokio::test]
async fn a_rating_that_came_while_livechat_was_asked_is_the_newer_one() {
    let mut rated = chat("B1", 0, false);
    rated["thread"]["properties"] = json!({"rating": {"score": 0}});
    for (is_live, expected) in [(false, Some(&1)), (true, None)] {
        let stage = stage(WITH_TOKEN, vec![summaries(&[], None), archives(&[rated.clone()], None)]);
        if is_live {
            let live = Signal {
                organization: None,
                chat_id: "B1".to_owned(),
                thread_id: Some("B1T".to_owned()),
                scale: Scale::ZeroToOne,
                score: Part::Set(1),
                comment: Part::Unmentioned,
                said: Said::At(0),
            };
            let store = stage.recovery.store.clone();
            *stage.script.meanwhile.lock().unwrap() = Some((store, webhook(Some(live))));
        }
        let report = stage.recovery.ask(now_ms() - HOUR_MS, None).await.unwrap();
        assert_eq!(report.recovered.get("chat_rated"), expected, "{is_live}");
    }
}

#[tokio::test]
async fn silence_is_told_where_chats_go_on() {
    let now = now_ms();
    let stage = stage(WITH_TOKEN, vec![]);
    let watch = silence::Watch::new(Instant::now());
    assert_eq!(watch.look(&stage.recovery, now).await, Ok(None), "it never brought any");
    stage.recovery.store.accept(webhook(None), Arc::default(), now).await.unwrap();
    assert_eq!(watch.look(&stage.recovery, now + 1_000).await, Ok(None), "one came just now");
    assert!(stage.script.calls.lock().unwrap().is_empty(), "nothing was asked");
    let answer = |ago_ms: i64| {
        let at = time(now + 3 * HOUR_MS - ago_ms);
        Ok(json!({"chats_summary": [{"id": "C", "last_thread_summary": {"created_at": at}}]}))
    };
    for (ago_ms, is_silent) in [(2 * HOUR_MS, false), (1_000, false), (HOUR_MS / 2, true)] {
        *stage.script.answers.lock().unwrap() = vec![answer(ago_ms)].into();
        let told = watch.look(&stage.recovery, now + 3 * HOUR_MS).await.unwrap();
        assert_eq!(told.is_some(), is_silent, "{ago_ms}: {told:?}");
    }
}

#[tokio::test]
async fn silence_ends_where_nothing_could_show_its_end() {
    let no_token = Config::parse("", "chatplug.toml", &|_: &str| None).unwrap();
    for (forgets_token, forgets_plugins, is_told) in [(false, false, 1), (true, false, 0), (false, true, 0)] {
        let mut stage = stage(WITH_TOKEN, vec![]);
        let mut watch = silence::Watch::new(Instant::now());
        watch.is_silent = true;
        stage.recovery.missed.is_silent("no webhook for an hour".to_owned());
        if forgets_token {
            stage.recovery.config.store(Arc::new(no_token.clone()));
        }
        if forgets_plugins {
            stage.recovery.reception = Box::new(|| (Arc::new(Routes::new()), Us::default()));
        }
        watch.turn(&stage.recovery).await;
        assert_eq!(told(&stage), is_told, "{forgets_token} {forgets_plugins}");
        assert_eq!(watch.is_silent, is_told == 1);
    }
}
