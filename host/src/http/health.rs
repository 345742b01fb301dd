//! `/health` (alive) and `/readyz` (can take webhooks right now).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::AppState;
use crate::heartbeat::Heartbeat;
use crate::refusals::Refused;
use crate::store::Store;

/// A loop that has not turned for this long is stuck.
const STUCK: Duration = Duration::from_secs(120);
/// A trial commit that takes longer has failed: the disk hangs.
const PROBE_TIME: Duration = Duration::from_secs(2);
/// The answer of a trial commit holds this long, so that asking often costs nothing.
const READY_FOR: Duration = Duration::from_secs(1);

/// What the health of the host is told by.
pub struct Health {
    store: Store,
    /// The heartbeat of each loop, by its name.
    pub(super) heartbeats: Vec<(&'static str, Arc<Heartbeat>)>,
    /// The last trial commit: when, and what came of it.
    tried: Mutex<Option<(std::time::Instant, Result<(), String>)>>,
}

impl Health {
    /// The health of a host with this store and these loops.
    pub fn new(store: Store, heartbeats: Vec<(&'static str, Arc<Heartbeat>)>) -> Health {
        Health { store, heartbeats, tried: Mutex::new(None) }
    }

    pub(super) fn stuck(&self) -> Vec<&'static str> {
        let stuck = self.heartbeats.iter().filter(|(_, heartbeat)| heartbeat.age() > STUCK);
        stuck.map(|(name, _)| *name).collect()
    }

    pub(super) async fn can_commit(&self) -> Result<(), String> {
        let mut tried = self.tried.lock().await;
        if let Some((at, answer)) = &*tried
            && at.elapsed() < READY_FOR
        {
            return answer.clone();
        }
        let probe = self.store.probe(self.store.clock().now_ms());
        let answer = match tokio::time::timeout(PROBE_TIME, probe).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(format!(
                "the store did not commit within {} s: does the disk hang?",
                PROBE_TIME.as_secs()
            )),
        };
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
