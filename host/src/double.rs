//! A scripted HTTP server on a port of its own: what the tests of the edges talk to.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The server. It answers with its answers in order and stops with the value.
pub(crate) struct Double {
    /// `http://127.0.0.1:PORT`
    pub(crate) url: String,
    script: Arc<Script>,
    server: JoinHandle<()>,
}

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// The other end of the connection that it came on.
    pub(crate) peer: Option<SocketAddr>,
}

/// One answer of the script.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Status, headers, body.
    With(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Never.
    Silence,
}

struct Script {
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<Asked>>,
}

impl Double {
    /// Starts to listen. A request beyond the last answer gets a 599.
    pub(crate) async fn start(answers: impl IntoIterator<Item = Answer>) -> Double {
        let script = Arc::new(Script {
            answers: Mutex::new(answers.into_iter().collect()),
            asked: Mutex::new(Vec::new()),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(answer).with_state(script.clone());
        let router = router.into_make_service_with_connect_info::<SocketAddr>();
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Double { url, script, server }
    }

    /// All requests until now.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.script.asked.lock().expect("not poisoned").clone()
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Asked {
    /// A header's value; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// The body, which must be JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }
}

impl Answer {
    /// A body without headers.
    pub(crate) fn text(status: u16, body: &str) -> Answer {
        Answer::With(status, Vec::new(), body.as_bytes().to_vec())
    }

    /// The same answer with one more header.
    pub(crate) fn and(self, name: &'static str, value: &str) -> Answer {
        match self {
            Answer::With(status, mut headers, body) => {
                headers.push((name, value.to_owned()));
                Answer::With(status, headers, body)
            }
            Answer::Silence => Answer::Silence,
        }
    }
}

/// What was logged on a thread.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

/// Takes up what is logged on this thread, at every level, until the guard goes.
pub(crate) fn logged() -> (Lines, Listening) {
    // One subscriber for all tests: what tracing remembers of a line that nobody wanted is remembered for all
    // threads, and one for each test would miss lines that another test's thread met first.
    static INSTALLED: std::sync::Once = std::sync::Once::new();
    INSTALLED.call_once(|| {
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(|| Heard)
            .init();
    });
    let lines = Lines::default();
    LISTENING.set(Some(lines.clone()));
    (lines, Listening)
}

thread_local! {
    static LISTENING: std::cell::RefCell<Option<Lines>> = const { std::cell::RefCell::new(None) };
}

/// A test listens to the lines of its thread until this is dropped.
pub(crate) struct Listening;

impl Drop for Listening {
    fn drop(&mut self) {
        LISTENING.set(None);
    }
}

/// Writes to the lines of the thread that writes, if a test listens there.
struct Heard;

impl std::io::Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LISTENING.with_borrow(|lines| {
            if let Some(lines) = lines {
                lines.0.lock().expect("not poisoned").extend_from_slice(bytes);
            }
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// The text until now.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("not poisoned").clone()).expect("text")
    }
}

async fn answer(State(script): State<Arc<Script>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 4 << 20).await.expect("a body").to_vec();
    let target = head.uri.path_and_query().map_or(String::new(), ToString::to_string);
    let peer = head.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
    let asked = Asked { method: head.method.to_string(), target, headers: head.headers, body, peer };
    script.asked.lock().expect("not poisoned").push(asked);
    let next = script.answers.lock().expect("not poisoned").pop_front();
    match next.unwrap_or_else(|| Answer::text(599, "the script has ended")) {
        Answer::Silence => std::future::pending().await,
        Answer::With(status, headers, body) => {
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = StatusCode::from_u16(status).expect("a status");
            for (name, value) in headers {
                response.headers_mut().append(name, value.parse().expect("a header value"));
            }
            response
        }
    }
}
