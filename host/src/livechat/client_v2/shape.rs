//! Answers of version 2 in the shape of v3.6. What version 2 doesn't say is absent.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::asked::{Asked, PAGES_MAX};
use crate::action::livechat::Report;
use crate::livechat::client::filled;

/// A page of conversations. The id of a page is its number. The last page that can be had names another one, so that nobody
/// takes it for the end; whoever asks for that is told.
pub(super) fn archives(answer: &Value, asked: &Asked) -> Option<Value> {
    let chats: Vec<Value> = answer["chats"].as_array()?.iter().filter_map(chat).collect();
    let (page, pages) = (asked.page(), answer["pages"].as_u64().unwrap_or(1));
    let mut shaped = json!({ "chats": chats });
    if let Some(total) = answer["total"].as_u64() {
        shaped["found_chats"] = json!(total);
    }
    if page < pages || page == PAGES_MAX {
        shaped["next_page_id"] = json!((page + 1).to_string());
    }
    if page > 1 {
        shaped["previous_page_id"] = json!((page - 1).to_string());
    }
    Some(shaped)
}

/// A conversation: its id is the chat's and the thread's.
pub(super) fn chat(item: &Value) -> Option<Value> {
    let id = text(&item["id"])?;
    let groups: Vec<i64> = items(&item["group"]).iter().filter_map(Value::as_i64).collect();
    let users: Vec<Value> = customer(item).into_iter().chain(agents_of(item)).collect();
    let mut thread = json!({
        "id": id, "active": item["ended_timestamp"].is_null() && item["ended"].is_null(),
        "user_ids": users.iter().filter_map(|user| user["id"].as_str()).collect::<Vec<_>>(),
        "events": events(&id, item), "access": {"group_ids": groups},
    });
    put(&mut thread, "created_at", time(&item["started_timestamp"]));
    let tags: Vec<String> = items(&item["tags"]).iter().filter_map(text).collect();
    if !tags.is_empty() {
        thread["tags"] = json!(tags);
    }
    let score = match item["rate"].as_str() {
        Some("rated_good") => Some(1),
        Some("rated_bad") => Some(0),
        _ => None,
    };
    if let Some(score) = score {
        thread["properties"] = json!({"rating": {"score": score}});
    }
    Some(json!({"id": id, "users": users, "access": {"group_ids": groups}, "thread": thread}))
}

fn customer(item: &Value) -> Option<Value> {
    let visitor = item["visitor"].as_object()?;
    let mut customer = json!({"type": "customer", "present": false});
    for name in ["id", "name"] {
        put(&mut customer, name, visitor.get(name).and_then(text).map(Value::from));
    }
    let email = visitor.get("email").and_then(text).or_else(|| email_of_survey(item));
    put(&mut customer, "email", email.map(Value::from));
    let mut visit = Map::new();
    if let Some(ip) = visitor.get("ip").and_then(text) {
        visit.insert("ip".to_owned(), ip.into());
    }
    let mut place = Map::new();
    for name in ["city", "region", "country", "country_code", "timezone"] {
        if let Some(value) = visitor.get(name).and_then(text) {
            place.insert(name.to_owned(), value.into());
        }
    }
    if !place.is_empty() {
        visit.insert("geolocation".to_owned(), place.into());
    }
    if !visit.is_empty() {
        customer["visit"] = visit.into();
    }
    let field = |variable: &Value| Some(json!({ text(&variable["key"])?: variable["value"].clone() }));
    let fields: Vec<Value> = items(&item["custom_variables"]).iter().filter_map(field).collect();
    if !fields.is_empty() {
        customer["session_fields"] = json!(fields);
    }
    Some(customer)
}

/// A visitor has no address there, but the form before the chat asks for one.
fn email_of_survey(item: &Value) -> Option<String> {
    let answers = items(&item["prechat_survey"]).iter();
    answers.filter_map(|answer| text(&answer["value"])).find(|value| is_address(value))
}

fn is_address(text: &str) -> bool {
    let parts = text.split_once('@');
    parts.is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
        && !text.contains(char::is_whitespace)
}

fn agents_of(item: &Value) -> Vec<Value> {
    let all = [("agents", "all"), ("supervisors", "agents")];
    let users = all.into_iter().flat_map(|(key, visibility)| {
        items(&item[key]).iter().filter_map(move |agent| {
            let id = text(&agent["email"])?;
            let mut user =
                json!({"id": id, "type": "agent", "email": id, "visibility": visibility, "present": false});
            put(&mut user, "name", text(&agent["display_name"]).map(Value::from));
            Some(user)
        })
    });
    users.collect()
}

