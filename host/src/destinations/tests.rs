use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics::Histogram;
use tokio::sync::Semaphore;

use super::*;
use crate::action::http::{Request, Response};
use crate::action::livechat::Call;
use crate::action::{Code, Effect, Error, Origin};
use crate::event::trace_id::TraceId;

mod sharing;
mod turns;

/// LiveChat and a connection that answer by a script, and say "well" when it has ended.
#[derive(Default)]
struct Script {
    livechat: Mutex<VecDeque<Result<String, Failure>>>,
    responses: Mutex<VecDeque<Result<Response, Failure>>>,
    trials: Mutex<VecDeque<Trial>>,
    asked: AtomicU64,
    /// Calls wait here until the test lets them answer; `None`: they don't wait.
    held: Option<Semaphore>,
    /// Gets a permit for each call that has arrived.
    arrived: Option<Semaphore>,
    clock_ms: AtomicU64,
}

impl Script {
    /// Calls wait to be let on.
    fn holding() -> Arc<Script> {
        Arc::new(Script {
            held: Some(Semaphore::new(0)),
            arrived: Some(Semaphore::new(0)),
            ..Script::default()
        })
    }

    fn says(self: &Arc<Self>, failure: Failure, times: usize) -> &Arc<Self> {
        self.livechat.lock().unwrap().extend(std::iter::repeat_n(Err(failure), times));
        self
    }

    fn responds(self: &Arc<Self>, status: u16, header: Option<(&str, &str)>, times: usize) -> &Arc<Self> {
        let headers = header.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let response = Response { status, headers, body: Vec::new() };
        self.responses.lock().unwrap().extend(std::iter::repeat_n(Ok(response), times));
        self
    }

    fn pass(&self, seconds: u64) {
        self.clock_ms.fetch_add(seconds * 1_000, Ordering::Relaxed);
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    async fn arrived(&self) {
        self.arrived.as_ref().unwrap().acquire().await.unwrap().forget();
    }

    fn let_on(&self) {
        self.held.as_ref().unwrap().add_permits(1);
    }

    async fn come(&self) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if let (Some(arrived), Some(held)) = (&self.arrived, &self.held) {
            arrived.add_permits(1);
            held.acquire().await.unwrap().forget();
        }
    }
}

struct Double(Arc<Script>);

impl LiveChat for Double {
    fn validate(&self, _: &Origin, call: &Call) -> Result<(), Error> {
        match call {
            Call::SendNote { text, .. } if text.is_empty() => {
                Err(Error::new(Code::Invalid, "the text is empty"))
            }
            _ => Ok(()),
        }
    }

    fn call<'a>(&'a self, _: &'a Origin, _: Call) -> BoxFuture<'a, Result<String, Failure>> {
        Box::pin(async move {
            self.0.come().await;
            let next = self.0.livechat.lock().unwrap().pop_front();
            next.unwrap_or_else(|| Ok(format!("answer {}", self.0.asked())))
        })
    }

    fn look_up<'a>(
        &'a self,
        _: &'a Origin,
        _: &'a Call,
        _: i64,
    ) -> BoxFuture<'a, Result<Option<String>, Failure>> {
        Box::pin(async move {
            self.0.come().await;
            Ok(None)
        })
    }
}

impl Connections for Double {
    fn effect(&self, _: &Request) -> Result<Effect, Error> {
        Ok(Effect::Unknown)
    }

    fn send<'a>(&'a self, _: &'a Origin, _: Request) -> BoxFuture<'a, Result<Response, Failure>> {
        Box::pin(async move {
            self.0.come().await;
            let well = Response { status: 200, headers: Vec::new(), body: Vec::new() };
            self.0.responses.lock().unwrap().pop_front().unwrap_or(Ok(well))
        })
    }
}

const TERMS: Terms = Terms { concurrency: 2, rate: 10_000.0 };

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// LiveChat and `connections.a`, which wait for their turn as long as `patience`.
fn destinations(script: &Arc<Script>, patience: Duration) -> Arc<Destinations> {
    let (clock, trials) = (script.clone(), script.clone());
    let services = Services {
        livechat: Arc::new(Double(script.clone())),
        connections: Arc::new(Double(script.clone())),
        probe: Box::new(move |_| {
            let trial = trials.trials.lock().unwrap().pop_front();
            Box::pin(std::future::ready(trial.expect("a trial in the script")))
        }),
        tally: Arc::default(),
        clock: Arc::new(move || Duration::from_millis(clock.clock_ms.load(Ordering::Relaxed))),
        now_ms: Box::new(now_ms),
        patience,
        wait_seconds: Histogram::noop(),
    };
    Arc::new(Destinations::new(services, terms(TERMS)))
}

fn terms(terms: Terms) -> [(String, Terms); 2] {
    [(LIVECHAT.to_owned(), terms), (connection("a"), terms)]
}

/// Delivery 1 and so on, of an event that was accepted long ago.
fn origin(delivery: i64) -> Origin {
    Origin {
        plugin: Arc::from("notes"),
        delivery,
        trace: TraceId::default(),
        step: 1,
        accepted_at_ms: 0,
        answer_bytes: 1 << 20,
    }
}

async fn note(destinations: &Destinations) -> Result<String, Failure> {
    note_of("notes", destinations).await
}

/// A note of the plugin `name`.
async fn note_of(name: &str, destinations: &Destinations) -> Result<String, Failure> {
    let (chat_id, text) = ("C".to_owned(), "text".to_owned());
    let origin = Origin { plugin: Arc::from(name), ..origin(1) };
    destinations.call(&origin, Call::SendNote { chat_id, text }).await
}

async fn send(destinations: &Destinations) -> Result<u16, Failure> {
    send_to("/", destinations).await
}

async fn send_to(path: &str, destinations: &Destinations) -> Result<u16, Failure> {
    let request = request(path, None);
    Connections::send(destinations, &origin(1), request).await.map(|response| response.status)
}

fn request(path: &str, timeout_ms: Option<u32>) -> Request {
    Request {
        connection: "a".to_owned(),
        method: "POST".to_owned(),
        path: path.to_owned(),
        query: Vec::new(),
        headers: Vec::new(),
        body: None,
        timeout_ms,
        effect: None,
    }
}

fn unavailable() -> Failure {
    Failure::Doubt(Error::new(Code::Unavailable, "LiveChat answered HTTP 500"))
}

/// How long it is closed, in whole seconds, and why.
fn closed<T: std::fmt::Debug>(answer: Result<T, Failure>) -> (u64, String) {
    match answer {
        Err(Failure::Closed { reason, wait }) => (wait.as_secs(), reason),
        other => panic!("{other:?}"),
    }
}

fn standing(destinations: &Destinations, name: &str) -> Standing {
    let states = destinations.states();
    states.into_iter().find(|state| state.name == name).expect("a destination").state
}
