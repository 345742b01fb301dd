//! The HTTP server that the three services share: records, faults, and then the service's own answer.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request as HttpRequest, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream;
use jiff::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::fault::Release;
use super::{Fault, Faults, Recorded, Requests};

/// Larger bodies than this are not read.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// What distinguishes one simulated service from another.
pub(super) trait Service: Send + Sync + 'static {
    /// What the service calls the request: faults are set, and records found, by it.
    fn operation(&self, request: &Request) -> String;

    /// Carries the request out.
    fn answer(&self, operation: &str, request: &Request) -> Reply;

    /// Carries the request out; what it saves stays unseen to readers for this long, where the service has such
    /// readers.
    fn answer_unseen(&self, operation: &str, request: &Request, _unseen: Duration) -> Reply {
        self.answer(operation, request)
    }

    /// What is said to a request that came to the wrong data centre, where a service has several.
    fn misdirected(&self, _request: &Request) -> Reply {
        Reply::text(421, "Misdirected Request")
    }

    /// A refusal with the service's word for it.
    fn refusal(&self, _request: &Request, status: u16, error_type: &str) -> Reply {
        Reply::json(status, &serde_json::json!({ "error": error_type }))
    }

    /// The service's own form of an answer of status 401, 429, 500 or 503.
    fn failure(&self, operation: &str, status: u16) -> Reply;

    /// The path as it may be shown.
    fn shown_path(&self, path: &str) -> String {
        path.to_owned()
    }
}

/// A request as a service sees it.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Request {
    /// A header's value, if it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body, if it is JSON and says so.
    pub(super) fn json(&self) -> Option<Value> {
        let media_type = self.header("content-type")?;
        if !media_type.to_ascii_lowercase().starts_with("application/json") {
            return None;
        }
        serde_json::from_slice(&self.body).ok()
    }

    /// Name and password of Basic authentication, with a colon between.
    pub(super) fn basic(&self) -> Option<String> {
        let encoded = self.header("authorization")?.strip_prefix("Basic ")?;
        String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
    }

    /// The bearer token.
    pub(super) fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }
}

/// What a service answers.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

impl Reply {
    pub(super) fn json(status: u16, body: &Value) -> Reply {
        Reply { status, content_type: "application/json", headers: Vec::new(), body: body.to_string() }
    }

    pub(super) fn text(status: u16, body: &str) -> Reply {
        Reply { status, content_type: "text/html", headers: Vec::new(), body: body.to_owned() }
    }

    /// With white space behind it, which is nothing to a reader of JSON.
    fn lengthened_to(mut self, bytes: usize) -> Reply {
        self.body.extend(std::iter::repeat_n(' ', bytes.saturating_sub(self.body.len())));
        self
    }

    pub(super) fn with(mut self, header: &'static str, value: impl ToString) -> Reply {
        self.headers.push((header, value.to_string()));
        self
    }
}

/// A running server. It ends when the last clone is dropped, or at [`Server::stop`].
#[derive(Clone)]
pub(super) struct Server {
    pub(super) requests: Requests,
    pub(super) faults: Faults,
    address: SocketAddr,
    stop: CancellationToken,
    _stop_on_drop: Arc<DropGuard>,
}

struct Shared<S> {
    service: S,
    requests: Requests,
    faults: Faults,
    stop: CancellationToken,
}

impl Server {
    /// Serves on a free port of this machine. `requests` is made by the caller, who may share its changes.
    pub(super) async fn start<S: Service>(service: S, requests: Requests) -> io::Result<Server> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let faults = Faults::none();
        let shared = Arc::new(Shared {
            service,
            requests: requests.clone(),
            faults: faults.clone(),
            stop: stop.clone(),
        });
        let router = Router::new().fallback(answer::<S>).with_state(shared);
        let ended = stop.clone().cancelled_owned();
        tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(ended).await });
        let guard = Arc::new(stop.clone().drop_guard());
        Ok(Server { requests, faults, address, stop, _stop_on_drop: guard })
    }

    pub(super) fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on connections are refused; stalled requests end.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }
}

