//! routing-rules in a real host: where chats go, and which are left alone.

use chatplug::simulator::livechat::{Opening, RoutingStatus};
use chatplug::simulator::{Fault, Times};
use chatplug_tests::deliveries;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::services::{SMITH, Stage};

/// One rule for each condition. Chats come to the group Support (1); in Billing (3) is nobody.
const RULES: &str = r#"
[[rules]]
name = "pricing"
when = { page_url = "shop.example.com/pricing*" }
to_group = 2
tag = "pricing"

[[rules]]
name = "big"
when = { email_domain = "big.example" }
to_agent = "sam@example.com"
tag = "big"
properties = { test = { string_property = "key account", int_property = 7 } }

[[rules]]
name = "poland"
when = { country = "Poland" }
to_group = 2
tag = "poland"

[[rules]]
name = "gold"
when = { session_fields = { plan = ["gold*"] } }
tag = "gold"

[[rules]]
name = "refund"
when = { keywords = ["refund*", "money back"] }
to_group = 2
tag = "refund"
"#;

const TAGS: [&str; 5] = ["pricing", "big", "poland", "gold", "refund"];
const CALLS: [&str; 3] = ["transfer_chat", "tag_thread", "update_chat_properties"];

async fn stage(settings: &str) -> Stage {
    let stage = Stage::with_plugin("routing-rules", 0, settings).await;
    for tag in TAGS {
        stage.livechat.add_tag(tag, &[0]);
    }
    stage
}

fn open(stage: &Stage, opening: &Opening) -> String {
    stage.livechat.start_chat(opening).expect("a chat").chat_id
}

fn says(name: &str, text: &str) -> Opening {
    Opening { first_message: Some(text.to_owned()), ..Opening::by(name) }
}

fn groups(stage: &Stage, chat_id: &str) -> Value {
    stage.livechat.chat(chat_id).expect("the chat")["access"]["group_ids"].clone()
}

fn is_queued(stage: &Stage, chat_id: &str) -> bool {
    stage.livechat.chat(chat_id).expect("the chat")["thread"]["queue"].is_object()
}

#[track_caller]
fn expect_untouched(stage: &Stage, chat_id: &str) {
    for action in CALLS {
        let asked = stage.asked(action, chat_id);
        assert!(asked.is_empty(), "{asked:#?}");
    }
}

