//! The listener for those who run the host: a JSON API, and `/metrics`. What it can show and change is all that
//! there is: every request has to say who makes it, and a browser on the operator's machine is not the operator.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::extract::{DefaultBodyLimit, Extension, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::Semaphore;

use super::AppState;
use crate::config::Config;
use crate::delivery::progress::Progress;
use crate::destinations::Destinations;
use crate::measures::Measures;
use crate::overview::Overview;
use crate::plugins::Plugins;
use crate::recovery::Recovery;
use crate::store::{Error, Reader, Store};

mod access;
mod account;
mod asked;
mod commands;
mod deliveries;
mod events;
mod files;
mod plugins;
mod scrape;
mod status;
#[cfg(test)]
mod tests;

use asked::Problem;
use scrape::Scrape;

/// Requests in a second, of all callers together, and of all who are refused; a few more at once are let through.
const REQUESTS_A_SECOND: NonZeroU32 = NonZeroU32::new(50).expect("more than nothing");
const BURST: NonZeroU32 = NonZeroU32::new(100).expect("more than nothing");
/// Requests at the same time.
const REQUESTS_MAX: usize = 16;
/// How long a request may take, unless it is about [`FORGET`] or [`RECOVER`].
const REQUEST_TIME: Duration = Duration::from_secs(15);
/// How long a query may take: less, so that there is time to say so.
const QUERY_TIME: Duration = Duration::from_secs(10);
/// Whoever forgets a person wants to know that it is done, however large the store is.
const FORGET: &str = "/api/v1/forget";
/// It asks LiveChat as often as it has to.
const RECOVER: &str = "/api/v1/events/recover";
const BODY_BYTES_MAX: usize = 64 << 10;

/// The parts that the listener shows and changes, beside the doors.
pub struct Shown {
    /// The store.
    pub store: Store,
    /// The config as it is now.
    pub config: Arc<ArcSwap<Config>>,
    /// What is measured.
    pub measures: Arc<Measures>,
    /// LiveChat and the connections.
    pub destinations: Arc<Destinations>,
    /// What operators do with plugins.
    pub plugins: Plugins,
    /// What plugins say about commands.
    pub progress: Progress,
    /// What looks for webhooks that were missed.
    pub recovery: Arc<Recovery>,
    /// What else is kept in memory: what it is, and how many entries.
    pub kept: Box<dyn Fn() -> Vec<(&'static str, usize)> + Send + Sync>,
}

/// What the handlers work with.
pub struct Operator {
    shown: Shown,
    doors: AppState,
    scrape: Scrape,
    overview: Overview,
    rate: DefaultDirectRateLimiter,
    /// Of requests that are refused, for they don't prove whose they are.
    refused_rate: DefaultDirectRateLimiter,
    /// Of links to files.
    link_rate: DefaultDirectRateLimiter,
    room: Semaphore,
    /// For links to files.
    link_room: Semaphore,
    /// One person is forgotten at a time.
    forgetting: Arc<Semaphore>,
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Who makes a request, as the audit log tells it.
#[derive(Clone)]
struct Caller(String);

type App = State<Arc<Operator>>;

impl Operator {
    /// What the handlers work with: the parts that they show.
    pub fn new(shown: Shown, doors: AppState) -> Operator {
        Operator {
            overview: Overview::new(shown.destinations.clone()),
            shown,
            doors,
            scrape: Scrape::default(),
            rate: RateLimiter::direct(Quota::per_second(REQUESTS_A_SECOND).allow_burst(BURST)),
            refused_rate: RateLimiter::direct(Quota::per_second(REQUESTS_A_SECOND).allow_burst(BURST)),
            link_rate: RateLimiter::direct(Quota::per_second(REQUESTS_A_SECOND).allow_burst(BURST)),
            room: Semaphore::new(REQUESTS_MAX),
            link_room: Semaphore::new(REQUESTS_MAX),
            forgetting: Arc::new(Semaphore::new(1)),
        }
    }

