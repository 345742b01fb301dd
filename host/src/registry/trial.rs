//! A new version on probation beside the one that stands by, as the parts of the host share it.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use super::probation::{Ending, Probation, Role, Standing};
use super::{Slot, Terms};
use crate::delivery::{DeliveryId, Outcome};
use crate::runtime::Version;

/// A new version on probation.
pub struct Trial {
    /// The version that stands by.
    pub standby: Arc<Version>,
    probation: Mutex<Probation>,
    /// Told when the new version fails or has proved itself.
    attention: Arc<Notify>,
}

impl Trial {
    /// A trial that begins, or goes on after a restart of the host with the `strikes` from before.
    pub fn new(standby: Arc<Version>, strikes: u32, attention: Arc<Notify>) -> Trial {
        Trial { standby, probation: Mutex::new(Probation::new(strikes)), attention }
    }

    /// Where the new version stands, and how often it has failed.
    pub fn standing(&self, now_ms: i64) -> (Standing, u32) {
        let probation = self.probation();
        (probation.standing(now_ms), probation.strikes())
    }

    fn probation(&self) -> MutexGuard<'_, Probation> {
        self.probation.lock().expect("nothing panics while it holds the probation")
    }

    fn begin(&self, delivery: DeliveryId, now_ms: i64) -> Role {
        self.probation().begin(delivery, now_ms)
    }

    fn end(&self, delivery: DeliveryId, role: Role, ending: Ending, now_ms: i64) -> bool {
        let (is_free, is_news) = {
            let mut probation = self.probation();
            let before = (probation.standing(now_ms), probation.strikes());
            let is_free = probation.end(delivery, role, ending, now_ms);
            (is_free, before != (probation.standing(now_ms), probation.strikes()))
        };
        if is_news {
            self.attention.notify_one();
        }
        is_free
    }
}

/// On what one run of a delivery is made.
pub struct Chosen {
    /// The version.
    pub version: Arc<Version>,
    /// The operator's terms.
    pub terms: Arc<Terms>,
    trial: Option<(Arc<Trial>, Role)>,
}

impl Slot {
    /// The version and the terms for a run of a delivery that begins now; `None` if it has to wait. Each begin is
    /// followed by [`Chosen::end`], unless the run doesn't take place.
    pub fn choose(self, delivery: DeliveryId, now_ms: i64) -> Option<Chosen> {
        let Slot { terms, active, trial, waiting: _ } = self;
        let active = active?;
        let trial = trial.map(|trial| {
            let role = trial.begin(delivery, now_ms);
            (trial, role)
        });
        let version = match &trial {
            Some((trial, Role::StandIn | Role::Old)) => trial.standby.clone(),
            _ => active,
        };
        Some(Chosen { version, terms, trial })
    }
}

impl Chosen {
    /// The run has ended. If it counts for nothing, because the version is on probation and failed: the version on
    /// which the delivery is to be run again.
    pub fn end(&self, delivery: DeliveryId, outcome: &Outcome, now_ms: i64) -> Option<Arc<Version>> {
        let (trial, role) = self.trial.as_ref()?;
        trial.end(delivery, *role, ending(outcome), now_ms).then(|| trial.standby.clone())
    }
}

/// What an outcome says about the version that ran.
fn ending(outcome: &Outcome) -> Ending {
    match outcome {
        // The fuse is a limit, too. The version that stands by has a count of its own.
        Outcome::Trapped(_) | Outcome::OutOf(..) | Outcome::Fuse(_) => Ending::Crashed,
        Outcome::Suspended { .. } | Outcome::InDoubt(_) => Ending::Unspent,
        Outcome::Handled | Outcome::Retry(_) | Outcome::Reject(_) => Ending::Spent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of a delivery from begin to end; answers its role, and whether it counts for nothing.
    fn run(probation: &mut Probation, delivery: i64, outcome: &Outcome) -> (Role, bool) {
        let delivery = DeliveryId(delivery);
        let role = probation.begin(delivery, 0);
        (role, probation.end(delivery, role, ending(outcome), 0))
    }

    #[test]
    fn a_blown_fuse_is_the_new_versions_fault_unless_the_older_one_blows_it_too() {
        let fuse = Outcome::Fuse("too much".to_owned());
        let mut probation = Probation::new(0);
        assert_eq!(run(&mut probation, 1, &fuse), (Role::Trial, true));
        assert_eq!(run(&mut probation, 1, &fuse), (Role::StandIn, false), "an ordinary outcome");
        assert_eq!(probation.strikes(), 0);
        for delivery in 2..=4 {
            assert_eq!(probation.standing(0), Standing::Open, "before delivery {delivery}");
            assert_eq!(run(&mut probation, delivery, &fuse), (Role::Trial, true));
            assert_eq!(run(&mut probation, delivery, &Outcome::Handled), (Role::StandIn, false));
        }
        assert_eq!((probation.strikes(), probation.standing(0)), (3, Standing::Failed));
        assert_eq!(run(&mut probation, 5, &fuse), (Role::Old, false), "an ordinary outcome");
    }
}
