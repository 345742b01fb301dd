//! What bounds the calls of all attempts of a plugin together, as one of them sees it: the fuse, and the rates of its
//! grants.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::guest::Guest;
use super::log::Level;
use super::steps::Suspend;
use crate::action::Outgoing;
use crate::action::fuse::{Fuse, Subject};
use crate::grant::Why;
use crate::grant::rate::{Rated, Rates};

/// The fuse, the rates, and their clock; clones are the same one.
#[derive(Clone)]
pub(super) struct Shared {
    fuse: Arc<Mutex<Fuse>>,
    rates: Arc<Mutex<Rates>>,
    began: Instant,
}

impl Shared {
    pub(super) fn new() -> Shared {
        Shared { fuse: Arc::default(), rates: Arc::default(), began: Instant::now() }
    }

    pub(super) fn kept(&self) -> Vec<(&'static str, usize)> {
        let actions = self.fuse.lock().expect("the fuse doesn't panic").remembered();
        let grants = self.rates.lock().expect("the rates don't panic").remembered();
        vec![("actions of the last minute", actions), ("grants with a rate", grants)]
    }
}

/// Ends the attempt: the plugin did too much in one chat, or on what else is counted.
#[derive(Debug)]
pub(super) struct Blown(pub(super) String);

impl std::fmt::Display for Blown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Blown {}

impl Guest {
    /// Counts an action that is begun, in its chat, in that of the event, or else on what it changes; ends the attempt
    /// if it was one too many.
    pub(super) fn check_fuse(&self, outgoing: &Outgoing) -> wasmtime::Result<()> {
        let Some(fuse) = &self.fuse else { return Ok(()) };
        let Some(subject) = self.subject_of(outgoing) else { return Ok(()) };
        let limit = self.terms.limits.actions_per_chat_minute;
        let mut shared = fuse.fuse.lock().expect("the fuse doesn't panic");
        let checked = shared.check(&self.plugin, self.version(), subject, limit, fuse.began.elapsed());
        checked.map_err(|reason| Blown(reason).into())
    }

    /// An action that was counted was not begun after all: its destination takes nothing.
    pub(super) fn spare_fuse(&self, subject: Option<&str>) {
        if let (Some(fuse), Some(subject)) = (&self.fuse, subject) {
            let mut shared = fuse.fuse.lock().expect("the fuse doesn't panic");
            shared.take_back(&self.plugin, self.version(), subject);
        }
    }

    /// The content hash of the version that runs: its journal has it.
    fn version(&self) -> &str {
        &self.journal.header().version
    }

    /// Uses a grant for a call that is about to be made; answers which, if it has a rate. Where all are used up the
    /// run waits, as it does where a service takes no more.
    pub(super) fn use_grant(&mut self, outgoing: &Outgoing) -> wasmtime::Result<Option<Rated>> {
        let Some(shared) = &self.fuse else { return Ok(None) };
        let asked = outgoing.asked();
        let rated = self.terms.policy.rated(&asked);
        if rated.is_empty() {
            return Ok(None);
        }
        let now = shared.began.elapsed();
        let taken =
            shared.rates.lock().expect("the rates don't panic").take(&self.plugin, &rated, now).cloned();
        let wait = match taken {
            Ok(rated) => return Ok(Some(rated)),
            Err(wait) => wait,
        };
        let reason = format!(
            "{} is used up for this minute (`grants` of [plugin.{}]): the run waits",
            rated[0].grant, self.plugin
        );
        self.decisions.note(&asked.capability, Why::TooOften);
        self.say(Level::Warn, &reason);
        Err(Suspend::Wait(reason, wait).into())
    }

    /// A call for which a grant was used was not made after all: its destination takes nothing.
    pub(super) fn spare_grant(&self, used: Option<&Rated>) {
        if let (Some(shared), Some(rated)) = (&self.fuse, used) {
            shared.rates.lock().expect("the rates don't panic").take_back(&self.plugin, rated);
        }
    }

    /// The chat, or what else, that an action counts under.
    pub(super) fn counted_under<'a>(&'a self, outgoing: &'a Outgoing) -> Option<&'a str> {
        self.subject_of(outgoing).map(Subject::key)
    }

    fn subject_of<'a>(&'a self, outgoing: &'a Outgoing) -> Option<Subject<'a>> {
        Subject::of(outgoing, self.chat_id.as_deref(), self.is_job)
    }
}
