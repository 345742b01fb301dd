//! low-rating-alert in a real host: what Slack and LiveChat get to see of a bad rating.

use chatplug::simulator::livechat::{EndedBy, Opening};
use chatplug::simulator::slack::{CHANNEL, Post};
use chatplug::simulator::{Fault, Times};
use chatplug_tests::deliveries;
use serde_json::{Value, json};

use crate::client::{post_signed, signature};
use crate::services::{SMITH, Stage};

/// How alerts reach Slack: each is a section of the README.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    SecretUrl,
    WebApi,
}

const KINDS: [Kind; 2] = [Kind::SecretUrl, Kind::WebApi];

impl Kind {
    /// What Slack calls a post.
    fn operation(self) -> &'static str {
        match self {
            Kind::SecretUrl => "webhook",
            Kind::WebApi => "chat.postMessage",
        }
    }
}

async fn stage(kind: Kind, settings: &str) -> Stage {
    let (number, settings) = match kind {
        Kind::SecretUrl => (0, settings.to_owned()),
        Kind::WebApi => (1, format!("channel = \"{CHANNEL}\"\n{settings}")),
    };
    Stage::with_plugin("low-rating-alert", number, &settings).await
}

/// A chat in which a customer and an agent have said something; answers its id.
fn chat(stage: &Stage, customer: &str) -> String {
    let opening = Opening { first_message: Some("My parcel never came".to_owned()), ..Opening::by(customer) };
    let chat_id = stage.livechat.start_chat(&opening).expect("a chat").chat_id;
    stage.livechat.agent_says(&chat_id, SMITH, "Let me look").expect("it goes on");
    stage.livechat.customer_says(&chat_id, "Please do").expect("it goes on");
    chat_id
}

fn end(stage: &Stage, chat_id: &str) {
    stage.livechat.end_chat(chat_id, &EndedBy::Agent(SMITH.to_owned())).expect("it ends");
}

fn the_only_post(stage: &Stage) -> Post {
    let posts = stage.slack.posts();
    assert_eq!(posts.len(), 1, "{posts:#?}");
    posts.into_iter().next().expect("it was counted")
}

#[track_caller]
fn expect_parts(post: &Post, parts: &[&str]) {
    let content = post.content();
    for part in parts {
        assert!(content.contains(part), "no {part:?} in {content}");
    }
}

/// The one delivery of each `chat_rated` event.
fn ratings(events: &[Value]) -> Vec<&Value> {
    let rated = events.iter().filter(|event| event["type"] == "chat_rated");
    rated.map(|event| deliveries(event).next().expect("a delivery")).collect()
}

