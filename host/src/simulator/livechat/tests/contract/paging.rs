//! Lists of more than a thousand.

use std::collections::BTreeSet;

use super::*;
use crate::action::livechat::Call;
use crate::livechat::client_v2;
use crate::simulator::livechat::{V2_KEY, V2_LOGIN};

/// Not a whole number of pages of any list.
const MANY: usize = 1_010;

/// Reads a list to its end; answers what is at `id` of each entry, and how many pages it took.
async fn read_all(
    client: &dyn LiveChat,
    list: impl Fn(Option<String>) -> Call,
    (entries, id): (&str, &str),
) -> (Vec<String>, usize) {
    let (mut ids, mut next) = (Vec::new(), None);
    for number in 1..=MANY {
        let answer = client.call(&origin(), list(next)).await.expect("a page");
        let page: Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!(page["found_chats"], MANY);
        let told = page[entries].as_array().expect("a list").iter();
        ids.extend(told.map(|entry| entry.pointer(id).and_then(Value::as_str).expect("an id").to_owned()));
        next = page["next_page_id"].as_str().map(str::to_owned);
        if next.is_none() {
            return (ids, number);
        }
    }
    panic!("the list has no end");
}

/// Each once.
#[track_caller]
fn check(told: Vec<String>, expected: &BTreeSet<String>) {
    assert_eq!(told.len(), MANY);
    assert_eq!(&told.into_iter().collect::<BTreeSet<String>>(), expected);
}

#[tokio::test]
async fn long_lists_of_chats_are_read_page_by_page() {
    let livechat = Livechat::start().await.expect("a port");
    let (mut chats, mut threads) = (BTreeSet::new(), BTreeSet::new());
    for number in 0..MANY {
        let told = livechat.start_chat(&Opening::by(&format!("Customer {number}"))).expect("a chat");
        livechat.end_chat(&told.chat_id, &EndedBy::Router).expect("it ends");
        chats.insert(told.chat_id);
        threads.insert(told.thread_id);
    }
    let (base_url, reach) = (livechat.base_url(), Reach::Private);
    let client =
        Client::new(Options { base_url: base_url.clone(), reach, ..Options::new(pat()) }).expect("a client");
    let options = client_v2::Options::new(V2_LOGIN, V2_KEY.into());
    let older = client_v2::Client::new(client_v2::Options { base_url, reach, ..options }).expect("a client");

    let query = || json!({"limit": 100}).to_string();
    let list = |page_id| Call::ListChats { query: query(), page_id };
    let (told, pages) = read_all(&client, list, ("chats_summary", "/id")).await;
    check(told, &chats);
    assert_eq!(pages, 11);
    let list = |page_id| Call::ListArchives { query: query(), page_id };
    let (told, pages) = read_all(&client, list, ("chats", "/thread/id")).await;
    check(told, &threads);
    assert_eq!(pages, 11);
    let (told, pages) = read_all(&older, list, ("chats", "/thread/id")).await;
    check(told, &threads);
    assert_eq!(pages, 41, "25 on a page");
    for (operation, count) in [("list_chats", 11), ("list_archives", 11), ("v2 GET chats", 41)] {
        assert_eq!(livechat.requests().of_operation(operation).len(), count, "{operation}");
    }
}

#[tokio::test]
async fn lists_without_pages_come_whole() {
    let livechat = Livechat::start().await.expect("a port");
    for number in 0..MANY {
        livechat.add_agent(&format!("agent{number}@example.com"), "Agent", &[1]);
        livechat.add_group(number as i64 + 100, "Group");
        livechat.add_tag(&format!("tag {number}"), &[0]);
    }
    let options = Options { base_url: livechat.base_url(), reach: Reach::Private, ..Options::new(pat()) };
    let client = Client::new(options).expect("a client");
    // Beside those that are there from the start; a bot has a status, and is no agent.
    for (call, others) in [
        (Call::ListAgents { group_ids: vec![], fields: vec![] }, 4),
        (Call::ListRoutingStatuses { group_ids: vec![] }, 5),
        (Call::ListGroups { fields: vec![] }, 4),
        (Call::ListTags { group_ids: vec![] }, 5),
    ] {
        let answer = client.call(&origin(), call.clone()).await.expect("a list");
        let list: Vec<Value> = serde_json::from_str(&answer).expect("a list");
        assert_eq!(list.len(), MANY + others, "{call:?}");
    }
}
