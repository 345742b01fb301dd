//! How many requests were sent to LiveChat, which bills each: in all, and for each plugin.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Plugins with a count of their own; what others send is counted together, under [`OTHERS`].
pub const PLUGINS_MAX: usize = 1_000;
/// The name of the plugins that came when [`PLUGINS_MAX`] had a count.
pub const OTHERS: &str = "(others)";
/// The name of what the host asks for itself.
pub const HOST: &str = "(host)";

/// Counts requests by plugin.
#[derive(Debug, Default)]
pub struct Tally {
    plugins: RwLock<BTreeMap<Arc<str>, AtomicU64>>,
}

impl Tally {
    /// Counts one request of a plugin.
    pub fn count(&self, plugin: &str) {
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = plugins.get(plugin) {
            count.fetch_add(1, Ordering::Relaxed);
            return;
        }
        drop(plugins);
        let mut plugins = self.plugins.write().unwrap_or_else(PoisonError::into_inner);
        let is_known = plugins.contains_key(plugin) || plugins.len() < PLUGINS_MAX;
        let name = if is_known { plugin } else { OTHERS };
        *plugins.entry(Arc::from(name)).or_default().get_mut() += 1;
    }

    /// The counts since the host started, by plugin.
    pub fn by_plugin(&self) -> BTreeMap<Arc<str>, u64> {
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        plugins.iter().map(|(plugin, count)| (plugin.clone(), count.load(Ordering::Relaxed))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_plugin_has_its_count_and_the_map_a_bound() {
        let tally = Tally::default();
        for _ in 0..3 {
            tally.count("notes");
        }
        tally.count(HOST);
        let expected = BTreeMap::from([(Arc::from("notes"), 3), (Arc::from(HOST), 1)]);
        assert_eq!(tally.by_plugin(), expected);
        for number in 0..PLUGINS_MAX + 10 {
            tally.count(&format!("plugin-{number}"));
        }
        let counts = tally.by_plugin();
        assert_eq!(counts.len(), PLUGINS_MAX + 1);
        assert_eq!(counts[OTHERS], 12);
        assert_eq!(counts.values().sum::<u64>(), 3 + 1 + PLUGINS_MAX as u64 + 10);
    }
}
