//! `POST /webhooks/livechat`: authenticated, stored, then answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use axum::body::{Body, HttpBody as _};
use axum::extract::State;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use metrics::{Counter, Histogram};
use serde_json::json;
use tokio::sync::Semaphore;

use super::AppState;
use crate::capture::{Capture, Sample};
use crate::crash_point::CrashPoint;
use crate::livechat::webhook::{Door, Webhook};
use crate::refusals::Refusals;
use crate::store::{self, NewWebhook, Routes, Store};

/// How long a client may take to send a body.
const BODY_TIME: Duration = Duration::from_secs(10);
/// A commit that takes longer is answered as failed: LiveChat waits for about ten seconds. If it happens
/// after all, the repeated webhook is recognised.
const STORE_TIME: Duration = Duration::from_secs(8);
/// Long bodies that are being read at the same time, KiB in all: nobody has proved anything yet.
const BODIES_KIB_MAX: usize = 64 << 10;
/// A body up to this many bytes needs none of that room: connections are bounded. Else whoever announces long ones, and
/// sends them slowly, would have the webhooks of LiveChat wait, which are nearly all short.
const SHORT_BYTES: u64 = 16 << 10;
/// When LiveChat may come again while the store takes nothing, seconds.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// What the config says about receiving webhooks.
pub struct Reception {
    /// What is accepted.
    pub door: Door,
    /// Which plugins get which events.
    pub routes: Arc<Routes>,
    /// The longest body, bytes.
    pub body_bytes: usize,
}

/// What the webhook handler works with.
pub struct Webhooks {
    /// Where events go.
    store: Store,
    /// Replaced when the config changes.
    pub reception: ArcSwap<Reception>,
    /// What was refused.
    pub refusals: Arc<Refusals>,
    /// What is measured.
    meters: Meters,
    /// Room for long bodies, in KiB; [`BODIES_KIB_MAX`] in all.
    room: Semaphore,
    /// What writes webhooks into files, while plugins are developed.
    pub(super) capture: Option<Capture>,
}

impl Webhooks {
    /// A door that takes webhooks by `reception`, and counts those that it refuses.
    pub fn new(
        store: Store,
        reception: Reception,
        refusals: Arc<Refusals>,
        meters: Meters,
        capture: Option<Capture>,
    ) -> Webhooks {
        let (reception, room) = (ArcSwap::from_pointee(reception), Semaphore::new(BODIES_KIB_MAX));
        Webhooks { store, reception, refusals, meters, room, capture }
    }
}

/// What is measured of webhooks; refusals are counted by [`Refusals`].
pub struct Meters {
    /// Webhooks that were stored, or known already.
    pub received: Counter,
    /// Webhooks that the store did not take, because the disk is full.
    pub disk_full: Counter,
    /// Webhooks that the store did not take, for another reason.
    pub store_failed: Counter,
    /// From the headers of a webhook that was taken to its answer, seconds.
    pub ack_seconds: Histogram,
    /// Events that were stored before already.
    pub known: Counter,
    /// Events that may be repetitions.
    pub flagged: Counter,
}

pub(super) async fn receive(State(state): State<AppState>, headers: HeaderMap, body: Body) -> Response {
    let began = Instant::now();
    let webhooks = &state.webhooks;
    let refuse = |status, reason, action, why: String| {
        let count = webhooks.refusals.count(reason, action);
        // Anybody can send these: the log must not grow with them.
        if count.is_power_of_two() {
            tracing::warn!(
                reason,
                action,
                count,
                "refused a webhook ({reason}), {count} since the start: {why}"
            );
        }
        answer(status, reason)
    };
    let reception = webhooks.reception.load_full();
    let body = match read(body, reception.body_bytes, &webhooks.room).await {
        Ok(body) => body,
        Err((status, reason)) => return refuse(status, reason, "none", unread(reason, reception.body_bytes)),
    };
    let now_ms = webhooks.store.clock().now_ms();
    let signature = headers.get("x-livechat-signature").map(HeaderValue::as_bytes);
    match reception.door.receive(&body, signature, now_ms) {
        Ok(webhook) => {
            if let Some(capture) = &webhooks.capture {
                capture_body(capture, &reception.door, &webhook, &body, signature.is_some(), now_ms);
            }
            let response = accept(webhooks, &reception, webhook, now_ms).await;
            if response.status() == StatusCode::OK {
                webhooks.meters.ack_seconds.record(began.elapsed());
            }
            response
        }
        Err(refusal) => {
            let status =
                if refusal.reason.is_malformed() { StatusCode::BAD_REQUEST } else { StatusCode::FORBIDDEN };
            refuse(status, refusal.reason.word(), refusal.action, refusal.reason.to_string())
        }
    }
}

