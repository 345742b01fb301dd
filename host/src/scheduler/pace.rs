//! How fast the timers of a plugin become events: one that sets each anew for now would fill the disk, and with that stop
//! everybody's webhooks.

use std::collections::{BTreeMap, HashMap};

/// Timers of a plugin that may become events at once.
const BURST: f64 = 1_000.0;
/// And in the long run, each second: a job that works in slices takes one for each slice.
const PER_SECOND: f64 = 20.0;

/// What each plugin has left. One that has nothing left to spare is not remembered for longer than it takes to recover.
#[derive(Debug, Default)]
pub(super) struct Pace(HashMap<String, Left>);

#[derive(Debug, Clone, Copy)]
struct Left {
    timers: f64,
    at_ms: i64,
}

/// The plugins whose timers wait.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Resting {
    /// Their names.
    pub(super) plugins: Vec<String>,
    /// When the first of them may go on, milliseconds since 1970.
    pub(super) until_ms: Option<i64>,
}

impl Left {
    /// What is left by now.
    fn by(self, now_ms: i64) -> f64 {
        let passed_s = (now_ms - self.at_ms).max(0) as f64 / 1e3;
        (self.timers + passed_s * PER_SECOND).min(BURST)
    }
}

impl Pace {
    /// The plugins that have used up what they may.
    pub(super) fn resting(&mut self, now_ms: i64) -> Resting {
        self.0.retain(|_, left| left.by(now_ms) < BURST);
        let mut resting = Resting::default();
        for (plugin, left) in &mut self.0 {
            // If the clock was put back, what passes is counted from there.
            left.at_ms = left.at_ms.min(now_ms);
            let timers = left.by(now_ms);
            if timers < 1.0 {
                resting.plugins.push(plugin.clone());
                let until_ms = now_ms + ((1.0 - timers) / PER_SECOND * 1e3).ceil() as i64;
                resting.until_ms = Some(resting.until_ms.map_or(until_ms, |first| first.min(until_ms)));
            }
        }
        resting
    }

    /// Counts timers that became events; answers the plugins that have to rest from now on.
    pub(super) fn fired<'a>(&mut self, by_plugin: &'a BTreeMap<String, u32>, now_ms: i64) -> Vec<&'a str> {
        let mut tired = Vec::new();
        for (plugin, count) in by_plugin {
            let left = self.0.entry(plugin.clone()).or_insert(Left { timers: BURST, at_ms: now_ms });
            let timers = left.by(now_ms) - f64::from(*count);
            *left = Left { timers, at_ms: now_ms };
            if timers < 1.0 {
                tired.push(plugin.as_str());
            }
        }
        tired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_whose_timers_never_end_rests_and_the_others_do_not() {
        let mut pace = Pace::default();
        let count = |plugin: &str, count| BTreeMap::from([(plugin.to_owned(), count)]);
        assert!(pace.fired(&count("calm", 1), 0).is_empty());
        let mut fired = 0;
        // As fast as it can, for a minute.
        for ms in 0..60_000 {
            let resting = pace.resting(ms);
            assert!(!resting.plugins.contains(&"calm".to_owned()));
            if resting.plugins.is_empty() {
                pace.fired(&count("wild", 16), ms);
                fired += 16;
            } else {
                assert!(resting.until_ms.is_some_and(|until_ms| until_ms > ms));
            }
        }
        assert!((2_100..=2_300).contains(&fired), "a thousand at once, and twenty each second: {fired}");
        assert_eq!(pace.resting(600_000), Resting::default());
        assert!(pace.0.is_empty(), "nobody is remembered for ever");
    }

    #[test]
    fn a_clock_that_is_put_back_gives_nothing_and_takes_nothing() {
        let mut pace = Pace::default();
        let all = BTreeMap::from([("p".to_owned(), 1_000)]);
        assert_eq!(pace.fired(&all, 10_000), ["p"]);
        assert_eq!(pace.resting(5_000).until_ms, Some(5_050));
        assert_eq!(pace.resting(5_050), Resting::default());
    }
}
