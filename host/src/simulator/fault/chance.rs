//! Faults by chance: what goes wrong how often, drawn from a seed.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::{ANY, Fault};

/// The chances of an operation are told in parts of this.
const WHOLE: u32 = 1_000;

/// A fault that hits a part of the requests.
#[derive(Clone, Debug)]
pub struct Chance {
    /// Which requests: an operation's name, `*` for all.
    pub operation: String,
    /// What hits them.
    pub fault: Fault,
    /// How many of 1,000.
    pub per_mille: u32,
}

/// The chances of a service, and the generator that draws.
#[derive(Debug, Default)]
pub(super) struct Chances {
    all: Vec<Chance>,
    generator: Option<Rng>,
}

impl Chances {
    pub(super) fn new(seed: u64, all: Vec<Chance>) -> Chances {
        Chances { all, generator: Some(Rng::with_seed(seed)) }
    }

    /// Draws for one request. Each request draws once, whatever hits it: which fault comes as the n-th depends on
    /// nothing but the seed and the operations before it.
    pub(super) fn draw(&mut self, operation: &str) -> Option<Fault> {
        let mut left = self.generator.as_mut()?.u32(..WHOLE);
        for chance in self.all.iter().filter(|chance| [operation, ANY].contains(&chance.operation.as_str())) {
            match left.checked_sub(chance.per_mille) {
                Some(rest) => left = rest,
                None => return Some(chance.fault.clone()),
            }
        }
        None
    }
}

/// How often each fault hit each operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hits(BTreeMap<(String, &'static str), Hit>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hit {
    count: u64,
    leaves_doubt: bool,
}

impl Hits {
    pub(super) fn add(&mut self, operation: &str, fault: &Fault) {
        let key = (operation.to_owned(), fault.as_str());
        let hit = self.0.entry(key).or_insert(Hit { count: 0, leaves_doubt: fault.leaves_doubt() });
        hit.count += 1;
    }

    /// The faults by name, over all operations.
    pub fn by_fault(&self) -> BTreeMap<&'static str, u64> {
        let mut sums = BTreeMap::new();
        for ((_, fault), hit) in &self.0 {
            *sums.entry(*fault).or_default() += hit.count;
        }
        sums
    }

    /// How often one of these operations ended so that its client can't know whether it was carried out.
    pub fn in_doubt(&self, operations: &[&str]) -> u64 {
        let doubtful = |(operation, _): &(String, &str), hit: &Hit| {
            hit.leaves_doubt && operations.contains(&operation.as_str())
        };
        self.0.iter().filter(|(key, hit)| doubtful(key, hit)).map(|(_, hit)| hit.count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chance(operation: &str, fault: Fault, per_mille: u32) -> Chance {
        Chance { operation: operation.to_owned(), fault, per_mille }
    }

    fn drawn(seed: u64, times: usize) -> Vec<Option<Fault>> {
        let all = vec![chance("send_event", Fault::Down, 200), chance(ANY, Fault::CutReply, 100)];
        let mut chances = Chances::new(seed, all);
        (0..times).map(|_| chances.draw("send_event")).collect()
    }

    #[test]
    fn a_seed_draws_the_same_faults_in_about_the_parts_that_were_told() {
        let faults = drawn(7, 10_000);
        assert_eq!(faults, drawn(7, 10_000));
        assert_ne!(faults, drawn(8, 10_000));
        let count = |fault: Option<Fault>| faults.iter().filter(|drawn| **drawn == fault).count();
        assert!((1_800..2_200).contains(&count(Some(Fault::Down))), "{}", count(Some(Fault::Down)));
        assert!((800..1_200).contains(&count(Some(Fault::CutReply))), "{}", count(Some(Fault::CutReply)));
        assert_eq!(Chances::default().draw("send_event"), None);
    }

    #[test]
    fn what_is_certain_always_hits_and_only_its_operation() {
        let mut chances = Chances::new(1, vec![chance("send_event", Fault::Down, WHOLE)]);
        assert!((0..100).all(|_| chances.draw("send_event") == Some(Fault::Down)));
        assert!((0..100).all(|_| chances.draw("get_chat").is_none()));
    }

    #[test]
    fn hits_are_counted_by_what_they_leave_behind() {
        let mut hits = Hits::default();
        hits.add("send_event", &Fault::Down);
        hits.add("send_event", &Fault::CutReply);
        hits.add("send_event", &Fault::Unauthorized);
        hits.add("get_chat", &Fault::CutReply);
        assert_eq!(hits.in_doubt(&["send_event"]), 2);
        assert_eq!(hits.in_doubt(&["send_event", "get_chat"]), 3);
        assert_eq!(hits.by_fault().get(Fault::CutReply.as_str()), Some(&2));
    }
}
