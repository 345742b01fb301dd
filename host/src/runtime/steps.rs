//! The steps of a run: each host call with an outside effect or answer is repeated from the journal, or done and
//! recorded.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;
use wasmtime::{Store, WasmBacktrace};

use super::Services;
use super::guest::{Guest, RanOut};
use super::log::Level;
use crate::action::http::Response;
use crate::action::memory::Call as MemoryCall;
use crate::action::retry_after::retry_after;
use crate::action::{Code, Effect, Error, Failure, Origin, Outgoing};
use crate::crash_point::CrashPoint;
use crate::delivery::Resource;
use crate::journal::{Answer, Answered, Call, Change, Kind, Lost, Next, Own, Run, fingerprint};

/// A plugin names what it does in a word or two; a longer name fills the journal.
const ONCE_BYTES_MAX: usize = 512;
/// How long an answer that the store can't take is kept for it, before the action counts as in doubt.
const ANSWER_KEPT: Duration = Duration::from_secs(20);
const STORE_RETRY: Duration = Duration::from_millis(500);

/// Ends the run without spending an attempt.
#[derive(Debug, Clone)]
pub(super) enum Suspend {
    /// What it wants can't be had now, and why; not before this is over.
    Wait(String, Duration),
    /// The host itself can't go on, and why; not before this is over.
    Host(String, Duration),
    /// It is not known whether its action took place, and why.
    Doubt(String),
}

impl fmt::Display for Suspend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Suspend::Wait(reason, _) | Suspend::Host(reason, _) | Suspend::Doubt(reason)) = self;
        f.write_str(reason)
    }
}

impl std::error::Error for Suspend {}

/// What became of an action that was sent.
enum Sent {
    Answered(Answered),
    Suspended(Suspend),
}

impl Guest {
    /// A call that only reads a service.
    pub(super) async fn read(&mut self, outgoing: Outgoing) -> wasmtime::Result<Answer> {
        let call = self.outgoing_call(&outgoing, Effect::Read, None);
        let number = match self.next(&call)? {
            Step::Repeated(answer) => return Ok(answer),
            Step::New(number) => number,
        };
        let used = self.use_grant(&outgoing)?;
        // What reads by the plugin's own word may change something all the same.
        let may_change = matches!(&outgoing, Outgoing::Http(request) if !request.is_safe());
        if may_change {
            self.check_fuse(&outgoing)?;
        }
        // Where the host has its own work, not in the background: connections and answers are shared with others.
        let (services, origin) = (self.services.clone(), self.origin(number));
        let asked = self.foreground.spawn(async move { send(&services, &origin, outgoing).await });
        let answered = match AbortOnDropHandle::new(asked).await.unwrap_or_else(|gone| Err(cut_off(&gone))) {
            Ok(answered) => answered,
            Err(Failure::Closed { reason, wait }) => {
                self.spare_grant(used.as_ref());
                if may_change {
                    self.spare_fuse(self.chat_id.as_deref());
                }
                return Err(self.suspend(Suspend::Wait(reason, wait)));
            }
            Err(failure) => failed(failure.into_error()),
        };
        self.heed(&answered.answer);
        self.journal.note(number, call, answered.clone());
        Ok(self.came(answered))
    }

    /// A call that only reads the plugin's own store.
    pub(super) async fn look(&mut self, memory: MemoryCall) -> wasmtime::Result<Answer> {
        let call = Own::Memory(memory.clone()).call(Kind::Call(Effect::Read));
        let number = match self.next(&call)? {
            Step::Repeated(answer) => return Ok(answer),
            Step::New(number) => number,
        };
        self.meter.count_read();
        let is_short = matches!(memory, MemoryCall::Get { .. });
        let answer = if is_short && self.meter.is_in_background() {
            // Handing it to another thread and back would cost others more than it costs to wait for it here.
            self.meter.without(|| self.services.memory.read_here(&self.plugin, memory))
        } else {
            self.services.memory.read(&self.plugin, memory).await
        };
        let answered = Answered {
            at_ms: now_ms(),
            succeeded: answer.is_ok(),
            answer: answer.map_or_else(Into::into, Into::into),
        };
        self.journal.note(number, call, answered.clone());
        Ok(self.came(answered))
    }

