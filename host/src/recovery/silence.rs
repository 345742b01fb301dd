//! Whether chats go on at LiveChat while no webhook comes. That can be seen where nothing is known yet of what is usual.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::{ANSWER_BYTES_MAX, HOUR_MS, Recovery, now_ms, time};
use crate::action::livechat::Call;
use crate::action::{Error, Origin};
use crate::livechat::webhook::listed::{self, Summary};

/// How often LiveChat is asked at most: a call that it bills.
const EVERY: Duration = Duration::from_secs(3600);
/// A webhook may take so long, with LiveChat's retries, milliseconds.
const ON_ITS_WAY_MS: i64 = 5 * 60_000;
/// The newest chats that are looked at.
const CHATS: u32 = 20;
/// The event types of which a list of chats shows that there must have been some.
const SHOWN: [&str; 2] = ["incoming_chat", "incoming_event"];

/// What was seen.
pub(super) struct Watch {
    due: Instant,
    pub(super) is_silent: bool,
}

impl Watch {
    /// Looks for the first time an hour after the start.
    pub(super) fn new(now: Instant) -> Watch {
        Watch { due: now + EVERY, is_silent: false }
    }

    pub(super) async fn turn(&mut self, recovery: &Recovery) {
        // Where nobody can ask, or no webhook has to come, nothing would end it.
        let is_shown = |event_type: &str| SHOWN.contains(&event_type);
        let can_tell = recovery.able().is_ok() && recovery.waits_for(is_shown);
        if self.is_silent && (!can_tell || self.has_brought(recovery, now_ms()).await) {
            self.is_silent = false;
            recovery.missed.is_heard();
        }
        if Instant::now() < self.due || !can_tell || recovery.livechat.ready().is_err() {
            return;
        }
        self.due = Instant::now() + EVERY;
        match self.look(recovery, now_ms()).await {
            Ok(Some(text)) => {
                self.is_silent = true;
                recovery.missed.is_silent(text);
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "cannot see whether chats go on while no webhook comes"),
        }
    }

    /// Whether a webhook came in the last hour.
    async fn has_brought(&self, recovery: &Recovery, now_ms: i64) -> bool {
        recovery.store.received((now_ms - HOUR_MS, i64::MAX), 1).await.is_ok_and(|count| count > 0)
    }

    /// What is wrong, if LiveChat used to bring webhooks, brings none, and should.
    pub(super) async fn look(&self, recovery: &Recovery, now_ms: i64) -> Result<Option<String>, Error> {
        let used_to = recovery.store.received((i64::MIN, i64::MAX), 1).await.is_ok_and(|count| count > 0);
        if !used_to || self.has_brought(recovery, now_ms).await {
            return Ok(None);
        }
        let query = json!({ "limit": CHATS, "sort_order": "desc" }).to_string();
        let call = Call::ListChats { query, page_id: None };
        let answer = recovery
            .livechat
            .call(&Origin::of_host(now_ms, ANSWER_BYTES_MAX), call)
            .await
            .map_err(|failure| failure.into_error())?;
        let wants = |event_type: &str| recovery.waits_for(|waited_for| waited_for == event_type);
        let told_ms = |chat: &Summary| {
            let began = chat.began_ms.filter(|_| wants("incoming_chat"));
            let said = chat.newest_ms.filter(|_| wants("incoming_event"));
            [began, said]
                .into_iter()
                .flatten()
                .filter(|at| (now_ms - HOUR_MS..now_ms - ON_ITS_WAY_MS).contains(at))
                .max()
        };
        let newest_ms = listed::summaries(&answer)?.items.iter().filter_map(told_ms).max();
        Ok(newest_ms.map(|newest_ms| {
            format!(
                "no webhook for an hour, but chats go on at LiveChat, the last one at {}: are they still registered, and \
                 does the proxy let them through? `chatplug doctor --url URL` looks, `chatplug events recover` brings what \
                 was missed",
                time(newest_ms)
            )
        }))
    }
}
