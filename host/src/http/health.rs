//! `/health` (alive) and `/readyz` (can take webhooks right now).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::AppState;
use super::refusals::Refused;
use crate::store::Store;

/// A loop that has not turned for this long is stuck.
const STUCK_MS: i64 = 120_000;
/// The answer of a trial commit holds this long, so that asking often costs nothing.
const READY_FOR: Duration = Duration::from_secs(1);

/// What the health of the host is told by.
pub struct Health {
    /// The store.
    pub store: Store,
    /// When each loop turned last, milliseconds since 1970, by its name.
    pub heartbeats: Vec<(&'static str, Arc<AtomicI64>)>,
    /// The last trial commit: when, and what came of it.
    pub tried: Mutex<Option<(std::time::Instant, Result<(), String>)>>,
}

impl Health {
    fn stuck(&self) -> Vec<&'static str> {
        let now_ms = Timestamp::now().as_millisecond();
        let is_stuck = |beat: &AtomicI64| now_ms - beat.load(Ordering::Relaxed) > STUCK_MS;
        self.heartbeats.iter().filter(|(_, beat)| is_stuck(beat)).map(|(name, _)| *name).collect()
    }

    async fn can_commit(&self) -> Result<(), String> {
        let mut tried = self.tried.lock().await;
        if let Some((at, answer)) = &*tried
            && at.elapsed() < READY_FOR
        {
            return answer.clone();
        }
        let answer =
            self.store.probe(Timestamp::now().as_millisecond()).await.map_err(|error| error.to_string());
        *tried = Some((std::time::Instant::now(), answer.clone()));
        answer
    }
}

pub(super) async fn health(State(state): State<AppState>) -> (StatusCode, Json<Value>) {
    let stuck = state.health.stuck();
    if stuck.is_empty() {
        return (StatusCode::OK, Json(json!({ "status": "ok" })));
    }
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "stuck", "loops": stuck })))
}

#[derive(Serialize)]
pub(super) struct Ready {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    refused: BTreeMap<&'static str, Refused>,
}

pub(super) async fn ready(State(state): State<AppState>) -> (StatusCode, Json<Ready>) {
    let refused = state.webhooks.refusals.all();
    match state.health.can_commit().await {
        Ok(()) => (StatusCode::OK, Json(Ready { status: "ready", reason: None, refused })),
        Err(reason) => (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(Ready { status: "not ready", reason: Some(reason), refused }),
        ),
    }
}
