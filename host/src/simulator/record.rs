//! What was asked of a service, and waiting for more of it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;

use super::{Fault, locked};

/// The oldest requests are forgotten beyond this many.
const KEPT: usize = 10_000;
/// Headers that carry credentials are not recorded.
const CREDENTIALS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// One request, as it arrived.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// 1 for the service's first request.
    pub number: u64,
    /// What the service calls it: `send_event`, `notes.create` …
    pub operation: String,
    /// `POST` …
    pub method: String,
    /// Path and query; the secret part of a Slack URL is left out.
    pub path: String,
    /// Names in lower case, without credentials.
    pub headers: Vec<(String, String)>,
    /// The body, if it is JSON.
    pub body: Option<Value>,
    /// What was answered; `None` while the answer is held back, and if the client went away before it came.
    pub status: Option<u16>,
    /// The fault that hit it.
    pub fault: Option<Fault>,
    /// When it arrived.
    pub at: Timestamp,
}

/// The requests of one service. Clones share them.
#[derive(Clone, Debug)]
pub struct Requests {
    service: &'static str,
    log: Arc<Mutex<Log>>,
    changes: Changes,
}

#[derive(Debug, Default)]
struct Log {
    count: u64,
    kept: VecDeque<Recorded>,
}

/// Something that was waited for did not happen.
#[derive(Debug, thiserror::Error)]
#[error("{what}: did not happen within {within:?}. {service} was asked: {asked}")]
pub struct NotYet {
    what: String,
    within: Duration,
    service: &'static str,
    asked: String,
}

impl NotYet {
    /// What was waited for.
    pub fn what(&self) -> &str {
        &self.what
    }
}

impl Requests {
    pub(super) fn of(service: &'static str) -> Requests {
        Requests { service, log: Arc::default(), changes: Changes::default() }
    }

    /// All requests that are kept, oldest first.
    pub fn all(&self) -> Vec<Recorded> {
        locked(&self.log).kept.iter().cloned().collect()
    }

    /// The requests of one operation, oldest first.
    pub fn of_operation(&self, operation: &str) -> Vec<Recorded> {
        locked(&self.log).kept.iter().filter(|request| request.operation == operation).cloned().collect()
    }

    /// Waits until `done` is true of the requests.
    ///
    /// # Errors
    /// [`NotYet`] names `what` and lists the newest requests, when the time is over.
    pub async fn wait_for(
        &self,
        what: &str,
        within: Duration,
        done: impl Fn(&[Recorded]) -> bool,
    ) -> Result<(), NotYet> {
        self.wait_until(what, within, || done(&self.all())).await
    }

    /// Waits until `done`, which is asked again after each change of the service.
    pub(super) async fn wait_until(
        &self,
        what: &str,
        within: Duration,
        done: impl Fn() -> bool,
    ) -> Result<(), NotYet> {
        if self.changes.until(within, done).await {
            return Ok(());
        }
        Err(NotYet { what: what.to_owned(), within, service: self.service, asked: self.summary() })
    }

    pub(super) fn changes(&self) -> &Changes {
        &self.changes
    }

    pub(super) fn arrived(&self, mut request: Recorded) -> u64 {
        request.headers.retain(|(name, _)| !CREDENTIALS.contains(&name.as_str()));
        let mut log = locked(&self.log);
        log.count += 1;
        request.number = log.count;
        if log.kept.len() == KEPT {
            log.kept.pop_front();
        }
        log.kept.push_back(request);
        let number = log.count;
        drop(log);
        self.changes.tell();
        number
    }

    pub(super) fn answered(&self, number: u64, status: u16) {
        if let Some(request) =
            locked(&self.log).kept.iter_mut().rev().find(|request| request.number == number)
        {
            request.status = Some(status);
        }
        self.changes.tell();
    }

    fn summary(&self) -> String {
        const SHOWN: usize = 20;
        let log = locked(&self.log);
        let newest = log.kept.iter().rev().take(SHOWN).rev();
        let lines: Vec<String> = newest
            .map(|request| match request.status {
                Some(status) => format!("{} {status}", request.operation),
                None => format!("{} (not answered)", request.operation),
            })
            .collect();
        if lines.is_empty() { "nothing".to_owned() } else { lines.join(", ") }
    }
}

/// Tells waiters that something changed. Clones tell the same waiters.
#[derive(Clone, Debug)]
pub(super) struct Changes(Arc<watch::Sender<u64>>);

impl Default for Changes {
    fn default() -> Changes {
        Changes(Arc::new(watch::Sender::new(0)))
    }
}

impl Changes {
    pub(super) fn tell(&self) {
        self.0.send_modify(|count| *count += 1);
    }

    /// Whether `done` became true in time.
    async fn until(&self, within: Duration, done: impl Fn() -> bool) -> bool {
        let mut changes = self.0.subscribe();
        let waiting = async {
            loop {
                changes.mark_unchanged();
                if done() || changes.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::time::timeout(within, waiting).await.is_ok()
    }
}
