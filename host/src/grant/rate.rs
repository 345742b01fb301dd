//! Rates: how often a plugin may use a grant within a minute, in all its attempts together.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

const WINDOW: Duration = Duration::from_secs(60);
/// Grants whose use is remembered. The config has fewer; what it had before is forgotten.
const REMEMBERED_MAX: usize = 10_000;

/// A grant with a rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rated {
    /// Which: the same text is the same grant.
    pub grant: String,
    /// How often it may be used within a minute.
    pub per_minute: u32,
}

/// What was used within the last minute.
#[derive(Debug, Default)]
pub struct Rates {
    uses: HashMap<(String, String), VecDeque<Duration>>,
}

impl Rates {
    /// Uses the first of a plugin's grants that has a use left; answers which. `now` is the time since a moment that
    /// is the same in all calls.
    ///
    /// # Errors
    /// How long until one has a use left.
    pub fn take<'a>(
        &mut self,
        plugin: &str,
        rated: &'a [Rated],
        now: Duration,
    ) -> Result<&'a Rated, Duration> {
        let mut wait = WINDOW;
        if self.uses.len() > REMEMBERED_MAX {
            self.uses.retain(|_, uses| uses.back().is_some_and(|last| *last + WINDOW > now));
        }
        for one in rated {
            let uses = self.uses.entry((plugin.to_owned(), one.grant.clone())).or_default();
            while uses.front().is_some_and(|first| *first + WINDOW <= now) {
                uses.pop_front();
            }
            if uses.len() < one.per_minute as usize {
                uses.push_back(now);
                return Ok(one);
            }
            // The one that must have left the window for another to fit, also after the rate was lowered.
            let blocking = uses.get(uses.len() - one.per_minute as usize);
            wait = wait.min(blocking.map_or(WINDOW, |at| (*at + WINDOW).saturating_sub(now)));
        }
        Err(wait)
    }

    /// How many grants' uses are remembered.
    pub fn remembered(&self) -> usize {
        self.uses.len()
    }

    /// Takes the newest use of a grant back: what it was for was not begun after all.
    pub fn take_back(&mut self, plugin: &str, rated: &Rated) {
        if let Some(uses) = self.uses.get_mut(&(plugin.to_owned(), rated.grant.clone())) {
            uses.pop_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rated(grant: &str, per_minute: u32) -> Rated {
        Rated { grant: grant.to_owned(), per_minute }
    }

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_minute_has_so_many_uses_and_no_more() {
        let (mut rates, ten) = (Rates::default(), [rated("a", 2)]);
        assert!(rates.take("p", &ten, s(0)).is_ok());
        assert!(rates.take("p", &ten, s(20)).is_ok());
        assert_eq!(rates.take("p", &ten, s(30)), Err(s(30)));
        assert_eq!(rates.take("p", &ten, s(59)), Err(s(1)));
        assert!(rates.take("q", &ten, s(59)).is_ok(), "another plugin's are its own");
        assert!(rates.take("p", &ten, s(60)).is_ok());
        assert_eq!(rates.take("p", &ten, s(61)), Err(s(19)));
        rates.take_back("p", &ten[0]);
        assert!(rates.take("p", &ten, s(61)).is_ok());
        let lowered = [rated("a", 1)];
        assert_eq!(rates.take("p", &lowered, s(61)), Err(s(60)));
    }

    #[test]
    fn the_first_grant_with_a_use_left_is_used() {
        let (mut rates, both) = (Rates::default(), [rated("a", 1), rated("b", 1)]);
        assert_eq!(rates.take("p", &both, s(0)), Ok(&both[0]));
        assert_eq!(rates.take("p", &both, s(10)), Ok(&both[1]));
        assert_eq!(rates.take("p", &both, s(20)), Err(s(40)));
    }

    proptest::proptest! {
        /// The model: a list of all uses.
        #[test]
        fn no_window_of_a_minute_has_more(gaps in proptest::collection::vec(0_u64..30, 1..80), per_minute in 1_u32..5) {
            let (mut rates, one) = (Rates::default(), [rated("a", per_minute)]);
            let (mut now, mut uses) = (0_u64, Vec::<u64>::new());
            for gap in gaps {
                now += gap;
                let recent = uses.iter().filter(|at| **at + 60 > now).count();
                let taken = rates.take("p", &one, s(now));
                assert_eq!(taken.is_ok(), recent < per_minute as usize);
                match taken {
                    Ok(_) => uses.push(now),
                    Err(wait) => {
                        let later = now + wait.as_secs();
                        assert!(wait > s(0) && uses.iter().filter(|at| **at + 60 > later).count() < per_minute as usize);
                    }
                }
            }
        }
    }
}
