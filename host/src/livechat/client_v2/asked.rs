//! Which request of version 2 stands behind a call.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::{status, unsupported};
use crate::action::livechat::{Call, Report};
use crate::action::{Code, Error};

/// The last page of chats: version 2 lists the latest 25,000 that fit, 25 on a page.
pub(super) const PAGES_MAX: u64 = 1_000;

/// A GET, or a PUT if it has a body.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asked {
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Option<Value>,
}

impl Asked {
    pub(super) fn get<'a>(path: impl IntoIterator<Item = &'a str>) -> Asked {
        let path = path.into_iter().map(str::to_owned).collect();
        Asked { path, query: Vec::new(), body: None }
    }

    pub(super) fn is_report(&self) -> bool {
        self.path.first().is_some_and(|first| first == "reports")
    }

    /// The request's name, without ids: `GET /chats/{id}`.
    pub(super) fn name(&self) -> String {
        match self.path.as_slice() {
            [resource, _] => format!("{} /{resource}/{{id}}", self.verb()),
            _ => self.to_string(),
        }
    }

    fn verb(&self) -> &'static str {
        if self.body.is_some() { "PUT" } else { "GET" }
    }

    /// What stands in the query under a name.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The page that is asked for.
    pub(super) fn page(&self) -> u64 {
        self.parameter("page").and_then(|page| page.parse().ok()).unwrap_or(1)
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} /{}", self.verb(), self.path.join("/"))
    }
}

/// The request behind a call; days are those of a time zone.
///
/// # Errors
/// `unsupported` for what version 2 lacks, `invalid` for what makes no sense.
pub(super) fn of(call: &Call, zone: Option<&TimeZone>) -> Result<Asked, Error> {
    match call {
        Call::GetChat { chat_id, thread_id } => {
            // A conversation has one id there.
            let id = present("chat-id", thread_id.as_deref().unwrap_or(chat_id))?;
            Ok(Asked::get(["chats", id]))
        }
        Call::ListArchives { query, page_id } => archives(call, query, page_id.as_deref(), zone),
        Call::ListAgents { group_ids, .. } if group_ids.is_empty() => Ok(Asked::get(["agents"])),
        Call::ListRoutingStatuses { group_ids } if group_ids.is_empty() => Ok(Asked::get(["agents"])),
        Call::ListRoutingStatuses { .. } => Err(only(call, "for all groups together")),
        Call::ListAgents { .. } => Err(only(call, "for all groups together")),
        Call::GetAgent { agent_id, .. } => Ok(Asked::get(["agents", present("agent-id", agent_id)?])),
        Call::ListGroups { .. } => Ok(Asked::get(["groups"])),
        Call::SetRoutingStatus { agent_id, status: word } => {
            let asked = Asked::get(["agents", present("agent-id", agent_id)?]);
            if !["accepting_chats", "not_accepting_chats", "offline"].contains(&word.as_str()) {
                return Err(invalid(format!("`{}` is no status", word.escape_debug())));
            }
            Ok(Asked { body: Some(status(word)), ..asked })
        }
        Call::Report { report, query } => self::report(call, *report, query, zone),
        _ => Err(unsupported(call)),
    }
}

fn archives(
    call: &Call,
    query: &str,
    page_id: Option<&str>,
    zone: Option<&TimeZone>,
) -> Result<Asked, Error> {
    let mut wanted = object(query)?;
    // Twenty-five on a page, whatever is asked for; the newest first.
    wanted.remove("limit");
    if wanted.remove("sort_order").is_some_and(|order| order != "desc") {
        return Err(only(call, "the newest first"));
    }
    let mut asked = Asked::get(["chats"]);
    asked.query = filters(call, wanted.remove("filters"), zone)?;
    nothing_else(call, &wanted)?;
    if let Some(page) = page_id {
        let number = page.parse::<u64>().ok().filter(|page| *page > 0);
        let number = number.ok_or_else(|| invalid("`page-id` is none of this list".to_owned()))?;
        if number > PAGES_MAX {
            return Err(cut());
        }
        asked.query.push(("page".to_owned(), number.to_string()));
    }
    Ok(asked)
}

