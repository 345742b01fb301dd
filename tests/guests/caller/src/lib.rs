//! Makes the call that a message names, as JSON: `{"call": "chats.tag", "with": ["C1", "T1", "vip"]}`. Rejects
//! the event with what came of it, so that it can be read in the host: `{"ok": …}`, or the error's parts.

use std::time::Duration;

use chatplug_sdk::http::Effect;
use chatplug_sdk::objects::{Status, Visibility};
use chatplug_sdk::payload::EventInChat;
use chatplug_sdk::prelude::*;
use chatplug_sdk::serde_json;

const HOUR: Duration = Duration::from_secs(3600);

/// The author's name for the action, the same in every attempt.
const ONCE: &str = "call";

struct Caller;

impl Plugin for Caller {
    type Settings = ();

    fn manifest() -> Manifest {
        Manifest::new("caller", "1.0.0", "Makes the calls that messages name.")
            .on("incoming_event")
            .connection("hubspot")
            .connection("hook")
            .livechat_call("configuration.create_tag")
            .livechat_call("agent.send_event")
            .livechat_call("reports.chats/total_chats")
    }

    fn handle(event: Event, (): ()) -> Result<(), Failure> {
        let said: EventInChat = event.payload_as()?;
        let text = said.event.message().unwrap_or_default();
        let wanted: Value =
            serde_json::from_str(text).map_err(|error| Failure::reject(format!("{text:?}: {error}")))?;
        let name = wanted["call"].as_str().unwrap_or_default();
        info!(call = name, "making a call");
        let came = match call(name, &wanted["with"]) {
            Ok(answer) => json!({ "ok": answer }),
            Err(error) => json!({
                "code": error.code.as_str(), "message": error.message, "retry_after_ms": error.retry_after_ms,
            }),
        };
        Err(Failure::reject(came.to_string()))
    }
}

fn call(name: &str, with: &Value) -> Result<Value, Error> {
    let text = |place: usize| with[place].as_str().unwrap_or_default();
    let done = |()| Value::Null;
    match name {
        name if name.starts_with("livechat:") => by_name(name, with),
        name if name.starts_with("reports.") => report(name, with),
        "chats.get-chat" => {
            let chat = match with[1].as_str() {
                Some(thread_id) => chats::get_thread(text(0), thread_id),
                None => chats::get(text(0)),
            };
            chat.map(|chat| json!(chat.thread.id))
        }
        "chats.send-message" => chats::message(text(0), text(1)).once(ONCE).send().map(Value::from),
        "chats.send-note" => chats::note(text(0), text(1)).once(ONCE).send().map(Value::from),
        "chats.tag" => chats::tag(text(0), text(1), text(2)).once(ONCE).send().map(done),
        "chats.untag" => chats::untag(text(0), text(1), text(2)).once(ONCE).send().map(done),
        "chats.transfer" => chats::transfer(text(0), target(with)).once(ONCE).send().map(done),
        "chats.assign" => {
            let visibility = if text(2) == "agents" { Visibility::Agents } else { Visibility::All };
            chats::assign(text(0), text(1), visibility).once(ONCE).send().map(done)
        }
        "chats.remove-user" => chats::remove_user(text(0), text(1)).once(ONCE).send().map(done),
        "chats.deactivate" => chats::deactivate(text(0)).once(ONCE).send().map(done),
        "chats.set-properties" => chats::set_properties(text(0), &with[1]).once(ONCE).send().map(done),
        "customers.get" => customers::get(text(0)).map(|customer| json!(customer.name)),
        "agents.list-routing-statuses" => {
            let groups: Vec<i64> = with.as_array().into_iter().flatten().filter_map(Value::as_i64).collect();
            agents::routing_statuses(&groups).map(|all| all.into_iter().map(|one| one.agent_id).collect())
        }
        "memory.get" => memory::get(text(0)).map(|found: Option<Value>| found.unwrap_or_default()),
        "memory.set" => memory::set(text(0), &with[1]).map(done),
        "memory.set-for" => memory::set_for(text(0), &with[1], HOUR).map(done),
        "memory.delete" => memory::delete(text(0)).map(done),
        "memory.increment" => {
            memory::increment(text(0), with[1].as_i64().unwrap_or_default()).map(Value::from)
        }
        "memory.claim" => memory::claim(text(0), HOUR).map(Value::from),
        "memory.list-keys" => memory::keys(text(0), with[1].as_str(), 100).map(Value::from),
        "memory.compare-and-swap" => {
            let expected = with[1].as_str().map(str::as_bytes);
            memory::compare_and_swap(text(0), expected, text(2).as_bytes(), None).map(Value::from)
        }
        "http" => sent(request(with).once(ONCE)),
        "http flood" => {
            for _ in 0..1_000 {
                sent(request(with))?;
            }
            Ok(Value::Null)
        }
        other => account(other, with),
    }
}

