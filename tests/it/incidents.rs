//! What went wrong in other systems that receive and deliver webhooks, and does not here. Each class of incident
//! is proved by a test that is named after it, here or where this table says.
//!
//! | Class | Seen as | Proved by |
//! |---|---|---|
//! | wedge | a dependency comes back, the worker does not (svix#1844) | `wedge_a_service_that_comes_back_is_used_again`, `crm_notes::limits_and_outages_of_hubspot_are_waited_out`, `low_rating_alert::what_slack_refuses_for_a_moment_is_posted_once_in_the_end` |
//! | wedge | the target is deleted while something waits for it, which then fails for ever (svix#1511) | `destinations::wedge_what_waits_for_a_connection_that_is_removed_ends_with_the_reason`; of a type that is switched off, `reload::what_waits_for_a_type_that_is_switched_off_is_skipped_with_the_reason` |
//! | wedge | some errors in a row end the scheduler for good (outpost#881, #900) | `wedge_failures_in_a_row_end_nothing` |
//! | poison | an item that cannot be read fails unseen, or on each start (outpost#957, #1025) | `poison_what_a_plugin_cannot_read_is_a_recorded_failure` |
//! | poison | what ends the process is found again at each start, and ends it again (outpost#1025) | `poison_what_ends_the_process_each_time_is_given_up_and_others_go_on` |
//! | poison | an answer that is too long to be logged is asked for again and again (outpost#974) | `capability::http::poison_an_answer_that_is_too_long_is_cut_and_told`, and for a POST `capability::http::poison_an_action_with_an_answer_that_is_too_long_is_done_once_and_its_chat_goes_on` |
//! | duplicates | two requests with one key pass the check at the same time (convoy#2747) | `duplicates_one_webhook_many_times_at_once_is_one_event` |
//! | duplicates | what was done is done again because its record failed (outpost#276, #953) | `duplicates_what_was_done_is_not_done_again_because_its_record_failed`; at random, `crash`: actions doubled |
//! | duplicates | a slow or failed answer to a message that was saved (chatwoot#6446, #11901) | `duplicates_a_message_that_was_saved_behind_an_error_is_sent_once`, `cargo xtask crash --hostile` |
//! | lost | answered 200 though nothing was stored; the marker of the duplicate stays (background-agents#1806) | `lost_only_what_was_committed_is_known_again` |
//! | lost | one slow answer, and the message is never tried again (chatwoot#15920) | `lost_a_message_behind_a_slow_answer_arrives` |
//! | wrong state | a recovery writes over what had succeeded (n8n#23807) | `wrong_state_what_is_final_stays_so_over_a_crash` |
//! | stuck | "queued" for hours, and nobody says why (n8n#25080) | `notifier::tests::stuck_work_that_could_run_and_waits_is_past_due`, in the host: the operator is told; `folder::a_plugin_waits_until_each_ask_is_granted_or_denied`: the status says what is waited for |
//! | spike | retries take the places of what is new (onfido, 28 March 2024) | `lanes::tests::spike_chats_that_wait_for_a_retry_do_not_hold_up_fresh_ones`, in the host |
//! | leak | entries that nobody removes (restate#4327, governor#171) | `lanes::tests::leak_nothing_is_left_of_lanes_that_ended`, in the host |
//! | stall | storage on the threads of the async runtime (restate#4371) | `reload::stall_a_config_that_can_not_be_read_holds_up_nobody`; `store` has threads of its own, and `tidy::imports::each_library_has_its_owners` lets nobody else name SQLite |
//! | shutdown | one idle connection keeps the process from ending (axum#1070) | `shutdown_waits_for_no_idle_connection` |
//! | connections | a client for each destination, a connection for each request (outpost#1021) | `connections::tests::connections_are_shared_by_requests_to_a_service`, in the host |
//! | growth | finished work takes its room for ever (svix#671, #721), until the memory is gone (open-wearables#1111) | `keeping::growth_what_is_old_and_finished_is_removed_even_if_the_host_dies_over_it` |
//! | silence | the sender switched the webhook off, and nobody noticed for weeks (radon#282, pathment#408) | `notifier::tests::silence_is_told_only_where_webhooks_usually_come`, in the host |
//! | size | one unit of work gathers history until it can't go on (temporal#1069) | `limits::size_a_journal_without_end_ends_its_delivery_and_nothing_else` |
//! | deploy | what comes during a restart is lost (inngest#4505) | `deploy_what_comes_during_a_restart_is_taken_when_it_comes_again`; at random, `crash` |
//!
//! Not possible here: signals that are lost when leadership changes (restate 1.7.0), because one process owns the
//! data folder (`restart::a_second_host_on_the_same_folder_is_told_off`).

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use chatplug::crash_point::{CrashPoint, VARIABLE};
use chatplug::simulator::livechat::Opening;
use chatplug::simulator::{Fault, Livechat, Times};
use chatplug_tests::crash::REPEATS_ARE_HARMLESS;
use chatplug_tests::{Host, PATIENCE, deliveries, guest};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use crate::client::{accept, message, webhook};
use crate::services::Stage;

