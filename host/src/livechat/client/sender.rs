//! Messages and notes. LiveChat takes them only from users of the chat, so our user may have to join first.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};
use tracing::field::display;

use super::Options;
use super::api::Api;
use super::failure::{Failure, Outsider};
use super::me::Me;
use super::request::{self, Request};
use crate::action::livechat::{Visit, Visits};
use crate::action::{self, Code, Error};

/// To how many chats at most is sent at the same time.
const TURNS: usize = 256;

/// A message or note.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) chat_id: String,
    pub(super) audience: Audience,
    /// What sends it.
    pub(super) request: Request,
}

impl Message {
    /// A further request that the message needs, on behalf of the same plugin and event.
    fn along(&self, request: Request) -> Request {
        Request { plugin: self.request.plugin.clone(), trace: self.request.trace, ..request }
    }
}

/// Who sees a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    Everybody,
    Agents,
}

/// Sends messages and notes, in each chat one at a time: whoever joins for a note also leaves, and must not
/// take another sender's membership away.
pub(super) struct Sender {
    api: Arc<Api>,
    me: Me,
    join: bool,
    visits: Option<Arc<dyn Visits>>,
    /// How long a request may be under way.
    patience: Duration,
    /// Chats share these by hash, which bounds them; sharing only makes somebody wait.
    turns: Vec<Mutex<()>>,
}

impl Sender {
    pub(super) fn new(api: Arc<Api>, options: &Options, visits: Option<Arc<dyn Visits>>) -> Sender {
        let turns = (0..TURNS).map(|_| Mutex::new(())).collect();
        let (join, patience) = (options.join, options.timeout);
        Sender { api, me: Me::new(options), join, visits, patience, turns }
    }

    /// Sends, and answers the id of LiveChat's event.
    pub(super) async fn send(&self, message: &Message) -> Result<String, action::Failure> {
        let _turn = self.turn(&message.chat_id).await;
        match self.post(message).await {
            Ok(id) => Ok(id),
            Err(failure) if failure.outsider == Outsider::No => Err(failure.into()),
            Err(_) if message.audience == Audience::Agents => self.visit(message).await,
            Err(_) if self.join => self.join(message).await,
            Err(failure) => Err(not_joining(failure).into()),
        }
    }

    async fn turn(&self, chat_id: &str) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        chat_id.hash(&mut hasher);
        self.turns[hasher.finish() as usize % TURNS].lock().await
    }

    async fn post(&self, message: &Message) -> Result<String, Failure> {
        let body = self.api.post(&message.request).await?;
        let answer: Value = serde_json::from_str(&body).unwrap_or_default();
        // It was sent, whatever the answer lacks: an error here would have it sent again.
        Ok(answer["event_id"].as_str().unwrap_or_default().to_owned())
    }

    /// Joins for agents only, sends, and leaves.
    async fn visit(&self, message: &Message) -> Result<String, action::Failure> {
        let me = self.me.id(&self.api).await?;
        let visit = Visit { chat_id: message.chat_id.clone(), agent_id: me.to_owned() };
        if let Some(visits) = &self.visits {
            visits.begin(&visit).await?;
        }
        let joined = self.api.post(&message.along(request::assign(&message.chat_id, me, "agents")?)).await;
        if let Err(failure) = joined {
            // It may have worked all the same, whatever else is wrong with the answer.
            if failure.doubt {
                self.leave(&visit, Some(&message.request), false).await?;
            } else {
                self.ended(&visit).await;
            }
            return Err(failure.error.into());
        }
        let sent = self.post(message).await;
        self.leave(&visit, Some(&message.request), false).await?;
        Ok(sent?)
    }

    /// Ends a visit. One that can't be ended now is tried again by [`Sender::end_visits`].
    /// `of` is the message for which it was made, if that is known; with `may_join_late` a join may be under way of
    /// which nobody knows any more.
    async fn leave(&self, visit: &Visit, of: Option<&Request>, may_join_late: bool) -> Result<(), Error> {
        let Visit { chat_id, agent_id } = visit;
        let (plugin, trace) = (of.and_then(|of| of.plugin.clone()), of.and_then(|of| of.trace));
        let request = Request { plugin, trace, ..request::remove(chat_id, agent_id)? };
        let left = self.api.post(&request).await;
        let trace = trace.map(display);
        match left {
            Err(Failure { error, .. }) if may_stay(error.code) => {
                tracing::warn!(chat = chat_id, trace, agent = agent_id, %error, "our user is still in a chat that it joined for a note");
                return Ok(());
            }
            // A join that an earlier process sent right before its end may still be on its way.
            Err(_) if may_join_late => return Ok(()),
            // Whoever isn't in the chat, or whose chat has ended, has nothing to leave.
            Err(Failure { error, .. }) => {
                tracing::info!(chat = chat_id, trace, agent = agent_id, %error, "our user has nothing to leave");
            }
            Ok(_) => {}
        }
        self.ended(visit).await;
        Ok(())
    }

    async fn ended(&self, visit: &Visit) {
        if let Some(visits) = &self.visits
            && let Err(error) = visits.end(visit).await
        {
            tracing::warn!(chat = visit.chat_id, %error, "the end of a visit is not recorded; it is ended once more later");
        }
    }

    /// Ends the visits that are open while nobody sends to their chats, as long as LiveChat `is_ready`. The process is
    /// `up` for so long.
    pub(super) async fn end_visits(&self, up: Duration, is_ready: impl Fn() -> bool) -> Result<(), Error> {
        let Some(visits) = &self.visits else { return Ok(()) };
        for visit in visits.open().await? {
            let _turn = self.turn(&visit.chat_id).await;
            if !is_ready() {
                break;
            }
            // With the turn: whoever was in the middle of a visit has ended it by now.
            if visits.is_open(&visit).await? {
                self.leave(&visit, None, up < self.patience).await?;
            }
        }
        Ok(())
    }

    /// Joins for everybody, sends, and stays: the customer sees who answered.
    async fn join(&self, message: &Message) -> Result<String, action::Failure> {
        let me = self.me.id(&self.api).await?;
        self.api
            .post(&message.along(request::assign(&message.chat_id, me, "all")?))
            .await
            .map_err(|failure| failure.error)?;
        Ok(self.post(message).await?)
    }
}

/// Whether our user may still be in a chat that it could not leave.
fn may_stay(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::RateLimited | Code::Credentials | Code::Limit | Code::Other)
}

fn not_joining(failure: Failure) -> Error {
    let Error { code, message, .. } = failure.error;
    let reason = match failure.outsider {
        Outsider::Yes => "Our user is not in the chat",
        _ => "Perhaps our user is not in the chat",
    };
    let message = format!(
        "{message}. {reason}: give the host the token of a bot that is in it, or set livechat.join = true to let \
         it join, visible to the customer"
    );
    Error::new(code, message)
}
