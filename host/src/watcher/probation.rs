//! How probations end: the new version has proved itself, or the host goes back.

use super::Watcher;
use super::decide::version_name;
use super::state::{Active, State};
use crate::registry::probation::Standing;

impl Watcher {
    /// Looks where the versions on probation stand. Answers whether something else is to be decided now.
    pub(super) async fn settle(&self, state: &mut State) -> bool {
        let now_ms = self.now_ms();
        let mut is_new = false;
        let plugins: Vec<String> = state.active.keys().cloned().collect();
        for plugin in plugins {
            let Some(active) = state.active.get(&plugin).cloned() else { continue };
            let Some(trial) = &active.trial else { continue };
            let (standing, strikes) = trial.standing(now_ms);
            let next = match standing {
                Standing::Open => self.strike(active, strikes).await,
                Standing::Proved => self.accept(active, now_ms).await,
                Standing::Failed => self.go_back(active, strikes, now_ms).await,
            };
            if let Some(next) = next {
                is_new |= next.trial.is_none();
                state.active.insert(plugin, next);
            }
        }
        if is_new && let Some(marks) = self.marks().await {
            state.marks = marks;
        }
        is_new
    }

    /// Records the strikes of a version, so that a restart doesn't forget them.
    async fn strike(&self, active: Active, strikes: u32) -> Option<Active> {
        if strikes == active.strikes {
            return None;
        }
        let name = version_name(&active.version);
        match self.store.version_struck(name.plugin, name.hash, strikes).await {
            Ok(()) => Some(Active { strikes, ..active }),
            // Tried again at the next turn.
            Err(_) => None,
        }
    }

    async fn accept(&self, active: Active, now_ms: i64) -> Option<Active> {
        let name = version_name(&active.version);
        let (plugin, version) = (name.plugin.clone(), name.hash.clone());
        let why = "its probation is over".to_owned();
        match self.store.version_proved(name, why, now_ms).await {
            Ok(()) => {
                tracing::info!(plugin, version, "a version of {plugin} has proved itself");
                Some(Active { trial: None, ..active })
            }
            Err(error) => {
                tracing::warn!(plugin, %error, "cannot record that a version has proved itself; trying again");
                None
            }
        }
    }

    /// Takes a version back. Its attempts run on the older one already.
    async fn go_back(&self, active: Active, strikes: u32, now_ms: i64) -> Option<Active> {
        let standby = active.trial.as_ref()?.standby.clone();
        let name = version_name(&active.version);
        let (plugin, version) = (name.plugin.clone(), name.hash.clone());
        let why = format!(
            "it trapped or exceeded a limit {strikes} times where {} did not, and was taken back",
            standby.hash
        );
        let said =
            format!("a version of {plugin} was taken back: {why}; the log says above with which events");
        match self.store.take_version_back(name, standby.hash.clone(), why, None, now_ms).await {
            Ok(()) => {
                tracing::error!(plugin, version, serving = standby.hash, "{said}");
                let back = Active { version: standby, trial: None, strikes: 0, ..active };
                let why = "the host went back to it".to_owned();
                let (name, file) = (version_name(&back.version), back.file.clone());
                if let Err(error) = self.store.version_became_active(name, file, true, why, now_ms).await {
                    tracing::warn!(plugin, %error, "cannot record the active version; it runs all the same");
                }
                Some(back)
            }
            Err(error) => {
                tracing::warn!(plugin, %error, "cannot record that a version was taken back; trying again");
                None
            }
        }
    }
}
