//! The heartbeats of the loops: by them `/healthz`, the notifier and `/metrics` tell which of them still turn.

use std::sync::Arc;

use crate::heartbeat::Heartbeat;

/// One for each loop that does something by itself.
#[derive(Default)]
pub(super) struct Beats {
    pub(super) dispatcher: Arc<Heartbeat>,
    pub(super) watcher: Arc<Heartbeat>,
    pub(super) scheduler: Arc<Heartbeat>,
    pub(super) keeper: Arc<Heartbeat>,
    pub(super) reload: Arc<Heartbeat>,
    pub(super) destinations: Arc<Heartbeat>,
    pub(super) visits: Arc<Heartbeat>,
    pub(super) recovery: Arc<Heartbeat>,
    pub(super) registrations: Arc<Heartbeat>,
    pub(super) notifier: Arc<Heartbeat>,
}

impl Beats {
    /// Those that the notifier looks at.
    pub(super) fn others(&self) -> Vec<(&'static str, Arc<Heartbeat>)> {
        vec![
            ("dispatcher", self.dispatcher.clone()),
            ("watcher", self.watcher.clone()),
            ("scheduler", self.scheduler.clone()),
            ("keeper", self.keeper.clone()),
            ("reload", self.reload.clone()),
            ("destinations", self.destinations.clone()),
            ("visits", self.visits.clone()),
            ("recovery", self.recovery.clone()),
            ("registrations", self.registrations.clone()),
        ]
    }

    pub(super) fn all(&self) -> Vec<(&'static str, Arc<Heartbeat>)> {
        [self.others(), vec![("notifier", self.notifier.clone())]].concat()
    }
}