/// Waits until all is done; no delivery may have failed.
async fn settle(stage: &Stage) {
    for delivery in stage.settled().await.iter().flat_map(deliveries) {
        assert_eq!(delivery["state"], "succeeded", "{delivery:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_rule_that_matches_a_chat_moves_and_marks_it() {
    let stage = stage(RULES).await;
    let on = |page: &str| Opening { page_url: page.to_owned(), ..Opening::by(page) };
    let from = |email: &str| Opening { email: Some(email.to_owned()), ..Opening::by(email) };
    let poland = Opening { country: Some("Poland".to_owned()), ..Opening::by("Piotr") };
    let gold = Opening {
        session_fields: vec![("plan".to_owned(), "Gold yearly".to_owned())],
        ..Opening::by("Greta")
    };
    let polish_gold = Opening { session_fields: gold.session_fields.clone(), ..poland.clone() };
    let rows = [
        (on("https://shop.example.com/pricing/team"), Some("pricing"), 2),
        (on("https://shop.example.com/help"), None, 1),
        (on("https://evil.example/?shop.example.com/pricing"), None, 1),
        (from("ada@big.example"), Some("big"), 1),
        (from("ada@mail.big.example"), Some("big"), 1),
        (from("ada@notbig.example"), None, 1),
        (Opening { customer_id: "piotr".to_owned(), ..poland }, Some("poland"), 2),
        (gold, Some("gold"), 1),
        (says("Rita", "I want a Refund!"), Some("refund"), 2),
        (says("Rolf", "No refunding of funds"), Some("refund"), 2),
        (says("Rosa", "prefund"), None, 1),
        (Opening { customer_id: "both".to_owned(), ..polish_gold }, Some("poland"), 2),
    ];
    let chats: Vec<String> = rows.iter().map(|(opening, ..)| open(&stage, opening)).collect();
    settle(&stage).await;
    for (chat_id, (opening, rule, group)) in chats.iter().zip(&rows) {
        let shown = format!("{opening:?}");
        assert_eq!(stage.tags(chat_id), rule.iter().copied().collect::<Vec<_>>(), "{shown}");
        assert_eq!(groups(&stage, chat_id), json!([group]), "{shown}");
        let transfers = usize::from(*group == 2 || *rule == Some("big"));
        assert_eq!(stage.asked("transfer_chat", chat_id).len(), transfers, "{shown}");
    }
    let big = stage.livechat.chat(&chats[3]).expect("the chat");
    assert_eq!(big["properties"]["test"], json!({"string_property": "key account", "int_property": 7}));
    let sam = big["users"].as_array().into_iter().flatten().find(|user| user["id"] == "sam@example.com");
    assert_eq!(sam.expect("Sam is in the chat")["present"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_is_routed_once_whatever_is_said_later() {
    let stage = stage(RULES).await;
    let silent = open(&stage, &Opening::by("Dana"));
    let asking = open(&stage, &says("Omar", "Money back, please"));
    settle(&stage).await;
    expect_untouched(&stage, &silent);
    for chat_id in [&silent, &asking] {
        for text in ["My first refund", "refund?", "REFUND"] {
            stage.livechat.customer_says(chat_id, text).expect("a message");
        }
    }
    settle(&stage).await;
    for chat_id in [&silent, &asking] {
        assert_eq!((stage.tags(chat_id), groups(&stage, chat_id)), (vec!["refund".to_owned()], json!([2])));
        assert_eq!(stage.asked("transfer_chat", chat_id).len(), 1);
        assert_eq!(stage.asked("tag_thread", chat_id).len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_first_message_of_the_customer_counts() {
    let stage = stage(RULES).await;
    let chat_id = open(&stage, &says("Dana", "Hello"));
    stage.livechat.customer_says(&chat_id, "I want a refund").expect("a message");
    settle(&stage).await;
    expect_untouched(&stage, &chat_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_in_somebodys_hands_is_left_there() {
    let stage = stage(RULES).await;
    let transferred = open(&stage, &Opening::by("Dana"));
    stage.livechat.agent_transfers(&transferred, SMITH, 2).expect("a transfer");
    let answered = open(&stage, &Opening::by("Omar"));
    stage.livechat.agent_says(&answered, SMITH, "How can I help?").expect("a message");
    let noted = open(&stage, &Opening::by("Mia"));
    stage.livechat.agent_notes(&noted, SMITH, "a regular").expect("a note");
    for chat_id in [&transferred, &answered, &noted] {
        stage.livechat.customer_says(chat_id, "I want a refund").expect("a message");
    }
    settle(&stage).await;
    expect_untouched(&stage, &transferred);
    expect_untouched(&stage, &answered);
    assert_eq!(stage.tags(&noted), ["refund"], "a note among agents is no answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_greeting_in_an_agents_name_takes_no_chat_in_hand() {
    let stage = stage(RULES).await;
    let greeted = Opening { greeting: Some("Hi, I'm Smith".to_owned()), ..says("Dana", "I want a refund") };
    let at_once = open(&stage, &greeted);
    let later = open(&stage, &Opening { greeting: greeted.greeting.clone(), ..Opening::by("Omar") });
    stage.livechat.agent_greets(&later, SMITH, "Welcome to our shop").expect("a message");
    stage.livechat.customer_says(&later, "I want a refund").expect("a message");
    settle(&stage).await;
    for chat_id in [&at_once, &later] {
        assert_eq!((stage.tags(chat_id), groups(&stage, chat_id)), (vec!["refund".to_owned()], json!([2])));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_is_available_the_rule_says_what_happens() {
    let rule = |name: &str, otherwise: &str| {
        format!(
            "[[rules]]\nname = \"{name}\"\nwhen = {{ page_url = \"shop.example.com/{name}\" }}\nto_group = 3\n\
             tag = \"{name}\"\n{otherwise}\n"
        )
    };
    let rules = [
        rule("pricing", ""),
        rule("big", "otherwise = \"queue\""),
        rule("poland", "otherwise = \"leave\""),
        rule("gold", "otherwise = \"next\""),
        "[[rules]]\nname = \"rest\"\nto_agent = \"sam@example.com\"\notherwise = \"leave\"\ntag = \"refund\"\n".to_owned(),
    ];
    let stage = stage(&rules.concat()).await;
    stage.livechat.set_routing_status("sam@example.com", RoutingStatus::NotAcceptingChats);
    let rows = [
        ("pricing", "pricing", 3, true),
        ("big", "big", 3, true),
        ("poland", "poland", 1, false),
        ("gold", "refund", 1, false),
    ];
    let opening =
        |page| Opening { page_url: format!("https://shop.example.com/{page}"), ..Opening::by(page) };
    let chats = rows.map(|(page, ..)| open(&stage, &opening(page)));
    settle(&stage).await;
    for (chat_id, (page, tag, group, queued)) in chats.iter().zip(rows) {
        assert_eq!(stage.tags(chat_id), [tag], "{page}");
        assert_eq!(groups(&stage, chat_id), json!([group]), "{page}");
        assert_eq!(is_queued(&stage, chat_id), queued, "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_ten_minutes_is_not_routed() {
    // Who waits is seen to at any age.
    let stage = stage(&format!("waiting = []\n{RULES}")).await;
    stage.livechat.shift_clock(SignedDuration::from_mins(-11));
    let old = open(&stage, &says("Dana", "I want a refund"));
    stage.livechat.shift_clock(SignedDuration::from_mins(-9));
    let recent = open(&stage, &says("Omar", "I want a refund"));
    settle(&stage).await;
    expect_untouched(&stage, &old);
    assert_eq!(stage.tags(&recent), ["refund"]);
    stage.expect_logged(&["did not route the chat: its event is", "s old"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_or_property_that_cannot_be_set_is_told_and_stops_nothing() {
    let rules = "[[rules]]\nname = \"all\"\nto_group = 2\ntag = \"no such tag\"\nproperties = { nowhere = { a = 1 } }\n";
    let stage = stage(rules).await;
    let chat_id = open(&stage, &Opening::by("Dana"));
    settle(&stage).await;
    assert_eq!(groups(&stage, &chat_id), json!([2]));
    stage.expect_logged(&["WARN", &chat_id, "stays without its tag `no such tag`"]);
    stage.expect_logged(&["WARN", &chat_id, "stays without its properties"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_broke_off_is_finished_without_a_second_transfer() {
    let stage = stage(RULES).await;
    for (number, (action, fault)) in [
        ("transfer_chat", Fault::ErrorBeforeSaving),
        ("transfer_chat", Fault::ErrorAfterSaving),
        ("transfer_chat", Fault::CutReply),
        ("tag_thread", Fault::Down),
        ("list_routing_statuses", Fault::Down),
    ]
    .into_iter()
    .enumerate()
    {
        stage.livechat.faults().set(action, fault.clone(), Times::Next(1));
        let chat_id = open(&stage, &says(&format!("Dana {number}"), "I want a refund"));
        settle(&stage).await;
        let shown = format!("{action} {fault:?}");
        assert_eq!(
            (stage.tags(&chat_id), groups(&stage, &chat_id)),
            (vec!["refund".to_owned()], json!([2])),
            "{shown}"
        );
        let chat = stage.livechat.chat(&chat_id).expect("the chat");
        let events = chat["thread"]["events"].as_array().cloned().unwrap_or_default();
        let moves = events.iter().filter(|event| event["system_message_type"] == "chat_transferred").count();
        assert_eq!(moves, 1, "{shown}: {events:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_of_the_readme_work_as_they_stand() {
    let stage = stage("").await;
    stage.livechat.add_agent("kim@example.com", "Kim", &[1]);
    let key = Opening { email: Some("ada@huge.example".to_owned()), ..Opening::by("Ada") };
    let chat_id = open(&stage, &key);
    settle(&stage).await;
    let chat = stage.livechat.chat(&chat_id).expect("the chat");
    assert_eq!(chat["properties"]["test"]["string_property"], "key account");
    let kim = chat["users"].as_array().into_iter().flatten().find(|user| user["id"] == "kim@example.com");
    assert_eq!(kim.expect("Kim is in the chat")["present"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_only_says_what_it_would_do() {
    let stage = stage(&format!("dry_run = true\n{RULES}")).await;
    let chat_id = open(&stage, &says("Dana", "I want a refund"));
    settle(&stage).await;
    expect_untouched(&stage, &chat_id);
    stage.expect_logged(&[&chat_id, "dry run: rule `refund` would have sent the chat to group 2"]);
}
