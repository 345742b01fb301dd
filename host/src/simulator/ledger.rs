//! A service that knows an `Idempotency-Key`, as payment services do: it takes entries, and takes a request that
//! comes again under the same key for the same one. It demands a key, so that a client that forgets it is found.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::server::{Reply, Request, Server, Service};
use super::{Faults, NotYet, Requests, locked};

/// The token that the API knows.
pub const TOKEN: &str = "simulated-ledger-token";
/// The longest key.
const KEY_BYTES_MAX: usize = 255;

/// A running ledger. Clones are the same one; it ends with the last of them, or at [`Ledger::stop`].
#[derive(Clone)]
pub struct Ledger {
    entries: Arc<Mutex<Vec<Entry>>>,
    server: Server,
}

/// An entry that was saved.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The `Idempotency-Key` of the request that brought it.
    pub key: String,
    /// What was sent.
    pub body: Value,
    /// How often it was sent under this key; all but the first time saved nothing.
    pub times: u32,
}

impl Ledger {
    /// Starts an empty one on a free port of this machine.
    ///
    /// # Errors
    /// No port could be opened.
    pub async fn start() -> io::Result<Ledger> {
        let entries = Arc::default();
        let server = Server::start(Api(Arc::clone(&entries)), Requests::of("the ledger")).await?;
        Ok(Ledger { entries, server })
    }

    /// What to set as the connection's `base_url`.
    pub fn base_url(&self) -> String {
        self.server.base_url()
    }

    /// What was asked, in order. Operations: `entries.create`, `about`.
    pub fn requests(&self) -> &Requests {
        &self.server.requests
    }

    /// What goes wrong, by operation.
    pub fn faults(&self) -> &Faults {
        &self.server.faults
    }

    /// From now on connections are refused.
    pub fn stop(&self) {
        self.server.stop();
    }

    /// The entries, in the order in which they were saved.
    pub fn entries(&self) -> Vec<Entry> {
        locked(&self.entries).clone()
    }

    /// Waits until `done`, which is asked again after each request.
    ///
    /// # Errors
    /// [`NotYet`] names `what` and lists the newest requests, when the time is over.
    pub async fn wait_for(
        &self,
        what: &str,
        within: Duration,
        done: impl Fn(&Ledger) -> bool,
    ) -> Result<(), NotYet> {
        self.server.requests.wait_until(what, within, || done(self)).await
    }
}

struct Api(Arc<Mutex<Vec<Entry>>>);

impl Service for Api {
    fn operation(&self, request: &Request) -> String {
        let operation = match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/entries") => "entries.create",
            ("GET", "/") => "about",
            _ => "unknown",
        };
        operation.to_owned()
    }

    fn answer(&self, operation: &str, request: &Request) -> Reply {
        if request.bearer() != Some(TOKEN) {
            return self.failure(operation, 401);
        }
        match operation {
            "entries.create" => create(&mut locked(&self.0), request),
            "about" => Reply::json(200, &json!({"service": "ledger"})),
            _ => refused(404, "no such path"),
        }
    }

    fn failure(&self, _operation: &str, status: u16) -> Reply {
        let message = match status {
            401 => "unknown token",
            429 => "too many requests",
            503 => "down for maintenance",
            _ => "internal error",
        };
        refused(status, message)
    }
}

fn create(entries: &mut Vec<Entry>, request: &Request) -> Reply {
    let key = request.header("idempotency-key").unwrap_or_default();
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return refused(400, "an entry needs an Idempotency-Key of at most 255 bytes");
    }
    let Some(body) = request.json().filter(Value::is_object) else {
        return refused(400, "an entry is a JSON object");
    };
    if let Some(place) = entries.iter().position(|entry| entry.key == key) {
        let entry = &mut entries[place];
        entry.times += 1;
        return match entry.body == body {
            true => created(place).with("idempotent-replayed", true),
            false => refused(422, "the Idempotency-Key belongs to an entry with another body"),
        };
    }
    entries.push(Entry { key: key.to_owned(), body, times: 1 });
    created(entries.len() - 1)
}

fn created(place: usize) -> Reply {
    Reply::json(201, &json!({"id": format!("entry-{}", place + 1)}))
}

fn refused(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({"error": message}))
}

#[cfg(test)]
mod tests {
    use reqwest::Client;

    use super::*;
    use crate::simulator::{Fault, Times};

    async fn post(ledger: &Ledger, key: &str, body: &Value) -> (u16, Value) {
        let request = Client::new().post(format!("{}/entries", ledger.base_url()));
        let request = request.bearer_auth(TOKEN).header("idempotency-key", key);
        let answer = request.json(body).send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    #[tokio::test]
    async fn an_entry_that_comes_again_under_its_key_is_the_same_one() {
        let ledger = Ledger::start().await.expect("a port");
        let first = post(&ledger, "k1", &json!({"text": "one"})).await;
        assert_eq!(first, (201, json!({"id": "entry-1"})));
        assert_eq!(post(&ledger, "k1", &json!({"text": "one"})).await, first);
        assert_eq!(post(&ledger, "k1", &json!({"text": "two"})).await.0, 422);
        assert_eq!(post(&ledger, "k2", &json!({"text": "one"})).await.1["id"], "entry-2");
        assert_eq!(post(&ledger, "", &json!({"text": "one"})).await.0, 400);
        let times: Vec<u32> = ledger.entries().iter().map(|entry| entry.times).collect();
        assert_eq!(times, [3, 1]);
    }

    #[tokio::test]
    async fn after_an_error_the_key_tells_whether_it_was_saved() {
        let ledger = Ledger::start().await.expect("a port");
        for (key, fault, saved) in [("k1", Fault::ErrorBeforeSaving, 0), ("k2", Fault::ErrorAfterSaving, 1)] {
            let before = ledger.entries().len();
            ledger.faults().set("entries.create", fault, Times::Next(1));
            assert_eq!(post(&ledger, key, &json!({"text": key})).await.0, 500);
            assert_eq!(ledger.entries().len() - before, saved, "{key}");
            assert_eq!(post(&ledger, key, &json!({"text": key})).await.0, 201);
            assert_eq!(ledger.entries().len() - before, 1, "{key}");
        }
    }
}