/// Calls about lists, and about the people and tags of the account.
fn account(name: &str, with: &Value) -> Result<Value, Error> {
    let text = |place: usize| with[place].as_str().unwrap_or_default();
    let done = |()| Value::Null;
    match name {
        "chats.list-chats" => {
            let page = chats::list(&query(with), with[1].as_str())?;
            Ok(json!([page.items.iter().map(|chat| &chat.id).collect::<Vec<_>>(), page.next_page_id]))
        }
        "chats.list-archives" => {
            let page = chats::archives(&query(with), with[1].as_str())?;
            Ok(json!([page.items.iter().map(|chat| &chat.thread.id).collect::<Vec<_>>(), page.found]))
        }
        "chats.all-archives" => {
            let all: Result<Vec<_>, Error> = chats::all_archives(query(with)).collect();
            Ok(json!(all?.len()))
        }
        "agents.list-agents" => agents::list(&[2], &["groups"])
            .map(|all| all.into_iter().map(|agent| json!([agent.id, agent.groups.len()])).collect()),
        "agents.get-agent" => agents::get(text(0), &[]).map(|agent| json!(agent.name)),
        "agents.list-groups" => {
            agents::groups(&[]).map(|all| all.into_iter().map(|group| group.name).collect())
        }
        "agents.list-tags" => agents::tags(&[3]).map(|all| all.into_iter().map(|tag| tag.name).collect()),
        "agents.set-routing-status" => {
            let status = Status::from(text(1).to_owned());
            agents::set_routing_status(text(0), &status).once(ONCE).send().map(done)
        }
        "customers.update" => customers::update(text(0), &with[1]).once(ONCE).send().map(done),
        "customers.ban" => {
            let days = with[1].as_u64().and_then(|days| days.try_into().ok()).unwrap_or_default();
            customers::ban(text(0), days).once(ONCE).send().map(done)
        }
        other => Err(Error::new(ErrorCode::Unsupported, format!("the caller has no call `{other}`"))),
    }
}

/// The days and the limit of a query, as far as they are there.
fn query(with: &Value) -> Query {
    let (days, limit) = (&with[0]["days"], with[0]["limit"].as_u64().and_then(|limit| limit.try_into().ok()));
    let query = match (days[0].as_str(), days[1].as_str()) {
        (Some(from), Some(to)) => Query::new().days(from, to),
        _ => Query::new(),
    };
    limit.map_or(query.clone(), |limit| query.limit(limit))
}

/// The sum of one number over a report's buckets.
fn report(name: &str, with: &Value) -> Result<Value, Error> {
    let read = match name {
        "reports.total-chats" => reports::total_chats,
        "reports.ratings" => reports::ratings,
        "reports.ranking" => reports::ranking,
        "reports.first-response-time" => reports::first_response_time,
        "reports.response-time" => reports::response_time,
        "reports.duration" => reports::duration,
        "reports.tags" => reports::tags,
        "reports.engagement" => reports::engagement,
        "reports.groups" => reports::groups,
        "reports.queued" => reports::queued,
        "reports.availability" => reports::availability,
        "reports.performance" => reports::performance,
        _ => reports::visitors,
    };
    let report = read(&query(with))?;
    Ok(json!(report.sum(with[1].as_str().unwrap_or_default())))
}

/// A call by LiveChat's own name.
fn by_name(name: &str, with: &Value) -> Result<Value, Error> {
    let (api, action) = name["livechat:".len()..].split_once('.').unwrap_or_default();
    match with[1].as_str() {
        Some("read") => livechat::read(api, action, &with[0]),
        Some("repeatable") => livechat::repeatable(api, action, &with[0]).once(ONCE).send(),
        _ => livechat::call(api, action, &with[0]).once(ONCE).send(),
    }
}

/// A group's id, an agent's id, or either with `true` behind it for the queue.
fn target(with: &Value) -> chats::Target {
    let target = match with[1].as_i64() {
        Some(group) => chats::Target::group(group),
        None => chats::Target::agent(with[1].as_str().unwrap_or_default()),
    };
    if with[2] == true { target.or_queue() } else { target }
}

/// A request, by the names of the contract's record.
fn request(with: &Value) -> http::Request {
    let text = |name: &str| with[name].as_str().unwrap_or_default();
    let mut request = http::request(text("method"), text("connection"), text("path"));
    for (name, value) in with["query"].as_object().into_iter().flatten() {
        request = request.query(name, value.as_str().unwrap_or_default());
    }
    for (name, value) in with["headers"].as_object().into_iter().flatten() {
        request = request.header(name, value.as_str().unwrap_or_default());
    }
    if !with["body"].is_null() {
        request = request.json(&with["body"]);
    }
    if let Some(ms) = with["timeout_ms"].as_u64() {
        request = request.timeout(Duration::from_millis(ms));
    }
    match text("effect") {
        "keyed" => request.effect(Effect::Keyed),
        "repeatable" => request.effect(Effect::Repeatable),
        "read" => request.effect(Effect::Read),
        _ => request,
    }
}

fn sent(request: http::Request) -> Result<Value, Error> {
    let response = request.send()?;
    Ok(json!({ "status": response.status, "body": response.text() }))
}

chatplug_sdk::plugin!(Caller);
