//! The doubts that are being settled: deliveries that wait, with their lanes, until a service says whether an action took
//! place. Nothing of them is past due, since they are looked at again and again.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::DeliveryId;

/// A doubt that lasts longer than this is told of.
pub const TOLD_AFTER: Duration = Duration::from_secs(5 * 60);

/// Shared by who settles them and who tells of them. There are no more than deliveries that wait in memory.
#[derive(Clone, Debug, Default)]
pub struct Doubts(Arc<Mutex<HashMap<DeliveryId, Doubt>>>);

#[derive(Debug)]
struct Doubt {
    plugin: Arc<str>,
    lasting: Duration,
}

/// Of one plugin, the doubts that have lasted for longer than [`TOLD_AFTER`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lasting {
    /// How many.
    pub count: u64,
    /// How long the longest one.
    pub longest: Duration,
}

impl Doubts {
    /// A doubt has lasted for so long and is not over. Whether it is to be told of: once for each.
    pub fn goes_on(&self, delivery: DeliveryId, plugin: &Arc<str>, lasting: Duration) -> bool {
        let mut doubts = self.lock();
        let before = doubts.insert(delivery, Doubt { plugin: plugin.clone(), lasting });
        lasting >= TOLD_AFTER && before.is_none_or(|before| before.lasting < TOLD_AFTER)
    }

    /// It is over, or somebody else's.
    pub fn ended(&self, delivery: DeliveryId) {
        let mut doubts = self.lock();
        doubts.remove(&delivery);
        if doubts.is_empty() {
            doubts.shrink_to_fit();
        }
    }

    /// Those that last, by plugin.
    pub fn lasting(&self) -> BTreeMap<Arc<str>, Lasting> {
        let mut all: BTreeMap<Arc<str>, Lasting> = BTreeMap::new();
        for Doubt { plugin, lasting } in self.lock().values().filter(|doubt| doubt.lasting >= TOLD_AFTER) {
            let of = all.entry(plugin.clone()).or_default();
            *of = Lasting { count: of.count + 1, longest: of.longest.max(*lasting) };
        }
        all
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DeliveryId, Doubt>> {
        self.0.lock().expect("nothing panics while it holds the doubts")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubt_is_told_of_once_when_it_lasts_and_counted_until_it_is_over() {
        let (doubts, plugin) = (Doubts::default(), Arc::<str>::from("notes"));
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let goes_on = |delivery, lasting| doubts.goes_on(DeliveryId(delivery), &plugin, minutes(lasting));
        assert!(!goes_on(1, 0) && !goes_on(1, 4) && doubts.lasting().is_empty());
        assert!(goes_on(1, 5) && !goes_on(1, 6), "once");
        assert!(!goes_on(2, 1) && goes_on(2, 9));
        let lasting = Lasting { count: 2, longest: minutes(9) };
        assert_eq!(doubts.lasting(), BTreeMap::from([(plugin.clone(), lasting)]));
        doubts.ended(DeliveryId(2));
        let lasting = Lasting { count: 1, longest: minutes(6) };
        assert_eq!(doubts.lasting(), BTreeMap::from([(plugin.clone(), lasting)]));
        doubts.ended(DeliveryId(1));
        assert!(doubts.lasting().is_empty());
        assert!(goes_on(1, 5), "another one");
    }
}
