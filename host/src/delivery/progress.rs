//! What plugins say while they do what an operator waits for: the last lines of a few deliveries.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use super::DeliveryId;

/// Deliveries of which lines are kept, the newest.
const DELIVERIES_MAX: usize = 64;
/// Lines of each of them, the last.
const LINES_MAX: usize = 1_000;

/// Lines by delivery, shared by those who write and those who read.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Mutex<BTreeMap<DeliveryId, Lines>>>);

#[derive(Debug, Default)]
struct Lines {
    /// How many lines were dropped before the first one here.
    dropped: u64,
    lines: VecDeque<String>,
}

/// What was said from some line on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The lines.
    pub lines: Vec<String>,
    /// The number of the next line.
    pub next: u64,
}

impl Progress {
    /// One more line of a delivery.
    pub fn say(&self, delivery: DeliveryId, line: String) {
        let mut all = self.0.lock().expect("nothing panics while it holds the lines");
        let of = all.entry(delivery).or_default();
        of.lines.push_back(line);
        if of.lines.len() > LINES_MAX {
            of.lines.pop_front();
            of.dropped += 1;
        }
        while all.len() > DELIVERIES_MAX {
            all.pop_first();
        }
    }

    /// Of how many deliveries lines are kept.
    pub fn kept(&self) -> usize {
        self.0.lock().expect("nothing panics while it holds the lines").len()
    }

    /// The lines of a delivery from number `from` on; those that are not kept any more are left out.
    pub fn said(&self, delivery: DeliveryId, from: u64) -> Said {
        let all = self.0.lock().expect("nothing panics while it holds the lines");
        let Some(Lines { dropped, lines }) = all.get(&delivery) else {
            return Said { lines: Vec::new(), next: from };
        };
        let skipped = usize::try_from(from.saturating_sub(*dropped)).unwrap_or(usize::MAX);
        Said {
            lines: lines.iter().skip(skipped).cloned().collect(),
            next: (dropped + lines.len() as u64).max(from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_from_where_one_has_come_to_and_only_the_last_are_kept() {
        let progress = Progress::default();
        let said = |from| progress.said(DeliveryId(1), from);
        assert_eq!(said(0), Said::default());
        for line in 0..1_005 {
            progress.say(DeliveryId(1), line.to_string());
        }
        let all = said(0);
        assert_eq!((all.lines.len(), all.lines[0].as_str(), all.next), (1_000, "5", 1_005));
        assert_eq!(said(1_003).lines, ["1003", "1004"]);
        assert_eq!(said(1_005), Said { lines: vec![], next: 1_005 });
        for other in 2..=65 {
            progress.say(DeliveryId(other), String::new());
        }
        assert_eq!(said(0), Said::default());
    }
}