#[track_caller]
fn expect_all_succeeded(events: &[Value]) {
    for delivery in events.iter().flat_map(deliveries) {
        assert_eq!(delivery["state"], "succeeded", "{delivery:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_rating_during_the_chat_is_posted_and_leaves_tag_and_note() {
    for kind in KINDS {
        let stage = stage(kind, "").await;
        let chat_id = chat(&stage, "Dana");
        // It is signalled twice: by a property, and by a system message.
        stage.livechat.rate(&chat_id, 0).expect("a rating");
        let events = stage.settled().await;
        expect_all_succeeded(&events);
        assert_eq!(ratings(&events).len(), 1, "{kind:?}");

        let post = the_only_post(&stage);
        assert_eq!(post.by_webhook, kind == Kind::SecretUrl);
        expect_parts(&post, &["bad", "Dana", "dana@example.com", "Agent Smith"]);
        expect_parts(&post, &["My parcel never came", "Let me look", "Please do"]);
        assert_eq!(stage.slack.violations(), [""; 0], "{kind:?}");

        assert_eq!(stage.tags(&chat_id), ["low-rating"], "{kind:?}");
        assert_eq!(stage.notes(&chat_id).len(), 1, "{kind:?}");
        let chat = stage.livechat.chat(&chat_id).expect("the chat");
        let users = chat["users"].as_array().expect("users");
        assert_eq!(users.len(), 2, "who left the note has left the chat: {users:#?}");
        stage.expect_no_secrets();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rating_after_the_chat_is_posted_and_the_thread_is_left_alone() {
    let stage = stage(Kind::SecretUrl, "").await;
    let chat_id = chat(&stage, "Dana");
    end(&stage, &chat_id);
    stage.livechat.rate(&chat_id, 0).expect("a rating");
    expect_all_succeeded(&stage.settled().await);
    expect_parts(&the_only_post(&stage), &["bad", "Dana", "Agent Smith", "My parcel never came"]);
    stage.expect_logged(&["skipped tag and note", &chat_id]);
    for action in ["tag_thread", "send_event", "add_user_to_chat"] {
        assert!(stage.asked(action, &chat_id).is_empty(), "{action}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_comment_updates_the_alert_or_follows_it() {
    for kind in KINDS {
        let stage = stage(kind, "").await;
        let chat_id = chat(&stage, "Dana");
        end(&stage, &chat_id);
        stage.livechat.rate(&chat_id, 0).expect("a rating");
        stage.settled().await;
        stage.livechat.comment_rating(&chat_id, "Twenty minutes for nothing").expect("a comment");
        expect_all_succeeded(&stage.settled().await);
        let posts = stage.slack.posts();
        let (count, updates) = match kind {
            Kind::SecretUrl => (2, 0),
            Kind::WebApi => (1, 1),
        };
        assert_eq!((posts.len(), posts[0].earlier.len()), (count, updates), "{kind:?}: {posts:#?}");
        expect_parts(&posts[count - 1], &["bad", "Dana", "Twenty minutes for nothing"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_was_deleted_meanwhile_is_followed_by_a_new_one() {
    let stage = stage(Kind::WebApi, "").await;
    let chat_id = chat(&stage, "Dana");
    stage.livechat.rate(&chat_id, 0).expect("a rating");
    stage.settled().await;
    stage.slack.delete_posts();
    stage.livechat.comment_rating(&chat_id, "Twenty minutes for nothing").expect("a comment");
    expect_all_succeeded(&stage.settled().await);
    expect_parts(&the_only_post(&stage), &["Dana", "Twenty minutes for nothing"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rating_that_turns_good_or_is_withdrawn_says_so() {
    for kind in KINDS {
        let stage = stage(kind, "").await;
        let (dana, omar) = (chat(&stage, "Dana"), chat(&stage, "Omar"));
        for chat_id in [&dana, &omar] {
            stage.livechat.rate(chat_id, 0).expect("a rating");
        }
        stage.settled().await;
        stage.livechat.rate(&dana, 1).expect("a rating");
        stage.livechat.cancel_rating(&omar).expect("it can be withdrawn");
        expect_all_succeeded(&stage.settled().await);
        let posts = stage.slack.posts();
        assert_eq!(posts.len(), if kind == Kind::WebApi { 2 } else { 4 }, "{kind:?}: {posts:#?}");
        let last_of = |name| posts.iter().rfind(|post| post.content().contains(name)).expect("a post");
        expect_parts(last_of("Dana"), &["turned good"]);
        expect_parts(last_of("Omar"), &["withdrawn"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_rating_is_nobodys_business() {
    let stage = stage(Kind::SecretUrl, "").await;
    let chat_id = chat(&stage, "Mia");
    stage.livechat.rate(&chat_id, 1).expect("a rating");
    let events = stage.settled().await;
    expect_all_succeeded(&events);
    assert_eq!(ratings(&events).len(), 1);
    assert_eq!((stage.slack.posts().len(), stage.tags(&chat_id).len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_fails_does_not_stop_the_alert_nor_the_note() {
    let stage = stage(Kind::SecretUrl, "tag = \"no such tag\"").await;
    let chat_id = chat(&stage, "Dana");
    stage.livechat.rate(&chat_id, 0).expect("a rating");
    expect_all_succeeded(&stage.settled().await);
    the_only_post(&stage);
    assert_eq!((stage.tags(&chat_id).len(), stage.notes(&chat_id).len()), (0, 1));
    stage.expect_logged(&["WARN", "without its tag", "no such tag"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_slack_refuses_for_a_moment_is_posted_once_in_the_end() {
    let busy = Fault::TooManyRequests { retry_after: Some("1".to_owned()) };
    for (kind, fault) in [(Kind::SecretUrl, Fault::Down), (Kind::WebApi, busy)] {
        let stage = stage(kind, "").await;
        stage.slack.faults().set(kind.operation(), fault.clone(), Times::Next(2));
        let chat_id = chat(&stage, "Dana");
        stage.livechat.rate(&chat_id, 0).expect("a rating");
        let events = stage.settled().await;
        expect_all_succeeded(&events);
        // What is down is asked twice within an attempt, for a post may be repeated here; being put off spends none.
        let attempts = if fault == Fault::Down { 2 } else { 1 };
        assert_eq!(ratings(&events)[0]["attempts"], attempts, "{kind:?} {fault:?}");
        the_only_post(&stage);
        if let Fault::TooManyRequests { .. } = fault {
            let at = stage.slack.requests().all().into_iter().map(|request| request.at).collect::<Vec<_>>();
            assert!(at.windows(2).all(|two| two[1].duration_since(two[0]).as_secs() >= 1), "{at:?}");
        }
        assert_eq!((stage.tags(&chat_id).len(), stage.notes(&chat_id).len()), (1, 1), "{kind:?} {fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_livechat_does_not_answer_the_alert_waits_for_three_attempts_only() {
    let stage = stage(Kind::SecretUrl, "").await;
    stage.livechat.faults().set("get_chat", Fault::Down, Times::UntilCleared);
    let chat_id = chat(&stage, "Dana");
    stage.livechat.rate(&chat_id, 0).expect("a rating");
    let events = stage.settled().await;
    expect_all_succeeded(&events);
    assert_eq!(ratings(&events)[0]["attempts"], 4);
    expect_parts(&the_only_post(&stage), &["bad", "Customer: unknown"]);
    stage.expect_logged(&["WARN", "the alert goes out without the chat", &chat_id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ratings_of_the_tutorial_have_another_scale_and_name_no_thread() {
    // The host has not heard of these chats, and can't know their threads.
    let stage = Stage::before_webhooks("low-rating-alert", 0, "").await;
    let chats = ["Dana", "Omar", "Mia"].map(|customer| chat(&stage, customer));
    stage.send_webhooks();
    for (chat_id, score) in chats.iter().zip([2, 1, 3]) {
        let body = json!({
            "event_type": "rating_added", "chat": {"id": chat_id}, "visitor": {"name": "Visitor"},
            "rating": {"score": score, "comment": "slow"},
        });
        let body = body.to_string().into_bytes();
        let signed = signature(&body);
        let (status, text) = post_signed(&stage.host, body, &signed).await;
        assert_eq!(status, 200, "{text}");
    }
    let events = stage.settled().await;
    expect_all_succeeded(&events);
    assert_eq!(ratings(&events).len(), 3);
    let posts = stage.slack.posts();
    assert_eq!(posts.len(), 2, "{posts:#?}");
    for (name, score) in [("Dana", "2 of 5"), ("Omar", "1 of 5")] {
        let post = posts.iter().find(|post| post.content().contains(name));
        expect_parts(post.unwrap_or_else(|| panic!("nothing about {name}")), &[score, "slow"]);
    }
    assert_eq!(chats.map(|chat_id| stage.tags(&chat_id).len()), [1, 1, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_customer_mentions_nobody_and_exceeds_nothing() {
    for kind in KINDS {
        let stage = stage(kind, "messages = 20").await;
        let opening = Opening {
            name: format!("Mallory <!channel> <@U1> *b* {}", "<!here>".repeat(300)),
            email: Some("mallory+<!here>@example.com".to_owned()),
            first_message: Some("<!everyone> <https://evil.example|a link> & co".to_owned()),
            page_url: "https://shop.example.com/?q=<!channel>".to_owned(),
            ..Opening::by("Mallory")
        };
        let chat_id = stage.livechat.start_chat(&opening).expect("a chat").chat_id;
        for number in 0..30 {
            let text = format!("{number} <!channel> \u{202e}{}", "<@U0001>&".repeat(400));
            stage.livechat.customer_says(&chat_id, &text).expect("a message");
        }
        stage.livechat.rate(&chat_id, 0).expect("a rating");
        stage.settled().await;
        stage.livechat.comment_rating(&chat_id, &"<!channel> <#C1> ".repeat(500)).expect("a comment");
        expect_all_succeeded(&stage.settled().await);
        assert_eq!(stage.slack.violations(), [""; 0], "{kind:?}");
        let posts = stage.slack.posts();
        expect_parts(posts.last().expect("a post"), &["Mallory", "Comment"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_only_says_what_it_would_do() {
    let stage = stage(Kind::SecretUrl, "dry_run = true").await;
    let chat_id = chat(&stage, "Dana");
    stage.livechat.rate(&chat_id, 0).expect("a rating");
    expect_all_succeeded(&stage.settled().await);
    assert_eq!(stage.slack.requests().all().len(), 0);
    let asked: Vec<String> =
        stage.livechat.requests().all().into_iter().map(|request| request.operation).collect();
    assert_eq!(asked, ["get_chat"]);
    stage.expect_logged(&["dry run: would tell the channel", &chat_id]);
}
