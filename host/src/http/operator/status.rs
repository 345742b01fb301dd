//! How the host is, and what operators did.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::Uri;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::asked::{Body, Problem, body, limit, query};
use super::{Answer, App, Caller};
use crate::destinations::{self, Calls};
use crate::refusals::Refused;
use crate::store::{AuditEntry, AuditFilter, Backlog, DecisionEntry, DecisionFilter, Sizes, WebhooksChanged};

#[derive(Serialize)]
pub(super) struct Status {
    version: &'static str,
    /// Loops that have not turned for long.
    stuck: Vec<&'static str>,
    /// Why the store takes nothing; `None` if it does.
    store_problem: Option<String>,
    backlog: Backlog,
    sizes: Sizes,
    /// Refused webhooks since the start, by reason.
    refused: BTreeMap<&'static str, Refused>,
    /// LiveChat and the connections.
    destinations: Vec<destinations::State>,
    /// Requests to LiveChat since the start.
    calls: Calls,
}

pub(super) async fn status(State(operator): App) -> Answer<Status> {
    let (now_ms, uptime) = (operator.shown.store.clock().now_ms(), operator.shown.store.uptime());
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        stuck: operator.doors.health.stuck(),
        store_problem: operator.doors.health.can_commit().await.err(),
        backlog: operator.query(move |reader| reader.backlog(now_ms, &uptime)).await?,
        sizes: operator.shown.store.sizes().await?,
        refused: operator.doors.webhooks.refusals.all(),
        destinations: operator.shown.destinations.states(),
        calls: operator.shown.destinations.calls(),
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    since: Option<Timestamp>,
    limit: Option<usize>,
}

pub(super) async fn audit(State(operator): App, uri: Uri) -> Answer<Vec<AuditEntry>> {
    let asked: Listing = query(&uri)?;
    let filter = AuditFilter { since: asked.since, limit: limit(asked.limit)? };
    Ok(Json(operator.query(move |reader| reader.audit(&filter)).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DecisionListing {
    plugin: Option<String>,
    since: Option<Timestamp>,
    limit: Option<usize>,
}

pub(super) async fn decisions(State(operator): App, uri: Uri) -> Answer<Vec<DecisionEntry>> {
    let asked: DecisionListing = query(&uri)?;
    let filter = DecisionFilter { plugin: asked.plugin, since: asked.since, limit: limit(asked.limit)? };
    Ok(Json(operator.query(move |reader| reader.decisions(&filter)).await?))
}

/// Changes and characters that are more than anybody registers.
const CHANGES_MAX: usize = 200;
const TEXT_MAX: usize = 500;

/// Writes down what a command has changed at LiveChat.
pub(super) async fn webhooks_changed(
    State(operator): App,
    Extension(Caller(who)): Extension<Caller>,
    sent: Body,
) -> Answer<Value> {
    let changed: WebhooksChanged = body(sent)?;
    let is_short = |text: &String| text.len() <= TEXT_MAX;
    if changed.done.len() > CHANGES_MAX || !changed.done.iter().chain([&changed.url]).all(is_short) {
        return Err(Problem::invalid("there are not so many webhooks, and no such names"));
    }
    let store = &operator.shown.store;
    store.note_deed(changed.deed(who), store.clock().now_ms()).await.map_err(Problem::from)?;
    Ok(Json(json!({})))
}
