//! routing-rules in a real host: customers for whom nobody is there in time.

use chatplug::simulator::livechat::{BOT_ID, EndedBy, Opening};
use chatplug::simulator::{Fault, Livechat, Times};
use chatplug_tests::{PATIENCE, deliveries};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::services::{SMITH, Stage};

const SAM: &str = "sam@example.com";

async fn stage(waiting: &str) -> Stage {
    let stage = before_webhooks(waiting).await;
    stage.send_webhooks();
    stage
}

/// A stage on which the host doesn't hear what happens yet.
async fn before_webhooks(waiting: &str) -> Stage {
    let stage = Stage::before_webhooks("routing-rules", 0, &format!("rules = []\n{waiting}")).await;
    stage.livechat.add_tag("waited", &[0]);
    stage
}

fn silent(stage: &Stage, name: &str) -> String {
    stage.livechat.start_chat(&Opening::by(name)).expect("a chat").chat_id
}

fn open(stage: &Stage, name: &str) -> String {
    let opening = Opening { first_message: Some("Hello?".to_owned()), ..Opening::by(name) };
    stage.livechat.start_chat(&opening).expect("a chat").chat_id
}

/// What happens from now on carries a time that is so long ago.
fn ago(stage: &Stage, time: SignedDuration) {
    stage.livechat.shift_clock(-time);
}

/// What was posted to Slack.
fn posts(stage: &Stage) -> Vec<String> {
    stage.slack.posts().iter().map(|post| post.content()).collect()
}

/// The events of timers.
fn of_timers(events: &[Value]) -> impl Iterator<Item = &Value> {
    events.iter().filter(|event| event["type"] == "timer")
}

/// How many timers belong to a chat.
fn timers(stage: &Stage, chat_id: &str) -> u64 {
    stage.host.json(&["forget", "--dry-run", "--chat", chat_id])["timers"].as_u64().expect("a number")
}

/// Waits until all is done; no delivery may have failed.
async fn settle(stage: &Stage) -> Vec<Value> {
    let events = stage.settled().await;
    for delivery in events.iter().flat_map(deliveries) {
        assert!(delivery["state"] == "succeeded" || delivery["state"] == "skipped", "{delivery:#}");
    }
    events
}

