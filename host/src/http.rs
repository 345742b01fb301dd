//! The listeners: for webhooks and health, and for operators. Everything that arrives here is hostile until it is
//! authenticated.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::capture::Capture;

mod health;
mod open;
mod operator;
mod webhooks;

pub use health::Health;
pub use operator::{Operator, Shown};
pub use webhooks::{Meters, Reception, Webhooks};

use open::Open;

/// Connections that are open at the same time, and one in how many file descriptors they may take.
const CONNECTIONS_MAX: (usize, u64) = (1024, 4);
/// The same, for operators.
const OPERATOR_CONNECTIONS_MAX: (usize, u64) = (64, 8);

/// What the handlers work with.
#[derive(Clone)]
pub struct AppState {
    /// Webhooks.
    pub webhooks: Arc<Webhooks>,
    /// Health.
    pub health: Arc<Health>,
}

/// Serves webhooks and health until `stop`, then lets the open requests end.
pub async fn serve(listener: TcpListener, state: AppState, stop: CancellationToken) {
    // What was accepted last is captured, too.
    let _open = state.webhooks.capture.as_ref().map(Capture::while_open);
    let app = router(state);
    accept(listener, CONNECTIONS_MAX, |_| app.clone(), stop).await;
}

/// Serves operators until `stop`, then lets the open requests end.
pub async fn serve_operator(listener: TcpListener, operator: Arc<Operator>, stop: CancellationToken) {
    let app = operator::router(operator);
    let app = |peer| app.clone().layer(axum::Extension(operator::Peer(peer)));
    accept(listener, OPERATOR_CONNECTIONS_MAX, app, stop).await;
}

async fn accept(
    listener: TcpListener,
    (most, share): (usize, u64),
    app: impl Fn(SocketAddr) -> Router,
    stop: CancellationToken,
) {
    let mut open = Open::new(most, share);
    loop {
        let next = async {
            match listener.accept().await {
                Ok((stream, peer)) => open.serve(stream, peer, app(peer)).await,
                Err(error) => {
                    // Out of file descriptors: nothing to do but wait for connections to end.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => break,
            () = next => {}
        }
    }
    drop(listener);
    open.end().await;
}

/// Listens on an address.
///
/// # Errors
/// What the system says.
pub async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

fn router(state: AppState) -> Router {
    Router::new()
        .route("/webhooks/livechat", post(webhooks::receive))
        .route("/livechat/webhook", post(webhooks::receive))
        .route("/health", get(health::health))
        .route("/healthz", get(health::health))
        .route("/readyz", get(health::ready))
        .with_state(state)
}
