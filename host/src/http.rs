//! The listeners: for webhooks and health, and for operators. Everything that arrives here is hostile until it is
//! authenticated.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::capture::Capture;

mod health;
mod operator;
mod webhooks;

pub use health::Health;
pub use operator::{Operator, Shown};
pub use webhooks::{Meters, Reception, Webhooks};

/// Connections that are open at the same time; more wait in the kernel.
const CONNECTIONS_MAX: usize = 1024;
/// The same, for operators.
const OPERATOR_CONNECTIONS_MAX: usize = 64;
/// How long a client may take to send a request's headers, and may idle between requests.
const HEADERS_TIME: Duration = Duration::from_secs(10);
/// How long open requests may take when the host stops.
const DRAIN: Duration = Duration::from_secs(5);

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
    connections_max: usize,
    app: impl Fn(SocketAddr) -> Router,
    stop: CancellationToken,
) {
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(connections_max));
    let mut open = JoinSet::new();
    loop {
        let next = async {
            let permit = room.clone().acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            () = stop.cancelled() => break,
            // What has ended is not kept until the stop.
            Some(_) = open.join_next() => continue,
            next = next => next,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = graceful.watch(connection(stream, app(peer)));
                open.spawn(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!(%peer, %error, "a connection broke");
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of file descriptors: nothing to do but wait for connections to end.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time and are cut off");
        // They hold the store, which the next host waits for.
        open.shutdown().await;
    }
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

fn connection(
    stream: TcpStream,
    app: Router,
) -> hyper::server::conn::http1::Connection<TokioIo<TcpStream>, TowerToHyperService<Router>> {
    // Answers are small: waiting to fill a packet would only delay them.
    let _ = stream.set_nodelay(true);
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIME)
        .max_buf_size(64 << 10)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app))
}
