//! Looks what webhooks the host has missed, and stores what they would have told. It compares what LiveChat lists with
//! what is stored: after an outage of the host by itself, and when an operator asks.
//!
//! LiveChat bills each call and has limits; live webhooks need the store. So there is one look at a time, one call and
//! one conversation after the other, with pauses, and bounds on all of it.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::action::livechat::LiveChat;
use crate::action::{Code, Error};
use crate::config::{Api, Config};
use crate::heartbeat::Heartbeat;
use crate::livechat::webhook::Us;
use crate::measures::Measures;
use crate::notifier::Missed;
use crate::store::{Outage, Routes, Store};

mod lists;
mod look;
mod owed;
mod report;
mod silence;
#[cfg(test)]
mod tests;

pub use report::Report;

use look::{Look, Span};
use owed::{Next, Owed};

/// The first look comes so long after the start: until then LiveChat may bring some of it by itself.
const FIRST: Duration = Duration::from_secs(10);
/// How often it is asked whether there is something to do.
const TURN: Duration = Duration::from_secs(5);
/// So long a webhook may be on its way, with LiveChat's repetitions, milliseconds. So much before and after an outage is
/// looked at, too; and nothing that is younger, as it may come by itself.
const OVERLAP_MS: i64 = 2 * 60_000;
const DAY_MS: i64 = 24 * 3_600_000;
const HOUR_MS: i64 = 3_600_000;
/// The longest answer that is taken from a connection; LiveChat's client has a limit of its own.
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// The counter of what was missing, by type: those of [`LISTED`](crate::livechat::webhook::listed::LISTED).
pub const MISSING: &str = "chatplug_reconcile_missing_total";

/// Who gets which events, and as whom the host acts, by the config as it is now.
pub type Reception = dyn Fn() -> (Arc<Routes>, Us) + Send + Sync;

/// What a look works with.
pub struct Recovery {
    /// Where events go.
    pub store: Store,
    /// The config as it is now.
    pub config: Arc<ArcSwap<Config>>,
    /// Who is asked.
    pub livechat: Arc<dyn LiveChat>,
    /// See [`Reception`].
    pub reception: Box<Reception>,
    /// Where the operator is told.
    pub missed: Arc<Missed>,
    /// What is counted.
    pub measures: Arc<Measures>,
    /// How long it waits after each call to LiveChat; [`PAUSE`].
    pub pause: Duration,
    /// Beats as long as it turns.
    pub heartbeat: Arc<Heartbeat>,
    /// One look at a time.
    pub looking: Mutex<()>,
    /// Ends a look.
    pub stop: CancellationToken,
}

/// Ten pages of archives, a minute of a busy account, take about as long as one may wait.
pub const PAUSE: Duration = Duration::from_millis(250);

impl Recovery {
    /// Looks after each outage, and whether LiveChat has fallen silent, until the stop.
    pub async fn run(self: Arc<Self>) {
        let mut owed = Owed::new(Instant::now() + FIRST);
        let mut silence = silence::Watch::new(Instant::now());
        while self.stop.run_until_cancelled(self.heartbeat.wait(TURN)).await.is_some() {
            let turn = async {
                self.settle(&mut owed).await;
                silence.turn(&self).await;
            };
            if self.stop.run_until_cancelled(turn).await.is_none() {
                // What is not done yet is still owed after the next start.
                return;
            }
        }
    }

    /// Looks what was missed in the outage that nobody has looked at, if there is one and it is time.
    async fn settle(&self, owed: &mut Owed) {
        let outage = match self.store.outage().await {
            Ok(outage) => outage,
            Err(error) => return tracing::warn!(%error, "cannot see whether the host was down"),
        };
        let Some(outage) = owed.turn(outage, Instant::now()) else { return };
        if let Err(why) = self.able() {
            self.tell_unknown(outage, &why.message);
            return self.over(outage).await;
        }
        if self.livechat.ready().is_err() {
            return;
        }
        // The second look covers what is too young for the first one.
        let to_ms = (outage.ended_ms + OVERLAP_MS).min(now_ms() - OVERLAP_MS);
        if to_ms < outage.began_ms {
            return;
        }
        let Ok(_turn) = self.looking.try_lock() else { return };
        let report = self.look(outage.began_ms - OVERLAP_MS, to_ms).await;
        self.tell(&report, owed.is_news(report.loss()));
        let next = owed.looked(report.unfinished.is_none(), Instant::now());
        if next == Next::Over || report.is_lasting {
            self.over(outage).await;
        }
    }

