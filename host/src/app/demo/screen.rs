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
            if PLUGINS.iter().all(&is_active) {
                return Ok(());
            }
            if began.elapsed() > COMPILING {
                let waiting: Vec<&str> = PLUGINS.into_iter().filter(|plugin| !is_active(plugin)).collect();
                bail!("not active after {} s: {}", COMPILING.as_secs(), waiting.join(", "));
            }
            sleep(LOOK).await;
        }
    }

    /// Waits until each webhook has come and what can be delivered has been tried, then shows what is new.
    pub(super) async fn calm(&mut self, within: Duration) -> anyhow::Result<()> {
        self.until(within, is_calm).await
    }

    /// Waits until each webhook has come and each delivery has ended, then shows what is new.
    pub(super) async fn done(&mut self, within: Duration) -> anyhow::Result<()> {
        self.until(within, |events| events.iter().flat_map(|event| &event.deliveries).all(has_ended)).await
    }

    async fn until(&mut self, within: Duration, is_so: impl Fn(&[EventView]) -> bool) -> anyhow::Result<()> {
        let began = Instant::now();
        while began.elapsed() < within && !self.is_quiet(&is_so)? {
            self.host.check()?;
            sleep(LOOK).await;
        }
        self.refresh()
    }

    /// An action's webhooks leave before the action is answered, so nothing is on its way unseen.
    fn is_quiet(&self, is_so: impl Fn(&[EventView]) -> bool) -> anyhow::Result<bool> {
        let under_way =
            |stage: &Stage| stage.livechat.posted().iter().any(|posted| posted.state == PostState::UnderWay);
        Ok(!under_way(self.stage) && is_so(&self.events()?) && !under_way(self.stage))
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
        for event in self.events()? {
            for delivery in &event.deliveries {
                self.show_delivery(&event, delivery)?;
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
        let mut lines: Vec<(String, u32)> = Vec::new();
        for request in requests.all().iter().filter(|request| request.status.is_some()) {
            if !self.requests.insert((asked, request.number)) {
                continue;
            }
            let Some(words) = words::of(asked, request, &|chat| customer_of(stage, chat)) else { continue };
            match lines.last_mut() {
                Some((last, count)) if *last == words => *count += 1,
                _ => lines.push((words, 1)),
            }
        }
        for (words, count) in lines {
            let times = if count == 1 { String::new() } else { format!(" ({count} times)") };
            writeln!(self.out, "  {:8}  {words}{times}", asked.title())?;
        }
        Ok(())
    }

    /// The newest events, in the order in which they came.
    fn events(&self) -> anyhow::Result<Vec<EventView>> {
        let mut events = self.reader.events(&EventFilter { limit: EVENTS, ..EventFilter::default() })?;
        events.reverse();
        Ok(events)
    }
}

/// Whether nothing is to be expected at once: each delivery has ended, waits to be tried again, or waits
/// behind such a one of its chat.
fn is_calm(events: &[EventView]) -> bool {
    let mut held_up = HashSet::new();
    for event in events {
        for delivery in event.deliveries.iter().filter(|delivery| !has_ended(delivery)) {
            let lane = (&delivery.plugin, &event.chat_id);
            if delivery.attempts > 0 {
                held_up.insert(lane);
            } else if event.chat_id.is_none() || !held_up.contains(&lane) {
                return false;
            }
        }
    }
    true
}

fn has_ended(delivery: &DeliveryView) -> bool {
    delivery.state != "pending"
}

/// Whose chat it is, in the story.
fn customer_of(stage: &Stage, chat_id: &str) -> Option<&'static str> {
    let mut customers = scenario::steps().into_iter().map(|step| step.customer);
    customers.find(|customer| stage.chat_of(customer).as_deref() == Some(chat_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(chat: &str, plugin: &str, state: &str, attempts: u32) -> EventView {
        let delivery = DeliveryView {
            id: "dl-1".into(),
            plugin: plugin.into(),
            state: state.into(),
            attempts,
            outcome: None,
            reason: None,
            version: None,
            due_at: None,
            ended_at: None,
            crash: None,
            log: None,
            steps: None,
        };
        EventView {
            id: "ev-1".into(),
            event_type: "incoming_chat".into(),
            source: "livechat".into(),
            chat_id: Some(chat.into()),
            thread_id: None,
            occurred_at: None,
            received_at: String::new(),
            possible_duplicate: false,
            recovered: false,
            own: None,
            trace: None,
            deliveries: vec![delivery],
            payload: None,
            removed: None,
            extra: None,
        }
    }

    fn check(events: &[EventView], expected: bool) {
        assert_eq!(is_calm(events), expected, "{events:#?}");
    }

    #[test]
    fn it_is_calm_when_only_retries_are_to_come() {
        let (ended, new) = (event("C1", "crm-notes", "succeeded", 1), event("C1", "crm-notes", "pending", 0));
        let retried = event("C1", "crm-notes", "pending", 2);
        check(&[], true);
        check(&[ended.clone(), retried.clone()], true);
        check(&[ended, new.clone()], false);
        check(&[retried.clone(), new.clone()], true);
        check(&[new, retried.clone()], false);
        check(&[retried.clone(), event("C2", "crm-notes", "pending", 0)], false);
        check(&[retried, event("C1", "routing-rules", "pending", 0)], false);
    }
}
