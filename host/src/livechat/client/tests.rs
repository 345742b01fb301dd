use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::action::livechat::{Direct, Report, TransferTarget};
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
async fn lists_and_pages_are_asked_for_as_livechat_wants_them() {
    let page = |query: Value, page_id: Option<&str>| (query.to_string(), page_id.map(str::to_owned));
    let chats = |(query, page_id)| Call::ListChats { query, page_id };
    let archives = |(query, page_id)| Call::ListArchives { query, page_id };
    let query = json!({"filters": {"active": true, "group_ids": [2]}, "limit": 100, "sort_order": "asc"});
    check_request(chats(page(query.clone(), None)), "{}", "{}", "list_chats", query.clone()).await;
    // The id of a page holds the filters: LiveChat refuses both.
    check_request(chats(page(query, Some("P2"))), "{}", "{}", "list_chats", json!({"page_id": "P2"})).await;
    let time = "2026-06-01T00:00:00.000000+00:00";
    let query = |from: &str| json!({"filters": {"from": from}, "highlights": {"pre_tag": "<b>"}});
    let call = archives(page(query("2026-06-01T00:00:00Z"), None));
    check_request(call, "{}", "{}", "list_archives", query(time)).await;
    let call = archives(page(query("2026-06-01T00:00:00Z"), Some("P2")));
    check_request(call, "{}", "{}", "list_archives", json!({"page_id": "P2"})).await;

    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let list = Call::ListAgents { group_ids: vec![2], fields: texts(&["groups", "job_title"]) };
    let body = json!({"filters": {"group_ids": [2]}, "fields": ["groups", "job_title"]});
    check_request(list, "[]", "[]", "configuration:list_agents", body).await;
    let agent = Call::GetAgent { agent_id: "ann@example.com".to_owned(), fields: vec![] };
    let body = json!({"id": "ann@example.com"});
    check_request(agent, "{}", "{}", "configuration:get_agent", body).await;
    let groups = Call::ListGroups { fields: texts(&["routing_status"]) };
    let body = json!({"fields": ["routing_status"]});
    check_request(groups, "[]", "[]", "configuration:list_groups", body).await;
    let tags = Call::ListTags { group_ids: vec![] };
    check_request(tags, "[]", "[]", "configuration:list_tags", json!({})).await;
}

#[tokio::test]
async fn agents_customers_and_calls_by_name_are_changed_with_the_fields_that_livechat_wants() {
    let status = Call::SetRoutingStatus { agent_id: "bot".to_owned(), status: "offline".to_owned() };
    let body = json!({"agent_id": "bot", "status": "offline"});
    check_request(status, "", "", "set_routing_status", body).await;
    let fields = r#"{"name":"Ann","session_fields":[{"vip":"yes"}]}"#.to_owned();
    let update = Call::UpdateCustomer { customer_id: "K1".to_owned(), fields };
    let body = json!({"id": "K1", "name": "Ann", "session_fields": [{"vip": "yes"}]});
    check_request(update, "{}", "", "update_customer", body).await;
    let ban = Call::BanCustomer { customer_id: "K1".to_owned(), days: 3 };
    check_request(ban, "", "", "ban_customer", json!({"id": "K1", "ban": {"days": 3}})).await;

    let direct = |api, action, body: Value| {
        Call::Direct(Direct::new(api, action, &body.to_string(), None).expect("a call"))
    };
    let tag = json!({"name": "vip", "group_ids": [0]});
    let call = direct("configuration", "create_tag", tag.clone());
    check_request(call, "", "{}", "configuration:create_tag", tag).await;
    let event = |custom_id: Option<&str>| {
        let mut event = json!({"type": "custom", "content": {"a": 1}});
        custom_id.into_iter().for_each(|id| event["custom_id"] = id.into());
        json!({"chat_id": "C1", "event": event})
    };
    let call = direct("agent", "send_event", event(None));
    let sent = event(Some("chatplug-notes-00000000-7-3"));
    check_request(call, r#"{"event_id":"E1"}"#, r#"{"event_id":"E1"}"#, "send_event", sent).await;
}

#[tokio::test]
async fn reports_have_a_path_without_an_action_and_days_of_the_account() {
    let double = Double::start([ok(r#"{"total":1,"records":{"2026-06-01":{"total":1}}}"#), ok("{}")]).await;
    let timezone = TimeZone::get("Europe/Warsaw").ok();
    let client = Client::new(Options { timezone, ..options(&double, pat()) }).expect("a client");
    let query = r#"{"filters":{"from":"2026-06-01","to":"2026-06-02"}}"#.to_owned();
    let call = Call::Report { report: Report::TotalChats, query };
    let answer: Value =
        serde_json::from_str(&client.call(&origin(), call).await.expect("an answer")).expect("JSON");
    let (one, none) = (json!({"total": 1, "continuous": 0}), json!({"total": 0, "continuous": 0}));
    assert_eq!(answer, json!({"total": 1, "records": {"2026-06-01": one, "2026-06-02": none}}));
    let call = Call::Direct(Direct::new("reports", "chats/forms", "{}", None).expect("a call"));
    assert_eq!(client.call(&origin(), call).await.as_deref(), Ok("{}"));
    let asked = double.asked();
    assert_eq!(asked[0].target, "/v3.6/reports/chats/total_chats");
    let (from, to) = ("2026-06-01T00:00:00.000000+02:00", "2026-06-02T23:59:59.999999+02:00");
    let body = json!({"timezone": "Europe/Warsaw", "filters": {"from": from, "to": to}});
    assert_eq!(asked[0].json(), body);
    assert_eq!(asked[1].target, "/v3.6/reports/chats/forms");
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
    let list = |query: &str, page_id: Option<&str>| {
        let (query, page_id) = (query.to_owned(), page_id.map(str::to_owned));
        [
            Call::ListChats { query: query.clone(), page_id: page_id.clone() },
            Call::ListArchives { query, page_id },
        ]
    };
    for query in ["", "[]", r#"{"limit":0}"#, r#"{"limit":101}"#, r#"{"limit":"5"}"#, r#"{"page":1}"#] {
        for call in list(query, None) {
            check_refused(call).await;
        }
    }
    for query in [r#"{"sort_order":"up"}"#, r#"{"filters":[]}"#, r#"{"page_id":"P"}"#] {
        for call in list(query, Some("P")) {
            check_refused(call).await;
        }
    }
    for call in list("{}", Some("")) {
        check_refused(call).await;
    }
    check_refused(Call::GetAgent { agent_id: none(), fields: vec![] }).await;
    check_refused(Call::SetRoutingStatus { agent_id: text(), status: "accepting chats".to_owned() }).await;
    check_refused(Call::BanCustomer { customer_id: text(), days: 0 }).await;
    for fields in ["{}", r#"{"id":"K2"}"#, r#"{"age":5}"#] {
        check_refused(Call::UpdateCustomer { customer_id: text(), fields: fields.to_owned() }).await;
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
fn no_spelling_of_a_private_address_makes_a_client() {
    for host in crate::egress::tests::HOSTS {
        let options = Options { base_url: format!("http://{host}:9"), ..Options::new(pat()) };
        assert!(matches!(Client::new(options), Err(SetupError::BaseUrl(_))), "{host}");
    }
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
