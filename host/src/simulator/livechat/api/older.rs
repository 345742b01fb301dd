//! The older API, version 2: the same account in other words. Strict about parameters, too.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::super::account::{Account, Agent, RoutingStatus};
use super::super::chat::{Chat, Thread};
use super::super::{V2_KEY, V2_LOGIN};
use crate::simulator::server::{Reply, Request};

/// Chats on a page.
const PAGE: usize = 25;
/// Chats that are listed at most, the latest.
const LISTED_MAX: usize = 25_000;

/// A status, and what is said of it.
struct Refused(u16, String);

type Answer = Result<Value, Refused>;

/// Whether a request is for this API.
pub(super) fn is_meant(request: &Request) -> bool {
    request.header("x-api-version") == Some("2")
}

/// What the request is called: `v2 GET chats`, `v2 GET chats/{id}`, `v2 GET reports/chats/ratings`.
pub(super) fn operation(request: &Request) -> String {
    let path = request.path.trim_matches('/');
    let path = match path.split_once('/') {
        Some((resource @ ("chats" | "agents"), _)) => format!("{resource}/{{id}}"),
        _ => path.to_owned(),
    };
    format!("v2 {} {path}", request.method)
}

/// A refusal in the words of this API, which has no types.
pub(super) fn refusal(status: u16, words: &str) -> Reply {
    Reply::json(status, &json!({ "errors": [words] }))
}

pub(super) fn carry_out(account: &mut Account, request: &Request) -> Reply {
    match answer(account, request) {
        Ok(answer) => Reply::json(200, &answer),
        Err(Refused(status, words)) => refusal(status, &words),
    }
}

fn answer(account: &mut Account, request: &Request) -> Answer {
    if request.basic().as_deref() != Some(&format!("{V2_LOGIN}:{V2_KEY}")) {
        return Err(Refused(401, "Unauthorized".to_owned()));
    }
    let query = Query::of(request);
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let path: Vec<String> = request.path.trim_matches('/').split('/').map(decoded).collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match (request.method.as_str(), path.as_slice()) {
        ("GET", ["agents"]) => {
            query.end()?;
            Ok(people(account).map(|(id, agent)| agent_object(id, agent)).collect())
        }
        ("GET", ["agents", login]) => {
            query.end()?;
            let agent = account.agents.get(*login).filter(|agent| !agent.is_bot).ok_or_else(missing)?;
            let mut object = agent_object(login, agent);
            let group = |id: &i64| json!({"id": id, "name": account.groups.get(id)});
            object["groups"] = agent.groups.iter().map(group).collect();
            object["max_chats_count"] = json!(6);
            object["login_status"] = json!("accepting chats");
            Ok(object)
        }
        ("PUT", ["agents", login]) => set_status(account, login, request),
        ("GET", ["groups"]) => {
            query.end()?;
            let group = |(id, name)| json!({"id": id, "name": name, "language": "en", "status": "online"});
            Ok(account.groups.iter().map(group).collect())
        }
        ("GET", ["chats"]) => chats(account, query),
        ("GET", ["chats", id]) => {
            query.end()?;
            let found = ended(account).find(|(_, thread)| thread.id == *id).ok_or_else(missing)?;
            Ok(item(account, found))
        }
        ("GET", ["reports", "chats", report]) => self::report(account, report, query),
        _ => Err(missing()),
    }
}

fn missing() -> Refused {
    Refused(404, "Not Found".to_owned())
}

fn people(account: &Account) -> impl Iterator<Item = (&String, &Agent)> {
    account.agents.iter().filter(|(_, agent)| !agent.is_bot)
}

fn agent_object(id: &str, agent: &Agent) -> Value {
    json!({
        "login": id, "name": agent.name, "status": agent.status.as_str().replace('_', " "),
        "permission": if agent.role == "normal" { "normal" } else { "owner" },
        "avatar": "cdn.example.com/avatars/agent.png",
    })
}

