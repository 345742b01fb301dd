//! One look: which chats there are, and what was missed of each.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::{ANSWER_BYTES_MAX, Recovery, now_ms, time};
use crate::action::livechat::Call;
use crate::action::{Code, Error, Origin};
use crate::event::recovered::Recovered;
use crate::livechat::webhook::Us;
use crate::livechat::webhook::listed::{self, Scope, Summary, Unreadable};
use crate::store::Routes;

use super::lists::{Archives, PAGES_MAX, Pages, Unseen, too_many};
use super::report::Report;

/// Chats on a page of those that go on: of these only a summary comes.
const CHATS_PAGE: u32 = 100;
/// Chats that go on and are asked for one by one.
const CHATS_MAX: usize = 2_000;
/// How often a call is made again that LiveChat does not take now.
const AGAIN_MAX: u32 = 3;
/// The longest wait before it, whatever LiveChat asks for.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Which time is looked at, milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
    /// What was asked for, if that was not too long ago.
    pub(super) asked_from_ms: i64,
    pub(super) now_ms: i64,
}

impl Span {
    /// When it ends at the latest.
    pub(super) fn end_ms(&self) -> i64 {
        self.to_ms.min(self.now_ms)
    }
}

/// What LiveChat answered, and when it was asked, milliseconds since 1970.
struct Answer {
    text: String,
    asked_ms: i64,
}

/// A look that is under way.
pub(super) struct Look<'a> {
    recovery: &'a Recovery,
    span: Span,
    routes: Arc<Routes>,
    us: Us,
    organization: Option<String>,
    report: Report,
}

