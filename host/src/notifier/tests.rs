use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::delivery::{self, DeliveryId};
use crate::destination::{Counts, Standing};
use crate::destinations;
use crate::double::{Answer, Double, logged};
use crate::event::{Dedupe, NewEvent, Source};
use crate::incident::CALM_MS;
use crate::store::{Decision, Disk, Finish, Lock, NewWebhook, Opened, Route, Routes, Selection};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const WEEK: i64 = 7 * 24 * HOUR;
const NOW: i64 = 1_800_000_000_000;
const GIB: u64 = 1 << 30;

/// A notifier with a store of its own, and the service that it tells.
struct Stage {
    notifier: Notifier,
    memory: Memory,
    double: Double,
    /// How the one destination stands.
    standing: Arc<Mutex<Standing>>,
    /// What is left of a disk of 100 GiB, bytes.
    left: Arc<AtomicU64>,
    _lock: Lock,
    _folder: TempDir,
}

impl Stage {
    async fn new(answers: impl IntoIterator<Item = Answer>) -> Stage {
        let double = Double::start(answers).await;
        Stage::with_notify(double, "notify = \"hook\"").await
    }

    async fn with_notify(double: Double, notify: &str) -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "[operator]\n{notify}\n[connections.hook]\nkind = \"generic\"\nbase_url = \"{}\"\nallow_private = true\n\
             [plugin.notes]\nevents = [\"incoming_event\"]\nlimits = {{ wall_ms = 60000 }}\n",
            double.url
        );
        let config = Config::parse(&text, folder.path().join("chatplug.toml"), &|_| None).unwrap();
        let Opened { store, lock, .. } = Store::open(&config.data_dir).unwrap();
        let hook = crate::connections::Connection {
            name: "hook".to_owned(),
            kind: crate::connections::Kind::Generic,
            target: crate::connections::Target::BaseUrl(double.url.clone()),
            credential: crate::connections::Credential::None,
            post: crate::action::Effect::Unknown,
            reach: crate::egress::Reach::Private,
        };
        let standing = Arc::new(Mutex::new(Standing::Working));
        let stands = standing.clone();
        let notifier = Notifier {
            store,
            config: Arc::new(ArcSwap::from_pointee(config)),
            registry: Arc::default(),
            connections: Arc::new(Connections::new(vec![hook]).unwrap()),
            destinations: Arc::new(move || vec![crm(*stands.lock().unwrap())]),
            doubts: Doubts::default(),
            refusals: Arc::default(),
            registrations: Arc::default(),
            missed: Arc::default(),
            heartbeats: Vec::new(),
            heartbeat: Arc::default(),
        };
        let memory = notifier.remember().await;
        let left = Arc::new(AtomicU64::new(50 * GIB));
        let mut stage = Stage { notifier, memory, double, standing, left, _lock: lock, _folder: folder };
        stage.running_since(stage.memory.look.began_ms);
        stage
    }

    /// A host that is started anew with the same store.
    async fn restart(&mut self) {
        self.memory = self.notifier.remember().await;
        self.running_since(self.memory.look.began_ms);
    }

    /// A host that has been running since then, on the disk of the stage.
    fn running_since(&mut self, began_ms: i64) {
        let Look { store, config, registry, doubts, .. } = &*self.memory.look;
        let (store, config, registry) = (store.clone(), config.clone(), registry.clone());
        let (doubts, left) = (doubts.clone(), self.left.clone());
        let disk: Arc<look::Disks> =
            Arc::new(move |_| Ok(Disk { free: left.load(Ordering::Relaxed), size: 100 * GIB }));
        self.memory.look = Arc::new(Look { store, config, registry, doubts, disk, began_ms });
    }

    async fn turn(&mut self, now_ms: i64) {
        self.notifier.turn(&mut self.memory, now_ms).await;
    }

    /// Stores a message of a chat for the plugin `notes`; answers the number of the delivery, which is the
    /// event's if there is one delivery for each.
    async fn accept(&self, chat: &str, number: i64, at_ms: i64) {
        let event = NewEvent {
            event_type: "incoming_event".to_owned(),
            source: Source::Livechat,
            organization: None,
            occurred_at_ms: None,
            chat_id: Some(chat.to_owned()),
            thread_id: None,
            lane: Some(chat.to_owned()),
            trace: crate::event::trace::Trace::default(),
            dedupe: Dedupe::Key(format!("{chat} {number}")),
            payload: "{}".to_owned(),
            extra: "{}".to_owned(),
            original: String::new(),
            recovered: false,
        };
        let routes = Routes::from([(
            "incoming_event".to_owned(),
            vec![Route { plugin: Arc::from("notes"), own_events: false }],
        )]);
        let webhook = NewWebhook { events: vec![event], rating: None };
        self.notifier.store.accept(webhook, Arc::new(routes), at_ms).await.unwrap();
    }

    async fn finish(&self, delivery: i64, state: delivery::State, due_at_ms: i64, now_ms: i64) {
        let finish = Finish {
            id: DeliveryId(delivery),
            state,
            due_at_ms,
            attempts: 1,
            crashes: 0,
            run: 0,
            journaled: false,
            anew: false,
            decisions: Default::default(),
            version: None,
            outcome: "reject",
            reason: "the customer smith@example.com".to_owned(),
            log: String::new(),
            crash: None,
        };
        self.notifier.store.finish(finish, now_ms).await.unwrap();
    }

    /// What the service was told: incident and state.
    fn told(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let bodies = self.double.asked().into_iter().map(|asked| asked.json());
        bodies.map(|body| (text(&body["incident"]), text(&body["state"]))).collect()
    }

    /// From `now_ms` on nothing is wrong any more: the service is told once that the incident is over.
    async fn ends(&mut self, incident: &str, now_ms: i64) {
        self.turn(now_ms).await;
        assert_eq!(self.told(), [said(incident, "open")], "it may come back");
        for later_ms in [CALM_MS, CALM_MS + MINUTE] {
            self.turn(now_ms + later_ms).await;
            assert_eq!(self.told(), [said(incident, "open"), said(incident, "over")]);
        }
    }

    fn last_text(&self) -> String {
        self.double.asked().last().unwrap().json()["text"].as_str().unwrap().to_owned()
    }
}

