//! Events: what came, and having plugins handle it anew.

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::{StatusCode, Uri};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::asked::{Body, Problem, body, event_type, id, limit, query};
use super::{Answer, App, Caller};
use crate::event::EventId;
use crate::event::person::Person;
use crate::recovery::Report;
use crate::store::{DeedOfOperator, Error, EventFilter, EventView, Forgotten, Replayed};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    r#type: Option<String>,
    chat: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn list(State(operator): App, uri: Uri) -> Answer<Vec<EventView>> {
    let asked: Listing = query(&uri)?;
    let filter = EventFilter {
        event_type: event_type(asked.r#type)?,
        chat_id: asked.chat,
        limit: limit(asked.limit)?,
    };
    Ok(Json(operator.query(move |reader| reader.events(&filter)).await?))
}

pub(super) async fn show(State(operator): App, Path(event): Path<String>) -> Answer<EventView> {
    let event: EventId = id(&event)?;
    match operator.query(move |reader| reader.event(event)).await? {
        Some(event) => Ok(Json(event)),
        None => Err(Problem::not_found(format!("{event} is not stored (any more)"))),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Replay {
    #[serde(default)]
    plugin: Option<String>,
}

pub(super) async fn replay(
    State(operator): App,
    Extension(Caller(who)): Extension<Caller>,
    Path(event): Path<String>,
    sent: Body,
) -> Answer<Replayed> {
    let event: EventId = id(&event)?;
    let Replay { plugin } = body(sent)?;
    let missing = || Problem::not_found(format!("{event} is not stored (any more)"));
    let found = operator.query(move |reader| reader.event(event)).await?.ok_or_else(missing)?;
    let plugins = operator
        .shown
        .config
        .load()
        .recipients(&found.event_type, found.own.as_deref(), plugin.as_deref())
        .map_err(|reason| Problem::new(StatusCode::CONFLICT, "not-enabled", reason))?;
    let now_ms = operator.shown.store.clock().now_ms();
    let replayed =
        operator.shown.store.replay_event(event, plugins, who, now_ms).await?.ok_or_else(missing)?;
    Ok(Json(replayed))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recover {
    from: Timestamp,
    #[serde(default)]
    to: Option<Timestamp>,
}

pub(super) async fn recover(
    State(operator): App,
    Extension(Caller(who)): Extension<Caller>,
    sent: Body,
) -> Answer<Report> {
    let Recover { from, to } = body(sent)?;
    if to.is_some_and(|to| to <= from) {
        return Err(Problem::invalid("`to` must be later than `from`"));
    }
    let (store, recovery) = (operator.shown.store.clone(), operator.shown.recovery.clone());
    // In a task of its own: it goes on if whoever asked doesn't wait for it.
    let task = tokio::spawn(async move {
        let report = recovery.ask(from.as_millisecond(), to.map(Timestamp::as_millisecond)).await?;
        let after = json!({ "from": report.from, "to": report.to, "recovered": report.recovered });
        let deed = DeedOfOperator {
            who,
            action: "events.recover",
            subject: "missed webhooks".to_owned(),
            before: None,
            after: Some(after),
        };
        store.note_deed(deed, store.clock().now_ms()).await.map_err(Problem::from)?;
        Ok(report)
    });
    task.await.map_err(|_| Problem::from(Error::Closed))?.map(Json)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Forget {
    chat: Option<String>,
    email: Option<String>,
}

pub(super) async fn forget(
    State(operator): App,
    Extension(Caller(who)): Extension<Caller>,
    sent: Body,
) -> Answer<Forgotten> {
    let person = match body(sent)? {
        Forget { chat: Some(id), email: None } => Person::of_chat(&id),
        Forget { chat: None, email: Some(address) } => Person::with_email(&address),
        _ => Err("name a person by `chat` or by `email`, one of them".to_owned()),
    };
    let person = person.map_err(Problem::invalid)?;
    let store = operator.shown.store.clone();
    let turn = operator.forgetting.clone().try_acquire_owned().map_err(|_| {
        let text = "somebody is being forgotten already: come again when `forget` is in the audit log";
        Problem::new(StatusCode::CONFLICT, "under-way", text)
    })?;
    // In a task of its own: it goes on if whoever asked doesn't wait for it.
    let task = tokio::spawn(async move {
        let _turn = turn;
        store.forget(person, who, store.clock().now_ms()).await
    });
    let ended = task.await.map_err(|_| Problem::from(Error::Closed))?;
    Ok(Json(ended?))
}
