//! routing-rules in a real host: customers for whom nobody is there in time.

use chatplug::simulator::livechat::{EndedBy, Opening};
use chatplug_tests::deliveries;
use serde_json::{Value, json};

use crate::services::{SMITH, Stage};

async fn stage(waiting: &str) -> Stage {
    let stage = Stage::with_plugin("routing-rules", 0, &format!("rules = []\n{waiting}")).await;
    stage.livechat.add_tag("waited", &[0]);
    stage
}

fn open(stage: &Stage, name: &str) -> String {
    let opening = Opening { first_message: Some("Hello?".to_owned()), ..Opening::by(name) };
    stage.livechat.start_chat(&opening).expect("a chat").chat_id
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
        let of_timers = all.iter().filter(|event| event["type"] == "timer");
        of_timers.filter(|event| deliveries(event).all(|one| one["state"] == "succeeded")).count() >= count
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
    let posts: Vec<String> = stage.slack.posts().iter().map(|post| post.content()).collect();
    assert_eq!(posts.len(), 2, "{posts:?}");
    assert!(posts.iter().all(|post| post.contains("A customer has waited for an answer")), "{posts:?}");
}
