//! crm-notes in a real host: what HubSpot holds after a chat.

use chatplug::simulator::livechat::{EndedBy, Opening};
use chatplug::simulator::{Fault, Times};
use chatplug_tests::{PATIENCE, SECRET, deliveries};
use serde_json::{Value, json};

use crate::client::accept;
use crate::services::{SMITH, Stage};

/// What HubSpot takes in a note, and counts as the web does: UTF-16 units.
const NOTE_LIMIT: usize = 65_536;

async fn stage(settings: &str) -> Stage {
    Stage::with_plugin("crm-notes", 0, settings).await
}

/// A chat in which a customer and an agent have said something; answers its id.
fn chat(stage: &Stage, opening: &Opening) -> String {
    let opening = Opening { first_message: Some("Where is my parcel?".to_owned()), ..opening.clone() };
    let chat_id = stage.livechat.start_chat(&opening).expect("a chat").chat_id;
    stage.livechat.agent_says(&chat_id, SMITH, "On its way to you").expect("it goes on");
    chat_id
}

/// Ends a chat; answers the thread's id.
fn end(stage: &Stage, chat_id: &str) -> String {
    stage.livechat.end_chat(chat_id, &EndedBy::Agent(SMITH.to_owned())).expect("it ends").thread_id
}

/// Waits until all is done; no delivery may have failed. Answers the number of attempts at the last one.
async fn settle(stage: &Stage) -> u64 {
    let events = stage.settled().await;
    let mut attempts = 0;
    for delivery in events.iter().flat_map(deliveries) {
        assert_eq!(delivery["state"], "succeeded", "{delivery:#}");
        attempts = delivery["attempts"].as_u64().expect("a number");
    }
    attempts
}

/// The body of the one note on a contact.
#[track_caller]
fn the_only_note(stage: &Stage, email: &str) -> String {
    let notes = stage.hubspot.notes_on(email);
    assert_eq!((notes.len(), stage.hubspot.notes().len()), (1, 1), "{notes:#?}");
    notes[0].body().to_owned()
}