    /// A change of the plugin's own store.
    pub(super) async fn own(&mut self, own: Own) -> wasmtime::Result<Answer> {
        let call = own.call(Kind::Own);
        let number = match self.next(&call)? {
            Step::Repeated(answer) => return Ok(answer),
            Step::New(number) => number,
        };
        let (changes, step) = self.journal.own(number, call, now_ms());
        self.recorded = true;
        let ledger = self.services.ledger.clone();
        let owner = (&*self.plugin, self.terms.limits.room());
        let answered = ledger.own(self.run, owner, changes, step, own).await;
        let answered = answered.map_err(|lost| self.suspend(not_recorded(lost)))?;
        self.journal.came(&answered);
        Ok(self.came(answered))
    }

    /// An action. The guest is dropped where its outcome is in doubt: it never sees that.
    pub(super) async fn act(
        &mut self,
        outgoing: Outgoing,
        effect: Effect,
        once: Option<String>,
    ) -> wasmtime::Result<Answer> {
        if let Some(bytes) = once.as_ref().map(String::len).filter(|bytes| *bytes > ONCE_BYTES_MAX) {
            let message = format!("a name (`once`) of {bytes} bytes: the longest is {ONCE_BYTES_MAX}");
            return Ok(Error::new(Code::Invalid, message).into());
        }
        let call = self.outgoing_call(&outgoing, effect, once);
        let number = match self.next(&call)? {
            Step::Repeated(answer) => return Ok(answer),
            Step::New(number) => number,
        };
        if self.services.stopping.is_cancelled() {
            let reason = "the host is stopping: no new action is begun".to_owned();
            return Err(self.suspend(Suspend::Host(reason, Duration::ZERO)));
        }
        if let Err(error) = self.check_expiry(&outgoing) {
            // Recorded, though it was never sent: a run that repeats this one must find it on its way.
            let answered = failed(error);
            self.journal.note(number, call, answered.clone());
            return Ok(self.came(answered));
        }
        self.services.ready(&outgoing).map_err(|suspend| self.suspend(suspend))?;
        let used = self.use_grant(&outgoing)?;
        self.check_fuse(&outgoing)?;
        let subject = self.counted_under(&outgoing).map(str::to_owned);
        let changes = self.journal.begin(number, call, now_ms());
        self.recorded = true;
        let (services, run, origin) = (self.services.clone(), self.run, self.origin(number));
        // In a task of its own, the intent too: it ends, and its answer is recorded, even if the run is cut.
        let performed = perform(services, run, origin, changes, outgoing, effect);
        let task = self.actions.spawn_on(performed, &self.foreground);
        match task.await {
            Ok(Sent::Answered(answered)) => {
                self.heed(&answered.answer);
                self.journal.came(&answered);
                Ok(self.came(answered))
            }
            Ok(Sent::Suspended(suspend)) => {
                if !matches!(suspend, Suspend::Doubt(_)) {
                    self.spare_fuse(subject.as_deref());
                    self.spare_grant(used.as_ref());
                }
                Err(self.suspend(suspend))
            }
            Err(panic) => Err(self.suspend(Suspend::Doubt(format!("the host failed: {panic}")))),
        }
    }

    /// The error that ends a run without a fault of the plugin's. The engine looks where the guest is for each error
    /// that has no backtrace yet, which takes time and memory that nobody has a use for here: this one has an empty
    /// one, that of a store in which nothing runs.
    fn suspend(&self, suspend: Suspend) -> wasmtime::Error {
        let nowhere = WasmBacktrace::capture(Store::new(&self.engine, ()));
        wasmtime::Error::new(suspend).context(nowhere)
    }

