//! Counts webhooks that were refused: a rotated secret must not go unnoticed.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde::Serialize;

/// Refused webhooks since the start, by reason and claimed action. Both come from fixed lists, so that a
/// sender can't make the counters grow.
#[derive(Default)]
pub struct Refusals {
    counts: Mutex<BTreeMap<&'static str, BTreeMap<&'static str, u64>>>,
}

/// The counts of one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// In all.
    pub total: u64,
    /// By the action that the body claimed.
    pub by_action: BTreeMap<&'static str, u64>,
}

impl Refusals {
    /// Counts one; answers how many there are now of this reason and action.
    pub fn count(&self, reason: &'static str, action: &'static str) -> u64 {
        let mut counts = self.counts.lock().expect("nothing panics while it holds the counts");
        let count = counts.entry(reason).or_default().entry(action).or_default();
        *count += 1;
        *count
    }

    /// All counts, by reason.
    pub fn all(&self) -> BTreeMap<&'static str, Refused> {
        let counts = self.counts.lock().expect("nothing panics while it holds the counts");
        let refused = |by_action: &BTreeMap<_, u64>| Refused {
            total: by_action.values().sum(),
            by_action: by_action.clone(),
        };
        counts.iter().map(|(reason, by_action)| (*reason, refused(by_action))).collect()
    }
}
