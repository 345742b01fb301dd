//! What operators see of the LiveChat account. Nothing here changes anything.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::asked::{Problem, query};
use super::{Answer, App, Operator};
use crate::action::{Code, Error};
use crate::livechat::view::{Agent, Transcript};
use crate::overview::{Chats, Stats};

impl Operator {
    fn timezone(&self) -> Option<TimeZone> {
        self.shown.config.load().livechat.timezone.clone()
    }
}

/// What LiveChat refuses is no fault of the caller's, whose own credentials are good.
impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        let (status, code) = match error.code {
            Code::Invalid => (StatusCode::BAD_REQUEST, "invalid"),
            Code::Conflict => (StatusCode::CONFLICT, "under-way"),
            Code::NotFound => (StatusCode::NOT_FOUND, "not-found"),
            Code::RateLimited => (StatusCode::SERVICE_UNAVAILABLE, "rate-limited"),
            Code::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Code::Unsupported => (StatusCode::NOT_IMPLEMENTED, "unsupported"),
            other => (StatusCode::BAD_GATEWAY, other.as_str()),
        };
        Problem::new(status, code, error.message)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

pub(super) async fn chats(State(operator): App, uri: Uri) -> Answer<Chats> {
    let asked = query(&uri)?;
    Ok(Json(operator.overview.chats(&asked, operator.timezone().as_ref()).await?))
}

pub(super) async fn chat(State(operator): App, Path(chat_id): Path<String>) -> Answer<Transcript> {
    Ok(Json(operator.overview.chat(&chat_id).await?))
}

pub(super) async fn agents(State(operator): App, uri: Uri) -> Answer<Vec<Agent>> {
    let Nothing {} = query(&uri)?;
    Ok(Json(operator.overview.agents().await?))
}

pub(super) async fn stats(State(operator): App, uri: Uri) -> Answer<Stats> {
    let asked = query(&uri)?;
    Ok(Json(operator.overview.stats(&asked, operator.timezone().as_ref()).await?))
}