    async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Reader) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Problem> {
        self.shown.store.query(QUERY_TIME, query).await.map_err(Problem::from)
    }
}

/// The document that describes every route.
const OPENAPI: &str = include_str!("operator/openapi.json");

/// Every route, its methods in the words of the document.
fn routes() -> Vec<(&'static str, &'static str, MethodRouter<Arc<Operator>>)> {
    vec![
        ("get", "/metrics", get(scrape::metrics)),
        ("get", "/api/v1/openapi.json", get(openapi)),
        ("get", "/chats", get(account::chats)),
        ("get", "/chats/{id}", get(account::chat)),
        ("get", "/agents", get(account::agents)),
        ("get", "/stats", get(account::stats)),
        ("get", "/api/v1/status", get(status::status)),
        ("get", "/api/v1/plugins", get(plugins::list)),
        ("get", "/api/v1/plugins/{name}", get(plugins::show)),
        ("get", "/api/v1/plugins/{name}/history", get(plugins::history)),
        ("post", "/api/v1/plugins/{name}/enable", post(plugins::enable)),
        ("post", "/api/v1/plugins/{name}/disable", post(plugins::disable)),
        ("post", "/api/v1/plugins/{name}/approve", post(plugins::approve)),
        ("post", "/api/v1/plugins/{name}/rollback", post(plugins::roll_back)),
        ("post", "/api/v1/plugins/{name}/commands/{command}", post(commands::give)),
        ("get", "/api/v1/audit", get(status::audit)),
        ("get", "/api/v1/audit/decisions", get(status::decisions)),
        ("post", "/api/v1/webhooks/changed", post(status::webhooks_changed)),
        ("get", "/api/v1/events", get(events::list)),
        ("post", RECOVER, post(events::recover)),
        ("get", "/api/v1/events/{id}", get(events::show)),
        ("post", "/api/v1/events/{id}/replay", post(events::replay)),
        ("get", "/api/v1/deliveries/{id}", get(deliveries::show)),
        ("get", "/api/v1/deliveries/{id}/progress", get(commands::progress)),
        ("get", "/api/v1/dead", get(deliveries::list_dead)),
        ("get", "/api/v1/dead/count", get(deliveries::count_dead)),
        ("post", "/api/v1/dead/replay", post(deliveries::replay)),
        ("post", "/api/v1/dead/discard", post(deliveries::discard)),
        ("get", "/api/v1/held", get(deliveries::list_held)),
        ("get", "/api/v1/held/count", get(deliveries::count_held)),
        ("post", "/api/v1/held/resolve", post(deliveries::resolve)),
        ("get", "/files", get(files::list)),
        ("get", "/files/{plugin}/{name}", get(files::show)),
        ("get", "/files/{plugin}/{name}/history", get(files::history)),
        ("get", "/dashboard", get(files::dashboard)),
        ("post", "/api/v1/files/{plugin}/{name}/token", post(files::make_token)),
        ("post", "/api/v1/files/{plugin}/{name}/revoke", post(files::revoke)),
        ("post", FORGET, post(events::forget)),
    ]
}

pub(super) fn router(operator: Arc<Operator>) -> Router {
    let routes = routes().into_iter();
    let router = routes.fold(Router::new(), |router, (_, path, route)| router.route(path, route));
    router
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "not-found", "there is no such path"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "the path has other methods")
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(operator.clone(), guard))
        .with_state(operator)
}

/// Stands before every route.
async fn guard(
    State(operator): App,
    Extension(peer): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let is_by_link = files::is_by_link(request.method(), request.uri(), request.headers());
    let answer = match is_by_link {
        true => admit_link(&operator, request, next).await,
        false => admit(&operator, peer, request, next).await,
    };
    let mut response = answer.unwrap_or_else(Problem::into_response);
    if is_by_link {
        files::come_again(&mut response);
    }
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // Published files have their own.
    let policy = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(policy);
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    response
}

fn busy() -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "busy", "too many requests: come again in a second")
}

/// A link to a file. It is looked up in the store, so that all of them are counted, apart from what operators ask.
async fn admit_link(operator: &Operator, mut request: Request, next: Next) -> Result<Response, Problem> {
    operator.link_rate.check().map_err(|_| busy())?;
    let _room = operator.link_room.try_acquire().map_err(|_| busy())?;
    files::check_link(operator, request.uri(), request.headers()).await?;
    request.extensions_mut().insert(files::Linked);
    Ok(next.run(request).await)
}

async fn admit(
    operator: &Operator,
    Peer(peer): Peer,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let caller = {
        let config = operator.shown.config.load();
        access::check(&config.operator, peer.ip(), request.method(), request.headers())
    };
    // Counted apart: whoever is refused must not keep operators out.
    let rate = if caller.is_ok() { &operator.rate } else { &operator.refused_rate };
    rate.check().map_err(|_| busy())?;
    let caller = caller?;
    let _room = operator.room.try_acquire().map_err(|_| busy())?;
    request.extensions_mut().insert(Caller(caller));
    if [FORGET, RECOVER].contains(&request.uri().path()) {
        return Ok(next.run(request).await);
    }
    tokio::time::timeout(REQUEST_TIME, next.run(request)).await.map_err(|_| {
        let text = "the request took too long; a change that was asked for may have been made all the same";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too-slow", text)
    })
}

async fn openapi() -> Response {
    ([(axum::http::header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

/// The answer of most handlers.
type Answer<T> = Result<Json<T>, Problem>;
