//! The Reports API: counts of what is in the account. What is 0 is left out, as the platform does.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::super::account::Account;
use super::super::chat::{Chat, Thread};
use super::super::fields::Fields;
use super::super::refusal::Refusal;
use super::{Answer, Call};

/// So many days, if the caller doesn't say which.
const DAYS_DEFAULT: i64 = 7;

type Told<'a> = (&'a Chat, &'a Thread);

/// What is asked for.
struct Span {
    distribution: &'static str,
    zone: TimeZone,
    from: Timestamp,
    to: Timestamp,
    agents: Vec<String>,
    groups: Vec<i64>,
    tags: Vec<String>,
}

/// A report by its path below `/v3.6/reports/`.
pub(super) fn report(account: &Account, path: &str, mut call: Call<'_>) -> Answer {
    let span = Span::read(&mut call.fields)?;
    call.fields.end()?;
    let threads: Vec<Told<'_>> = account
        .chats
        .values()
        .flat_map(|chat| chat.threads.iter().map(move |thread| (chat, thread)))
        .filter(|told| span.admits(told))
        .collect();
    let by_bucket = |count: &dyn Fn(&[Told<'_>]) -> Value| span.buckets(&threads, count);
    let records = match path {
        "chats/total_chats" => by_bucket(&|told| json!({"total": told.len()})),
        "chats/ratings" => by_bucket(&ratings),
        "chats/ranking" => by_agent(&threads, &|told| {
            let mut counted = ratings(told);
            counted["total"] = counted["chats"].take();
            counted
        }),
        "chats/first_response_time" => by_bucket(&|told| {
            let waits: Vec<f64> =
                told.iter().filter_map(|(_, thread)| waits(thread).first().copied()).collect();
            average("first_response_time", &waits)
        }),
        "chats/response_time" => by_bucket(&|told| {
            let waits: Vec<f64> = told.iter().flat_map(|(_, thread)| waits(thread)).collect();
            average("response_time", &waits)
        }),
        "chats/duration" => by_bucket(&|told| {
            let lengths: Vec<f64> = told.iter().map(|(_, thread)| length(thread)).collect();
            average("duration", &lengths)
        }),
        "chats/tags" | "tags/chat_usage" => {
            by_bucket(&|told| counted(told.iter().flat_map(|(_, thread)| thread.tags.iter().cloned())))
        }
        "chats/groups" => by_bucket(&|told| {
            counted(told.iter().flat_map(|(_, thread)| thread.group_ids.iter().map(i64::to_string)))
        }),
        "chats/engagement" => by_bucket(&|told| json!({"started_by_customer_without_greeting": told.len()})),
        "chats/queued_visitors" => by_bucket(&|told| {
            let waits = |gave_up: bool| {
                let all = told.iter().flat_map(|(_, thread)| &thread.waited);
                waited(all.filter(|one| one.gave_up == gave_up).map(|one| one.seconds).collect())
            };
            json!({"queued": waits(false), "left_queue": waits(true)})
        }),
        "customers/unique_visitors" => by_bucket(&visitors),
        "agents/performance" => by_agent(&threads, &performance),
        // Nobody keeps who accepted chats when.
        "agents/availability" if matches!(span.distribution, "day" | "hour") => Map::new(),
        "agents/availability" => return Err(Refusal::validation("`distribution` must be hour or day")),
        _ => return Err(Refusal::not_found(format!("no report `{path}`"))),
    };
    let name = path.rsplit('/').next().unwrap_or_default();
    let mut answer = json!({"name": format!("{name}-report"), "records": records});
    match path {
        "chats/total_chats" if !threads.is_empty() => answer["total"] = json!(threads.len()),
        "agents/performance" => answer["summary"] = without_zeros(performance(&threads)),
        "customers/unique_visitors" => answer["summary"] = without_zeros(visitors(&threads)),
        _ => {}
    }
    Ok(answer)
}

impl Span {
    fn read(fields: &mut Fields<'_>) -> Result<Span, Refusal> {
        let distribution = fields.word("distribution", &["day", "hour", "day-hours", "month", "year"])?;
        let name = fields.optional_text("timezone")?.unwrap_or("UTC");
        let zone = TimeZone::get(name).map_err(|_| fields.refuse("timezone", "is no time zone"))?;
        let has_filters = fields.has("filters");
        let mut filters = fields.within("filters")?;
        let (from, to) = (filters.time("from")?, filters.time("to")?);
        let (agents, tags) = (filters.values("agents")?, filters.values("tags")?);
        let groups = filters.number_values("groups")?;
        let (from, to) = match (from, to) {
            (Some(from), Some(to)) => (from, to),
            (None, None) if !has_filters => last_days(&zone),
            _ => return Err(filters.refuse("from", "and `to` are both required")),
        };
        filters.end()?;
        Ok(Span { distribution, zone, from, to, agents, groups, tags })
    }

    fn admits(&self, (_, thread): &Told<'_>) -> bool {
        let created: Option<Timestamp> = thread.created_at.parse().ok();
        created.is_some_and(|at| (self.from..=self.to).contains(&at))
            && (self.agents.is_empty() || self.agents.iter().any(|id| thread.user_ids.contains(id)))
            && (self.groups.is_empty() || self.groups.iter().any(|id| thread.group_ids.contains(id)))
            && (self.tags.is_empty() || self.tags.iter().any(|tag| thread.tags.contains(tag)))
    }

    /// By what a bucket is named.
    fn buckets(&self, threads: &[Told<'_>], count: &dyn Fn(&[Told<'_>]) -> Value) -> Map<String, Value> {
        let format = match self.distribution {
            "hour" => "%Y-%m-%d %H:00",
            "day-hours" => "%H",
            "month" => "%Y-%m",
            "year" => "%Y",
            _ => "%Y-%m-%d",
        };
        let mut buckets: BTreeMap<String, Vec<Told<'_>>> = BTreeMap::new();
        for told in threads {
            let created: Timestamp = told.1.created_at.parse().unwrap_or_default();
            let bucket = created.to_zoned(self.zone.clone()).strftime(format).to_string();
            buckets.entry(bucket).or_default().push(*told);
        }
        buckets.into_iter().map(|(bucket, told)| (bucket, without_zeros(count(&told)))).collect()
    }
}

fn last_days(zone: &TimeZone) -> (Timestamp, Timestamp) {
    let now = Timestamp::now();
    let seconds = now.as_second() - DAYS_DEFAULT * 86_400;
    let from = Timestamp::from_second(seconds).unwrap_or(now).to_zoned(zone.clone()).start_of_day();
    (from.map_or(now, |from| from.timestamp()), now)
}

fn by_agent(threads: &[Told<'_>], count: &dyn Fn(&[Told<'_>]) -> Value) -> Map<String, Value> {
    let mut agents: BTreeMap<&str, Vec<Told<'_>>> = BTreeMap::new();
    for told in threads {
        for id in told.1.user_ids.iter().filter(|id| id.contains('@')) {
            agents.entry(id).or_default().push(*told);
        }
    }
    agents.into_iter().map(|(id, told)| (id.to_owned(), without_zeros(count(&told)))).collect()
}

