//! What is known of versions from earlier, as it decides which may run. A value.

use std::collections::{BTreeMap, BTreeSet};

use crate::store::KnownVersion;

/// Good versions of each plugin whose components are kept.
const KEPT: usize = 3;
/// And so many that were active last, whether they have proved themselves or not: going back from an update that was
/// dropped a moment ago must not wait for the compiler.
const LAST: usize = 2;

/// All versions that are known, by plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(BTreeMap<String, Vec<KnownVersion>>);

impl Marks {
    /// Those that the store has.
    pub fn new(known: Vec<KnownVersion>) -> Marks {
        let mut marks: BTreeMap<String, Vec<KnownVersion>> = BTreeMap::new();
        for version in known {
            marks.entry(version.name.plugin.clone()).or_default().push(version);
        }
        Marks(marks)
    }

    /// All versions of a plugin.
    pub fn all(&self, plugin: &str) -> impl Iterator<Item = &KnownVersion> {
        self.0.get(plugin).into_iter().flatten()
    }

    /// What is known of a version.
    pub fn of(&self, plugin: &str, hash: &str) -> Option<&KnownVersion> {
        self.all(plugin).find(|known| known.name.hash == hash)
    }

    /// Whether a version of a plugin waits for the operator where each update is to be approved: the first version
    /// of all, and what ran before, is no update.
    pub fn is_update(&self, plugin: &str, hash: &str) -> bool {
        let ran = |known: &KnownVersion| known.active_at_ms.is_some();
        let may = self.of(plugin, hash).is_some_and(|known| ran(known) || known.is_approved);
        !may && self.all(plugin).any(ran)
    }

    /// The versions that a plugin can go back to, the last one first: those that ran, without those that were
    /// taken back, and those on probation behind those that have proved themselves.
    pub fn good(&self, plugin: &str) -> Vec<&KnownVersion> {
        let ran = |known: &&KnownVersion| known.active_at_ms.is_some() && known.taken_back.is_none();
        let mut good: Vec<&KnownVersion> = self.all(plugin).filter(ran).collect();
        good.sort_by_key(|known| std::cmp::Reverse((known.is_proved, known.active_at_ms)));
        good
    }

    /// The content hashes whose components are kept: of each plugin the last three good ones, and the last two.
    pub fn kept(&self) -> BTreeSet<String> {
        let mut kept = BTreeSet::new();
        for plugin in self.0.keys() {
            let good = self.good(plugin);
            let mut last = good.clone();
            last.sort_by_key(|known| std::cmp::Reverse(known.active_at_ms));
            let both = good.iter().take(KEPT).chain(last.iter().take(LAST));
            kept.extend(both.map(|known| known.name.hash.clone()));
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{TakenBack, VersionName};

    /// A version of `p` that was active at a time and has proved itself.
    fn ran(hash: &str, active_at_ms: i64) -> KnownVersion {
        KnownVersion {
            name: VersionName {
                plugin: "p".into(),
                hash: hash.into(),
                release: "1".into(),
                asks: Vec::new(),
            },
            active_at_ms: Some(active_at_ms),
            is_proved: true,
            is_approved: false,
            strikes: 0,
            taken_back: None,
        }
    }

    fn bad(hash: &str, active_at_ms: i64) -> KnownVersion {
        let taken_back = Some(TakenBack { by: None, why: String::new() });
        KnownVersion { taken_back, ..ran(hash, active_at_ms) }
    }

    fn check(known: Vec<KnownVersion>, good: &[&str]) {
        let marks = Marks::new(known.clone());
        let hashes: Vec<&str> = marks.good("p").iter().map(|known| &*known.name.hash).collect();
        assert_eq!(hashes, good, "{known:#?}");
    }

    #[test]
    fn the_last_three_good_ones_are_kept_and_the_last_two_whether_proved_or_not() {
        let proved: Vec<KnownVersion> = (0..5).map(|number| ran(&number.to_string(), number)).collect();
        let on_probation = |hash, at| KnownVersion { is_proved: false, ..ran(hash, at) };
        let check = |more: Vec<KnownVersion>, kept: &[&str]| {
            let marks = Marks::new([proved.clone(), more].concat());
            assert_eq!(marks.kept(), kept.iter().map(|hash| (*hash).to_owned()).collect(), "{marks:#?}");
        };
        check(vec![], &["2", "3", "4"]);
        check(vec![on_probation("a", 5)], &["2", "3", "4", "a"]);
        check(vec![on_probation("a", 5), on_probation("b", 6)], &["2", "3", "4", "a", "b"]);
        check(
            vec![on_probation("a", 5), on_probation("b", 6), on_probation("c", 7)],
            &["2", "3", "4", "b", "c"],
        );
        check(vec![bad("a", 5), on_probation("b", 6)], &["2", "3", "4", "b"]);
    }

    #[test]
    fn the_last_good_ones_are_gone_back_to() {
        check(vec![], &[]);
        check(vec![ran("a", 1), ran("b", 3), ran("c", 2)], &["b", "c", "a"]);
        check(vec![ran("a", 1), bad("b", 3), ran("c", 2)], &["c", "a"]);
        let on_probation = KnownVersion { is_proved: false, ..ran("d", 9) };
        check(vec![ran("a", 1), on_probation, ran("c", 2)], &["c", "a", "d"]);
        let approved = KnownVersion { active_at_ms: None, is_approved: true, ..ran("e", 0) };
        check(vec![ran("a", 1), approved], &["a"]);
        check((0..5).map(|number| ran(&number.to_string(), number)).collect(), &["4", "3", "2", "1", "0"]);
    }

    #[test]
    fn an_update_is_what_neither_ran_nor_was_approved() {
        let approved = KnownVersion { active_at_ms: None, is_approved: true, ..ran("b", 0) };
        let waits = KnownVersion { active_at_ms: None, ..ran("c", 0) };
        let marks = Marks::new(vec![ran("a", 1), approved, waits]);
        let updates = ["a", "b", "c", "d"].map(|hash| marks.is_update("p", hash));
        assert_eq!(updates, [false, false, true, true]);
        assert!(!marks.is_update("another", "d"), "the first of all is none");
    }
}
