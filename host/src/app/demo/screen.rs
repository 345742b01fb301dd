//! What is shown: which event reached which plugin, which action followed, and what the host says.

use std::collections::HashSet;
use std::io::Write;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::time::{Instant, sleep};

use super::home::{Home, PLUGINS};
use super::host::Host;
use super::words::{self, Asked, short};
use crate::simulator::livechat::PostState;
use crate::simulator::scenario::{self, Stage};
use crate::store::{DeliveryView, EventFilter, EventView, Reader};

/// How long the plugins may take until they run: they are compiled first.
const COMPILING: Duration = Duration::from_secs(180);
/// Between two looks at the store and the services.
const LOOK: Duration = Duration::from_millis(50);
/// The most events that are looked at.
const EVENTS: usize = 2_000;

/// The output, and what was written to it already.
pub(super) struct Screen<'a> {
    out: &'a mut dyn Write,
    /// What the story is played on.
    pub(super) stage: &'a Stage,
    host: &'a mut Host,
    reader: Reader,
    requests: HashSet<(Asked, u64)>,
    deliveries: HashSet<(String, String)>,
}

impl<'a> Screen<'a> {
    /// Shows a host that listens.
    pub(super) fn new(
        out: &'a mut dyn Write,
        stage: &'a Stage,
        host: &'a mut Host,
        home: &Home,
    ) -> anyhow::Result<Screen<'a>> {
        let reader = Reader::open(&home.data())?.context("the host has no store")?;
        let (requests, deliveries) = (HashSet::new(), HashSet::new());
        Ok(Screen { out, stage, host, reader, requests, deliveries })
    }

    /// Writes a line of the demo's own.
    pub(super) fn say(&mut self, line: &str) -> anyhow::Result<()> {
        Ok(writeln!(self.out, "{line}")?)
    }

    /// Waits until every plugin of the story runs.
    pub(super) async fn wait_for_plugins(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            self.refresh()?;
            let statuses = self.reader.plugin_statuses()?;
            if let Some(bad) = statuses.iter().find(|status| status.state == "rejected") {
                let name = bad.name.as_deref().or(bad.file.as_deref()).unwrap_or_default();
                bail!("the host does not run {name}: {}", bad.reason);
            }
            let is_active = |plugin: &&str| {
                statuses.iter().any(|known| known.name.as_deref() == Some(*plugin) && known.state == "active")
            };
            if PLUGINS.iter().all(|plugin| is_active(&plugin)) {
                return Ok(());
            }
            if began.elapsed() > COMPILING {
                let waiting: Vec<&str> = PLUGINS.into_iter().filter(|plugin| !is_active(plugin)).collect();
                bail!("not active after {} s: {}", COMPILING.as_secs(), waiting.join(", "));
            }
            sleep(LOOK).await;
        }
    }

    /// Waits until each webhook has come and each delivery had an attempt, then shows what is new.
    pub(super) async fn calm(&mut self, within: Duration) -> anyhow::Result<()> {
        self.until(within, |delivery| delivery.state != "pending" || delivery.attempts > 0).await
    }

    /// Waits until each webhook has come and each delivery has ended, then shows what is new.
    pub(super) async fn done(&mut self, within: Duration) -> anyhow::Result<()> {
        self.until(within, |delivery| delivery.state != "pending").await
    }

    async fn until(
        &mut self,
        within: Duration,
        is_quiet: impl Fn(&DeliveryView) -> bool,
    ) -> anyhow::Result<()> {
        let began = Instant::now();
        while began.elapsed() < within && !self.is_quiet(&is_quiet)? {
            self.host.check()?;
            sleep(LOOK).await;
        }
        self.refresh()
    }

    /// An action's webhooks leave before the action is answered, so nothing is on its way unseen.
    fn is_quiet(&self, is_quiet: impl Fn(&DeliveryView) -> bool) -> anyhow::Result<bool> {
        let under_way = |stage: &Stage| {
            stage.livechat.posted().iter().any(|posted| posted.state == PostState::UnderWay)
        };
        if under_way(self.stage) {
            return Ok(false);
        }
        let all_quiet = self.events()?.iter().flat_map(|event| &event.deliveries).all(is_quiet);
        Ok(all_quiet && !under_way(self.stage))
    }

    /// Shows what is new: the host's own lines, the events, and then the actions that followed.
    ///
    /// # Errors
    /// Those of the store and the output; the host has ended.
    pub(super) fn refresh(&mut self) -> anyhow::Result<()> {
        self.host.check()?;
        for line in self.host.lines() {
            writeln!(self.out, "  host      {line}")?;
        }
        for event in self.events()?.iter().rev() {
            for delivery in &event.deliveries {
                self.show_delivery(event, delivery)?;
            }
        }
        for asked in [Asked::LiveChat, Asked::HubSpot, Asked::Slack] {
            self.show_requests(asked)?;
        }
        Ok(())
    }

    fn show_delivery(&mut self, event: &EventView, delivery: &DeliveryView) -> anyhow::Result<()> {
        let what = match (delivery.state.as_str(), delivery.attempts) {
            ("pending", 0) => return Ok(()),
            ("pending", _) => "will be tried again",
            ("succeeded", _) => "handled",
            (state, _) => state,
        };
        if !self.deliveries.insert((delivery.id.clone(), what.to_owned())) {
            return Ok(());
        }
        let reason = match delivery.reason.as_deref() {
            Some(reason) if what != "handled" && !reason.is_empty() => format!(": {}", short(reason)),
            _ => String::new(),
        };
        let customer = event.chat_id.as_deref().and_then(|chat| customer_of(self.stage, chat));
        let (id, name, plugin) = (&event.id, &event.event_type, &delivery.plugin);
        let of = customer.map(|customer| format!(" ({customer})")).unwrap_or_default();
        Ok(writeln!(self.out, "  event     {id} {name}{of} -> {plugin}: {what}{reason}")?)
    }

    fn show_requests(&mut self, asked: Asked) -> anyhow::Result<()> {
        let stage = self.stage;
        let requests = match asked {
            Asked::LiveChat => stage.livechat.requests(),
            Asked::HubSpot => stage.hubspot.requests(),
            Asked::Slack => stage.slack.requests(),
        };
        for request in requests.all().iter().filter(|request| request.status.is_some()) {
            if self.requests.insert((asked, request.number))
                && let Some(words) = words::of(asked, request, &|chat| customer_of(stage, chat))
            {
                writeln!(self.out, "  {:8}  {words}", asked.title())?;
            }
        }
        Ok(())
    }

    fn events(&self) -> anyhow::Result<Vec<EventView>> {
        Ok(self.reader.events(&EventFilter { limit: EVENTS, ..EventFilter::default() })?)
    }
}

/// Whose chat it is, in the story.
fn customer_of(stage: &Stage, chat_id: &str) -> Option<&'static str> {
    let customers = scenario::steps().into_iter().map(|step| step.customer);
    customers.into_iter().find(|customer| stage.chat_of(customer).as_deref() == Some(chat_id))
}
