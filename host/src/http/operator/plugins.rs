//! Plugins: how they are, and what operators do with them.

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::{StatusCode, Uri};
use serde::Deserialize;

use super::asked::{Body, Problem, body, limit, query};
use super::{Answer, App, Caller, Operator};
use crate::plugins::{Approval, Approve, GoBack, PluginView, Refusal, Switch, Switched, WentBack, view};
use crate::store::{PluginStatus, VersionChange};

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        match refusal {
            Refusal::Unknown(reason) => Problem::not_found(reason),
            Refusal::Conflict(reason) => Problem::new(StatusCode::CONFLICT, "conflict", reason),
            Refusal::Store(error) => error.into(),
        }
    }
}

impl Operator {
    pub(super) async fn statuses(&self) -> Result<Vec<PluginStatus>, Problem> {
        self.query(|reader| reader.plugin_statuses()).await
    }
}

pub(super) async fn list(State(operator): App) -> Answer<Vec<PluginStatus>> {
    Ok(Json(operator.statuses().await?))
}

pub(super) async fn show(State(operator): App, Path(name): Path<String>) -> Answer<PluginView> {
    let statuses = operator.statuses().await?;
    let known = operator.query(|reader| reader.versions()).await?;
    let missing = || Problem::not_found(format!("there is no plugin `{}`", name.escape_debug()));
    Ok(Json(view(&name, statuses, known).ok_or_else(missing)?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    limit: Option<usize>,
}

pub(super) async fn history(
    State(operator): App,
    Path(name): Path<String>,
    uri: Uri,
) -> Answer<Vec<VersionChange>> {
    let limit = limit(query::<Listing>(&uri)?.limit)?;
    Ok(Json(operator.query(move |reader| reader.version_history(&name, limit)).await?))
}

pub(super) async fn enable(
    State(operator): App,
    Extension(Caller(who)): Extension<Caller>,
    Path(name): Path<String>,
    sent: Body,
) -> Answer<Switched> {
    let wanted: Switch = body(sent)?;
    let statuses = operator.statuses().await?;
    Ok(Json(operator.shown.plugins.enable(&name, wanted, &statuses, &who).await?))
}

pub(super) async fn disable(
    State(operator): App,
    Extension(Caller(who)): Extension<Caller>,
    Path(name): Path<String>,
    sent: Body,
) -> Answer<Switched> {
    let wanted: Switch = body(sent)?;
    Ok(Json(operator.shown.plugins.disable(&name, wanted, &who).await?))
}

pub(super) async fn approve(
    State(operator): App,
    Extension(Caller(who)): Extension<Caller>,
    Path(name): Path<String>,
    sent: Body,
) -> Answer<Approval> {
    let wanted: Approve = body(sent)?;
    let statuses = operator.statuses().await?;
    Ok(Json(operator.shown.plugins.approve(&name, wanted, &statuses, &who).await?))
}

pub(super) async fn roll_back(
    State(operator): App,
    Extension(Caller(who)): Extension<Caller>,
    Path(name): Path<String>,
    sent: Body,
) -> Answer<WentBack> {
    let wanted: GoBack = body(sent)?;
    Ok(Json(operator.shown.plugins.go_back(&name, wanted, &who).await?))
}
