//! LiveChat, behind its gate; and reads of the same chat, which share a request.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::Shared;

use super::place::Place;
use super::{Destinations, LIVECHAT, signal};
use crate::action::livechat::{Call, LiveChat};
use crate::action::{BoxFuture, Code, Error, Failure, Origin};
use crate::destination::reads::{Read, ReadId, Reader, Reads};

/// An answer that may be under way.
type Answer = Shared<BoxFuture<'static, Result<Arc<str>, Failure>>>;

/// The reads that are shared.
#[derive(Clone, Default)]
pub(super) struct Reading {
    reads: Arc<Mutex<Reads<Answer>>>,
}

impl LiveChat for Destinations {
    fn call<'a>(&'a self, origin: &'a Origin, call: Call) -> BoxFuture<'a, Result<String, Failure>> {
        match call {
            Call::GetChat { chat_id, thread_id } => Box::pin(self.read(origin, Read { chat_id, thread_id })),
            call => Box::pin(self.act(origin, call)),
        }
    }

    fn look_up<'a>(
        &'a self,
        origin: &'a Origin,
        call: &'a Call,
        sent_at_ms: i64,
    ) -> BoxFuture<'a, Result<Option<String>, Failure>> {
        Box::pin(async move {
            let livechat = &self.services.livechat;
            let Some(place) = self.place(LIVECHAT) else {
                return livechat.look_up(origin, call, sent_at_ms).await;
            };
            let entered = place.enter(&origin.plugin).await?;
            let answer = livechat.look_up(origin, call, sent_at_ms).await;
            let signal = signal::of_livechat(&answer);
            place.settle(entered, &signal, answer)
        })
    }

    fn ready(&self) -> Result<(), Failure> {
        self.place(LIVECHAT).map_or(Ok(()), |place| place.ready())
    }
}

impl Destinations {
    /// A call that is not shared. If it changes a chat, what was read of the chat before or meanwhile is not
    /// shared any more.
    async fn act(&self, origin: &Origin, call: Call) -> Result<String, Failure> {
        let _ends =
            call.chat_id().filter(|_| !call.is_read()).map(|chat_id| Changing::begin(&self.reading, chat_id));
        ask(self.services.livechat.as_ref(), self.place(LIVECHAT), origin, call).await
    }

    async fn read(&self, origin: &Origin, read: Read) -> Result<String, Failure> {
        let reader = Reader { delivery: origin.delivery, accepted_at_ms: origin.accepted_at_ms };
        let answer = {
            let now_ms = (self.services.now_ms)();
            let mut reads = self.reading.lock();
            match reads.find(&read, reader, now_ms) {
                Some(answer) => {
                    self.shared.fetch_add(1, Ordering::Relaxed);
                    answer
                }
                None => {
                    let id = reads.next_id();
                    let answer = self.fetch(id, origin, &read);
                    reads.begin(id, read, reader, now_ms, answer.clone());
                    answer
                }
            }
        };
        answer.await.map(|text| text.as_ref().to_owned())
    }

    /// Reads in a task of its own: others may wait for the answer when the first reader has gone.
    fn fetch(&self, id: ReadId, origin: &Origin, read: &Read) -> Answer {
        let (livechat, place) = (self.services.livechat.clone(), self.place(LIVECHAT));
        let (reading, origin) = (self.reading.clone(), origin.clone());
        let call = Call::GetChat { chat_id: read.chat_id.clone(), thread_id: read.thread_id.clone() };
        let task = tokio::spawn(async move {
            let answer = ask(livechat.as_ref(), place, &origin, call).await.map(Arc::<str>::from);
            match &answer {
                Ok(text) => reading.lock().keep(id, text.len()),
                Err(_) => reading.lock().forget(id),
            }
            answer
        });
        let answer = task.map(|ended| {
            ended.unwrap_or_else(|gone| {
                let message = format!("reading from LiveChat was cut off: {gone}");
                Err(Failure::Doubt(Error::new(Code::Unavailable, message)))
            })
        });
        answer.boxed().shared()
    }
}

impl Reading {
    pub(super) fn sweep(&self, now_ms: i64) {
        self.lock().sweep(now_ms);
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, Reads<Answer>> {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While an action on a chat is under way: ends the shared reads of the chat now, and again afterwards.
struct Changing {
    reading: Reading,
    chat_id: String,
}

impl Changing {
    fn begin(reading: &Reading, chat_id: &str) -> Changing {
        reading.lock().end(chat_id);
        Changing { reading: reading.clone(), chat_id: chat_id.to_owned() }
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        self.reading.lock().end(&self.chat_id);
    }
}

/// One call to LiveChat, through its gate.
async fn ask(
    livechat: &dyn LiveChat,
    place: Option<Arc<Place>>,
    origin: &Origin,
    call: Call,
) -> Result<String, Failure> {
    livechat.validate(origin, &call)?;
    let Some(place) = place else { return livechat.call(origin, call).await };
    let entered = place.enter(&origin.plugin).await?;
    let answer = livechat.call(origin, call).await;
    let signal = signal::of_livechat(&answer);
    place.settle(entered, &signal, answer)
}
