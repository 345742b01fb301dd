use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::action::livechat::TransferTarget;
use crate::double::{Answer, Asked, Double};
use crate::event::trace_id::TraceId;

mod failures;
mod looking_up;
mod sending;

/// The base64 of `acc:pat-s3cret`.
const BASIC: &str = "Basic YWNjOnBhdC1zM2NyZXQ=";

const AGENTS: &str =
    r#"[{"id":"bob@example.com","account_id":"other"},{"id":"api@example.com","account_id":"acc"}]"#;

fn pat() -> Credentials {
    Credentials::Pat { account_id: "acc".to_owned(), token: "pat-s3cret".into() }
}

fn bearer(token: &str) -> Credentials {
    Credentials::Bearer { token: token.into() }
}

fn options(double: &Double, credentials: Credentials) -> Options {
    Options { base_url: double.url.clone(), reach: Reach::Private, ..Options::new(credentials) }
}

fn client(double: &Double) -> Client {
    Client::new(options(double, pat())).expect("a client")
}

fn origin() -> Origin {
    Origin {
        plugin: Arc::from("notes"),
        delivery: 7,
        trace: TraceId::default(),
        step: 3,
        accepted_at_ms: 0,
        answer_bytes: 1 << 20,
    }
}

fn ok(body: &str) -> Answer {
    Answer::text(200, body)
}

fn chat() -> String {
    "C1".to_owned()
}

fn note() -> Call {
    Call::SendNote { chat_id: chat(), text: "look".to_owned() }
}

fn message() -> Call {
    Call::SendMessage { chat_id: chat(), text: "hello".to_owned() }
}

fn tag() -> Call {
    Call::Tag { chat_id: chat(), thread_id: "T1".to_owned(), tag: "vip".to_owned() }
}

/// Action and body of each request; all else that must hold for each is checked here.
fn actions(double: &Double, authorization: &str) -> Vec<(String, Value)> {
    let action = |asked: Asked| {
        assert_eq!(asked.method, "POST");
        assert_eq!(asked.header("content-type"), "application/json");
        assert_eq!(asked.header("authorization"), authorization);
        assert!(asked.header("user-agent").starts_with("chatplug/"));
        let path = asked.target.strip_prefix("/v3.6/").expect("the version").to_owned();
        let (api, action) = path.split_once("/action/").expect("an action");
        let name = if api == "agent" { action.to_owned() } else { format!("{api}:{action}") };
        (name, asked.json())
    };
    double.asked().into_iter().map(action).collect()
}

fn names(double: &Double) -> Vec<String> {
    actions(double, BASIC).into_iter().map(|(name, _)| name).collect()
}

async fn check_request(call: Call, answer: &str, result: &str, action: &str, body: Value) {
    let double = Double::start([ok(answer)]).await;
    let answered = client(&double).call(&origin(), call).await;
    assert_eq!(answered.as_deref(), Ok(result), "{action}");
    assert_eq!(actions(&double, BASIC), [(action.to_owned(), body)]);
}