impl<'a> Look<'a> {
    pub(super) fn new(
        recovery: &'a Recovery,
        span: Span,
        routes: Arc<Routes>,
        us: Us,
        organization: Option<String>,
    ) -> Look<'a> {
        let wanted =
            routes.iter().filter(|(_, plugins)| !plugins.is_empty()).map(|(event_type, _)| event_type);
        let report = Report {
            from: time(span.from_ms),
            to: time(span.end_ms()),
            not_listed: wanted.filter(|event_type| !listed::is_listed(event_type)).cloned().collect(),
            too_old: (span.asked_from_ms < span.from_ms).then(|| time(span.asked_from_ms)),
            ..Report::default()
        };
        Look { recovery, span, routes, us, organization, report }
    }

    pub(super) async fn run(mut self) -> Report {
        let wants_any =
            self.routes.keys().any(|event_type| self.wants(event_type) && listed::is_listed(event_type));
        if wants_any && let Err(error) = self.look().await {
            self.report.is_lasting =
                matches!(error.code, Code::Limit | Code::Invalid | Code::Denied | Code::Unsupported);
            self.report.unfinished = Some(error.message);
        }
        self.report
    }

    /// First which chats go on, then those that have ended: one that ends in between is seen in one of both. What has
    /// ended comes first into the store, as the newest conversation of a chat is the last one.
    async fn look(&mut self) -> Result<(), Error> {
        let going_on = self.going_on().await?;
        self.archives().await?;
        for chat_id in going_on {
            let call = Call::GetChat { chat_id: chat_id.clone(), thread_id: None };
            match self.ask(call).await {
                Ok(answer) => {
                    self.recover(&answer.text, answer.asked_ms).await?;
                }
                Err(error) if error.code == Code::NotFound => {}
                // It is this chat that we may not see, or can't.
                Err(error) if matches!(error.code, Code::Denied | Code::Limit | Code::Invalid) => {
                    self.report.cannot_read(Some(chat_id));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The chats that go on and in which something happened in this time.
    async fn going_on(&mut self) -> Result<Vec<String>, Error> {
        let query =
            json!({ "filters": { "active": true }, "limit": CHATS_PAGE, "sort_order": "desc" }).to_string();
        let from_ms = self.span.from_ms;
        let is_of_interest = |chat: &Summary| {
            let last_ms = chat.newest_ms.max(chat.began_ms);
            last_ms.is_none_or(|last_ms| last_ms >= from_ms)
        };
        let mut found = Vec::new();
        let mut pages = Pages::default();
        loop {
            let call = Call::ListChats { query: query.clone(), page_id: pages.id.clone() };
            let page = listed::summaries(&self.ask(call).await?.text)?;
            let is_last = pages.turn(&page)?;
            found.extend(page.items.into_iter().filter(is_of_interest).map(|chat| chat.chat_id));
            if found.len() > CHATS_MAX {
                return Err(too_many(&format!("more than {CHATS_MAX} chats go on")));
            }
            if is_last {
                return Ok(found);
            }
            if pages.is_too_long() {
                return Err(too_many(&format!("more than {PAGES_MAX} pages of chats go on")));
            }
        }
    }

    /// The conversations that have ended, the oldest first.
    async fn archives(&mut self) -> Result<(), Error> {
        let mut archives = Archives::new(self.span);
        loop {
            if let Some(unseen) = archives.advance()? {
                self.do_not_see(unseen, " and went on: there are too many of them");
            }
            let answer = match self.ask(archives.call()).await {
                Ok(answer) => answer,
                Err(error) if error.code == Code::Limit => {
                    if archives.lessen() {
                        continue;
                    }
                    self.do_not_see_around(&archives);
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            let page = listed::archives(&answer.text)?;
            self.do_not_see_around(&archives);
            for chat in &page.items {
                if let Some(began_ms) = self.recover(chat, answer.asked_ms).await? {
                    archives.saw(began_ms);
                }
            }
            if archives.turn(&page)? {
                return Ok(());
            }
        }
    }

    fn do_not_see_around(&mut self, archives: &Archives) {
        if let Some(unseen) = archives.went_around() {
            self.do_not_see(unseen, ": one of them is too large for an answer");
        }
    }

    fn do_not_see(&mut self, (from_ms, to_ms): Unseen, why: &str) {
        let text = format!("conversations that began from {} to {}{why}", time(from_ms), time(to_ms));
        self.report.cannot_see(text);
    }

    /// Stores what was missed of a conversation that was asked for then; answers when it began, if that can be read.
    async fn recover(&mut self, chat: &str, asked_ms: i64) -> Result<Option<i64>, Error> {
        let Some((began_ms, recovered)) = self.read(chat, asked_ms) else { return Ok(None) };
        if recovered.told.is_empty() && recovered.rating.is_none() {
            return Ok(Some(began_ms));
        }
        let store = &self.recovery.store;
        let found = store.recover(recovered, self.routes.clone(), now_ms()).await;
        for event in found.map_err(|error| Error::new(Code::Unavailable, error.to_string()))? {
            let trace = store.trace(event.id);
            tracing::debug!(event = %event.id, %trace, "recovered a missed {}", event.event_type);
            *self.report.recovered.entry(event.event_type).or_default() += 1;
        }
        Ok(Some(began_ms))
    }

    /// When a conversation began, and what it brings.
    fn read(&mut self, chat: &str, asked_ms: i64) -> Option<(i64, Recovered)> {
        let scope = Scope {
            us: &self.us,
            organization: self.organization.as_deref(),
            wants: &|event_type| self.wants(event_type),
            from_ms: self.span.from_ms,
            to_ms: self.span.to_ms,
            now_ms: asked_ms,
        };
        let conversation = match listed::conversation(chat, &scope) {
            Ok(conversation) => conversation,
            Err(Unreadable(chat_id)) => {
                self.report.cannot_read(chat_id);
                return None;
            }
        };
        self.report.conversations += 1;
        let recovered = conversation.recovered;
        if !conversation.is_whole && recovered.last_ms >= self.span.from_ms {
            self.report.cannot_read(Some(conversation.chat_id));
        }
        Some((conversation.began_ms, recovered))
    }

    fn wants(&self, event_type: &str) -> bool {
        self.routes.get(event_type).is_some_and(|plugins| !plugins.is_empty())
    }

    /// One call, and the pause after it. What LiveChat, or the host for its sake, does not take now is asked again.
    async fn ask(&mut self, call: Call) -> Result<Answer, Error> {
        let mut again = 0;
        loop {
            self.report.calls += 1;
            let asked_ms = now_ms();
            let origin = Origin::of_host(asked_ms, ANSWER_BYTES_MAX);
            let answer = self.recovery.livechat.call(&origin, call.clone()).await;
            self.recovery.heartbeat.wait(self.recovery.pause).await;
            let error = match answer {
                Ok(text) => return Ok(Answer { text, asked_ms }),
                Err(failure) => failure.into_error(),
            };
            let Some(wait) = wait(&error, again, self.recovery.pause) else { return Err(error) };
            tracing::debug!(%error, ?wait, "a call to LiveChat is made again");
            self.recovery.heartbeat.wait(wait).await;
            again += 1;
        }
    }
}

/// How long it is waited before a call is made again that has failed, after so many that were made again; `None` if it
/// isn't. It is eight pauses, twice as long each time, or longer where LiveChat says so.
fn wait(error: &Error, again: u32, pause: Duration) -> Option<Duration> {
    if again >= AGAIN_MAX || !matches!(error.code, Code::RateLimited | Code::Unavailable) {
        return None;
    }
    let named = Duration::from_millis(error.retry_after_ms.unwrap_or_default());
    Some((pause * 8 * (1_u32 << again)).max(named).min(WAIT_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_taken_now_is_asked_again_a_few_times() {
        let waits = |code: Code, retry_after_ms: Option<u64>| {
            let error = Error { retry_after_ms, ..Error::new(code, "as the test wants it") };
            let wait = |again| wait(&error, again, super::super::PAUSE).map(|wait| wait.as_secs());
            [0, 1, 2, 3].map(wait)
        };
        assert_eq!(waits(Code::RateLimited, None), [Some(2), Some(4), Some(8), None]);
        assert_eq!(waits(Code::Unavailable, None), [Some(2), Some(4), Some(8), None]);
        assert_eq!(waits(Code::RateLimited, Some(7_000)), [Some(7), Some(7), Some(8), None]);
        assert_eq!(waits(Code::RateLimited, Some(3_600_000)), [Some(60), Some(60), Some(60), None]);
        for code in [Code::Limit, Code::Denied, Code::Credentials, Code::Other] {
            assert_eq!(waits(code, Some(1_000)), [None; 4], "{code:?}");
        }
    }
}