/// A connection that the host knows.
fn crm(state: Standing) -> destinations::State {
    destinations::State {
        name: "connections.crm".to_owned(),
        state,
        cause: "the customer smith@example.com".to_owned(),
        since_ms: NOW,
        until_ms: None,
        in_flight: 0,
        counts: Counts::default(),
        concurrency: 1,
        rate: 1.0,
    }
}

fn said(incident: &str, state: &str) -> (String, String) {
    (incident.to_owned(), state.to_owned())
}

fn ok() -> Answer {
    Answer::text(200, "")
}

#[tokio::test]
async fn dead_letters_are_told_when_they_begin_and_when_they_are_over_also_across_restarts() {
    let mut stage = Stage::new([ok(), ok()]).await;
    stage.accept("C1", 1, NOW).await;
    stage.accept("C2", 1, NOW).await;
    stage.finish(1, delivery::State::Dead, 0, NOW).await;
    stage.turn(NOW).await;
    assert_eq!(stage.told(), [said("dead-letters:notes", "open")]);
    assert_eq!(
        stage.last_text(),
        "1 dead letter of notes in the last hour: `chatplug dead list --plugin notes` shows why"
    );

    stage.restart().await;
    stage.finish(2, delivery::State::Dead, 0, NOW + MINUTE).await;
    stage.turn(NOW + MINUTE).await;
    assert_eq!(stage.told().len(), 1);

    stage.turn(NOW + 2 * HOUR).await;
    stage.restart().await;
    stage.turn(NOW + 2 * HOUR).await;
    stage.turn(NOW + 2 * HOUR + CALM_MS).await;
    assert_eq!(stage.told()[1..], [said("dead-letters:notes", "over")]);
    stage.restart().await;
    stage.turn(NOW + 3 * HOUR).await;
    assert_eq!(stage.told().len(), 2);
}