    /// Whether a call is to be repeated or done.
    fn next(&mut self, call: &Call) -> wasmtime::Result<Step> {
        match self.journal.next(call) {
            Next::Repeat(answered) => Ok(Step::Repeated(self.came(answered))),
            Next::Do(_) if self.journal.bytes() > self.terms.limits.journal_bytes => {
                let message = format!(
                    "more than {} bytes of answers and actions in the journal of one delivery (limits.journal_bytes)",
                    self.terms.limits.journal_bytes
                );
                Err(RanOut(Resource::Journal, message).into())
            }
            Next::Do(number) => {
                self.warn_of_journal();
                Ok(Step::New(number))
            }
        }
    }

    /// Says once in a run that the journal will soon be full: then there is still time to do something about it.
    fn warn_of_journal(&mut self) {
        let (bytes, limit) = (self.journal.bytes(), self.terms.limits.journal_bytes);
        if self.warned_of_journal || bytes < limit / 5 * 4 {
            return;
        }
        self.warned_of_journal = true;
        let (plugin, delivery, trace) = (&*self.plugin, self.run.delivery.to_string(), self.run.trace);
        tracing::warn!(
            plugin,
            delivery,
            %trace,
            bytes,
            limit,
            "the journal of a delivery is over 80 % of limits.journal_bytes: raise it, or let the plugin do its work in \
             slices, with a timer between them"
        );
    }

    /// An answer as the guest gets it: with it the guest's time moves on.
    fn came(&mut self, answered: Answered) -> Answer {
        self.clock.reach(answered.at_ms);
        if let Answer::Http(response) = &answered.answer
            && let Some(bytes) = response.cut_at()
        {
            let message =
                format!("the answer to an action was cut at {bytes} bytes (limits.http_body_bytes)");
            self.say(Level::Warn, &message);
        }
        answered.answer
    }

    /// Remembers that a service asked not to be called again for a while: it holds also for a plugin that doesn't
    /// look.
    fn heed(&mut self, answer: &Answer) {
        let wait = match answer {
            Answer::Failed { retry_after_ms: Some(ms), .. } => Some(Duration::from_millis(*ms)),
            Answer::Http(Response { status: 429 | 503, headers, .. }) => headers
                .iter()
                .find(|(name, _)| name == "retry-after")
                .and_then(|(_, value)| retry_after(value, Timestamp::now())),
            _ => None,
        };
        self.asked_wait = self.asked_wait.max(wait.unwrap_or_default());
    }

    fn outgoing_call(&self, outgoing: &Outgoing, effect: Effect, once: Option<String>) -> Call {
        let json = outgoing.to_json();
        Call {
            kind: Kind::Call(effect),
            function: outgoing.function(),
            arguments: fingerprint(json.as_bytes()),
            once,
            about: outgoing.about(),
            request: (effect != Effect::Read).then_some(json),
        }
    }

    /// A message to a chat that comes hours late is worse than none.
    fn check_expiry(&self, outgoing: &Outgoing) -> Result<(), Error> {
        use crate::action::livechat::Call::SendMessage;
        let Outgoing::Livechat(SendMessage { chat_id, .. }) = outgoing else { return Ok(()) };
        let seconds = self.terms.limits.message_expiry_s;
        if now_ms() - self.happened_ms
            <= i64::try_from(seconds).unwrap_or(i64::MAX / 1000).saturating_mul(1000)
        {
            return Ok(());
        }
        let message = format!(
            "the message for chat {chat_id} was not sent: what it answers happened more than {seconds} s ago \
             (limits.message_expiry_s)"
        );
        Err(Error::new(Code::Expired, message))
    }
}

impl Services {
    /// Whether an action would be let out now: where it would not, nothing has to be written down of it.
    fn ready(&self, outgoing: &Outgoing) -> Result<(), Suspend> {
        let ready = match outgoing {
            Outgoing::Livechat(_) => self.livechat.ready(),
            Outgoing::Http(request) => self.connections.ready(&request.connection),
        };
        match ready {
            Err(Failure::Closed { reason, wait }) => Err(Suspend::Wait(reason, wait)),
            _ => Ok(()),
        }
    }
}

