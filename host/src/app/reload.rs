//! Picks changes of the config up while the host runs: checked first, and refused whole if wrong.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use arc_swap::ArcSwap;
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::services::{self, Edges};
use crate::config::{Config, Plugin};
use crate::connections::Connections;
use crate::heartbeat::Heartbeat;
use crate::http::Webhooks;
use crate::registry::{Marks, Registry, check_config};
use crate::store::{DeedOfOperator, Store};

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
        // Off the threads that serve webhooks: the file may lie on a disk that hangs.
        let path = self.path.clone();
        let next =
            tokio::task::spawn_blocking(move || Config::load(&path)).await.context("reading panicked")??;
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
        if services::is_other_client(&differences) {
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
        let deed = deed(&self.taken, &next, &differences);
        self.taken = next;
        self.webhooks.reception.store(Arc::new(reception));
        self.changed.send_replace(());
        tracing::info!("the config was changed: {}", differences.join("; "));
        if let Err(error) = self.store.note_deed(deed, self.store.clock().now_ms()).await {
            tracing::error!(%error, "the change of the config could not be written into the audit log");
        }
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

/// Differences of a config that the audit log tells one by one.
const TOLD_MAX: usize = 100;

/// What the audit log tells of a change of the file, whoever made it: which keys are other ones, and what plugins were
/// allowed and are. No values of other keys: some of them are secret, or were meant to be.
fn deed(old: &Config, new: &Config, differences: &[String]) -> DeedOfOperator {
    let mut changes = differences[..differences.len().min(TOLD_MAX)].to_vec();
    if differences.len() > TOLD_MAX {
        changes.push(format!("and {} more", differences.len() - TOLD_MAX));
    }
    DeedOfOperator {
        who: "config".to_owned(),
        action: "config.changed",
        subject: "the config file".to_owned(),
        before: Some(json!({ "plugins": rights(old, new) })),
        after: Some(json!({ "changes": changes, "plugins": rights(new, old) })),
    }
}

/// What plugins get and may, of those that get or may something else by the other config.
fn rights(config: &Config, other: &Config) -> Map<String, Value> {
    let of = |plugin: &Plugin| {
        let grants: Vec<String> = plugin.policy.grants.iter().map(ToString::to_string).collect();
        json!({
            "enabled": plugin.enabled, "events": plugin.events, "grants": grants, "denies": plugin.policy.denies,
        })
    };
    let changed = config.plugins.iter().map(|(name, plugin)| (name, of(plugin)));
    let changed = changed.filter(|(name, is)| other.plugins.get(*name).map(of).as_ref() != Some(is));
    changed.map(|(name, is)| (name.to_string(), is)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_audit_log_tells_what_plugins_were_allowed_and_are_and_no_secret() {
        let config = |text: &str, secret: &str| {
            Config::parse(text, "chatplug.toml", &|_: &str| Some(secret.to_owned())).expect("a config")
        };
        let text = "[livechat]\naccount_id = \"a\"\ntoken = { env = \"T\" }\n[plugin.p]\nevents = [\"chat_rated\"]\n";
        let old =
            config(&format!("{text}grants = [\"chats.tag\"]\n[plugin.same]\nevents = []\n"), "first-secret");
        let new = config(
            &format!(
                "{text}grants = [\"chats.*\"]\ndenies = [\"chats.untag\"]\n[plugin.same]\nevents = []\n"
            ),
            "second-secret",
        );
        let differences = old.differences(&new);
        let told = deed(&old, &new, &differences);
        let p = |grants: Value, denies: Value| json!({ "p": { "enabled": true, "events": ["chat_rated"], "grants": grants, "denies": denies } });
        assert_eq!(told.before, Some(json!({ "plugins": p(json!(["chats.tag"]), json!([])) })));
        let after = told.after.expect("something");
        assert_eq!(after["plugins"], p(json!(["chats.*"]), json!(["chats.untag"])));
        let changes = after["changes"].to_string();
        assert!(
            changes.contains("`livechat.token` changed") && changes.contains("plugin.p.grants"),
            "{changes}"
        );
        assert!(!after.to_string().contains("secret"), "{after}");
        let many: Vec<String> = (0..1_000).map(|number| number.to_string()).collect();
        let told = deed(&old, &new, &many).after.expect("something");
        assert_eq!(told["changes"].as_array().map(Vec::len), Some(TOLD_MAX + 1), "however much it is");
    }
}
