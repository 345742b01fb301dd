//! Posts webhooks as the platform does: those of one chat one after the other, an answer other than 200
//! means again, three times at most.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Client;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::account::Account;
use super::webhook::Registration;
use crate::simulator::locked;
use crate::simulator::record::Changes;

/// After the first attempt.
const RETRIES: usize = 3;
/// The platform's, per attempt.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Finished deliveries beyond this many are forgotten.
const KEPT: usize = 10_000;
/// More waiting webhooks than this are dropped: the platform gives up too.
const WAITING: usize = 50_000;

/// One webhook on its way.
#[derive(Clone, Debug)]
pub struct Posted {
    /// The webhook's action: `incoming_chat` …
    pub action: String,
    /// The chat it belongs to.
    pub chat_id: Option<String>,
    /// What was answered to each attempt: a status, or why there was none.
    pub attempts: Vec<Result<u16, String>>,
    /// How it stands.
    pub state: PostState,
}

/// How a webhook's delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostState {
    /// Not answered 200 yet.
    UnderWay,
    /// Answered 200.
    Delivered,
    /// Not answered 200 in four attempts.
    GivenUp,
}

/// Where webhooks leave. Clones share it.
#[derive(Clone)]
pub(super) struct Outbox {
    post: Arc<Mutex<Post>>,
    client: Client,
    changes: Changes,
    stop: CancellationToken,
}

struct Post {
    spacing: Duration,
    count: u64,
    log: BTreeMap<u64, Posted>,
    /// What waits behind the one that is being posted; a lane that is missing here is idle.
    lanes: HashMap<String, VecDeque<Letter>>,
}

struct Letter {
    number: u64,
    url: String,
    body: Value,
}

impl Outbox {
    pub(super) fn new(changes: Changes, stop: CancellationToken) -> reqwest::Result<Outbox> {
        let client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        let post =
            Post { spacing: Duration::from_secs(15), count: 0, log: BTreeMap::new(), lanes: HashMap::new() };
        Ok(Outbox { post: Arc::new(Mutex::new(post)), client, changes, stop })
    }

    pub(super) fn set_spacing(&self, spacing: Duration) {
        locked(&self.post).spacing = spacing;
    }

    /// Sends what happened in the account to whoever registered for it. Answers the bodies; that of an
    /// occurrence which nobody registered for is made all the same, and stays here.
    pub(super) fn send_all(&self, account: &mut Account) -> Vec<Value> {
        let mut bodies = Vec::new();
        for occurrence in std::mem::take(&mut account.occurrences) {
            let is_on = account.webhooks_on;
            let wanted = |registration: &&Registration| is_on && registration.action == occurrence.action;
            let registrations: Vec<Registration> =
                account.registrations.iter().filter(wanted).cloned().collect();
            if registrations.is_empty() {
                let sample = account.registration(occurrence.action, "", "nobody-registered");
                bodies.push(occurrence.body(&account.organization_id, &sample));
            }
            for registration in registrations {
                let body = occurrence.body(&account.organization_id, &registration);
                self.send(occurrence.chat_id.clone(), registration.url, body.clone());
                bodies.push(body);
            }
        }
        self.changes.tell();
        bodies
    }

    /// Puts one body on its way.
    pub(super) fn send(&self, chat_id: Option<String>, url: String, body: Value) {
        let mut post = locked(&self.post);
        post.count += 1;
        let number = post.count;
        let lane = match &chat_id {
            Some(chat_id) => chat_id.clone(),
            None => format!("webhook {number}"),
        };
        let action = body["action"].as_str().unwrap_or_default().to_owned();
        let is_full = post.lanes.values().map(VecDeque::len).sum::<usize>() >= WAITING;
        let state = if is_full { PostState::GivenUp } else { PostState::UnderWay };
        post.note(number, Posted { action, chat_id, attempts: Vec::new(), state });
        if is_full {
            return;
        }
        let letter = Letter { number, url, body };
        if let Some(waiting) = post.lanes.get_mut(&lane) {
            waiting.push_back(letter);
            return;
        }
        post.lanes.insert(lane.clone(), VecDeque::new());
        drop(post);
        tokio::spawn(self.clone().work(lane, letter));
    }

    /// Posts once and answers the status; not noted in the log.
    pub(super) async fn post(&self, url: &str, body: &Value) -> Result<u16, String> {
        let sent = self.client.post(url).json(body).send().await;
        sent.map(|response| response.status().as_u16()).map_err(|error| error.without_url().to_string())
    }

    pub(super) fn log(&self) -> Vec<Posted> {
        locked(&self.post).log.values().cloned().collect()
    }

    /// Posts what the lane holds, one after the other.
    async fn work(self, lane: String, first: Letter) {
        let stop = self.stop.clone();
        let all = async {
            let mut next = Some(first);
            while let Some(letter) = next {
                self.deliver(&letter).await;
                next = locked(&self.post).next_of(&lane);
            }
        };
        tokio::select! {
            () = all => {}
            () = stop.cancelled() => {}
        }
    }

    async fn deliver(&self, letter: &Letter) {
        for attempt in 0..=RETRIES {
            if attempt > 0 {
                let spacing = locked(&self.post).spacing;
                tokio::time::sleep(spacing).await;
            }
            let answer = self.post(&letter.url, &letter.body).await;
            let state = match answer {
                Ok(200) => PostState::Delivered,
                _ if attempt == RETRIES => PostState::GivenUp,
                _ => PostState::UnderWay,
            };
            if let Some(posted) = locked(&self.post).log.get_mut(&letter.number) {
                posted.attempts.push(answer);
                posted.state = state;
            }
            self.changes.tell();
            if state != PostState::UnderWay {
                return;
            }
        }
    }
}

impl Post {
    fn note(&mut self, number: u64, posted: Posted) {
        if self.log.len() >= KEPT {
            let finished = self.log.iter().find(|(_, posted)| posted.state != PostState::UnderWay);
            if let Some(number) = finished.map(|(number, _)| *number) {
                self.log.remove(&number);
            }
        }
        self.log.insert(number, posted);
    }

    fn next_of(&mut self, lane: &str) -> Option<Letter> {
        let next = self.lanes.get_mut(lane).and_then(VecDeque::pop_front);
        if next.is_none() {
            self.lanes.remove(lane);
        }
        next
    }
}