fn report(call: &Call, report: Report, query: &str, account: Option<&TimeZone>) -> Result<Asked, Error> {
    let name = match report {
        Report::TotalChats => "total_chats",
        Report::Ratings => "ratings",
        Report::ResponseTime => "response_time",
        Report::FirstResponseTime => "first_response_time",
        _ => return Err(unsupported(call)),
    };
    let mut wanted = object(query)?;
    let distribution = wanted.remove("distribution");
    let group_by = match distribution.as_ref().map(Value::as_str) {
        // It groups by hours by itself where only one day is asked for.
        None | Some(Some("day")) => "day",
        Some(Some("hour")) => "hour",
        Some(Some("month")) => "month",
        _ => return Err(only(call, "by hour, day or month")),
    };
    let zone = match wanted.remove("timezone") {
        Some(name) => {
            let zone = name.as_str().and_then(|name| TimeZone::get(name).ok());
            Some(zone.ok_or_else(|| invalid("`timezone` is no time zone".to_owned()))?)
        }
        None => account.cloned(),
    };
    let mut asked = Asked::get(["reports", "chats", name]);
    asked.query = filters(call, wanted.remove("filters"), zone.as_ref())?;
    if asked.parameter("date_from").is_none() || asked.parameter("date_to").is_none() {
        return Err(only(call, "with `from` and `to` in `filters`"));
    }
    nothing_else(call, &wanted)?;
    asked.query.push(("group_by".to_owned(), group_by.to_owned()));
    Ok(asked)
}

/// The filters that version 2 has, too.
fn filters(
    call: &Call,
    filters: Option<Value>,
    zone: Option<&TimeZone>,
) -> Result<Vec<(String, String)>, Error> {
    let mut filters = match filters {
        None => Map::new(),
        Some(Value::Object(filters)) => filters,
        Some(_) => return Err(invalid("`filters` is no object".to_owned())),
    };
    let mut query = Vec::new();
    let mut has_days = false;
    for (theirs, ours) in [("from", "date_from"), ("to", "date_to")] {
        if let Some(day) = filters.remove(theirs) {
            let text = day.as_str().unwrap_or_default();
            let day = text.parse::<Date>().ok().filter(|day| day.to_string() == text);
            query.push((
                ours.to_owned(),
                day.ok_or_else(|| only(call, "by days such as 2026-06-01"))?.to_string(),
            ));
            has_days = true;
        }
    }
    if has_days {
        let name = zone.and_then(TimeZone::iana_name).ok_or_else(|| {
            invalid(
                "which hours a day has depends on the account's time zone: set livechat.timezone".to_owned(),
            )
        })?;
        query.push(("timezone".to_owned(), name.to_owned()));
    }
    for (theirs, ours) in
        [("agents", "agent"), ("groups", "group"), ("group_ids", "group"), ("tags", "tag[]")]
    {
        let Some(filter) = filters.remove(theirs) else { continue };
        let values = if theirs == "group_ids" { &filter } else { &filter["values"] };
        let values = values.as_array().filter(|_| filter.as_object().is_none_or(|all| all.len() == 1));
        let values = values.ok_or_else(|| only(call, &format!("with plain values in `{theirs}`")))?;
        if values.len() > 1 && ours != "tag[]" {
            return Err(only(call, &format!("with one of `{theirs}`")));
        }
        for value in values {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            query.push((ours.to_owned(), text));
        }
    }
    if let Some(text) = filters.remove("query") {
        query.push(("query".to_owned(), text.as_str().unwrap_or_default().to_owned()));
    }
    nothing_else(call, &filters)?;
    Ok(query)
}

fn nothing_else(call: &Call, rest: &Map<String, Value>) -> Result<(), Error> {
    match rest.keys().next() {
        Some(name) => Err(only(call, &format!("without `{}`", name.escape_debug()))),
        None => Ok(()),
    }
}

/// The error for what version 2 has in part.
fn only(call: &Call, what: &str) -> Error {
    let message = format!("the older API (livechat.api = \"v2\") has `{}` only {what}", call.capability());
    Error::new(Code::Unsupported, message)
}

/// The error for what lies behind the last page: the list would look whole without it.
fn cut() -> Error {
    let message = "the older API (livechat.api = \"v2\") lists the latest 25,000 chats only, and there may be more: ask for \
                   fewer days";
    Error::new(Code::Limit, message)
}

fn object(query: &str) -> Result<Map<String, Value>, Error> {
    match serde_json::from_str(query) {
        Ok(Value::Object(query)) => Ok(query),
        _ => Err(invalid("the query is no JSON object".to_owned())),
    }
}

fn present<'a>(name: &str, value: &'a str) -> Result<&'a str, Error> {
    match value {
        "" => Err(invalid(format!("{name} is empty"))),
        // They would lead elsewhere.
        "." | ".." => Err(invalid(format!("{name} is `{value}`"))),
        _ => Ok(value),
    }
}

fn invalid(message: String) -> Error {
    Error::new(Code::Invalid, message)
}
