//! The fuse of all attempts, as one of them sees it.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::guest::Guest;
use crate::action::Outgoing;
use crate::action::fuse::Fuse;

/// The fuse and its clock; clones are the same one.
#[derive(Clone)]
pub(super) struct Shared {
    fuse: Arc<Mutex<Fuse>>,
    began: Instant,
}

impl Shared {
    pub(super) fn new() -> Shared {
        Shared { fuse: Arc::default(), began: Instant::now() }
    }
}

/// Ends the attempt: the plugin did too much in one chat.
#[derive(Debug)]
pub(super) struct Blown(pub(super) String);

impl std::fmt::Display for Blown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Blown {}

impl Guest {
    /// Counts an action that is begun, in its chat or else in that of the event; ends the attempt if it was one
    /// too many.
    pub(super) fn check_fuse(&self, outgoing: &Outgoing) -> wasmtime::Result<()> {
        let Some(fuse) = &self.fuse else { return Ok(()) };
        let Some(chat_id) = self.chat_of(outgoing) else { return Ok(()) };
        let limit = self.terms.limits.actions_per_chat_minute;
        let mut shared = fuse.fuse.lock().expect("the fuse doesn't panic");
        let checked = shared.check(&self.plugin, chat_id, limit, fuse.began.elapsed());
        checked.map_err(|reason| Blown(reason).into())
    }

    /// An action that was counted was not begun after all: its destination takes nothing.
    pub(super) fn spare_fuse(&self, chat_id: Option<&str>) {
        if let (Some(fuse), Some(chat_id)) = (&self.fuse, chat_id) {
            fuse.fuse.lock().expect("the fuse doesn't panic").take_back(&self.plugin, chat_id);
        }
    }

    /// The chat in which an action counts.
    pub(super) fn chat_of<'a>(&'a self, outgoing: &'a Outgoing) -> Option<&'a str> {
        let named = match outgoing {
            Outgoing::Livechat(call) => call.chat_id(),
            Outgoing::Http(_) => None,
        };
        named.or(self.chat_id.as_deref())
    }
}