#[tokio::test]
async fn every_call_asks_with_the_fields_that_livechat_wants() {
    let thread = || "T1".to_owned();
    let agent = || "ann@example.com".to_owned();
    let get = |thread_id| Call::GetChat { chat_id: chat(), thread_id };
    check_request(get(None), r#"{"id":"C1"}"#, r#"{"id":"C1"}"#, "get_chat", json!({"chat_id": "C1"})).await;
    let body = json!({"chat_id": "C1", "thread_id": "T1"});
    check_request(get(Some(thread())), r#"{"id":"C1"}"#, r#"{"id":"C1"}"#, "get_chat", body).await;

    let event = |text: &str, visibility: &str| json!({"type": "message", "text": text, "visibility": visibility, "custom_id": "chatplug-notes-00000000-7-3"});
    let body = json!({"chat_id": "C1", "event": event("hello", "all")});
    check_request(message(), r#"{"event_id":"E1"}"#, "E1", "send_event", body).await;
    let body = json!({"chat_id": "C1", "event": event("look", "agents")});
    check_request(note(), r#"{"event_id":"E1"}"#, "E1", "send_event", body).await;

    let body = json!({"chat_id": "C1", "thread_id": "T1", "tag": "vip"});
    let tag = Call::Tag { chat_id: chat(), thread_id: thread(), tag: "vip".to_owned() };
    check_request(tag, "{}", "", "tag_thread", body.clone()).await;
    let untag = Call::Untag { chat_id: chat(), thread_id: thread(), tag: "vip".to_owned() };
    check_request(untag, "", "", "untag_thread", body).await;

    let body = json!({"chat_id": "C1", "user_id": "ann@example.com", "user_type": "agent", "visibility": "agents",
        "ignore_requester_presence": true});
    let assign = Call::Assign { chat_id: chat(), agent_id: agent(), visibility: "agents".to_owned() };
    check_request(assign, "", "", "add_user_to_chat", body).await;
    let body = json!({"chat_id": "C1", "user_id": "ann@example.com", "user_type": "agent",
        "ignore_requester_presence": true});
    let remove = Call::RemoveUser { chat_id: chat(), agent_id: agent() };
    check_request(remove, "", "", "remove_user_from_chat", body).await;
    let body = json!({"id": "C1", "ignore_requester_presence": true});
    check_request(Call::Deactivate { chat_id: chat() }, "{}", "", "deactivate_chat", body).await;

    let properties = r#"{"test":{"string_property":"x","int_property":5}}"#.to_owned();
    let body = json!({"id": "C1", "properties": {"test": {"string_property": "x", "int_property": 5}}});
    let set = Call::SetProperties { chat_id: chat(), properties };
    check_request(set, "", "", "update_chat_properties", body).await;

    let customer = Call::GetCustomer { customer_id: "K1".to_owned() };
    check_request(customer, r#"{"id":"K1"}"#, r#"{"id":"K1"}"#, "get_customer", json!({"id": "K1"})).await;
    let statuses = |group_ids| Call::ListRoutingStatuses { group_ids };
    check_request(statuses(vec![]), "[]", "[]", "list_routing_statuses", json!({})).await;
    let body = json!({"filters": {"group_ids": [0, 3]}});
    check_request(statuses(vec![0, 3]), "[]", "[]", "list_routing_statuses", body).await;
}

#[tokio::test]
async fn a_transfer_names_its_kind_of_target() {
    let transfer = |group_ids: &[i64], agent_ids: &[&str], ignore_availability| Call::Transfer {
        chat_id: chat(),
        target: TransferTarget {
            group_ids: group_ids.to_vec(),
            agent_ids: agent_ids.iter().map(|id| (*id).to_owned()).collect(),
            ignore_availability,
        },
    };
    let body = json!({"id": "C1", "target": {"type": "group", "ids": [2]}, "ignore_agents_availability": true,
        "ignore_requester_presence": true});
    check_request(transfer(&[2], &[], true), "", "", "transfer_chat", body).await;
    let body = json!({"id": "C1", "target": {"type": "agent", "ids": ["ann@example.com"]},
        "ignore_agents_availability": false, "ignore_requester_presence": true});
    check_request(transfer(&[], &["ann@example.com"], false), "", "", "transfer_chat", body).await;
    check_refused(transfer(&[2], &["ann@example.com"], false)).await;
    check_refused(transfer(&[], &[], false)).await;
    check_refused(transfer(&[], &[""], false)).await;
}

async fn check_refused(call: Call) {
    let double = Double::start([]).await;
    let error = client(&double)
        .call(&origin(), call.clone())
        .await
        .map_err(Failure::into_error)
        .expect_err("refused");
    assert_eq!(error.code, Code::Invalid, "{call:?}");
    assert!(double.asked().is_empty(), "{call:?} was sent");
}

#[tokio::test]
async fn what_livechat_would_refuse_anyway_is_not_sent() {
    let none = String::new;
    let text = || "x".to_owned();
    check_refused(Call::GetChat { chat_id: none(), thread_id: None }).await;
    check_refused(Call::GetChat { chat_id: chat(), thread_id: Some(none()) }).await;
    check_refused(Call::SendMessage { chat_id: none(), text: text() }).await;
    check_refused(Call::SendMessage { chat_id: chat(), text: none() }).await;
    check_refused(Call::SendMessage { chat_id: chat(), text: "x".repeat(16_385) }).await;
    check_refused(Call::SendNote { chat_id: chat(), text: "\u{e9}".repeat(8_193) }).await;
    check_refused(Call::Tag { chat_id: chat(), thread_id: none(), tag: text() }).await;
    check_refused(Call::Untag { chat_id: chat(), thread_id: text(), tag: none() }).await;
    check_refused(Call::Deactivate { chat_id: none() }).await;
    check_refused(Call::RemoveUser { chat_id: chat(), agent_id: none() }).await;
    check_refused(Call::GetCustomer { customer_id: none() }).await;
    for visibility in ["", "All", "customers"] {
        let visibility = visibility.to_owned();
        check_refused(Call::Assign { chat_id: chat(), agent_id: text(), visibility }).await;
    }
    for properties in ["", "{", "[]", "null", r#"{"a":1}"#, r#"{"a":{},"b":[]}"#, r#"{"a":{}} x"#] {
        check_refused(Call::SetProperties { chat_id: chat(), properties: properties.to_owned() }).await;
    }
}

#[tokio::test]
async fn the_longest_text_goes_out() {
    let double = Double::start([ok(r#"{"event_id":"E1"}"#)]).await;
    let call = Call::SendMessage { chat_id: chat(), text: "x".repeat(16_384) };
    assert_eq!(client(&double).call(&origin(), call).await.as_deref(), Ok("E1"));
}

#[tokio::test]
async fn the_account_is_asked_for_what_a_check_needs() {
    let names = r#"[{"action":"incoming_chat","filters":[]},{"action":"chat_deactivated"}]"#;
    let tags = r#"[{"name":"vip","group_ids":[0]},{"name":"Refund","group_ids":[1]}]"#;
    let properties = r#"{"score":{"type":"int"},"topic":{"type":"string"}}"#;
    let double = Double::start([ok(names), ok(tags), ok(properties), ok("{}"), ok("{}")]).await;
    let client = client(&double);
    let offered = client.offered_webhooks().await.expect("names");
    let actions: Vec<&str> = offered.iter().map(|offer| offer.action.as_str()).collect();
    assert_eq!(actions, ["incoming_chat", "chat_deactivated"]);
    assert_eq!(client.list_tags().await.expect("tags"), ["vip", "Refund"]);
    assert_eq!(client.list_properties("app1").await.expect("properties"), ["score", "topic"]);
    assert!(client.list_properties("app2").await.expect("none").is_empty());
    assert_eq!(client.list_tags().await.expect_err("no array").code, Code::Unavailable);
    let asked: Vec<_> = double
        .asked()
        .iter()
        .map(|asked| (asked.target.clone(), asked.header("authorization").to_owned(), asked.json()))
        .collect();
    let path = |action: &str| format!("/v3.6/configuration/action/{action}");
    assert_eq!(asked[0], (path("list_webhook_names"), String::new(), json!({})));
    assert_eq!(asked[1], (path("list_tags"), BASIC.to_owned(), json!({})));
    assert_eq!(asked[2], (path("list_properties"), BASIC.to_owned(), json!({"owner_client_id": "app1"})));
}

#[tokio::test]
async fn credentials_are_good_if_livechat_knows_them() {
    let check = async |answer: Answer, expected: Result<(), Code>| {
        let double = Double::start([answer]).await;
        assert_eq!(client(&double).check_credentials().await.map_err(|error| error.code), expected);
    };
    let refused = |status, class: &str| Answer::text(status, &json!({"error": {"type": class}}).to_string());
    check(ok(AGENTS), Ok(())).await;
    check(refused(403, "authorization"), Ok(())).await;
    check(refused(401, "authentication"), Err(Code::Credentials)).await;
    check(Answer::text(403, "blocked by a proxy"), Err(Code::Denied)).await;
    check(refused(503, "service_unavailable"), Err(Code::Unavailable)).await;
}

#[test]
fn options_that_cannot_work_are_refused_without_showing_a_secret() {
    let check = |change: fn(&mut Options), named: &str| {
        let mut options = Options::new(pat());
        change(&mut options);
        let error = Client::new(options).err().expect("refused").to_string();
        assert!(error.contains(named) && !error.contains("s3cret"), "{error}");
    };
    check(|o| o.base_url = "api.livechatinc.com".to_owned(), "livechat.base_url");
    check(|o| o.base_url = "ftp://h.example".to_owned(), "livechat.base_url");
    check(|o| o.base_url = "https://u:s3cret@h.example".to_owned(), "livechat.base_url");
    check(|o| o.base_url = "https://h.example?token=s3cret".to_owned(), "livechat.base_url");
    check(|o| o.region = Some("FRA\n".to_owned()), "livechat.region");
    check(|o| o.credentials = bearer("s3cret\n"), "livechat.token");
    check(|o| o.credentials = bearer(""), "livechat.token");
    assert!(!format!("{:?}", Options::new(pat())).contains("s3cret"));
}