fn events(id: &str, item: &Value) -> Vec<Value> {
    let messages = items(&item["messages"]).iter().enumerate();
    let event = |(index, message): (usize, &Value)| {
        let (by_visitor, by_supervisor) =
            (message["user_type"] == "visitor", message["user_type"] == "supervisor");
        let mut event = json!({
            "id": format!("{id}_{}", index + 1), "type": "message",
            "visibility": if by_supervisor { "agents" } else { "all" },
            "text": text(&message["text"]).unwrap_or_default(),
        });
        let author = if by_visitor { text(&item["visitor"]["id"]) } else { text(&message["agent_id"]) };
        put(&mut event, "author_id", author.map(Value::from));
        put(&mut event, "created_at", time(&message["timestamp"]));
        event
    };
    let mut events: Vec<Value> = messages.map(event).collect();
    if let Some(ended) = time(&item["ended_timestamp"]) {
        events.push(json!({
            "id": format!("{id}_end"), "type": "system_message", "system_message_type": "system_archived",
            "visibility": "all", "created_at": ended,
        }));
    }
    events
}

pub(super) fn agents(answer: &Value) -> Option<Value> {
    Some(answer.as_array()?.iter().filter_map(agent).collect())
}

pub(super) fn agent(item: &Value) -> Option<Value> {
    let mut agent = json!({ "id": text(&item["login"])? });
    let login_status = text(&item["login_status"]).or_else(|| text(&item["status"]));
    for (name, value) in [
        ("name", text(&item["name"])),
        ("role", text(&item["permission"])),
        ("login_status", login_status),
        ("avatar", text(&item["avatar"])),
        ("job_title", text(&item["job_title"])),
        ("last_logout", time(&item["last_logout"]).as_ref().and_then(text)),
    ] {
        put(&mut agent, name, value.map(Value::from));
    }
    put(&mut agent, "max_chats_count", item["max_chats_count"].as_i64().map(Value::from));
    if let Some(groups) = item["groups"].as_array() {
        agent["groups"] =
            groups.iter().map(|group| json!({"id": group["id"], "priority": "normal"})).collect();
    }
    Some(agent)
}

pub(super) fn statuses(answer: &Value) -> Option<Value> {
    let status = |agent: &Value| {
        let status = text(&agent["status"])?.replace(' ', "_");
        Some(json!({"agent_id": text(&agent["login"])?, "status": status}))
    };
    Some(answer.as_array()?.iter().filter_map(status).collect())
}

pub(super) fn groups(answer: &Value) -> Option<Value> {
    let group = |group: &Value| {
        let mut shaped = json!({"id": group["id"].as_i64()?});
        for (theirs, ours) in [("name", "name"), ("language", "language_code"), ("status", "routing_status")]
        {
            put(&mut shaped, ours, text(&group[theirs]).map(Value::from));
        }
        Some(shaped)
    };
    Some(answer.as_array()?.iter().filter_map(group).collect())
}

/// A report: bucket to numbers, with the sum and the days that version 2 leaves out.
pub(super) fn report(report: Report, answer: &Value, asked: &Asked) -> Option<Value> {
    let number = |value: &Value| json!(value.as_f64().unwrap_or_default());
    let whole = |value: &Value| json!(value.as_i64().unwrap_or_default());
    let record = |record: &Value| match report {
        Report::TotalChats => json!({"total": whole(&record["chats"]), "continuous": 0}),
        Report::Ratings => json!({
            "chats": whole(&record["chats"]), "good": whole(&record["good"]), "bad": whole(&record["bad"]),
        }),
        Report::ResponseTime => waited("response_time", &record["response_time"], number),
        _ => waited("first_response_time", &record["first_response_time"], number),
    };
    let records = answer.as_object()?;
    let records: Map<String, Value> =
        records.iter().map(|(bucket, numbers)| (bucket.clone(), record(numbers))).collect();
    let mut shaped = json!({ "records": records });
    if report == Report::TotalChats {
        shaped["total"] = records.values().filter_map(|record| record["total"].as_i64()).sum::<i64>().into();
    }
    let asked = json!({
        "distribution": asked.parameter("group_by"),
        "filters": {"from": asked.parameter("date_from"), "to": asked.parameter("date_to")},
    });
    serde_json::from_str(&filled(report, &asked, shaped.to_string())).ok()
}

fn waited(name: &str, waited: &Value, number: impl Fn(&Value) -> Value) -> Value {
    json!({"count": waited["count"].as_i64().unwrap_or_default(), name: number(&waited["seconds"])})
}

/// Seconds since 1970 as RFC 3339, with microseconds.
fn time(seconds: &Value) -> Option<Value> {
    let seconds =
        seconds.as_i64().or_else(|| seconds.as_str()?.parse().ok()).filter(|seconds| *seconds > 0)?;
    let at = Timestamp::from_second(seconds).ok()?;
    Some(format!("{at:.6}").into())
}

fn put(object: &mut Value, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        object[name] = value;
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}