fn set_status(account: &mut Account, login: &str, request: &Request) -> Answer {
    let body = request.json().unwrap_or_default();
    let only_status = body.as_object().is_some_and(|body| body.keys().eq(["status"]));
    let status = match body["status"].as_str() {
        Some("accepting chats") if only_status => RoutingStatus::AcceptingChats,
        Some("not accepting chats") if only_status => RoutingStatus::NotAcceptingChats,
        Some("offline") if only_status => RoutingStatus::Offline,
        _ => return Err(Refused(400, "status is not correct".to_owned())),
    };
    let agent = account.agents.get_mut(login).ok_or_else(missing)?;
    agent.status = status;
    Ok(agent_object(login, agent))
}

type Told<'a> = (&'a Chat, &'a Thread);

fn ended(account: &Account) -> impl Iterator<Item = Told<'_>> {
    let threads =
        account.chats.values().flat_map(|chat| chat.threads.iter().map(move |thread| (chat, thread)));
    threads.filter(|(_, thread)| !thread.is_active)
}

fn chats(account: &Account, mut query: Query) -> Answer {
    let span = Span::read(&mut query)?;
    let text = query.take("query");
    let page = match query.take("page").map(|page| page.parse::<usize>()) {
        None => 1,
        Some(Ok(page)) if page > 0 => page,
        Some(_) => return Err(Refused(400, "page is not correct".to_owned())),
    };
    query.end()?;
    let says = |thread: &Thread| {
        let mut texts = thread.events.iter().filter_map(|event| event["text"].as_str());
        text.as_deref().is_none_or(|text| texts.any(|said| said.contains(text)))
    };
    let mut found: Vec<Told<'_>> =
        ended(account).filter(|told| span.admits(told.1) && says(told.1)).collect();
    found.sort_by(|(_, a), (_, b)| b.created_at.cmp(&a.created_at));
    found.truncate(LISTED_MAX);
    let shown = found.iter().skip((page - 1) * PAGE).take(PAGE).map(|told| item(account, *told));
    Ok(json!({"chats": shown.collect::<Vec<_>>(), "total": found.len(), "pages": found.len().div_ceil(PAGE)}))
}

fn item(account: &Account, (chat, thread): Told<'_>) -> Value {
    let customer = chat.customer_id().map(|id| account.user(id)).unwrap_or_default();
    let people = thread.user_ids.iter().filter(|id| account.agents.contains_key(*id));
    let agents = people.map(|id| json!({"display_name": account.agents[id].name, "email": id}));
    let message = |event: &Value| {
        let author = event["author_id"].as_str().unwrap_or_default();
        let user_type = match (account.agents.contains_key(author), event["visibility"] == "agents") {
            (false, _) => "visitor",
            (true, true) => "supervisor",
            (true, false) => "agent",
        };
        let mut message = json!({
            "author_name": account.user(author)["name"], "text": event["text"], "user_type": user_type,
            "timestamp": seconds(&event["created_at"]), "date": "display text",
        });
        if user_type != "visitor" {
            message["agent_id"] = json!(author);
        }
        message
    };
    let messages = thread.events.iter().filter(|event| event["type"] == "message").map(message);
    let rate = match thread.properties.get("rating").map(|rating| &rating["score"]) {
        Some(score) if *score == 1 => "rated_good",
        Some(score) if *score == 0 => "rated_bad",
        _ => "not_rated",
    };
    let ended = thread.events.last().map(|last| seconds(&last["created_at"]));
    json!({
        "id": thread.id, "type": "chat", "rate": rate, "tags": thread.tags, "group": thread.group_ids,
        "visitor": {"id": chat.customer_id(), "name": customer["name"], "ip": "203.0.113.7", "country": "Poland"},
        "prechat_survey": [{"key": "E-mail:", "value": customer["email"], "id": "1"}],
        "agents": agents.collect::<Vec<_>>(), "supervisors": [], "messages": messages.collect::<Vec<_>>(),
        "started": "display text", "started_timestamp": seconds(&json!(thread.created_at)),
        "ended": "display text", "ended_timestamp": ended,
    })
}

