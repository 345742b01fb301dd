//! Picks changes of the config up while the host runs: checked first, and refused whole if wrong.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::services::{self, Edges};
use crate::config::Config;
use crate::connections::Connections;
use crate::heartbeat::Heartbeat;
use crate::http::Webhooks;
use crate::registry::{Marks, Registry, check_config};
use crate::store::Store;

/// How often the file, and the secrets it refers to, are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Everything that a new config changes.
pub(super) struct Reload {
    pub(super) path: PathBuf,
    /// The file's content as it was taken last; `config` may differ where a restart is needed.
    pub(super) taken: Config,
    pub(super) config: Arc<ArcSwap<Config>>,
    pub(super) registry: Arc<Registry>,
    pub(super) store: Store,
    pub(super) webhooks: Arc<Webhooks>,
    pub(super) edges: Edges,
    pub(super) changed: watch::Sender<()>,
    /// Beats each time that it has looked.
    pub(super) heartbeat: Arc<Heartbeat>,
}

impl Reload {
    /// Runs until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut said = String::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let problem = self.look().await.err().map(|error| format!("{error:#}")).unwrap_or_default();
            if problem != said && !problem.is_empty() {
                tracing::error!("the changed config is refused, the one before it goes on:\n{problem}");
            }
            said = problem;
            self.heartbeat.beat();
        }
    }

    async fn look(&mut self) -> anyhow::Result<()> {
        let next = Config::load(&self.path)?;
        let differences = self.taken.differences(&next);
        if differences.is_empty() {
            return Ok(());
        }
        self.check(&next).await?;
        let concerns = |section: &str| differences.iter().any(|difference| difference.contains(section));
        if concerns("connections") {
            self.edges.connections.replace(services::connections(&next))?;
        }
        // A new client knows nothing of the notes that the old one is just leaving: not without need.
        if concerns("livechat.") {
            self.edges.account.replace(&next.livechat)?;
        }
        if concerns("livechat.") || concerns("connections") {
            self.edges
                .destinations
                .replace(services::destinations(&next), |name| services::is_renewed(&differences, name));
        }
        let reception = services::reception(&next);
        // The data folder can't move under a running host. The config comes before the routes: what is
        // accepted by the new routes must not be skipped by the old config.
        let data_dir = self.config.load().data_dir.clone();
        self.config.store(Arc::new(Config { data_dir, ..next.clone() }));
        self.taken = next;
        self.webhooks.reception.store(Arc::new(reception));
        self.changed.send_replace(());
        tracing::info!("the config was changed: {}", differences.join("; "));
        Ok(())
    }

    /// What can only be known beside the plugins that run, and what the edges say.
    async fn check(&self, next: &Config) -> anyhow::Result<()> {
        self.edges.account.check(&next.livechat)?;
        Connections::new(services::connections(next))?;
        let marks = Marks::new(self.store.versions().await?);
        if let Err(reason) = check_config(&self.registry.all(), &marks, next) {
            bail!("{}: {reason}", self.path.display());
        }
        Ok(())
    }
}