fn ratings(told: &[Told<'_>]) -> Value {
    let rated = |score: i64| {
        told.iter()
            .filter(|(_, thread)| {
                thread.properties.get("rating").is_some_and(|rating| rating["score"] == score)
            })
            .count()
    };
    json!({"chats": told.len(), "good": rated(1), "bad": rated(0)})
}

fn performance(told: &[Told<'_>]) -> Value {
    let (rated, first) = (
        ratings(told),
        told.iter().filter_map(|(_, thread)| waits(thread).first().copied()).collect::<Vec<f64>>(),
    );
    let first = average("first_response_time", &first);
    json!({
        "chats_count": told.len(), "chats_rated_good": rated["good"], "chats_rated_bad": rated["bad"],
        "first_response_time": first["first_response_time"], "first_response_chats_count": first["count"],
    })
}

fn visitors(told: &[Told<'_>]) -> Value {
    let customers: BTreeSet<&str> = told.iter().filter_map(|(chat, _)| chat.customer_id()).collect();
    json!({"unique_visitors": customers.len(), "page_views": told.len()})
}

fn counted(names: impl Iterator<Item = String>) -> Value {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    json!(counts)
}

fn average(name: &str, values: &[f64]) -> Value {
    if values.is_empty() {
        return json!({});
    }
    json!({"count": values.len(), name: values.iter().sum::<f64>() / values.len() as f64})
}

/// How many waited in the queue, and how long, seconds. Who still waits isn't counted.
fn waited(seconds: Vec<f64>) -> Value {
    if seconds.is_empty() {
        return json!({});
    }
    let (count, sum) = (seconds.len(), seconds.iter().sum::<f64>());
    let (min, max) = seconds
        .iter()
        .fold((f64::INFINITY, 0.0), |(min, max): (f64, f64), one| (min.min(*one), max.max(*one)));
    json!({"count": count, "min": min, "max": max, "avg": sum / count as f64})
}

/// How long the customer waited each time, seconds.
pub(super) fn waits(thread: &Thread) -> Vec<f64> {
    let (mut waits, mut since) = (Vec::new(), None);
    for event in
        thread.events.iter().filter(|event| event["type"] == "message" && event["visibility"] == "all")
    {
        let by_agent = event["author_id"].as_str().is_some_and(|id| id.contains('@'));
        match (by_agent, since) {
            (false, None) => since = Some(at(event)),
            (true, Some(from)) => {
                waits.push(at(event) - from);
                since = None;
            }
            _ => {}
        }
    }
    waits
}

fn length(thread: &Thread) -> f64 {
    let begun: Timestamp = thread.created_at.parse().unwrap_or_default();
    thread.events.last().map_or(0.0, |last| at(last) - begun.as_millisecond() as f64 / 1_000.0)
}

/// Seconds since 1970.
fn at(event: &Value) -> f64 {
    let created: Timestamp = event["created_at"].as_str().unwrap_or_default().parse().unwrap_or_default();
    created.as_millisecond() as f64 / 1_000.0
}

fn without_zeros(mut counted: Value) -> Value {
    if let Value::Object(fields) = &mut counted {
        fields.values_mut().for_each(|value| *value = without_zeros(value.take()));
        fields.retain(|_, value| {
            !value.is_null()
                && value.as_f64() != Some(0.0)
                && value.as_object().is_none_or(|inside| !inside.is_empty())
        });
    }
    counted
}