/// Hands what was received over to be written, without its secret; it is answered without waiting for that.
fn capture_body(
    capture: &Capture,
    door: &Door,
    webhook: &Webhook,
    body: &[u8],
    signed: bool,
    received_at_ms: i64,
) {
    let event_type = webhook.events.first().map(|event| event.event_type.as_str()).unwrap_or_default();
    if let Some(body) = door.captured(body) {
        capture.take(Sample { received_at_ms, event_type, signed, body });
    }
}

async fn accept(webhooks: &Webhooks, reception: &Reception, webhook: Webhook, now_ms: i64) -> Response {
    CrashPoint::AfterReceive.reached();
    let Webhook { events, rating, known } = webhook;
    let unknown = (!known).then(|| events.first().map(|event| event.event_type.clone())).flatten();
    let accept = webhooks.store.accept(NewWebhook { events, rating }, reception.routes.clone(), now_ms);
    let stored = tokio::time::timeout(STORE_TIME, accept).await;
    match stored.unwrap_or(Err(store::Error::Slow)) {
        Ok(accepted) => {
            webhooks.meters.received.increment(1);
            webhooks.meters.known.increment(accepted.duplicates as u64);
            webhooks.meters.flagged.increment(accepted.flagged as u64);
            if let Some(first) = accepted.stored.first() {
                let trace = webhooks.store.trace(*first);
                tracing::debug!(event = %first, %trace, deliveries = accepted.deliveries, "stored a webhook");
                if let Some(name) = unknown {
                    let name: String = name.chars().take(64).collect();
                    tracing::info!(
                        event = %first,
                        %trace,
                        "stored a webhook of the unknown type {name:?}; no plugin can be switched on for it"
                    );
                }
            }
            const RECEIVED: &str = r#"{"status":"received"}"#;
            ([(axum::http::header::CONTENT_TYPE, "application/json")], RECEIVED).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "could not store a webhook; LiveChat was asked to send it again");
            let (reason, count) = match error {
                store::Error::Full => ("disk-full", &webhooks.meters.disk_full),
                _ => ("store-failed", &webhooks.meters.store_failed),
            };
            count.increment(1);
            let mut response = answer(StatusCode::SERVICE_UNAVAILABLE, reason);
            response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
            response
        }
    }
}

/// Reads a body, up to the limit, when there is room for it.
async fn read(body: Body, bytes_max: usize, room: &Semaphore) -> Result<Bytes, (StatusCode, &'static str)> {
    let size = body.size_hint().upper().unwrap_or(u64::MAX).min(bytes_max as u64);
    let read = async {
        let kib = u32::try_from(size / 1024 + 1).unwrap_or(u32::MAX);
        let _room = match size > SHORT_BYTES {
            true => room.acquire_many(kib).await.ok(),
            false => None,
        };
        Limited::new(body, bytes_max).collect().await
    };
    match tokio::time::timeout(BODY_TIME, read).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err((StatusCode::PAYLOAD_TOO_LARGE, "too-large")),
        Ok(Err(_)) => Err((StatusCode::BAD_REQUEST, "broken-off")),
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "too-slow")),
    }
}

/// Why a body was not read to its end, for the operator.
fn unread(reason: &str, bytes_max: usize) -> String {
    match reason {
        "too-large" => format!("its body has more than {bytes_max} bytes (livechat.webhooks.body_bytes)"),
        "too-slow" => format!("its body was not there within {} s", BODY_TIME.as_secs()),
        _ => "the client broke off".to_owned(),
    }
}

fn answer(status: StatusCode, reason: &str) -> Response {
    (status, axum::Json(json!({ "status": "refused", "reason": reason }))).into_response()
}
