//! Webhooks that were refused lately. Anybody can send some, and only many mean that something is wrong.

use std::collections::{BTreeMap, VecDeque};

use crate::incident::{Condition, Key, Kind};
use crate::refusals::Refused;

/// Looks that are remembered: ten minutes.
const LOOKS: usize = 120;
/// So many within these looks are an incident: two webhooks, each with LiveChat's retries.
const MANY: u64 = 8;

/// The reasons that mean that webhooks of our own are refused, and what to do.
const TELLING: &[(&str, &str)] = &[
    (
        "wrong-secret",
        "was a secret replaced on one side only? `livechat.webhooks.secrets` lists those that are valid",
    ),
    ("wrong-signature", "does the gateway sign with one of `livechat.webhooks.secrets`?"),
    ("missing-secret", "webhooks are registered without a secret, or a stranger sends them"),
    ("unknown-format", "something that is no chat webhook is sent here"),
    ("no-secret-configured", "set `livechat.webhooks.secrets`"),
    ("other-organization", "is `livechat.organization` the right one?"),
];

/// The counts of the last looks.
#[derive(Default)]
pub(super) struct Recently {
    looks: VecDeque<BTreeMap<&'static str, u64>>,
}

impl Recently {
    /// Takes in the counts since the start; answers what is wrong by them.
    pub(super) fn look(&mut self, counts: BTreeMap<&'static str, Refused>) -> Vec<Condition> {
        let totals: BTreeMap<_, _> =
            counts.into_iter().map(|(reason, refused)| (reason, refused.total)).collect();
        let none = BTreeMap::new();
        let before = if self.looks.len() < LOOKS { &none } else { self.looks.front().unwrap_or(&none) };
        let recent = |reason| {
            let count = |totals: &BTreeMap<_, u64>| totals.get(reason).copied().unwrap_or(0);
            count(&totals).saturating_sub(count(before))
        };
        let many = TELLING.iter().map(|(reason, advice)| (*reason, *advice, recent(*reason)));
        let conditions = many.filter(|(.., count)| *count >= MANY).map(condition).collect();
        self.looks.push_back(totals);
        if self.looks.len() > LOOKS {
            self.looks.pop_front();
        }
        conditions
    }
}

fn condition((reason, advice, count): (&str, &str, u64)) -> Condition {
    let text = format!("{count} webhooks were refused in ten minutes ({reason}): {advice}");
    Condition { key: Key::new(Kind::Refused, reason), count, text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusals::Refusals;

    fn look(recently: &mut Recently, refusals: &Refusals) -> Vec<String> {
        recently.look(refusals.all()).into_iter().map(|condition| condition.key.subject).collect()
    }

    #[test]
    fn many_of_one_reason_in_ten_minutes_are_told_and_then_forgotten() {
        let (refusals, mut recently) = (Refusals::default(), Recently::default());
        let none: [&str; 0] = [];
        for _ in 1..MANY {
            refusals.count("wrong-secret", "incoming_chat");
            refusals.count("wrong-signature", "other");
            refusals.count("not-json", "none");
        }
        refusals.count("not-json", "none");
        assert_eq!(look(&mut recently, &refusals), none);
        refusals.count("wrong-secret", "incoming_event");
        for _ in 1..LOOKS {
            assert_eq!(look(&mut recently, &refusals), ["wrong-secret"]);
        }
        assert_eq!(look(&mut recently, &refusals), none);
        assert_eq!(recently.looks.len(), LOOKS);
    }

    #[test]
    fn a_few_over_a_long_time_are_nothing() {
        let (refusals, mut recently) = (Refusals::default(), Recently::default());
        for turn in 0..LOOKS * 20 {
            if turn % (LOOKS / 4) == 0 {
                refusals.count("wrong-secret", "other");
            }
            assert_eq!(look(&mut recently, &refusals).len(), 0, "{turn}");
        }
    }
}
