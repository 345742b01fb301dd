//! Deliveries that stopped: dead letters, and held ones.

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::Uri;
use jiff::Timestamp;
use serde::Deserialize;

use super::asked::{Body, Problem, body, event_type, id, limit, query};
use super::{Answer, App, Caller, Operator};
use crate::delivery::{DeliveryId, State as DeliveryState};
use crate::store::{BATCH, Count, Decided, Decision, DeliveryFilter, Selection, StoppedDelivery};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    plugin: Option<String>,
    r#type: Option<String>,
    reason: Option<String>,
    since: Option<Timestamp>,
    limit: Option<usize>,
}

impl Listing {
    fn filter(self) -> Result<DeliveryFilter, Problem> {
        Ok(DeliveryFilter {
            plugin: self.plugin,
            event_type: event_type(self.r#type)?,
            reason: self.reason,
            since: self.since,
        })
    }
}

async fn list(operator: &Operator, uri: &Uri, state: DeliveryState) -> Answer<Vec<StoppedDelivery>> {
    let asked: Listing = query(uri)?;
    let limit = limit(asked.limit)?;
    let filter = asked.filter()?;
    Ok(Json(operator.query(move |reader| reader.stopped(state, &filter, limit)).await?))
}

async fn count(operator: &Operator, uri: &Uri, state: DeliveryState) -> Answer<Count> {
    let asked: Listing = query(uri)?;
    if asked.limit.is_some() {
        return Err(Problem::invalid("a count takes no `limit`: it is of all that the filter lets through"));
    }
    let filter = asked.filter()?;
    Ok(Json(operator.query(move |reader| reader.count(state, &filter, &[], None)).await?))
}

pub(super) async fn list_dead(State(operator): App, uri: Uri) -> Answer<Vec<StoppedDelivery>> {
    list(&operator, &uri, DeliveryState::Dead).await
}

pub(super) async fn list_held(State(operator): App, uri: Uri) -> Answer<Vec<StoppedDelivery>> {
    list(&operator, &uri, DeliveryState::Held).await
}

pub(super) async fn count_dead(State(operator): App, uri: Uri) -> Answer<Count> {
    count(&operator, &uri, DeliveryState::Dead).await
}

pub(super) async fn count_held(State(operator): App, uri: Uri) -> Answer<Count> {
    count(&operator, &uri, DeliveryState::Held).await
}

pub(super) async fn show(State(operator): App, Path(delivery): Path<String>) -> Answer<StoppedDelivery> {
    let delivery: DeliveryId = id(&delivery)?;
    match operator.query(move |reader| reader.delivery(delivery)).await? {
        Some(delivery) => Ok(Json(delivery)),
        None => Err(Problem::not_found(format!(
            "{delivery} is not stored (any more); one that was replayed or resolved has another number, see the audit log"
        ))),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Replay {
    selection: Selection,
    #[serde(default)]
    fresh: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Discard {
    selection: Selection,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resolve {
    selection: Selection,
    r#as: Resolution,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Resolution {
    Sent,
    NotSent,
    Look,
}

pub(super) async fn replay(
    State(operator): App,
    Extension(caller): Extension<Caller>,
    sent: Body,
) -> Answer<Decided> {
    let Replay { selection, fresh } = body(sent)?;
    decide(&operator, Decision::Replay { fresh }, selection, caller).await
}

pub(super) async fn discard(
    State(operator): App,
    Extension(caller): Extension<Caller>,
    sent: Body,
) -> Answer<Decided> {
    let Discard { selection } = body(sent)?;
    decide(&operator, Decision::Discard, selection, caller).await
}

pub(super) async fn resolve(
    State(operator): App,
    Extension(caller): Extension<Caller>,
    sent: Body,
) -> Answer<Decided> {
    let Resolve { selection, r#as } = body(sent)?;
    let decision = match r#as {
        Resolution::Sent => Decision::Sent,
        Resolution::NotSent => Decision::NotSent,
        Resolution::Look => Decision::Look,
    };
    decide(&operator, decision, selection, caller).await
}

async fn decide(
    operator: &Operator,
    decision: Decision,
    mut selection: Selection,
    Caller(who): Caller,
) -> Answer<Decided> {
    if selection.ids.is_empty() != selection.all {
        return Err(Problem::invalid(
            "the selection has either `ids`, or `all` with a filter that may be empty",
        ));
    }
    if selection.ids.len() > BATCH {
        return Err(Problem::invalid(format!("the selection has more than {BATCH} ids: send them in parts")));
    }
    selection.filter.event_type = event_type(selection.filter.event_type.take())?;
    let now_ms = operator.shown.store.clock().now_ms();
    Ok(Json(operator.shown.store.decide(decision, selection, who, now_ms).await?))
}