const RECORDER: &str = "[plugin.recorder]\nevents = [\"incoming_event\"]\n";

fn states<'a>(event: &'a Value, plugin: &'a str) -> Vec<&'a str> {
    let of = deliveries(event).filter(move |delivery| delivery["plugin"] == plugin);
    of.filter_map(|delivery| delivery["state"].as_str()).collect()
}

#[tokio::test]
async fn wedge_failures_in_a_row_end_nothing() {
    const FAILURES: usize = 50;
    let config = format!("{RECORDER}[plugin.trapper]\nevents = [\"incoming_event\"]\n");
    let host = Host::start(&config, &[guest("guest_trapper"), guest("guest_recorder")]);
    for number in 1..=FAILURES {
        accept(&host, message(&format!("C{number}"), 1)).await;
    }
    host.wait_until_done(FAILURES);
    accept(&host, message("LATER", 1)).await;
    let events = host.wait_until_done(FAILURES + 1);
    assert_eq!(events.len(), FAILURES + 1);
    for event in &events {
        assert_eq!((states(event, "trapper"), states(event, "recorder")), (vec!["dead"], vec!["succeeded"]));
    }
}

#[tokio::test]
async fn poison_what_a_plugin_cannot_read_is_a_recorded_failure() {
    let mut host = Host::start(RECORDER, &[guest("guest_recorder")]);
    let unreadable = json!({ "chat_id": "C1", "thread_id": "C1T", "event": { "id": "C1T_1", "type": 5 } });
    accept(&host, webhook("incoming_event", &unreadable)).await;
    accept(&host, message("C1", 2)).await;
    let events = host.wait_until_done(2);
    assert_eq!(states(&events[0], "recorder"), ["dead"], "{events:#?}");
    let delivery = deliveries(&events[0]).next().expect("a delivery");
    let reason = delivery["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("payload"), "{reason}");
    assert_eq!(states(&events[1], "recorder"), ["succeeded"], "the chat goes on");
    host.kill();
    host.run();
    accept(&host, message("C1", 3)).await;
    let again = host.wait_until_done(3);
    assert_eq!(again[..2], events[..], "it isn't tried again on a start");
}

/// Whether a run of a delivery was marked since this start of the host.
fn marked(host: &Host, delivery: &str) -> bool {
    let marks = fs::read(host.data().join("running")).unwrap_or_default();
    let number = |mark: &[u8]| i64::from_le_bytes(mark[..8].try_into().expect("eight bytes"));
    marks.chunks_exact(16).any(|mark| format!("dl-{}", number(mark)) == delivery)
}

#[tokio::test]
async fn poison_what_ends_the_process_each_time_is_given_up_and_others_go_on() {
    let config = format!(
        "{RECORDER}[plugin.hostile]\nevents = [\"incoming_event\"]\ndenies = [\"chats.tag\"]\n[plugin.hostile.limits]\nwall_ms = 600000\n"
    );
    let mut host = Host::start(&config, &[guest("guest_recorder"), guest("guest_hostile")]);
    let event = json!({
        "id": "1", "type": "message", "created_at": "2026-06-01T12:00:03.512000Z", "visibility": "all",
        "author_id": "b7eff798", "text": "sleep",
    });
    accept(
        &host,
        webhook("incoming_event", &json!({ "chat_id": "POISON", "thread_id": "T", "event": event })),
    )
    .await;
    let poison = host.wait_for_events("the event", |events| !events.is_empty()).remove(0);
    let delivery = deliveries(&poison).find(|delivery| delivery["plugin"] == "hostile").expect("a delivery");
    let delivery = delivery["id"].as_str().expect("an id").to_owned();
    // The fourth time it comes twenty seconds later, apart from what ran beside it.
    for end in 1..=4 {
        accept(&host, message(&format!("C{end}"), 1)).await;
        host.wait_for("a run that lasts", || marked(&host, &delivery).then_some(()));
        host.kill();
        host.run();
    }
    let events = host.wait_until_done(5);
    let dead = host.json(&["dead", "show", &delivery]).to_string();
    assert!(dead.contains("the process ended 4 times in a row while it ran"), "{dead}");
    for event in &events {
        assert_eq!(states(event, "recorder"), ["succeeded"], "{event}");
    }
    assert!(host.stop(), "{}", host.log());
    assert!(fs::read(host.data().join("running")).expect("the file").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_one_webhook_many_times_at_once_is_one_event() {
    let host = Host::start(RECORDER, &[guest("guest_recorder")]);
    let (url, client) = (host.url("/webhooks/livechat"), reqwest::Client::new());
    let mut posts = JoinSet::new();
    for number in 0..60 {
        let request = client.post(&url).body(message("C1", number / 20));
        posts.spawn(async move { request.send().await.map(|answer| answer.status().as_u16()) });
    }
    while let Some(post) = posts.join_next().await {
        assert_eq!(post.expect("no panic").expect("an answer"), 200);
    }
    assert_eq!(host.wait_until_done(3).len(), 3);
}

/// A host whose plugin leaves a note for a message; the run ends behind it, as what comes next is denied.
struct Noting {
    stage: Stage,
    chat: String,
}

impl Noting {
    async fn new() -> Noting {
        let config = "
[connections.ledger]
kind = \"generic\"
base_url = \"http://127.0.0.1:9\"
allow_private = true

[plugin.worker]
events = [\"incoming_event\"]
grants = [\"chats.send-note\"]
denies = [\"chats.tag\", \"http:ledger\"]
";
        let stage = Stage::with(config.parse().expect("TOML"), guest("guest_worker")).await;
        let chat = stage.livechat.start_chat(&Opening::by("Dana")).expect("a chat").chat_id;
        stage.livechat.agent_joins(&chat, chatplug::simulator::livechat::PAT_OWNER).expect("it joins");
        Noting { stage, chat }
    }

    /// The webhook of what the customer says.
    fn work(&self) -> String {
        let told = self.stage.livechat.customer_says(&self.chat, "work 1").expect("a message");
        let mut body = told.webhooks[0].clone();
        body["secret_key"] = chatplug_tests::SECRET.into();
        body.to_string()
    }

    fn fail(&self, operation: &str, fault: Fault, times: Times) {
        self.stage.livechat.faults().set(operation, fault, times);
    }

    /// Waits until the delivery is done, and expects one note.
    fn expect_one(&self) {
        self.stage.host.wait_until_done(1);
        let firsts = self.stage.notes(&self.chat).iter().filter(|note| note.starts_with("first ")).count();
        assert!(firsts >= 1, "it arrives");
        if REPEATS_ARE_HARMLESS {
            assert_eq!(firsts, 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wedge_a_service_that_comes_back_is_used_again() {
    let noting = Noting::new().await;
    noting.fail("*", Fault::Down, Times::UntilCleared);
    accept(&noting.stage.host, noting.work()).await;
    let in_vain = |livechat: &Livechat| livechat.requests().all().len() >= 3;
    let waited = noting.stage.livechat.wait_for("requests in vain", PATIENCE, in_vain).await;
    waited.unwrap_or_else(|late| panic!("{late}"));
    noting.stage.livechat.faults().clear();
    noting.expect_one();
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_a_message_that_was_saved_behind_an_error_is_sent_once() {
    let noting = Noting::new().await;
    noting.fail("send_event", Fault::ErrorAfterSaving, Times::Next(1));
    accept(&noting.stage.host, noting.work()).await;
    noting.expect_one();
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_what_was_done_is_not_done_again_because_its_record_failed() {
    let mut noting = Noting::new().await;
    let host = &mut noting.stage.host;
    assert!(host.stop(), "{}", host.log());
    host.set_env(VARIABLE, Some(CrashPoint::AfterRequest.as_str()));
    host.run();
    let body = noting.work();
    // The host may end before it has answered; it has stored the message all the same, or there were no note.
    is_taken(&noting.stage.host, body).await;
    let host = &mut noting.stage.host;
    assert!(!host.wait_for_end().success(), "it ends between the note and its record");
    host.set_env(VARIABLE, None);
    host.run();
    noting.expect_one();
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_a_message_behind_a_slow_answer_arrives() {
    let noting = Noting::new().await;
    // Longer than anybody waits, and nothing is saved.
    noting.fail("send_event", Fault::StallBeforeSaving(None), Times::Next(1));
    accept(&noting.stage.host, noting.work()).await;
    noting.expect_one();
}

/// Posts a body again and again until it is taken, wherever the host is then. Says once that it was in vain.
async fn post_until_taken(host: watch::Receiver<SocketAddr>, body: String, in_vain: oneshot::Sender<()>) {
    let (client, mut in_vain) = (reqwest::Client::new(), Some(in_vain));
    loop {
        let url = format!("http://{}/webhooks/livechat", *host.borrow());
        if client.post(url).body(body.clone()).send().await.is_ok_and(|answer| answer.status() == 200) {
            return;
        }
        if let Some(in_vain) = in_vain.take() {
            let _ = in_vain.send(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deploy_what_comes_during_a_restart_is_taken_when_it_comes_again() {
    let mut host = Host::start(RECORDER, &[guest("guest_recorder")]);
    let (moved, address) = watch::channel(host.address());
    let mut sent = 0;
    for _ in 0..3 {
        for number in sent..sent + 5 {
            accept(&host, message("C1", number)).await;
        }
        assert!(host.stop(), "{}", host.log());
        // LiveChat did not hear what it was answered, and sends these again, and others: in vain, as nobody is there.
        let (mut posts, mut in_vain) = (JoinSet::new(), Vec::new());
        for number in sent..sent + 10 {
            let (say, said) = oneshot::channel();
            posts.spawn(post_until_taken(address.clone(), message("C1", number), say));
            in_vain.push(said);
        }
        for said in in_vain {
            said.await.expect("it was posted in vain first");
        }
        host.run();
        moved.send_replace(host.address());
        let taken = tokio::time::timeout(PATIENCE, posts.join_all()).await;
        assert!(taken.is_ok(), "not all are taken: {}", host.log());
        sent += 10;
    }
    let events = host.wait_until_done(sent);
    assert_eq!(events.len(), sent, "each is there once");
    assert!(events.iter().all(|event| states(event, "recorder") == ["succeeded"]), "{events:#?}");
}

#[tokio::test]
async fn lost_only_what_was_committed_is_known_again() {
    for point in [CrashPoint::AfterReceive, CrashPoint::BeforeCommit, CrashPoint::AfterCommit] {
        let mut host = Host::prepared("", &[]);
        let chat = refused_at(&mut host, point).await;
        assert_eq!(count(&host, &chat), usize::from(point == CrashPoint::AfterCommit), "{point:?}");
        host.set_env(VARIABLE, None);
        host.run();
        assert!(is_taken(&host, message(&chat, 1)).await, "{point:?}");
        assert_eq!(count(&host, &chat), 1, "{point:?}");
    }
}

/// The stored events of a chat.
fn count(host: &Host, chat: &str) -> usize {
    host.events().iter().filter(|event| event["chat_id"] == chat).count()
}

/// Has the host end at the place, on the way of a webhook; answers the webhook's chat. The host commits things of its
/// own, too, at no certain moment, and may end there: then it is started again, to end later.
async fn refused_at(host: &mut Host, point: CrashPoint) -> String {
    for start in 1..=20 {
        let time = 10 * start;
        host.set_env(VARIABLE, Some(&format!("{}:{time}", point.as_str())));
        if host.try_run().is_err() {
            continue;
        }
        // Each webhook passes the place once at least: the host has ended before they do.
        let mut number = 0;
        let chat = loop {
            number += 1;
            assert!(number <= time, "no webhook brings the host to {point:?}");
            let chat = format!("S{start}C{number}");
            if !is_taken(host, message(&chat, 1)).await {
                break chat;
            }
        };
        host.kill();
        if point != CrashPoint::AfterCommit || count(host, &chat) == 1 {
            return chat;
        }
    }
    panic!("the host ends at {point:?} between the webhooks only");
}

#[tokio::test]
async fn wrong_state_what_is_final_stays_so_over_a_crash() {
    let config = format!("{RECORDER}[plugin.trapper]\nevents = [\"incoming_event\"]\n");
    let mut host = Host::start(&config, &[guest("guest_trapper"), guest("guest_recorder")]);
    for number in 1..=5 {
        accept(&host, message("C1", number)).await;
    }
    let before = host.wait_until_done(5);
    for number in 6..=8 {
        host.kill();
        host.run();
        accept(&host, message("C1", number)).await;
    }
    let after = host.wait_until_done(8);
    assert_eq!(after[..5], before[..]);
}

#[tokio::test]
async fn shutdown_waits_for_no_idle_connection() {
    let mut host = Host::start("", &[]);
    let mut connections = Vec::new();
    for sent in ["", "POST /webhooks/livechat HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"] {
        let mut connection = TcpStream::connect(host.address()).await.expect("a connection");
        connection.write_all(sent.as_bytes()).await.expect("it is sent");
        connections.push(connection);
    }
    accept(&host, message("C1", 1)).await;
    assert!(host.stop(), "{}", host.log());
    drop(connections);
    // Half a request has five seconds, as what is at work has, and not the ten that its client had.
    let log = host.log();
    assert!(log.contains("are cut off"), "{log}");
    assert!(!log.contains("too-slow") && !log.contains("did not end within"), "{log}");
}

/// Whether the webhook of a message is answered 200.
async fn is_taken(host: &Host, body: String) -> bool {
    let post = reqwest::Client::new().post(host.url("/webhooks/livechat")).body(body);
    post.send().await.is_ok_and(|answer| answer.status() == 200)
}