/// Waits until a chat's timers have come, and all is done.
async fn wait_for_timers(stage: &Stage, count: usize) {
    stage.host.wait_for_events("the timers", |all| {
        of_timers(all).filter(|event| deliveries(event).all(|one| one["state"] == "succeeded")).count()
            >= count
    });
    settle(stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_that_nobody_answers_is_handed_on_tagged_and_told_of_once() {
    let rules = "[[waiting]]\nname = \"a\"\nminutes = 0.01\nto_group = 2\ntag = \"waited\"\nalert = true\n";
    let stage = stage(rules).await;
    let chat_id = open(&stage, "Dana");
    wait_for_timers(&stage, 1).await;
    assert_eq!(stage.tags(&chat_id), ["waited"]);
    assert_eq!(stage.livechat.chat(&chat_id).expect("the chat")["access"]["group_ids"], json!([2]));
    assert_eq!(stage.asked("transfer_chat", &chat_id).len(), 1);
    let posts = stage.slack.posts();
    assert_eq!(posts.len(), 1);
    let content = posts[0].content();
    assert!(content.contains("Nobody has answered a chat for 0.01 min"), "{content}");
    assert!(!content.contains("Hello?"), "{content}");
    assert!(stage.slack.violations().is_empty());
    stage.expect_no_secrets();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_takes_the_timers_back_and_so_does_the_end() {
    let rules = "[[waiting]]\nname = \"a\"\nminutes = 600\nalert = true\n[[waiting]]\nname = \"b\"\nminutes = 700\ntag = \
                 \"waited\"\n[[waiting]]\nname = \"c\"\nminutes = 600\nsince = \"message\"\nalert = true\n";
    let stage = stage(rules).await;
    let (answered, ended, noted) = (open(&stage, "Dana"), open(&stage, "Omar"), open(&stage, "Mia"));
    settle(&stage).await;
    for chat_id in [&answered, &ended, &noted] {
        assert_eq!(timers(&stage, chat_id), 3);
    }
    stage.livechat.agent_says(&answered, SMITH, "How can I help?").expect("a message");
    stage.livechat.end_chat(&ended, &EndedBy::Customer).expect("an end");
    stage.livechat.agent_notes(&noted, SMITH, "a regular").expect("a note");
    settle(&stage).await;
    assert_eq!((timers(&stage, &answered), timers(&stage, &ended), timers(&stage, &noted)), (0, 0, 3));
    // The customer asks again, and waits from then on; what was said at the start doesn't count any more.
    for text in ["And?", "Well?"] {
        stage.livechat.customer_says(&answered, text).expect("a message");
    }
    settle(&stage).await;
    assert_eq!(timers(&stage, &answered), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_who_waits_again_is_seen_to_again() {
    let rules = "[[waiting]]\nname = \"c\"\nminutes = 0.01\nsince = \"message\"\nalert = true\n";
    let stage = stage(rules).await;
    let chat_id = open(&stage, "Dana");
    wait_for_timers(&stage, 1).await;
    stage.livechat.agent_says(&chat_id, SMITH, "Here I am").expect("a message");
    settle(&stage).await;
    stage.livechat.customer_says(&chat_id, "And?").expect("a message");
    wait_for_timers(&stage, 2).await;
    let posts = posts(&stage);
    assert_eq!(posts.len(), 2, "{posts:?}");
    assert!(posts.iter().all(|post| post.contains("A customer has waited for an answer")), "{posts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bot_says_does_not_shorten_how_long_the_customer_may_wait() {
    let rules = "[[waiting]]\nname = \"long\"\nminutes = 10\nsince = \"message\"\nalert = true\n[[waiting]]\nname = \
                 \"short\"\nminutes = 0.5\nsince = \"message\"\nalert = true\n";
    let stage = stage(rules).await;
    // The bot has greeted 20 minutes ago: the timers that it sets are due at once, and the looks at the chat are held up.
    stage.livechat.faults().set("get_chat", Fault::StallBeforeSaving(None), Times::UntilCleared);
    ago(&stage, SignedDuration::from_mins(20));
    let chat_id = silent(&stage, "Dana");
    stage.livechat.agent_says(&chat_id, BOT_ID, "How can I help?").expect("a message");
    let looked = |_: &Livechat| !stage.asked("get_chat", &chat_id).is_empty();
    stage.livechat.wait_for("a look at the chat", PATIENCE, looked).await.expect("the bot's timer is due");
    ago(&stage, SignedDuration::from_secs(29));
    stage.livechat.customer_says(&chat_id, "My parcel is late").expect("a message");
    ago(&stage, SignedDuration::ZERO);
    stage.livechat.faults().clear();
    stage.host.wait_for("the alert", || (!posts(&stage).is_empty()).then_some(()));
    settle(&stage).await;
    let told = posts(&stage);
    assert!(told.len() == 1 && told[0].contains("for 0.5 min (rule `short`)"), "{told:?}");
    assert_eq!(timers(&stage, &chat_id), 1, "the other rule's time goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_greeting_in_an_agents_name_is_no_answer() {
    let rules = "[[waiting]]\nname = \"soon\"\nminutes = 0.01\nalert = true\n[[waiting]]\nname = \"late\"\nminutes = \
                 600\ntag = \"waited\"\n[[waiting]]\nname = \"message\"\nminutes = 600\nsince = \"message\"\ntag = \
                 \"waited\"\n";
    let stage = stage(rules).await;
    let opening = Opening {
        greeting: Some("Hi, I'm Smith".to_owned()),
        first_message: Some("Hello?".to_owned()),
        ..Opening::by("Dana")
    };
    let chat_id = stage.livechat.start_chat(&opening).expect("a chat").chat_id;
    stage.livechat.agent_greets(&chat_id, SMITH, "Welcome to our shop").expect("a message");
    wait_for_timers(&stage, 1).await;
    let told = posts(&stage);
    assert!(told.len() == 1 && told[0].contains("Nobody has answered a chat"), "{told:?}");
    assert_eq!(timers(&stage, &chat_id), 2, "the greetings take no timer back");
    stage.livechat.agent_says(&chat_id, SMITH, "How can I help?").expect("a message");
    settle(&stage).await;
    assert_eq!(timers(&stage, &chat_id), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_who_only_sends_a_file_waits_too() {
    let rules = "[[waiting]]\nname = \"a\"\nminutes = 0.01\nsince = \"message\"\nalert = true\n";
    let stage = stage(rules).await;
    let chat_id = silent(&stage, "Dana");
    settle(&stage).await;
    assert_eq!(timers(&stage, &chat_id), 0);
    stage.livechat.customer_sends_file(&chat_id, "bill.pdf").expect("a file");
    wait_for_timers(&stage, 1).await;
    let told = posts(&stage);
    assert!(told.len() == 1 && told[0].contains("A customer has waited for an answer"), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_that_nobody_answers_is_handed_to_an_agent() {
    let rules = "[[waiting]]\nname = \"a\"\nminutes = 0.01\nto_agent = \"sam@example.com\"\n";
    let stage = stage(rules).await;
    let chat_id = open(&stage, "Dana");
    wait_for_timers(&stage, 1).await;
    assert_eq!(stage.asked("transfer_chat", &chat_id).len(), 1);
    let chat = stage.livechat.chat(&chat_id).expect("the chat");
    let there = |id: &str| {
        let user = chat["users"].as_array().into_iter().flatten().find(|user| user["id"] == id);
        user.is_some_and(|user| user["present"] == true)
    };
    assert_eq!((there(SAM), there(SMITH)), (true, false), "{chat:#}");
    assert!(posts(&stage).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_only_says_what_would_be_done_about_who_waits() {
    let rules = "dry_run = true\n[[waiting]]\nname = \"a\"\nminutes = 0.01\nto_group = 2\ntag = \"waited\"\nalert = true\n";
    let stage = stage(rules).await;
    let chat_id = open(&stage, "Dana");
    wait_for_timers(&stage, 1).await;
    stage.expect_logged(&[
        &chat_id,
        "dry run: rule `a` would have sent the chat to group 2, tagged it `waited`, told the team",
    ]);
    for action in ["transfer_chat", "tag_thread"] {
        assert!(stage.asked(action, &chat_id).is_empty(), "{action}");
    }
    assert!(posts(&stage).is_empty() && stage.tags(&chat_id).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_takes_a_timer_back_whose_event_waits_already() {
    // A rule that looks who is free, and matches never: so both events of the customer can be held up.
    let rules = "[[rules]]\nname = \"never\"\nwhen = { group_available = 3 }\ntag = \"waited\"\n[[waiting]]\nname = \
                 \"a\"\nminutes = 1\nsince = \"message\"\nalert = true\n";
    let stage = Stage::with_plugin("routing-rules", 0, rules).await;
    for action in ["list_routing_statuses", "get_chat"] {
        stage.livechat.faults().set(action, Fault::StallBeforeSaving(None), Times::UntilCleared);
    }
    ago(&stage, SignedDuration::from_mins(5));
    let chat_id = silent(&stage, "Dana");
    let looked = |_: &Livechat| !stage.livechat.requests().of_operation("list_routing_statuses").is_empty();
    stage.livechat.wait_for("a look who is free", PATIENCE, looked).await.expect("the chat is looked at");
    // Behind the chat's beginning stand what the customer writes, and the answer.
    stage.livechat.customer_says(&chat_id, "Hello?").expect("a message");
    stage.livechat.agent_says(&chat_id, SMITH, "How can I help?").expect("a message");
    stage.livechat.wait_delivered(PATIENCE).await.expect("the host takes every webhook");
    // The chat's beginning goes on. The message sets a timer that is due at once, and is held up in its turn.
    stage.livechat.faults().release();
    stage.host.wait_for_events("the timer's event to wait", |all| {
        of_timers(all).flat_map(deliveries).any(|delivery| delivery["state"] == "pending")
    });
    stage.livechat.faults().clear();
    let events = settle(&stage).await;
    let ends: Vec<(&Value, &Value)> =
        of_timers(&events).flat_map(deliveries).map(|one| (&one["state"], &one["reason"])).collect();
    assert_eq!(ends, [(&json!("skipped"), &json!("the timer was taken back, or set anew"))]);
    assert!(posts(&stage).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_waited_through_an_outage_is_seen_to() {
    let rules = "[[waiting]]\nname = \"a\"\nminutes = 5\nalert = true\n[[waiting]]\nname = \"b\"\nminutes = 5\nsince = \
                 \"message\"\ntag = \"waited\"\n";
    let stage = before_webhooks(rules).await;
    ago(&stage, SignedDuration::from_mins(30));
    let (waiting, answered, ended) = (open(&stage, "Dana"), open(&stage, "Omar"), open(&stage, "Mia"));
    ago(&stage, SignedDuration::from_mins(29));
    stage.livechat.agent_says(&answered, SMITH, "How can I help?").expect("a message");
    stage.livechat.end_chat(&ended, &EndedBy::Customer).expect("an end");
    ago(&stage, SignedDuration::ZERO);
    stage.host.wait_for_plugin("routing-rules", "active");
    stage.host.json(&["events", "recover", "--from", "1h"]);
    // Who was answered has a timer yet, which looks and finds that nobody waits.
    stage.host.wait_for("both rules, and the end of the timers", || {
        let is_done = !posts(&stage).is_empty() && !stage.tags(&waiting).is_empty();
        let mut all = [&waiting, &answered, &ended].into_iter();
        (is_done && all.all(|chat_id| timers(&stage, chat_id) == 0)).then_some(())
    });
    settle(&stage).await;
    let told = posts(&stage);
    assert!(told.len() == 1 && told[0].contains(&waiting), "{told:?}");
    let tags = [&waiting, &answered, &ended].map(|chat_id| stage.tags(chat_id).len());
    assert_eq!(tags, [1, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_the_host_learns_late_ends_no_wait_that_began_after_it() {
    let rules = "[[waiting]]\nname = \"a\"\nminutes = 600\nsince = \"message\"\nalert = true\n";
    let stage = before_webhooks(rules).await;
    ago(&stage, SignedDuration::from_mins(30));
    let chat_id = open(&stage, "Dana");
    ago(&stage, SignedDuration::from_mins(29));
    stage.livechat.agent_says(&chat_id, SMITH, "How can I help?").expect("a message");
    ago(&stage, SignedDuration::ZERO);
    stage.send_webhooks();
    stage.livechat.customer_says(&chat_id, "And my parcel?").expect("a message");
    settle(&stage).await;
    assert_eq!(timers(&stage, &chat_id), 1);
    let found = stage.host.json(&["events", "recover", "--from", "1h"]);
    assert!(found["recovered"]["incoming_event"].as_u64() >= Some(2), "{found:#}");
    settle(&stage).await;
    assert_eq!(timers(&stage, &chat_id), 1, "the customer still waits");
}