fn report(account: &Account, report: &str, mut query: Query) -> Answer {
    let span = Span::read(&mut query)?;
    // By hours if it is one day and nobody says otherwise.
    let by_hours = span.from.is_some() && span.from == span.to;
    let format = match query.take("group_by").as_deref() {
        Some("hour") => "%H:00",
        Some("day") => "%Y-%m-%d",
        Some("month") => "%Y-%m",
        Some(_) => return Err(Refused(400, "group_by is not correct".to_owned())),
        None if by_hours => "%H:00",
        None => "%Y-%m-%d",
    };
    query.end()?;
    let threads = account.chats.values().flat_map(|chat| &chat.threads).filter(|thread| span.admits(thread));
    let mut buckets: BTreeMap<String, Vec<&Thread>> = BTreeMap::new();
    for thread in threads {
        let bucket = span.local(thread).strftime(format).to_string();
        buckets.entry(bucket).or_default().push(thread);
    }
    let rated = |threads: &[&Thread], score: i64| {
        let has = |thread: &&&Thread| {
            thread.properties.get("rating").is_some_and(|rating| rating["score"] == score)
        };
        threads.iter().filter(has).count()
    };
    let count = |threads: &[&Thread]| match report {
        "total_chats" => Ok(json!({"chats": threads.len()})),
        "ratings" => Ok(json!({"good": rated(threads, 1), "bad": rated(threads, 0), "chats": threads.len()})),
        "first_response_time" | "response_time" => {
            let waits = threads.iter().flat_map(|thread| {
                let waits = super::reports::waits(thread);
                let count = if report == "response_time" { waits.len() } else { 1 };
                waits.into_iter().take(count)
            });
            let waits: Vec<f64> = waits.collect();
            let average = (!waits.is_empty()).then(|| waits.iter().sum::<f64>() / waits.len() as f64);
            Ok(json!({ report: {"count": waits.len(), "seconds": average} }))
        }
        _ => Err(missing()),
    };
    let buckets = buckets.into_iter().map(|(bucket, threads)| Ok((bucket, count(&threads)?)));
    buckets.collect::<Result<Map<String, Value>, Refused>>().map(Value::Object)
}

/// The filters that lists and reports share.
struct Span {
    from: Option<Date>,
    to: Option<Date>,
    zone: TimeZone,
    agent: Option<String>,
    group: Option<String>,
    tags: Vec<String>,
}

impl Span {
    fn read(query: &mut Query) -> Result<Span, Refused> {
        let wrong = |name: &str| Refused(400, format!("{name} is not correct"));
        let mut day = |name: &'static str| {
            query.take(name).map(|text| text.parse::<Date>().map_err(|_| wrong(name))).transpose()
        };
        let (from, to) = (day("date_from")?, day("date_to")?);
        let zone = query.take("timezone").unwrap_or_else(|| "UTC".to_owned());
        Ok(Span {
            from,
            to,
            zone: TimeZone::get(&zone).map_err(|_| wrong("timezone"))?,
            agent: query.take("agent"),
            group: query.take("group"),
            tags: std::iter::from_fn(|| query.take("tag[]")).collect(),
        })
    }

    fn local(&self, thread: &Thread) -> jiff::Zoned {
        thread.created_at.parse::<Timestamp>().unwrap_or_default().to_zoned(self.zone.clone())
    }

    fn admits(&self, thread: &Thread) -> bool {
        let day = self.local(thread).date();
        self.from.is_none_or(|from| day >= from)
            && self.to.is_none_or(|to| day <= to)
            && self.agent.as_ref().is_none_or(|agent| thread.user_ids.contains(agent))
            && self
                .group
                .as_ref()
                .is_none_or(|group| thread.group_ids.iter().any(|id| id.to_string() == *group))
            && (self.tags.is_empty() || self.tags.iter().any(|tag| thread.tags.contains(tag)))
    }
}

/// The parameters; one that nobody takes is refused.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(request: &Request) -> Query {
        let decoded = |text: &str| {
            let text = text.replace('+', " ");
            percent_decode_str(&text).decode_utf8_lossy().into_owned()
        };
        let pairs = request.query.split('&').filter(|pair| !pair.is_empty());
        Query(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(a, b)| (decoded(a), decoded(b)))
                .collect(),
        )
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let place = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(place).1)
    }

    fn end(self) -> Result<(), Refused> {
        match self.0.first() {
            Some((name, _)) => Err(Refused(400, format!("unknown parameter {name}"))),
            None => Ok(()),
        }
    }
}

fn seconds(time: &Value) -> i64 {
    let at: Timestamp = time.as_str().unwrap_or_default().parse().unwrap_or_default();
    at.as_second()
}