#[tokio::test]
async fn held_deliveries_are_told_until_none_is_held() {
    let mut stage = Stage::new([ok(), ok()]).await;
    stage.accept("C1", 1, NOW).await;
    stage.finish(1, delivery::State::Held, 0, NOW).await;
    stage.turn(NOW).await;
    assert_eq!(stage.told(), [said("held:notes", "open")]);
    assert!(stage.last_text().starts_with("1 delivery of notes in doubt"), "{}", stage.last_text());
    stage.turn(NOW + 20 * HOUR).await;
    assert_eq!(stage.told().len(), 1);
    let (all, who) = (Selection { all: true, ..Selection::default() }, "cli:anna".to_owned());
    let later = NOW + 21 * HOUR;
    let decided = stage.notifier.store.decide(Decision::Sent, all, who, later).await.unwrap();
    let again = decided.deliveries[0].now.unwrap();
    stage.finish(again.0, delivery::State::Succeeded, 0, later).await;
    stage.ends("held:notes", later).await;
}

#[tokio::test]
async fn a_destination_that_refuses_our_credentials_is_told_until_it_takes_them() {
    let mut stage = Stage::new([ok(), ok()]).await;
    stage.turn(NOW).await;
    assert_eq!(stage.told(), []);
    *stage.standing.lock().unwrap() = Standing::Parked;
    stage.turn(NOW).await;
    stage.turn(NOW + 30 * MINUTE).await;
    assert_eq!(stage.told(), [said("destination:connections.crm", "open")]);
    let text = stage.last_text();
    assert!(text.starts_with("connections.crm refuses our credentials"), "{text}");
    *stage.standing.lock().unwrap() = Standing::Working;
    stage.ends("destination:connections.crm", NOW + 40 * MINUTE).await;
}

#[tokio::test]
async fn a_disk_with_little_room_is_told_until_there_is_more() {
    let mut stage = Stage::new([ok(), ok()]).await;
    stage.turn(NOW).await;
    assert_eq!(stage.told(), []);
    stage.left.store(GIB / 2, Ordering::Relaxed);
    stage.turn(NOW).await;
    stage.turn(NOW + HOUR).await;
    assert_eq!(stage.told(), [said("disk", "open")]);
    assert_eq!(stage.last_text(), "the disk of the data folder has 512 MiB left");
    stage.left.store(50 * GIB, Ordering::Relaxed);
    stage.ends("disk", NOW + 2 * HOUR).await;
}

#[tokio::test]
async fn a_doubt_that_lasts_is_told_of_like_a_held_delivery() {
    let mut stage = Stage::new([ok(), ok()]).await;
    let (doubts, plugin) = (stage.notifier.doubts.clone(), Arc::<str>::from("notes"));
    let goes_on = |delivery, minutes: u64| {
        doubts.goes_on(DeliveryId(delivery), &plugin, Duration::from_secs(60 * minutes));
    };
    goes_on(7, 4);
    stage.turn(NOW).await;
    assert!(stage.told().is_empty(), "it may still be settled");
    goes_on(7, 6);
    stage.turn(NOW + MINUTE).await;
    assert_eq!(stage.told(), [said("held:notes", "open")]);
    let text = stage.last_text();
    assert!(text.starts_with("1 delivery of notes in doubt for up to 6 min"), "{text}");
    doubts.ended(DeliveryId(7));
    stage.turn(NOW + 2 * MINUTE).await;
    stage.turn(NOW + 2 * MINUTE + CALM_MS).await;
    assert_eq!(stage.told()[1..], [said("held:notes", "over")]);
}

