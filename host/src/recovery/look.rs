//! One look: which chats there are, and what was missed of each.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::json;

use super::{Recovery, now_ms, time};
use crate::action::livechat::Call;
use crate::action::{Code, Error, Origin};
use crate::event::recovered::Recovered;
use crate::livechat::webhook::Us;
use crate::livechat::webhook::listed::{self, Page, Scope, Summary, Unreadable};
use crate::store::Routes;

use super::report::Report;

/// Conversations on a page of the archives: with all that was said in them it is large.
const ARCHIVES_PAGE: u32 = 50;
/// Chats on a page of those that go on: of these only a summary comes.
const CHATS_PAGE: u32 = 100;
/// Pages of each list; what is behind them is left to the operator.
const PAGES_MAX: u32 = 200;
/// Chats that go on and are asked for one by one.
const CHATS_MAX: usize = 2_000;
/// The longest answer that is taken.
pub(super) const ANSWER_BYTES_MAX: usize = 16 << 20;
/// LiveChat lists conversations by their beginnings; one that began so long before may have gone on, milliseconds.
const LONGEST_MS: i64 = 24 * 3_600_000;

/// Which time is looked at, milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
    /// What was asked for, if that was not too long ago.
    pub(super) asked_from_ms: i64,
    pub(super) now_ms: i64,
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
            to: time(span.to_ms.min(span.now_ms)),
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
            let call = Call::GetChat { chat_id, thread_id: None };
            match self.ask(call).await {
                Ok(chat) => self.recover(&chat).await?,
                Err(error) if error.code == Code::NotFound => {}
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
            let page = listed::summaries(&self.ask(call).await?)?;
            let is_last = pages.turn(&page)?;
            found.extend(page.items.into_iter().filter(is_of_interest).map(|chat| chat.chat_id));
            if found.len() > CHATS_MAX {
                return Err(too_many(&format!("more than {CHATS_MAX} chats go on")));
            }
            if is_last {
                return Ok(found);
            }
        }
    }

    /// The conversations that have ended, the oldest first.
    async fn archives(&mut self) -> Result<(), Error> {
        let mut filters = json!({ "from": time(self.span.from_ms - LONGEST_MS) });
        if self.span.to_ms < self.span.now_ms {
            filters["to"] = json!(time(self.span.to_ms + 1_000));
        }
        let query = json!({ "filters": filters, "limit": ARCHIVES_PAGE, "sort_order": "asc" }).to_string();
        let mut pages = Pages::default();
        loop {
            let call = Call::ListArchives { query: query.clone(), page_id: pages.id.clone() };
            let page = listed::archives(&self.ask(call).await?)?;
            let is_last = pages.turn(&page)?;
            for chat in &page.items {
                self.recover(chat).await?;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Stores what was missed of a conversation.
    async fn recover(&mut self, chat: &str) -> Result<(), Error> {
        let Some(recovered) = self.read(chat) else { return Ok(()) };
        let store = &self.recovery.store;
        let found = store.recover(recovered, self.routes.clone(), now_ms()).await;
        for event in found.map_err(|error| Error::new(Code::Unavailable, error.to_string()))? {
            let trace = store.trace(event.id);
            tracing::debug!(event = %event.id, %trace, "recovered a missed {}", event.event_type);
            *self.report.recovered.entry(event.event_type).or_default() += 1;
        }
        Ok(())
    }

    /// What a conversation brings, if anything.
    fn read(&mut self, chat: &str) -> Option<Recovered> {
        let scope = Scope {
            us: &self.us,
            organization: self.organization.as_deref(),
            wants: &|event_type| self.wants(event_type),
            from_ms: self.span.from_ms,
            to_ms: self.span.to_ms,
            now_ms: now_ms(),
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
        (!recovered.told.is_empty() || recovered.rating.is_some()).then_some(recovered)
    }

    fn wants(&self, event_type: &str) -> bool {
        self.routes.get(event_type).is_some_and(|plugins| !plugins.is_empty())
    }

    /// One call, and the pause after it.
    async fn ask(&mut self, call: Call) -> Result<String, Error> {
        self.report.calls += 1;
        let answer = self.recovery.livechat.call(&Origin::of_host(now_ms(), ANSWER_BYTES_MAX), call).await;
        tokio::time::sleep(self.recovery.pause).await;
        answer.map_err(|failure| failure.into_error())
    }
}

/// The way through a list.
#[derive(Default)]
struct Pages {
    id: Option<String>,
    seen: HashSet<String>,
}

impl Pages {
    /// Turns over; whether this page is the last one.
    fn turn<T>(&mut self, page: &Page<T>) -> Result<bool, Error> {
        self.id.clone_from(&page.next_page_id);
        let Some(id) = &self.id else { return Ok(true) };
        if !self.seen.insert(id.clone()) {
            return Err(Error::new(Code::Unavailable, "LiveChat's list goes round: a page comes again"));
        }
        if self.seen.len() >= PAGES_MAX as usize {
            return Err(too_many(&format!("LiveChat lists more than {PAGES_MAX} pages")));
        }
        Ok(false)
    }
}

fn too_many(what: &str) -> Error {
    let message =
        format!("{what}: look at shorter times, with `chatplug events recover --from TIME --to TIME`");
    Error::new(Code::Limit, message)
}