#[track_caller]
fn expect_parts(body: &str, parts: &[&str]) {
    for part in parts {
        assert!(body.contains(part), "no {part:?} in {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_becomes_a_note_on_the_contact_with_all_that_was_said() {
    let stage = stage("").await;
    let contact = stage.hubspot.add_contact("Dana@Example.com");
    let chat_id = chat(&stage, &Opening::by("Dana"));
    stage.livechat.agent_notes(&chat_id, SMITH, "between us agents").expect("a note");
    stage.livechat.agent_tags(&chat_id, "support").expect("a tag");
    stage.livechat.rate(&chat_id, 0).expect("a rating");
    stage.livechat.comment_rating(&chat_id, "took ages").expect("a comment");
    settle(&stage).await;
    let thread_id = end(&stage, &chat_id);
    settle(&stage).await;

    let body = the_only_note(&stage, "dana@example.com");
    expect_parts(&body, &["Dana", "dana@example.com", "Agent Smith", "support", "bad", "took ages"]);
    expect_parts(&body, &["Where is my parcel?", "On its way to you", "https://shop.example.com/"]);
    expect_parts(&body, &[&format!("https://my.livechatinc.com/archives/{thread_id}")]);
    assert!(!body.contains("between us agents"), "{body}");
    let note = stage.hubspot.notes().remove(0);
    assert_eq!((note.contact_ids, note.updates), (vec![contact], 0));
    assert_eq!(stage.hubspot.contacts().len(), 1);
    stage.expect_no_secrets();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_created_only_if_the_operator_wants_it() {
    for create in [true, false] {
        let stage = stage(&format!("create_contact = {create}")).await;
        let chat_id = chat(&stage, &Opening::by("Dana"));
        end(&stage, &chat_id);
        settle(&stage).await;
        if create {
            the_only_note(&stage, "dana@example.com");
            assert_eq!(stage.hubspot.contacts()[0].properties["firstname"], "Dana");
        } else {
            assert_eq!((stage.hubspot.contacts().len(), stage.hubspot.notes().len()), (0, 0));
            stage.expect_logged(&["no note was written", "create_contact is off", &chat_id]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_that_somebody_else_creates_meanwhile_gets_the_note() {
    let stage = stage("").await;
    stage.hubspot.faults().set("contacts.create", Fault::StallBeforeSaving(None), Times::Next(1));
    let chat_id = chat(&stage, &Opening::by("Dana"));
    end(&stage, &chat_id);
    let creating = |requests: &[chatplug::simulator::Recorded]| {
        requests.iter().any(|request| request.operation == "contacts.create")
    };
    stage.hubspot.requests().wait_for("a new contact", PATIENCE, creating).await.expect("it is asked for");
    let contact = stage.hubspot.add_contact("dana@example.com");
    stage.hubspot.faults().release();
    let attempts = settle(&stage).await;
    let conflict = &stage.hubspot.requests().of_operation("contacts.create")[0];
    assert_eq!((conflict.status, attempts), (Some(409), 1));
    the_only_note(&stage, "dana@example.com");
    assert_eq!(stage.hubspot.notes()[0].contact_ids, [contact]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_later_changes_the_same_note() {
    let stage = stage("").await;
    let chat_id = chat(&stage, &Opening::by("Dana"));
    end(&stage, &chat_id);
    settle(&stage).await;
    assert!(!the_only_note(&stage, "dana@example.com").contains("bad"));

    stage.livechat.rate(&chat_id, 0).expect("a rating");
    settle(&stage).await;
    expect_parts(&the_only_note(&stage, "dana@example.com"), &["bad", "Where is my parcel?"]);
    stage.livechat.comment_rating(&chat_id, "took ages").expect("a comment");
    settle(&stage).await;
    expect_parts(&the_only_note(&stage, "dana@example.com"), &["bad", "took ages"]);

    // The same end once more, in the older format, which the host can't know for a repetition.
    let updates = stage.hubspot.notes()[0].updates;
    let again = json!({
        "event_type": "chat_ended", "token": SECRET, "license_id": "1025707",
        "chat": {"id": chat_id, "started_timestamp": 1_790_000_000, "ended_timestamp": 1_790_000_900,
                 "messages": [], "tags": []},
        "visitor": {"id": "S1.O1", "name": "Dana", "email": "dana@example.com"},
    });
    accept(&stage.host, again.to_string()).await;
    settle(&stage).await;
    expect_parts(&the_only_note(&stage, "dana@example.com"), &["bad", "took ages"]);
    assert_eq!((updates, stage.hubspot.notes()[0].updates), (2, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_thread_of_a_chat_has_its_own_note() {
    let stage = stage("").await;
    for _ in 0..2 {
        let chat_id = chat(&stage, &Opening::by("Dana"));
        end(&stage, &chat_id);
        settle(&stage).await;
    }
    assert_eq!(stage.livechat.chat_ids().len(), 1);
    assert_eq!(stage.hubspot.notes_on("dana@example.com").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_without_an_address_is_skipped_and_the_log_says_so() {
    let stage = stage("").await;
    let chat_id = chat(&stage, &Opening { email: None, ..Opening::by("Visitor") });
    end(&stage, &chat_id);
    settle(&stage).await;
    assert_eq!(stage.hubspot.requests().all().len(), 0);
    stage.expect_logged(&["no note was written: the customer has no e-mail address", &chat_id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_without_an_address_can_be_found_by_an_id_of_ones_own() {
    let settings = "without_email = \"external_id\"\n\
                    external_id = { session_field = \"no\", property = \"customer_no\" }";
    let stage = stage(settings).await;
    let contact = stage.hubspot.add_contact_with(&[("customer_no", "K-77")]);
    let session_fields = vec![("no".to_owned(), "K-77".to_owned())];
    let chat_id = chat(&stage, &Opening { email: None, session_fields, ..Opening::by("Visitor") });
    end(&stage, &chat_id);
    settle(&stage).await;
    assert_eq!(stage.hubspot.notes().len(), 1);
    assert_eq!(stage.hubspot.notes()[0].contact_ids, [contact]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_that_was_saved_without_a_good_answer_is_held_and_not_written_again() {
    let stage = stage("").await;
    for (customer, fault) in [("Dana", Fault::ErrorAfterSaving), ("Omar", Fault::CutReply)] {
        stage.hubspot.faults().set("notes.create", fault.clone(), Times::Next(1));
        let opening = Opening::by(customer);
        let chat_id = chat(&stage, &opening);
        end(&stage, &chat_id);
        let events = stage.settled().await;
        let last = events.iter().flat_map(deliveries).last().expect("a delivery");
        assert_eq!((&last["state"], &last["outcome"]), (&json!("held"), &json!("in doubt")), "{last:#}");
        let notes = stage.hubspot.notes_on(opening.email.as_deref().expect("an address"));
        assert_eq!(notes.len(), 1, "{fault:?}: {notes:#?}");
        expect_parts(notes[0].body(), &["Where is my parcel?"]);
    }
    assert_eq!(stage.hubspot.requests().of_operation("notes.create").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_outages_of_hubspot_are_waited_out() {
    let stage = stage("").await;
    let limit = Fault::TooManyRequests { retry_after: Some("1".to_owned()) };
    for (customer, operation, fault) in [
        ("Dana", "notes.create", limit.clone()),
        ("Omar", "contacts.create", limit),
        ("Mia", "contacts.get", Fault::Down),
        ("Ada", "contacts.create", Fault::ErrorAfterSaving),
    ] {
        stage.hubspot.faults().set(operation, fault.clone(), Times::Next(1));
        let opening = Opening::by(customer);
        let chat_id = chat(&stage, &opening);
        end(&stage, &chat_id);
        let attempts = settle(&stage).await;
        let notes = stage.hubspot.notes_on(opening.email.as_deref().expect("an address"));
        // Being put off spends no attempt.
        let expected = if matches!(fault, Fault::TooManyRequests { .. }) { 1 } else { 2 };
        assert_eq!((attempts, notes.len()), (expected, 1), "{operation} {fault:?}");
    }
    assert_eq!((stage.hubspot.contacts().len(), stage.hubspot.notes().len()), (4, 4));
    for pair in stage.hubspot.requests().all().windows(2) {
        let asked_to_wait = matches!(pair[0].fault, Some(Fault::TooManyRequests { .. }));
        let waited = pair[1].at.duration_since(pair[0].at).as_secs() >= 1;
        assert!(waited || !asked_to_wait, "{pair:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_refused_parks_the_connection_and_costs_no_attempt() {
    let stage = stage("").await;
    stage.hubspot.faults().set("contacts.get", Fault::Unauthorized, Times::Next(1));
    for customer in ["Dana", "Omar"] {
        let chat_id = chat(&stage, &Opening::by(customer));
        end(&stage, &chat_id);
    }
    let events = stage.settled().await;
    let all: Vec<&Value> = events.iter().flat_map(deliveries).collect();
    assert!(all.iter().all(|one| one["state"] == "succeeded" && one["attempts"] == 1), "{all:#?}");
    assert_eq!((all.len(), stage.hubspot.notes().len()), (2, 2));
    stage.expect_logged(&["ERROR", "connections.hubspot refuses our credentials"]);
    stage.expect_logged(&["connections.hubspot takes calls again"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hostile_customer_wrote_is_text_and_fits() {
    let stage = stage("").await;
    let opening = Opening {
        name: format!("=HYPERLINK(\"Mallory\") <b>bold</b> {}", "x".repeat(2_000)),
        email: Some("mallory+test@example.com".to_owned()),
        page_url: "https://shop.example.com/?q=<script>alert(0)</script>&\"".to_owned(),
        ..Opening::by("Mallory")
    };
    let chat_id = chat(&stage, &opening);
    for number in 0..40 {
        let text = format!("<script>alert({number})</script> {}", "<i>&\"\u{1f600}".repeat(300));
        stage.livechat.customer_says(&chat_id, &text).expect("a message");
    }
    stage.livechat.customer_says(&chat_id, "<p>chatplug:thread:OTHER</p>").expect("a message");
    let thread_id = end(&stage, &chat_id);
    settle(&stage).await;
    stage.livechat.rate(&chat_id, 0).expect("a rating");
    stage.livechat.comment_rating(&chat_id, &"<script>bad</script>".repeat(800)).expect("a comment");
    settle(&stage).await;
    let body = the_only_note(&stage, "mallory+test@example.com");
    let length = body.encode_utf16().count();
    assert!(length <= NOTE_LIMIT && length > NOTE_LIMIT / 2, "{length}");
    for markup in ["<script", "<b>bold", "<i>"] {
        assert!(!body.contains(markup), "{markup}");
    }
    expect_parts(&body, &["&lt;script&gt;alert(0)", "The transcript was cut here"]);
    expect_parts(&body, &[&format!("chatplug:thread:{thread_id}")]);
    let name = stage.hubspot.contacts()[0].properties["firstname"].clone();
    assert!(!name.as_str().expect("text").starts_with('='), "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_looks_up_and_writes_nothing() {
    let stage = stage("dry_run = true").await;
    stage.hubspot.add_contact("dana@example.com");
    for customer in ["Dana", "Omar"] {
        let chat_id = chat(&stage, &Opening::by(customer));
        end(&stage, &chat_id);
    }
    settle(&stage).await;
    assert_eq!((stage.hubspot.notes().len(), stage.hubspot.contacts().len()), (0, 1));
    let methods: Vec<String> = stage.hubspot.requests().all().into_iter().map(|r| r.method).collect();
    assert_eq!(methods, ["GET", "GET"]);
    stage.expect_logged(&["dry run: would have written a note"]);
    stage.expect_logged(&["dry run: would have created a contact"]);
}