#[tokio::test]
async fn what_is_held_and_what_goes_on_are_one_incident() {
    let mut stage = Stage::new([ok()]).await;
    stage.accept("C1", 1, NOW).await;
    stage.finish(1, delivery::State::Held, 0, NOW).await;
    stage.notifier.doubts.goes_on(DeliveryId(7), &Arc::from("notes"), Duration::from_secs(600));
    stage.turn(NOW).await;
    assert_eq!(stage.told(), [said("held:notes", "open")]);
    let text = stage.last_text();
    assert!(text.contains("held list --plugin notes") && text.contains("for up to 10 min"), "{text}");
}

#[tokio::test]
async fn a_message_that_does_not_arrive_is_sent_again_after_a_pause() {
    let mut stage = Stage::new([Answer::text(500, "ouch"), ok()]).await;
    stage.accept("C1", 1, NOW).await;
    stage.finish(1, delivery::State::Dead, 0, NOW).await;
    stage.turn(NOW).await;
    stage.turn(NOW).await;
    assert_eq!(stage.told().len(), 1, "nothing is sent during the pause");
    stage.memory.pause = Pause::default();
    stage.turn(NOW).await;
    stage.turn(NOW).await;
    assert_eq!(stage.told(), [said("dead-letters:notes", "open"), said("dead-letters:notes", "open")]);
}

#[tokio::test]
async fn without_a_connection_the_log_tells() {
    let mut stage = Stage::with_notify(Double::start([]).await, "").await;
    stage.accept("C1", 1, NOW).await;
    stage.finish(1, delivery::State::Dead, 0, NOW).await;
    let (lines, _guard) = logged();
    stage.turn(NOW).await;
    stage.turn(NOW).await;
    assert_eq!(lines.text().matches("1 dead letter of notes").count(), 1, "{}", lines.text());
    assert!(!lines.text().contains("smith@example.com"));
    assert_eq!(stage.double.asked().len(), 0);
}

#[tokio::test]
async fn stuck_work_that_could_run_and_waits_is_past_due() {
    let mut stage = Stage::new([ok()]).await;
    // An attempt of `notes` may take a minute, and two more go by before anybody is told.
    stage.accept("C1", 1, NOW - 3 * MINUTE).await;
    stage.turn(NOW).await;
    assert_eq!(stage.told(), []);
    stage.turn(NOW + 1).await;
    assert_eq!(stage.told(), [said("past-due:notes", "open")]);
    assert!(
        stage.last_text().contains("because it doesn't run: `chatplug plugins list`"),
        "{}",
        stage.last_text()
    );
}

#[tokio::test]
async fn what_waited_for_the_host_to_start_is_not_past_due() {
    let mut stage = Stage::new([ok()]).await;
    stage.accept("C1", 1, NOW - HOUR).await;
    stage.running_since(NOW - 2 * MINUTE);
    stage.turn(NOW).await;
    assert_eq!(stage.told(), []);
    stage.turn(NOW + MINUTE).await;
    assert_eq!(stage.told(), [said("past-due:notes", "open")]);
}

#[tokio::test]
async fn what_waits_behind_a_retry_is_not_past_due() {
    let mut stage = Stage::new([]).await;
    stage.accept("C1", 1, NOW - HOUR).await;
    stage.accept("C1", 2, NOW - HOUR).await;
    stage.finish(1, delivery::State::Pending, NOW + MINUTE, NOW - 50 * MINUTE).await;
    stage.turn(NOW).await;
    assert_eq!(stage.told(), []);
}