    async fn over(&self, outage: Outage) {
        if let Err(error) = self.store.outage_is_over(outage).await {
            tracing::warn!(%error, "cannot note that it was looked what was missed; it will be looked again");
        }
    }

    /// Looks because an operator asks; between two times, milliseconds since 1970. What is younger than two minutes is left
    /// to come by itself.
    ///
    /// # Errors
    /// `unsupported` with the older API, `denied` without credentials, `conflict` while another look is under way, `invalid`
    /// if all of the time is too young.
    pub async fn ask(&self, from_ms: i64, to_ms: Option<i64>) -> Result<Report, Error> {
        self.able()?;
        let newest_ms = now_ms() - OVERLAP_MS;
        if from_ms > newest_ms {
            return Err(Error::new(
                Code::Invalid,
                "LiveChat may still bring what happened in the last two minutes: look later, or at what was before",
            ));
        }
        let to_ms = to_ms.unwrap_or(newest_ms).min(newest_ms);
        let _turn = self.looking.try_lock().map_err(|_| {
            Error::new(
                Code::Conflict,
                "a look at what was missed is under way already: ask again in a minute",
            )
        })?;
        let stopped = || Error::new(Code::Unavailable, "the host stops");
        let report = self.stop.run_until_cancelled(self.look(from_ms, to_ms)).await.ok_or_else(stopped)?;
        // Who asked is told what is lost.
        self.tell(&report, false);
        Ok(report)
    }

    /// Whether LiveChat can be asked at all.
    fn able(&self) -> Result<(), Error> {
        let livechat = &self.config.load().livechat;
        match livechat.api {
            Api::V2 => Err(Error::new(
                Code::Unsupported,
                "the older API (livechat.api = \"v2\") does not list what is needed to recover missed webhooks",
            )),
            Api::V36 if !livechat.has_identity() => Err(Error::new(
                Code::Denied,
                "the host has no credentials for the LiveChat API: set `token` and `account_id` under [livechat]",
            )),
            Api::V36 => Ok(()),
        }
    }

    async fn look(&self, from_ms: i64, to_ms: i64) -> Report {
        let now_ms = now_ms();
        let (routes, us) = (self.reception)();
        // Older dedupe keys may be gone: what was known would come twice.
        let days = i64::from(self.config.load().retention.dedupe_days);
        let known_from_ms = now_ms - days * DAY_MS + HOUR_MS;
        let span = Span { from_ms: from_ms.max(known_from_ms), to_ms, asked_from_ms: from_ms, now_ms };
        let organization = match self.config.load().livechat.organization.clone() {
            Some(organization) => Some(organization),
            None => self.store.organization().await.ok().flatten(),
        };
        tracing::info!(from = %time(span.from_ms), "looking what webhooks were missed");
        Look::new(self, span, routes, us, organization).run().await
    }

    /// Tells that nothing can be found out about an outage, unless no plugin waits for anything.
    fn tell_unknown(&self, outage: Outage, why: &str) {
        let (from, to) = (time(outage.began_ms), time(outage.ended_ms));
        let what =
            "webhooks may be missing that LiveChat gave up while the host was down, and nothing tells which";
        tracing::warn!(%from, %to, "{what}: {why}");
        if self.waits_for(|_| true) {
            self.missed.found(0, format!("from {from} to {to} {what}: {why}"), now_ms());
        }
    }

    /// Whether a plugin waits for one of these event types.
    fn waits_for(&self, is_one: impl Fn(&str) -> bool) -> bool {
        let (routes, _) = (self.reception)();
        routes.iter().any(|(event_type, plugins)| is_one(event_type) && !plugins.is_empty())
    }

    /// Tells of what was found; of what is lost where that is news.
    fn tell(&self, report: &Report, is_loss_news: bool) {
        for (event_type, count) in &report.recovered {
            self.measures.counter(MISSING, &[("type", event_type)]).increment(*count);
        }
        let missing = report.missing();
        let (calls, conversations) = (report.calls, report.conversations);
        match (&report.unfinished, missing) {
            (Some(why), _) => {
                tracing::warn!(missing, calls, conversations, "did not see all that was missed: {why}")
            }
            (None, 0) if !is_loss_news => tracing::info!(calls, conversations, "no webhook was missed"),
            (None, _) => tracing::warn!(missing, calls, conversations, "what webhooks were missed: {report}"),
        }
        if missing > 0 || is_loss_news || report.unfinished.is_some() {
            self.missed.found(missing, report.to_string(), now_ms());
        }
    }
}

/// A time for people and machines.
fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |time| format!("{time:.0}"))
}

fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}