/// A step as the journal has it.
enum Step {
    Repeated(Answer),
    New(u32),
}

/// Records the intent of an action, with what comes before it; sends it; and records what came of it.
async fn perform(
    services: Arc<Services>,
    run: Run,
    origin: Origin,
    changes: Vec<Change>,
    outgoing: Outgoing,
    effect: Effect,
) -> Sent {
    let number = origin.step;
    if let Err(lost) = services.ledger.record(run, changes).await {
        return Sent::Suspended(not_recorded(lost));
    }
    CrashPoint::AfterIntent.reached();
    let mut came = send(&services, &origin, outgoing.clone()).await;
    if effect == Effect::Repeatable && matches!(came, Err(Failure::Doubt(_))) {
        came = send(&services, &origin, outgoing).await;
    }
    CrashPoint::AfterRequest.reached();
    let answered = match came {
        Err(Failure::Closed { reason, wait }) => {
            // It was never sent. If this isn't recorded it counts as in doubt, and is settled.
            let _ = services.ledger.record(run, vec![Change::Forget { number }]).await;
            return Sent::Suspended(Suspend::Wait(reason, wait));
        }
        Err(Failure::Doubt(error)) if effect != Effect::Repeatable => {
            return Sent::Suspended(Suspend::Doubt(error.message));
        }
        Ok(answered) if effect != Effect::Repeatable && is_no_answer(&answered.answer) => {
            let reason = "the service failed while it handled the request".to_owned();
            return Sent::Suspended(Suspend::Doubt(reason));
        }
        Err(failure) => failed(failure.into_error()),
        Ok(answered) => answered,
    };
    record_answer(&services, run, number, answered).await
}

async fn record_answer(services: &Services, run: Run, number: u32, answered: Answered) -> Sent {
    let began = tokio::time::Instant::now();
    let mut is_told = false;
    loop {
        let change = Change::Answer { number, answered: answered.clone() };
        match services.ledger.record(run, vec![change]).await {
            Ok(()) => return Sent::Answered(answered),
            Err(Lost::Failed(reason)) if began.elapsed() < ANSWER_KEPT => {
                if !std::mem::replace(&mut is_told, true) {
                    let (delivery, trace) = (run.delivery.to_string(), run.trace);
                    tracing::warn!(reason, delivery, %trace, "cannot record the answer to an action; trying again");
                }
                tokio::time::sleep(STORE_RETRY).await;
            }
            Err(lost) => return Sent::Suspended(Suspend::Doubt(lost_because(&lost))),
        }
    }
}

/// A read that panicked.
fn cut_off(gone: &JoinError) -> Failure {
    Error::new(Code::Other, format!("the host failed: {gone}")).into()
}

/// Makes a call to a service.
async fn send(services: &Services, origin: &Origin, outgoing: Outgoing) -> Result<Answered, Failure> {
    match outgoing {
        Outgoing::Livechat(call) => {
            let text = services.livechat.call(origin, call).await?;
            Ok(Answered { at_ms: now_ms(), answer: Answer::Text(text), succeeded: true })
        }
        Outgoing::Http(request) => {
            let response = services.connections.send(origin, request).await?;
            let succeeded = (200..300).contains(&response.status);
            Ok(Answered { at_ms: now_ms(), answer: Answer::Http(response), succeeded })
        }
    }
}

/// Whether an answer says only that the service failed, which it may have done after it had acted.
fn is_no_answer(answer: &Answer) -> bool {
    matches!(answer, Answer::Http(Response { status: 408 | 500.., .. }))
}

fn failed(error: Error) -> Answered {
    Answered { at_ms: now_ms(), answer: error.into(), succeeded: false }
}

fn not_recorded(lost: Lost) -> Suspend {
    Suspend::Host(lost_because(&lost), Duration::from_secs(1))
}

fn lost_because(lost: &Lost) -> String {
    match lost {
        Lost::Overtaken => "an operator has decided on the delivery meanwhile".to_owned(),
        Lost::Failed(reason) => format!("the journal could not be written: {reason}"),
    }
}

fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}