async fn answer<S: Service>(State(shared): State<Arc<Shared<S>>>, request: HttpRequest) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        return response(Reply::text(413, "the body is too large, or ended early"), &Manner::Whole);
    };
    let request = Request {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
    };
    let operation = shared.service.operation(&request);
    let fault = shared.faults.take(&operation);
    let release = shared.faults.next_release();
    let number = shared.requests.arrived(recorded(&shared.service, &operation, &request, fault.clone()));
    let manner = Manner::of(fault.as_ref());
    let reply = tokio::select! {
        reply = shared.play(&operation, &request, fault, release) => reply,
        () = shared.stop.cancelled() => shared.service.failure(&operation, 503),
    };
    shared.requests.answered(number, reply.status);
    response(reply, &manner)
}

impl<S: Service> Shared<S> {
    async fn play(
        &self,
        operation: &str,
        request: &Request,
        fault: Option<Fault>,
        release: Release,
    ) -> Reply {
        match fault {
            None | Some(Fault::CutReply | Fault::Drip(_)) => self.service.answer(operation, request),
            Some(Fault::LongReply(bytes)) => self.service.answer(operation, request).lengthened_to(bytes),
            Some(Fault::TooManyRequests { retry_after }) => {
                let reply = self.service.failure(operation, 429);
                retry_after.into_iter().fold(reply, |reply, value| reply.with("retry-after", value))
            }
            Some(Fault::ErrorBeforeSaving) => self.service.failure(operation, 500),
            Some(Fault::ErrorAfterSaving) => {
                self.service.answer(operation, request);
                self.service.failure(operation, 500)
            }
            Some(Fault::ErrorAfterSavingUnseen(unseen)) => {
                self.service.answer_unseen(operation, request, unseen);
                self.service.failure(operation, 500)
            }
            Some(Fault::StallBeforeSaving(at_most)) => {
                release.wait(at_most).await;
                self.service.answer(operation, request)
            }
            Some(Fault::StallAfterSaving(at_most)) => {
                let reply = self.service.answer(operation, request);
                release.wait(at_most).await;
                reply
            }
            Some(Fault::Down) => self.service.failure(operation, 503),
            Some(Fault::Unauthorized) => self.service.failure(operation, 401),
            Some(Fault::Redirect(to)) => Reply::text(307, "moved").with("location", to),
            Some(Fault::WrongRegion) => self.service.misdirected(request),
            Some(Fault::Refuse { status, error_type }) => self.service.refusal(request, status, &error_type),
        }
    }
}

fn recorded<S: Service>(service: &S, operation: &str, request: &Request, fault: Option<Fault>) -> Recorded {
    let shown = service.shown_path(&request.path);
    let path = if request.query.is_empty() { shown } else { format!("{shown}?{}", request.query) };
    let headers = request.headers.iter();
    Recorded {
        number: 0,
        operation: operation.to_owned(),
        method: request.method.clone(),
        path,
        headers: headers
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body: serde_json::from_slice(&request.body).ok(),
        status: None,
        fault,
        at: Timestamp::now(),
    }
}

/// How the body of a reply leaves.
enum Manner {
    Whole,
    Cut,
    Drip(Duration),
}

impl Manner {
    fn of(fault: Option<&Fault>) -> Manner {
        match fault {
            Some(Fault::CutReply) => Manner::Cut,
            Some(Fault::Drip(pause)) => Manner::Drip(*pause),
            _ => Manner::Whole,
        }
    }

    fn body(&self, body: String) -> Body {
        match self {
            Manner::Whole => Body::from(body),
            Manner::Cut => cut_body(body),
            Manner::Drip(pause) => dripping_body(body, *pause),
        }
    }
}

fn response(reply: Reply, manner: &Manner) -> Response<Body> {
    let length = reply.body.len().max(1);
    let body = manner.body(reply.body);
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static(reply.content_type));
    if matches!(manner, Manner::Cut) {
        headers.insert("content-length", HeaderValue::from(length));
    }
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// A byte at a time, each after a pause.
fn dripping_body(body: String, pause: Duration) -> Body {
    Body::from_stream(stream::unfold(Bytes::from(body), move |mut rest: Bytes| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let byte = rest.split_to(1);
        Some((io::Result::Ok(byte), rest))
    }))
}

/// Half of the body, and then an error, at which the server closes the connection. The pause between them
/// lets the first half leave.
fn cut_body(body: String) -> Body {
    let length = body.len();
    let half = Bytes::from(body).slice(..length / 2);
    Body::from_stream(stream::unfold(Some(half), async |state| match state {
        Some(half) if !half.is_empty() => Some((Ok(half), Some(Bytes::new()))),
        Some(_) => {
            tokio::task::yield_now().await;
            Some((Err(io::Error::other("cut on demand")), None))
        }
        None => None,
    }))
}
