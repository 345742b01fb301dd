//! The services, and the host that works with them.

use std::time::{Duration, Instant};

use anyhow::bail;
use chatplug::simulator::livechat::{self, Opening};
use chatplug::simulator::{Hits, Ledger, Livechat, ledger};
use chatplug::store::{self, Reader};
use fastrand::Rng;
use serde_json::Value;

use super::Report;
use super::load::Talk;
use crate::disk::{Disk, Left};
use crate::{Host, guest};

/// The operations that do harm when they are carried out twice.
const ACTIONS: [&str; 2] = ["send_event", "entries.create"];

pub(super) struct Stage {
    pub(super) livechat: Livechat,
    pub(super) ledger: Ledger,
    pub(super) host: Host,
    /// What is under the host's store, where its power is cut.
    disk: Option<Disk>,
}

impl Stage {
    /// `disk`: what its random choices are drawn from, where the power is to be cut.
    pub(super) async fn new(disk: Option<u64>) -> anyhow::Result<Stage> {
        let (livechat, ledger) = (Livechat::start().await?, Ledger::start().await?);
        let config = format!(
            r#"
[livechat]
base_url = "{}"
allow_private = true
rate = 1000
account_id = "{}"
token = {{ env = "LIVECHAT_PAT" }}

[connections.ledger]
kind = "generic"
base_url = "{}"
allow_private = true
rate = 1000
bearer = {{ env = "LEDGER_TOKEN" }}

[plugin.worker]
events = ["incoming_event"]
grants = ["chats.send-note", "chats.tag", "http:ledger"]

[plugin.worker.limits]
actions_per_chat_minute = 1000
"#,
            livechat.base_url(),
            livechat::ACCOUNT_ID,
            ledger.base_url()
        );
        let mut host = Host::prepared(&config, &[guest("guest_worker")])
            .env("LIVECHAT_PAT", livechat::PAT)
            .env("LEDGER_TOKEN", ledger::TOKEN)
            .env("CHATPLUG_LOG", "warn");
        // No later host lives long enough to compile the plugin.
        host.run();
        host.wait_for_plugin("worker", "active");
        if !host.stop() {
            bail!("the first host did not stop well:\n{}", host.log_end());
        }
        let (host, disk) = match disk {
            Some(seed) => {
                let (host, disk) = Disk::under(host, seed);
                (host, Some(disk))
            }
            None => (host, None),
        };
        Ok(Stage { livechat, ledger, host, disk })
    }

    /// Cuts the power of the machine whose host has ended, if there is a disk under it. The services are other machines:
    /// what they saved stays.
    pub(super) fn cut_power(&mut self, report: &mut Report) {
        let Some(disk) = &mut self.disk else { return };
        // In turns: a short run has to see both.
        let (left, name) = match report.power_cuts.values().sum::<u64>() % 2 {
            0 => (Left::Synced, "what was synced"),
            _ => (Left::Torn, "the same, and torn pieces of the rest"),
        };
        disk.cut_power(left);
        report.power_cut(name);
        report.damaged += usize::from(store::check(&self.host.data().join("chatplug.db")).is_err());
    }

    /// Opens chats, numbered from `first`. The host's user is in each second one from the start; into the others
    /// it has to come for each note, and must leave them.
    pub(super) fn open(&self, count: usize, first: usize, rng: &mut Rng) -> anyhow::Result<Vec<Talk>> {
        (first..first + count)
            .map(|number| {
                let chat = self.livechat.start_chat(&Opening::by(&format!("Customer {number}")))?;
                let is_member = number % 2 == 0;
                if is_member {
                    self.livechat.agent_joins(&chat.chat_id, livechat::PAT_OWNER)?;
                }
                Ok(Talk::new(number, chat.chat_id, is_member, rng.fork()))
            })
            .collect()
    }

    pub(super) fn hits(&self) -> [Hits; 2] {
        [self.livechat.faults().hits(), self.ledger.faults().hits()]
    }

    /// How many actions have ended so that the host couldn't know whether they were carried out.
    pub(super) fn in_doubt(&self) -> u64 {
        self.hits().iter().map(|hits| hits.in_doubt(&ACTIONS)).sum()
    }

    /// From now on the services work.
    pub(super) fn calm(&self) {
        self.livechat.faults().clear();
        self.ledger.faults().clear();
    }

    /// Whether the host's user is in a chat.
    pub(super) fn is_in(&self, talk: &Talk) -> bool {
        let chat = self.livechat.chat(&talk.chat_id).unwrap_or_default();
        let present = |user: &Value| user["id"] == livechat::PAT_OWNER && user["present"] == true;
        chat["users"].as_array().is_some_and(|users| users.iter().any(present))
    }

    /// Returns once the host has left the chats that it only visits, or after `patience`: what is left then is told
    /// by the report.
    pub(super) async fn left(&self, talks: &[Talk], patience: Duration) {
        let end = Instant::now() + patience;
        while Instant::now() < end && talks.iter().any(|talk| !talk.is_member && self.is_in(talk)) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Returns once nothing is pending. A host that finishes none for `patience` is stuck.
    pub(super) async fn drained(&mut self, patience: Duration) -> anyhow::Result<()> {
        let (mut fewest, mut since) = (u64::MAX, Instant::now());
        loop {
            let pending = match Reader::open(&self.host.data())? {
                Some(reader) => reader.pending()?,
                None => bail!("the data folder has no store"),
            };
            if pending == 0 {
                return Ok(());
            }
            if let Some(status) = self.host.ended() {
                bail!("the last host ended ({status}):\n{}", self.host.log_end());
            }
            if pending < fewest {
                (fewest, since) = (pending, Instant::now());
            }
            if since.elapsed() > patience {
                bail!("{pending} deliveries stay pending for {patience:?}:\n{}", self.host.log_end());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