#[tokio::test]
async fn silence_is_told_only_where_webhooks_usually_come() {
    let check = async |weeks: &[i64], oldest: Option<i64>, expected: usize| {
        let mut stage = Stage::new([ok()]).await;
        stage.running_since(NOW - 3 * HOUR);
        let mut times: Vec<i64> = oldest.into_iter().collect();
        for week in weeks {
            times.extend((0..20).map(|number| NOW - week * WEEK - HOUR + number));
        }
        for (number, time) in times.into_iter().enumerate() {
            stage.accept(&format!("C{number}"), 1, time).await;
            stage.finish(number as i64 + 1, delivery::State::Succeeded, 0, time).await;
        }
        stage.turn(NOW).await;
        let silences = stage.told().iter().filter(|(incident, _)| incident == "silence").count();
        assert_eq!(silences, expected, "weeks {weeks:?}, oldest {oldest:?}");
    };
    check(&[], None, 0).await;
    check(&[1], None, 1).await;
    check(&[2, 1], None, 1).await;
    // Last week was an exception.
    check(&[1], Some(NOW - 3 * WEEK), 0).await;
    check(&[2], None, 0).await;
    check(&[2, 1, 0], None, 0).await;
}

#[tokio::test]
async fn refused_webhooks_are_told_until_few_are() {
    let mut stage = Stage::new([ok(), ok()]).await;
    stage.turn(NOW).await;
    for _ in 0..10 {
        stage.notifier.refusals.count("wrong-secret", "incoming_chat");
    }
    stage.turn(NOW).await;
    stage.turn(NOW).await;
    assert_eq!(stage.told(), [said("refused-webhooks:wrong-secret", "open")]);
    // After ten minutes of looks they are forgotten.
    let every_ms = LOOK_EVERY.as_millis() as i64;
    for look in 1..=10 * MINUTE / every_ms {
        stage.turn(NOW + look * every_ms).await;
    }
    stage.ends("refused-webhooks:wrong-secret", NOW + 11 * MINUTE).await;
}

#[tokio::test]
async fn webhooks_that_are_not_sent_are_told_and_not_over_because_nobody_could_ask() {
    let mut stage = Stage::new([ok(), ok()]).await;
    let registrations = stage.notifier.registrations.clone();
    stage.turn(0).await;
    registrations.found(Known::Wrong("they are switched off".to_owned(), 1));
    stage.turn(1_000).await;
    assert_eq!(stage.told(), [said("registrations", "open")]);
    registrations.found(Known::Nothing);
    stage.turn(2 * CALM_MS).await;
    assert_eq!(stage.told().len(), 1, "nobody knows");
    registrations.found(Known::Well);
    stage.turn(3 * CALM_MS).await;
    stage.turn(5 * CALM_MS).await;
    assert_eq!(stage.told().last(), Some(&said("registrations", "over")));
}

#[tokio::test]
async fn a_look_that_takes_long_tells_nothing_and_a_commit_that_does_tells_of_the_disk() {
    let mut stage = Stage::new([]).await;
    let (now_ms, mut seen) = (NOW, Seen::default());
    stage.memory.looking = Some(tokio::spawn(std::future::pending()));
    stage.notifier.look(&mut stage.memory, now_ms, Duration::ZERO, &mut seen).await;
    assert!(seen.conditions.is_empty() && stage.memory.looking.is_some(), "{seen:?}");
    assert_eq!(seen.blind, look::KINDS.into());
    assert!(!seen.blind.contains(&Kind::Store));

    stage.memory.committing = Some(tokio::spawn(std::future::pending()));
    stage.notifier.commit(&mut stage.memory, now_ms, Duration::ZERO, &mut seen).await;
    let [condition] = &seen.conditions[..] else { panic!("{seen:?}") };
    assert_eq!(condition.key, Key::new(Kind::Store, ""));
}

#[tokio::test]
async fn past_due_work_is_looked_for_in_a_given_time_and_what_is_not_reached_is_not_known() {
    let mut stage = Stage::new([]).await;
    stage.running_since(NOW - HOUR);
    stage.accept("C1", 1, NOW - HOUR).await;
    let look = stage.memory.look.clone();
    let (late, all) = look.past_due(NOW, Duration::from_secs(600)).await;
    assert!(late.len() == 1 && all.is_ok(), "{late:?}");
    let (late, all) = look.past_due(NOW, Duration::ZERO).await;
    assert!(late.is_empty() && all.is_err(), "{late:?}");
}
